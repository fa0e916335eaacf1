"""What was done, by whom and from where: one's own account here, all of it for operators in ``admin/activity.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import field

from tollkeeper import activity
from tollkeeper.accounts.devices import device_of
from tollkeeper.activity import Act, Wanted
from tollkeeper.http.body import Fault
from tollkeeper.http.download import CONTENT_TYPES, as_download
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.moments import MomentText, contradictions_of_range, faults_of_moments, start_of
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import get
from tollkeeper.http.wire import Heard, Instant, Name, instant

NAME: Final = "tollkeeper-activity"


class ActivityQuery(PageQuery, frozen=True, kw_only=True):
    """Which acts, and in what form. ``action`` is the whole word, such as ``key.created``."""

    action: Name | None = None
    from_: MomentText | None = field(default=None, name="from")
    to: MomentText | None = None
    format_: Literal["json", "csv", "jsonl"] = field(default="json", name="format")

    def faults(self) -> Iterator[Fault]:
        """Name what is no instant."""
        yield from faults_of_moments(from_=self.from_, to=self.to)

    def contradictions(self) -> Iterator[Fault]:
        """A file has no pages, and what ends does not end before it begins."""
        yield from contradictions_of_range(from_=self.from_, to=self.to)
        if self.format_ != "json" and self.cursor is not None:
            yield Fault("cursor", "leads through pages, and a file has none")

    def as_wanted(self, *, user_id: UUID | None, actor: str | None = None) -> Wanted:
        """Say the same inside."""
        since, until = start_of(self.from_), start_of(self.to)
        return Wanted(user_id=user_id, actor=actor, action=self.action, since=since, until=until)


class ActorShown(Heard, frozen=True, kw_only=True):
    """Who did it. An ``operator`` runs the service; whose acts are not the reader's own is told by no id or address."""

    kind: activity.Kind
    id: str | None
    email: str | None
    acting_as: str | None = None


class ActShown(Heard, frozen=True, kw_only=True):
    """One act. From where it came is told of one's own acts; ``device`` is what its user agent names."""

    id: str
    at: Instant
    actor: ActorShown
    action: str
    detail: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    device: str | None

    @classmethod
    def of(cls, act: Act) -> ActShown:
        """Show an act to the one whom it is about. Whoever else did it runs the service, and is shown as no more."""
        is_own = act.kind == "key" or (act.actor_id == str(act.user_id) and act.acting_as is None)
        return cls(
            id=str(act.id),
            at=instant(act.at),
            actor=ActorShown(
                kind=act.kind if is_own or act.kind == "job" else "operator",
                id=act.actor_id if is_own or act.kind == "job" else None,
                email=act.actor_email if is_own else None,
            ),
            action=act.action,
            detail=act.detail,
            ip_address=act.ip_address if is_own else None,
            user_agent=act.user_agent if is_own else None,
            device=device_of(act.user_agent) if is_own and act.user_agent else None,
        )


class ActLine(Heard, frozen=True, kw_only=True):
    """The same in one line of a table."""

    id: str
    at: Instant
    actor_kind: str
    actor_id: str | None
    actor_email: str | None
    action: str
    detail: dict[str, Any]
    ip_address: str | None
    user_agent: str | None

    @classmethod
    def of(cls, act: Act) -> ActLine:
        """Show an act to the one whom it is about."""
        shown = ActShown.of(act)
        return cls(
            id=shown.id,
            at=shown.at,
            actor_kind=shown.actor.kind,
            actor_id=shown.actor.id,
            actor_email=shown.actor.email,
            action=shown.action,
            detail=shown.detail,
            ip_address=shown.ip_address,
            user_agent=shown.user_agent,
        )


class ActivityPage(Heard, frozen=True, kw_only=True):
    """Some acts; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[ActShown]
    next_cursor: str | None


LIST: Final = Operation(
    "person",
    summary="List what was done with one's account, newest first",
    query=ActivityQuery,
    gives={200: ActivityPage},
    files=tuple(CONTENT_TYPES.values()),
)


@get("/api/account/activity", LIST)
async def list_activity(request: Exchange) -> Answer:
    """Signing in, keys, variables, plans and settings, by whomever.

    `from` and `to` are instants or dates of UTC. With `format` `csv` or `jsonl` all of it comes as one file.
    """
    query = request.asked(ActivityQuery)
    wanted = query.as_wanted(user_id=request.caller.user_id)
    if query.format_ != "json":
        kind = ActLine if query.format_ == "csv" else ActShown
        pages = activity.every(request.wide, wanted)
        return await as_download(request, pages, form=query.format_, name=NAME, kind=kind)
    found, following = await page_of(request, query, wanted)
    return Answer.of(ActivityPage(items=[ActShown.of(each) for each in found], next_cursor=following))


async def page_of(request: Exchange, query: ActivityQuery, wanted: Wanted) -> tuple[list[Act], str | None]:
    """Read what a page shows, and where the next one begins."""
    backend = request.backend
    # What has to look at much shall keep no connection from those who track.
    is_quick = wanted.user_id is not None or wanted == Wanted()
    database = backend.database if is_quick else backend.patient
    found = await activity.listed(database, wanted, limit=query.limit + 1, below=position(query, UUID))
    items = found[: query.limit]
    return items, cursor_at(items[-1].id) if len(found) > query.limit else None
