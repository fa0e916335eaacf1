"""Install and start the services that people build themselves, and the Redis that one of them needs.

Installed once into ``.bench/rivals``, from the locks beside the code. How each is configured, and why: README.md.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from bench.rivals.installing import environment, packages

HERE: Final = Path(__file__).parent
INSTALLED: Final = HERE.parent.parent / ".bench" / "rivals"

# Both services know this key, as its hash.
KEY: Final = "rivals-service-key"

_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0

Process = subprocess.Popen[bytes]


async def fresh_database(admin_dsn: str, name: str) -> str:
    """Make an empty database with the rivals' schema and key, in place of an earlier one; return its address.

    ``admin_dsn`` is that of a superuser, in any database of the server. The service connects as the same role.
    """
    admin = await asyncpg.connect(_in_database(admin_dsn, "postgres"))
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
    finally:
        await admin.close()
    dsn = _in_database(admin_dsn, name)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute((HERE / "schema.sql").read_text(encoding="utf-8"))
        digest = hashlib.sha256(KEY.encode()).digest()
        await connection.execute("INSERT INTO api_keys VALUES ($1, 'bench')", digest)
    finally:
        await connection.close()
    return dsn


def redis(port: int, directory: Path) -> Process:
    """Start Debian's Redis as people run it who do not want to lose counters: written to disk every second.

    What an earlier one left in the directory is deleted.
    """
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is not installed. On Debian: sudo apt-get install -y redis-server")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    process = subprocess.Popen(
        [
            "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--appendonly", "yes",
            "--appendfsync", "everysec", "--save", "", "--loglevel", "warning",
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + _READY_SECONDS
    while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, check=False).stdout != b"PONG\n":
        _still_starting(process, deadline)
    return process


def fastapi(dsn: str, redis_url: str, port: int, workers: int = 2, **settings: str) -> Process:
    """Start FastAPI + `limits` + asyncpg. More ``settings`` are environment variables, by their names."""
    programs = environment(HERE / "fastapi_app" / "requirements.txt", INSTALLED / "fastapi_app")
    command = [
        str(programs / "uvicorn"), "main:app", "--app-dir", str(HERE / "fastapi_app"), "--host", "127.0.0.1",
        "--port", str(port), "--workers", str(workers), "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--no-proxy-headers", "--log-level", "warning",
    ]  # fmt: skip
    return _service(command, port, {"DATABASE_URL": dsn, "REDIS_URL": redis_url, **settings})


def node(dsn: str, port: int, workers: int = 1, **settings: str) -> Process:
    """Start Node's http + rate-limiter-flexible + pg. More ``settings`` are environment variables, by their names."""
    place = packages(HERE / "node", INSTALLED / "node")
    # Packages are looked for beside the file itself.
    shutil.copy(HERE / "node" / "server.js", place)
    environment = {
        "DATABASE_URL": dsn,
        "PORT": str(port),
        "WORKERS": str(workers),
        "NODE_ENV": "production",
        **settings,
    }
    return _service(["node", str(place / "server.js")], port, environment)


def stop(process: Process) -> None:
    """End a service with its workers, or Redis, and wait."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _service(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Process:
    process = subprocess.Popen(command, env={**os.environ, **environment})
    deadline = time.monotonic() + _READY_SECONDS
    while not _answers(port):
        _still_starting(process, deadline)
    return process


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _still_starting(process: Process, deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        process.kill()
        raise SystemExit(f"it does not start: {process.args}")
    time.sleep(0.1)


def _in_database(dsn: str, name: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()
