"""A thousand secrets and more go through every route, well and badly; none is in the log, the metrics or a problem."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.authenticator import Authenticator
from tests.conftest import Server
from tests.github import CLIENT_ID, CLIENT_SECRET, FakeGitHub, fake_github
from tests.mailbox import Mailbox, mailbox
from tollkeeper.accounts.sign_in import first_operator, logins
from tollkeeper.accounts.sign_in.relying_party import RelyingParty
from tollkeeper.activity import Actor
from tollkeeper.settings import Settings

from .browsers import a_browser
from .conftest import Heard, Person, Site, a_site
from .matrix import CALLS
from .sweeping import QUOTING, Canaries, around, failing, logged, sent, strangers

ORIGIN: Final = "https://usage.example"
LEAST: Final = 1000
FAILED: Final = HTTPStatus.INTERNAL_SERVER_ERROR
SIGN_OUT: Final = ("POST", "/api/account/sign-out")


@dataclass(frozen=True, slots=True)
class House:
    """The service, with all ways to sign in."""

    site: Site
    box: Mailbox
    github: FakeGitHub


@pytest.fixture(scope="module")
async def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    async with mailbox() as box, fake_github() as github:
        github.redirect_uri = f"{ORIGIN}/sign-in/github/callback"
        settings = Settings.of(
            {
                "TOLLKEEPER_SMTP_URL": box.url,
                "TOLLKEEPER_MAIL_FROM": "no-reply@usage.example",
                "TOLLKEEPER_PUBLIC_URL": ORIGIN,
                "TOLLKEEPER_SIGN_UP": "open",
                "TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.1",
                "TOLLKEEPER_GITHUB_CLIENT_ID": CLIENT_ID,
                "TOLLKEEPER_GITHUB_CLIENT_SECRET": CLIENT_SECRET,
                "TOLLKEEPER_GITHUB_URL": github.url,
            },
            port=0,
            data=str(tmp_path_factory.mktemp("data")),
        )
        async with a_site(server, settings) as site:
            yield House(site, box, github)


def judged(canaries: Canaries, heard: Heard) -> Heard:
    """A problem repeats no secret, not even to who sent it; only what they called a path or a field."""
    if heard.status >= HTTPStatus.BAD_REQUEST:
        told = heard.body.decode() + str(heard.headers)
        assert canaries.standing_in(told, names=False) == [], told
    return heard


async def known_to(canaries: Canaries, site: Site, *, operator: bool = False) -> Person:
    """Make somebody whose key and cookie are secrets too."""
    made = await (site.operator() if operator else site.person())
    canaries.is_one(made.key)
    canaries.is_one(made.cookie)
    return made


async def swept(canaries: Canaries, site: Site) -> list[int]:
    """Call everything in every way; gives the statuses."""
    person, operator = await known_to(canaries, site), await known_to(canaries, site, operator=True)
    known = [person.by_key, person.by_cookie, operator.by_cookie, site.as_service(person.email)]
    statuses: list[int] = []
    for call in CALLS.keys() - {SIGN_OUT}:
        others = [{}, *strangers(canaries), site.as_service(canaries.new()), site.as_service("")]
        for by in known + others:
            async for heard in sent(site, canaries, call, by, in_every_way=by in known):
                statuses.append(judged(canaries, heard).status)
                assert heard.status < HTTPStatus.INTERNAL_SERVER_ERROR, call
    assert (await site.call("GET", "/api/account", by=person.by_cookie)).status == HTTPStatus.OK
    return statuses


async def by_mail(canaries: Canaries, house: House) -> None:
    """A code that is mistyped and then right, a link that is opened, tried elsewhere, used and used again."""
    for is_link in (False, True):
        browser, email = a_browser(house.site), f"{canaries.new()}@example.com"
        judged(canaries, await browser.ask(email))
        mail = await house.box.next(email)
        path = canaries.is_one(mail.link).removeprefix(ORIGIN)
        canaries.is_one(path.rpartition("/")[2])
        canaries.is_one(mail.code)
        if is_link:
            for other in (a_browser(house.site), browser, browser):
                for method in ("GET", "POST"):
                    judged(canaries, await other.call(method, path, by=around(canaries)))
        else:
            for code in (f"{canaries.new()[:9]}", mail.code, mail.code):
                judged(canaries, await browser.type(email, code))
        for cookie in browser.cookies.values():
            canaries.is_one(cookie)


async def by_github(canaries: Canaries, house: House) -> None:
    """There and back, twice with one answer, and with an answer that GitHub does not confirm."""
    browser = a_browser(house.site)
    for mood in ("well", "gives no token", "talks nonsense"):
        house.github.mood = "well"
        gone = await browser.call("GET", "/sign-in/github")
        async with house.site.client.get(gone.headers["Location"], allow_redirects=False) as answer:
            back = answer.headers["Location"].removeprefix(ORIGIN)
        for name, value in parse_qsl(urlsplit(back).query):
            assert name in {"code", "state"}
            canaries.is_one(value)
        house.github.mood = mood
        for _ in range(2):
            judged(canaries, await browser.call("GET", back, by=around(canaries)))
    for secret in (*house.github.tokens, *browser.cookies.values(), CLIENT_SECRET):
        canaries.is_one(secret)


async def by_passkey(canaries: Canaries, house: House, person: Person) -> None:
    """A passkey that is made, used, and used again."""
    party = RelyingParty.at(house.site.application.backend.public_url)
    device = Authenticator(party.origin, party.host)
    begun = await house.site.call("POST", "/api/account/passkeys/options", by=person.by_cookie)
    says: Any = {"credential": device.make(begun.json["options"]), "name": canaries.new()}
    says["ceremony"] = canaries.is_one(begun.json["ceremony"])
    for _ in range(2):
        judged(canaries, await house.site.call("POST", "/api/account/passkeys", by=person.by_cookie, says=says))
    browser = a_browser(house.site)
    asked = (await browser.call("POST", "/api/sign-in/passkey/options")).json
    says = {"ceremony": canaries.is_one(asked["ceremony"]), "credential": device.use(asked["options"])}
    canaries.is_one(says["credential"]["response"]["signature"])
    for _ in range(2):
        judged(canaries, await browser.call("POST", "/api/sign-in/passkey", says=says))
    for cookie in browser.cookies.values():
        canaries.is_one(cookie)


async def by_links(canaries: Canaries, site: Site, person: Person) -> None:
    """An operator's link, and that of the first operator."""
    backend = site.application.backend
    link = await logins.make_link(backend.database, person.id, pepper=backend.pepper, actor=Actor("t"))
    await site.owner.execute("UPDATE accounts SET role = 'user'")
    first = await first_operator.make_link(backend.database, pepper=backend.pepper)
    assert first
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    raw = urlencode({"email": f"{canaries.new()}@example.com"}).encode()
    for path in (f"/sign-in/{canaries.is_one(link.token)}", f"/sign-in/first/{canaries.is_one(first)}"):
        for method in ("GET", "POST", "POST", "GET"):
            judged(canaries, await site.call(method, path, by=form, raw=raw))


