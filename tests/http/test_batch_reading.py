"""What a batch may look like: arrays and lines, plain and gzip, times and ends; and what is wrong with the rest."""

from __future__ import annotations

import gzip
import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tollkeeper.accounts import users
from tollkeeper.http.tracking.batch_wire import BatchItem
from tollkeeper.http.tracking.wire import FinishTracking
from tollkeeper.instants import EPOCH

from .batches import LINES, PATH, by_service, ended, lines, send, someone, told
from .conftest import JSON, Person, Site


async def test_lines_and_gzip_and_an_array_say_the_same(service: Site) -> None:
    user = someone()
    items = [ended(user, requestId=f"r{number}") for number in range(300)]
    spaced = b"\n\r\n  " + lines(items).replace(b"\n", b"\r\n\n") + b" \n"
    array = msgspec.json.format(msgspec.json.encode(items), indent=2)
    ways = [
        await send(service, raw=spaced, Content_Type="application/x-ndjson"),
        await send(service, raw=lines(items)[:-1], Content_Type="application/jsonl; charset=utf-8"),
        await send(service, raw=array),
        await send(service, raw=gzip.compress(array), Content_Encoding="gzip"),
        await send(service, raw=array, Content_Encoding="identity"),
        await send(
            service,
            raw=gzip.compress(lines(items[:100])) + gzip.compress(lines(items[100:])),
            Content_Type="application/x-ndjson",
            Content_Encoding="GZIP",
        ),
    ]
    assert [each.status for each in ways] == [200] * len(ways)
    assert [each["verdict"] for each in ways[0].json["results"]] == ["recorded"] * 300
    for way in ways[1:]:
        assert [each["verdict"] for each in way.json["results"]] == ["replayed"] * 300
        assert [each["id"] for each in way.json["results"]] == [each["id"] for each in ways[0].json["results"]]


async def test_a_client_may_send_it_in_chunks(service: Site) -> None:
    raw = gzip.compress(msgspec.json.encode([ended(someone()) for _ in range(50)]))

    async def chunks() -> Any:
        for start in range(0, len(raw), 100):
            yield raw[start : start + 100]

    by = by_service(service) | {"Content-Encoding": "gzip"}
    async with service.client.post(service.url + PATH, headers=by, data=chunks()) as answer:
        assert (answer.status, (await answer.json())["accepted"]) == (200, 50)


async def test_an_item_is_as_strict_as_a_call_and_spoils_no_other(service: Site) -> None:
    user = someone()
    good = msgspec.json.encode(ended(user)).decode()
    start = f'{{"user": "{user}", "prompt": "x"'
    long = "x" * (2**20 + 1)
    bad: list[tuple[str, set[str]]] = [
        (start + ', "prompt": "y"}', {"prompt"}),
        (start + r', "category": "\u0000"}', {"category"}),
        (start + ', "maxTokens": -0}', {"maxTokens"}),
        (start + ', "maxTokens": NaN}', {"maxTokens"}),
        (start + ', "maxTokens": 1' + "0" * 5000 + "}", {"maxTokens"}),
        (start + ', "metadata": {"a": 1, "a": 2}}', {"metadata.a"}),
        (start + ', "metadata": ' + '{"a":' * 32 + "1" + "}" * 33, set()),
        (start + ', "metadata": {' + ",".join(f'"k{place}": 1' for place in range(1001)) + "}}", set()),
        (start + ', "unknown": 1}', {"unknown"}),
        (start + ', "requestId": "0198c0de-0000-7000-8000-000000000000"}', {"requestId"}),
        (start + ', "tokensUsed": 1, "startedAt": "2026-01-01T00:00:00Z"}', {"tokensUsed", "startedAt"}),
        ('{"user": "a@b@c", "prompt": "x"}', {"user"}),
        (f'{{"user": "{user}", "prompt": "{long}"}}', {"prompt"}),
        ("null", {"body"}),
    ]
    between = ("," + good + ",").join(text for text, _ in bad)
    for raw, kind in ((f"[{between}]", JSON), (between.replace("," + good + ",", f"\n{good}\n"), LINES)):
        heard = await send(service, raw=raw.encode(), Content_Type=kind["Content-Type"])
        assert heard.status == 200, heard.body
        results = heard.json["results"]
        assert [each["verdict"] for each in results[1::2]] == ["recorded"] * (len(bad) - 1)
        for verdict, (text, faulty) in zip(results[::2], bad, strict=True):
            assert verdict["verdict"] == "invalid", text
            assert {each["field"] for each in verdict["problem"].get("errors", [])} == faulty, text
            assert verdict["problem"]["status"] in {400, 422}


