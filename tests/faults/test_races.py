"""Two processes and one plan: what is left of it is given away exactly once."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.faults.audit import audit
from tests.faults.callers import Caller, Reply
from tests.faults.nodes import Site
from tests.faults.races import LEFT, LIMITS, RACERS, SAID, USED, Start, counted, faults_of, raced


async def a_user(pair: Site, caller: Caller, plan: str) -> tuple[str, Reply]:
    """Add a user who has used five requests of a plan; gives the last answer too."""
    user = f"{plan}-{random.getrandbits(40):x}@example.com"
    await pair.add_users(user, plan=plan)
    first = [await caller.start(pair.nodes[n % 2].url, user, f"before-{n}", **SAID) for n in range(USED)]
    assert counted(first) == {201: USED}
    return user, first[-1]


def racers(pair: Site, user: str) -> list[Start]:
    """Two hundred starts, each second one for the other node."""
    return [Start(pair.nodes[n % 2].url, user, f"r-{n}") for n in range(RACERS)]


def elsewhere(pair: Site, start: Start) -> Start:
    """The same for the other node."""
    here, there = (node.url for node in pair.nodes)
    return Start(there if start.url == here else here, start.user, start.name, start.output)


def refused_by(replies: Sequence[Reply]) -> set[str]:
    return {reply.told["limit"] for reply in replies if reply.status == 429}


@pytest.mark.parametrize("plan", [f"{kind}_{limit}" for kind in ("only", "all") for limit in LIMITS])
async def test_two_hundred_starts_at_two_processes_share_ten(pair: Site, pair_caller: Caller, plan: str) -> None:
    user, before = await a_user(pair, pair_caller, plan)
    starts = racers(pair, user)
    replies = await raced(pair_caller, starts)
    assert counted(replies) == {201: LEFT, 429: RACERS - LEFT}
    assert refused_by(replies) == {plan.partition("_")[2]}
    assert faults_of(starts, replies, before) == []
    # Half of them once more, from the other process: all that were admitted, and as many others as that takes.
    order = sorted(range(RACERS), key=lambda n: replies[n].status)[: RACERS // 2]
    retries = [elsewhere(pair, starts[n]) for n in order]
    retried = await raced(pair_caller, retries)
    assert counted(retried) == {200: LEFT, 429: RACERS // 2 - LEFT}
    assert [each.body for each in retried[:LEFT]] == [replies[n].body for n in order[:LEFT]]
    assert faults_of([*starts, *retries], [*replies, *retried], before) == []


async def test_twins_that_meet_two_processes_at_once_are_one(pair: Site, pair_caller: Caller) -> None:
    user, before = await a_user(pair, pair_caller, "all_daily")
    starts = racers(pair, user)
    twins = [each for start in starts[::2] for each in (start, elsewhere(pair, start))]
    sent = random.Random(3).sample(twins + starts[1::2], RACERS + RACERS // 2)
    replies = await raced(pair_caller, sent)
    assert counted(replies)[201] == LEFT
    answers = dict[str, set[bytes]]()
    for start, reply in zip(sent, replies, strict=True):
        if reply.status < 300:
            answers.setdefault(start.name, set()).add(reply.body)
    assert len(answers) == LEFT
    assert all(len(bodies) == 1 for bodies in answers.values())
    assert faults_of(sent, replies, before) == []


async def test_starts_of_many_sizes_are_refused_only_where_they_do_not_fit(pair: Site, pair_caller: Caller) -> None:
    user, before = await a_user(pair, pair_caller, "mixed")
    sizes = random.Random(7).choices([0, 1, 2, 5, 9, 20, 60], k=RACERS)
    starts = [Start(pair.nodes[n % 2].url, user, f"m-{n}", size) for n, size in enumerate(sizes)]
    replies = await raced(pair_caller, starts)
    assert counted(replies).keys() == {201, 429}
    assert len(refused_by(replies)) > 1
    assert faults_of(starts, replies, before) == []


async def test_all_that_was_raced_for_adds_up(pair: Site) -> None:
    await audit(pair)