async def daily_work(canaries: Canaries, site: Site, person: Person, operator: Person) -> None:
    """What goes well, and its conflicts: texts, variables, keys, profile, invitations, notes, leaving."""
    secret, request = canaries.new(), canaries.name()
    start = {"prompt": canaries.new(), "requestId": request, "metadata": {"x": canaries.new()}}
    finish = {"requestId": request, "status": "completed", "response": canaries.new()}
    variable = {"key": "TOKEN", "value": secret, "type": "secret"}
    name, key, guest = canaries.new(), {"name": canaries.new()}, {"email": f"{canaries.new()}@example.com"}
    steps: list[tuple[Person, str, str, Any]] = [
        (person, "POST", "/api/chat/track", start),
        (person, "POST", "/api/chat/track", start | {"prompt": canaries.new()}),
        (person, "PUT", "/api/chat/track", finish),
        (person, "PUT", "/api/chat/track", finish | {"response": canaries.new()}),
        (person, "POST", "/api/user/variables", variable),
        (person, "PUT", "/api/user/variables", {"variables": {"A": canaries.new(), "B": {"x": canaries.new()}}}),
        (person, "GET", "/api/user/variables/TOKEN?reveal=true", None),
        (person, "PATCH", "/api/account", {"name": name}),
        (operator, "PUT", f"/api/admin/users/{person.id}", {"note": canaries.new()}),
        (operator, "POST", "/api/admin/invitations", guest),
        (operator, "POST", "/api/admin/invitations", {"email": person.email}),
        (person, "GET", "/api/account/export", None),
        (operator, "POST", f"/api/admin/users/{person.id}/act", {}),
    ]
    for who, method, path, says in steps:
        judged(canaries, await site.call(method, path, by=who.by_cookie | around(canaries), says=says))
    for path, who in (("/api/account/keys", person), ("/api/admin/keys", operator)):
        made = judged(canaries, await site.call("POST", path, by=who.by_cookie, says=key))
        if made.status == HTTPStatus.CREATED:
            canaries.is_one(made.json["key"])
            new = await site.call("POST", f"{path}/{made.json['id']}/rotate", by=who.by_cookie, says={})
            canaries.is_one(new.json["key"])
            judged(canaries, await site.call("POST", f"{path}/{made.json['id']}/rotate", by=who.by_cookie, says={}))
            judged(canaries, await site.call("DELETE", f"{path}/{made.json['id']}", by=who.by_cookie))


