"""A thousand secrets are sent in every way that there is, and afterwards none of them stands anywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import asyncpg
import pytest

from tests.conftest import Server
from tests.metering.canaries import Canary, canaries
from tests.metering.making import an_outcome
from tollkeeper.metering.tracking.requests import NewRequest
from tollkeeper.metering.tracking.texts import TextPolicy
from tollkeeper.metering.upkeep.importing import Importer, Past
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database

from .batches import told
from .conftest import Person, Site, a_site

COUNT: Final = 1000
AT: Final = datetime.now(UTC) - timedelta(days=3)
Sayer = Literal["house", "plan"]


@dataclass(slots=True)
class Sender:
    """Sends each canary once: in prompts, responses, metadata (values and names), error messages, by every way in."""

    site: Site
    person: Person
    left: list[Canary]

    def next(self) -> str:
        return self.left.pop().text

    def metadata(self) -> dict[str, Any]:
        return {"note": [self.next(), {self.next(): 1}]}

    async def single(self, name: str) -> list[Any]:
        """A start and its end, each sent twice: the second time it is known."""
        start = {"prompt": self.next(), "metadata": self.metadata(), "requestId": name, "model": "gpt-4o"}
        failed = len(self.left) % 2
        end = {"requestId": name, "tokensInput": 3, "tokensOutput": 4, "duration": 5}
        end |= (
            {"status": "failed", "error": self.next()} if failed else {"status": "completed", "response": self.next()}
        )
        seen: list[Any] = []
        for method, says, first in (("POST", start, 201), ("PUT", end, 200)):
            heard = [
                await self.site.call(method, "/api/chat/track", by=self.person.by_key, says=says) for _ in range(2)
            ]
            assert [each.status for each in heard] == [first, 200], heard[0].body
            assert heard[0].body == heard[1].body
            seen.append(heard[0].json["limits"]["monthlyUsed"])
        return seen

    async def batch(self, size: int) -> None:
        """Ended ones and starts in one call, sent twice."""
        items = [
            {
                "user": self.person.email,
                "prompt": self.next(),
                "metadata": self.metadata(),
                "requestId": f"batch-{number}",
                **({"status": "completed", "response": self.next()} if number % 3 else {}),
                **({"status": "failed", "errorMessage": self.next()} if number % 3 == 1 else {}),
            }
            for number in range(size)
        ]
        for _ in range(2):
            verdicts = await told(self.site, items)
            assert [each for each in verdicts if each.get("problem")] == []

    async def imported(self) -> None:
        """All that is left, as rows of a foreign record, booked twice."""
        rows: list[Past] = []
        while len(self.left) >= 4:
            user, number = self.person.id, len(rows)
            request = NewRequest(user, self.next(), AT, metadata=self.metadata(), import_key=f"{number}", started_at=AT)
            kind = {"response": self.next()} if number % 2 else {"error_message": self.next()}
            outcome = an_outcome(user, "", "completed" if number % 2 else "failed", completed_at=AT, **kind)
            rows.append(Past(number, request, outcome))
        async with Database.open(self.site.addresses.owner, size=1) as owner:
            importer = Importer(self.site.application.backend.ledger, owner)
            assert (await importer.book(rows)).imported == len(rows)
            assert (await importer.book(rows)).skipped == len(rows)


async def sent(site: Site, person: Person, seed: int) -> list[Canary]:
    """Send them all."""
    many = canaries(COUNT, seed=seed)
    sender = Sender(site, person, list(many))
    for number in range(80):
        await sender.single(f"single-{number}")
    await sender.batch(90)
    await sender.imported()
    assert len(sender.left) < 4
    return many[len(sender.left) :]


async def dump(owner: asyncpg.Connection) -> str:
    """Read every table and view, whole."""
    tables = await owner.fetch(
        "SELECT format('SELECT string_agg(t::text, E''\\n'') FROM %I AS t', c.relname) AS sql FROM pg_class AS c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
    )
    assert len(tables) > 20
    return "\n".join([await owner.fetchval(table["sql"]) or "" for table in tables])


def standing_in(text: str, many: Sequence[Canary]) -> list[Canary]:
    """Give those that stand in a text: as they are, as JSON within JSON or as a row writes them, or as hex."""
    text = text.replace('""', '"').replace("\\\\", "\\")
    return [each for each in many if each.needle in text or each.needle.encode().hex() in text]


def in_files(directory: Path, many: Sequence[Canary], *, since: float) -> list[Canary]:
    """Search files that were written since then, byte by byte."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.stat().st_mtime >= since]
    assert files
    found: list[Canary] = []
    for path in files:
        raw = path.read_bytes().rstrip(b"\0")
        found += [each for each in many if each.needle.encode() in raw]
    return found


async def in_server(site: Site, server: Server, many: Sequence[Canary], *, since: float) -> list[Canary]:
    """Search the files of the database and the write-ahead log; and the server's own log, where nothing may ever be."""
    admin = await asyncpg.connect(server.addresses.admin)
    await admin.execute("CHECKPOINT")
    data, logs = [Path(await admin.fetchval(f"SHOW {name}")) for name in ("data_directory", "log_directory")]
    await admin.close()
    assert in_files(data / logs, many, since=0) == []
    oid = await site.owner.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    return in_files(data / "pg_wal", many, since=since) + in_files(data / "base" / str(oid), many, since=since)


@pytest.mark.parametrize(
    ("seed", "policy", "by"),
    [
        (1, "all", "house"),
        (2, "redacted", "house"),
        (3, "redacted", "plan"),
        (4, "none", "house"),
        (5, "none", "plan"),
    ],
)
async def test_of_a_thousand_secrets_none_is_found(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, seed: int, policy: TextPolicy, by: Sayer
) -> None:
    caplog.set_level(logging.DEBUG)
    began = datetime.now(UTC).timestamp()
    settings = Settings(port=0, data=str(tmp_path), text_policy=policy if by == "house" else "all")
    async with a_site(server, settings) as site:
        plan = await site.plan("keeping", text_policy=policy if by == "plan" else "all")
        many = await sent(site, await site.person(plan), seed)
        kept = standing_in(await dump(site.owner), many)
        metrics = (await site.call("GET", "/metrics")).body.decode()
        assert "tollkeeper_" in metrics
        assert standing_in(metrics + caplog.text, many) == []
        assert (await verify(site.application.backend.database)).differences == []
        written = await in_server(site, server, many, since=began)
        requests = await site.owner.fetchrow(
            "SELECT count(*) AS all, count(prompt) AS prompts, count(*) FILTER (WHERE prompt LIKE '%[%') AS redacted, "
            "count(response) + count(error_message) + count(metadata) AS others FROM chat_requests"
        )
        assert requests is not None
        assert requests["all"] > 200
        if policy == "all":
            # So much for the search: it finds what there is.
            assert len(kept) == len(many)
            assert len(set(written)) > len(many) / 2
            assert requests["prompts"] == requests["all"]
            return
        assert kept == written == []
        if policy == "redacted":
            assert requests["redacted"] == requests["all"]
        else:
            assert requests["prompts"] == requests["others"] == 0
