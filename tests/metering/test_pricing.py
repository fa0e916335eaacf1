from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TimeOfDateConstraint

from tollkeeper.errors import Invalid
from tollkeeper.metering.prices.price_file import own_rates
from tollkeeper.metering.pricing import Rates, rates_for

DATA = Path(__file__).parents[1] / "data"
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)

COSTS = """
    SELECT tk_cost(rates::jsonb, a, b, c, d, e) AS nanos
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
           WITH ORDINALITY AS given (rates, a, b, c, d, e, place)
     ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one model, in the words of genai-prices."""

    model: str
    usage: dict[str, int]
    provider: str | None = None
    at: datetime = AT
    body: int = 0

    @property
    def tracked(self) -> dict[str, int]:
        return {kind: tokens for kind, tokens in self.usage.items() if kind in KINDS}

    @property
    def rates(self) -> Rates | None:
        return rates_for(f"{self.provider}:{self.model}" if self.provider else self.model, self.at)

    def listed_nanos(self, usage: dict[str, int]) -> int:
        """What genai-prices itself computes, half up to the nano."""
        price = calc_price(
            Usage(**usage), self.model, provider_id=self.provider, genai_request_timestamp=self.at
        ).total_price
        return int((price * 10**9).to_integral_value(ROUND_HALF_UP))


async def costs(owner: asyncpg.Connection, used: list[Used]) -> list[int | None]:
    rates = [json.dumps(each.rates.as_json()) if each.rates else None for each in used]
    tokens = [[each.usage.get(kind) for each in used] for kind in KINDS]
    return [row["nanos"] for row in await owner.fetch(COSTS, rates, *tokens)]


async def cost(owner: asyncpg.Connection, model: str, **usage: int) -> int | None:
    return (await costs(owner, [Used(model, usage)]))[0]


def real_usages() -> list[Used]:
    """Every usage of a real provider answer, at every provider that prices it."""
    with gzip.open(DATA / "api_usage_bodies_a.jsonl.gz", "rt", encoding="utf-8") as lines:
        bodies = [cast("dict[str, Any]", json.loads(line)) for line in lines]
    return [
        Used(body["model"], expected["usage"], price["provider_id"], body=number)
        for number, body in enumerate(bodies)
        for expected in body["expected"]
        for price in expected["prices"]
    ]


async def test_every_real_usage_costs_what_genai_prices_says_to_the_nano(owner: asyncpg.Connection) -> None:
    used = real_usages()
    expected = json.loads((DATA / "api_usage_bodies_a.expected.json").read_text())
    assert len(used) == expected["price_entries"]
    assert len({each.body for each in used}) == expected["with_price"] == 910

    found = await costs(owner, used)
    equal, unpriced, other = 0, Counter[str](), Counter[str]()
    for each, nanos in zip(used, found, strict=True):
        if nanos is None:
            # Empty prices, which genai-prices adds up to nothing, and one answer without any token.
            assert each.listed_nanos(each.usage) == 0
            unpriced[f"{each.provider} {each.model}" if each.usage else "no tokens"] += 1
        elif each.listed_nanos(each.usage) == nanos:
            equal += 1
        else:
            # Kinds that we do not keep, at a price of their own: the tokens that we keep cost the same.
            assert each.listed_nanos(each.tracked) == nanos
            other.update(kind for kind in each.usage if kind not in KINDS and "text" not in kind)
    assert (equal, sum(unpriced.values()), len(used) - equal - sum(unpriced.values())) == (2398, 6, 35)
    assert unpriced == {
        "cerebras qwen-3-coder-480b": 2,
        "no tokens": 3,
        "openrouter google/gemini-2.0-flash-exp:free": 1,
    }
    assert other.keys() == {
        "input_audio_tokens", "input_video_tokens", "cache_audio_read_tokens", "cache_video_read_tokens",
        "output_image_tokens", "web_searches",
    }  # fmt: skip


async def test_an_inferred_provider_is_the_one_that_genai_prices_infers(owner: asyncpg.Connection) -> None:
    models = sorted({each.model for each in real_usages()})
    used = [Used(model, {"input_tokens": 1_234_567, "output_tokens": 89_012}) for model in models]
    compared = Counter[str]()
    for each, nanos in zip(used, await costs(owner, used), strict=True):
        try:
            listed = each.listed_nanos(each.usage)
        except LookupError:
            # `provider/model`, which only we take apart.
            assert nanos is None or "/" in each.model
            compared["not inferred"] += 1
        else:
            assert nanos == listed
            compared["equal"] += 1
    assert compared == {"equal": 57, "not inferred": 26}


async def test_cached_tokens_are_part_of_the_input_and_reasoning_is_part_of_the_output(
    owner: asyncpg.Connection,
) -> None:
    # gpt-4o: 2.50 in, 1.25 cached, 10 out; sonar-deep-research: 2 in, 8 out, 3 reasoning, in USD a million.
    assert await cost(owner, "gpt-4o", input_tokens=1000, cache_read_tokens=400, output_tokens=100) == (
        600 * 2500 + 400 * 1250 + 100 * 10_000
    )
    assert await cost(
        owner, "perplexity/sonar-deep-research", input_tokens=10, output_tokens=100, output_reasoning_tokens=60
    ) == (10 * 2000 + 40 * 8000 + 60 * 3000)


