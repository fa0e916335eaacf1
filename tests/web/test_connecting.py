"""GitHub and an account of one's own: connected, used to confirm who one is, and parted again."""

from __future__ import annotations

import itertools

from playwright.async_api import Browser, expect

from tests.faults.nodes import connected
from tests.github import Somebody
from tests.web.hands import address_of, button, console_code, dialog, make_key
from tests.web.post import Post, somebody
from tests.web.visitors import Visitor

_numbers = itertools.count(90_000)
SECURITY = "/settings/security"


async def _signed_in_by_mail(visitor: Visitor, post: Post) -> str:
    """Sign up as somebody new; gives the address."""
    email = post.newcomer()
    await visitor.go("/")
    await visitor.page.get_by_label("E-mail address").fill(email)
    await button(visitor, "Continue with e-mail").click()
    await visitor.page.get_by_label("Code").fill((await post.box.next(email)).code)
    await visitor.at_dashboard()
    return email


async def _age(visitor: Visitor, post: Post, email: str) -> None:
    """Let all sign-ins of somebody be an hour old; nodes know a session for less than a second."""
    await post.site.owner.execute(
        "UPDATE sessions AS s SET created_at = s.created_at - interval '1 hour'"
        " FROM users AS u WHERE u.id = s.user_id AND u.email = $1",
        email,
    )
    await visitor.page.wait_for_timeout(1_100)


async def test_github_is_connected_in_the_settings_and_parted_again(chromium: Browser, post: Post) -> None:
    post.github.somebody = Somebody.with_email(next(_numbers), "elsewhere@github.example")
    async with somebody(chromium, post) as visitor, somebody(chromium, post) as other:
        email = await _signed_in_by_mail(visitor, post)
        await _age(visitor, post, email)
        await visitor.open(SECURITY)
        # Too long ago to connect something: they say who they are, and then are led on.
        await visitor.page.get_by_role("link", name="Connect GitHub").click()
        asks = dialog(visitor, "Confirm it is you")
        await expect(asks.get_by_role("link", name="Use GitHub")).to_have_count(0)
        await button(asks, "Send me a code").click()
        await asks.get_by_label("Code").fill((await post.box.next(email)).code)
        await button(asks, "Confirm").click()
        await visitor.page.get_by_text("Connected: your GitHub account signs you in here.").wait_for()
        assert visitor.page.url == post.served.url + SECURITY

        await other.go("/")
        await other.page.get_by_role("link", name="Continue with GitHub").click()
        await other.at_dashboard()
        assert await address_of(other) == email
        await other.sign_out()

        await button(visitor, "Disconnect …").click()
        asks = dialog(visitor, "Disconnect GitHub?")
        await expect(asks).to_contain_text(f"You still sign in by a code that is mailed to {email}.")
        await button(asks, "Disconnect").click()
        await visitor.page.get_by_role("link", name="Connect GitHub").wait_for()
        await other.go("/")
        await other.page.get_by_role("link", name="Continue with GitHub").click()
        await other.page.get_by_text("only who is invited may sign up here").wait_for()
        acts = (await visitor.fetch("/api/account/activity?limit=20"))["items"]
        assert {"github.connected", "github.disconnected"} <= {each["action"] for each in acts}


async def test_who_has_github_confirms_by_it_and_comes_back_to_the_page(chromium: Browser, post: Post) -> None:
    post.github.somebody = Somebody.with_email(next(_numbers), email := post.newcomer())
    async with somebody(chromium, post) as visitor:
        await visitor.go("/")
        await visitor.page.get_by_role("link", name="Continue with GitHub").click()
        await visitor.at_dashboard()
        await visitor.open("/settings/keys")
        await _age(visitor, post, email)
        await button(visitor, "New key").click()
        form = dialog(visitor, "New API key")
        await form.get_by_role("textbox", name="Name").fill("nightly")
        await button(form, "Create key").click()
        await dialog(visitor, "Confirm it is you").get_by_role("link", name="Use GitHub").click()
        await visitor.page.wait_for_url("**/settings/keys")
        await expect(visitor.page.get_by_role("dialog")).to_have_count(0)
        assert (await make_key(visitor, "nightly")).startswith("tk_user_")


async def test_without_a_mail_server_who_disconnects_github_is_told_where_codes_stand(ada: Visitor) -> None:
    email = await address_of(ada)
    await ada.open(SECURITY)
    # Where it is neither set up nor connected nothing is said of it.
    await expect(ada.page.get_by_role("heading", name="Passkeys", exact=True)).to_be_visible()
    await expect(ada.page.get_by_role("heading", name="GitHub")).to_have_count(0)
    async with connected(ada.served.site) as owner:
        await owner.execute(
            "INSERT INTO user_identities (kind, value, user_id, shown_as)"
            " SELECT 'github', '99999', u.id, '99999' FROM users AS u WHERE u.email = $1",
            email,
        )
    await ada.open(SECURITY)
    await button(ada, "Disconnect …").click()
    asks = dialog(ada, "Disconnect GitHub?")
    await expect(asks).to_contain_text("This service has no mail server: codes stand on its console")
    await expect(asks).to_contain_text("With a passkey you depend on nobody.")
    await button(asks, "Disconnect").click()
    await expect(ada.page.get_by_role("heading", name="GitHub")).to_have_count(0)
    await ada.sign_out()
    await ada.page.get_by_label("E-mail address").fill(email)
    await button(ada, "Continue with e-mail").click()
    await ada.page.get_by_label("Code").fill(await console_code(ada.served, email))
    await ada.at_dashboard()
    assert await address_of(ada) == email
    assert (ada.troubles, ada.elsewhere) == ([], [])
