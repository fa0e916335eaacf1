"""A crash between commit and answer, many times: whoever asks again hears what was decided, and it was decided once.

With TORTURE=1 in the environment a thousand sets of each kind lose their answers.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import Server
from tests.faults.audit import audit
from tests.faults.callers import Caller, Load, Reply, calling
from tests.faults.nodes import Site, connected
from tests.faults.wire import Answer, Wire, WiredSite, wired
from tollkeeper.store.queries import statements

IS_TORTURE: Final = bool(os.environ.get("TORTURE"))
SETS: Final = 1000 if IS_TORTURE else 100
# Of the requests in them, of which a set has many.
REQUESTS: Final = 1000
SHARE: Final = 0.5
CLIENTS: Final = 24
UNNAMED: Final = 60
USERS: Final = 6
LONGEST_ANSWER: Final = 5.0
_NAMES: Final = {statements()[name].sql: name for name in ("start", "finish")}
_COUNTED: Final = """
    SELECT i.value AS email, u.version, u.total_requests,
           (SELECT count(*) FROM chat_requests AS r WHERE r.user_id = u.user_id AND r.status = 'completed') AS completed
      FROM usage AS u JOIN user_identities AS i USING (user_id) WHERE i.kind = 'email'"""


@dataclass(slots=True)
class Losses:
    """Loses a random share of the answers to sets of starts and of finishes, until there were enough of both."""

    rolled: random.Random
    sets: Counter[str] = field(default_factory=Counter[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    are_enough: bool = False

    async def __call__(self, answer: Answer) -> bool:
        name = _NAMES.get(answer.sql)
        if name is None or self.are_enough or self.rolled.random() >= SHARE:
            return True
        assert answer.is_committed
        self.sets[name] += 1
        self.requests[name] += answer.rows
        kinds = _NAMES.values()
        self.are_enough = all(self.sets[kind] >= SETS and self.requests[kind] >= REQUESTS for kind in kinds)
        return False


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client, who names it, or has us name it and sends an ``Idempotency-Key``."""

    caller: Caller
    url: str
    user: str
    name: str
    is_named: bool

    async def start(self) -> Reply:
        if self.is_named:
            return await self.caller.start(self.url, self.user, self.name)
        return await self.caller.start_unnamed(self.url, self.user, key=self.name)

    async def finish(self, started: Reply) -> Reply:
        return await self.caller.finish(self.url, self.user, started.told["requestId"])


@dataclass(frozen=True, slots=True)
class Told:
    """What the client was told of it."""

    request: Request
    start: Reply
    finish: Reply

    async def is_told_again(self) -> bool:
        """Asked once more, both calls are answered with the same bytes."""
        again = await asyncio.gather(self.request.start(), self.request.finish(self.start))
        return [(reply.status, reply.body) for reply in again] == [(200, self.start.body), (200, self.finish.body)]


@pytest.fixture(scope="module")
async def site(server: Server, open_dir: Path) -> AsyncGenerator[WiredSite]:
    async with wired(server, open_dir / "lost") as site:
        yield site


@pytest.fixture
async def caller(site: WiredSite) -> AsyncGenerator[Caller]:
    async with calling(site.key) as caller:
        yield caller


@pytest.mark.timeout(600 if IS_TORTURE else 120)
async def test_whoever_asks_again_hears_what_was_decided(site: WiredSite, caller: Caller, open_dir: Path) -> None:
    losses = Losses(random.Random(4))
    async with Wire(open_dir / "losing", site.addresses.service, losses).open() as wire:
        node = await site.start_over(wire)
        load = Load(caller, lambda: node.url, "lost", users=USERS)
        await site.add_users(*load.emails, plan="enough")
        before = await counted(site)
        told = await all_told(load, losses)
        assert load.wrong == []
        assert losses.are_enough, (losses.sets, losses.requests)
        # Callers never lose their connection, and never wait for long.
        assert load.statuses.keys() == {200, 201, 503}
        assert load.lost == {}
        assert load.slowest < LONGEST_ANSWER
        # Only starts say that they are told again.
        assert load.heard_late >= REQUESTS / 4
        for some in range(0, len(told), CLIENTS):
            assert all(await asyncio.gather(*(each.is_told_again() for each in told[some : some + CLIENTS])))
        after = await counted(site)
        for user in load.emails:
            happened_once(before[user], after[user], [each for each in told if each.request.user == user])
        await audit(site)
        assert await node.end() == 0


async def all_told(load: Load, losses: Losses) -> list[Told]:
    """Let clients start and finish requests until enough answers were lost."""
    told = list[Told]()

    async def client(n: int) -> None:
        for k in itertools.count():
            if losses.are_enough:
                return
            name = f"{load.name}-{n}-{k}"
            request = Request(load.caller, load.where(), load.user_of(name), name, is_named=n % 4 < 2)
            started = await load.until_told(request.start)
            told.append(Told(request, started, await load.until_told(partial(request.finish, started))))

    with suppress(TimeoutError):
        async with asyncio.timeout(500 if IS_TORTURE else 90):
            await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    return told


def happened_once(before: tuple[int, ...], after: tuple[int, ...], told: Sequence[Told]) -> None:
    """Every start and every finish made one version of its user's numbers, and was told that very one."""
    versions = [reply.told["limits"]["version"] for each in told for reply in (each.start, each.finish)]
    assert sorted(versions) == list(range(before[0] + 1, after[0] + 1))
    assert after[1:] == (len(told), len(told))


async def counted(site: Site) -> dict[str, tuple[int, int, int]]:
    """The version, the counter and the completed rows of each user."""
    async with connected(site) as admin:
        rows = await admin.fetch(_COUNTED)
    return {row["email"]: (row["version"], row["total_requests"], row["completed"]) for row in rows}


async def test_what_has_no_name_is_not_tried_again_by_the_service(
    site: WiredSite, caller: Caller, open_dir: Path
) -> None:
    user, losses = "unnamed@example.com", Losses(random.Random(4))
    async with Wire(open_dir / "nameless", site.addresses.service, losses).open() as wire:
        node = await site.start_over(wire)
        await site.add_users(user, plan="enough")
        replies = [await caller.start_unnamed(node.url, user) for _ in range(UNNAMED)]
        statuses = Counter(reply.status for reply in replies)
        assert statuses == {201: UNNAMED - losses.sets["start"], 503: losses.sets["start"]}
        assert statuses[503] > UNNAMED / 4
        assert (await counted(site))[user][1] == UNNAMED
        assert await node.end() == 0
