"""The service as processes: started, told to stop, killed; one or several on one port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Server, a_database
from tollkeeper.accounts import keys
from tollkeeper.accounts.secrets import masterkey
from tollkeeper.activity import Actor
from tollkeeper.errors import Misconfigured
from tollkeeper.serving import listening
from tollkeeper.settings import Settings
from tollkeeper.store.connections import directly
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import alone

PROGRAM = """
import os
from tollkeeper import serving
from tollkeeper.settings import Settings
serving.run(Settings.of(os.environ), ready=lambda url: print(url, flush=True))
"""


class Running:
    """A service in processes of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str) -> None:
        self.process = process
        self.url = url.replace("localhost", "127.0.0.1")
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def workers(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    async def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Running]]


@pytest.fixture
async def start(server: Server, tmp_path: Path) -> AsyncGenerator[Start]:
    """Start the service on a database of its own, with settings from the environment."""
    async with a_database(server, template="tollkeeper") as addresses:
        pepper = masterkey.pepper_of(masterkey.load_or_make(tmp_path / "master.key"))
        async with Database.open(addresses.service, size=1) as database:
            key = (await keys.create(database, kind="service", name="t", pepper=pepper, actor=Actor("t"))).key

        @asynccontextmanager
        async def started(hear: bytes = b"", **settings: str) -> AsyncGenerator[Running]:
            """Wait for the address; or until the log has a line with what is to be heard."""
            environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")}
            environment |= {
                "TOLLKEEPER_PORT": "0",
                "TOLLKEEPER_DATA": str(tmp_path),
                "TOLLKEEPER_DATABASE_URL": addresses.service,
                "TOLLKEEPER_OWNER_DATABASE_URL": addresses.owner,
                "TOLLKEEPER_DRAIN_SECONDS": "0.3",
            } | {f"TOLLKEEPER_{name.upper()}": value for name, value in settings.items()}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE if hear else None,
            )
            assert process.stdout
            try:
                async with asyncio.timeout(30):
                    while process.stderr and hear not in (line := await process.stderr.readline()):
                        assert line
                    url = "" if hear else (await process.stdout.readline()).decode().strip()
                yield Running(process, url, key)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

        yield started


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def track(service: Running, session: aiohttp.ClientSession, n: int) -> tuple[int, bool]:
    """Start a request; says the status, and whether the process asked to be left alone."""
    headers = service.headers | {"Tollkeeper-User": f"u{n % 20}@example.com"}
    async with session.post(f"{service.url}/api/chat/track", json={"prompt": "x"}, headers=headers) as answer:
        return answer.status, answer.headers.get("Connection") == "close"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_told_to_terminate_it_fails_no_request_and_exits_with_0(start: Start, workers: str) -> None:
    statuses: list[int] = []
    is_ready = True
    async with start(workers=workers, drain_seconds="3") as service:

        async def keep_tracking() -> None:
            n, is_stopping = 0, False
            async with aiohttp.ClientSession() as session:
                while is_ready and not is_stopping:
                    status, is_stopping = await track(service, session, n := n + 1)
                    statuses.append(status)

        async def looks_ready() -> bool:
            # A probe that is cut off says no as well.
            with contextlib.suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as session, session.get(f"{service.url}/readyz") as answer:
                    return answer.status == 200
            return False

        clients = [asyncio.create_task(keep_tracking()) for _ in range(8)]
        await asyncio.sleep(0.7)
        service.process.send_signal(signal.SIGTERM)
        # What a balancer does.
        while is_ready:
            is_ready = await looks_ready()
        await asyncio.gather(*clients)
        assert await asyncio.wait_for(service.process.wait(), 20) == 0
    assert len(statuses) >= 8
    assert set(statuses) <= {201, 429}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_readiness_fails_first_and_requests_are_still_answered(start: Start, workers: str) -> None:
    async with start(workers=workers, drain_seconds="1.5") as service, aiohttp.ClientSession() as session:
        service.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        async with session.get(f"{service.url}/readyz") as answer:
            assert (answer.status, answer.headers["Connection"]) == (503, "close")
        assert await track(service, session, 1) == (201, True)
        assert await asyncio.wait_for(service.process.wait(), 10) == 0


async def test_interrupted_it_waits_for_no_balancer(start: Start) -> None:
    async with start(drain_seconds="30") as service:
        assert await service.end(signal.SIGINT) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_told_twice_it_waits_for_no_balancer(start: Start, workers: str) -> None:
    async with start(workers=workers, drain_seconds="60") as service:
        service.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert service.process.returncode is None
        assert await service.end(signal.SIGINT) == 0


async def test_workers_share_one_port_and_a_killed_one_is_replaced(start: Start) -> None:
    async with start(workers="2") as service:
        first = service.workers()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        async with aiohttp.ClientSession() as session:
            for n in range(20):
                with contextlib.suppress(aiohttp.ClientError):
                    assert (await track(service, session, n))[0] == 201
        for _ in range(100):
            if len(set(service.workers()) - set(first)) == 1:
                break
            await asyncio.sleep(0.1)
        assert len(service.workers()) == 2
        assert await service.end() == 0


async def test_workers_do_not_outlive_a_killed_parent(start: Start) -> None:
    async with start(workers="2") as service:
        workers = service.workers()
        service.process.kill()
        await service.process.wait()

        for _ in range(150):
            if not any(map(is_running, workers)):
                break
            await asyncio.sleep(0.1)
        assert not any(map(is_running, workers))


async def test_a_port_that_is_taken_stops_the_start_and_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with start(port=str(port)) as service:
            assert service.url == ""
            assert await service.process.wait() != 0


def test_a_name_that_no_host_can_have_stops_the_start_and_is_named() -> None:
    host = f"{'x' * 64}.ä"
    with pytest.raises(Misconfigured, match=f"cannot listen on {host}:0: "), listening(Settings(host=host, port=0)):
        pass


async def test_workers_find_a_directory_whose_name_is_not_utf_8(start: Start, tmp_path: Path) -> None:
    async with start(workers="2", data=os.fsdecode(bytes(tmp_path / "of bytes ") + b"\xff")) as service:
        assert len(service.workers()) == 2
        assert await service.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_that_waits_for_others_is_given_up_when_told_so(
    start: Start, dsns: Addresses, number: signal.Signals
) -> None:
    addresses = {"database_url": dsns.service, "owner_database_url": dsns.owner}
    async with (
        directly(dsns.owner, "test") as owner,
        alone(owner),
        start(**addresses, hear=b"waiting for others to migrate") as service,
    ):
        assert await service.end(number) == 0
