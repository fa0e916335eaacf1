"""The section of docs/performance.md about the peers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from bench.peers import kept
from bench.peers.kept import Contended, Peers, Taken, Tracked


def section(path: Path = kept.FILE) -> str:
    """Write the section from what was measured; nothing where nothing was."""
    peers = kept.read(path)
    return _section(peers) if peers.contenders else ""


def _section(peers: Peers) -> str:
    parts = [
        "## Beside what else one can install",
        _INTRODUCTION,
        "\n".join(_taken(peers)),
        _COMPARED,
        "\n".join(_tracked_table(peers)),
        _TRACKED,
        "\n".join(_killed_table(peers)),
        _KILLED,
        "\n".join(_summary_table(peers)),
        _SUMMARY,
        "How each was set up and read:",
        "\n".join(_set_up(each) for each in peers.contenders),
    ]
    if failed := [f"- {each.name}, {failure}." for each in peers.contenders for failure in each.failures]:
        parts += ["Without a figure:", "\n".join(failed)]
    if remarks := [f"- {each.name}: {remark}." for each in peers.contenders for remark in each.remarks]:
        parts += ["Taken before this was measured as it is now, and so otherwise than said above:", "\n".join(remarks)]
    return "\n\n".join(parts) + "\n"


def _taken(peers: Peers) -> Iterator[str]:
    """Say of each run whose figures are left of it, and how they were taken."""
    for taken, group in groupby(peers.contenders, key=lambda each: each.taken):
        yield f"- {', '.join(each.name for each in group)}: {_how(taken)}."


def _how(taken: Taken) -> str:
    machine = taken.machine
    turns = f"{', '.join(taken.in_turn)} in turn" if len(taken.in_turn) > 1 else "alone"
    return (
        f"{taken.at}, `{machine.get('commit', '')}`, {machine.get('cpus')} CPUs ({machine.get('cpu')}), {turns},"
        f" {taken.rounds} rounds of {taken.seconds:g} s, {taken.users:,} users, {taken.reads} reads,"
        f" {taken.settle_seconds:g} s at most until all is stored"
    )


def _tracked_table(peers: Peers) -> Iterator[str]:
    yield (
        "| requests tracked a second | senders, requests a call | rounds that stand | acknowledged, median"
        " | stored, median (min to max) |"
    )
    yield "|---|---|---|---|---|"
    for each in peers.contenders:
        for tracked in each.tracked:
            yield (
                f"| {each.name} {each.version} | {tracked.senders}, {tracked.batch}"
                f" | {len(tracked.rounds)} of {each.taken.rounds} | {_tracked_figures(tracked)} |"
            )


def _tracked_figures(tracked: Tracked) -> str:
    if not tracked.rounds:
        return "no figure | no figure"
    stored = sorted(one.stored_per_second for one in tracked.rounds)
    return (
        f"{tracked.median('acknowledged_per_second'):,.0f}"
        f" | {tracked.median('stored_per_second'):,.0f} ({stored[0]:,.0f} to {stored[-1]:,.0f})"
    )


def _killed_table(peers: Peers) -> list[str]:
    rows = [
        "| after `kill -9` under load | an acknowledgement means | acknowledged | of these stored |",
        "|---|---|---|---|",
    ]
    return rows + [
        f"| {each.name} | {each.acknowledgement} | {each.killed.acknowledged:,} | {each.killed.stored:,} |"
        for each in peers.contenders
        if each.killed
    ]


def _summary_table(peers: Peers) -> list[str]:
    sizes = sorted({one.requests for each in peers.contenders for one in each.summaries})
    head = "".join(f" {size:,} requests stored |" for size in sizes)
    rows = [f"| summary read, p50 in ms |{head}", "|---|" + "---|" * len(sizes)]
    for each in peers.contenders:
        by_size = {one.requests: f" {one.p50:,.1f} |" for one in each.summaries}
        if by_size:
            rows.append(f"| {each.name} |" + "".join(by_size.get(size, " |") for size in sizes))
    return rows


def _set_up(each: Contended) -> str:
    return f"- **{each.name} {each.version}**: {'; '.join(each.settings)}. Read by {each.read}."


_INTRODUCTION = """\
Made by `make bench-peers`, all on the embedded PostgreSQL. MLflow and Phoenix are made for something else as well: \
they keep traces of any depth with everything that happened in them, evaluate them, and have tools for prompts and \
experiments; they hold nobody to a plan. Here they do the one thing that all three do: keep a chat request with \
prompt, response, model and tokens, compute its cost, and add it all up. Taken:"""

_COMPARED = """\
Compare what one run took in turn, and nothing else: this machine's speed differs threefold from day to day. \
tollkeeper's first figure is not [the pairs above](#pairs): another run, at another time and commit and beside other \
processes, of a load in which any user asks any model, where there each keeps to one. How much each of that does is \
not known."""

_TRACKED = """\
A request of tollkeeper's first row is a start and a finish, two calls, the limit decided in between; one of the \
others is one span sent when it has ended. What is acknowledged and not yet stored is waited for: *stored* divides by \
the time until the last acknowledged request was seen in the database, where we look every 50 ms at first and less \
and less often, up to once a second. Batches hold 512 requests, as OpenTelemetry's exporter sends them; in a round \
MLflow and Phoenix get four. A round that fails is in no median, which flatters whoever failed; the next turn waits \
until nothing was stored for a minute, three minutes at most."""

_KILLED = """\
All processes of the service are killed three seconds after the first acknowledgement, under load by 64 senders; \
PostgreSQL lives on. Counted are acknowledged requests, by their ids."""

_SUMMARY = """\
Requests, tokens and cost of the last 30 days, in all and by model, median of all reads by one reader; for tollkeeper \
the whole dashboard, of a user to whom all the requests belong. At MLflow and Phoenix the first 2,000 were taken in \
over OTLP and the rest are copies of their rows made by SQL. So that no read is answered from what is kept of the \
last, each of theirs asks for a new 30 days, and before each of tollkeeper's a request is tracked, outside the time."""
