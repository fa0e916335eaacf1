from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.accounts.users import address_of
from tollkeeper.errors import Invalid
from tollkeeper.traces import PastRequest, read

LEAST = {"status": "failed", "startedAt": "2026-01-01T00:00:00Z"}


def read_line(tmp_path: Path, line: str | bytes) -> PastRequest:
    path = tmp_path / "export.jsonl"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())
    (request,) = read("tollkeeper", path)
    return request


def read_one(tmp_path: Path, **fields: Any) -> PastRequest:
    return read_line(tmp_path, json.dumps(LEAST | fields))


def test_an_exported_request_comes_back_whole(tmp_path: Path) -> None:
    prices = {
        "source": "genai-prices 0.2.3", "provider": "anthropic", "model": "claude-sonnet-4-5",
        "input": [[0, 3_000_000_000], [200_000, 6_000_000_000]], "output": 15_000_000_000, "cache_write": "83333333.33",
    }  # fmt: skip
    request = read_one(
        tmp_path, id="0198", requestId="req-123", sessionId="s", prompt="Why?", response="So.", model="gpt-4o",
        requestType="analysis", category="nft", complexity="high", status="completed", errorMessage=None,
        errorCode=None, late=True, refunded=False, tokensUsed=30, tokensInput=10, tokensOutput=20, tokensCached=3,
        tokensCacheWrite=2, tokensReasoning=5,
        cost=0.0330000, costNanos=330_000, costSource="reported", reportedCost=1.2345678, duration=2500, userRating=5,
        startedAt="2026-01-01T01:00:00+01:00", completedAt="2026-01-01T00:00:02.5Z", createdAt="2026-01-01T00:00:00Z",
        user="ada@example.com", ipAddress="::1", userAgent="curl", metadata={"a": [1]}, unitPrices=prices,
    )  # fmt: skip
    assert request == PastRequest(
        row=1, fingerprint=request.fingerprint, status="completed", started_at=datetime(2026, 1, 1, tzinfo=UTC),
        completed_at=datetime(2026, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC), duration_ms=2500, model="gpt-4o",
        input_tokens=10, output_tokens=20, cached_tokens=3, cache_write_tokens=2, reasoning_tokens=5,
        cost_nanos=330_000, cost_source="reported", reported_cost_nanos=12_345_678, session_id="s",
        request_id="req-123", request_type="analysis", category="nft", complexity="high", prompt="Why?",
        response="So.", late=True, refunded=False, rating=5,
        user="ada@example.com", ip_address="::1", user_agent="curl", metadata={"a": [1]}, unit_prices=prices,
    )  # fmt: skip


def test_rates_have_the_names_of_the_api_and_in_older_exports_those_of_the_database(tmp_path: Path) -> None:
    kept = {"cache_read": 1, "cache_write": 2, "per_request": 3}
    assert read_one(tmp_path, unitPrices={"cacheRead": 1, "cacheWrite": 2, "perRequest": 3}).unit_prices == kept
    assert read_one(tmp_path, unitPrices=kept).unit_prices == kept


def test_little_is_enough_and_our_own_id_is_not_taken_for_the_clients(tmp_path: Path) -> None:
    request = read_one(tmp_path, id="0198", requestId="0198", tokensUsed=7)
    assert (request.request_id, request.request_type, request.prompt, request.tokens_used) == (None, "chat", "", 7)
    assert request.input_tokens is None


@pytest.mark.parametrize(
    ("told", "meant"),
    [((5, 1, None), (1, 4)), ((5, None, 2), (3, 2)), ((1, 1, None), (1, None)), ((5, None, None), (None, None))],
)
def test_of_total_and_parts_one_follows_from_the_others(
    tmp_path: Path, told: tuple[int | None, ...], meant: tuple[int | None, ...]
) -> None:
    names = ("tokensUsed", "tokensInput", "tokensOutput")
    request = read_one(tmp_path, **dict(zip(names, told, strict=True)))
    assert (request.input_tokens, request.output_tokens) == meant


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    line = json.dumps(LEAST).encode()
    marked = read_line(tmp_path, b"\xef\xbb\xbf" + line)
    assert marked == read_line(tmp_path, line)


