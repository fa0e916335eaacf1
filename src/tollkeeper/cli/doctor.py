"""``tollkeeper doctor``: looks at everything that has to be right around the service, and changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tollkeeper.accounts import masterkey, variables
from tollkeeper.cli.answers import Answer, Common, shown, table
from tollkeeper.cli.house import located, settings_of
from tollkeeper.errors import TollkeeperError
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database, refuse_unsafe
from tollkeeper.store.migrate import MIGRATIONS, ROUTINES, Kind, Script

__all__ = ["doctor"]

Level = Literal["ok", "warn", "fail"]

_LITTLE_BYTES: Final = 2 * 2**30
_TOO_LITTLE_BYTES: Final = 200 * 2**20
_NOTICEABLE_SECONDS: Final = 2.0
_TOO_FAR_SECONDS: Final = 60.0
_GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    level: Level
    message: str


async def doctor(*, common: Common = Common()) -> Answer:
    """Check what has to be right around the service: rights, space, key, database, clock. Changes nothing.

    Each line begins with ok, warn or fail; the exit code is 1 if anything fails.
    """
    settings = settings_of(common)
    findings = [*_around(settings)]
    if settings.database_url is not None or (Path(settings.data) / "master.key").parent.is_dir():
        findings += [finding async for finding in _within(settings)]
    is_fine = all(finding.level != "fail" for finding in findings)
    rows = ((finding.level, finding.check, finding.message) for finding in findings)
    return Answer({"ok": is_fine, "checks": [shown(each) for each in findings]}, table(("", "", ""), rows).strip(), ok=is_fine)
