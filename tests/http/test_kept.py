"""Dashboards that are answered again without being read again: only while they are the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from tests.metering.making import Clock, a_request
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.http.dashboards.kept import Dashboards
from tollkeeper.http.dashboards.shown import DashboardShown, enveloped
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.plans import terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import verify
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS, prune_texts
from tollkeeper.store.database import Database

from .conftest import Person, Site

PATH = "/api/user/dashboard"
Change = Callable[[Site, Person, str], Awaitable[object]]


@pytest.fixture
async def keeper(service: Site) -> AsyncGenerator[Database]:
    """The database as its owner, who prunes."""
    async with Database.open(service.addresses.owner, size=1, lock_timeout=LOCK_SECONDS) as database:
        yield database


async def seen(service: Site, person: Person) -> bytes:
    heard = await service.call("GET", PATH, by=person.by_key)
    assert heard.status == 200
    return heard.body


async def read_anew(service: Site, person: Person) -> bytes:
    backend = service.application.backend
    return enveloped(DashboardShown.of(await dashboard.read(backend.database, backend.ledger, person.id)))


async def now_of(service: Site) -> datetime:
    """The database's clock, a moment later: an id is of a whole millisecond."""
    await asyncio.sleep(0.01)
    now: datetime = await service.owner.fetchval("SELECT tk_now()")
    return now


async def rename(service: Site, person: Person, _: str) -> None:
    await users.change(service.application.backend.database, person.id, name="Ada", actor=Actor("test"))


async def move(service: Site, person: Person, _: str) -> None:
    await users.change(service.application.backend.database, person.id, time_zone="Asia/Tokyo", actor=Actor("test"))


async def give_a_plan(service: Site, person: Person, _: str) -> None:
    await terms.set_plan(service.application.backend.database, person.id, "pro", actor=Actor("test"))


async def rebuild(service: Site, person: Person, _: str) -> None:
    await verify.rebuild(service.application.backend.patient, person.id)


async def start_on_another_node(service: Site, person: Person, _: str) -> None:
    async with Ledger(service.application.backend.database, pending_for=timedelta(minutes=15)) as another:
        await another.start(a_request(person.id))


CHANGES: dict[str, Change] = {
    "a start on another node": start_on_another_node,
    "a start": lambda service, person, _: service.start(person),
    "a finish": lambda service, person, pending: service.finish(person, pending, tokensUsed=7),
    "a name": rename,
    "a time zone": move,
    "a plan": give_a_plan,
    "a rebuild": rebuild,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_dashboard_is_read_again_after(service: Site, alice: Person, change: str) -> None:
    pending = (await service.start(alice))["id"]
    before = await seen(service, alice)
    assert await seen(service, alice) == before
    await CHANGES[change](service, alice, pending)
    after = await seen(service, alice)
    assert after != before
    assert after == await read_anew(service, alice)


async def test_a_dashboard_is_read_again_after_a_rating_and_after_a_late_response(service: Site, alice: Person) -> None:
    done = (await service.start(alice))["id"]
    await service.finish(alice, done)
    for says in ({"userRating": 4}, {"userRating": None}, {"response": "Later."}):
        before = await seen(service, alice)
        heard = await service.call("PUT", "/api/chat/track", by=alice.by_key, says={"requestId": done} | says)
        assert heard.status == 200
        after = await seen(service, alice)
        assert after != before
        assert after == await read_anew(service, alice)


async def test_a_dashboard_is_read_again_when_a_day_ends_and_when_a_request_expires(
    service: Site, alice: Person
) -> None:
    clock = Clock(service.owner)
    await clock.prepare()
    try:
        await clock.hold(await clock.read())
        await service.start(alice)
        before = await seen(service, alice)
        assert await seen(service, alice) == before
        for step in (timedelta(minutes=16), timedelta(days=1)):
            await clock.step(step)
            after = await seen(service, alice)
            assert after != before
            assert after == await read_anew(service, alice)
            before = after
    finally:
        await clock.release()


@pytest.mark.parametrize("plan", [None, "enterprise"])
async def test_a_dashboard_is_read_again_after_texts_were_cleared(
    service: Site, alice: Person, keeper: Database, plan: str | None
) -> None:
    await service.start(alice, prompt="canary-cleared")
    assert b"canary-cleared" in await seen(service, alice)
    await prune_texts(keeper, await now_of(service), actor=Actor("test"), plan=plan)
    assert b"canary-cleared" not in await seen(service, alice)


@pytest.mark.parametrize("plan", [None, "enterprise"])
async def test_a_dashboard_shows_no_text_that_is_to_be_cleared_wherever_the_clearing_was_interrupted(
    service: Site, alice: Person, keeper: Database, plan: str | None
) -> None:
    pending = (await service.start(alice, prompt="canary-asked", metadata={"x": "canary-meta"}))["id"]
    await service.finish(alice, pending, response="canary-answered")
    assert b"canary-asked" in await seen(service, alice)
    if plan is None:
        await keeper.all("begin_clearing", before=await now_of(service))
    else:
        await keeper.all("begin_clearing_of_plan", plan=plan, before=await now_of(service))
    after = await seen(service, alice)
    assert b"canary" not in after
    assert after == await read_anew(service, alice)
    await service.start(alice, prompt="a younger one")
    assert b"a younger one" in await seen(service, alice)


async def test_a_dashboard_that_did_not_change_is_not_read_again(service: Site, alice: Person) -> None:
    kept = Dashboards(service.application.backend)
    async with kept:
        first = await kept.of(alice.id)
        assert await kept.of(alice.id) is first
        assert all(body is first for body in await asyncio.gather(*(kept.of(alice.id) for _ in range(50))))
        await service.start(alice)
        assert await kept.of(alice.id) != first


async def test_those_who_were_not_asked_for_the_longest_are_forgotten_first(service: Site) -> None:
    people = [await service.person() for _ in range(3)]
    async with Dashboards(service.application.backend) as unbounded:
        size = len(await unbounded.of(people[0].id))
    async with Dashboards(service.application.backend, most_bytes=2 * size + 100) as kept:
        first, second = [await kept.of(each.id) for each in people[:2]]
        assert await kept.of(people[0].id) is first
        await kept.of(people[2].id)
        assert await kept.of(people[0].id) is first
        assert await kept.of(people[1].id) is not second


async def test_what_is_kept_of_one_user_is_shown_to_no_other(service: Site, alice: Person, bob: Person) -> None:
    await service.start(alice, prompt="only mine")
    of_alice, of_bob = await seen(service, alice), await seen(service, bob)
    assert b"only mine" in of_alice
    assert b"only mine" not in of_bob
    assert (await seen(service, alice), await seen(service, bob)) == (of_alice, of_bob)


async def test_nobody_hears_an_old_dashboard_after_their_own_write(service: Site, alice: Person) -> None:
    async def track_and_look() -> None:
        for _ in range(8):
            told = await service.start(alice)
            assert (
                told["limits"]["version"]
                <= (await service.call("GET", PATH, by=alice.by_key)).json["limits"]["version"]
            )

    await asyncio.gather(*(track_and_look() for _ in range(8)))
