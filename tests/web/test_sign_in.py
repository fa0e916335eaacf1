"""Signing in by link: once, in one browser, until signed out."""

from __future__ import annotations

from typing import Any

import aiohttp
from playwright.async_api import Browser, Response

from tests.web.visitors import Served, Visitor, visiting

_COOKIE = "__Host-tollkeeper"


async def _press_sign_in(visitor: Visitor) -> Response:
    """Press the button; gives the answer of the service to it."""
    async with visitor.page.expect_response(lambda answer: answer.request.method == "POST") as pressed:
        await visitor.page.get_by_role("button", name="Sign in").click()
    await visitor.page.wait_for_load_state()
    return await pressed.value


async def test_opening_a_link_signs_nobody_in_and_leaves_it_whole(visitor: Visitor) -> None:
    link = await visitor.served.link(await visitor.served.newcomer())
    for _ in range(3):
        await visitor.page.goto(link)
    assert await visitor.context.cookies() == []
    assert (await visitor.fetch("/api/account"))["status"] == 401

    await _press_sign_in(visitor)
    await visitor.at_dashboard()


async def test_a_link_works_once_and_its_second_use_is_told_so(
    visitor: Visitor, chromium: Browser, served: Served
) -> None:
    email = await served.newcomer()
    link, other_link = await served.link(email), await served.link(email)
    await visitor.page.goto(link)
    assert (await _press_sign_in(visitor)).status == 303
    await visitor.at_dashboard()
    assert email in await visitor.named()

    for late in (link, other_link):
        async with visiting(chromium, served) as second:
            await second.page.goto(late)
            assert (await _press_sign_in(second)).status == 401
            assert await second.page.inner_text("h1") == "This link no longer works"
            assert "has been used or has expired: ask for a new one" in await second.page.inner_text("main")
            assert await second.context.cookies() == []
    await visitor.page.reload()
    await visitor.at_dashboard()


async def test_the_cookie_is_of_this_host_alone_and_out_of_reach_of_scripts(visitor: Visitor) -> None:
    await visitor.page.goto(await visitor.served.link(await visitor.served.newcomer()))
    given = (await (await _press_sign_in(visitor)).all_headers())["set-cookie"]
    told = {part.strip() for part in given.split(";")}
    assert told >= {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"}
    assert not any(part.startswith("Domain") for part in told)

    (kept,) = await visitor.context.cookies()
    named: Any = kept
    assert {name: named[name] for name in ("name", "domain", "path", "httpOnly", "secure", "sameSite")} == {
        "name": _COOKIE, "domain": "localhost", "path": "/", "httpOnly": True, "secure": True, "sameSite": "Lax",
    }  # fmt: skip
    assert visitor.served.url.startswith("http://localhost:")
    assert await visitor.page.evaluate("[window.isSecureContext, document.cookie]") == [True, ""]


async def test_signing_out_ends_it_here_and_for_whoever_kept_the_cookie(visitor: Visitor) -> None:
    await visitor.sign_in(await visitor.served.newcomer())
    (kept,) = await visitor.context.cookies()
    cookie = {"Cookie": f"{_COOKIE}={kept.get('value')}"}
    account = f"{visitor.served.url}/api/account"
    async with aiohttp.ClientSession(headers=cookie) as thief:
        async with thief.get(account) as answer:
            assert answer.status == 200
        await visitor.sign_out()
        assert await visitor.context.cookies() == []
        async with thief.get(account) as answer:
            assert answer.status == 401
    assert visitor.page.url == f"{visitor.served.url}/"
    assert not visitor.troubles


async def test_a_link_leads_on_only_within_this_site(visitor: Visitor) -> None:
    email = await visitor.served.newcomer()
    for wish, leads_to in (("/docs", "/docs"), ("//evil.example/", "/"), ("/\\evil.example", "/")):
        await visitor.page.goto(f"{await visitor.served.link(email)}?next={wish}")
        answer = await _press_sign_in(visitor)
        assert (answer.status, await answer.header_value("location")) == (303, leads_to)
        assert visitor.page.url == visitor.served.url + leads_to
    assert not visitor.elsewhere


async def test_the_page_that_one_wanted_is_where_a_pasted_link_leads(visitor: Visitor) -> None:
    link = await visitor.served.link(await visitor.served.newcomer())
    await visitor.go("/requests?status=failed")
    assert "/requests?status=failed" in await visitor.page.inner_text("main")
    await visitor.page.get_by_text("I was given a sign-in link").click()
    field = visitor.page.get_by_label("Your sign-in link")
    await field.fill("https://evil.example/sign-in/abc")
    await visitor.page.get_by_role("button", name="Continue", exact=True).click()
    assert await visitor.page.get_by_text("no sign-in link of this site").is_visible()
    await field.fill(link)
    await visitor.page.get_by_role("button", name="Continue", exact=True).click()
    await visitor.page.wait_for_url("**/sign-in/**")
    await _press_sign_in(visitor)
    assert visitor.page.url == f"{visitor.served.url}/requests?status=failed"
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_a_page_that_came_over_plain_http_says_that_the_sign_in_would_not_be_kept(
    chromium: Browser, served: Served
) -> None:
    link = await served.link(await served.newcomer())
    async with visiting(chromium, served, is_watched=False) as visitor:
        await visitor.page.goto(link)
        warning = visitor.page.get_by_text("your browser will not keep the sign-in")
        assert not await warning.is_visible()
        await visitor.page.goto(link.replace("localhost", "plain.test"))
        assert await warning.is_visible()
        assert await visitor.page.get_by_role("button", name="Sign in").is_disabled()
