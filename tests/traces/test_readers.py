from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.errors import Invalid
from tollkeeper.metering.pricing import rates_for
from tollkeeper.traces import FORMATS, RELATIVE_START, PastRequest, count_rows, read
from tollkeeper.traces import sample as sample_package

DATA = Path(__file__).parents[1] / "data"
SAMPLE = Path(sample_package.__file__).parent
AT = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trace:
    """A real trace as its reader gives it, and the aggregates that others computed from its file."""

    requests: list[PastRequest]
    expected: dict[str, Any]


@cache
def trace(name: str) -> Trace:
    path = {
        "azure": DATA / "azure_llm_2023_conv.csv.gz",
        "burstgpt": SAMPLE / "burstgpt_1_first400.csv",
        "mooncake": DATA / "mooncake_conversation_trace.jsonl.gz",
        "ragpulse": SAMPLE / "ragpulse_trace.jsonl.gz",
    }[name]
    expected = json.loads((DATA / f"{path.name.split('.')[0]}.expected.json").read_text())
    assert count_rows(name, path) == expected["rows"]
    return Trace(list(read(name, path)), expected)


def summary(values: Iterable[int | None]) -> dict[str, int | float]:
    """The expected files' own summary: percentiles by interpolation (cont) and by nearest rank (disc)."""
    ordered = sorted(value for value in values if value is not None)
    n = len(ordered)

    def interpolated(percent: int) -> float:
        place = Fraction(percent * (n - 1), 100)
        low = int(place)
        above = ordered[min(low + 1, n - 1)]
        return round(float(ordered[low] + (place - low) * (above - ordered[low])), 6)

    return {
        "n": n, "sum": sum(ordered), "min": ordered[0], "max": ordered[-1], "mean": round(sum(ordered) / n, 6),
        **{f"p{percent}_cont": interpolated(percent) for percent in (50, 95, 99)},
        **{f"p{percent}_disc": ordered[ceil(Fraction(percent * n, 100)) - 1] for percent in (50, 95, 99)},
    }  # fmt: skip


def usd(requests: Iterable[PastRequest], model: str) -> Decimal:
    rates = rates_for(model, AT)
    assert rates
    assert isinstance(rates.input, int)
    assert isinstance(rates.output, int)
    tokens = [(request.input_tokens or 0, request.output_tokens or 0) for request in requests]
    return Decimal(sum(a * rates.input + b * rates.output for a, b in tokens)).scaleb(-15)


def seconds(request: PastRequest) -> int:
    return (request.started_at - RELATIVE_START) // timedelta(seconds=1)


@pytest.mark.parametrize("name", ["azure", "burstgpt", "mooncake", "ragpulse"])
def test_counts_failures_and_tokens_are_those_of_the_file(name: str) -> None:
    requests, expected = trace(name).requests, trace(name).expected
    assert len(requests) == expected["rows"]
    assert sum(request.status == "failed" for request in requests) == expected["failures"]
    assert [request.row for request in requests] == list(range(1, expected["rows"] + 1))
    suffix = "_all" if name == "burstgpt" else ""
    assert summary(request.input_tokens for request in requests) == expected[f"input_tokens{suffix}"]
    assert summary(request.output_tokens for request in requests) == expected[f"output_tokens{suffix}"]
    assert all(request.prompt == "" and request.response is None and request.user is None for request in requests)
    assert len({request.fingerprint for request in requests}) == len(requests)


@pytest.mark.parametrize("name", ["azure", "mooncake", "ragpulse"])
def test_the_whole_trace_costs_what_others_computed(name: str) -> None:
    priced = trace(name).expected["cost_if_priced_as"]
    assert usd(trace(name).requests, priced["model"]) == Decimal(priced["total_usd"])


