"""What the served pages look like and say, and whom they ask."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Route, StorageState, expect

from tests.web.visitors import Served, Visitor, visiting
from tollkeeper.http.pages import kinds

_NONE = "\N{EN DASH}"
# How far the page can be scrolled sideways, and what lies beyond its edges. What lies in a part that scrolls by itself,
# or that is cut off there, is in reach or meant.
_BEYOND = """() => {
  const wide = document.documentElement.clientWidth;
  const isHeld = (each) => each !== null && each !== document.body
    && (getComputedStyle(each).overflowX !== "visible" || isHeld(each.parentElement));
  const beyond = [...document.querySelectorAll("body *")].filter((each) => {
    const { left, right, width } = each.getBoundingClientRect();
    return width > 0 && (right > wide + 1 || left < -1) && !isHeld(each.parentElement);
  });
  return [document.documentElement.scrollWidth - wide, beyond.map((each) => each.outerHTML.slice(0, 150))];
}"""
# Tables that can be scrolled sideways in their card, and by how much.
_WIDER = """() => [...document.querySelectorAll("table")]
  .map((each) => each.scrollWidth - each.parentElement.clientWidth).filter((more) => more > 1)"""
_TINY = {"tokensInput": 40, "tokensOutput": 20, "duration": 900}
_LARGE = {"tokensInput": 900_000, "tokensOutput": 250_000, "duration": 12_400, "userRating": 4}


@pytest.fixture(scope="module")
async def email(served: Served) -> str:
    """An operator with every kind of request."""
    email = await served.operator()

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


async def _fits(visitor: Visitor, place: str) -> None:
    """Nothing in the page lies out of reach."""
    assert await visitor.page.evaluate(_BEYOND) == [0, []], place


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
async def test_every_page_fits_and_asks_nobody_else_and_has_nothing_to_complain_of(
    chromium: Browser, served: Served, signed_in: StorageState, scheme: Literal["light", "dark"], width: int
) -> None:
    async with visiting(chromium, served, width=width, scheme=scheme) as visitor:
        for path in ("/", f"/sign-in/{'a' * 43}", "/docs", "/problems/limit-reached", "/problems/not-found"):
            assert await visitor.go(path) == 200
            await _fits(visitor, path)
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
    async with visiting(chromium, served, width=width, scheme=scheme, signed_in=signed_in) as visitor:
        for path in await visitor.everywhere():
            await visitor.open(path)
            await _fits(visitor, path)
            paper = await visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (max(map(int, re.findall(r"\d+", paper))) < 60) == (scheme == "dark")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("width", [1440, 1024, 390])
async def test_what_opens_fits_too(chromium: Browser, served: Served, signed_in: StorageState, width: int) -> None:
    async with visiting(chromium, served, width=width, signed_in=signed_in) as visitor:
        await visitor.page.emulate_media(reduced_motion="reduce")
        for path, opens in (
            ("/requests?open=large", None),
            ("/requests", "Started"),
            ("/requests", "More"),
            ("/requests", "Download"),
            ("/variables", "New variable"),
            ("/variables", ".env"),
            ("/admin/models?open=gpt-4o", None),
            (await visitor.looked_at(), "Switch off"),
            (f"{await visitor.looked_at()}/plan", "Change plan"),
            (f"{await visitor.looked_at()}/plan", "Grant units"),
            (f"{await visitor.looked_at()}/plan", "Override limits"),
            ("/admin/plans", "New plan"),
            ("/admin/plans", "Move users of"),
        ):
            await visitor.open(path)
            if opens is not None:
                await visitor.page.get_by_role("button", name=opens).first.click()
            await visitor.page.locator("[role=dialog], [role=menu], form").first.wait_for()
            await visitor.page.wait_for_timeout(300)
            await _fits(visitor, f"{path} {opens}")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("width", [1440, 390])
async def test_one_long_word_makes_no_list_wider_than_its_card(chromium: Browser, served: Served, width: int) -> None:
    email, word = await served.operator(), "https://example.com/" + "x" * 160
    start = {"prompt": word, "requestId": f"long-{width}", "sessionId": "y" * 190, "model": "z" * 190}
    await served.call("POST", "/api/chat/track", user=email, says=start)
    await served.call("POST", "/api/user/variables", user=email, says={"key": "K" * 128, "value": word * 20})
    async with visiting(chromium, served, width=width) as visitor:
        await visitor.sign_in(email)
        for path in ("/", "/requests", "/sessions", "/variables", "/settings/activity", "/admin/activity"):
            await visitor.open(path)
            await visitor.page.locator("table").first.wait_for()
            assert await visitor.page.evaluate(_WIDER) == [], path
            await _fits(visitor, path)


async def test_every_problem_has_its_page(visitor: Visitor) -> None:
    for slug, kind in kinds().items():
        assert await visitor.go(f"/problems/{slug}") == 200
        assert await visitor.page.inner_text("h1") == kind.title
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


def _read(text: str) -> float:
    """Read a number as it is shown: "1,234", "$0.18", "12.4s" and so on."""
    found = re.search(r"\d[\d,]*\.?\d*", text)
    assert found, text
    return float(found[0].replace(",", ""))


async def test_the_numbers_shown_are_those_of_the_analytics(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.open("/")
        totals = (await visitor.fetch("/api/user/analytics"))["totals"]
        terms = await visitor.page.locator("main dl:has(dt:text('Success rate')) > div").all_inner_texts()
        shown = {label: value for label, value, *_ in (text.split("\n") for text in terms)}
        assert _read(shown["Requests"]) == totals["requests"] == 4
        assert shown["Tokens"] == "1.2M"
        assert _read(shown["Cost"]) == pytest.approx(totals["cost"] / 100, abs=0.005)
        assert _read(shown["Success rate"]) == pytest.approx(totals["successRate"] * 100, abs=0.1)
        assert _read(shown["Rating"]) == totals["averageRating"] == 4
        assert any("1 without a price" in text for text in terms)


async def test_the_meters_shown_are_those_of_the_dashboard(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.open("/")
        limits = (await visitor.fetch("/api/user/dashboard"))["limits"]
        meters = visitor.page.get_by_role("region", name="Limits").locator("meter")
        used = await meters.evaluate_all("(all) => all.map((each) => [each.value, each.max])")
        # One of the five failed and was given back, for a service said so.
        assert used == [
            [limits["dailyUsed"], limits["dailyLimit"]],
            [limits["monthlyUsed"], limits["monthlyLimit"]],
        ]
        assert used == [[4, 50], [4, 1000]]


async def test_the_newest_requests_shown_are_those_of_the_dashboard(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.open("/")
        recent = (await visitor.fetch("/api/user/dashboard"))["recentRequests"]
        region = visitor.page.get_by_role("region", name="Newest requests")
        rows = [await row.locator("td").all_inner_texts() for row in await region.locator("tbody tr").all()]
        assert [row[0].strip() for row in rows] == [each["prompt"].strip() for each in recent]
        assert [row[1] for row in rows] == [each["model"] or _NONE for each in recent]
        assert [row[2].lower() for row in rows] == [each["status"] for each in recent]
        assert [row[4] == _NONE for row in rows] == [each["cost"] is None for each in recent]
        (tiny,) = [row for row in rows if "weather" in row[0]]
        cost = next(each["cost"] for each in recent if each["requestId"] == "tiny")
        # What costs little does not look free.
        assert _read(tiny[4]) == pytest.approx(cost / 100, rel=0.05)


async def test_a_chart_can_be_read_as_a_table(chromium: Browser, served: Served, signed_in: StorageState) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.open("/?days=7")
        await visitor.page.get_by_role("button", name="Show as table: Usage over time").click()
        rows = await visitor.page.get_by_role("region", name="Usage over time, as a table").locator("tbody tr").all()
        assert len(rows) == 7
        assert [_read(text) for text in (await rows[-1].locator("td").all_inner_texts())[:2]] == [4, 1]


async def test_the_page_follows_what_happens_and_says_why_it_goes_no_further(chromium: Browser, served: Served) -> None:
    email = await served.newcomer()
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        assert await visitor.page.get_by_role("heading", name="Track your first request").is_visible()
        for number in range(10):
            await served.call("POST", "/api/chat/track", user=email, says={"prompt": f"Number {number}"})
        await visitor.page.get_by_text("Number 9").wait_for()
        await visitor.page.get_by_role("heading", name="Today's requests are used up").wait_for()
        refusal = visitor.page.locator("section", has_text="Today's requests are used up").last
        # Which plan would do is known once plans have come.
        for words in ("10 of 10", "resets", "The Pro plan allows 50 a day"):
            await expect(refusal).to_contain_text(words)


async def test_how_to_begin_fits_a_phone_and_leads_to_the_keys(chromium: Browser, served: Served) -> None:
    async with visiting(chromium, served, width=390) as visitor:
        await visitor.sign_in(await served.newcomer())
        await _fits(visitor, "how to begin")
        await visitor.follow(visitor.page.get_by_role("link", name="Make an API key"))
        assert visitor.page.url == f"{served.url}/settings/keys"
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_a_page_whose_file_does_not_come_says_so_and_comes_by_itself(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        await visitor.open("/")
        await visitor.page.route("**/assets/PlanPage*", lambda route: route.abort())
        await visitor.page.route("**/healthz", lambda route: route.abort())
        await visitor.page.evaluate("() => { window.isTheSame = true; }")
        await visitor.page.get_by_role("link", name="Plan", exact=True).click()
        await visitor.page.get_by_role("heading", name="This page could not be loaded").wait_for()
        # Loaded anew while the service is away, nothing would be left that could try again.
        assert await visitor.page.evaluate("window.isTheSame")
        await _fits(visitor, "a page that did not come")
        assert visitor.page.url.endswith("/plan")
        await visitor.page.unroute("**/assets/PlanPage*")
        await visitor.page.unroute("**/healthz")
        await visitor.page.get_by_role("heading", name="Plan", level=1).wait_for()


async def test_a_search_through_much_goes_on_at_a_press(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        cut: dict[str, Any] = {
            "success": True,
            "items": [],
            "nextCursor": "further",
            "searchedTo": "2026-03-01T00:00:00.000Z",
        }
        found = await visitor.context.request.get(f"{served.url}/api/chat/requests?limit=1")
        answers: dict[str, Any] = {"": cut, "further": await found.json() | {"nextCursor": None}}

        async def answer(route: Route) -> None:
            (cursor,) = parse_qs(urlsplit(route.request.url).query).get("cursor", [""])
            await route.fulfill(json=answers[cursor])

        await visitor.page.route("**/api/chat/requests?*", answer)
        await visitor.open("/requests?q=needle")
        await visitor.page.get_by_text("Nothing matches yet. Searched back to Mar 1, 12:00 AM.").wait_for()
        await visitor.page.get_by_role("button", name="Search on").click()
        await expect(visitor.page.locator("main tbody tr")).to_have_count(1)
        await expect(visitor.page.get_by_role("button", name="Search on")).to_have_count(0)


async def test_a_problem_is_told_and_another_try_helps(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        told: dict[str, Any] = {"title": "Not available right now", "detail": "the database is away", "status": 503}
        await visitor.page.route("**/api/chat/sessions*", lambda route: route.fulfill(status=503, json=told))
        await visitor.go("/sessions")
        await visitor.page.get_by_role("heading", name="Not available right now").wait_for()
        assert await visitor.page.get_by_text("The database is away.").is_visible()
        await visitor.page.unroute("**/api/chat/sessions*")
        await visitor.page.get_by_role("button", name="Try again").click()
        await visitor.page.get_by_role("link", name="talk").wait_for()