@pytest.mark.parametrize(
    ("more", "name"), [('"late": false, "late": true', "late"), ('"metadata": {"b": 1, "\\u0062": 2}', "b")]
)
def test_a_name_that_is_given_twice_is_refused(tmp_path: Path, more: str, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_line(tmp_path, f"{json.dumps(LEAST)[:-1]}, {more}}}")
    assert caught.value.detail == f"export.jsonl, row 1: {name}: is given more than once"


def test_a_user_may_have_the_longest_address_that_an_account_can_have(tmp_path: Path) -> None:
    longest = address_of("a" * 64 + "@" + ".".join(["b" * 63] * 3 + ["c" * 61]))
    assert len(longest) > 254
    assert read_one(tmp_path, user=longest).user == longest


def test_a_text_may_tell_of_a_nul_without_having_one(tmp_path: Path) -> None:
    assert read_one(tmp_path, prompt="write \\u0000").prompt == "write \\u0000"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"status": "done"}, "status"),
        ({"startedAt": "2026-01-01T00:00:00"}, "startedAt"),
        ({"startedAt": 5}, "startedAt"),
        ({"colour": "red"}, "colour"),
        ({"tokensInput": -1}, "tokensInput"),
        ({"tokensOutput": 10**12 + 1}, "tokensOutput"),
        ({"tokensUsed": "5"}, "tokensUsed"),
        ({"duration": True}, "duration"),
        ({"userRating": 6}, "userRating"),
        ({"complexity": "none"}, "complexity"),
        ({"sessionId": "s" * 201}, "sessionId"),
        ({"user": "nobody"}, "user"),
        ({"user": "a@" + "b" * 319}, "user"),
        ({"prompt": "é" * (1 << 19) + "x"}, "prompt"),
        ({"errorMessage": "x" * ((1 << 14) + 1)}, "errorMessage"),
        ({"metadata": {"a": "x" * (1 << 14)}}, "metadata"),
        ({"metadata": {"a": "\0"}}, "row"),
        ({"prompt": "\\\0"}, "row"),
        ({"startedAt": "0001-01-01T00:00:00+14:00"}, "startedAt"),
        ({"completedAt": "9999-12-31T23:59:59-14:00"}, "completedAt"),
        ({"completedAt": "2025-12-31T23:59:59Z"}, "completedAt"),
        ({"reportedCost": -1}, "reportedCost"),
        ({"reportedCost": 10**9 + 1}, "reportedCost"),
        ({"reportedCost": 0.00000001}, "reportedCost"),
        ({"unitPrices": {"input": -1}}, "unitPrices"),
        ({"unitPrices": {"input": 1.5}}, "unitPrices"),
        ({"unitPrices": {"input": True}}, "unitPrices"),
        ({"unitPrices": {"input": "abc"}}, "unitPrices"),
        ({"unitPrices": {"input": []}}, "unitPrices"),
        ({"unitPrices": {"input": [[0, 1], [5]]}}, "unitPrices"),
        ({"unitPrices": {"colour": 5}}, "unitPrices"),
        ({"unitPrices": {"source": 5}}, "unitPrices"),
        ({"unitPrices": {"cache_read": 5, "cacheRead": 5}}, "unitPrices"),
        ({"tokensUsed": 5, "tokensInput": 1, "tokensOutput": 1}, "tokensUsed"),
        ({"tokensUsed": 5, "tokensInput": 6}, "tokensUsed"),
        ({"tokensUsed": 2 * 10**12, "tokensInput": 1}, "tokensUsed"),
        ({"tokensInput": 5, "tokensCached": 3, "tokensCacheWrite": 3}, "tokensCached"),
        ({"tokensInput": 5, "tokensCacheWrite": 6}, "tokensCacheWrite"),
        ({"tokensInput": 5, "tokensReasoning": 1}, "tokensReasoning"),
        ({"status": "pending", "late": True}, "late"),
        ({"status": "pending", "errorCode": "expired"}, "errorCode"),
        ({"status": "completed", "errorCode": "expired"}, "errorCode"),
        ({"status": "pending", "completedAt": "2026-01-01T00:00:00Z"}, "completedAt"),
        ({"status": "pending", "tokensInput": 1}, "tokensInput"),
        ({"status": "pending", "userRating": 1}, "userRating"),
        ({"ipAddress": "zzz"}, "ipAddress"),
    ],
)
def test_a_faulty_field_is_named_with_its_row(tmp_path: Path, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=r"^export\.jsonl, row 1: ") as caught:
        read_one(tmp_path, **fields)
    assert caught.value.fields["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"status": "failed"}', b"\xff", b'{"prompt": "\\ud800 x"}', b"[" * 9999]
)
def test_a_line_that_is_no_request_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(Invalid, match=r"^export\.jsonl, row 1: "):
        read_line(tmp_path, line)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "done"}, "status: must be one of completed, failed, pending"),
        ({"status": None}, "status: must be one of completed, failed, pending"),
        ({"startedAt": "2026-01-01"}, "startedAt: must be an instant such as 2026-01-01T00:00:00Z"),
        ({"startedAt": "2026-01-01T00:00:00"}, "startedAt: must name its time zone, as 2026-01-01T00:00:00Z does"),
        ({"user": "ada"}, "user: must be an e-mail address"),
        ({"model": "m" * 201}, "model: must have at most 200 characters"),
        ({"tokensUsed": "5"}, "tokensUsed: must be a whole number or null, not a text"),
        ({"tokensUsed": -1}, "tokensUsed: must be at least 0"),
        ({"duration": 10**12 + 1}, "duration: must be at most 1,000,000,000,000"),
        ({"reportedCost": True}, "reportedCost: must be a number or null, not true or false"),
        ({"metadata": []}, "metadata: must be an object or null, not a list"),
        ({"colour": 5}, "colour: is not known here"),
        ({"\x1b[31m": 5}, "'\\x1b[31m': is not known here"),
    ],
)
def test_what_is_wanted_is_said_in_words_of_json(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_one(tmp_path, **fields)
    assert caught.value.detail == f"export.jsonl, row 1: {said}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "is not JSON: it ends too early"),
        (b"[]", "must be an object, not a list"),
        (b'{"status": "failed", "prompt": "\xff"}', "is not UTF-8: invalid start byte at byte 32"),
        (b"[" * 9999, "must be an object, not a list"),
        (b'{"metadata": ' * 9999, "is nested too deep"),
    ],
    ids=lambda each: repr(each[:12]),
)
def test_why_a_line_cannot_be_read_is_said(tmp_path: Path, line: bytes, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_line(tmp_path, line)
    assert caught.value.detail == f"export.jsonl, row 1: row: {said}"


def test_an_interpreter_that_has_loaded_the_reader_ends_well() -> None:
    # msgspec 0.22.0 crashed one in five of them over a pattern in a union with a container.
    ends = [
        subprocess.run([sys.executable, "-c", "import tollkeeper.traces"], check=False).returncode for _ in range(12)
    ]
    assert ends == [0] * 12
