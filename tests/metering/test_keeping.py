"""What is stored of texts is what house and plan both keep, at the instant that decides, and no number knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import NOON, PENDING_FOR, Clock, a_plan, a_request, a_user, an_outcome, outcomes_of
from tollkeeper.activity import Actor
from tollkeeper.errors import AlreadyFinished, KeyReused, LimitReached
from tollkeeper.metering.plans import catalogue, terms
from tollkeeper.metering.tracking import batch
from tollkeeper.metering.tracking.keeping import Keeping
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.metering.tracking.texts import POLICIES, TextPolicy, stricter
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

PROMPT, REDACTED = "ask alice@example.com", "ask [email]"
ANSWER, REDACTED_ANSWER = "use sk-0123456789abcdef0123", "use [key]"
CARD = {"cards": ["4111 1111 1111 1111"]}
KEPT: dict[TextPolicy, tuple[Any, ...]] = {
    "all": (PROMPT, ANSWER, '{"cards": ["4111 1111 1111 1111"]}', "10.0.0.1", "bob@example.com/1.0"),
    "redacted": (REDACTED, REDACTED_ANSWER, '{"cards": ["[card]"]}', "10.0.0.1", "[email]/1.0"),
    "none": (None,) * 5,
}
_ROW = "SELECT prompt, coalesce(response, error_message), metadata::text, ip_address, user_agent FROM chat_requests"


@asynccontextmanager
async def a_house(db: Database, policy: TextPolicy = "all") -> AsyncGenerator[Ledger]:
    """A node of a house with a policy of its own."""
    async with Ledger(db, pending_for=PENDING_FOR, keeping=Keeping.of(policy, [])) as ledger:
        yield ledger


async def a_plan_that_keeps(owner: asyncpg.Connection, policy: TextPolicy, **terms: Any) -> str:
    """Add a plan with a text policy."""
    name = await a_plan(owner, f"keeps-{policy}", **terms)
    await owner.execute("UPDATE plans SET text_policy = $1 WHERE name = $2", policy, name)
    return name


def asked(user: UUID, name: str | None = None, **given: Any) -> NewRequest:
    """Make a start with a secret in every text."""
    ours: dict[str, Any] = {"metadata": CARD, "ip_address": "10.0.0.1", "user_agent": "bob@example.com/1.0"}
    return a_request(user, PROMPT, client_id=name, **(ours | given))


def answered(user: UUID, name: Any, status: Any = "completed", **given: Any) -> Outcome:
    """Make its end, with one as well."""
    ours: dict[str, Any] = {"error_message": ANSWER} if status == "failed" else {"response": ANSWER}
    return an_outcome(user, name, status, **(ours | given))


@pytest.mark.parametrize("house", POLICIES)
@pytest.mark.parametrize("plan", POLICIES)
async def test_the_stricter_of_house_and_plan_holds_on_every_way_in(
    db: Database, owner: asyncpg.Connection, house: TextPolicy, plan: TextPolicy
) -> None:
    user = await a_user(db, await a_plan_that_keeps(owner, plan))
    async with a_house(db, house) as ledger:
        for number, status in enumerate(("completed", "failed")):
            await ledger.start(asked(user, f"single-{number}"))
            await ledger.finish(answered(user, f"single-{number}", status))
        await ledger.start(asked(user, "patched"))
        await ledger.finish(answered(user, "patched", None))
        past = asked(user, "past", started_at=NOON, import_key="1")
        assert await ledger.record([(past, answered(user, "", completed_at=NOON))]) == [True]
        ended = asked(user, "batched", started_at=NOON)
        told = await batch.book(ledger, [(ended, answered(user, "", completed_at=NOON)), (asked(user, "open"), None)])
        await ledger.finish(answered(user, "open"))
        assert not any(isinstance(each, Exception) for each in told)
    rows = [tuple(row) for row in await owner.fetch(_ROW)]
    assert rows == [KEPT[stricter(house, plan)]] * 6
    assert (await verify(db)).differences == []


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_repeat_is_a_repeat_and_another_payload_another_whatever_was_kept(
    db: Database, owner: asyncpg.Connection, policy: TextPolicy
) -> None:
    user = await a_user(db, await a_plan_that_keeps(owner, policy))
    first = asked(user, "once")
    async with a_house(db) as here, a_house(db) as there:
        started = await here.start(first)
        settled = await here.finish(answered(user, "once"))
        for ledger in (here, there):
            again = await ledger.start(first)
            assert (again.replayed, again.id, again.limits) == (True, started.id, started.limits)
            assert await ledger.finish(answered(user, "once")) == settled
            await ledger.finish(answered(user, "once", None))
            # Redacted they are the same, and kept by no plan they are nothing; they are others all the same.
            for other in (ANSWER + "4", None):
                with pytest.raises(AlreadyFinished):
                    await ledger.finish(answered(user, "once", response=other))
            with pytest.raises(AlreadyFinished):
                await ledger.finish(answered(user, "once", None, response=ANSWER + "4"))
            with pytest.raises(KeyReused):
                await ledger.start(a_request(user, "ask carol@example.com", client_id="once", metadata=CARD))
        await here.start(asked(user, "later"))
        for ledger in (here, there, here):
            await ledger.finish(answered(user, "later", None))
        with pytest.raises(AlreadyFinished):
            await there.finish(answered(user, "later", None, response="another"))
    assert [tuple(row) for row in await owner.fetch(_ROW)] == [KEPT[policy]] * 2


async def test_a_response_is_known_again_after_the_plan_was_changed(db: Database, owner: asyncpg.Connection) -> None:
    plan = await a_plan_that_keeps(owner, "none")
    user = await a_user(db, plan)
    async with a_house(db) as ledger:
        for kept in POLICIES[::-1]:
            await owner.execute("UPDATE plans SET text_policy = $1 WHERE name = $2", kept, plan)
            await ledger.start(asked(user, kept))
            await ledger.finish(answered(user, kept))
        for now in POLICIES:
            await owner.execute("UPDATE plans SET text_policy = $1 WHERE name = $2", now, plan)
            for kept in POLICIES:
                await ledger.finish(answered(user, kept))
                await ledger.finish(answered(user, kept, None))
                with pytest.raises(AlreadyFinished):
                    await ledger.finish(answered(user, kept, None, response="another"))


async def test_a_policy_holds_from_the_next_request_for_everybody_on_the_plan(
    db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db)
    file = "[plans.pro]\nrank = 10\ntext_policy = '{}'"
    async with a_house(db) as ledger, a_house(db) as other:
        for turn, policy in enumerate(("all", "none", "redacted", "all", "redacted")):
            await catalogue.apply(db, catalogue.parse(file.format(policy)))
            for node in (ledger, other):
                await node.start(asked(user, f"{turn}-{id(node)}"))
                await node.finish(answered(user, f"{turn}-{id(node)}"))
            rows = await owner.fetch(f"{_ROW} ORDER BY id DESC LIMIT 2")
            assert [tuple(row) for row in rows] == [KEPT[policy]] * 2
    assert (await verify(db)).differences == []


async def test_each_text_is_kept_as_the_plan_says_when_it_comes(db: Database, owner: asyncpg.Connection) -> None:
    strict = await a_plan_that_keeps(owner, "none")
    user = await a_user(db, "pro")
    async with a_house(db) as ledger:
        await ledger.start(asked(user, "before"))
        await terms.set_plan(db, user, strict, actor=Actor("test"))
        await ledger.finish(answered(user, "before"))
        await ledger.start(asked(user, "after"))
        await terms.set_plan(db, user, "pro", actor=Actor("test"))
        await ledger.finish(answered(user, "after"))
    rows = await owner.fetch("SELECT client_id, prompt, response FROM chat_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("before", PROMPT, None), ("after", None, ANSWER)]


async def test_when_a_plan_ends_the_policy_of_free_holds_in_the_same_statement(
    db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOON)
    await owner.execute("UPDATE plans SET text_policy = 'redacted' WHERE name = 'free'")
    user = await a_user(db, "pro")
    await terms.set_plan(db, user, "pro", actor=Actor("test"), expires_at=NOON + timedelta(minutes=1))
    async with a_house(db) as ledger:
        await ledger.start(asked(user, "pro"))
        await clock.step(timedelta(minutes=1))
        await ledger.start(asked(user, "free"))
    rows = await owner.fetch("SELECT plan_name, prompt FROM chat_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("pro", PROMPT), ("free", REDACTED)]


async def test_racers_are_kept_by_the_plan_that_admitted_them_and_counted_exactly(
    db: Database, owner: asyncpg.Connection
) -> None:
    names = {policy: await a_plan_that_keeps(owner, policy, daily_requests=150) for policy in POLICIES}
    users = [await a_user(db, names["all"], email=f"{n}@example.com") for n in range(3)]

    async def moves(user: UUID) -> None:
        for turn in range(20):
            await terms.set_plan(db, user, names[POLICIES[turn % 3]], actor=Actor("test"))
            await asyncio.sleep(0.05)

    async def tracks(ledger: Ledger, user: UUID, number: int) -> None:
        await asyncio.sleep(number * 0.005)
        await ledger.start(asked(user, f"{number}"))

    async with a_house(db) as here, a_house(db) as there:
        told = await outcomes_of(
            [moves(user) for user in users]
            + [tracks((here, there)[n % 2], user, n) for n in range(200) for user in users]
        )
    assert {type(each) for each in told} == {type(None), LimitReached}
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 3 * 150
    rows = await owner.fetch("SELECT DISTINCT plan_name, prompt FROM chat_requests")
    seen = {(row["plan_name"], row["prompt"]) for row in rows}
    assert len(seen) > 1
    assert seen <= {(names["all"], PROMPT), (names["redacted"], REDACTED), (names["none"], None)}
    assert (await verify(db)).differences == []


async def test_a_set_of_users_under_all_policies_is_decided_as_ever(db: Database, owner: asyncpg.Connection) -> None:
    users = {
        policy: await a_user(db, await a_plan_that_keeps(owner, policy, daily_requests=3), email=f"{policy}@x.org")
        for policy in POLICIES
    }
    async with a_house(db) as ledger:
        told = await outcomes_of([ledger.start(asked(user)) for _ in range(5) for user in users.values()])
        assert sum(isinstance(each, LimitReached) for each in told) == 6
        # What is refused is refused at once, whatever would have been kept of it.
        assert ledger.starts.decided <= 2 * 15
        entries = [(asked(user, f"b{n}", started_at=NOON, import_key=f"{n}"), answered(user, "", completed_at=NOON))
                   for n in range(5) for user in users.values()]  # fmt: skip
        assert await ledger.record(entries) == [True] * 15
        assert await ledger.record(entries) == [False] * 15
    rows = await owner.fetch("SELECT user_id, prompt FROM chat_requests")
    assert {(row["user_id"], row["prompt"]) for row in rows} == {
        (users["all"], PROMPT),
        (users["redacted"], REDACTED),
        (users["none"], None),
    }
    assert (await verify(db)).differences == []


async def test_a_rehearsal_tells_the_same_and_keeps_nothing(db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan_that_keeps(owner, "redacted", daily_requests=1))
    async with a_house(db) as ledger:
        assert (await ledger.preview(asked(user))).limits.daily_used == 1
        await ledger.start(asked(user))
        with pytest.raises(LimitReached):
            await ledger.preview(asked(user))
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 1


async def test_what_a_plan_does_not_keep_is_not_even_sent(
    monkeypatch: pytest.MonkeyPatch, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan_that_keeps(owner, "redacted"))
    other = await a_user(db, "pro", email="other@example.com")
    sent: list[str] = []
    run = db.all

    async def heard(name: str, **values: Any) -> Any:
        sent.append(repr(values))
        return await run(name, **values)

    monkeypatch.setattr(db, "all", heard)
    async with a_house(db) as ledger:
        for number in range(3):
            await ledger.start(asked(user, f"{number}"))
            await ledger.finish(answered(user, f"{number}"))
        assert not any(secret in text for text in sent for secret in ("alice@", "bob@", "sk-01", "4111"))
        await ledger.start(asked(other, "x"))
    assert PROMPT in sent[-1]


async def test_where_all_is_kept_nothing_is_asked_or_decided_twice(db: Database, owner: asyncpg.Connection) -> None:
    users = [await a_user(db, "enterprise", email=f"{n}@example.com") for n in range(5)]
    async with a_house(db) as ledger:
        started = await asyncio.gather(*(ledger.start(asked(user)) for user in users))
        await asyncio.gather(*(ledger.finish(answered(u, s.id)) for u, s in zip(users, started, strict=True)))
        assert (ledger.starts.decided, ledger.finishes.decided) == (5, 5)
    assert await owner.fetchval("SELECT count(*) FROM chat_requests WHERE response_hash IS NOT NULL") == 0


async def test_long_texts_keep_nobody_waiting(db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan_that_keeps(owner, "redacted"))
    turns = 0

    async def counts() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with a_house(db) as ledger:
        await ledger.start(asked(user))
        counting = asyncio.create_task(counts())
        long = "4444 4444 4444 4448 " * 50_000
        await ledger.start(a_request(user, long, client_id="long"))
        counting.cancel()
    assert turns > 20
    assert await owner.fetchval("SELECT prompt FROM chat_requests WHERE client_id = 'long'") == "[card] " * 50_000
