"""``tollkeeper key``: with what programs come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from tollkeeper.accounts import keys
from tollkeeper.accounts.keys import KeptKey
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, FIRST_PAGE, Answer, Common, Misused, Paged, shown, table
from tollkeeper.cli.house import in_utc, opened, page_of, uuid_of

app = App(name="key", help="API keys: create, list, revoke.")


@app.command
async def create(
    *,
    service: Annotated[str | None, Parameter(help="Acts for any user; NAME says what it is for.")] = None,
    user: Annotated[str | None, Parameter(help="Acts as the user with this address.")] = None,
    name: Annotated[str | None, Parameter(help="What a user's key is for.")] = None,
    scope: Annotated[list[str] | None, Parameter(help="May do only this; can be given again.", negative="")] = None,
    until: Annotated[datetime | None, Parameter(help="When it ends (UTC unless it says so).")] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Make a key and show it, once."""
    if (service is None) == (user is None):
        raise Misused("whose key: give either --service NAME or --user EMAIL")
    if service is not None and name is not None:
        raise Misused("--name is for a user's key: --service NAME names a service's")
    async with opened(common) as house:
        made = await keys.create(
            house.database,
            kind="user" if user else "service",
            name=service or name or "made on the command line",
            pepper=house.pepper,
            actor=OPERATOR,
            user_id=await house.user_id(user) if user else None,
            scopes=scope,
            expires_at=in_utc(until),
        )
    note = f"It is shown this once. It may: {', '.join(made.scopes)}."
    return Answer(shown(made), made.key, note)


@app.command(name="list")
async def list_(
    *,
    user: Annotated[str | None, Parameter(help="Whose keys; left out: those of services.")] = None,
    paged: Paged = FIRST_PAGE,
    common: Common = DEFAULTS,
) -> Answer:
    """List the keys of services or of one user, the newest first, also those that have ended."""
    most, after = page_of(paged), uuid_of(paged.after)
    async with opened(common) as house:
        if user is None:
            found = await keys.of_services(house.database)
        else:
            found = await keys.listed(house.database, await house.user_id(user))
    left = [key for key in found if after is None or key.id < after]
    next_after = left[most - 1].id if len(left) > most else None
    header = ("NAME", "KEY", "SCOPES", "LAST USED", "ENDED", "ID")
    return Answer(
        {"items": [shown(key) for key in left[:most]], "nextAfter": next_after},
        table(header, (_row(key) for key in left[:most])),
        f"more: --after {next_after}" if next_after else "",
    )


@app.command
async def revoke(
    id: Annotated[str, Parameter(help="Its id, as `key create` and `key list` tell it.")],  # noqa: A002 - its name there
    /,
    *,
    common: Common = DEFAULTS,
) -> Answer:
    """End a key, from the next request on."""
    key_id = uuid_of(id)
    if key_id is None:
        raise Misused("which key: give its id")
    async with opened(common) as house:
        await keys.revoke_any(house.database, key_id, actor=OPERATOR)
    return Answer({"id": key_id, "revoked": True}, f"The key {key_id} has ended.")


def _row(key: KeptKey) -> tuple[object, ...]:
    return (key.name, key.shown_as, " ".join(key.scopes), key.last_used_at, key.revoked_at or key.expires_at, key.id)
