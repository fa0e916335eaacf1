"""Which fields answers about accounts have, all of them: what is kept besides is nobody's to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from tests.authenticator import Authenticator
from tollkeeper.accounts.sign_in.passkeys import RelyingParty
from tollkeeper.http.docs.openapi import describe
from tollkeeper.http.routes import ROUTES

from .conftest import JSON, Site

_KEY: Final = (
    "id kind name shownAs scopes addresses status createdAt expiresAt revokedAt lastUsedAt replaces replacedBy"
)
_NEW_KEY: Final = "success key id kind name scopes addresses createdAt expiresAt replaces"
_ACT: Final = "id at actor actor.kind actor.id actor.email actor.actingAs action detail ipAddress userAgent device"
_VARIABLE: Final = "key value type description createdAt updatedAt"
_PASSKEY: Final = "id name createdAt lastUsedAt isSynced transports"
_LOGIN: Final = "id isCurrent device ipAddress userAgent signedInBy createdAt lastSeenAt expiresAt"
_ACCOUNT: Final = (
    "id email name image role plan planExpiresAt requestsUsed requestsLimit timeZone passkeys hasGithub lastLoginAt "
    "createdAt"
)
_SETTINGS: Final = (
    "name email timeZone nextTimeZone theme daysShown emailAlerts emailAlerts.limits emailAlerts.plan "
    "emailAlerts.security warnAt planWarnAt"
)
_INVITATION: Final = "id email plan createdAt status expiresAt"


def within(field: str, names: str) -> str:
    return " ".join([field, *(f"{field}.{name}" for name in names.split())])


def a_page(names: str) -> str:
    return f"success {within('items', names)} nextCursor"


ANSWERS: Final[dict[tuple[str, str], str]] = {
    ("GET", "/api/account"): f"success {within('account', _ACCOUNT)} caller scopes actingAs",
    ("PATCH", "/api/account"): f"success {within('account', _ACCOUNT)} caller scopes actingAs",
    ("GET", "/api/account/sessions"): a_page(_LOGIN),
    ("DELETE", "/api/account/sessions?but=current"): "success ended",
    ("POST", "/api/account/keys"): _NEW_KEY,
    ("GET", "/api/account/keys"): a_page(_KEY),
    ("POST", "/api/account/keys/{id}/rotate"): f"{_NEW_KEY} replaces.id replaces.expiresAt",
    ("DELETE", "/api/account/keys/{id}"): "success id",
    ("POST", "/api/account/passkeys/options"): "success options ceremony",
    ("POST", "/api/account/passkeys"): f"success {within('passkey', _PASSKEY)}",
    ("GET", "/api/account/passkeys"): a_page(_PASSKEY),
    ("PATCH", "/api/account/passkeys/{passkey}"): f"success {within('passkey', _PASSKEY)}",
    ("DELETE", "/api/account/passkeys/{passkey}"): "success",
    ("POST", "/api/user/variables"): f"success {within('variable', _VARIABLE)}",
    ("GET", "/api/user/variables/S?reveal=true"): f"success {within('variable', _VARIABLE)}",
    ("GET", "/api/user/variables"): f"success {within('variables', _VARIABLE)}",
    ("PUT", "/api/user/variables"): f"success {within('variables', _VARIABLE)}",
    ("DELETE", "/api/user/variables/S"): "success",
    ("GET", "/api/user/settings"): f"success {within('settings', _SETTINGS)}",
    ("PUT", "/api/user/settings"): f"success {within('settings', _SETTINGS)}",
    ("GET", "/api/account/activity"): a_page(_ACT),
    ("GET", "/api/sign-in"): "success email github isMailed passkeys signUp",
    ("POST", "/api/sign-in/email"): "success expiresAt",
    ("POST", "/api/sign-in/passkey/options"): "success options ceremony",
    ("POST", "/api/admin/invitations"): f"success {within('invitation', _INVITATION)} url isMailed",
    ("GET", "/api/admin/invitations"): f"{a_page(_INVITATION)} url isMailed",
    ("DELETE", "/api/admin/invitations/{invitation}"): "success",
    ("POST", "/api/admin/keys"): _NEW_KEY,
    ("GET", "/api/admin/keys"): a_page(_KEY),
    ("POST", "/api/admin/keys/{id}/rotate"): f"{_NEW_KEY} replaces.id replaces.expiresAt",
    ("DELETE", "/api/admin/keys/{id}"): "success id",
    ("GET", "/api/admin/activity"): a_page(f"{_ACT} userId email"),
    ("DELETE", "/api/account"): "success isComplete",
}
SAYS: Final[dict[tuple[str, str], Any]] = {
    ("PATCH", "/api/account"): {"name": "Ada"},
    ("POST", "/api/account/keys"): {"name": "x"},
    ("POST", "/api/account/keys/{id}/rotate"): {},
    ("PATCH", "/api/account/passkeys/{passkey}"): {"name": "x"},
    ("POST", "/api/user/variables"): {"key": "S", "value": "private", "type": "secret"},
    ("PUT", "/api/user/variables"): {"variables": {"K": "v"}},
    ("PUT", "/api/user/settings"): {"theme": "dark"},
    ("POST", "/api/sign-in/email"): {"email": "nobody@example.com"},
    ("POST", "/api/admin/invitations"): {"email": "guest@example.com"},
    ("POST", "/api/admin/keys"): {"name": "x"},
    ("POST", "/api/admin/keys/{id}/rotate"): {},
}
# What is in them is not ours to list: WebAuthn's own, and what each kind of act has to say.
WITHOUT: Final = {"options", "detail", "value"}


def fields(told: Any, before: str = "") -> Iterator[str]:
    """Every field of an answer by its path; of lists those of all items."""
    if isinstance(told, list):
        for each in cast("list[Any]", told):
            yield from fields(each, before)
    elif isinstance(told, dict):
        for name, value in cast("dict[str, Any]", told).items():
            yield before + name
            if name not in WITHOUT:
                yield from fields(value, f"{before}{name}.")


async def test_answers_have_these_fields_and_no_others(service: Site) -> None:
    operator = await service.operator()
    party = RelyingParty.at(service.application.backend.public_url)
    device, made = Authenticator(party.origin, party.host), ""
    prepared: Any = None
    for call, expected in ANSWERS.items():
        method, path = call
        says = SAYS.get(call)
        if path == "/api/account/passkeys" and method == "POST":
            ceremony, options = prepared["ceremony"], prepared["options"]
            says = {"ceremony": ceremony, "credential": device.make(options), "name": "x"}
        if path == "/api/account" and method == "DELETE":
            # Operators do not leave by mistake.
            person = await service.person()
            heard = await service.call(method, path, by=person.by_cookie, says={"confirm": person.email})
        else:
            path = re.sub(r"{\w+}", made, path)
            heard = await service.call(method, path, by=operator.by_cookie | JSON, says=says)
        assert heard.status in {200, 201}, (call, heard.body)
        found = dict.fromkeys(fields(heard.json))
        assert (call, sorted(found)) == (call, sorted(expected.split()))
        prepared = heard.json
        made = newest(heard.json) or made


def newest(told: dict[str, Any]) -> str | None:
    """The id of what was just made or listed first."""
    items = told.get("items") or [told.get("passkey") or told.get("invitation") or told]
    return items[0].get("id")


def test_no_answer_has_a_field_for_what_is_kept_secret() -> None:
    schemas: Any = describe(ROUTES, "1")["components"]["schemas"]
    named = {(shape, name) for shape, told in schemas.items() for name in told.get("properties", {})}
    assert len(named) > 300
    secret = re.compile(
        r"hash|cipher|nonce|pepper|sealed|wrapped|password|challenge|signCount|publicKey", re.IGNORECASE
    )
    assert {each for each in named if secret.search(each[1])} == set()
    # Shown once, to who made it.
    assert {each for each in named if each[1] in {"key", "token", "secret"}} <= {
        ("KeyMade", "key"),
        ("PutVariable", "key"),
        ("VariableShown", "key"),
        ("GroupShown", "key"),
        ("DifferenceShown", "key"),
        # To operators who confirmed who they are; what it is derived from is shown to nobody.
        ("WebhookMade", "secret"),
        ("WebhookSecret", "secret"),
    }
