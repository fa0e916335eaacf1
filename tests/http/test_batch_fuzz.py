"""Schemathesis on batches, with the one kind of key that may send them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tollkeeper.metering.upkeep.verify import verify

from .batches import PATH
from .conftest import Site


async def test_a_fuzzer_finds_nothing_in_batches_that_is_not_described(service: Site, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"),
        *("--include-path", PATH, "--header", f"Authorization: Bearer {service.key}"),
        *("--max-examples", "12", "--phases", "examples,coverage,fuzzing"),
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        *("--workers", "1", "--request-timeout", "10", "--seed", "1", "--no-color"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-6000:]
    assert not (await verify(service.application.backend.database)).differences
