"""Every filter of the list of requests: set by hand, kept in the address, undone by Back; and downloads."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.visitors import Served, Visitor, visiting

_ROWS = 40
_BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=_ROWS + 1)
_MODELS = ("gpt-4o", "gpt-4o-mini", "of-our-own", None)
_CATEGORIES = ("code", "mail", None)
_COMPLEXITIES = ("low", "medium", "high", None)


def _said(number: int) -> dict[str, Any]:
    """One of a request a day, of which no two are alike; some things are told of a part of them only."""
    at = _BEGAN + timedelta(days=number)
    told = {
        "prompt": f"Number {number}", "response": f"{'Ein Apfel' if number % 3 else 'Eine Birne'} {number}",
        "status": "failed" if number % 5 == 4 else "completed", "requestType": ("chat", "analysis")[number % 2],
        "model": _MODELS[number % 4], "category": _CATEGORIES[number % 3], "complexity": _COMPLEXITIES[number // 4 % 4],
        "sessionId": f"talk {number // 8}" if number < 32 else None, "startedAt": at.isoformat(),
        "duration": 100 * number if number % 4 else None, "userRating": number % 6 or None,
        "tokensInput": 1_000 * number, "tokensOutput": 500,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


@pytest.fixture(scope="module")
async def email(served: Served) -> str:
    """Someone with all kinds of requests, the newest of them pending."""
    email = await served.user("enterprise")
    await served.record([{"user": email, **_said(number)} for number in range(_ROWS)])
    await served.call("POST", "/api/chat/track", user=email, says={"prompt": "Still running", "category": "mail"})
    return email


@pytest.fixture(scope="module")
async def reader(chromium: Browser, served: Served, email: str) -> AsyncGenerator[Visitor]:
    """Their browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter by its name in the address: a value, how it is set by hand, and which requests it lets through."""

    name: str
    value: str
    set: Callable[[Page], Awaitable[None]]
    fits: Callable[[Any], bool]


def _chosen(label: str, option: str) -> Callable[[Page], Awaitable[None]]:
    async def choose(page: Page) -> None:
        await page.get_by_role("combobox", name=label).click()
        await page.get_by_role("option", name=option, exact=True).click()

    return choose


def _typed(label: str, text: str) -> Callable[[Page], Awaitable[None]]:
    async def type_in(page: Page) -> None:
        field = page.get_by_label(label, exact=True).first
        await field.fill(text)
        await field.press("Enter")

    return type_in


def _on(number: int) -> str:
    return f"{_BEGAN + timedelta(days=number):%Y-%m-%d}"


def _is(name: str, value: object) -> Callable[[Any], bool]:
    return lambda each: each[name] == value


def _lies(name: str, least: float = 0, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda each: each[name] is not None and least <= each[name] <= most


_SEARCH = "Search in prompts and responses"
FILTERS = [
    Filter("q", "birne 1", _typed(_SEARCH, "birne 1"), lambda each: "Birne 1" in (each["response"] or "")),
    Filter("status", "failed", _chosen("Status", "Failed"), _is("status", "failed")),
    Filter("status", "pending", _chosen("Status", "Pending"), _is("status", "pending")),
    Filter("model", "gpt-4o", _typed("Model", "gpt-4o"), _is("model", "gpt-4o")),
    Filter("model", "of-our-own", _chosen("Model", "of-our-own"), _is("model", "of-our-own")),
    Filter("category", "mail", _chosen("Category", "mail"), _is("category", "mail")),
    Filter("requestType", "analysis", _chosen("Type", "analysis"), _is("requestType", "analysis")),
    Filter("complexity", "high", _chosen("Complexity", "high"), _is("complexity", "high")),
    Filter("rating", "4", _chosen("Rating", "4 of 5"), _is("userRating", 4)),
    Filter("rating", "any", _chosen("Rating", "Rated"), _lies("userRating")),
    Filter("rating", "none", _chosen("Rating", "Not rated"), _is("userRating", None)),
    Filter("sessionId", "talk 2", _typed("Session", "talk 2"), _is("sessionId", "talk 2")),
    Filter("from", _on(30), _typed("Started, from", _on(30)), lambda each: each["startedAt"] >= _on(30)),
    # The day that is typed is the last one.
    Filter("to", _on(30), _typed("Started, to", _on(29)), lambda each: each["startedAt"] < _on(30)),
    Filter("minCost", "3.5", _typed("Cost, from", "0.035"), _lies("cost", least=3.5)),
    Filter("maxCost", "3.5", _typed("Cost, up to", "0.035"), _lies("cost", most=3.5)),
    Filter("minDuration", "2100", _typed("Time, from", "2.1"), _lies("duration", least=2100)),
    Filter("maxDuration", "2100", _typed("Time, up to", "2.1"), _lies("duration", most=2100)),
]


async def _all(reader: Visitor, **asked: str) -> list[Any]:
    told = await reader.fetch(f"/api/chat/requests?{urlencode({'limit': 200, **asked})}")
    assert told["nextCursor"] is None
    return told["items"]


async def _lists(reader: Visitor, requests: list[Any]) -> None:
    """Wait until these are listed, in this order, and nothing else."""
    links = reader.page.locator("main tbody a")
    if requests:
        await expect(links).to_have_text([each["prompt"] for each in requests])
    else:
        await expect(links).to_have_count(0)


async def _set(reader: Visitor, one: Filter) -> None:
    """As a person does it; the rarer ones stand behind a button."""
    if one.name in {"from", "to"}:
        await reader.page.get_by_role("button", name="Started").click()
    elif one.name not in {"q", "status", "model", "category"}:
        await reader.page.get_by_role("button", name="More").click()
    await one.set(reader.page)
    await reader.page.wait_for_url(f"**/requests?*{urlencode({one.name: one.value})}*")


@pytest.mark.parametrize("one", FILTERS, ids=lambda one: f"{one.name}={one.value}")
async def test_a_filter_narrows_the_list_stays_in_the_address_and_is_undone_by_back(
    reader: Visitor, one: Filter
) -> None:
    await reader.open("/requests")
    everything = await _all(reader)
    assert len(everything) == _ROWS + 1
    await _lists(reader, everything)
    await _set(reader, one)
    fitting = [each for each in everything if one.fits(each)]
    assert 0 < len(fitting) < len(everything)
    assert await _all(reader, **{one.name: one.value}) == fitting
    await _lists(reader, fitting)

    await reader.page.reload()
    assert reader.page.url == f"{reader.served.url}/requests?{urlencode({one.name: one.value})}"
    await _lists(reader, fitting)
    await reader.page.go_back()
    await reader.page.wait_for_url("**/requests")
    await _lists(reader, everything)


async def test_filters_add_up_and_are_cleared_together(reader: Visitor) -> None:
    await reader.open("/requests?model=gpt-4o&rating=any")
    await _typed(_SEARCH, "apfel 2")(reader.page)
    asked = {"model": "gpt-4o", "rating": "any", "q": "apfel 2"}
    await reader.page.wait_for_url(f"**/requests?{urlencode(asked)}")
    fitting = await _all(reader, **asked)
    assert 0 < len(fitting) < len(await _all(reader, model="gpt-4o", rating="any"))
    await _lists(reader, fitting)
    await reader.page.get_by_role("button", name="Clear 3 filters").click()
    await reader.page.wait_for_url("**/requests")
    await _lists(reader, await _all(reader))
    await reader.page.go_back()
    await _lists(reader, fitting)


async def _downloaded(reader: Visitor, kind: str) -> str:
    await reader.page.get_by_role("button", name="Download").click()
    async with reader.page.expect_download() as coming:
        await reader.page.get_by_role("menuitem", name=kind).click()
    file = await (await coming.value).path()
    return (await asyncio.to_thread(file.read_bytes)).decode()


@pytest.mark.parametrize("asked", [{}, {"model": "gpt-4o", "q": "apfel", "from": _on(10)}], ids=["all", "some"])
async def test_downloads_hold_what_is_listed(reader: Visitor, asked: dict[str, str]) -> None:
    await reader.open(f"/requests?{urlencode(asked)}")
    listed = await _all(reader, **asked)
    assert len(listed) == _ROWS + 1 if not asked else 0 < len(listed) < 10
    for form, kind in (("csv", "CSV"), ("jsonl", "JSON lines")):
        address = f"{reader.served.url}/api/chat/requests?{urlencode({**asked, 'format': form})}"
        file = await _downloaded(reader, kind)
        assert file == await (await reader.context.request.get(address)).text()
        rows: list[Any]
        if form == "jsonl":
            rows = [json.loads(line) for line in file.splitlines()]
            assert rows == listed
        else:
            rows = list(csv.DictReader(StringIO(file)))
            assert [(row["id"], row["prompt"], row["response"]) for row in rows] == [
                (each["id"], each["prompt"], each["response"] or "") for each in listed
            ]


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [("/requests", "Started, from", "Started, to"), ("/settings/activity", "From", "Up to")],
)
async def test_that_the_last_day_is_before_the_first_is_told_and_not_asked_for(
    reader: Visitor, path: str, first: str, last: str
) -> None:
    await reader.open(path)
    if path == "/requests":
        await reader.page.get_by_role("button", name="Started").click()
    await _typed(first, "2026-03-02")(reader.page)
    await reader.page.wait_for_url("**from=*")
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    await _typed(last, "2026-03-01")(reader.page)
    told = reader.page.get_by_role("main").get_by_role("alert")
    await expect(told).to_contain_text(f"{last} must not be before the first day.")
    await expect(reader.page.get_by_label(last, exact=True)).to_have_attribute("aria-invalid", "true")
    assert [url for url in asked if "to=2026" in url and "/api/" in url] == []
    download = reader.page.get_by_role("button", name="Download")
    await expect(download).to_be_disabled()
    await expect(download).to_have_attribute("title", f"{last} must not be before the first day.")
    await told.get_by_role("button", name="Clear this filter").click()
    await expect(reader.page).to_have_url(re.compile(r"\?from=[^&]*$"))
    await expect(told).to_have_count(0)
    await expect(download).to_be_enabled()


async def test_what_the_service_does_not_understand_of_a_search_for_acts_is_told(reader: Visitor) -> None:
    await reader.open("/settings/activity?from=yesterday")
    told = reader.page.get_by_role("main").get_by_role("alert")
    await expect(told.get_by_role("heading", name="This filter cannot be used")).to_be_visible()
    await told.get_by_role("button", name="Clear this filter").click()
    await expect(told).to_have_count(0)
    await expect(reader.page).to_have_url(f"{reader.served.url}/settings/activity")
    assert all("status of 422" in each for each in reader.troubles)
    reader.troubles.clear()
