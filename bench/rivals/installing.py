"""Install what a lock names, by hash, into a directory of its own, unless it is there already."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(lock: Path, place: Path) -> Path:
    """Have the packages of a requirements lock in a virtual environment of their own; return where its programs are."""
    if not _is_installed(lock, place):
        uv = str(Path(sys.executable).parent / "uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
        _run([uv, "pip", "install", "--quiet", "--python", str(place), "--require-hashes", "--requirement", str(lock)])
        _note_installed(lock, place)
    return place / "bin"


def packages(source: Path, place: Path) -> Path:
    """Have the packages of a directory's ``package-lock.json`` in ``place``; return it."""
    lock = source / "package-lock.json"
    if not _is_installed(lock, place):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy(lock, place)
        shutil.copy(source / "package.json", place)
        _run(["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(place)])
        _note_installed(lock, place)
    return place


def _is_installed(lock: Path, place: Path) -> bool:
    note = place / "installed.lock"
    return note.exists() and note.read_bytes() == lock.read_bytes()


def _note_installed(lock: Path, place: Path) -> None:
    shutil.copyfile(lock, place / "installed.lock")


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError as error:
        raise SystemExit(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}")
