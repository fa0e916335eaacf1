"""After a scrub no byte of what was deleted is in any file of the database, its log included."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from tollkeeper.errors import Unavailable
from tollkeeper.store import scrubbing
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.migrate import migrate
from tollkeeper.store.scrubbing import scrub

CANARY = b"canary-of-the-scrub-51"


@pytest.fixture
async def addresses(open_dir: Path, programs: Path) -> AsyncGenerator[tuple[Path, Addresses]]:
    """A server of this test's own, whose log is as long as that of one that has run for a while."""
    data_dir = open_dir / "scrubbed"
    async with embedded_server(data_dir, programs=programs, shelter=open_dir / "shelter") as addresses:
        await migrate(addresses.owner, addresses.service)
        yield data_dir, addresses


def files_with(data_dir: Path, text: bytes) -> list[str]:
    """Name the files in which some bytes stand."""
    note = data_dir / "postgres-is-at"
    home = Path(note.read_text(encoding="utf-8").strip()) if note.exists() else data_dir
    found: list[str] = []
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and text in path.read_bytes():
                found.append(str(path.relative_to(home)))
    return found


async def write_much(owner: Any) -> None:
    """Write and delete what is found again, short and long, until segments of the log have been recycled."""
    dice = Random(1)
    word = CANARY.decode()
    for turn in range(40):
        long = word + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=100_000))
        user = await owner.fetchval(
            "INSERT INTO accounts (name) SELECT $1 || n FROM generate_series(1, 20) AS n RETURNING id", word
        )
        await owner.execute(
            "INSERT INTO variables (user_id, key, value) "
            "SELECT $1, 'K' || n, right($2, 60000) || $3 FROM generate_series(1, 20) AS n",
            *(user, long, word),
        )
        await owner.execute(
            "INSERT INTO user_identities (kind, value, user_id, shown_as) VALUES ('email', $1, $2, $1)",
            f"{word}{turn}",
            user,
        )
    await owner.execute("ANALYZE")
    assert await owner.fetchval(
        "SELECT count(*) FROM pg_stats WHERE concat(most_common_vals, histogram_bounds) LIKE $1", f"%{word}%"
    )
    await owner.execute("DELETE FROM accounts")


async def test_nothing_that_was_deleted_is_left_in_any_file(addresses: tuple[Path, Addresses]) -> None:
    data_dir, at = addresses
    owner: Any = await asyncpg.connect(at.owner)
    admin: Any = await asyncpg.connect(at.admin)
    try:
        await write_much(owner)
        for _ in range(2):
            await admin.execute("CHECKPOINT")
            await admin.execute("SELECT pg_switch_wal()")
        before = files_with(data_dir, CANARY)
        assert any("pg_wal" in name for name in before)
        assert any("base" in name for name in before)
        done = await scrub(at.owner, at.admin)
        assert done.tables > 20
        assert done.segments
        assert files_with(data_dir, CANARY) == []
        # And the server is as it was.
        assert await admin.fetchval("SHOW wal_recycle") == "on"
        await owner.execute("INSERT INTO accounts (name) VALUES ('x')")
    finally:
        await owner.close()
        await admin.close()


async def test_what_others_still_see_is_not_called_gone(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[Path, Addresses]
) -> None:
    _, at = addresses
    monkeypatch.setattr(scrubbing, "_PAUSES_SECONDS", (0.1,) * 2)
    reader: Any = await asyncpg.connect(at.service)
    owner: Any = await asyncpg.connect(at.owner)
    await owner.execute("INSERT INTO accounts (name) VALUES ('x')")
    async with reader.transaction(isolation="repeatable_read"):
        # It holds no table: what it keeps is the past.
        await reader.fetch("SELECT 1")
        await owner.execute("DELETE FROM accounts")
        with pytest.raises(Unavailable, match="reading"):
            await scrub(at.owner, None)
    assert (await scrub(at.owner, None)).segments is None
    await reader.close()
    await owner.close()
