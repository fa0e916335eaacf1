"""Whoever is on the way out, or gone, is answered as nobody for as long as a sign-in or key of theirs is remembered."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.authenticator import Authenticator
from tollkeeper.accounts.sign_in.relying_party import RelyingParty
from tollkeeper.activity import Actor
from tollkeeper.metering.upkeep import leaving

from .conftest import Heard, Person, Site
from .matrix import CALLS, FOR_OPERATORS, FOR_PROVIDERS, FOR_SERVICES, PUBLIC
from .test_description import description

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
THEIRS = sorted(CALLS.keys() - PUBLIC - FOR_OPERATORS - FOR_PROVIDERS - FOR_SERVICES - {("GET", "/metrics")})


async def begin(service: Site, person: Person) -> None:
    database = service.application.backend.database
    await leaving.begin(database, person.id, actor=Actor("test"), may_be_last=False)


async def finish(service: Site, person: Person) -> None:
    backend = service.application.backend
    assert await leaving.finish(backend.database, backend.patient, person.id, seconds=5)


@pytest.mark.parametrize("is_gone", [False, True], ids=["leaving", "gone"])
@pytest.mark.parametrize("by", ["cookie", "key"])
async def test_every_call_of_who_goes_is_answered_as_described(service: Site, by: str, is_gone: bool) -> None:
    heard = dict[tuple[str, str], int]()
    for method, path in THEIRS:
        person = await service.person()
        headers = person.by_cookie if by == "cookie" else person.by_key
        await service.call("GET", "/api/account", by=headers)
        await begin(service, person)
        if is_gone:
            await finish(service, person)
        says = {"confirm": person.email} if path == "/api/account" and method == "DELETE" else CALLS[method, path]
        told = await service.call(method, re.sub(r"{\w+}", NOWHERE, path), by=headers, says=says)
        heard[method, path] = told.status
    told = description()["paths"]
    undescribed = {
        (method, path): status
        for (method, path), status in heard.items()
        if str(status) not in told[path][method.lower()]["responses"]
    }
    assert undescribed == {}


async def test_who_deletes_an_account_twice_is_told_that_it_is_gone(service: Site, alice: Person) -> None:
    async def leave() -> Heard:
        return await service.call("DELETE", "/api/account", by=alice.by_cookie, says={"confirm": alice.email})

    heard = await asyncio.gather(*(leave() for _ in range(8)))
    statuses = {each.status for each in heard}
    assert 200 in statuses
    assert statuses <= {200, 401, 404}


async def test_who_goes_gets_no_passkey_any_more(service: Site, alice: Person) -> None:
    party = RelyingParty.at(service.application.backend.public_url)
    device, path = Authenticator(party.origin, party.host, synced=True), "/api/account/passkeys"
    begun = (await service.call("POST", f"{path}/options", by=alice.by_cookie)).json
    says = {"ceremony": begun["ceremony"], "credential": device.make(begun["options"]), "name": "x"}
    await begin(service, alice)
    assert (await service.call("POST", path, by=alice.by_cookie, says=says)).status in {401, 404}
    assert await service.owner.fetchval("SELECT count(*) FROM passkeys WHERE user_id = $1", alice.id) == 0
