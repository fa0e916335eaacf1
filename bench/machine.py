"""What the figures were measured on: machine, versions, and the settings that were not chosen for the occasion."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.bodies import described
from bench.course import postgres_program
from bench.programs import ROOT
from tollkeeper.store.room import disk_bytes
from tollkeeper.store.tuning import memory_bytes, server_settings

_PACKAGES = ("tollkeeper", "uvloop", "httptools", "asyncpg", "msgspec")


def machine() -> dict[str, Any]:
    """Describe what all measures share."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memoryGB": round(memory_bytes() / 1e9, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "postgres": _told(str(postgres_program("postgres")), "--version"),
        "node": _told("node", "--version"),
        "redis": _told("redis-server", "--version").partition(" sha")[0],
        "commit": _commit(),
        "packages": {name: version(name) for name in _PACKAGES},
        "bodies": described(),
        "serverSettings": {
            name: value
            for name, value in server_settings(memory_bytes(), disk_bytes(Path.cwd())).items()
            if _tells(name)
        },
    }


def _commit() -> str:
    """Name what is measured; ``-dirty`` where it, or what measures it, is not all committed."""
    changed = _told("git", "status", "--porcelain", "--", "src", "bench")
    return _told("git", "describe", "--always", "--abbrev=12") + ("-dirty" if changed else "")


def _cpu() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else "unknown"


def _told(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()
    except OSError:
        return "not here"


def _tells(setting: str) -> bool:
    return setting in {
        "fsync", "full_page_writes", "synchronous_commit", "shared_buffers", "max_wal_size", "checkpoint_timeout",
        "work_mem", "jit",
    }  # fmt: skip
