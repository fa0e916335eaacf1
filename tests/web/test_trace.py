"""Real traces in the pages: what they show is what the API says, the trace's rows have, and its expectations name."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, expect

from tests.faults.nodes import Site
from tests.web.visitors import Served, Visitor, visiting
from tollkeeper.traces.sample import sample

_ROOT = Path(__file__).parents[2]
_BURSTGPT = _ROOT / "src/tollkeeper/traces/sample/burstgpt_1_first400.csv"
_EXPECTED: dict[str, Any] = json.loads((_ROOT / "tests/data/burstgpt_1_first400.expected.json").read_text())
_CAMPUS = "campus@example.com"
_OPERATOR = "operator@example.com"
# Of fewer a percentile is hardly one.
_LEAST = 8
_CELLS = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
_COMPACT = (
    "(amount) => Intl.NumberFormat('en-US', amount < 10000 ? {} : {notation: 'compact', maximumFractionDigits: 1})"
    ".format(amount)"
)


@pytest.fixture(scope="module")
async def traced(open_dir: Path) -> AsyncGenerator[Served]:
    """A service with a trace of two days ago, and with the sample's calls, which have durations."""
    site = Site(open_dir / "web-trace")
    try:
        node = await site.start()
        made = await site.run("key", "create", "--service", "web")
        began = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT00:00:00")
        await site.run("user", "add", _OPERATOR, "--plan", "pro")
        await site.run("user", "set", _OPERATOR, "--admin")
        await site.run("price", "set", _prices(site.data.with_name("web-trace-prices.toml")))
        await site.run("import", "burstgpt", _BURSTGPT, "--user", _CAMPUS, "--starting-at", began)
        await site.run("import", "tollkeeper", _timed(site.data.with_name("web-trace.jsonl")), "--user", _OPERATOR)
        yield Served(site, f"http://localhost:{node.port}", made["key"])
    finally:
        await site.close()


def _prices(path: Path) -> Path:
    """Write the prices that the trace's expected costs were computed with; gives the path."""
    priced = {model: each["priced_as"] for model, each in _EXPECTED["per_model"].items()}
    path.write_text("".join(f'[prices."{model}"]\ninput = {i}\noutput = {o}\n' for model, (_, i, o) in priced.items()))
    return path


def _nanos(usd: str) -> int:
    return int(Decimal(usd) * 10**9)


