"""``tollkeeper backup`` and ``tollkeeper restore``: everything in one file, and out of it into a new place."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from cyclopts import Parameter

from tollkeeper.accounts.secrets import keyring
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Misused, Nowhere, counted, told_at
from tollkeeper.cli.files import handed_on, target
from tollkeeper.cli.house import connected, refuse_nowhere, settings_of
from tollkeeper.cli.progress import progress
from tollkeeper.errors import Misconfigured
from tollkeeper.location import located, master_key_file, master_keys
from tollkeeper.settings import Settings
from tollkeeper.store import backup as store
from tollkeeper.store.database import Database
from tollkeeper.store.migrate import NothingThere

__all__ = ["backup", "restore"]

_STANDARD_OUTPUT: Final = Path("-")
_SECONDS: Final = 60.0
_MIB: Final = 2**20

File = Annotated[Path, Parameter(help="The file that `tollkeeper backup` wrote.")]


async def backup(
    file: Annotated[Path, Parameter(help="Where to write it; - is standard output.", allow_leading_hyphen=True)],
    /,
    *,
    common: Common = DEFAULTS,
) -> Answer | None:
    """Write everything that the database holds into one file, as it stands at one instant, beside a running service.

    The file is written whole or not at all, for your eyes only. The master key is not in it: keep a copy of that apart.
    `tollkeeper restore` fills a new place from it, on this machine or another.
    """
    settings, programs = settings_of(common), store.Programs(os.environ)
    output = None if file == _STANDARD_OUTPUT else file
    if output is None and (common.json or sys.stdout.isatty()):
        raise Misused("a backup is no text: name a file, or send standard output into a pipe (without --json)")
    refuse_nowhere(settings, common)
    with target(output, told_as="FILE") as written, ExitStack() as shows:
        async with located(settings) as addresses:
            try:
                await store.back_up(
                    programs,
                    addresses.owner,
                    written if output else partial(handed_on, written),
                    begin=lambda tables: shows.enter_context(progress("Reading tables", tables)),
                )
            except NothingThere:
                raise Nowhere("there is no service in this database: nothing to back up") from None
    if output is None:
        return None
    archive, size = await store.described(programs, output), output.stat().st_size
    key = master_key_file(settings)
    return Answer(
        {"file": str(output), "bytes": size, "takenAt": archive.taken_at, "masterKey": key and str(key)},
        f"All as of {told_at(archive.taken_at)} is in {output} ({size / _MIB:,.1f} MiB).",
        f"The master key is not in it: keep a copy of {key or 'TOLLKEEPER_MASTER_KEY'} apart from it.",
    )


async def restore(file: File, /, *, common: Common = DEFAULTS) -> Answer:
    """Fill a new data directory, or an empty database of yours, with what a backup holds, whole or not at all.

    What was of an older version is brought up to this one. All sign-ins end. It is then as it was when the backup was
    taken: keys that were revoked since work again, and users who were deleted since are there again.
    """
    settings, programs = settings_of(common), store.Programs(os.environ)
    archive = await store.described(programs, file)
    async with located(settings) as addresses:
        with _read(file) as (source, advance):
            try:
                await store.restore(programs, addresses.owner, source, advance=advance)
            except store.NotEmpty as error:
                raise Misconfigured(f"{_place(settings)} is taken ({error.detail}): restore into a new one") from error
        async with connected(settings, addresses, statement_seconds=_SECONDS, may_begin=False) as database:
            ended = await logins.note_restored(database, actor=OPERATOR, taken_at=archive.taken_at)
            fault = await _fault_of_keys(database, settings)
    return _told(settings, archive.taken_at, ended, fault)


def _told(settings: Settings, taken_at: datetime, ended: int, fault: str | None) -> Answer:
    document: dict[str, Any] = {"takenAt": taken_at, "endedSessions": ended, "masterKeyFits": fault is None}
    return Answer(
        document | {"masterKeyFault": fault},
        f"All is in {_place(settings)} as it was at {told_at(taken_at)}. {counted(ended, 'sign-in')} ended.",
        f"It cannot serve yet: {fault}" if fault else "`tollkeeper verify` proves every number of it.",
    )


@contextmanager
def _read(file: Path) -> Generator[tuple[BinaryIO, Any]]:
    with file.open("rb") as source, progress("Restoring bytes", file.stat().st_size) as advance:
        yield source, advance


async def _fault_of_keys(database: Database, settings: Settings) -> str | None:
    """Say what is wrong with the master keys here for what was restored."""
    if not await keyring.known(database) and not await keyring.needed(database):
        return None
    try:
        await keyring.refuse_unfit(database, master_keys(settings))
    except Misconfigured as error:
        return error.detail
    return None


def _place(settings: Settings) -> str:
    return "the database of TOLLKEEPER_DATABASE_URL" if settings.database_url else settings.data
