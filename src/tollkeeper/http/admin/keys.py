"""Keys of services, and an end to any key."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta

from tollkeeper.accounts import keys, users
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.http.accounts.keys import KeyMade, KeyRevoked, KeysPage, NewKeyTerms, RotateKey, id_of, make
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, position
from tollkeeper.http.routing import delete, get, post
from tollkeeper.http.shapes import Said

ServiceScope = Literal["track", "dashboard:read", "variables:read", "variables:write", "metrics", "plans:write"]

_PATH: Final = "/api/admin/keys"
_ONE: Final = _PATH + "/{id}"


class KeysQuery(PageQuery, frozen=True, kw_only=True):
    """Whose keys: those of the user with this address, or else of services."""

    user: Annotated[str, Meta(min_length=1, max_length=LONGEST_EMAIL)] | None = None


class CreateServiceKey(NewKeyTerms, frozen=True, kw_only=True):
    """A key to be made for a backend, which acts for any user. Without scopes it may do all daily work."""

    scopes: list[ServiceScope] | None = None


LIST: Final = Operation(
    "admin", summary="List keys of services, or of a user", query=KeysQuery, gives={200: KeysPage}, problems=(NotFound,)
)
CREATE: Final = Operation(
    "admin",
    summary="Make a key for a service",
    takes=CreateServiceKey,
    query=Said,
    gives={201: KeyMade},
    problems=(Contradiction,),
    examples={"for the shop's backend": {"name": "shop", "scopes": ["track"], "addresses": ["203.0.113.7"]}},
    recent=True,
)
REVOKE: Final = Operation("admin", summary="Revoke any key", query=Said, gives={200: KeyRevoked}, problems=(NotFound,))
ROTATE: Final = Operation(
    "admin",
    summary="Rotate the key of a service",
    takes=RotateKey,
    query=Said,
    gives={201: KeyMade},
    problems=(NotFound, Contradiction),
    examples={"at once": {"overlapSeconds": 0}},
    recent=True,
)


@get(_PATH, LIST)
async def list_service_keys(request: Exchange) -> Answer:
    """Never the keys themselves, which nobody can read any more."""
    query = request.asked(KeysQuery)
    database, limit, after = request.backend.database, query.limit + 1, position(query, UUID)
    if query.user is None:
        found = await keys.of_services(database, limit=limit, after=after)
    else:
        user_id = await users.of_email(database, query.user)
        if user_id is None:
            raise NotFound("no such user")
        found = await keys.listed(database, user_id, limit=limit, after=after)
    return Answer.of(KeysPage.of(found, query))


@post(_PATH, CREATE)
async def create_service_key(request: Exchange) -> Answer:
    """It names its user with each request, in the header `Tollkeeper-User`. At most 200 work at once."""
    request.asked(Said)
    said = await request.said(CreateServiceKey)
    return Answer.of(KeyMade.of(await make(request, "service", said, said.scopes)), status=201)


@delete(_ONE, REVOKE)
async def revoke_any_key(request: Exchange) -> Answer:
    """A service's or a user's, by its id: from the next request on, and on every node within a second."""
    request.asked(Said)
    key_id = id_of(request)
    await keys.revoke_any(request.backend.database, key_id, actor=request.actor)
    return Answer.of(KeyRevoked(id=str(key_id)))


@post(_ONE + "/rotate", ROTATE)
async def rotate_service_key(request: Exchange) -> Answer:
    """As users rotate theirs. Keys of users are rotated by themselves alone."""
    request.asked(Said)
    said = await request.said(RotateKey)
    backend = request.backend
    rotated = await keys.rotate(
        backend.database, id_of(request), pepper=backend.pepper, actor=request.actor, overlap=said.overlap
    )
    return Answer.of(KeyMade.of_rotation(rotated), status=201)
