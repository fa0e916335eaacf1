"""SIGSTOP of a node in the middle of all its work: others go on with it, and after SIGCONT nothing happens twice.

With TORTURE=1 in the environment it sleeps for longer than the leases on webhooks.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import Server
from tests.faults.audit import audit
from tests.faults.callers import Caller, Load, Reply, calling
from tests.faults.nodes import Node, connected, until
from tests.faults.wire import Holding, Wire, WiredSite, wired
from tests.receivers import Receiver, receiving
from tollkeeper.webhooks import delivering

SLEEP: Final = delivering.LEASE.total_seconds() + 5 if os.environ.get("TORTURE") else 0.0
PENDING: Final = 3.0
SLEPT, TOLD, BUSY = "slept@example.com", "told@example.com", "busy@example.com"
PLANS: Final = """\
[plans.enough]
rank = 1000
features = ["*"]
[plans.ten]
rank = 999
daily_requests = 10
warn_at = [50, 80]
features = ["*"]
"""
WARNINGS: Final = [("limit.reached", 100), ("limit.threshold", 50), ("limit.threshold", 80)]
_numbers = itertools.count(1)
_OPEN: Final = """
    SELECT (SELECT count(*) FROM chat_requests WHERE status = 'pending')
         + (SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered')"""
_EXPIRED: Final = "SELECT count(*) FROM chat_requests WHERE error_code = 'expired' AND client_id = ANY ($1)"
_VERSION: Final = "SELECT u.version FROM usage AS u JOIN user_identities AS i USING (user_id) WHERE i.value = $1"


@dataclass(slots=True)
class Two:
    """Two nodes, each on a wire of its own, of which one is to sleep."""

    site: WiredSite
    caller: Caller
    sleeper: Node
    other: Node
    sleeps_in: Holding
    waits: Holding

    @contextmanager
    def asleep(self) -> Generator[None]:
        """Stop it where it is held, and let answers reach its sockets while it sleeps."""
        os.kill(self.sleeper.process.pid, signal.SIGSTOP)
        try:
            self.sleeps_in.let_go.set()
            self.waits.let_go.set()
            yield
        finally:
            os.kill(self.sleeper.process.pid, signal.SIGCONT)

    def ask_sleeper(self, what: str, name: str) -> asyncio.Task[Reply]:
        """Send a call of ``SLEPT`` and go on."""

        async def until_decided() -> Reply:
            # Whoever sleeps for longer than a statement may take can give it up before they read its answer.
            while (reply := await getattr(self.caller, what)(self.sleeper.url, SLEPT, name)).status == 503:
                assert "Retry-After" in reply.headers
            return reply

        return asyncio.create_task(until_decided())

    async def version_of(self, user: str) -> int:
        """How often a user's numbers have changed."""
        async with connected(self.site) as admin:
            return await admin.fetchval(_VERSION, user)


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def two(server: Server, open_dir: Path, receiver: Receiver) -> AsyncGenerator[Two]:
    own = open_dir / f"sleeping-{next(_numbers)}"
    settings = {"pending_seconds": PENDING, "sweep_seconds": 0.3, "webhook_allow_networks": "127.0.0.1/32"}
    async with wired(server, own, PLANS, **settings) as site, calling(site.key, patience=SLEEP + 30) as caller:
        one, another = Holding(), Holding()
        async with (
            Wire(own.with_name(f"{own.name}-one"), site.addresses.service, one).open() as wire,
            Wire(own.with_name(f"{own.name}-another"), site.addresses.service, another).open() as other_wire,
        ):
            sleeper, other = await asyncio.gather(site.start_over(wire), site.start_over(other_wire))
            await site.run("webhook", "add", receiver.url)
            await site.add_users(SLEPT, BUSY, plan="enough")
            await site.add_users(TOLD, plan="ten")
            yield Two(site, caller, sleeper, other, one, another)
            one.let_go.set()
            another.let_go.set()
            assert [await node.end() for node in (sleeper, other)] == [0, 0]


@pytest.mark.timeout(180)
async def test_what_a_node_slept_over_is_done_once(two: Two, receiver: Receiver) -> None:
    before = {user: await two.version_of(user) for user in (SLEPT, TOLD)}
    two.waits.hold("webhooks_due", "users_with_expired")
    two.sleeps_in.hold("take_webhooks", "users_with_expired")
    names = ["in-time", "late", "repeated", "contradicted", "abandoned"]
    started = [await two.caller.start(two.sleeper.url, SLEPT, name) for name in names]
    started += [await two.caller.start(two.sleeper.url, TOLD, f"told-{n}") for n in range(8)]
    assert {reply.status for reply in started} == {201}
    two.sleeps_in.hold("start", "finish")
    asked = {"unheard": two.ask_sleeper("start", "unheard"), "in-time": two.ask_sleeper("finish", "in-time")}
    for name in ("start", "finish"):
        await two.sleeps_in.has_come(name)
    # These wait behind those two.
    asked |= {name: two.ask_sleeper("finish", name) for name in ("late", "repeated", "contradicted")}
    asked |= {"waiting": two.ask_sleeper("start", "waiting")}
    for name in ("take_webhooks", "users_with_expired"):
        await two.sleeps_in.has_come(name)
    with two.asleep():
        asked |= {"asleep": two.ask_sleeper("start", "asleep")}
        elsewhere = await done_elsewhere(two)
        await asyncio.sleep(SLEEP)
        assert not any(task.done() for task in asked.values())
    awake = {name: await task for name, task in asked.items()}
    hear_what_happened(awake, elsewhere)
    await all_is_done(two)
    # Eight starts, one finish in time, seven deadlines, three late finishes; and ten starts, ten deadlines.
    assert await two.version_of(SLEPT) - before[SLEPT] == 8 + 1 + 7 + 3
    assert await two.version_of(TOLD) - before[TOLD] == 10 + 10
    happened = [
        (got.json["data"]["user"]["email"], got.json["type"], got.json["data"].get("percent")) for got in receiver.got
    ]
    assert len(receiver.ids) == len(set(happened)) == len(happened)
    assert {(TOLD, *warning) for warning in WARNINGS} < set(happened)
    await audit(two.site)


async def done_elsewhere(two: Two) -> dict[str, Reply]:
    """What the other node does of its own accord and for who asks again, beside callers who notice nothing."""
    url, caller = two.other.url, two.caller
    load = Load(caller, lambda: url, "elsewhere", clients=4, users=2)
    await two.site.add_users(*load.emails, plan="enough")
    async with load.running():
        async with connected(two.site) as admin:

            async def are_expired() -> bool:
                return await admin.fetchval(_EXPIRED, ["late", "repeated", "contradicted", "abandoned"]) == 4

            await until(are_expired)
        replies = {
            "in-time": await caller.finish(url, SLEPT, "in-time"),
            "repeated": await caller.finish(url, SLEPT, "repeated"),
            "contradicted": await caller.finish(url, SLEPT, "contradicted", status="failed"),
            "unheard": await caller.start(url, SLEPT, "unheard"),
            "waiting": await caller.start(url, SLEPT, "waiting"),
        }
        for n in (8, 9):
            assert (await caller.start(url, TOLD, f"told-{n}")).status == 201
        await load.more(50)
    assert load.wrong == []
    assert (load.lost, load.statuses.keys(), load.most_tries) == ({}, {200, 201}, 1)
    assert load.slowest < 2
    return replies


def hear_what_happened(awake: dict[str, Reply], elsewhere: dict[str, Reply]) -> None:
    """Who asked the sleeper hears the same as who asked the other, or, if nobody did, what is done late."""
    assert {name: reply.status for name, reply in elsewhere.items()} == {
        "in-time": 200, "repeated": 200, "contradicted": 200, "unheard": 200, "waiting": 201
    }  # fmt: skip
    for name in elsewhere.keys() - {"contradicted"}:
        assert awake[name].body == elsewhere[name].body
    assert awake.pop("unheard").status in {200, 201}
    assert {name: reply.status for name, reply in awake.items()} == {
        "in-time": 200, "late": 200, "repeated": 200, "contradicted": 409, "waiting": 200, "asleep": 201
    }  # fmt: skip
    assert {name: awake[name].told["late"] for name in ("in-time", "late", "repeated")} == {
        "in-time": False, "late": True, "repeated": True
    }  # fmt: skip
    contradiction = awake["contradicted"].told
    assert (contradiction["type"], contradiction["currentStatus"]) == ("/problems/already-finished", "failed")


async def all_is_done(two: Two) -> None:
    """Wait until no request is pending and every webhook was delivered."""
    async with connected(two.site) as admin:

        async def is_nothing_open() -> bool:
            return await admin.fetchval(_OPEN) == 0

        await until(is_nothing_open)


async def test_a_transaction_that_is_slept_over_is_undone_and_holds_up_its_user_alone(two: Two) -> None:
    before = await two.version_of(SLEPT)
    items = [{"user": SLEPT, "requestId": f"item-{n}", "prompt": "four"} for n in range(5)]
    two.sleeps_in.hold("start")
    slept = asyncio.create_task(send(two, two.sleeper, items))
    await two.sleeps_in.has_come("start")
    with two.asleep():
        kept_out = await two.caller.start(two.other.url, SLEPT, "alone")
        assert (kept_out.status, int(kept_out.headers["Retry-After"]) > 0) == (503, True)
        reply = await two.caller.start(two.other.url, BUSY, "beside")
        assert reply.status == 201
        assert reply.returned - reply.called < 2

        async def is_served() -> bool:
            return (await two.caller.start(two.other.url, SLEPT, "alone")).status == 201

        await until(is_served)
    assert await slept == (503, None)
    assert await send(two, two.other, items) == (200, ["admitted"] * len(items))
    assert await send(two, two.sleeper, items) == (200, ["replayed"] * len(items))
    await all_is_done(two)
    assert await two.version_of(SLEPT) - before == 2 * (1 + len(items))
    await audit(two.site)


async def send(two: Two, node: Node, items: list[dict[str, str]]) -> tuple[int, list[str] | None]:
    """Send a batch; gives the verdicts."""
    headers = {"Authorization": f"Bearer {two.site.key}"}
    async with two.caller.session.post(f"{node.url}/api/chat/track/batch", json=items, headers=headers) as answer:
        told = await answer.json(content_type=None)
        return answer.status, [each["verdict"] for each in told["results"]] if answer.status == 200 else None