async def test_a_broken_line_spoils_no_other(service: Site) -> None:
    good = lines([ended(someone())])
    raw = good + b'{"user": \n' + b"\xff\xfe\n" + good + b"[" * 5000 + b"\n" + b'"' + b"x" * (8 * 2**20) + b'"\n' + good
    heard = await send(service, raw=raw, Content_Type="application/x-ndjson")
    results = heard.json["results"]
    assert [each["verdict"] for each in results] == [
        *("recorded", "invalid", "invalid", "recorded", "invalid", "invalid", "recorded")
    ]
    assert [each["problem"]["status"] for each in results if "problem" in each] == [400, 400, 400, 413]


@pytest.mark.parametrize(
    ("raw", "headers", "status", "slug"),
    [
        (b"", {}, 400, "not-understood"),
        (b"[", {}, 400, "not-understood"),
        (b"[{}", {}, 400, "not-understood"),
        (b"[{},]", {}, 400, "not-understood"),
        (b"[{} {}]", {}, 400, "not-understood"),
        (b"[1 2]", {}, 400, "not-understood"),
        (b"[{}]x", {}, 400, "not-understood"),
        (b"[]]", {}, 400, "not-understood"),
        (b'["\xff"]', {}, 400, "not-understood"),
        (b'["\xe2\x82', {}, 400, "not-understood"),
        (b"[" * 100_000, {}, 400, "not-understood"),
        (b'[{"a":NaN,"b":' + b"[" * 100_000, {}, 400, "not-understood"),
        (b"{}", {}, 422, "invalid"),
        (b"null", {}, 422, "invalid"),
        (b'["' + b"x" * (20 * 2**20) + b'"]', {}, 413, "too-large"),
        (b"[]", {"Content_Type": "text/plain"}, 415, "unsupported-media-type"),
        (b"[]", {"Content_Type": "application/json; charset=latin-1"}, 415, "unsupported-media-type"),
        (b"[]", {"Content_Encoding": "br"}, 415, "unsupported-media-type"),
        (b"[]", {"Content_Encoding": "gzip"}, 400, "not-understood"),
        (b"", {"Content_Encoding": "gzip"}, 400, "not-understood"),
        (gzip.compress(b"[]" + b" " * 1000)[:-4], {"Content_Encoding": "gzip"}, 400, "not-understood"),
        (gzip.compress(b"[]") + b"x", {"Content_Encoding": "gzip"}, 400, "not-understood"),
        (gzip.compress(b"") * 1001, {"Content_Encoding": "gzip"}, 400, "not-understood"),
        (b"[]", {"Tollkeeper_User": "a@example.com"}, 400, "not-understood"),
    ],
)
async def test_what_cannot_be_read_at_all_is_refused_whole(
    service: Site, raw: bytes, headers: dict[str, str], status: int, slug: str
) -> None:
    before = await service.rows()
    heard = await send(service, raw=raw, **headers)
    assert heard.is_problem(status, slug), heard.body
    assert await service.rows() == before


async def test_no_more_is_unpacked_than_is_read(service: Site) -> None:
    bomb = gzip.compress(b" " * (65 * 2**20))
    assert len(bomb) < 2**17
    for kind in ("application/json", "application/x-ndjson"):
        heard = await send(service, raw=bomb, Content_Encoding="gzip", Content_Type=kind)
        assert heard.is_problem(413, "too-large")
        assert heard.json["limit"] == 64 * 2**20
    fits = gzip.compress(b" " * (64 * 2**20 - 2) + b"[]")
    assert (await send(service, raw=fits, Content_Encoding="gzip")).json["results"] == []


async def test_there_are_at_most_ten_thousand_items(service: Site) -> None:
    for raw, kind in (
        (b"[" + b"0," * 10_000 + b"0]", "application/json"),
        (b"0\n" * 10_001, "application/x-ndjson"),
    ):
        assert (await send(service, raw=raw, Content_Type=kind)).is_problem(413, "too-large")
    heard = await send(service, raw=b"0\n" * 10_000, Content_Type="application/jsonl")
    assert (heard.status, heard.json["invalid"], len(heard.json["results"])) == (200, 10_000, 10_000)


async def test_an_empty_batch_is_one(service: Site) -> None:
    assert (await send(service, raw=b" [ ] ")).json["results"] == []
    assert (await send(service, raw=b"", Content_Type="application/x-ndjson")).json["results"] == []


@pytest.mark.parametrize(
    ("says", "seen"),
    [
        ({"startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:02.5Z"}, ("00.0", "02.5", 2500)),
        ({"startedAt": "2026-01-01T00:00:00Z", "duration": 1500.5}, ("00.0", "01.501", 1501)),
        ({"startedAt": "2026-01-01T01:00:00+01:00"}, ("00.0", "00.0", None)),
        ({"completedAt": "2026-01-01T00:00:02.5Z", "duration": 500}, ("02.0", "02.5", 500)),
        ({"completedAt": "2026-01-01T00:00:02.5Z"}, ("02.5", "02.5", None)),
        (
            {"startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:09Z", "duration": 7},
            ("00.0", "09.0", 7),
        ),
    ],
)
async def test_times_follow_from_each_other(
    service: Site, alice: Person, says: Any, seen: tuple[str, str, Any]
) -> None:
    bare = {"user": alice.email, "prompt": "x", "status": "completed"}
    (one,) = await told(service, [bare | says])
    found = (await service.call("GET", f"/api/chat/requests/{one['id']}", by=alice.by_key)).json["request"]
    *times, duration = seen
    expected = [f"2026-01-01T00:00:{second:0<9}Z" for second in times]
    assert [found["startedAt"], found["completedAt"], found["duration"]] == [*expected, duration]