async def test_a_kind_without_a_rate_of_its_own_costs_as_its_whole(owner: asyncpg.Connection) -> None:
    # gpt-4 prices neither cache nor reasoning.
    parts = {"cache_read_tokens": 900, "cache_write_tokens": 100, "output_reasoning_tokens": 50}
    whole = await cost(owner, "gpt-4", input_tokens=1000, output_tokens=50)
    assert await cost(owner, "gpt-4", input_tokens=1000, output_tokens=50, **parts) == whole == 33_000_000


async def test_parts_larger_than_their_whole_are_cut_to_it(owner: asyncpg.Connection) -> None:
    rates = {
        "source": "",
        "model": "",
        "input": 100,
        "cache_read": 10,
        "cache_write": 20,
        "output": 200,
        "reasoning": 50,
    }
    told = await owner.fetchrow(
        "SELECT tk_cost($1::jsonb, 1000000, 0, 5000000, 5000000, 0) AS all_cached,"
        "       tk_cost($1::jsonb, 1000000, 0, 400000, 900000, 0) AS rest_written,"
        "       tk_cost($1::jsonb, 0, 1000000, 0, 0, 7000000) AS all_reasoning",
        json.dumps(rates),
    )
    assert told
    assert (told["all_cached"], told["rest_written"], told["all_reasoning"]) == (10, 16, 50)


