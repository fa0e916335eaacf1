"""Schemathesis as an operator: no 5xx on any of their routes, and only described answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .conftest import Site


async def test_a_fuzzer_with_an_operators_cookie_finds_nothing_that_is_not_described(
    service: Site, tmp_path: Path
) -> None:
    operator = await service.operator()
    await service.start(operator, model="gpt-4o")
    headers = [word for name, value in operator.by_cookie.items() for word in ("--header", f"{name}: {value}")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json", *headers),
        *("--include-path-regex", "^/api/admin/", "--max-examples", "6", "--phases", "examples,coverage,fuzzing"),
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