def _timed(path: Path) -> Path:
    """Write the sample's requests that took a time as one user's, at their own times; gives the path."""
    ending = datetime.now(UTC) - timedelta(hours=1)
    given = [each.request for each in sample(ending) if each.request.duration_ms and each.request.model]
    lines = [
        json.dumps({
            "status": request.status, "startedAt": request.started_at.isoformat(), "duration": request.duration_ms,
            "completedAt": (request.started_at + timedelta(milliseconds=request.duration_ms or 0)).isoformat(),
            "model": request.model, "tokensInput": request.input_tokens, "tokensOutput": request.output_tokens,
        })
        for request in given
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


async def _stats(page: Locator) -> dict[str, str]:
    """What stands below each of the period's headings."""
    terms = await page.locator("dl:has(dt:text('Success rate')) > div").all_inner_texts()
    return {name: "\n".join(rest) for name, *rest in (text.split("\n") for text in terms)}


async def _bars(visitor: Visitor, title: str) -> dict[str, str]:
    shown = visitor.page.get_by_role("region", name=title).locator("li")
    await shown.first.wait_for()
    rows = await shown.all_inner_texts()
    return {name.strip(): number.strip() for name, number in (row.rsplit("\n", 1) for row in rows)}


async def test_the_overview_shows_what_the_trace_is_expected_to_have(chromium: Browser, traced: Served) -> None:
    async with visiting(chromium, traced) as visitor:
        await visitor.sign_in(_CAMPUS)
        await visitor.open("/?days=7")
        tokens = sum(each["total_tokens"] for each in _EXPECTED["per_model"].values())
        shown = await _stats(visitor.page.locator("main"))
        assert shown["Requests"].split("\n")[0] == str(_EXPECTED["rows"])
        assert f"{_EXPECTED['failures']} failed" in shown["Success rate"]
        assert shown["Tokens"].split("\n")[0] == await visitor.page.evaluate(_COMPACT, tokens)
        assert await _bars(visitor, "By model") == {
            model: str(each["requests"]) for model, each in _EXPECTED["per_model"].items()
        }

        said = await visitor.fetch("/api/user/analytics?groupBy=model")
        assert (said["totals"]["requests"], said["totals"]["failed"]) == (_EXPECTED["rows"], _EXPECTED["failures"])
        assert said["totals"]["tokensUsed"] == tokens
        assert said["totals"]["costNanos"] == _nanos(_EXPECTED["total_cost_usd"])
        assert shown["Cost"].split("\n")[0] == f"${float(_EXPECTED['total_cost_usd']):.2f}"
        for group in said["groups"]:
            each, totals = _EXPECTED["per_model"][group["key"]], group["totals"]
            assert [totals[name] for name in ("requests", "failed", "tokensInput", "tokensOutput")] == [
                each[name] for name in ("requests", "failed", "input_tokens", "output_tokens")
            ]
            assert totals["costNanos"] == _nanos(each["cost_usd"])
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_operators_see_the_sum_of_all_users(chromium: Browser, traced: Served) -> None:
    async with visiting(chromium, traced) as visitor:
        await visitor.sign_in(_OPERATOR)
        own = (await visitor.fetch("/api/user/analytics"))["totals"]
        everybody = (await visitor.fetch("/api/admin/analytics"))["totals"]
        assert everybody["requests"] == own["requests"] + _EXPECTED["rows"]
        assert everybody["failed"] == own["failed"] + _EXPECTED["failures"]

        await visitor.open("/admin?days=30")
        shown = await _stats(visitor.page.locator("main"))
        assert shown["Requests"].split("\n")[0] == f"{everybody['requests']:,}"
        assert f"{everybody['failed']} failed" in shown["Success rate"]
        assert shown["Tokens"].split("\n")[0] == await visitor.page.evaluate(_COMPACT, everybody["tokensUsed"])
        top = await _bars(visitor, "Top users")
        assert (top[_CAMPUS], top[_OPERATOR]) == (str(_EXPECTED["rows"]), str(own["requests"]))
        assert await _bars(visitor, "By plan") == {"Free": str(_EXPECTED["rows"]), "Pro": str(own["requests"])}
        await visitor.page.get_by_role("combobox", name="By what").click()
        await visitor.page.get_by_role("option", name="Cost").click()
        spent = f"${float(_EXPECTED['total_cost_usd']):.2f}"
        await expect(visitor.page.get_by_role("region", name="Top users")).to_contain_text(f"{_CAMPUS}{spent}")

        now = await visitor.fetch("/api/admin/overview")
        terms = await visitor.page.locator("dl:has(dt:text('Active users')) > div").all_inner_texts()
        told = {name: rest for name, *rest in (text.split("\n") for text in terms)}
        assert told["All users"] == [str(now["users"]["total"]), "none switched off"] == ["2", "none switched off"]
        assert told["Active users"][1] == f"{now['activeUsers']['week']} in 7 days, {now['activeUsers']['month']} in 30"
        assert now["activeUsers"]["week"] == 2
        assert told["Requests today"] == [
            f"{now['today']['requests']:,}",
            f"{now['yesterday']['requests']:,} yesterday",
        ]
        assert told["Failed today"][0] == str(now["today"]["failed"])
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_models_are_shown_with_what_all_users_used_of_them(chromium: Browser, traced: Served) -> None:
    async with visiting(chromium, traced) as visitor:
        await visitor.sign_in(_OPERATOR)
        asked = (
            f"from={datetime.now(UTC).date() - timedelta(days=89)}&to={datetime.now(UTC).date() + timedelta(days=1)}"
        )
        mine = (await visitor.fetch(f"/api/user/analytics?groupBy=model&{asked}"))["groups"]
        expected = {each["key"]: (each["totals"]["requests"], each["totals"]["costNanos"]) for each in mine}
        for model, each in _EXPECTED["per_model"].items():
            requests, cost = expected.get(model, (0, 0))
            expected[model] = (requests + each["requests"], cost + _nanos(each["cost_usd"]))
        said = (await visitor.fetch("/api/admin/models"))["items"]
        assert {each["model"]: (each["requests"], each["costNanos"]) for each in said} == expected

        await visitor.open("/admin/models")
        rows = await visitor.page.locator("main tbody tr").evaluate_all(_CELLS)
        assert [(row[0].split(" ")[0], row[3], row[4]) for row in rows] == [
            (each["model"], f"{each['requests']:,}", f"{each['unpriced']:,}") for each in said
        ]
        for row, each in zip(rows, said, strict=True):
            assert row[5] == await visitor.page.evaluate(_COMPACT, each["tokensUsed"])
            if each["costNanos"] >= 10**8:
                assert row[6] == f"${each['cost'] / 100:,.2f}"
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_percentiles_of_each_model_are_those_of_its_rows(traced: Served) -> None:
    asked = f"from={datetime.now(UTC).date() - timedelta(days=89)}&to={datetime.now(UTC).date() + timedelta(days=1)}"
    said = await traced.call("GET", f"/api/user/analytics?groupBy=model&{asked}", user=_OPERATOR)
    took = await _durations(traced)
    assert {group["key"]: group["totals"]["requests"] for group in said["groups"]} == {
        model: len(each) for model, each in took.items()
    }
    compared = 0
    for group in said["groups"]:
        each = sorted(took[group["key"]])
        if len(each) < _LEAST:
            continue
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            at_rank = each[math.ceil(share * len(each)) - 1]
            assert group["totals"][name] == pytest.approx(at_rank, rel=0.02), (group["key"], name)
            compared += 1
    assert compared >= 9


async def _durations(served: Served) -> dict[str, list[int]]:
    """How long each model's requests took, as the download has them."""
    headers = {"Authorization": f"Bearer {served.key}", "Tollkeeper-User": _OPERATOR}
    url = f"{served.url}/api/chat/requests?format=jsonl"
    async with aiohttp.ClientSession(headers=headers) as client, client.get(url) as answer:
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        found[row["model"]].append(row["duration"])
    return found
