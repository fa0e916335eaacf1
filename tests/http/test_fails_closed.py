"""Whatever breaks in finding out who calls, in deciding, in sealing or in reading: nobody is let through by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NoReturn
from uuid import uuid4

import pytest

from tollkeeper.accounts import keys, tokens
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.sign_in import allowances, asks, logins
from tollkeeper.activity import Actor
from tollkeeper.errors import Unavailable
from tollkeeper.http import callers, exchange
from tollkeeper.metering.tracking.ledger import Ledger

from .conftest import JSON, Person, Site
from .matrix import CALLS, NEEDS, PUBLIC

# What breaks, and which calls cannot do without it.
GUARDED: Final = [call for call in CALLS if call not in PUBLIC and call != ("GET", "/metrics")]
WITH_BODIES: Final = [call for call, says in CALLS.items() if says is not None]
STARTS: Final = [("POST", "/api/chat/track")]
SECRETS: Final = [("POST", "/api/user/variables")]
BREAKS: Final[list[tuple[Any, str, list[tuple[str, str]]]]] = [
    (keys, "look_up", [call for call in GUARDED if call in NEEDS]),
    (logins, "who", GUARDED),
    (callers, "_refuse_without", GUARDED),
    (callers, "_is_of_this_site", [call for call in GUARDED if call[0] != "GET"]),
    (callers, "is_within", [call for call in GUARDED if call in NEEDS]),
    (exchange, "decode", WITH_BODIES),
    (exchange.shapes, "shaped", WITH_BODIES),
    (Ledger, "start", STARTS),
    (Sealer, "seal", SECRETS),
    (tokens, "hashed", [("POST", "/sign-in/email/{token}"), ("POST", "/sign-in/{token}")]),
    (allowances, "take", [("POST", "/api/sign-in/email"), ("POST", "/api/sign-in/passkey/options")]),
    (asks, "redeem_code", [("POST", "/api/sign-in/code")]),
]


def raising(error: type[Exception]) -> Callable[..., NoReturn]:
    def broken(*_: object, **__: object) -> NoReturn:
        raise error("it broke")

    return broken


@pytest.mark.parametrize("error", [RuntimeError, Unavailable])
@pytest.mark.parametrize(("where", "what", "calls"), BREAKS, ids=[what for _, what, _ in BREAKS])
async def test_what_breaks_lets_nobody_through(
    *,
    service: Site,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    what: str,
    calls: list[tuple[str, str]],
    error: type[Exception],
) -> None:
    person, operator = await service.person(), await service.operator()
    bound = await keys.create(
        service.application.backend.database,
        kind="user",
        name="bound",
        user_id=person.id,
        pepper=service.application.backend.pepper,
        actor=Actor("t"),
        addresses=["127.0.0.1"],
    )
    before = await service.rows()
    monkeypatch.setattr(where, what, raising(error))
    broke = 0
    for call in calls:
        method, path = call
        path = re.sub(r"{\w+}", lambda found: "x" * 43 if "token" in found[0] else str(uuid4()), path)
        says: Any = {"key": "S", "value": "v", "type": "secret"} if what == "seal" else CALLS[call]
        for by in credentials(what, person, operator, bound.key):
            heard = await service.call(method, path, by=by, says=says)
            assert heard.status >= 400, (call, heard.status, heard.body)
            broke += heard.status in {500, 503}
    assert broke
    monkeypatch.undo()
    after = await service.rows()
    assert {name: count for name, count in after.items() if count != before[name]} == {}


def credentials(what: str, person: Person, operator: Person, bound: str) -> list[dict[str, str]]:
    """Those that would be let through if it did not break."""
    by_key = JSON | {"Authorization": f"Bearer {bound}"}
    by_cookies = [person.by_cookie | JSON, operator.by_cookie | JSON]
    if what in {"look_up", "is_within"}:
        return [by_key]
    if what == "_is_of_this_site":
        return [{**by, "Sec-Fetch-Site": "cross-site"} for by in by_cookies]
    return by_cookies
