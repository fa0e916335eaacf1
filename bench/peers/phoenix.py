"""Arize Phoenix."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar, Final

import aiohttp

from bench.course import free_port, until_ready
from bench.peers.contender import Running, Totals, answer_of
from bench.peers.copies import Table
from bench.peers.tracing import Tracing, programs_of, version_in
from bench.programs import Failed, environment, running

_START_SECONDS: Final = 240.0
_SUMMARY: Final = """
query ($project: ID!, $range: TimeRange!) {
  node(id: $project) {
    ... on Project {
      traceCount(timeRange: $range)
      tokenCountTotal(timeRange: $range)
      costSummary(timeRange: $range) { total { cost tokens } }
      topModelsByCost(timeRange: $range) {
        name
        costSummary(projectId: $project, timeRange: $range) { total { cost tokens } }
      }
    }
  }
}
"""
_PROJECT: Final = base64.b64encode(b"Project:1").decode()


class Phoenix(Tracing):
    """``phoenix serve``, which is one process, on PostgreSQL."""

    name: ClassVar[str] = "Arize Phoenix"
    version: ClassVar[str] = version_in("phoenix.txt", "arize-phoenix")
    acknowledgement: ClassVar[str] = "accepted into a queue in memory"
    read: ClassVar[str] = (
        "`POST /graphql`, one query of the project: traces, tokens, cost, and the models by cost with tokens and cost"
    )
    settings: ClassVar[list[str]] = [
        "`phoenix serve` on PostgreSQL, one process (there is no setting for more), its queue of 20,000 spans",
        "OTLP over HTTP into one project; 64 senders of one trace, or 4 senders of 512",
        "no telemetry, no assistant, no MCP server, warnings only in the log",
    ]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Running]:
        programs = await asyncio.to_thread(programs_of, "phoenix.txt")
        port = free_port()
        env = environment(
            PHOENIX_SQL_DATABASE_URL=self.dsn, PHOENIX_HOST="127.0.0.1", PHOENIX_PORT=str(port),
            PHOENIX_GRPC_PORT=str(free_port()), PHOENIX_WORKING_DIR=str(self.here.data / "phoenix"),
            PHOENIX_ALLOW_EXTERNAL_RESOURCES="false", PHOENIX_TELEMETRY_ENABLED="false",
            PHOENIX_DISABLE_AGENT_ASSISTANT="true", PHOENIX_ENABLE_MCP_SERVER="false", PHOENIX_LOGGING_LEVEL="warning",
        )  # fmt: skip
        async with running(programs / "phoenix", "serve", env=env, log=self.here.log) as process:
            await until_ready(port, process, "/healthz", _START_SECONDS)
            yield Running(port, process.pid)

    async def stored_of(self, ids: list[str]) -> int:
        return await self.value(
            "SELECT count(*) FROM spans AS s JOIN traces AS t ON t.id = s.trace_rowid WHERE t.trace_id = ANY($1)", ids
        )

    def tables(self) -> Sequence[Table]:
        # Each copy has a range of ids of its own. Sequences are left alone: nothing is added afterwards.
        step = 1_000_000
        before = "k * interval '37 seconds'"

        def table(name: str, *rowids: str, **changed: str) -> Table:
            moved = {column: f"t.{column} + k * {step}" for column in ("id", *rowids)}
            return Table(name, f"t.id <= {step}", {**moved, **changed})

        times = {column: f"t.{column} - {before}" for column in ("start_time", "end_time")}
        return (
            table("traces", trace_id="'copy' || k || '-' || t.trace_id", **times),
            table("spans", "trace_rowid", span_id="'copy' || k || '-' || t.span_id", **times),
            table(
                "span_costs",
                "span_rowid",
                "trace_rowid",
                span_start_time=f"t.span_start_time - {before}",
            ),
            table("span_cost_details", "span_cost_id"),
        )

    async def summary(self, session: aiohttp.ClientSession, running: Running, since: datetime) -> Totals:
        told = await answer_of(
            session,
            f"http://127.0.0.1:{running.port}/graphql",
            {"query": _SUMMARY, "variables": {"project": _PROJECT, "range": {"start": since.isoformat()}}},
        )
        if told.get("errors"):
            raise Failed(f"GraphQL: {told['errors'][0]}")
        project = told["data"]["node"]
        return Totals(project["traceCount"], round(project["tokenCountTotal"]))
