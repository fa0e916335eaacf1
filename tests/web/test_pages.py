"""What the served pages look like and say, and whom they ask."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, StorageState

from tests.web.visitors import Served, Visitor, visiting
from tollkeeper.http.pages import kinds

_NONE = "\N{EN DASH}"
_TINY = {"tokensInput": 40, "tokensOutput": 20, "duration": 900}
_LARGE = {"tokensInput": 900_000, "tokensOutput": 250_000, "duration": 12_400, "userRating": 4}


@pytest.fixture(scope="module")
async def email(served: Served) -> str:
    """Someone with every kind of request."""
    email = await served.user("pro")

    async def track(request: str, model: str | None, prompt: str, **says: Any) -> None:
        start = {"prompt": prompt, "requestId": request, "sessionId": "talk", "category": "test"}
        await served.call("POST", "/api/chat/track", user=email, says=start | ({"model": model} if model else {}))
        if says:
            await served.call("PUT", "/api/chat/track", user=email, says={"requestId": request} | says)

    await track("tiny", "gpt-4.1-nano", "What is the weather in Paris?", status="completed", **_TINY)
    await track("large", "gpt-4o", "Read these books " * 11, status="completed", **_LARGE)
    await track("unpriced", "of-our-own", "x" * 190, status="completed", tokensInput=10, tokensOutput=5)
    await track("failed", "gpt-4o", "Will fail", status="failed", errorMessage="the provider timed out")
    await track("pending", None, "Still running")
    return email


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served, email: str) -> StorageState:
    """What their browser keeps."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        return await visitor.context.storage_state()


async def _look_at(visitor: Visitor, path: str) -> None:
    """Open a page; nothing in it lies out of reach on the right."""
    assert await visitor.go(path) == 200
    if path == "/" and await visitor.context.cookies():
        await visitor.at_dashboard()
    wide, shown = await visitor.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= shown, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_every_page_fits_and_asks_nobody_else_and_has_nothing_to_complain_of(
    chromium: Browser, served: Served, signed_in: StorageState, scheme: Literal["light", "dark"], width: int
) -> None:
    async with visiting(chromium, served, width=width, scheme=scheme) as visitor:
        for path in ("/", f"/sign-in/{'a' * 43}", "/docs", "/problems/limit-reached", "/problems/not-found"):
            await _look_at(visitor, path)
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
    async with visiting(chromium, served, width=width, scheme=scheme, signed_in=signed_in) as visitor:
        await _look_at(visitor, "/")
        paper = await visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", paper))) < 60) == (scheme == "dark")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_every_problem_has_its_page(visitor: Visitor) -> None:
    for slug, kind in kinds().items():
        assert await visitor.go(f"/problems/{slug}") == 200
        assert await visitor.page.inner_text("h1") == kind.title
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _texts(visitor: Visitor, selector: str) -> list[str]:
    return [text.strip() for text in await visitor.page.locator(selector).all_inner_texts()]


def _read(text: str) -> float:
    """Read a number as it is shown: "1,234", "$0.18", "12.4 s" and so on."""
    found = re.search(r"\d[\d,]*\.?\d*", text)
    assert found, text
    return float(found[0].replace(",", ""))