async def test_what_has_no_time_ended_now(service: Site, alice: Person) -> None:
    bare = {"user": alice.email, "prompt": "x", "status": "failed", "duration": 60_000}
    (one,) = await told(service, [bare])
    found = (await service.call("GET", f"/api/chat/requests/{one['id']}", by=alice.by_key)).json["request"]
    took = datetime.fromisoformat(found["completedAt"]) - datetime.fromisoformat(found["startedAt"])
    assert (took, found["status"]) == (timedelta(minutes=1), "failed")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found["completedAt"])) < timedelta(seconds=30)


@pytest.mark.parametrize("told_as", ["startedAt", "completedAt", "duration"])
async def test_a_clock_that_is_a_minute_ahead_loses_nothing_and_one_further_ahead_is_refused(
    service: Site, alice: Person, told_as: str
) -> None:
    bare = {"user": alice.email, "prompt": "x", "status": "completed"}
    began = datetime.now(UTC) - timedelta(hours=2)

    def ends(ahead: float) -> dict[str, Any]:
        end = datetime.now(UTC) + timedelta(seconds=ahead)
        if told_as == "duration":
            return bare | {"startedAt": began.isoformat(), "duration": (end - began) // timedelta(milliseconds=1)}
        return bare | {told_as: end.isoformat()}

    near, far = await told(service, [ends(50), ends(70)])
    assert (far["verdict"], [each["field"] for each in far["problem"]["errors"]]) == ("invalid", [told_as])
    found = (await service.call("GET", f"/api/chat/requests/{near['id']}", by=alice.by_key)).json["request"]
    assert near["verdict"] == "recorded"
    assert datetime.fromisoformat(found["completedAt"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({"startedAt": "2999-01-01T00:00:00Z", "completedAt": None}, {"startedAt"}),
        ({"completedAt": "2999-01-01T00:00:00Z"}, {"completedAt"}),
        ({"startedAt": "1969-12-31T23:59:59Z"}, {"startedAt"}),
        ({"startedAt": "0001-01-01T00:00:00+23:59"}, {"startedAt"}),
        ({"completedAt": "9999-12-31T23:59:59-23:59"}, {"completedAt"}),
        ({"startedAt": "2026-01-02T00:00:00Z", "completedAt": "2026-01-01T00:00:00Z"}, {"completedAt"}),
        ({"startedAt": "2026-01-02T00:00:00"}, {"startedAt"}),
        ({"startedAt": "yesterday", "completedAt": 5}, {"startedAt", "completedAt"}),
        ({"completedAt": "1970-01-02T00:00:00Z", "duration": 10**12}, {"duration"}),
        ({"status": "pending"}, {"status"}),
        ({"userRating": 6}, {"userRating"}),
        ({"tokensUsed": 1}, {"tokensUsed"}),
        ({"cost": -1}, {"cost"}),
        ({"response": "é" * (2**19 + 1)}, {"response"}),
    ],
)
async def test_times_and_ends_that_cannot_be_are_refused(service: Site, says: Any, faulty: set[str]) -> None:
    user = someone()
    (one,) = await told(service, [ended(user) | says])
    assert (one["verdict"], {each["field"] for each in one["problem"]["errors"]}) == ("invalid", faulty)
    assert await users.of_email(service.application.backend.database, user) is None


@pytest.mark.parametrize(
    "durations",
    [
        *(["0.5"], ["1.5"], ["2.5"], ["12.5"], ["1e3"], ["0.49999999999999999999999999999999999"], ["999999999999.5"]),
        [f"{random.randrange(10**12)}.{random.getrandbits(100)}" for _ in range(500)],
    ],
    ids=lambda durations: durations[0] if len(durations) == 1 else "random",
)
def test_a_duration_is_rounded_alone_as_in_a_batch(durations: list[str]) -> None:
    user, now = UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)
    for duration in map(Decimal, durations):
        finish = FinishTracking(request_id="r", status="completed", duration=duration)
        item = BatchItem(user="u@example.com", prompt="x", status="completed", started_at=EPOCH, duration=duration)
        _, outcome = item.as_entry(user, now=now, ip_address=None, user_agent=None)
        assert outcome
        nearest = math.floor(Fraction(duration) + Fraction(1, 2))
        assert finish.as_outcome(user, at=now, trusted=True).duration_ms == outcome.duration_ms == nearest
