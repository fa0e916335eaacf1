"""``tollkeeper key``: with what programs come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from tollkeeper.accounts import keys
from tollkeeper.accounts.keys import KeptKey
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import (
    DEFAULTS,
    FIRST_PAGE,
    Answer,
    Common,
    Misused,
    Paged,
    not_empty,
    shown,
    table,
    told_at,
)
from tollkeeper.cli.house import after_of, in_utc, opened, page_of, uuid_of
from tollkeeper.cli.typed import told_as

app = App(name="key", help="API keys: create, list, revoke, rotate, pattern.")

Id = Annotated[str, Parameter(help="Its id, as `key create` and `key list` tell it.")]


@app.command
async def create(
    *,
    service: Annotated[str | None, Parameter(help="Acts for any user; NAME says what it is for.")] = None,
    user: Annotated[str | None, Parameter(help="Acts as the user with this address.", converter=not_empty)] = None,
    name: Annotated[str | None, Parameter(help="What a user's key is for.")] = None,
    scope: Annotated[list[str] | None, Parameter(help="May do only this; can be given again.", negative="")] = None,
    until: Annotated[datetime | None, Parameter(help="When it ends (UTC unless it says so).")] = None,
    address: Annotated[
        list[str] | None,
        Parameter(help="May be used only from this address or network; can be given again.", negative=""),
    ] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Make a key and show it, once."""
    if (service is None) == (user is None):
        raise Misused("whose key: give either --service NAME or --user EMAIL")
    if service is not None and name is not None:
        raise Misused("--name is for a user's key: --service NAME names a service's")
    label = name if service is None else service
    async with opened(common, begins=service is not None) as house:
        with told_as(name="--name" if service is None else "--service"):
            made = await keys.create(
                house.database,
                kind="service" if user is None else "user",
                name="made on the command line" if label is None else label,
                pepper=await house.pepper(),
                actor=OPERATOR,
                user_id=None if user is None else await house.user_id(user),
                scopes=scope,
                expires_at=in_utc(until),
                addresses=address or (),
            )
    note = f"It is shown this once. It may: {', '.join(made.scopes)}."
    return Answer(shown(made), made.key, note)


@app.command(name="list")
async def list_(
    *,
    user: Annotated[str | None, Parameter(help="Whose keys; left out: those of services.", converter=not_empty)] = None,
    paged: Paged = FIRST_PAGE,
    common: Common = DEFAULTS,
) -> Answer:
    """List the keys of services or of one user, the newest first, also those that have ended."""
    most, after = page_of(paged), after_of(paged)
    async with opened(common) as house:
        if user is None:
            found = await keys.of_services(house.database, limit=most + 1, after=after)
        else:
            found = await keys.listed(house.database, await house.user_id(user), limit=most + 1, after=after)
    next_after = found[most - 1].id if len(found) > most else None
    header = ("NAME", "KEY", "STATUS", "SCOPES", "FROM", "LAST USED", "ENDS", "ID")
    return Answer(
        {"items": [shown(key) for key in found[:most]], "nextAfter": next_after},
        table(header, (_row(key) for key in found[:most])),
        f"more: --after {next_after}" if next_after else "",
    )


@app.command
async def revoke(id: Id, /, *, common: Common = DEFAULTS) -> Answer:  # noqa: A002 - its name there
    """End a key, from the next request on."""
    key_id = uuid_of(id)
    async with opened(common) as house:
        await keys.revoke_any(house.database, key_id, actor=OPERATOR)
    return Answer({"id": key_id, "revoked": True}, f"The key {key_id} has ended.")


@app.command
async def rotate(
    id: Id,  # noqa: A002 - its name there
    /,
    *,
    user: Annotated[str | None, Parameter(help="Whose key; left out: a service's.", converter=not_empty)] = None,
    overlap_hours: Annotated[float, Parameter(help="How long the old key works on; 0 ends it at once.")] = 24.0,
    common: Common = DEFAULTS,
) -> Answer:
    """Make a new key on the same terms, and show it once; the old one ends a day later.

    The new one lasts as long as the old one was meant to.
    """
    key_id = uuid_of(id)
    if not 0 <= overlap_hours <= keys.LONGEST_OVERLAP / timedelta(hours=1):
        raise Misused(f"--overlap-hours must be from 0 to {keys.LONGEST_OVERLAP // timedelta(hours=1)}")
    async with opened(common) as house:
        rotated = await keys.rotate(
            house.database,
            key_id,
            pepper=await house.pepper(),
            actor=OPERATOR,
            user_id=None if user is None else await house.user_id(user),
            overlap=timedelta(hours=overlap_hours),
        )
    document = shown(rotated.new) | {"replaces": {"id": rotated.old_id, "expiresAt": rotated.old_ends_at}}
    note = f"It is shown this once. The old one works until {told_at(rotated.old_ends_at)}."
    return Answer(document, rotated.new.key, note)


@app.command
def pattern(*, common: Common = DEFAULTS) -> Answer:  # noqa: ARG001 - every command takes it
    """Print what secret scanners look for: a regular expression that fits every key of ours and nothing else."""
    return Answer({"pattern": keys.KEY_PATTERN}, keys.KEY_PATTERN)


def _row(key: KeptKey) -> tuple[object, ...]:
    return (
        key.name,
        key.shown_as,
        key.status,
        " ".join(key.scopes),
        " ".join(key.addresses) or "anywhere",
        key.last_used_at,
        key.revoked_at or key.expires_at,
        key.id,
    )
