"""Who calls: a signed-in person by cookie, a user's key, or a service's key that names its user."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, Self, TypeVar
from uuid import UUID

import msgspec

from tollkeeper.accounts import keys, tokens, users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.errors import AccountInactive, Invalid, NobodyKnown, NotAllowed, NotFound, NotUnderstood, SignInAgain
from tollkeeper.http.addresses import address_of_client, is_from_this_machine, is_within
from tollkeeper.http.backend import Backend
from tollkeeper.http.caller import Caller, Kind
from tollkeeper.http.exchange import Exchange
from tollkeeper.http.lookups import Lookup
from tollkeeper.http.operation import SAFE, Operation
from tollkeeper.http.uses import Uses

Done = TypeVar("Done")

COOKIE: Final = "__Host-tollkeeper"
INSECURE_COOKIE: Final = "tollkeeper-insecure"

_OF_PERSONS: Final = frozenset({"track", "dashboard:read", "variables:read", "variables:write", "variables:reveal"})
_OF_OPERATORS: Final = _OF_PERSONS | {"plans:write"}
# Secrets are the user's alone.
_OF_WHO_ACTS: Final = _OF_PERSONS - {"variables:reveal"}
_LONGEST_CREDENTIAL: Final = 200
_NAMED_SECONDS: Final = 300.0
# Whom a service names and nobody knows yet: no user has this id.
_NOBODY: Final = UUID(int=0)


class Callers:
    """Finds out who calls. What was found is remembered for less than a second."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._cookie = INSECURE_COOKIE if backend.insecure_cookies else COOKIE
        self._keys = Lookup(partial(keys.hashed, pepper=backend.pepper), self._find_keys)
        self._logins = Lookup(partial(tokens.hashed, pepper=backend.pepper), self._find_logins)
        self._users = Lookup(_canonical, self._find_users, remembers_nobody=False)
        self._uses = Uses(backend.database)
        self._lookups = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for lookup in (self._uses, self._keys, self._logins, self._users):
            await self._lookups.enter_async_context(lookup)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lookups.aclose()

    async def permit(self, exchange: Exchange) -> None:
        """Let only those through whom the route's declaration lets through: runs before every route."""
        operation = exchange.operation
        if operation.permission == "metrics":
            await self._permit_metrics(exchange)
        elif operation.permission != "public":
            exchange.known = await self.identify(exchange, operation)

    async def identify(self, exchange: Exchange, operation: Operation) -> Caller:
        """Find the caller and whether they may. A key goes before a cookie, which is then not looked at."""
        if exchange.only_header(b"authorization") is not None:
            return await self._by_key(exchange, operation)
        if (token := self.cookie(exchange)) is not None:
            _refuse_foreign_page(exchange)
            caller = await self._by_login(token)
            if (operation.permission == "admin" or operation.names_user) and caller.role != "admin":
                raise NotAllowed("only an operator may do this")
            _refuse_without(operation, caller.scopes, "person")
            if operation.personal or operation.recent:
                refuse_who_acts(caller)
            if operation.recent and not caller.is_recent:
                raise SignInAgain("sign in again: this asks for a sign-in of the last 15 minutes")
            return caller
        raise NobodyKnown("send a key as `Authorization: Bearer tk_...`, or sign in")

    async def identify_anew(self, exchange: Exchange, operation: Operation) -> Caller:
        """Find the caller as the database knows them now, not as they are remembered."""
        self._keys.forget(_key_text(exchange))
        self.forget_login(exchange)
        return await self.identify(exchange, operation)

    async def acting(
        self,
        exchange: Exchange,
        act: Callable[[UUID], Awaitable[Done]],
        *,
        act_for_nobody: Callable[[str], Awaitable[Done]] | None = None,
    ) -> Done:
        """Do as the caller's user what finds out under that user's lock whether they, or what is theirs, are there.

        So whom a service names need not be looked up for each request: if nothing is there, the name may mean somebody
        else by now, or nobody. Then somebody new is made, unless what was sent was refused before that, or there is
        something to be done for an address that nobody has (``act_for_nobody``).
        """
        caller = exchange.caller
        try:
            return await act(caller.user_id)
        except (NotFound, AccountInactive):
            if caller.kind != "service_key":
                raise
            self._users.forget(_named(exchange))
            exchange.known = anew = await self.identify(exchange, exchange.operation)
            if anew.user_id == _NOBODY:
                if act_for_nobody is not None:
                    return await act_for_nobody(_named(exchange))
                user_id = await users.of_email_or_new(self._backend.database, _named(exchange))
                self._users.forget(_named(exchange))
                exchange.known = anew = msgspec.structs.replace(anew, user_id=user_id)
            if anew.user_id == caller.user_id:
                raise
            return await act(anew.user_id)

    def cookie(self, exchange: Exchange) -> str | None:
        """The login session's token, if the browser sent one."""
        return exchange.cookie(self._cookie)

    def forget_login(self, exchange: Exchange) -> None:
        """Ask anew about the login session that has just ended."""
        self._logins.forget(self.cookie(exchange) or "")

    async def _by_key(self, exchange: Exchange, operation: Operation) -> Caller:
        found = await self._key(exchange)
        if found.user_id is not None:
            _refuse_without(operation, found.scopes, "user_key")
            return Caller(found.user_id, "user_key", found.scopes, found.id)
        # Before the user is looked up or even made: a key that may not do this makes nobody.
        _refuse_without(operation, found.scopes, "service_key")
        if operation.takes_many or operation.names_user:
            _refuse_user_header(exchange)
            return Caller(found.id, "service_key", found.scopes, found.id)
        return Caller(await self._named_user(exchange, operation), "service_key", found.scopes, found.id)

    async def _key(self, exchange: Exchange) -> keys.FoundKey:
        kind, _, _ = (exchange.header(b"authorization") or b"").partition(b" ")
        if kind.lower() != b"bearer":
            raise NobodyKnown("only `Authorization: Bearer tk_...` is understood")
        found = await self._keys.find(_key_text(exchange))
        if found is None:
            raise NobodyKnown("this key is unknown, expired or revoked")
        if not found.is_active:
            raise AccountInactive("the account has been switched off by the operator")
        if found.addresses:
            address = address_of_client(exchange.call, self._backend.trusted_proxies)
            if not is_within(address, found.addresses):
                raise NotAllowed(f"this key may not be used from {address or 'an unknown address'}")
        return found

    async def _by_login(self, token: str) -> Caller:
        found = await self._logins.find(token)
        if found is None:
            raise NobodyKnown("this sign-in is over: sign in again")
        if not found.is_active:
            raise AccountInactive("the account has been switched off by the operator")
        if found.acted_by is not None:
            # Never with the role that the user has: nobody acts as an operator.
            return Caller(found.user_id, "person", _OF_WHO_ACTS, found.id, acted_by=found.acted_by)
        scopes = _OF_OPERATORS if found.role == "admin" else _OF_PERSONS
        return Caller(found.user_id, "person", scopes, found.id, found.role, found.is_recent)

    async def _named_user(self, exchange: Exchange, operation: Operation) -> UUID:
        even_after = _NAMED_SECONDS if operation.checks_user else 0
        user_id = await self._users.find(_named(exchange), even_after=even_after)
        if user_id is None and not operation.creates_user:
            raise NotFound("no such user")
        return user_id or _NOBODY

    async def _permit_metrics(self, exchange: Exchange) -> None:
        token = self._backend.metrics_token
        if token and hmac.compare_digest(exchange.header(b"authorization") or b"", b"Bearer " + token.encode()):
            return
        if exchange.header(b"authorization") is None and is_from_this_machine(
            exchange.call, self._backend.trusted_proxies
        ):
            return
        found = await self._key(exchange)
        if "metrics" not in found.scopes:
            raise NotAllowed("this key lacks the scope metrics", scope="metrics")

    async def _find_keys(self, hashes: Sequence[bytes]) -> Mapping[bytes, keys.FoundKey]:
        found = await keys.look_up(self._backend.database, hashes)
        self._uses.note(each.id for each in found if not each.is_noted)
        return {each.key_hash: each for each in found}

    async def _find_logins(self, hashes: Sequence[bytes]) -> Mapping[bytes, logins.SignedIn]:
        return {found.token_hash: found for found in await logins.who(self._backend.database, hashes)}

    async def _find_users(self, emails: Sequence[str]) -> Mapping[str, UUID]:
        rows = await self._backend.database.all("users_of_emails", emails=list(emails))
        return {row["email"]: row["user_id"] for row in rows}


