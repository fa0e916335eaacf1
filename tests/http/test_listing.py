"""The list of requests: searched, filtered, and written out as a file."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import pytest

from tollkeeper.metering.tracking import searching
from tollkeeper.store.database import Database

from .conftest import Person, Site
from .test_reads import REQUEST_FIELDS

LIST = "/api/chat/requests"
EXPORT = "/api/account/export"
HOSTILE = (
    "=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20A1",
    'a "quoted" one', "two\r\nlines", "a,b;c",
    "Größe 日本 \U0001f600", "  =not at the beginning", "'=1", "",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def found(service: Site, person: Person, query: str) -> list[str]:
    heard = await service.call("GET", f"{LIST}?{query}", by=person.by_key)
    assert heard.status == 200, heard.body
    assert list(heard.json) == ["success", "items", "nextCursor", "searchedTo", "matches"]
    return [each["prompt"] for each in heard.json["items"]]


async def test_each_parameter_finds_what_it_names(service: Site, alice: Person, bob: Person) -> None:
    await service.start(bob, prompt="bobs", model="gpt-4o", category="nft")
    told = await service.start(
        alice,
        prompt="First",
        model="gpt-4o",
        category="nft",
        requestType="analysis",
        complexity="high",
        sessionId="s 1",
    )
    await service.finish(
        alice, told["id"], tokensUsed=5, cost=2.5, duration=100, userRating=4, response="An ANSWER of 100%"
    )
    middle = (await service.call("GET", LIST, by=alice.by_key)).json["items"][0]["startedAt"]
    told = await service.start(alice, prompt="second")
    await service.finish(alice, told["id"], status="failed", duration=7000)
    await service.start(alice, prompt="third")
    for query, prompts in {
        "q=answer": ["First"],
        "q=FIRST": ["First"],
        "q=100%25": ["First"],
        "q=%25": ["First"],
        "q=_": [],
        "q=bobs": [],
        "model=gpt-4o": ["First"],
        "model=unknown": ["third", "second"],
        "category=nft": ["First"],
        "category=uncategorized": ["third", "second"],
        "requestType=analysis": ["First"],
        "complexity=high": ["First"],
        "status=pending": ["third"],
        "status=failed": ["second"],
        "status=completed&rating=4": ["First"],
        "rating=any": ["First"],
        "rating=none": ["third", "second"],
        "rating=5": [],
        "sessionId=s%201": ["First"],
        "sessionId=s": [],
        "minCost=2.5&maxCost=2.5": ["First"],
        "minCost=2.500000001": ["First"],
        "minCost=2.51": [],
        "minDuration=101": ["second"],
        "maxDuration=100": ["First"],
        f"to={middle}": [],
        f"from={middle}": ["third", "second", "First"],
        "from=2025-01-01&to=2025-02-01": [],
        "from=2025-01-01&limit=2": ["third", "second"],
        "q=r&status=failed&minDuration=1": [],
        "q=sec&status=failed&minDuration=1": ["second"],
    }.items():
        assert await found(service, alice, query) == prompts, query


async def test_pages_of_a_search_hold_together(service: Site, alice: Person) -> None:
    for n in range(7):
        await service.start(alice, prompt=f"{'odd' if n % 2 else 'even'} {n}")
    cursor = ""
    prompts: list[str] = []
    while cursor is not None:
        told = (await service.call("GET", f"{LIST}?q=EVEN&limit=2{cursor}", by=alice.by_key)).json
        prompts += [each["prompt"] for each in told["items"]]
        cursor = told["nextCursor"] and f"&cursor={told['nextCursor']}"
    assert prompts == ["even 6", "even 4", "even 2", "even 0"]


async def test_a_search_says_where_each_request_has_the_text(service: Site, alice: Person) -> None:
    told = await service.start(alice, prompt="An <b>ANSWER</b>")
    other = await service.start(alice, prompt="Question")
    await service.finish(alice, other["id"], response="The answer.")
    heard = await service.call("GET", f"{LIST}?q=answer", by=alice.by_key)
    assert heard.json["matches"] == {
        told["id"]: {"in": "prompt", "before": "An <b>", "found": "ANSWER", "after": "</b>"},
        other["id"]: {"in": "response", "before": "The ", "found": "answer", "after": "."},
    }
    for query in ("", "?status=completed"):
        assert (await service.call("GET", LIST + query, by=alice.by_key)).json["matches"] == {}


ORDERS = {
    "order=desc": ["third", "second", "first"],
    "order=asc": ["first", "second", "third"],
    "sort=cost": ["second", "first", "third"],
    "sort=cost&order=asc": ["first", "second", "third"],
    "sort=tokensUsed": ["first", "second", "third"],
    "sort=duration": ["second", "first", "third"],
}


async def three_requests(service: Site, person: Person) -> None:
    for prompt, told in (
        ("first", {"cost": 1, "tokensUsed": 90, "duration": 100}),
        ("second", {"cost": 20, "tokensUsed": 8, "duration": 3000}),
    ):
        begun = await service.start(person, prompt=prompt)
        await service.finish(person, begun["id"], **told)
    await service.start(person, prompt="third")


@pytest.mark.parametrize("narrowed", ["", "&q=R", "&from=2025-01-01"])
@pytest.mark.parametrize("order", ORDERS)
async def test_requests_come_in_the_order_that_is_asked_for(
    service: Site, alice: Person, order: str, narrowed: str
) -> None:
    await three_requests(service, alice)
    expected = [each for each in ORDERS[order] if narrowed != "&q=R" or "r" in each]
    cursor, prompts = "", list[str]()
    while cursor is not None:
        told = (await service.call("GET", f"{LIST}?{order}{narrowed}&limit=1{cursor}", by=alice.by_key)).json
        prompts += [each["prompt"] for each in told["items"]]
        cursor = told["nextCursor"] and f"&cursor={told['nextCursor']}"
    assert prompts == expected


async def test_a_cursor_of_another_order_is_refused(service: Site, alice: Person) -> None:
    await three_requests(service, alice)
    for order in ORDERS:
        told = (await service.call("GET", f"{LIST}?{order}&limit=1", by=alice.by_key)).json
        for other in ORDERS:
            heard = await service.call("GET", f"{LIST}?{other}&cursor={told['nextCursor']}", by=alice.by_key)
            assert heard.status == (200 if other == order else 422), (order, other)
            assert other == order or heard.faulty == {"cursor"}


async def test_a_file_begins_with_the_oldest_where_that_is_asked_for(service: Site, alice: Person) -> None:
    await three_requests(service, alice)
    heard = await service.call("GET", f"{LIST}?format=jsonl&order=asc", by=alice.by_key)
    assert [msgspec.json.decode(line)["prompt"] for line in heard.body.splitlines()] == ["first", "second", "third"]


async def test_a_ranking_of_some_says_since_when(service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_requests(service, alice)
    monkeypatch.setattr(searching, "MOST_WALKED", 1)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 2)
    everything = (await service.call("GET", LIST, by=alice.by_key)).json["items"]
    told = (await service.call("GET", f"{LIST}?sort=tokensUsed&limit=1", by=alice.by_key)).json
    assert ([each["prompt"] for each in told["items"]], told["searchedTo"]) == (["second"], everything[1]["startedAt"])
    told = (
        await service.call("GET", f"{LIST}?sort=tokensUsed&limit=1&cursor={told['nextCursor']}", by=alice.by_key)
    ).json
    assert [each["prompt"] for each in told["items"]] == ["third"]
    assert (told["searchedTo"], told["nextCursor"]) == (everything[1]["startedAt"], None)


async def test_a_search_that_was_cut_says_how_far_it_came(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        await service.start(alice, prompt=f"{n}")
    monkeypatch.setattr(searching, "MOST_WALKED", 1)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 2)
    everything = (await service.call("GET", LIST, by=alice.by_key)).json["items"]
    told = (await service.call("GET", f"{LIST}?q=0&limit=1", by=alice.by_key)).json
    assert (told["items"], told["searchedTo"]) == ([], everything[1]["startedAt"])
    told = (await service.call("GET", f"{LIST}?q=0&limit=1&cursor={told['nextCursor']}", by=alice.by_key)).json
    assert [each["prompt"] for each in told["items"]] == ["0"]


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ("q=", {"q"}),
        ("q=" + "x" * 201, {"q"}),
        ("q=a%00b", {"q"}),
        ("model=", {"model"}),
        ("complexity=extreme", {"complexity"}),
        ("status=done", {"status"}),
        ("rating=0", {"rating"}),
        ("rating=6", {"rating"}),
        ("rating=", {"rating"}),
        ("from=soon", {"from"}),
        ("from=2026-05-13&to=2026-05-12T23:59:59Z", {"to"}),
        ("minCost=2&maxCost=1.5&minDuration=2&maxDuration=1", {"maxCost", "maxDuration"}),
        ("minCost=x&maxCost=1", {"minCost"}),
        ("to=2026-02-30", {"to"}),
        ("from=2026-05-01T00:00:00", {"from"}),
        ("minCost=-1", {"minCost"}),
        ("minCost=1e3", {"minCost"}),
        ("minCost=NaN", {"minCost"}),
        ("maxCost=1000000001", {"maxCost"}),
        ("maxCost=0.0000000001", {"maxCost"}),
        ("minDuration=-1", {"minDuration"}),
        ("maxDuration=1.5", {"maxDuration"}),
        ("maxDuration=1000000000001", {"maxDuration"}),
        ("format=xml", {"format"}),
        ("format=csv&cursor=IjEi", {"cursor"}),
        ("format=csv&limit=5", {"limit"}),
        ("format=jsonl&limit=50", {"limit"}),
        ("format=csv&from=x&rating=9", {"from", "rating"}),
        ("order=up", {"order"}),
        ("sort=prompt", {"sort"}),
        ("sort=cost&format=csv", {"sort"}),
        ("order=asc&cursor=IjEi", {"cursor"}),
        ("sort=cost&cursor=IjEi", {"cursor"}),
    ],
)
async def test_what_cannot_be_asked_is_422_and_named(
    service: Site, alice: Person, query: str, faulty: set[str]
) -> None:
    heard = await service.call("GET", f"{LIST}?{query}", by=alice.by_key)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty


@pytest.mark.parametrize(("name", "at"), [("to", "9999-12-31T23:59:59-14:00"), ("from", "0001-01-01T00:00:00%2B14:00")])
async def test_an_instant_that_utc_has_no_year_for_is_told_so(service: Site, alice: Person, name: str, at: str) -> None:
    heard = await service.call("GET", f"{LIST}?{name}={at}", by=alice.by_key)
    assert heard.json["errors"] == [{"field": name, "message": "must lie in a year that UTC can name, 1 to 9999"}]


async def test_instants_at_the_ends_of_time_find_what_there_is(service: Site, alice: Person) -> None:
    await service.start(alice, prompt="here")
    for query, prompts in {
        "from=0001-01-01": ["here"],
        "to=0001-01-01": [],
        "from=9999-12-31T23:59:59Z": [],
        "to=9999-12-31T23:59:59.999999Z": ["here"],
    }.items():
        assert await found(service, alice, query) == prompts, query


async def test_a_csv_has_the_fields_of_the_list_and_no_formulas(service: Site, alice: Person) -> None:
    for prompt in HOSTILE:
        told = await service.start(alice, prompt=prompt, model=prompt[:200].strip() or None)
        await service.finish(alice, told["id"], tokensUsed=5, cost=0.0000001, response=prompt)
    await service.start(alice, prompt="pending")
    heard = await service.call("GET", f"{LIST}?format=csv", by=alice.by_key)
    assert heard.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert heard.headers["Content-Disposition"] == 'attachment; filename="tollkeeper-requests.csv"'
    rows = list(csv.reader(io.StringIO(heard.body.decode(), newline="")))
    assert rows[0] == REQUEST_FIELDS
    listed = (await service.call("GET", LIST, by=alice.by_key)).json["items"]
    assert len(rows) - 1 == len(listed) == len(HOSTILE) + 1
    for row, item in zip(rows[1:], listed, strict=True):
        for name, cell in zip(REQUEST_FIELDS, row, strict=True):
            assert not cell.startswith(FORMULA)
            value = item[name]
            if isinstance(value, str):
                assert cell == (f"'{value}" if value.startswith(FORMULA) else value)
            elif isinstance(value, bool | None):
                assert cell == ("" if value is None else str(value).lower())
            else:
                assert Decimal(cell) == Decimal(str(value))


async def test_lines_of_json_are_the_items_of_the_list(service: Site, alice: Person) -> None:
    for n in range(130):
        await service.start(alice, prompt=f"{n}", category="even" if n % 2 == 0 else None)
    heard = await service.call("GET", f"{LIST}?format=jsonl&category=even", by=alice.by_key)
    assert heard.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert heard.headers["Content-Disposition"] == 'attachment; filename="tollkeeper-requests.jsonl"'
    lines = [msgspec.json.decode(line) for line in heard.body.splitlines()]
    listed = (await service.call("GET", f"{LIST}?category=even&limit=200", by=alice.by_key)).json["items"]
    assert lines == listed
    assert len(lines) == 65


async def test_where_nothing_fits_a_file_is_empty(service: Site, alice: Person) -> None:
    heard = await service.call("GET", f"{LIST}?format=csv&q=nothing", by=alice.by_key)
    assert heard.body.decode() == ",".join(REQUEST_FIELDS) + "\r\n"
    assert (await service.call("GET", f"{LIST}?format=jsonl&q=nothing", by=alice.by_key)).body == b""


async def test_a_large_file_comes_while_it_is_read_and_tracking_goes_on(service: Site, alice: Person) -> None:
    for _ in range(24):
        await service.start(alice, prompt="x" * 2**20)
    async with service.client.get(f"{service.url}{LIST}?format=jsonl", headers=alice.by_key) as answer:
        assert answer.status == 200
        assert "Content-Length" not in answer.headers
        first = await answer.content.readany()
        assert first
        # Nobody reads for a while; others are served.
        await service.start(alice, prompt="meanwhile")
        whole = first + await answer.content.read()
    prompts = [msgspec.json.decode(line)["prompt"] for line in whole.splitlines()]
    assert prompts == ["x" * 2**20] * 24


async def test_who_goes_away_ends_the_writing(service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(30):
        await service.start(alice, prompt="x" * 2**20)
    monkeypatch.setattr(searching, "_HELD", 2)
    steps: list[Any] = []
    real = searching.step

    async def counted(*args: Any, **kwargs: Any) -> Any:
        steps.append(args)
        return await real(*args, **kwargs)

    monkeypatch.setattr(searching, "step", counted)
    async with aiohttp.ClientSession() as client:
        answer = await client.get(f"{service.url}{LIST}?format=csv", headers=alice.by_key)
        await answer.content.readany()
        answer.close()
    await asyncio.sleep(0.5)
    written = len(steps)
    await asyncio.sleep(0.5)
    assert len(steps) == written < 15


@pytest.mark.parametrize(
    "path",
    [f"{LIST}?format=csv&q=x", "/api/account/activity?format=jsonl", "/api/admin/activity?format=csv", EXPORT],
)
async def test_only_the_head_of_a_file_is_told_without_reading_it(
    service: Site, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    person = await service.operator()
    whole = await service.call("GET", path, by=person.by_cookie)
    asked: list[str] = []
    run = Database._run

    async def noted(self: Database, name: str, *args: Any) -> Any:
        if self is service.application.backend.turns._database:
            asked.append(name)
        return await run(self, name, *args)

    monkeypatch.setattr(Database, "_run", noted)
    head = await service.call("HEAD", path, by=person.by_cookie)
    assert (head.status, head.body, asked) == (200, b"", [])
    first, second = ({name.lower(): value for name, value in each.headers.items()} for each in (whole, head))
    changing = {"date", "x-trace-id", "transfer-encoding"}
    assert {name: second.get(name) for name in first if name not in changing} == {
        name: value for name, value in first.items() if name not in changing
    }
    exports = "SELECT count(*) FROM activity WHERE user_id = $1 AND action = 'account.exported'"
    assert await service.owner.fetchval(exports, person.id) == (path == EXPORT)


async def test_nobody_downloads_what_is_anothers(service: Site, alice: Person, bob: Person) -> None:
    await service.start(alice, prompt="hers")
    for form in ("csv", "jsonl"):
        heard = await service.call("GET", f"{LIST}?format={form}", by=bob.by_cookie)
        assert (heard.status, b"hers" in heard.body) == (200, False)
