"""Signing in by GitHub, against one that is as strict as the real one, and against one that is not well."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Server
from tests.github import CLIENT_ID, CLIENT_SECRET, FakeGitHub, Somebody, fake_github
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import invitations
from tollkeeper.accounts.sign_in.github import GitHub
from tollkeeper.activity import OPERATOR
from tollkeeper.settings import Settings

from .browsers import Browser, a_browser
from .conftest import Heard, Person, Site, a_site

ORIGIN = "https://usage.example"
HTML = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
_numbers = itertools.count(1_000)


@pytest.fixture(scope="module")
async def github() -> AsyncGenerator[FakeGitHub]:
    async with fake_github() as github:
        github.redirect_uri = f"{ORIGIN}/sign-in/github/callback"
        yield github


@pytest.fixture(scope="module")
async def site(server: Server, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    settings = Settings.of(
        {
            "TOLLKEEPER_PUBLIC_URL": ORIGIN,
            "TOLLKEEPER_SIGN_UP": "welcome.example",
            "TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.1",
            "TOLLKEEPER_GITHUB_CLIENT_ID": CLIENT_ID,
            "TOLLKEEPER_GITHUB_CLIENT_SECRET": CLIENT_SECRET,
            "TOLLKEEPER_GITHUB_URL": github.url,
        },
        port=0,
        data=str(tmp_path_factory.mktemp("data")),
        database_connections=4,
    )
    async with a_site(server, settings) as site:
        yield site


@pytest.fixture
def browser(site: Site, github: FakeGitHub) -> Browser:
    github.mood = "well"
    github.asked.clear()
    return a_browser(site)


async def gone(browser: Browser, path: str = "/sign-in/github") -> str:
    """Go to GitHub; gives where."""
    heard = await browser.call("GET", path, by={"Sec-Fetch-Site": "same-origin"})
    assert heard.status == 303, heard.body
    return heard.headers["Location"]


async def agreed(browser: Browser, url: str) -> str:
    """Say yes at GitHub; gives where that sends the browser, within our site."""
    async with browser.site.client.get(url, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"].removeprefix(ORIGIN)


async def signed_in(browser: Browser, path: str = "/sign-in/github") -> Heard:
    """Make the whole way."""
    return await browser.call("GET", await agreed(browser, await gone(browser, path)), by=HTML)


def somebody(email: str | None = None, *, verified: bool = True, primary: bool = True) -> Somebody:
    number = next(_numbers)
    email = email or f"person-{number}@welcome.example"
    return Somebody.with_email(number, email, verified=verified, primary=primary)


async def test_who_is_new_is_signed_up_and_known_by_the_number_from_then_on(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    github.somebody = person = somebody()
    email = person.emails[1]["email"]
    heard = await signed_in(browser, "/sign-in/github?next=/requests")
    assert (heard.status, heard.headers["Location"]) == (303, "/requests")
    assert await browser.who() == email
    kept = await site.owner.fetchrow("SELECT * FROM sessions ORDER BY created_at DESC LIMIT 1")
    assert kept is not None
    assert (kept["signed_in_by"], kept["ip_address"]) == ("github", browser.address)
    # Another name, another address, the same person. The address of old, another number: somebody else.
    github.somebody = Somebody.with_email(person.id, "moved@elsewhere.example")
    again = a_browser(site)
    await signed_in(again)
    assert await again.who() == email
    github.somebody = somebody(email)
    other = a_browser(site)
    assert b"There is an account with this address already" in (await signed_in(other)).body
    assert await other.who() is None


async def test_an_address_alone_opens_no_account_that_somebody_made(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    """Whoever made it, an app or an attacker, would be in it together with its new person."""
    made = await site.person()
    github.somebody = somebody(made.email)
    before = await site.owner.fetchval("SELECT count(*) FROM user_identities")
    heard = await signed_in(browser)
    assert heard.status == 409
    assert await browser.who() is None
    # Signed in to it, they connect the two, and from then on GitHub opens it.
    browser.cookies["__Host-tollkeeper"] = made.cookie
    heard = await signed_in(browser, "/sign-in/github?connect=true&next=/settings")
    assert (heard.status, heard.headers["Location"]) == (303, "/settings")
    assert browser.cookies["__Host-tollkeeper"] == made.cookie
    elsewhere = a_browser(site)
    await signed_in(elsewhere)
    assert await elsewhere.who() == made.email
    assert await site.owner.fetchval("SELECT count(*) FROM user_identities") == before + 1
    noted = "SELECT count(*) FROM activity WHERE user_id = $1 AND action = 'github.connected'"
    assert await site.owner.fetchval(noted, made.id) == 1


async def test_two_accounts_never_share_one_github_account_nor_one_account_two(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    github.somebody = theirs = somebody()
    await signed_in(browser)
    other = await site.person()
    mine = a_browser(site)
    mine.cookies["__Host-tollkeeper"] = other.cookie
    assert (await signed_in(mine, "/sign-in/github?connect=true")).status == 409
    github.somebody = somebody()
    assert (await signed_in(mine, "/sign-in/github?connect=true")).status == 303
    github.somebody = somebody()
    assert (await signed_in(mine, "/sign-in/github?connect=true")).status == 409
    count = "SELECT count(*) FROM user_identities WHERE kind = 'github' AND value = $1"
    assert await site.owner.fetchval(count, str(theirs.id)) == 1


async def test_connecting_asks_for_a_recent_sign_in_of_the_one_who_began(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    assert (await browser.call("GET", "/sign-in/github?connect=true")).is_problem(401, "not-signed-in")
    ada, bob = await site.person(), await site.person()
    browser.cookies["__Host-tollkeeper"] = ada.cookie
    github.somebody = somebody()
    back = await agreed(browser, await gone(browser, "/sign-in/github?connect=true"))
    browser.cookies["__Host-tollkeeper"] = bob.cookie
    assert (await browser.call("GET", back)).is_problem(409, "contradiction")
    await site.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE user_id = $1", ada.id
    )
    browser.cookies["__Host-tollkeeper"] = await _unremembered(site, ada)
    assert (await browser.call("GET", "/sign-in/github?connect=true")).is_problem(403, "sign-in-again")


async def test_who_disconnects_github_signs_in_by_mail_and_connects_it_or_another_later(
    site: Site, github: FakeGitHub, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    github.somebody = person = somebody()
    await signed_in(browser)
    address = person.emails[1]["email"]
    assert (await browser.call("GET", "/api/account")).json["account"]["hasGithub"]
    assert (await browser.call("DELETE", "/api/account/github")).json == {"success": True}
    assert (await browser.call("DELETE", "/api/account/github")).is_problem(404, "not-found")
    assert not (await browser.call("GET", "/api/account")).json["account"]["hasGithub"]
    noted = (await browser.call("GET", "/api/account/activity?action=github.disconnected")).json["items"]
    assert [(each["actor"]["kind"], each["detail"]) for each in noted] == [("user", {"github_id": person.id})]
    # GitHub opens the account no more, nor makes a second one of its address.
    elsewhere = a_browser(site)
    assert (await signed_in(elsewhere)).status == 409
    assert await elsewhere.who() is None
    # There is no mail server here: the code stands on the console, and works.
    await elsewhere.ask(address)
    await site.application.backend.postman.idle()
    (code,) = re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", capsys.readouterr().out)
    assert (await elsewhere.type(address, code)).status == 200
    assert await elsewhere.who() == address
    for each in (person, somebody()):
        github.somebody = each
        assert (await signed_in(browser, "/sign-in/github?connect=true")).status == 303
        assert (await browser.call("GET", "/api/account")).json["account"]["hasGithub"]
        assert (await browser.call("DELETE", "/api/account/github")).status == 200


async def test_disconnecting_asks_for_a_recent_sign_in(site: Site, browser: Browser) -> None:
    ada = await site.person()
    browser.cookies["__Host-tollkeeper"] = await _unremembered(site, ada)
    assert (await browser.call("DELETE", "/api/account/github")).is_problem(403, "sign-in-again")


async def test_an_operator_who_acts_as_somebody_connects_nothing_with_them(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    ada, operator = await site.person(), await site.operator()
    browser.cookies["__Host-tollkeeper"] = ada.cookie
    github.somebody = somebody()
    begun_by_ada = await agreed(browser, await gone(browser, "/sign-in/github?connect=true"))
    browser.cookies["__Host-tollkeeper"] = operator.cookie
    assert (await browser.call("POST", f"/api/admin/users/{ada.id}/act")).status == 200
    for path in ("/sign-in/github?connect=true", begun_by_ada):
        assert (await browser.call("GET", path)).is_problem(403, "not-allowed")
    assert not (await browser.call("GET", "/api/account")).json["account"]["hasGithub"]


async def _unremembered(site: Site, person: Person) -> str:
    cookie = await site.signed_in(person.id)
    await site.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE user_id = $1", person.id
    )
    return cookie


async def test_the_state_is_of_one_browser_and_of_one_time(site: Site, github: FakeGitHub, browser: Browser) -> None:
    github.somebody = person = somebody()
    back = await agreed(browser, await gone(browser))
    for other in (a_browser(site), await _who_went_too(site)):
        heard = await other.call("GET", back, by=HTML)
        assert (heard.status, await other.who()) == (401, None)
        assert b"did not begin in this browser" in heard.body
    # Refused before GitHub was asked: the code is whole, for the browser that it is meant for.
    assert github.asked == []
    assert (await browser.call("GET", back, by=HTML)).status == 303
    assert await browser.who() == person.emails[1]["email"]
    assert (await browser.call("GET", back)).is_problem(401, "link-over")


async def _who_went_too(site: Site) -> Browser:
    other = a_browser(site)
    await gone(other)
    return other


@pytest.mark.parametrize("state", ["", "x", "x" * 43])
async def test_a_made_up_state_is_refused(browser: Browser, github: FakeGitHub, state: str) -> None:
    await gone(browser)
    heard = await browser.call("GET", f"/sign-in/github/callback?code=x&state={state}")
    assert heard.status == 401
    assert github.asked == []


async def test_a_code_that_github_does_not_confirm_signs_nobody_in(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    github.somebody = somebody()
    # Another's code, put into our way back: PKCE tells. One that was used, one that never was.
    theirs = a_browser(site)
    stolen = await agreed(theirs, await gone(theirs))
    (used,) = parse_qs(urlsplit(stolen).query)["code"]
    for code in (used, used, "never-issued"):
        (state,) = parse_qs(urlsplit(await gone(browser)).query)["state"]
        heard = await browser.call("GET", f"/sign-in/github/callback?code={code}&state={state}")
        assert heard.is_problem(401, "not-signed-in")
    assert await browser.who() is None
    assert (
        await site.owner.fetchval("SELECT count(*) FROM user_identities WHERE value = $1", str(github.somebody.id)) == 0
    )


def _no_verifier(_state: str, _pepper: bytes) -> str:
    return ""


async def test_without_the_verifier_that_only_we_know_github_gives_no_token(
    site: Site, github: FakeGitHub, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.somebody = somebody()
    back = await agreed(browser, await gone(browser))
    (code,) = parse_qs(urlsplit(back).query)["code"]
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "code": code, "redirect_uri": github.redirect_uri}
    async with site.client.post(f"{github.url}/login/oauth/access_token", data=form) as answer:
        assert (await answer.json())["error"] == "bad_verification_code"
    back = await agreed(browser, await gone(browser))
    monkeypatch.setattr("tollkeeper.accounts.sign_in.github._verifier", _no_verifier)
    assert (await browser.call("GET", back)).is_problem(401, "not-signed-in")


@pytest.mark.parametrize(("verified", "primary"), [(False, True), (True, False)])
async def test_only_a_verified_primary_address_counts(
    site: Site, github: FakeGitHub, browser: Browser, *, verified: bool, primary: bool
) -> None:
    github.somebody = somebody(verified=verified, primary=primary)
    heard = await browser.call("GET", await agreed(browser, await gone(browser)))
    assert heard.is_problem(403, "not-allowed")
    assert (
        await site.owner.fetchval("SELECT count(*) FROM user_identities WHERE value = $1", str(github.somebody.id)) == 0
    )


async def test_who_may_not_sign_up_may_not_by_github_either_unless_invited(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    github.somebody = somebody("guest@elsewhere.example")
    assert (await browser.call("GET", await agreed(browser, await gone(browser)))).is_problem(403, "not-allowed")
    assert await users.of_email(site.application.backend.database, "guest@elsewhere.example") is None
    await invitations.invite(site.application.backend.database, "guest@elsewhere.example", plan="pro", actor=OPERATOR)
    await signed_in(browser)
    assert await browser.who() == "guest@elsewhere.example"


async def test_the_switched_off_stay_out(site: Site, github: FakeGitHub, browser: Browser) -> None:
    github.somebody = somebody()
    await signed_in(browser)
    user_id = await users.of_email(site.application.backend.database, github.somebody.emails[1]["email"])
    assert user_id
    await users.change(site.application.backend.database, user_id, actor=OPERATOR, is_active=False)
    again = a_browser(site)
    heard = await again.call("GET", await agreed(again, await gone(again)))
    assert heard.is_problem(403, "account-inactive")
    assert "__Host-tollkeeper" not in again.cookies


@pytest.mark.parametrize("mood", ["hangs", "fails", "talks nonsense", "sends on", "packs", "never ends"])
async def test_a_github_that_is_not_well_is_503_within_seconds_and_makes_nobody(
    site: Site, github: FakeGitHub, browser: Browser, mood: str
) -> None:
    github.somebody = somebody()
    back = await agreed(browser, await gone(browser))
    before = await site.rows()
    github.mood = mood
    began = time.monotonic()
    heard = await browser.call("GET", back)
    assert time.monotonic() - began < 11
    assert heard.is_problem(503, "unavailable")
    assert int(heard.headers["Retry-After"]) > 0
    assert await site.rows() == before | {"github_asks": before["github_asks"] - 1}
    github.mood = "well"
    assert (await signed_in(browser)).status == 303


async def test_an_answer_without_a_token_signs_nobody_in(github: FakeGitHub, browser: Browser) -> None:
    back = await agreed(browser, await gone(browser))
    github.mood = "gives no token"
    assert (await browser.call("GET", back)).is_problem(401, "not-signed-in")


async def test_the_token_is_kept_nowhere(site: Site, github: FakeGitHub, browser: Browser) -> None:
    github.somebody = somebody()
    state = parse_qs(urlsplit(await gone(browser)).query)["state"][0]
    await signed_in(browser)
    tables = await site.owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    for (table,) in tables:
        for row in await site.owner.fetch(f'SELECT t::text FROM "{table}" AS t'):  # noqa: S608 - our own tables
            assert not any(token in row[0] for token in (*github.tokens, state))


async def test_who_says_no_at_github_comes_back_to_where_they_were(github: FakeGitHub, browser: Browser) -> None:
    state = parse_qs(urlsplit(await gone(browser, "/sign-in/github?next=/plan")).query)["state"][0]
    told = "error=access_denied&error_description=no&error_uri=https://docs.example"
    heard = await browser.call("GET", f"/sign-in/github/callback?{told}&state={state}", by=HTML)
    assert (heard.status, heard.headers["Location"]) == (303, "/plan")
    assert (await browser.who(), github.asked) == (None, [])


async def test_going_there_leads_only_within_this_site_and_to_the_registered_address(
    site: Site, github: FakeGitHub, browser: Browser
) -> None:
    url = await gone(browser, "/sign-in/github?next=//evil.example")
    query = parse_qs(urlsplit(url).query)
    assert url.startswith(f"{github.url}/login/oauth/authorize?")
    assert query["redirect_uri"] == [f"{ORIGIN}/sign-in/github/callback"]
    github.somebody = somebody()
    assert (await browser.call("GET", await agreed(browser, url))).headers["Location"] == "/"
    lied = await site.call("GET", "/sign-in/github", by={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert parse_qs(urlsplit(lied.headers["Location"]).query)["redirect_uri"] == [f"{ORIGIN}/sign-in/github/callback"]


async def test_the_way_there_is_not_open_without_end(site: Site, browser: Browser) -> None:
    heard = await asyncio.gather(*(browser.call("GET", "/sign-in/github") for _ in range(90)))
    statuses = [each.status for each in heard]
    # Some refill while they are used up.
    assert 60 <= statuses.count(303) <= 75
    assert set(statuses) == {303, 429}
    await site.owner.execute("DELETE FROM allowances")


def test_github_com_has_its_api_elsewhere() -> None:
    app = GitHub("id", "secret", "https://github.com", ORIGIN).app
    assert (app.api_url, app.authorize_url) == ("https://api.github.com", "https://github.com/login/oauth/authorize")
