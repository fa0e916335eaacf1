"""Signing in by mail, over a real mail server: what browsers and strangers hear, and how soon."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.conftest import Server
from tests.mailbox import Mailbox, listening, mailbox
from tollkeeper.settings import Settings

from .browsers import Browser, a_browser
from .conftest import JSON, Person, Site, a_site

ORIGIN = "https://usage.example"
SAMPLES = 200


@pytest.fixture(scope="module")
async def box() -> AsyncGenerator[Mailbox]:
    async with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
async def site(server: Server, box: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    settings = Settings.of(
        {
            "TOLLKEEPER_SMTP_URL": box.url,
            "TOLLKEEPER_MAIL_FROM": "no-reply@usage.example",
            "TOLLKEEPER_PUBLIC_URL": ORIGIN,
            "TOLLKEEPER_SIGN_UP": "welcome.example",
            "TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.1",
        },
        port=0,
        data=str(tmp_path_factory.mktemp("data")),
        database_connections=4,
    )
    async with a_site(server, settings) as site:
        yield site


@pytest.fixture
async def ada(site: Site) -> Person:
    return await site.person()


@pytest.fixture
def browser(site: Site) -> Browser:
    return a_browser(site)


async def test_a_code_signs_in_the_browser_that_asked(site: Site, box: Mailbox, ada: Person, browser: Browser) -> None:
    asked = await browser.ask(ada.email, "/requests?status=failed")
    assert (asked.status, asked.json.keys()) == (200, {"success", "expiresAt"})
    cookie = asked.headers["Set-Cookie"]
    assert re.fullmatch(
        r"__Host-tollkeeper-browser=[\w-]{43}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure", cookie
    )
    mail = await box.next(ada.email)
    assert mail.link.startswith(f"{ORIGIN}/sign-in/email/")
    assert mail.code not in asked.body.decode()
    typed = await browser.type(ada.email, mail.code)
    assert (typed.status, typed.json) == (200, {"success": True, "next": "/requests?status=failed"})
    assert typed.headers["Set-Cookie"].endswith("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")
    assert await browser.who() == ada.email
    assert (await a_browser(site).type(ada.email, mail.code)).is_problem(401, "code-over")
    kept = await site.owner.fetchrow("SELECT * FROM sessions WHERE user_id = $1 ORDER BY created_at DESC", ada.id)
    assert kept is not None
    assert (kept["signed_in_by"], kept["ip_address"]) == ("email", browser.address)


async def test_the_link_asks_first_and_works_where_it_was_asked_for(
    site: Site, box: Mailbox, ada: Person, browser: Browser
) -> None:
    await browser.ask(ada.email, "/plan")
    path = (await box.next(ada.email)).link.removeprefix(ORIGIN)
    scanner, html = a_browser(site), {"Accept": "text/html", "Sec-Fetch-Site": "none"}
    for _ in range(3):
        opened = await scanner.call("GET", path, by=html)
        assert opened.status == 403
        assert b"type there the code" in opened.body
    assert (await scanner.call("POST", path)).is_problem(403, "asked-elsewhere")
    opened = await browser.call("GET", path, by=html)
    assert (opened.status, b'<form method="post"' in opened.body) == (200, True)
    assert await browser.who() is None
    pressed = await browser.call("POST", path)
    assert (pressed.status, pressed.headers["Location"]) == (303, "/plan")
    assert await browser.who() == ada.email
    for method in ("GET", "POST"):
        assert (await browser.call(method, path)).is_problem(401, "link-over")
    assert pressed.headers["Cache-Control"] == "no-store"


async def test_a_wrong_code_says_how_often_it_may_be_tried_again(box: Mailbox, ada: Person, browser: Browser) -> None:
    await browser.ask(ada.email)
    mail = await box.next(ada.email)
    for left in (4, 3, 2, 1):
        heard = await browser.type(ada.email, "BBBB-BBBB")
        assert heard.is_problem(401, "code-wrong")
        assert heard.json["triesLeft"] == left
    for code in ("BBBB-BBBB", mail.code):
        assert (await browser.type(ada.email, code)).is_problem(401, "code-over")


async def test_a_sign_in_replaces_the_session_that_the_browser_had(
    site: Site, box: Mailbox, ada: Person, browser: Browser
) -> None:
    bob = await site.person()
    sessions: list[str] = []
    for person in (ada, ada, bob):
        await browser.ask(person.email)
        await browser.type(person.email, (await box.next(person.email)).code)
        sessions.append(browser.cookies["__Host-tollkeeper"])
    assert len(set(sessions)) == 3
    for cookie in sessions[:2]:
        heard = await site.call("GET", "/api/account", by={"Cookie": f"__Host-tollkeeper={cookie}"})
        assert heard.is_problem(401, "not-signed-in")
    assert await browser.who() == bob.email
    # A cookie that is none of ours is no trouble, and none that was brought is kept.
    odd = a_browser(site)
    odd.cookies |= {"__Host-tollkeeper": "x", "__Host-tollkeeper-browser": "chosen-by-somebody-else"}
    await odd.ask(ada.email)
    assert odd.cookies["__Host-tollkeeper-browser"] != "chosen-by-somebody-else"
    await odd.type(ada.email, (await box.next(ada.email)).code)
    assert await odd.who() == ada.email


async def test_who_may_sign_up_has_an_account_after_the_code_and_not_before(
    site: Site, box: Mailbox, browser: Browser
) -> None:
    email = "New.One@welcome.example"
    await browser.ask(email)
    mail = await box.next(email)
    count = "SELECT count(*) FROM user_identities WHERE value = lower($1)"
    assert await site.owner.fetchval(count, email) == 0
    assert (await browser.type(email, mail.code)).status == 200
    assert await browser.who() == email
    assert await site.owner.fetchval(count, email) == 1


async def test_who_may_not_hears_the_same_and_gets_no_mail(
    site: Site, box: Mailbox, ada: Person, browser: Browser
) -> None:
    known, unknown = await browser.ask(ada.email), await a_browser(site).ask("stranger@elsewhere.example")
    assert known.status == unknown.status == 200
    names = [name for name in known.headers if name != "X-Trace-Id"]
    assert names == [name for name in unknown.headers if name != "X-Trace-Id"]
    assert known.json.keys() == unknown.json.keys()
    await box.next(ada.email)
    await asyncio.sleep(0.3)
    assert not [mail for mail in box.got if mail.to == "stranger@elsewhere.example"]


async def test_whether_an_address_is_known_cannot_be_told_by_the_time_of_the_answer(
    site: Site, box: Mailbox, ada: Person
) -> None:
    """Also while its mail is being brought: that is what answers after it would be slowed by."""

    async def timed(email: str) -> float:
        await site.owner.execute("DELETE FROM allowances")
        browser = a_browser(site)
        began = time.perf_counter()
        assert (await browser.ask(email)).status == 200
        took = time.perf_counter() - began
        await site.application.backend.postman.idle()
        return took

    for email in (ada.email, "stranger@elsewhere.example"):
        await timed(email)
    known: list[float] = []
    unknown: list[float] = []
    for number in range(SAMPLES):
        known.append(await timed(ada.email))
        unknown.append(await timed(f"stranger-{number}@elsewhere.example"))
    apart = abs(statistics.median(known) - statistics.median(unknown)) * 1000
    assert apart < 5, f"{apart:.1f} ms apart"
    assert sum(mail.to == ada.email for mail in box.got) == SAMPLES + 1
    box.got.clear()


async def test_who_asks_too_often_hears_when_to_come_again(site: Site, ada: Person, browser: Browser) -> None:
    statuses = [(await browser.ask(ada.email)).status for _ in range(5)]
    refused = await browser.ask(ada.email)
    assert statuses == [200] * 5
    assert refused.is_problem(429, "too-many-attempts")
    assert 170 <= int(refused.headers["Retry-After"]) <= 180
    # The same for whom nobody knows.
    heard = [(await browser.ask("stranger-x@elsewhere.example")).status for _ in range(6)]
    assert heard == [200] * 5 + [429]
    await site.owner.execute("DELETE FROM allowances")


async def test_a_crowd_that_asks_keeps_no_connection_from_who_tracks(site: Site, ada: Person) -> None:
    asking = [asyncio.create_task(a_browser(site).ask(f"crowd-{each}@elsewhere.example")) for each in range(150)]
    for _ in range(20):
        await site.start(ada)
    assert {(await each).status for each in asking} == {200}
    await site.owner.execute("DELETE FROM allowances")


@pytest.mark.parametrize("path", ["/api/sign-in/email", "/api/sign-in/code", "/sign-in/email/" + "x" * 43])
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
async def test_a_foreign_page_asks_for_nothing_and_types_nothing(
    site: Site, ada: Person, path: str, headers: dict[str, str]
) -> None:
    says = {"email": ada.email} | ({"code": "WXYZ-2345"} if path.endswith("code") else {})
    before = await site.rows()
    heard = await site.call("POST", path, by=JSON | headers, says=says)
    assert heard.is_problem(403, "not-allowed")
    assert await site.rows() == before


@pytest.mark.parametrize("email", ["", "no address", "a@b@c", "a\x00@b.example", "a@b.example\r\nBcc: x@y.example"])
async def test_what_is_no_address_is_named(site: Site, browser: Browser, email: str) -> None:
    assert (await browser.ask(email)).is_problem(422, "invalid")
    as_form = await site.call("POST", "/api/sign-in/email", raw=b"email=a@b.example", by={"X-Forwarded-For": "1.1.1.1"})
    assert as_form.is_problem(415, "unsupported-media-type")


async def test_next_leads_only_within_this_site(box: Mailbox, ada: Person, browser: Browser) -> None:
    for wish in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"):
        await browser.ask(ada.email, wish)
        told = await browser.type(ada.email, (await box.next(ada.email)).code)
        assert told.json["next"] == "/"


async def test_what_there_is_to_sign_in_by_is_told(site: Site) -> None:
    told = (await site.call("GET", "/api/sign-in")).json
    assert told == {
        "success": True,
        "email": True,
        "isMailed": True,
        "github": False,
        "passkeys": True,
        "signUp": "domains",
    }


async def test_while_mails_do_not_get_through_it_is_said_and_tracking_goes_on(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def hang(reader: Any, _: Any) -> None:
        await reader.read()

    async with listening(hang) as port:
        settings = Settings.of(
            {"TOLLKEEPER_SMTP_URL": f"smtp://127.0.0.1:{port}", "TOLLKEEPER_MAIL_FROM": "a@b.example"},
            port=0,
            data=str(tmp_path_factory.mktemp("away")),
        )
        async with a_site(server, settings) as site:
            person = await site.person()
            asking = [a_browser(site) for _ in range(4)]
            assert [(await each.ask(person.email)).status for each in asking] == [200] * 4
            took: list[float] = []
            async with asyncio.timeout(20):
                while (heard := await a_browser(site).ask("nobody@elsewhere.example")).status == 200:
                    began = time.perf_counter()
                    await site.start(person)
                    took.append(time.perf_counter() - began)
                    await site.owner.execute("DELETE FROM allowances")
                    await asyncio.sleep(0.1)
            assert heard.is_problem(503, "unavailable")
            assert 0 < int(heard.headers["Retry-After"]) <= 20
            assert statistics.median(took) < 0.5
            assert await site.owner.fetchval("SELECT count(*) FROM accounts") == 1
