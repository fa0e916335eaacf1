"""``tollkeeper doctor``: looks at everything that has to be right around the service, and changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from tollkeeper.accounts.secrets import keyring
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, shown, table, told_at
from tollkeeper.cli.house import settings_of
from tollkeeper.errors import TollkeeperError
from tollkeeper.location import exposed_by, forgotten_at, located, master_keys, site_of
from tollkeeper.metering.admin.system import last_verification
from tollkeeper.metering.upkeep.retention import retained
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database, refuse_old
from tollkeeper.store.migrate import MIGRATIONS, ROUTINES, Kind, Script
from tollkeeper.store.placement import is_taken
from tollkeeper.store.room import MIB, Room, disk_bytes

__all__ = ["doctor"]

Level = Literal["ok", "warn", "fail"]
Found = tuple[Level, str]

_GIB: Final = 2**30
_LITTLE_BYTES: Final = 2 * _GIB
_NOTICEABLE_SECONDS: Final = 2.0
_TOO_FAR_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    level: Level
    message: str


async def doctor(*, common: Common = DEFAULTS) -> Answer:
    """Check what has to be right around the service: rights, space, key, database, clock. Changes nothing.

    Each line begins with ok, warn or fail; the exit code is 1 if anything fails.
    """
    settings = settings_of(common)
    findings = list(_around(settings))
    if settings.database_url is not None or is_taken(Path(settings.data)):
        findings += [finding async for finding in _within(settings)]
    else:
        findings.append(Finding("database", "fail", "there is none yet: `tollkeeper migrate` or `serve` makes it"))
    is_fine = all(finding.level != "fail" for finding in findings)
    rows = ((finding.level, finding.check, finding.message) for finding in findings)
    document = {"ok": is_fine, "checks": [shown(each) for each in findings]}
    return Answer(document, table(("", "", ""), rows).lstrip("\n"), ok=is_fine)


def _around(settings: Settings) -> Iterator[Finding]:
    """Check what is outside of the database."""
    data = Path(settings.data)
    yield Finding("settings", "ok", "all are known and fit")
    yield Finding("sign-in", *_sign_in(settings))
    if data.is_dir():
        yield Finding("data directory", *_rights(data))
        yield Finding("disk space", *_space(data, settings))
    elif settings.database_url is None or settings.master_key is None:
        yield Finding("data directory", "fail", f"{data} is not there yet: `tollkeeper serve` makes it")
        return
    else:
        yield Finding("data directory", "ok", "none is needed: settings say the database and the master key")
    yield Finding("master key", *_key(settings))


def _sign_in(settings: Settings) -> Found:
    site = site_of(settings)
    told = forgotten_at(site, settings) or exposed_by(settings)
    return ("warn", told) if told else ("ok", f"browsers keep who is signed in at {site}")


def _rights(data: Path) -> Found:
    found = data.stat()
    if found.st_uid != os.geteuid():
        return "fail", f"{data} belongs to another account (uid {found.st_uid})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "fail", f"others may write to {data}: chmod go-w"
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return "warn", f"others may list {data}: chmod go-r"
    return "ok", f"{data} is ours alone"


def _space(data: Path, settings: Settings) -> Found:
    room = Room.below(data, settings.disk_reserve_mib)
    text = f"{(room.free or 0) / _GIB:.1f} of {disk_bytes(data) / _GIB:.1f} GiB are free at {data}"
    if room.is_scarce:
        return "fail", f"{text}: below {room.least // MIB} MiB nothing new is taken in"
    return ("warn" if room.has_less_than(_LITTLE_BYTES) else "ok"), text


def _key(settings: Settings) -> Found:
    path = Path(settings.data) / "master.key"
    if settings.master_key is None and not path.exists():
        return "warn", f"{path} is not there yet: it is made with the first key or sign-in"
    try:
        keys = master_keys(settings)
    except TollkeeperError as error:
        return "fail", error.detail
    where = path if settings.master_key is None else "TOLLKEEPER_MASTER_KEY"
    return "ok", f"{where} has {len(keys)} version{'s'[: len(keys) > 1]}; keep a copy apart from backups"


async def _within(settings: Settings) -> AsyncGenerator[Finding]:
    """Check the database. What one check cannot ask, others still may."""
    try:
        async with (
            located(settings) as addresses,
            Database.open(addresses.service, size=1, transaction_pooler=settings.transaction_pooler) as database,
        ):
            checks = _CHECKS if await database.value("is_begun") else _CHECKS_BEFORE
            for name, check in checks.items():
                yield Finding(name, *await _asked(check, database, settings))
    except TollkeeperError as error:
        yield Finding("database", "fail", error.detail)


async def _asked(
    check: Callable[[Database, Settings], Awaitable[Found]], database: Database, settings: Settings
) -> Found:
    try:
        return await check(database, settings)
    except TollkeeperError as error:
        return "fail", error.detail


async def _server(database: Database, _: Settings) -> Found:
    await refuse_old(database)
    version = await database.value("server_version")
    return "ok", f"PostgreSQL {version // 10_000}.{version % 10_000}; what it confirms, it keeps"


async def _no_migrations(_: Database, __: Settings) -> Found:
    return "fail", "there is no service in this database yet: `tollkeeper migrate` or `serve` makes it"


async def _migrations(database: Database, _: Settings) -> Found:
    rows = await database.all("scripts_applied")
    applied = {row["name"]: row["checksum"] for row in rows}
    scripts = [*_scripts(MIGRATIONS, "migration"), *_scripts(ROUTINES, "routine")]
    newer = sorted({row["name"] for row in rows if row["kind"] == "migration"} - {each.name for each in scripts})
    if newer:
        return "fail", f"the database is newer than this tollkeeper: it has {', '.join(newer)}"
    changed = [
        each.name
        for each in scripts
        if each.kind == "migration" and applied.get(each.name, each.checksum) != each.checksum
    ]
    if changed:
        return "fail", f"applied with another text than this tollkeeper has: {', '.join(changed)}"
    due = [each.name for each in scripts if applied.get(each.name) != each.checksum]
    if due:
        return "fail", f"to be applied by `tollkeeper migrate` or the next start: {', '.join(due)}"
    return "ok", f"all {len(scripts)} are applied"


def _scripts(directory: Path, kind: Kind) -> list[Script]:
    return [Script(path.name, kind, path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.sql"))]


async def _role(database: Database, _: Settings) -> Found:
    found = await database.one("role_rights")
    if found is None:
        return "fail", "the database does not say who we are"
    if found["may_rule"]:
        return "warn", f"{found['role']}, which serves, rules over the server: give it a role without such rights"
    if found["may_create"] or found["owns"]:
        return "warn", f"{found['role']}, which serves, may alter tables: set TOLLKEEPER_OWNER_DATABASE_URL to another"
    return "ok", f"{found['role']} can neither alter nor drop"


async def _clock(database: Database, _: Settings) -> Found:
    before = datetime.now(UTC)
    theirs = await database.value("database_instant")
    after = datetime.now(UTC)
    apart = abs((theirs - (before + (after - before) / 2)).total_seconds())
    level = "ok" if apart < _NOTICEABLE_SECONDS else "warn" if apart < _TOO_FAR_SECONDS else "fail"
    return level, f"the database, whose clock decides, is {apart:.3f} s from this machine"


async def _partitions(database: Database, _: Settings) -> Found:
    missing = [row["month"] for row in await database.all("months_without_partition")]
    if missing:
        return "warn", f"none for {' and '.join(missing)} yet: `tollkeeper serve` makes them"
    return "ok", "this month and the next have theirs"


async def _retention(database: Database, _: Settings) -> Found:
    kept = await retained(database)
    rows, texts = (told_at(at) if at else "the beginning" for at in (kept.rows_from, kept.texts_from))
    if kept.closing:
        return "warn", f"{', '.join(kept.closing)} is taken out and not yet dropped: `tollkeeper prune` goes on with it"
    return "ok", f"there are rows since {rows}, texts since {texts}"


async def _numbers(database: Database, _: Settings) -> Found:
    last = await last_verification(database)
    if last is None:
        return "ok", "nothing was proved yet: `tollkeeper verify` does, and `serve` by itself"
    at = told_at(last.at)
    if last.unreadable:
        return "fail", f"the requests of {last.unreadable} users or months could not be read at {at}"
    if last.differences:
        return "fail", f"{last.differences} were not what the requests say at {at}: `tollkeeper verify` names them"
    return "ok", f"all were what the requests say at {at}"


async def _secrets(database: Database, settings: Settings) -> Found:
    if not await keyring.known(database) and not await keyring.needed(database):
        return "ok", "none is kept yet"
    await keyring.refuse_unfit(database, master_keys(settings))
    return "ok", "every secret that is kept can be opened"


_CHECKS: Final[dict[str, Callable[[Database, Settings], Awaitable[Found]]]] = {
    "server": _server,
    "migrations": _migrations,
    "role": _role,
    "clock": _clock,
    "partitions": _partitions,
    "retention": _retention,
    "numbers": _numbers,
    "secrets": _secrets,
}
_CHECKS_BEFORE: Final = {"server": _server, "role": _role, "migrations": _no_migrations}