async def lived(canaries: Canaries, house: House) -> None:
    """All that people do here, once."""
    site = house.site
    await site.owner.execute("DELETE FROM allowances")
    person, operator = await known_to(canaries, site), await known_to(canaries, site, operator=True)
    await daily_work(canaries, site, person, operator)
    await by_passkey(canaries, house, person)
    await by_mail(canaries, house)
    await by_github(canaries, house)
    await by_links(canaries, site, person)


async def nowhere(canaries: Canaries, house: House, log: str) -> None:
    """Look for them where others read."""
    metrics = await house.site.call("GET", "/metrics", by={"Authorization": f"Bearer {house.site.key}"})
    assert "tollkeeper_exchanges" in metrics.body.decode()
    assert canaries.standing_in(metrics.body.decode()) == []
    lines = [line for line in log.splitlines() if canaries.standing_in(line)]
    assert lines == []
    other = await known_to(canaries, house.site)
    for method, path in CALLS:
        if "{" not in path and path != "/api/user/dashboard/stream":
            heard = await house.site.call(method, path, by=other.by_cookie)
            if heard.status >= HTTPStatus.BAD_REQUEST:
                assert canaries.standing_in(heard.body.decode()) == []


async def test_of_a_thousand_secrets_through_every_route_and_error_none_is_found(house: House) -> None:
    canaries = Canaries()
    canaries.is_one(house.site.key)
    with logged() as log:
        await lived(canaries, house)
        statuses = await swept(canaries, house.site)
        written = log.getvalue()
    assert canaries.count > LEAST
    assert {200, 201, 400, 401, 403, 404, 422} <= set(statuses)
    assert '"warning"' in written
    await nowhere(canaries, house, written)


@pytest.mark.parametrize("how", QUOTING)
async def test_a_database_that_quotes_what_it_refuses_is_not_repeated(house: House, how: str) -> None:
    canaries, site = Canaries(), house.site
    person, operator = await known_to(canaries, site), await known_to(canaries, site, operator=True)
    failed: list[str] = []
    with logged() as log:
        async with failing(site.owner, how):
            await daily_work(canaries, site, person, operator)
            for call in CALLS.keys() - {SIGN_OUT}:
                for by in (person.by_cookie, operator.by_cookie, site.as_service(f"{canaries.new()}@example.com"), {}):
                    heard = sent(site, canaries, call, by, in_every_way=False)
                    failed += [call[1] async for each in heard if judged(canaries, each).status == FAILED]
        written = log.getvalue()
    # So much for the test: statements did fail, and were told by their places.
    assert len(set(failed)) > 10, set(failed)
    assert written.count("StatementFailed") >= len(failed)
    await nowhere(canaries, house, written)