async def test_the_numbers_shown_are_those_of_the_dashboard(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await _look_at(visitor, "/")
        told = await visitor.fetch("/api/user/dashboard")
        metrics, performance, limits = told["metrics"], told["performance"], told["limits"]

        pairs = [text.split("\n") for text in await _texts(visitor, "#numbers > div")]
        shown = {label.split()[0]: _read(value) for label, value, *_ in pairs}
        assert shown["Requests"] == metrics["totalRequests"] == 5
        assert shown["Tokens"] == metrics["totalTokensUsed"] == 1_150_075
        assert shown["Cost"] == pytest.approx(metrics["totalCost"] / 100, abs=0.0001)
        assert shown["Mean"] == metrics["averageResponseTime"]
        assert shown["Success"] == pytest.approx(performance["successRate"] * 100, abs=0.1)
        assert shown["Rating"] == performance["averageRating"] == 4

        used = [[_read(part) for part in text.split(" of ")] for text in await _texts(visitor, "#limits output")]
        assert used == [
            [limits["dailyUsed"], limits["dailyLimit"]],
            [limits["monthlyUsed"], limits["monthlyLimit"]],
        ]
        meters = await visitor.page.locator("#limits meter").evaluate_all("all => all.map((m) => [m.value, m.max])")
        # One of the five failed and was given back, for a service said so.
        assert meters == used == [[4, 50], [4, 1000]]


async def test_the_days_and_the_newest_requests_shown_are_those_of_the_dashboard(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await _look_at(visitor, "/")
        told = await visitor.fetch("/api/user/dashboard")
        days = await visitor.page.locator("#days rect title").all_text_contents()
        assert days == [f"{day['date']}: {day['requests']}" for day in told["series"]]
        assert len(days) == 30

        recent = told["recentRequests"]
        rows = [await row.locator("td").all_inner_texts() for row in await visitor.page.locator("#newest tr").all()]
        assert [row[1].strip() for row in rows] == [each["prompt"].strip() for each in recent]
        assert [row[2] for row in rows] == [each["model"] or _NONE for each in recent]
        assert [row[3] for row in rows] == [each["status"] for each in recent]
        assert [row[4] for row in rows] == [
            _NONE if each["tokensUsed"] is None else f"{each['tokensUsed']:,}" for each in recent
        ]
        assert [row[5] == _NONE for row in rows] == [each["cost"] is None for each in recent]


async def test_what_costs_little_does_not_look_free(chromium: Browser, served: Served, signed_in: StorageState) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await _look_at(visitor, "/")
        (tiny,) = await visitor.page.locator("#newest tr", has_text="weather in Paris").all()
        told = (await visitor.fetch("/api/user/dashboard"))["recentRequests"]
        cost = next(each["cost"] for each in told if each["requestId"] == "tiny")
        assert _read(await tiny.locator("td").last.inner_text()) == pytest.approx(cost / 100, rel=0.05)
        assert "1 without a price" in await visitor.page.inner_text("#numbers")


async def test_the_days_have_a_scale(chromium: Browser, served: Served, signed_in: StorageState) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await _look_at(visitor, "/")
        series = (await visitor.fetch("/api/user/dashboard"))["series"]
        ends = [datetime.fromisoformat(series[place]["date"]) for place in (0, -1)]
        assert await _texts(visitor, ".axis") == ["5 a day", "\n".join(f"{day:%b} {day.day}" for day in ends)]


async def test_the_page_follows_what_happens(chromium: Browser, served: Served) -> None:
    email = await served.newcomer()
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        await visitor.page.clock.install()
        await visitor.page.reload()
        await visitor.at_dashboard()
        assert await visitor.page.get_by_text("None yet").is_visible()

        for number in range(10):
            await served.call("POST", "/api/chat/track", user=email, says={"prompt": f"Number {number}"})
        await visitor.page.clock.fast_forward(15_000)
        await visitor.page.get_by_text("Number 9").wait_for()
        assert await visitor.page.get_by_text("Today's requests are used up").is_visible()
        assert not await visitor.page.get_by_text("None yet").is_visible()


async def test_a_page_that_cannot_reach_the_service_says_so_until_it_can(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.page.clock.install()
        await _look_at(visitor, "/")
        await visitor.context.set_offline(offline=True)
        await visitor.page.clock.fast_forward(15_000)
        lost = visitor.page.get_by_text("cannot be reached")
        await lost.wait_for()
        await visitor.context.set_offline(offline=False)
        await asyncio.sleep(0.1)
        await visitor.page.clock.fast_forward(15_000)
        await lost.wait_for(state="hidden")
