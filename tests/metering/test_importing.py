"""Booking what was made elsewhere: each row once, at its own time, and no row in the way of another."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from tests.metering.making import a_user
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.metering.upkeep.importing import SET_BYTES, SET_ROWS, Booked, Importer, Past, in_sets
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS, prune_rows
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

THEN = datetime(2024, 2, 28, 22, tzinfo=UTC)
BEFORE_TIME = datetime(1969, 12, 31, tzinfo=UTC)


@pytest.fixture
async def importer(ledger: Ledger, dsns: Addresses) -> AsyncGenerator[Importer]:
    async with Database.open(dsns.owner, size=1) as owner:
        yield Importer(ledger, owner)


def a_row(user: UUID, row: int, *, at: datetime = THEN, client_id: str | None = None, **outcome: Any) -> Past:
    request = NewRequest(
        user_id=user,
        prompt="",
        priced_at=at,
        started_at=at,
        import_key=f"row {row}",
        model="gpt-4o",
        client_id=client_id,
    )
    given: dict[str, Any] = {"tokens_used": 3, "tokens_input": 2, "tokens_output": 1} | outcome
    ended = Outcome(user, "", at, trusted=True, status="completed", completed_at=at, **given)
    return Past(row, request, ended)


async def test_rows_count_in_their_own_days_and_in_no_window_of_now(
    importer: Importer, ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    rows = [a_row(user, hour, at=THEN + timedelta(hours=hour)) for hour in range(60)]
    assert await importer.book(rows) == Booked(imported=60)
    days = await owner.fetch(
        "SELECT period_start::date AS day, completed FROM usage_rollups WHERE period = 'day' ORDER BY 1"
    )
    assert [(str(day), count) for day, count in days] == [
        ("2024-02-28", 2),
        ("2024-02-29", 24),
        ("2024-03-01", 24),
        ("2024-03-02", 10),
    ]
    seen = await dashboard.read(db, ledger, user)
    assert (seen.total_requests, seen.total_tokens_used, seen.requests_today, seen.requests_this_month) == (
        60,
        180,
        0,
        0,
    )
    assert not (await verify(db)).differences


async def test_more_than_any_plan_allows_is_not_refused(importer: Importer, db: Database, user: UUID) -> None:
    now = await db.value("database_instant")
    rows = [a_row(user, number, at=now - timedelta(microseconds=number)) for number in range(1500)]
    assert (await importer.book(rows)).imported == 1500
    assert not (await verify(db)).differences


async def test_the_same_again_changes_nothing(importer: Importer, owner: asyncpg.Connection, user: UUID) -> None:
    rows = [a_row(user, number) for number in range(20)]
    await importer.book(rows[:12])
    before = await owner.fetch("SELECT * FROM usage")
    assert await importer.book(rows[:12]) == Booked(skipped=12)
    assert await owner.fetch("SELECT * FROM usage") == before
    assert await importer.book(rows) == Booked(imported=8, skipped=12)


async def test_a_row_that_was_booked_at_another_time_is_the_same_row(importer: Importer, user: UUID) -> None:
    await importer.book([a_row(user, 1), a_row(user, 2)])
    moved = THEN + timedelta(days=9)
    assert await importer.book([a_row(user, 1, at=moved), a_row(user, 2, at=moved)]) == Booked(skipped=2)


async def test_a_bad_row_stands_alone(importer: Importer, db: Database, user: UUID) -> None:
    rows = [a_row(user, number) for number in range(1, 101)]
    rows[16] = a_row(user, 17, at=datetime(2999, 1, 1, tzinfo=UTC))
    rows[29] = a_row(user, 30, at=datetime(1969, 12, 31, tzinfo=UTC))
    rows[63] = a_row(user, 64, rating=6, rated=True)
    rows[64] = replace(rows[64], request=structs.replace(rows[64].request, model="m" * 300))
    booked = await importer.book(rows)
    assert (booked.imported, booked.skipped) == (96, 0)
    assert sorted(refused.row for refused in booked.refused) == [17, 30, 64, 65]
    assert {refused.error.detail for refused in booked.refused if refused.row in {17, 30}} == {
        "startedAt: lies in the future",
        "startedAt: lies before 1970",
    }
    assert not (await verify(db)).differences


async def test_newcomers_come_with_rows_whose_texts_their_plan_keeps_otherwise(
    ledger: Ledger, owner: asyncpg.Connection, dsns: Addresses
) -> None:
    await owner.execute("UPDATE plans SET text_policy = 'redacted' WHERE name = 'free'")
    rows = list[Past]()
    for n, email in enumerate(("ada@example.com", "bob@example.com")):
        row = a_row(uuid4(), n)
        request = structs.replace(row.request, prompt=f"write to {email}")
        rows.append(replace(row, request=request, newcomer=email))
    async with Database.open(dsns.owner, size=1) as elsewhere:
        importer = Importer(ledger, elsewhere, welcome=users.of_emails_or_new)
        assert await importer.book(rows) == Booked(imported=2)
    assert await owner.fetch("SELECT prompt FROM chat_requests") == [("write to [email]",)] * 2
    assert await owner.fetchval("SELECT count(*) FROM accounts") == 2


async def test_an_id_of_a_client_is_taken_once(importer: Importer, user: UUID) -> None:
    twins = [a_row(user, 1, client_id="req-1"), a_row(user, 2, client_id="req-1", at=THEN + timedelta(seconds=1))]
    booked = await importer.book([twins[0]]) + await importer.book([twins[1], a_row(user, 3, client_id="req-3")])
    assert (booked.imported, [refused.row for refused in booked.refused]) == (2, [2])


async def test_what_has_not_ended_waits_for_its_deadline(
    importer: Importer, ledger: Ledger, db: Database, user: UUID
) -> None:
    assert (await importer.book([replace(a_row(user, 1), outcome=None)])).imported == 1
    assert (await dashboard.read(db, ledger, user)).pending == 1


async def test_every_month_has_its_partition_before_rows_come(
    importer: Importer, owner: asyncpg.Connection, user: UUID
) -> None:
    months = [datetime(2023, month, 1, tzinfo=UTC) for month in (1, 2, 11)]
    await importer.book([a_row(user, place, at=month) for place, month in enumerate(months)])
    where = await owner.fetch("SELECT tableoid::regclass::text AS part FROM chat_requests ORDER BY id")
    assert [row["part"] for row in where] == [f"chat_requests_2023_{month}" for month in ("01", "02", "11")]


def as_exported(row: Past, id: UUID | None) -> Past:  # noqa: A002 - as the row calls it
    """The same request as an export tells it: under its id, and what identifies the row is another."""
    return replace(row, request=structs.replace(row.request, import_key=f"exported {id}"), id=id)


async def test_a_request_that_was_made_here_is_known_by_its_id(
    importer: Importer, db: Database, owner: asyncpg.Connection, ledger: Ledger, user: UUID
) -> None:
    await importer.book([a_row(user, 0)])
    exported = as_exported(a_row(user, 0), await owner.fetchval("SELECT id FROM chat_requests"))
    other = await a_user(db, email="other@example.com")
    copy = as_exported(a_row(other, 0), exported.id)
    assert await importer.book([exported, copy, exported]) == Booked(imported=1, skipped=2)
    assert (await dashboard.read(db, ledger, user)).total_requests == 1


async def test_what_was_imported_before_is_known_whatever_became_of_its_texts(importer: Importer, user: UUID) -> None:
    named = a_row(user, 0, client_id="mine")
    assert (await importer.book([named])).imported == 1
    cleared = replace(named, request=structs.replace(named.request, prompt="another"))
    assert await importer.book([cleared]) == Booked(skipped=1)
    other = replace(cleared, request=structs.replace(cleared.request, import_key="row 1"))
    assert [each.row for each in (await importer.book([other])).refused] == [0]


async def test_what_was_pruned_is_not_counted_again(
    *, importer: Importer, ledger: Ledger, db: Database, dsns: Addresses, owner: asyncpg.Connection, user: UUID
) -> None:
    past = [a_row(user, row, at=THEN + timedelta(days=3 * row)) for row in range(4)]
    assert (await importer.book(past)).imported == 4
    exported = as_exported(past[0], await owner.fetchval("SELECT id FROM chat_requests ORDER BY id LIMIT 1"))
    async with Database.open(dsns.owner, size=1, lock_timeout=LOCK_SECONDS) as keeper:
        pruned = await prune_rows(keeper, ledger, datetime(2024, 3, 1, tzinfo=UTC), actor=Actor("x"))
        assert pruned.requests == 1
        again = await importer.book([*past, exported])
        assert (again.imported, again.skipped, [each.row for each in again.refused]) == (0, 4, [0])
        (told,) = again.refused[0].error.fields["errors"]
        assert (told["field"], told["message"].split(",")[0]) == ("startedAt", "lies before 2024-03-01")
        assert (await dashboard.read(db, ledger, user)).total_requests == 4
        sure = Importer(ledger, keeper, counts_pruned=True)
        never_here = a_row(user, 4, at=THEN + timedelta(minutes=1))
        assert await sure.book([never_here, *past]) == Booked(imported=1, skipped=4)
        assert [each.row for each in (await sure.book([a_row(user, 5, at=BEFORE_TIME)])).refused] == [5]
    assert (await dashboard.read(db, ledger, user)).total_requests == 5
    assert (await verify(db)).differences == []


def test_sets_are_bounded_in_rows_and_in_bytes() -> None:
    assert [len(each) for each in in_sets(range(2 * SET_ROWS + 1), lambda _: 1)] == [SET_ROWS, SET_ROWS, 1]
    assert [len(each) for each in in_sets(range(5), lambda _: SET_BYTES // 2)] == [2, 2, 1]
    assert list(in_sets([1, 2], lambda _: SET_BYTES + 1)) == [[1], [2]]


def test_what_was_read_before_a_file_broke_is_given() -> None:
    def rows() -> Any:
        yield from (1, 2)
        raise Invalid.field("file", "ends in the middle")

    given = in_sets(rows(), lambda _: 1)
    assert next(given) == [1, 2]
    with pytest.raises(Invalid, match="ends in the middle"):
        next(given)
