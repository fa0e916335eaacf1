"""Operators invite, and whom they invite may sign up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest

from tests.conftest import Server
from tests.mailbox import Mailbox, mailbox
from tollkeeper.accounts.sign_in import asks
from tollkeeper.settings import Settings

from .browsers import a_browser
from .conftest import Site, a_site

ORIGIN = "https://usage.example"
PATH = "/api/admin/invitations"


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
            "TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.1",
        },
        port=0,
        data=str(tmp_path_factory.mktemp("data")),
    )
    async with a_site(server, settings) as site:
        yield site


async def states(site: Site, operator: dict[str, str]) -> dict[str, str]:
    """What came of whose invitation."""
    found = (await site.call("GET", PATH, by=operator)).json
    assert (found["isMailed"], found["url"]) == (True, ORIGIN)
    return {each["email"]: each["status"] for each in found["items"]}


async def test_who_is_invited_hears_of_it_and_signs_up_onto_the_plan(site: Site, box: Mailbox) -> None:
    operator, email = (await site.operator()).by_cookie, "Guest@elsewhere.example"
    made = await site.call("POST", PATH, by=operator, says={"email": email, "plan": "pro"})
    assert (made.status, made.json["isMailed"], made.json["url"]) == (201, True, ORIGIN)
    assert made.json["invitation"].items() >= {"email": email, "plan": "pro", "status": "open"}.items()
    invitation = await box.next(email)
    assert ORIGIN in invitation.part("plain")
    browser = a_browser(site)
    await browser.ask(email.lower())
    assert (await browser.type(email, (await box.next(email)).code)).status == 200
    assert (await browser.call("GET", "/api/account")).json["account"]["plan"] == "pro"
    assert await states(site, operator) == {email: "used"}
    again = await site.call("POST", PATH, by=operator, says={"email": email})
    assert again.is_problem(409, "contradiction")
    noted = await site.owner.fetch(
        "SELECT action FROM activity WHERE action LIKE 'invitation.%' OR action = 'user.signed_up'"
    )
    assert {row[0] for row in noted} == {"invitation.made", "user.signed_up"}
    kept = "SELECT count(*) FROM activity WHERE detail::text ILIKE '%elsewhere.example%'"
    assert await site.owner.fetchval(kept) == 0


async def test_a_withdrawn_or_expired_invitation_lets_nobody_in(site: Site, box: Mailbox) -> None:
    operator = (await site.operator()).by_cookie
    for email in ("one@elsewhere.example", "two@elsewhere.example"):
        made = await site.call("POST", PATH, by=operator, says={"email": email})
        await box.next(email)
        browser = a_browser(site)
        await browser.ask(email)
        mail = await box.next(email)
        if email.startswith("one"):
            gone = await site.call("DELETE", f"{PATH}/{made.json['invitation']['id']}", by=operator)
            assert gone.status == 200
        else:
            await site.owner.execute("UPDATE invitations SET expires_at = tk_now() WHERE address = $1", email)
        assert (await browser.type(email, mail.code)).is_problem(401, "code-over")
    seen = await states(site, operator)
    assert (seen["one@elsewhere.example"], seen["two@elsewhere.example"]) == ("revoked", "expired")
    for odd, status in ((str(uuid4()), 404), ("x", 400), (made.json["invitation"]["id"] + "0", 400)):
        assert (await site.call("DELETE", f"{PATH}/{odd}", by=operator)).status == status


async def test_what_came_of_an_invitation_is_over_once_and_seen_for_a_month(site: Site) -> None:
    operator, database = (await site.operator()).by_cookie, site.application.backend.database
    email = "three@elsewhere.example"
    made = (await site.call("POST", PATH, by=operator, says={"email": email})).json["invitation"]
    revoked = [await site.call("DELETE", f"{PATH}/{made['id']}", by=operator) for _ in range(2)]
    assert [each.status for each in revoked] == [200, 404]
    # Invited again, it is open as if nothing had been.
    again = (await site.call("POST", PATH, by=operator, says={"email": email})).json["invitation"]
    assert (again["id"], again["status"]) == (made["id"], "open")
    await site.owner.execute("UPDATE invitations SET accepted_at = tk_now() WHERE address = $1", email)
    assert (await site.call("DELETE", f"{PATH}/{made['id']}", by=operator)).status == 404
    for days, is_seen in ((29, True), (31, False)):
        earlier = "UPDATE invitations SET accepted_at = tk_now() - make_interval(days => $2) WHERE address = $1"
        await site.owner.execute(earlier, email, days)
        await asks.forget(database)
        assert (email in await states(site, operator)) == is_seen


async def test_an_invitation_is_renewed_not_doubled_and_they_come_in_pages(site: Site, box: Mailbox) -> None:
    operator = (await site.operator()).by_cookie
    await site.owner.execute("DELETE FROM invitations")
    emails = [f"guest-{each}@elsewhere.example" for each in range(5)]
    for email in (*emails, emails[4].upper()):
        assert (await site.call("POST", PATH, by=operator, says={"email": email})).status == 201
    seen: list[str] = []
    query, pages = "?limit=2", 0
    while query:
        page = (await site.call("GET", PATH + query, by=operator)).json
        seen += [each["email"].lower() for each in page["items"]]
        query, pages = f"?limit=2&cursor={page['nextCursor']}" if page["nextCursor"] else "", pages + 1
    assert (seen, pages) == (emails[::-1], 3)
    box.got.clear()


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ({}, 422),
        ({"email": "x"}, 422),
        ({"email": "a@b.example", "plan": "none"}, 404),
        ({"email": "a@b.example", "role": "admin"}, 422),
    ],
)
async def test_what_cannot_be_invited_is_refused(site: Site, says: dict[str, str], status: int) -> None:
    operator = (await site.operator()).by_cookie
    assert (await site.call("POST", PATH, by=operator, says=says)).status == status


async def test_inviting_asks_for_a_recent_sign_in(site: Site) -> None:
    operator = await site.operator()
    await site.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE user_id = $1", operator.id
    )
    heard = await site.call("POST", PATH, by=operator.by_cookie, says={"email": "a@b.example"})
    assert heard.is_problem(403, "sign-in-again")
    assert (await site.call("GET", PATH, by=operator.by_cookie)).status == 200
