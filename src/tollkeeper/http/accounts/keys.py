"""A person's API keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, field

from tollkeeper.accounts import keys
from tollkeeper.accounts.keys import KeptKey, Kind, NewKey, Rotated, Status
from tollkeeper.errors import Contradiction, NotFound, NotUnderstood
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import delete, get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, Moment, Name, instant

UserScope = Literal["track", "dashboard:read", "variables:read", "variables:write", "variables:reveal"]

_PATH: Final = "/api/account/keys"
_ONE: Final = _PATH + "/{id}"


class NewKeyTerms(Said, frozen=True, kw_only=True):
    """What every new key may be told. No address named: it may be used from anywhere."""

    name: Name
    expires_at: Moment | None = None
    addresses: Annotated[list[Annotated[str, Meta(max_length=50)]], Meta(max_length=keys.MOST_ADDRESSES)] = field(
        default_factory=list[str]
    )


class CreateKey(NewKeyTerms, frozen=True, kw_only=True):
    """A key to be made. Without scopes it may do all daily work, and reveal no secret."""

    scopes: list[UserScope] | None = None


class RotateKey(Said, frozen=True, kw_only=True):
    """How long the old key works on; a day if nothing is said."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=int(keys.LONGEST_OVERLAP.total_seconds()))] = int(
        keys.OVERLAP.total_seconds()
    )

    @property
    def overlap(self) -> timedelta:
        """Say the same inside."""
        return timedelta(seconds=self.overlap_seconds)


class KeyShown(Heard, frozen=True, kw_only=True):
    """A key, of which only the beginning can still be shown.

    `status`: one that is `replaced` works until it expires. `lastUsedAt` is right within a minute or so.
    """

    id: str
    kind: Kind
    name: str
    shown_as: str
    scopes: list[str]
    addresses: list[str]
    status: Status
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None
    replaces: str | None
    replaced_by: str | None

    @classmethod
    def of(cls, key: KeptKey) -> KeyShown:
        """Show a key."""
        return cls(
            id=str(key.id),
            kind=key.kind,
            name=key.name,
            shown_as=key.shown_as,
            scopes=list(key.scopes),
            addresses=list(key.addresses),
            status=key.status,
            created_at=instant(key.created_at),
            expires_at=key.expires_at and instant(key.expires_at),
            revoked_at=key.revoked_at and instant(key.revoked_at),
            last_used_at=key.last_used_at and instant(key.last_used_at),
            replaces=key.replaces and str(key.replaces),
            replaced_by=key.replaced_by and str(key.replaced_by),
        )