def _key_text(exchange: Exchange) -> str:
    _, _, key = (exchange.header(b"authorization") or b"").partition(b" ")
    return key.strip()[:_LONGEST_CREDENTIAL].decode("ascii", "replace")


def _named(exchange: Exchange) -> str:
    header = exchange.only_header(b"tollkeeper-user")
    if not header:
        raise NotUnderstood(
            "a service key names its user: send the header Tollkeeper-User: EMAIL", field="Tollkeeper-User"
        )
    try:
        return header.decode()
    except UnicodeDecodeError:
        raise NotUnderstood("the header Tollkeeper-User is not UTF-8", field="Tollkeeper-User") from None


def _canonical(email: str) -> str:
    try:
        return users.address_of(email, field="Tollkeeper-User")
    except Invalid as error:
        raise NotUnderstood(error.detail, **error.fields) from None


def refuse_who_acts(caller: Caller) -> None:
    """Refuse an operator who acts as a user what is that user's alone: how they sign in, their keys and secrets."""
    if caller.acted_by is not None:
        raise NotAllowed("this is for the user alone, and not for an operator who acts as them")


def refuse_foreign_page(exchange: Exchange) -> None:
    """Refuse what a page of another site made a browser send. Without any sign of a browser it passes."""
    site, origin = exchange.only_header(b"sec-fetch-site"), exchange.only_header(b"origin")
    if (site is not None or origin is not None) and not _is_of_this_site(exchange):
        raise NotAllowed("this came from a page of another site")


def _refuse_foreign_page(exchange: Exchange) -> None:
    """Refuse an unsafe request by cookie, unless the browser says that it comes from a page of this site."""
    if exchange.method not in SAFE and not _is_of_this_site(exchange):
        raise NotAllowed("with a cookie, this must come from a page of this site (Sec-Fetch-Site or Origin says so)")


def _is_of_this_site(exchange: Exchange) -> bool:
    site = exchange.only_header(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    origin, host = exchange.only_header(b"origin"), exchange.header(b"host")
    return bool(host) and origin in {b"https://" + (host or b""), b"http://" + (host or b"")}


def _refuse_user_header(exchange: Exchange) -> None:
    if exchange.only_header(b"tollkeeper-user") is not None:
        raise NotUnderstood(
            "who it is about is said here in another way: leave out the header Tollkeeper-User", field="Tollkeeper-User"
        )


def _refuse_without(operation: Operation, scopes: frozenset[str], kind: Kind) -> None:
    needed = operation.permission
    if operation.takes_many and kind != "service_key":
        raise NotAllowed("only a service key may do this: it acts for many users")
    if needed == "signed-in":
        return
    if needed in {"person", "admin"}:
        if kind != "person":
            raise NotAllowed("only a signed-in person may do this")
    elif needed not in scopes:
        raise NotAllowed(f"this key lacks the scope {needed}", scope=needed)
