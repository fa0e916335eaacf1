"""MLflow's tracking server and its traces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Final

import aiohttp

from bench.course import free_port, until_ready
from bench.peers.contender import Running, Totals, answer_of
from bench.peers.copies import Table
from bench.peers.tracing import Tracing, programs_of, version_in
from bench.programs import environment, running

_WORKERS: Final = 2
_START_SECONDS: Final = 240.0
_COPY: Final = "'tr-copy' || k || '-' || substr(t.{}, 4)"


class MLflow(Tracing):
    """Two workers of ``mlflow server`` on PostgreSQL, by psycopg2."""

    name: ClassVar[str] = "MLflow tracing"
    version: ClassVar[str] = version_in("mlflow.txt", "mlflow")
    acknowledgement: ClassVar[str] = "committed to PostgreSQL"
    read: ClassVar[str] = (
        "`POST /api/3.0/mlflow/traces/metrics`, three calls at once: traces, sum of tokens, sum of cost by model"
    )
    settings: ClassVar[list[str]] = [
        "`mlflow server --workers 2`, the backend store on PostgreSQL by psycopg2 (twice as fast here as psycopg)",
        "OTLP over HTTP into one experiment; 64 senders of one trace, or 4 senders of 512",
        "no access log, no telemetry, no background jobs",
    ]
    headers: ClassVar[dict[str, str]] = {"x-mlflow-experiment-id": "0"}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Running]:
        programs = await asyncio.to_thread(programs_of, "mlflow.txt")
        port = free_port()
        store = self.dsn.replace("postgresql://", "postgresql+psycopg2://")
        artifacts = self.here.data / "mlflow-artifacts"
        command = (
            programs / "mlflow", "server", "--backend-store-uri", store, "--default-artifact-root", artifacts,
            "--host", "127.0.0.1", "--port", str(port), "--workers", str(_WORKERS),
            "--uvicorn-opts", "--log-level warning --no-access-log",
        )  # fmt: skip
        # It starts its web server by name.
        path = f"{programs}:{environment()['PATH']}"
        env = environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", PATH=path)
        async with running(*command, env=env, log=self.here.log) as process:
            await until_ready(port, process, "/health", _START_SECONDS)
            yield Running(port, process.pid)

    async def stored_of(self, ids: list[str]) -> int:
        return await self.value("SELECT count(*) FROM spans WHERE trace_id = ANY($1)", [f"tr-{each}" for each in ids])

    def tables(self) -> Sequence[Table]:
        def table(name: str, key: str, **changed: str) -> Table:
            return Table(name, f"t.{key} NOT LIKE 'tr-copy%'", {key: _COPY.format(key), **changed})

        return (
            table("trace_info", "request_id", timestamp_ms="t.timestamp_ms - k * 37000"),
            table("trace_tags", "request_id"),
            table("trace_request_metadata", "request_id"),
            table(
                "spans", "trace_id",
                start_time_unix_nano="t.start_time_unix_nano - k * 37000000000",
                end_time_unix_nano="t.end_time_unix_nano - k * 37000000000",
            ),
        )  # fmt: skip

    async def summary(self, session: aiohttp.ClientSession, running: Running, since: datetime) -> Totals:
        async def points(view: str, metric: str, how: str, *dimensions: str) -> list[dict[str, Any]]:
            told = await answer_of(
                session,
                f"http://127.0.0.1:{running.port}/api/3.0/mlflow/traces/metrics",
                {
                    "experiment_ids": ["0"], "view_type": view, "metric_name": metric, "dimensions": dimensions,
                    "aggregations": [{"aggregation_type": how}], "start_time_ms": int(since.timestamp() * 1000),
                },
            )  # fmt: skip
            return told["data_points"]

        traces, tokens, _ = await asyncio.gather(
            points("TRACES", "trace_count", "COUNT"),
            points("TRACES", "total_tokens", "SUM"),
            points("SPANS", "total_cost", "SUM", "span_model_name"),
        )
        return Totals(round(traces[0]["values"]["COUNT"]), round(tokens[0]["values"]["SUM"]))
