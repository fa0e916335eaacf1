"""Programs of an app on Node, which use the client for TypeScript as it is installed."""

from __future__ import annotations

import asyncio
import json
import subprocess
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk/typescript"
NODE = ROOT / ".venv/node/node"
_TSC = ROOT / "web/node_modules/typescript/bin/tsc"
_BEFORE = """\
import { createInterface } from "node:readline";
import { existsSync, readdirSync, renameSync } from "node:fs";
import * as client from "tollkeeper-client";
const { LimitReached, Refused, Tollkeeper, Unavailable } = client;
const [url, key, user, journal] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = (what) => { process.stdout.write(JSON.stringify(what) + "\\n"); return lines.next(); };
const caught = (promise) => promise.then(() => { throw new Error("nothing was thrown"); }, (error) => error);
"""


class Program:
    """A program under way: what it tells, it waits with until it is told to go on."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def told(self) -> Any:
        """Hear what it tells next."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError((await self.process.stderr.read()).decode())
        return json.loads(line)

    def go_on(self) -> None:
        """Let it do what comes next."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def ended(self) -> str:
        """Wait until it has ended by itself; gives what it warned of."""
        _, warned = await self.process.communicate(b"\n")
        assert self.process.returncode == 0, warned.decode()
        return warned.decode()

    async def kill(self) -> None:
        """End it as it stands."""
        self.process.kill()
        await self.process.wait()


class Workshop:
    """A directory in which the client is installed, as npm would."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "node_modules").mkdir()
        (place / "node_modules/tollkeeper-client").symlink_to(SDK)

    async def start(self, text: str, *words: object) -> Program:
        """Start a program with these words: URL, KEY, USER and JOURNAL, as far as there are."""
        (self.place / "program.mjs").write_text(_BEFORE + text)
        return await run(self.place / "program.mjs", *words)

    async def run(self, text: str, *words: object) -> Any:
        """Let a program run to its end; gives what it told."""
        program = await self.start(text, *words)
        told = await program.told()
        await program.ended()
        return told

    def translate(self, text: str) -> Path:
        """Make JavaScript of TypeScript, strictly."""
        (self.place / "program.mts").write_text(text)
        words = ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "--typeRoots"]
        types = str(ROOT / "web/node_modules/@types")
        done = subprocess.run(
            [NODE, _TSC, *words, types, "program.mts"], cwd=self.place, check=False, capture_output=True
        )
        assert done.returncode == 0, done.stdout.decode()
        return self.place / "program.mjs"


async def run(path: Path, *words: object) -> Program:
    """Start a program that lies there."""
    return Program(
        await asyncio.create_subprocess_exec(NODE, path, *map(str, words), stdin=PIPE, stdout=PIPE, stderr=PIPE)
    )
