"""Signing out is quiet: from the click on the page asks nothing and heeds no refusal, unless it is not let out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Error, Request, Route, expect

from tests.web.visitors import Visitor

_SIGN_OUT = "/api/account/sign-out"
# The page asks every two seconds, and its stream says at once that it is over.
_SLOW = 4.5


@dataclass
class Asked:
    """What a page has asked for from a moment on: calls of the service, and pages."""

    calls: list[str] = field(default_factory=list[str])
    pages: list[str] = field(default_factory=list[str])

    def note(self, request: Request) -> None:
        """Take up what a browser asks for."""
        path = urlsplit(request.url).path
        if request.is_navigation_request():
            self.pages.append(path)
        elif path.startswith("/api/"):
            self.calls.append(path)


@pytest.fixture
async def busy(operator: Visitor) -> AsyncGenerator[Visitor]:
    """A page that asks again and again."""
    await operator.open("/admin")
    await operator.live()
    yield operator
    assert (operator.troubles, operator.elsewhere) == ([], [])


def _watched(visitor: Visitor) -> Asked:
    asked = Asked()
    visitor.page.on("request", asked.note)
    return asked


async def _answer_late(route: Route) -> None:
    """Let the service end the sign-in, and the page hear of it much later."""
    answer = await route.fetch()
    await asyncio.sleep(_SLOW)
    await route.fulfill(response=answer)


async def test_a_page_asks_nothing_from_signing_out_on_until_it_is_left(busy: Visitor) -> None:
    await busy.page.route(f"**{_SIGN_OUT}", _answer_late)
    asked = _watched(busy)
    await busy.sign_out()
    told = asked.calls[asked.calls.index(_SIGN_OUT) :]
    assert (told, asked.pages) == ([_SIGN_OUT], ["/"])
    assert urlsplit(busy.page.url).path == "/"


async def test_a_refusal_that_comes_after_signing_out_is_not_heeded(busy: Visitor) -> None:
    is_out = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_out.wait()
        # The page may have let go of it.
        with suppress(Error):
            await route.continue_()

    async def let_out(route: Route) -> None:
        answer = await route.fetch()
        is_out.set()
        await asyncio.sleep(1)
        await route.fulfill(response=answer)

    await busy.page.route("**/api/admin/overview", hold)
    await busy.page.route(f"**{_SIGN_OUT}", let_out)
    async with busy.page.expect_request("**/api/admin/overview"):
        pass
    asked = _watched(busy)
    await busy.sign_out()
    assert (asked.pages, urlsplit(busy.page.url).path) == (["/"], "/")


async def test_a_page_that_could_not_sign_out_says_so_and_goes_on(busy: Visitor) -> None:
    async def refuse(route: Route) -> None:
        await asyncio.sleep(1)
        await route.fulfill(status=503, json={"title": "Not now", "detail": "try again"})

    await busy.page.route(f"**{_SIGN_OUT}", refuse, times=1)
    asked = _watched(busy)
    async with busy.page.expect_response(f"**{_SIGN_OUT}"):
        await _press_sign_out(busy)
    async with busy.page.expect_response("**/api/admin/overview") as again:
        pass
    assert (await again.value).ok
    await busy.live()
    await expect(busy.page.get_by_role("alert")).to_have_text("You are still signed in. Not now.")
    assert asked.pages == []
    assert all("503" in each for each in busy.troubles), busy.troubles
    busy.troubles.clear()
    await busy.sign_out()
    await expect(busy.page).to_have_url(f"{busy.served.url}/")


async def test_that_nobody_was_reached_to_sign_out_is_told_until_one_tries_again(busy: Visitor) -> None:
    await busy.page.route(f"**{_SIGN_OUT}", lambda route: route.abort(), times=1)
    await _press_sign_out(busy)
    told = busy.page.get_by_role("alert")
    await expect(told).to_have_text("You are still signed in. The service cannot be reached.")
    assert all("ERR_FAILED" in each for each in busy.troubles), busy.troubles
    busy.troubles.clear()
    await busy.page.get_by_role("button", name="Account of").click()
    await expect(told).to_have_count(0)
    await busy.page.get_by_role("menuitem", name="Sign out").click()
    await busy.page.get_by_role("heading", name="Sign in").wait_for()


async def _press_sign_out(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="Account of").click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
