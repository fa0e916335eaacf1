"""Every call sent several times, in any order, to two nodes at once: each request begins once and ends once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.faults.audit import audit
from tests.faults.callers import Caller, Reply
from tests.faults.nodes import Site, connected

REQUESTS = 30
ENDS = ("completed", "failed")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is sent to one node: a start, or a finish with a status."""

    name: str
    end: str | None
    url: str

    async def sent_by(self, caller: Caller, user: str) -> Reply:
        if self.end is None:
            return await caller.start(self.url, user, self.name)
        return await caller.finish(self.url, user, self.name, status=self.end)


def calls(pair: Site, rolled: random.Random) -> list[Call]:
    """Each start one to four times, and finishes of both kinds as often or not at all, shuffled."""
    urls = [node.url for node in pair.nodes]
    made = [
        Call(f"d-{n}", end, rolled.choice(urls))
        for n in range(REQUESTS)
        for end, least in ((None, 1), ("completed", 0), ("failed", 0))
        for _ in range(rolled.randint(least, 4))
    ]
    rolled.shuffle(made)
    return made


@pytest.mark.parametrize("seed", range(3))
async def test_repeats_and_contradictions_in_any_order_end_each_request_once(
    pair: Site, pair_caller: Caller, seed: int
) -> None:
    user = f"duplicates-{seed}@example.com"
    await pair.add_users(user, plan="enough")
    sent = calls(pair, random.Random(seed))
    replies = await asyncio.gather(*(each.sent_by(pair_caller, user) for each in sent))
    # What came before its start found nothing; sent again, both of its kinds meet what is recorded by now.
    late = [Call(f"d-{n}", end, node.url) for n in range(REQUESTS) for end in ENDS for node in pair.nodes]
    late_replies = [await each.sent_by(pair_caller, user) for each in late]
    told = list(zip([*sent, *late], [*replies, *late_replies], strict=True))
    for n in range(REQUESTS):
        begins_once([(call, reply) for call, reply in told if call.name == f"d-{n}"])
        ends_once([(call, reply) for call, reply in told if call.name == f"d-{n}"])
    async with connected(pair) as owner:
        rows = await owner.fetch(
            "SELECT client_id, status FROM chat_requests WHERE client_id LIKE 'd-%' AND user_id ="
            " (SELECT user_id FROM user_identities WHERE value = $1)",
            user,
        )
    ended = {reply.told["requestId"]: reply.told["status"] for call, reply in told if call.end and reply.status == 200}
    assert sorted(map(tuple, rows)) == sorted(ended.items())
    assert len(ended) == REQUESTS


def begins_once(told: Sequence[tuple[Call, Reply]]) -> None:
    """One start is told 201, all others the same bytes."""
    starts = [reply for call, reply in told if call.end is None]
    assert sorted(reply.status for reply in starts) == [200] * (len(starts) - 1) + [201]
    assert len({reply.body for reply in starts}) == 1


def ends_once(told: Sequence[tuple[Call, Reply]]) -> None:
    """One kind of finish is told 200, always the same; the other 409, with how it ended; 404 came before the start."""
    finishes = [(call, reply) for call, reply in told if call.end]
    won = {(call.end, reply.body) for call, reply in finishes if reply.status == 200}
    assert len(won) == 1, won
    ((end, _),) = won
    started = min(reply.returned for call, reply in told if call.end is None)
    for call, reply in finishes:
        if reply.status == 404:
            assert reply.called < started, call
        elif reply.status == 409:
            assert (reply.told["type"], reply.told["currentStatus"]) == ("/problems/already-finished", end)
            assert call.end != end
        else:
            assert (reply.status, call.end) == (200, end), reply.body


async def test_all_that_came_twice_counts_once(pair: Site) -> None:
    await audit(pair)
