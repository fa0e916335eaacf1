"""What is asked of a contender: to run, to be sent requests, to tell what it stored, to be read."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import aiohttp
import asyncpg

from bench.course import Course, asked, renamed
from bench.peers.kept import Way
from bench.peers.sender import Sending
from bench.peers.settling import Count
from bench.programs import Failed


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    port: int
    pid: int

    def kill(self) -> None:
        """End all its processes at once, as a machine that fails does."""
        os.killpg(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a summary said."""

    requests: int
    tokens: int


class Contender(ABC):
    """One that takes part, on a database of its own in the course's PostgreSQL."""

    name: ClassVar[str]
    version: ClassVar[str]
    acknowledgement: ClassVar[str]
    """What its good answer to a sender means."""
    read: ClassVar[str]
    """What is asked for a summary."""
    settings: ClassVar[list[str]]
    senders: ClassVar[dict[Way, tuple[int, int]]]
    """For each way to send: how many at once, and how many requests in a call."""
    counted: ClassVar[str]
    """The SQL that counts the requests in its database."""

    def __init__(self, here: Course, database: str) -> None:
        self.here = here
        self.database = database
        self.dsn = renamed(here.admin, database)

    @abstractmethod
    def running(self) -> AbstractAsyncContextManager[Running]:
        """Have it running for as long as the block lasts."""

    @abstractmethod
    def sending(self, running: Running, way: Way, seconds: float) -> Sending:
        """Say how it is sent requests."""

    @abstractmethod
    async def stored_of(self, ids: list[str]) -> int:
        """Count those of the requests that are in its database."""

    @abstractmethod
    async def fill(self, running: Running, requests: int) -> None:
        """Have so many requests of the last 30 days stored."""

    @abstractmethod
    async def summary(self, session: aiohttp.ClientSession, running: Running, since: datetime) -> Totals:
        """Ask for requests, tokens and cost since then, in all and by model."""

    async def before_read(self, session: aiohttp.ClientSession, running: Running) -> int:  # noqa: ARG002 - see ours.py
        """See to it that an answer kept from the last read is none to the next; give how many requests that added."""
        return 0

    async def stored(self) -> int:
        """Count the requests in its database."""
        return await self.value(self.counted)

    @asynccontextmanager
    async def counting(self) -> AsyncGenerator[Count]:
        """Count them again and again, on one connection."""
        connection = await asyncpg.connect(self.dsn)
        try:
            yield lambda: connection.fetchval(self.counted)
        finally:
            await connection.close()

    async def value(self, sql: str, *arguments: object) -> Any:
        """Ask the database for one value."""
        return (await asked(self.dsn, sql, *arguments))[0][0]


async def fresh_database(here: Course, name: str) -> None:
    """Make an empty database in place of an earlier one."""
    await asked(here.admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await asked(here.admin, f"CREATE DATABASE {name}")


async def answer_of(session: aiohttp.ClientSession, url: str, body: object) -> Any:
    """Post JSON and give the JSON of a good answer."""
    async with session.post(url, json=body) as answer:
        if answer.status != 200:
            raise Failed(f"{url} answered {answer.status}: {(await answer.text())[:500]}")
        return await answer.json()