async def test_the_input_decides_the_tier_of_all_tokens(owner: asyncpg.Connection) -> None:
    used = [
        Used("claude-sonnet-4-5", {"input_tokens": tokens, "output_tokens": 1000, "cache_read_tokens": tokens // 2})
        for tokens in (0, 1, 199_999, 200_000, 200_001, 1_000_000)
    ]
    assert await costs(owner, used) == [each.listed_nanos(each.usage) for each in used]
    # 3 USD a million in and 15 out, up to 200,000 tokens of input; above that 6 and 22.50 for all of them.
    assert await cost(owner, "claude-sonnet-4-5", input_tokens=200_000, output_tokens=1000) == 615_000_000
    assert await cost(owner, "claude-sonnet-4-5", input_tokens=200_001, output_tokens=1000) == 1_222_506_000


async def test_a_price_holds_from_its_own_instant(owner: asyncpg.Connection) -> None:
    changes = [
        ("deepseek-chat", datetime(2025, 5, 5, 0, 30, tzinfo=UTC)),  # the night is cheaper, from 16:30 to 0:30
        ("deepseek-chat", datetime(2025, 5, 5, 16, 30, tzinfo=UTC)),
        ("o3", datetime(2025, 6, 10, tzinfo=UTC)),  # the day of its first price cut
    ]
    tokens = {"input_tokens": 1_000_000, "output_tokens": 1000}
    for model, change in changes:
        used = [Used(model, tokens, at=moment) for moment in (change - timedelta(microseconds=1), change)]
        before, after = await costs(owner, used)
        assert [before, after] == [each.listed_nanos(each.usage) for each in used]
        assert before != after


def test_the_list_changes_prices_only_at_quarters_of_an_hour_so_a_quarter_may_be_remembered() -> None:
    conditions = [
        price.constraint
        for provider in get_snapshot().providers
        for model in provider.models
        if isinstance(model.prices, list)
        for price in model.prices
        if isinstance(price.constraint, TimeOfDateConstraint)
    ]
    moments: list[time] = [moment for each in conditions for moment in (each.start_time, each.end_time)]
    assert moments
    assert all((moment.minute % 15, moment.second, moment.microsecond) == (0, 0, 0) for moment in moments)
    assert all(moment.utcoffset() in {None, timedelta(0)} for moment in moments)


@pytest.mark.parametrize("model", ["gpt-4o", "GPT-4o", "openai/gpt-4o", "openai:gpt-4o", "gpt-4o-2024-08-06"])
def test_a_model_is_found_by_every_usual_spelling(model: str) -> None:
    assert rates_for(model, AT) == Rates(
        source="genai-prices 0.2.3", provider="openai", model="gpt-4o",
        input=2_500_000_000, output=10_000_000_000, cache_read=1_250_000_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "model",
    ["", "/", ":", "ChatGPT", "my-own-model", "openai/my-own-model", "gpt-4o\ud800", "whisper-1"],  # priced by the hour
)
def test_an_unknown_model_is_unpriced_and_never_free(model: str) -> None:
    assert rates_for(model, AT) is None


async def test_what_is_unpriced_has_no_cost(owner: asyncpg.Connection) -> None:
    assert await cost(owner, "my-own-model", input_tokens=1000, output_tokens=1000) is None


async def test_without_a_split_of_the_tokens_there_is_no_cost_and_one_side_is_enough(owner: asyncpg.Connection) -> None:
    assert await cost(owner, "gpt-4o") is None
    assert await cost(owner, "gpt-4o", input_tokens=10) == 25_000
    assert await cost(owner, "gpt-4o", output_tokens=10) == 100_000


async def test_a_price_for_each_request_is_added_once(owner: asyncpg.Connection) -> None:
    # sonar: 1 USD a million in and out, 12 USD for a thousand requests.
    assert await cost(owner, "perplexity/sonar", input_tokens=100, output_tokens=10) == 110 * 1000 + 12_000_000


async def test_rates_finer_than_a_nano_stay_exact(owner: asyncpg.Connection) -> None:
    used = Used("google/gemini-2.5-flash-lite", {"input_tokens": 10**9, "cache_write_tokens": 10**9}, "openrouter")
    assert used.rates
    assert used.rates.as_json()["cache_write"] == "83333333.33333334"
    assert await costs(owner, [used]) == [used.listed_nanos(used.usage)]


async def test_the_cost_is_rounded_once_and_half_up(owner: asyncpg.Connection) -> None:
    rates = json.dumps({"input": 100_000, "output": 400_000})  # 0.1 and 0.4 nano-USD a token
    told = [
        await owner.fetchval("SELECT tk_cost($1::jsonb, $2, $3, 0, 0, 0)", rates, *tokens)
        for tokens in [(4, 0), (5, 0), (1, 1), (0, 1), (10**12, 10**12)]
    ]
    assert told == [0, 1, 1, 0, 500_000_000_000]


async def test_the_largest_request_at_the_highest_own_price_fits_a_bigint(owner: asyncpg.Connection) -> None:
    (own,) = own_rates('[prices."dear"]\ninput = 1000\noutput = 1000\nper_request = 1000')
    nanos = await owner.fetchval(
        "SELECT tk_cost($1::jsonb, 1000000000000, 1000000000000, 0, 0, 0)", json.dumps(own.rates.as_json())
    )
    assert nanos == 2 * 10**18 + 10**12


def test_an_operator_prices_a_model_in_usd_from_a_day_on() -> None:
    first, second = own_rates("""
        [[prices."my-model"]]
        input = 2.50
        output = 10
        [[prices."my-model"]]
        effective_from = 2026-01-01
        input = 1.25
        output = 0.000000001
        cache_read = 0.1
        cache_write = 3
        reasoning = 4
        per_request = 0.005
    """)
    assert (first.model, first.effective_from) == ("my-model", datetime(1970, 1, 1, tzinfo=UTC))
    assert first.rates.as_json() == {
        "source": "operator", "model": "my-model", "input": 2_500_000_000, "output": 10_000_000_000,
    }  # fmt: skip
    assert second.effective_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert second.rates.as_json() == {
        "source": "operator", "model": "my-model", "input": 1_250_000_000, "output": 1, "cache_read": 100_000_000,
        "cache_write": 3_000_000_000, "reasoning": 4_000_000_000, "per_request": 5_000_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("toml", "field"),
    [
        ("prices =", "prices"),
        ("", "prices"),
        ("[prices]", "prices"),
        ("[plans.x]\n[prices.m]\ninput = 1", "plans"),
        ("[prices]\nm = 3", 'prices."m"'),
        ("[prices.m]", 'prices."m"'),
        ("[prices.m]\ncache_read = 1", 'prices."m"'),
        ('[prices.""]\ninput = 1', 'prices.""'),
        ("[prices.m]\ninput = 1\ncolour = 2", 'prices."m".colour'),
        ("[prices.m]\ninput = -1", 'prices."m".input'),
        ("[prices.m]\ninput = 1000.01", 'prices."m".input'),
        ("[prices.m]\ninput = nan", 'prices."m".input'),
        ("[prices.m]\ninput = 1e99999999999999999999", "prices"),
        ("[prices.m]\ninput = " + 5000 * "9", "prices"),
        ("[prices.m]\ninput = inf", 'prices."m".input'),
        ("[prices.m]\ninput = true", 'prices."m".input'),
        ('[prices.m]\ninput = "1"', 'prices."m".input'),
        ("[prices.m]\ninput = 0.0000000001", 'prices."m".input'),
        ("[prices.m]\ninput = 1e-999999999", 'prices."m".input'),
        ('[prices.m]\ninput = 1\neffective_from = "2026-01-01"', 'prices."m".effective_from'),
        ("[prices.m]\ninput = 1\neffective_from = 0001-01-01", 'prices."m".effective_from'),
        ("[prices.m]\ninput = 1\neffective_from = 9999-01-01", 'prices."m".effective_from'),
        ("[prices.m]\ninput = 1\neffective_from = 0001-01-01T00:00:00+14:00", 'prices."m".effective_from'),
        ("[[prices.m]]\ninput = 1\n[[prices.m]]\ninput = 2", 'prices."m"[1].effective_from'),
        ("[prices]\nm = []", "prices"),
    ],
)
def test_a_fault_in_a_price_file_is_named_by_its_field(toml: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        own_rates(toml)
    assert caught.value.fields["errors"][0]["field"] == field
