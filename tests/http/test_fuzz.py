"""Schemathesis reads the description and tries to break what it describes: no 5xx, and only described answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .conftest import Site


async def test_a_fuzzer_finds_nothing_that_is_not_described(service: Site, tmp_path: Path) -> None:
    ana = await service.person()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"),
        *(
            "--header",
            f"Authorization: Bearer {ana.key}",
            "--max-examples",
            "6",
            # It never ends, and what it says between is not a schema's.
            "--exclude-path",
            "/api/user/dashboard/stream",
            "--phases",
            "examples,coverage,fuzzing",
        ),
        *(
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ),
        *("--workers", "1", "--request-timeout", "10", "--seed", "1", "--no-color"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-6000:]
