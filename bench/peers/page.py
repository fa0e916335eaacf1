"""The section of docs/performance.md about the peers."""

from __future__ import annotations

from pathlib import Path

from bench.peers import kept
from bench.peers.kept import Contended, Peers, Tracked


def section(path: Path = kept.FILE) -> str:
    """Write the section from what was measured; nothing where nothing was."""
    peers = kept.read(path)
    return "" if peers is None else _section(peers)


def _section(peers: Peers) -> str:
    parts = [
        "## Beside what else one can install",
        _INTRODUCTION.format(
            taken_at=peers.taken_at[:10], cpus=peers.machine.get("cpus"), cpu=peers.machine.get("cpu"),
            rounds=peers.settings["rounds"],
        ),
        "\n".join(_tracked_table(peers)),
        _TRACKED,
        "\n".join(_killed_table(peers)),
        _KILLED,
        "\n".join(_summary_table(peers)),
        _SUMMARY.format(reads=peers.settings["reads"]),
        "How each was set up and read:",
        "\n".join(_set_up(each) for each in peers.contenders),
    ]  # fmt: skip
    if failed := [f"- {each.name}, {failure}" for each in peers.contenders for failure in each.failures]:
        parts += ["Without a figure:", "\n".join(failed)]
    return "\n\n".join(parts) + "\n"


def _tracked_table(peers: Peers) -> list[str]:
    rows = [
        "| requests tracked a second | senders, requests a call | acknowledged, median | stored, median (min to max) |",
        "|---|---|---|---|",
    ]
    return rows + [
        _tracked_row(each, tracked) for each in peers.contenders for tracked in each.tracked if tracked.rounds
    ]


def _tracked_row(each: Contended, tracked: Tracked) -> str:
    stored = sorted(one.stored_per_second for one in tracked.rounds)
    return (
        f"| {each.name} {each.version} | {tracked.senders}, {tracked.batch}"
        f" | {tracked.median('acknowledged_per_second'):,.0f}"
        f" | {tracked.median('stored_per_second'):,.0f} ({stored[0]:,.0f} to {stored[-1]:,.0f}) |"
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
Made by `make bench-peers` on {taken_at} ({cpus} CPUs, {cpu}), all on the same embedded PostgreSQL, in turn, \
{rounds} rounds. MLflow and Phoenix are made for something else as well: they keep traces of any depth with \
everything that happened in them, evaluate them, and have tools for prompts and experiments; they hold nobody to a \
plan. Here they do the one thing that all three do: keep a chat request with prompt, response, model and tokens, \
compute its cost, and add it all up."""

_TRACKED = """\
A request of tollkeeper's first row is a start and a finish, two calls, the limit decided in between; one of the \
others is one span sent when it has ended. What is acknowledged and not yet stored is waited for: *stored* divides \
by the time until the last acknowledged request stood in the database. Batches hold 512 requests, as OpenTelemetry's \
exporter sends them; in a round MLflow and Phoenix get four."""

_KILLED = """\
All processes of the service are killed after three seconds of load by 64 senders; PostgreSQL lives on. Counted are \
acknowledged requests, by their ids."""

_SUMMARY = """\
Requests, tokens and cost of the last 30 days, in all and by model, median of {reads} reads by one reader; for \
tollkeeper the whole dashboard, of a user to whom all the requests belong. At MLflow and Phoenix the first 2,000 \
were taken in over OTLP and the rest are copies of their rows made by SQL. Each read asks for a new 30 days, so that \
none is answered from a cache of the last."""
