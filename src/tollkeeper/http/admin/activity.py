"""The whole log of activity, for operators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.accounts.devices import device_of
from tollkeeper.activity import Act, Wanted
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import NotFound
from tollkeeper.http.accounts.activity import NAME, ActivityQuery, ActLine, ActorShown, ActShown, page_of
from tollkeeper.http.body import Fault
from tollkeeper.http.download import CONTENT_TYPES, as_download
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.wire import Heard, instant

_KEY: Final = re.compile(r"key:[0-9a-f-]{36}", re.ASCII)
_JOB: Final = re.compile(r"[a-z][a-z-]{0,49}", re.ASCII)


class AllActivityQuery(ActivityQuery, frozen=True, kw_only=True):
    """Which acts. ``user`` (whom it was about) is an address or an id; ``actor`` also `key:ID`, `operator` or a job."""

    user: Annotated[str, Meta(min_length=1, max_length=LONGEST_EMAIL)] | None = None
    actor: Annotated[str, Meta(min_length=1, max_length=LONGEST_EMAIL)] | None = None

    def contradictions(self) -> Iterator[Fault]:
        """Name what nobody can be."""
        yield from super().contradictions()
        if self.user is not None and not _is_person(self.user):
            yield Fault("user", "must be an e-mail address or an id")
        if self.actor is not None and not (
            _is_person(self.actor) or _KEY.fullmatch(self.actor) or _JOB.fullmatch(self.actor)
        ):
            yield Fault("actor", "must be an e-mail address, an id, key:ID, operator or the name of a job")


class ActOfAllShown(ActShown, frozen=True, kw_only=True):
    """One act as operators see it, with whom it was about."""

    user_id: str | None
    email: str | None

    @classmethod
    def of(cls, act: Act) -> ActOfAllShown:
        """Show an act whole."""
        return cls(
            id=str(act.id),
            at=instant(act.at),
            actor=ActorShown(
                kind=act.kind,
                id=act.actor_id,
                email=act.actor_email,
                acting_as=act.acting_as and str(act.acting_as),
            ),
            action=act.action,
            detail=act.detail,
            ip_address=act.ip_address,
            user_agent=act.user_agent,
            device=device_of(act.user_agent) if act.user_agent else None,
            user_id=act.user_id and str(act.user_id),
            email=act.email,
        )


class ActOfAllLine(ActLine, frozen=True, kw_only=True):
    """The same in one line of a table."""

    acting_as: str | None
    user_id: str | None
    email: str | None

    @classmethod
    def of(cls, act: Act) -> ActOfAllLine:
        """Show an act whole."""
        return cls(
            id=str(act.id),
            at=instant(act.at),
            actor_kind=act.kind,
            actor_id=act.actor_id,
            actor_email=act.actor_email,
            acting_as=act.acting_as and str(act.acting_as),
            action=act.action,
            detail=act.detail,
            ip_address=act.ip_address,
            user_agent=act.user_agent,
            user_id=act.user_id and str(act.user_id),
            email=act.email,
        )


class AllActivityPage(Heard, frozen=True, kw_only=True):
    """Some acts; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[ActOfAllShown]
    next_cursor: str | None


LIST: Final = Operation(
    "admin",
    summary="List what was done by and with all users, newest first",
    query=AllActivityQuery,
    gives={200: AllActivityPage},
    files=tuple(CONTENT_TYPES.values()),
    problems=(NotFound,),
)


@get("/api/admin/activity", LIST)
async def list_all_activity(request: Exchange) -> Answer:
    """By whom it was about, who did it (an operator who acts as a user is found as the operator), what and when.

    With `format` `csv` or `jsonl` all of it comes as one file. Of users who were deleted there is what was done and
    when, without addresses.
    """
    query = request.asked(AllActivityQuery)
    wanted = await _wanted(request, query)
    if query.format_ != "json":
        kind = ActOfAllLine if query.format_ == "csv" else ActOfAllShown
        pages = activity.every(request.wide, wanted)
        return await as_download(request, pages, form=query.format_, name=NAME, kind=kind)
    found, following = await page_of(request, query, wanted)
    return Answer.of(AllActivityPage(items=[ActOfAllShown.of(each) for each in found], next_cursor=following))


async def _wanted(request: Exchange, query: AllActivityQuery) -> Wanted:
    user_id = None if query.user is None else await _person(request, query.user)
    actor = query.actor
    if actor is not None and _is_person(actor):
        actor = str(await _person(request, actor))
    return query.as_wanted(user_id=user_id, actor=actor)


async def _person(request: Exchange, named: str) -> UUID:
    """Find whom an address names. An id may be of somebody who was deleted."""
    if (user_id := _id(named)) is not None:
        return user_id
    found = await users.of_email(request.backend.database, named)
    if found is None:
        raise NotFound("no such user")
    return found


def _is_person(named: str) -> bool:
    return "@" in named or _id(named) is not None


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