def test_burstgpt_agrees_by_model_log_type_and_hour() -> None:
    requests, expected = trace("burstgpt").requests, trace("burstgpt").expected
    by_model: defaultdict[str | None, list[PastRequest]] = defaultdict(list)
    for request in requests:
        by_model[request.model].append(request)
    for model, told in expected["per_model"].items():
        mine = by_model[model]
        failed = sum(request.status == "failed" for request in mine)
        assert (len(mine), failed, len(mine) - failed) == (told["requests"], told["failed"], told["completed"])
        totals = [
            sum(request.input_tokens or 0 for request in mine),
            sum(request.output_tokens or 0 for request in mine),
        ]
        assert [*totals, sum(totals)] == [told["input_tokens"], told["output_tokens"], told["total_tokens"]]
        assert usd(mine, told["priced_as"][0]) == Decimal(told["cost_usd"])
    assert Counter(request.category for request in requests) == expected["per_log_type"]
    assert Counter(f"{request.model}|{request.category}" for request in requests) == expected["per_model_log_type"]
    assert Counter(str(request.started_at.hour) for request in requests) == expected["requests_per_hour"]
    completed = [request for request in requests if request.status == "completed"]
    assert summary(request.input_tokens for request in completed) == expected["input_tokens_completed"]
    assert summary(request.output_tokens for request in completed) == expected["output_tokens_completed"]
    failed = [request for request in requests if request.status == "failed"]
    assert sum(bool(request.input_tokens) for request in failed) == expected["failures_with_request_tokens"]
    assert len(failed) / len(requests) == expected["failure_ratio"]
    assert usd(by_model["ChatGPT"], "gpt-3.5-turbo") + usd(by_model["GPT-4"], "gpt-4") == Decimal(
        expected["total_cost_usd"]
    )
    assert (seconds(requests[0]), seconds(requests[-1])) == (expected["first_ts"], expected["last_ts"])


def test_azure_agrees_by_minute() -> None:
    requests, expected = trace("azure").requests, trace("azure").expected
    assert f"{requests[0].started_at:%F %T.%f}" == expected["first_ts"]
    assert f"{requests[-1].started_at:%F %T.%f}" == expected["last_ts"]
    minutes: defaultdict[str, list[PastRequest]] = defaultdict(list)
    for request in requests:
        minutes[f"{request.started_at:%FT%R}"].append(request)
    assert len(minutes) == expected["minutes_with_traffic"]
    minute, peak = max(minutes.items(), key=lambda item: len(item[1]))
    assert {
        "minute": minute,
        "requests": len(peak),
        "input_tokens": sum(request.input_tokens or 0 for request in peak),
        "output_tokens": sum(request.output_tokens or 0 for request in peak),
    } == expected["peak_minute"]
    assert Counter(f"{request.started_at:%R}"[:4] + "0" for request in requests) == expected["requests_per_10min"]
    assert sum((request.input_tokens or 0) > 4096 for request in requests) == expected["input_tokens_over_4096"]
    assert sum((request.output_tokens or 0) >= 1000 for request in requests) == expected["rows_output_ge_1000"]
    assert (
        sum((request.input_tokens or 0) + (request.output_tokens or 0) for request in requests)
        == expected["total_tokens"]
    )