class KeysPage(Heard, frozen=True, kw_only=True):
    """Keys, also those that have ended, the newest first; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[KeyShown]
    next_cursor: str | None

    @classmethod
    def of(cls, found: list[KeptKey], query: PageQuery) -> KeysPage:
        """Show a page; ``found`` has one more than that if there are more."""
        items = found[: query.limit]
        following = cursor_at(items[-1].id) if len(found) > query.limit else None
        return cls(items=[KeyShown.of(key) for key in items], next_cursor=following)


class KeyMade(Heard, frozen=True, kw_only=True):
    """A new key: `key` is shown this once. `replaces` tells of the one that it was rotated from."""

    success: Literal[True] = True
    key: str
    id: str
    kind: Kind
    name: str
    scopes: list[str]
    addresses: list[str]
    created_at: Instant
    expires_at: Instant | None
    replaces: KeyEnding | None = None

    @classmethod
    def of(cls, made: NewKey, replaces: KeyEnding | None = None) -> KeyMade:
        """Show it, once."""
        return cls(
            key=made.key,
            id=str(made.id),
            kind=made.kind,
            name=made.name,
            scopes=list(made.scopes),
            addresses=list(made.addresses),
            created_at=instant(made.created_at),
            expires_at=made.expires_at and instant(made.expires_at),
            replaces=replaces,
        )

    @classmethod
    def of_rotation(cls, rotated: Rotated) -> KeyMade:
        """Show it, once, and until when the old one works."""
        return cls.of(rotated.new, KeyEnding(id=str(rotated.old_id), expires_at=instant(rotated.old_ends_at)))


class KeyEnding(Heard, frozen=True, kw_only=True):
    """An old key that works until then."""

    id: str
    expires_at: Instant


class KeyRevoked(Heard, frozen=True, kw_only=True):
    """It works no more, on any node, within a second."""

    success: Literal[True] = True
    id: str


LIST: Final = Operation("person", summary="List your API keys", query=PageQuery, gives={200: KeysPage})
CREATE: Final = Operation(
    "person",
    summary="Make an API key",
    takes=CreateKey,
    query=Said,
    gives={201: KeyMade},
    problems=(NotFound, Contradiction),
    examples={
        "for one program": {"name": "nightly report", "scopes": ["dashboard:read"], "addresses": ["203.0.113.0/24"]}
    },
    recent=True,
)
REVOKE: Final = Operation(
    "person", summary="Revoke an API key", query=Said, gives={200: KeyRevoked}, problems=(NotFound,), personal=True
)
ROTATE: Final = Operation(
    "person",
    summary="Rotate an API key",
    takes=RotateKey,
    query=Said,
    gives={201: KeyMade},
    problems=(NotFound, Contradiction),
    examples={"the old one works for another hour": {"overlapSeconds": 3600}},
    recent=True,
)


@get(_PATH, LIST)
async def list_keys(request: Exchange) -> Answer:
    """Never the keys themselves, which nobody can read any more."""
    query = request.asked(PageQuery)
    found = await keys.listed(
        request.backend.database, request.caller.user_id, limit=query.limit + 1, after=position(query, UUID)
    )
    return Answer.of(KeysPage.of(found, query))


@post(_PATH, CREATE)
async def create_key(request: Exchange) -> Answer:
    """It acts as you, within its scopes. At most 20 work at once."""
    request.asked(Said)
    said = await request.said(CreateKey)
    return Answer.of(KeyMade.of(await make(request, "user", said, said.scopes)), status=201)


@delete(_ONE, REVOKE)
async def revoke_key(request: Exchange) -> Answer:
    """From the next request on, and on every node within a second."""
    request.asked(Said)
    key_id = id_of(request)
    await keys.revoke(request.backend.database, request.caller.user_id, key_id, actor=request.actor)
    return Answer.of(KeyRevoked(id=str(key_id)))


@post(_ONE + "/rotate", ROTATE)
async def rotate_key(request: Exchange) -> Answer:
    """A new key on the same terms; the old one works until the overlap is over, so that nothing stands still.

    The new one lasts as long as the old one was meant to. A key is rotated once; of several who do so one succeeds.
    """
    request.asked(Said)
    said = await request.said(RotateKey)
    backend = request.backend
    rotated = await keys.rotate(
        backend.database,
        id_of(request),
        pepper=backend.pepper,
        actor=request.actor,
        user_id=request.caller.user_id,
        overlap=said.overlap,
    )
    return Answer.of(KeyMade.of_rotation(rotated), status=201)


async def make(request: Exchange, kind: Kind, said: NewKeyTerms, scopes: Iterable[str] | None) -> NewKey:
    """Make a key as it was asked for: the caller's own, or a service's."""
    backend = request.backend
    return await keys.create(
        backend.database,
        kind=kind,
        name=said.name,
        pepper=backend.pepper,
        actor=request.actor,
        user_id=request.caller.user_id if kind == "user" else None,
        scopes=None if scopes is None else list(scopes),
        expires_at=said.expires_at,
        addresses=said.addresses,
    )


def id_of(request: Exchange) -> UUID:
    """Read which key is meant."""
    try:
        return UUID(path_text(request, "id"))
    except ValueError:
        raise NotUnderstood("a key's id is a UUID", field="id") from None
