"""Passkeys over HTTP: made by who is signed in, used by who is not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.authenticator import Authenticator
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in.passkeys import RelyingParty
from tollkeeper.activity import Actor

from .conftest import JSON, Heard, Person, Site

PATH = "/api/account/passkeys"
ENTER = "/api/sign-in/passkey"
FIELDS = ["id", "name", "createdAt", "lastUsedAt", "isSynced", "transports"]


@pytest.fixture
def device(service: Site) -> Authenticator:
    party = RelyingParty.at(service.application.backend.public_url)
    return Authenticator(party.origin, party.host, synced=True)


async def make(service: Site, person: Person, device: Authenticator, name: str = "My phone") -> Any:
    begun = (await service.call("POST", f"{PATH}/options", by=person.by_cookie)).json
    says = {"ceremony": begun["ceremony"], "credential": device.make(begun["options"]), "name": name}
    heard = await service.call("POST", PATH, by=person.by_cookie, says=says)
    assert heard.status == 201, heard.body
    return heard.json["passkey"]


async def ask(service: Site, by: dict[str, str]) -> tuple[dict[str, str], Any]:
    """Begin to sign in; gives what the browser sends from then on, and what it is to sign."""
    heard = await service.call("POST", f"{ENTER}/options", by=by)
    assert heard.status == 200, heard.body
    cookies = [each for each in (by.get("Cookie"), heard.headers.get("Set-Cookie", "").partition(";")[0]) if each]
    return JSON | by | {"Cookie": "; ".join(cookies)}, heard.json


async def use(service: Site, device: Authenticator, by: dict[str, str], **says: Any) -> Heard:
    by, begun = await ask(service, by)
    says = {"ceremony": begun["ceremony"], "credential": device.use(begun["options"])} | says
    return await service.call("POST", ENTER, by=by, says=says)


async def test_a_passkey_is_made_listed_renamed_and_removed(
    service: Site, alice: Person, device: Authenticator
) -> None:
    made = await make(service, alice, device)
    assert list(made) == FIELDS
    assert made | {"id": "", "createdAt": ""} == {
        "id": "",
        "name": "My phone",
        "createdAt": "",
        "lastUsedAt": None,
        "isSynced": True,
        "transports": ["hybrid", "internal"],
    }
    told = (await service.call("GET", PATH, by=alice.by_cookie)).json
    assert told == {"success": True, "items": [made], "nextCursor": None}
    path = f"{PATH}/{made['id']}"
    heard = await service.call("PATCH", path, by=alice.by_cookie, says={"name": "Laptop"})
    assert heard.json["passkey"] == made | {"name": "Laptop"}
    assert (await service.call("GET", "/api/account", by=alice.by_cookie)).json["account"]["passkeys"] == 1
    assert (await service.call("DELETE", path, by=alice.by_cookie)).json == {"success": True}
    assert (await service.call("DELETE", path, by=alice.by_cookie)).is_problem(404, "not-found")
    assert (await service.call("GET", PATH, by=alice.by_cookie)).json["items"] == []


async def test_whoever_has_the_device_is_signed_in_without_saying_who_they_are(
    service: Site, alice: Person, device: Authenticator
) -> None:
    await make(service, alice, device)
    heard = await use(service, device, {"Sec-Fetch-Site": "same-origin"}, next="/plan")
    assert (heard.status, heard.json) == (200, {"success": True, "next": "/plan"})
    cookie = heard.headers["Set-Cookie"]
    assert cookie.startswith("__Host-tollkeeper=")
    assert cookie.endswith("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")
    by = {"Cookie": cookie.partition(";")[0]}
    told = (await service.call("GET", "/api/account", by=by)).json
    assert (told["account"]["id"], told["caller"]) == (str(alice.id), "person")
    sessions = (await service.call("GET", "/api/account/sessions", by=by)).json["items"]
    assert [each["signedInBy"] for each in sessions if each["isCurrent"]] == ["passkey"]
    assert (await service.call("GET", PATH, by=by)).json["items"][0]["lastUsedAt"]


async def test_signing_in_anew_confirms_who_one_is_and_ends_the_old_session(
    service: Site, alice: Person, device: Authenticator
) -> None:
    await make(service, alice, device)
    heard = await use(service, device, alice.by_cookie)
    assert heard.status == 200
    assert (await service.call("GET", "/api/account", by=alice.by_cookie)).is_problem(401, "not-signed-in")


async def test_a_signature_works_once_and_in_the_browser_that_asked(
    service: Site, alice: Person, device: Authenticator
) -> None:
    await make(service, alice, device)
    by, begun = await ask(service, {})
    says = {"ceremony": begun["ceremony"], "credential": device.use(begun["options"])}
    other, _ = await ask(service, {})
    for stranger in (JSON, other):
        assert (await service.call("POST", ENTER, by=stranger, says=says)).is_problem(401, "passkey-refused")
    assert (await service.call("POST", ENTER, by=by, says=says)).status == 200
    again = await service.call("POST", ENTER, by=by, says=says)
    assert again.is_problem(401, "passkey-refused")
    assert "Set-Cookie" not in again.headers


async def test_the_cookie_of_the_asking_browser_is_of_this_host_alone(service: Site) -> None:
    heard = await service.call("POST", f"{ENTER}/options")
    assert heard.headers["Set-Cookie"].startswith("__Host-")
    assert heard.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")
    assert "; Path=/; " in heard.headers["Set-Cookie"]


async def test_one_who_is_switched_off_is_not_signed_in(service: Site, alice: Person, device: Authenticator) -> None:
    await make(service, alice, device)
    await users.change(service.application.backend.database, alice.id, actor=Actor("t"), is_active=False)
    heard = await use(service, device, {})
    assert heard.is_problem(403, "account-inactive")
    assert "Set-Cookie" not in heard.headers


async def test_pages_of_other_sites_cannot_sign_a_browser_in(
    service: Site, alice: Person, device: Authenticator
) -> None:
    await make(service, alice, device)
    by, begun = await ask(service, {})
    says = {"ceremony": begun["ceremony"], "credential": device.use(begun["options"])}
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        for path, said in ((f"{ENTER}/options", None), (ENTER, says)):
            assert (await service.call("POST", path, by=by | foreign, says=said)).is_problem(403, "not-allowed")
    form = by | {"Content-Type": "text/plain"}
    assert (await service.call("POST", ENTER, by=form, says=says)).is_problem(415, "unsupported-media-type")
    assert (await service.call("POST", ENTER, by=by, says=says)).status == 200


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"ceremony", "credential"}),
        ({"ceremony": 5}, {"ceremony"}),
        ({"ceremony": "short"}, {"ceremony"}),
        ({"credential": "x"}, {"credential"}),
        ({"credential": None}, {"credential"}),
        ({"userId": "x"}, {"userId"}),
        ({"next": 5}, {"next"}),
    ],
)
async def test_bodies_of_the_wrong_shape_name_their_fields(service: Site, says: Any, faulty: set[str]) -> None:
    whole: Any = {"ceremony": "x" * 43, "credential": {}} | says if says else says
    heard = await service.call("POST", ENTER, by=JSON, says=whole)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == faulty


@pytest.mark.parametrize("ceremony", ["x" * 43, "é" * 43, "\n" * 43, "/" * 43])
async def test_a_made_up_ceremony_is_refused(service: Site, alice: Person, ceremony: str) -> None:
    says: dict[str, Any] = {"ceremony": ceremony, "credential": {}}
    heard = await service.call("POST", ENTER, by=JSON, says=says)
    assert heard.is_problem(401, "passkey-refused")
    heard = await service.call("POST", PATH, by=alice.by_cookie, says=says | {"name": "x"})
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {"ceremony"}


async def test_a_large_credential_is_refused_unread(service: Site) -> None:
    says = {"ceremony": "x" * 43, "credential": {"id": "x" * 2**16}}
    assert (await service.call("POST", ENTER, by=JSON, says=says)).is_problem(413, "too-large")


async def test_passkeys_of_others_are_out_of_sight_and_out_of_reach(
    service: Site, alice: Person, bob: Person, device: Authenticator
) -> None:
    path = f"{PATH}/{(await make(service, alice, device))['id']}"
    assert (await service.call("GET", PATH, by=bob.by_cookie)).json["items"] == []
    assert (await service.call("DELETE", path, by=bob.by_cookie)).is_problem(404, "not-found")
    heard = await service.call("PATCH", path, by=bob.by_cookie, says={"name": "x"})
    assert heard.is_problem(404, "not-found")
    assert (await service.call("GET", PATH, by=alice.by_cookie)).json["items"][0]["name"] == "My phone"


async def test_nothing_of_a_passkey_is_logged_or_told(
    service: Site, alice: Person, device: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    await make(service, alice, device)
    by, begun = await ask(service, {})
    credential = device.use(begun["options"])
    sent: list[Any] = [5, credential | {"response": {}}, credential]
    for each in sent:
        says = {"ceremony": begun["ceremony"], "credential": each}
        heard = await service.call("POST", ENTER, by=by, says=says)
        for secret in (begun["ceremony"], credential["id"], credential["response"]["signature"], by["Cookie"]):
            assert secret not in heard.body.decode()
            assert secret not in caplog.text
