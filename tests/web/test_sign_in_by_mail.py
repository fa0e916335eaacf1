"""Signing in by mail and by GitHub as people do: one page, a code or a link, and on to where they wanted to go."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.github import Somebody
from tests.web.post import Post, somebody
from tests.web.visitors import Visitor


async def _ask(visitor: Visitor, email: str) -> None:
    await visitor.page.get_by_label("E-mail address").fill(email)
    await visitor.page.get_by_role("button", name="Continue with e-mail").click()
    await visitor.page.get_by_role("heading", name="Check your mail").wait_for()


@pytest.mark.parametrize("width", [1440, 390])
async def test_an_address_a_code_and_on_to_the_page_that_was_wanted(chromium: Browser, post: Post, width: int) -> None:
    email = post.newcomer()
    async with somebody(chromium, post, width=width) as visitor:
        page = visitor.page
        await visitor.go("/requests?status=failed")
        await _ask(visitor, email)
        assert email in await page.inner_text("#typing")
        assert re.search(r"works for (10:00|9:5\d)", await page.inner_text("#code-hint"))
        code = page.get_by_label("Code")
        await expect(code).to_be_focused()
        await code.fill("BBBB-BBBB")
        await page.get_by_text("This is not the code that we sent").wait_for()
        assert await code.get_attribute("aria-invalid") == "true"
        # A phone that put the page away while its mail was read loads it anew.
        await page.reload()
        await page.get_by_role("heading", name="Check your mail").wait_for()
        await code.fill((await post.box.next(email)).code.lower())
        await page.get_by_role("heading", name="Requests").wait_for()
        assert page.url == f"{post.served.url}/requests?status=failed"
        assert (await visitor.fetch("/api/account"))["account"]["email"] == email


async def test_a_link_works_where_it_was_asked_for_and_tells_others_where(chromium: Browser, post: Post) -> None:
    email = post.newcomer()
    async with somebody(chromium, post) as visitor, somebody(chromium, post) as other:
        await visitor.go("/plan")
        await _ask(visitor, email)
        link = (await post.box.next(email)).link
        await other.page.goto(link)
        assert "Open this link where you asked for it" in await other.page.inner_text("h1")
        assert "type there the code" in await other.page.inner_text("main")
        opened = await visitor.context.new_page()
        await opened.goto(link)
        await opened.get_by_role("button", name="Sign in").click()
        await opened.wait_for_url("**/plan")
        # The tab that waits for a code notices.
        await visitor.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await visitor.page.wait_for_url("**/plan")
        await visitor.page.get_by_role("button", name="Account of").wait_for()


async def test_another_address_and_another_mail(chromium: Browser, post: Post) -> None:
    async with somebody(chromium, post) as visitor:
        await visitor.go("/")
        await visitor.page.get_by_label("E-mail address").fill("no address@x")
        await visitor.page.get_by_role("button", name="Continue with e-mail").click()
        assert await visitor.page.get_by_role("heading", name="Sign in to tollkeeper").is_visible()
        await _ask(visitor, post.newcomer())
        await expect(visitor.page.get_by_role("button", name="Send another")).to_be_disabled()
        await visitor.page.get_by_role("button", name="Use another address").click()
        await _ask(visitor, email := post.newcomer())
        await visitor.page.get_by_label("Code").fill((await post.box.next(email)).code)
        await visitor.at_dashboard()


async def test_who_asks_too_often_is_told_for_how_long(chromium: Browser, post: Post) -> None:
    async with somebody(chromium, post) as visitor:
        await visitor.go("/")
        email = post.newcomer()
        for _ in range(5):
            await _ask(visitor, email)
            await visitor.page.get_by_role("button", name="Use another address").click()
        await visitor.page.get_by_role("button", name="Continue with e-mail").click()
        problem = visitor.page.get_by_role("alert").filter(has_text="Too many mails")
        await problem.wait_for()
        assert re.search(r"\(in \d+ minutes\)", await problem.inner_text())


async def test_by_github_and_back_to_the_page_that_was_wanted(chromium: Browser, post: Post) -> None:
    post.github.somebody = Somebody.with_email(4711, email := post.newcomer())
    async with somebody(chromium, post) as visitor:
        await visitor.go("/sessions")
        await visitor.page.get_by_role("link", name="Continue with GitHub").click()
        await visitor.page.wait_for_url("**/sessions")
        assert email in await visitor.named()


async def test_without_github_and_mail_the_page_says_what_there_is(visitor: Visitor) -> None:
    await visitor.go("/")
    assert not await visitor.page.get_by_role("link", name="Continue with GitHub").is_visible()
    assert await visitor.page.get_by_text("has no mail server yet").is_visible()
    assert visitor.troubles == []