def test_mooncake_agrees_by_minute_and_its_cached_blocks_are_those_seen_before() -> None:
    requests, expected = trace("mooncake").requests, trace("mooncake").expected
    passed = [(request.started_at - RELATIVE_START) // timedelta(milliseconds=1) for request in requests]
    assert (passed[0], passed[-1]) == (expected["first_ms"], expected["last_ms"])
    minutes = Counter(each // 60_000 for each in passed)
    assert len(minutes) == expected["minutes_with_traffic"]
    minute, most = minutes.most_common(1)[0]
    assert {"minute": minute, "requests": most} == expected["peak_minute"]
    assert minutes[0] == expected["requests_in_first_minute"]
    # A cached prompt is whole blocks, but for a last one that the prompt does not fill.
    cached = [request.cached_tokens or 0 for request in requests]
    assert sum(ceil(each / 512) for each in cached) == expected["hash_blocks_total"] - expected["hash_blocks_distinct"]
    assert all(each <= (request.input_tokens or 0) for each, request in zip(cached, requests, strict=True))


def test_ragpulse_agrees_by_session_day_and_hour() -> None:
    requests, expected = trace("ragpulse").requests, trace("ragpulse").expected
    passed = [seconds(request) for request in requests]
    assert (min(passed), max(passed)) == (expected["first_s"], expected["last_s"])
    assert sum(b < a for a, b in pairwise(passed)) == expected["non_monotonic_pairs"]
    sessions: defaultdict[str | None, list[int]] = defaultdict(list)
    for request, each in zip(requests, passed, strict=True):
        sessions[request.session_id].append(each)
    assert len(sessions) == expected["sessions"]
    assert summary(len(each) for each in sessions.values()) == expected["requests_per_session"]
    assert summary(max(each) - min(each) for each in sessions.values()) == expected["session_span_s"]
    assert sum(len(each) == 1 for each in sessions.values()) == expected["sessions_with_one_request"]
    assert Counter(str(each // 86400) for each in passed) == expected["requests_per_day_index"]
    assert Counter(str(each // 3600 % 24) for each in passed) == expected["requests_per_hour_offset"]
    categories = Counter(request.category for request in requests)
    both = categories["passages and web search"]
    assert both + categories["passages"] == expected["requests_with_retrieved_passages"]
    assert both + categories["web search"] == expected["requests_with_web_search"]
    assert sum(categories.values()) - both == sum(
        categories[name] for name in ("passages", "web search", "question only")
    )


V2 = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str | bytes, name: str = "trace") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_burstgpt_version_2_tells_sessions_and_durations(written: Written) -> None:
    path = written(
        V2 + "19440110.0,1722ac82,43,GPT-4,906,446,1352,Conversation log\n0.0000005,,2.3456,ChatGPT,5,0,5,API log\n"
    )
    first, second = read("burstgpt", path, starting_at=datetime(2024, 1, 1, tzinfo=UTC))
    assert first.started_at == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=19440110)
    assert (first.session_id, first.duration_ms, first.model, first.category) == (
        "1722ac82", 43_000, "GPT-4", "Conversation log",
    )  # fmt: skip
    assert (second.session_id, second.duration_ms, second.status) == (None, 2346, "failed")
    assert second.started_at.microsecond == 1


def test_columns_are_found_by_name_in_any_order_and_behind_a_byte_order_mark(written: Written) -> None:
    path = written(
        "\ufeffGeneratedTokens,Region,TIMESTAMP,ContextTokens\r\n7,west,2024-05-10 00:00:00.009930+00:00,9\r\n"
    )
    (request,) = read("azure", path)
    assert (request.input_tokens, request.output_tokens) == (9, 7)
    assert request.started_at == datetime(2024, 5, 10, microsecond=9930, tzinfo=UTC)


def test_azures_seventh_digit_is_cut_off_and_never_makes_the_next_second(written: Written) -> None:
    (request,) = read("azure", written("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.9999999,1,2\n"))
    assert request.started_at == datetime(2023, 11, 16, 18, 15, 46, 999999, tzinfo=UTC)


def test_a_row_is_identified_by_format_number_and_content_whether_packed_or_not(written: Written) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "2023-11-16 18:15:46.6805900,374,44\n" * 2
    plain = [request.fingerprint for request in read("azure", written(text))]
    assert len(set(plain)) == 2
    assert [request.fingerprint for request in read("azure", written(gzip.compress(text.encode())))] == plain
    assert [request.fingerprint for request in read("azure", written(text.replace("\n", "\r\n")))] == plain
    assert plain[0] not in {request.fingerprint for request in read("azure", written(text.replace("374", "375")))}


def all_of(requests: Iterator[PastRequest]) -> tuple[list[int], list[tuple[Any, Any]]]:
    """The rows that were read, and the rows and fields that were refused."""
    good: list[int] = []
    bad: list[tuple[Any, Any]] = []
    while True:
        try:
            good.append(next(requests).row)
        except StopIteration:
            return good, bad
        except Invalid as error:
            bad.append((error.fields.get("row"), error.fields["errors"][0]["field"]))


def test_a_bad_row_is_named_and_the_next_one_still_read(written: Written) -> None:
    rows = [
        "1,s,1,GPT-4,1,1,2,API log",
        "-1,s,1,GPT-4,1,1,2,API log",
        "nan,s,1,GPT-4,1,1,2,API log",
        "1e999999999,s,1,GPT-4,1,1,2,API log",
        "999999999999,s,1,GPT-4,1,1,2,API log",
        "1,s,x,GPT-4,1,1,2,API log",
        "1,s,1,GPT-4,1.5,1,2,API log",
        "1,s,1,GPT-4,1,-1,2,API log",
        "1,s,1,GPT-4,1,9999999999999,2,API log",
        "1,s,1," + "m" * 201 + ",1,1,2,API log",
        "1,s,1,GPT-4,1,1,2",
        "1,s\0,1,GPT-4,1,1,2,API log",
        "x" * 200_000,
        "2,s,1,GPT-4,1,1,2,API log",
        "",
        "3,s,1,GPT-4,1,1,,API log",
        "3,s,1,GPT-4,1,2,4,API log",
        "3,s,1,GPT-4,1,1,x,API log",
    ]
    good, bad = all_of(read("burstgpt", written(V2 + "\n".join(rows))))
    assert good == [1, 14, 15]
    assert bad == [
        (2, "Timestamp"), (3, "Timestamp"), (4, "Timestamp"), (5, "Timestamp"), (6, "Elapsed time"),
        (7, "Request tokens"), (8, "Response tokens"), (9, "Response tokens"), (10, "Model"), (11, "columns"),
        (12, "Session ID"), (13, "row"), (16, "Total tokens"), (17, "Total tokens"),
    ]  # fmt: skip


def test_a_bad_json_row_is_named_and_the_next_one_still_read(written: Written) -> None:
    good_row = b'{"timestamp": 1, "input_length": 600, "output_length": 2, "hash_ids": [1, 2]}'
    rows = [
        good_row, b"{", b"[]", b"\xff", b'{"timestamp": 1}', b"[" * 10_000, good_row.replace(b"600", b'"600"'),
        good_row.replace(b"600", b"true"), good_row.replace(b"600", b"-1"), good_row.replace(b"[1, 2]", b'["1"]'),
        good_row.replace(b": 1,", b": 999999999999999,"), good_row.replace(b": 1,", b": 999999999999,"), good_row,
        good_row.replace(b'"hash_ids"', b'"output_length": 3, "hash_ids"'),
    ]  # fmt: skip
    good, bad = all_of(read("mooncake", written(b"\n".join(rows))))
    assert good == [1, 7, 12, 13]
    assert [row for row, _ in bad] == [2, 3, 4, 5, 6, 8, 9, 10, 11, 14]
    assert [field for _, field in bad] == [
        "row", "row", "row", "input_length", "row", "input_length", "input_length", "hash_ids", "timestamp",
        "output_length",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("parquet", b"", "format"),
        ("burstgpt", b"", "Timestamp"),
        ("burstgpt", b"Timestamp,Model,Request tokens,Log Type\n", "Response tokens"),
        ("azure", b'{"timestamp": 1}\n', "TIMESTAMP"),
        ("burstgpt", b"Timestamp,Model,Request tokens,Response tokens,Log Type, Model\n", "Model"),
    ],
)
def test_a_file_that_is_not_of_its_format_is_refused_at_once(
    written: Written,
    name: str,
    content: bytes,
    field: str,
) -> None:
    with pytest.raises(Invalid) as caught:
        read(name, written(content))
    assert caught.value.fields["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("name", "encoding", "place"),
    [("Zeit für", "latin-1", 7), ("Zeit", "utf-16", 1), ("Zeit", "utf-16-le", 2), ("Zeit", "utf-16-be", 1)],
)
def test_a_table_that_is_not_utf_8_is_told_so(written: Written, name: str, encoding: str, place: int) -> None:
    path = written(f"{name},ContextTokens\r\n1,2\r\n".encode(encoding))
    with pytest.raises(Invalid) as caught:
        read("azure", path)
    assert caught.value.detail == f"trace: file: is not UTF-8 (byte {place} of the header)"


def test_a_missing_file_and_a_damaged_one_are_told(written: Written, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"cannot be read: .*No such file"):
        next(read("mooncake", tmp_path / "nowhere"))
    packed = gzip.compress(b'{"timestamp": 1, "input_length": 1, "output_length": 2, "hash_ids": []}\n' * 10_000)
    good, bad = all_of(read("mooncake", written(packed[: len(packed) // 2])))
    assert good
    assert bad == [(None, "file")]


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"azure", "burstgpt"}))
def test_a_file_without_lines_has_no_requests(written: Written, name: str) -> None:
    assert list(read(name, written(b"\n\n"))) == []
    assert count_rows(name, written(b"\n\n")) == 0
    assert count_rows(name, written(b"\xef\xbb\xbf\n")) == 0
