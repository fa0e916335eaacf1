"""The master key is rotated under readers and writers, and its job is killed: every secret is read at every instant."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.faults.callers import LONGEST_ANSWER
from tests.faults.nodes import Node, Site, connected, until
from tollkeeper.accounts.secrets import masterkey

# Commands and nodes are started one after another.
pytestmark = pytest.mark.timeout(400)

USERS = 4
SECRETS = 150  # of each user, read and never written
READERS = WRITERS = 16


@dataclass(slots=True)
class Secrets:
    """What users keep, by their own keys, on whichever node; what was not as it should be is in ``wrong``."""

    session: aiohttp.ClientSession
    keys: list[str]
    nodes: list[Node]
    reads: int = 0
    writes: int = 0
    wrong: list[str] = field(default_factory=list[str])

    async def ask(self, method: str, user: int, path: str = "", *, node: Node | None = None, says: Any = None) -> Any:
        url = (node or random.choice(self.nodes)).url
        headers = {"Authorization": f"Bearer {self.keys[user]}"}
        async with self.session.request(
            method, f"{url}/api/user/variables{path}", json=says, headers=headers
        ) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def furnish(self) -> None:
        for user in range(USERS):
            kept = [{"key": f"K{n}", "value": secret(user, n), "type": "secret"} for n in range(SECRETS)]
            status, told, _ = await self.ask("PUT", user, says={"variables": kept})
            assert status == 200, told

    async def read_for_ever(self) -> None:
        while True:
            user, n = random.randrange(USERS), random.randrange(SECRETS)
            status, told, _ = await self.ask("GET", user, f"/K{n}?reveal=true")
            if (status, told.get("variable", {}).get("value")) != (200, secret(user, n)):
                self.wrong.append(f"{status}: {told}")
            self.reads += 1

    async def write_for_ever(self, writer: int) -> None:
        """Write and read what was written, on other nodes as well."""
        user = writer % USERS
        for times in itertools.count():
            value = f"written {writer} {times}, canary-of-writers"
            says = {"key": f"W{writer}", "value": value, "type": "secret"}
            status, told, _ = await self.ask("POST", user, says=says)
            found = await self.ask("GET", user, f"/W{writer}?reveal=true")
            if status not in {200, 201} or (found[0], found[1]["variable"]["value"]) != (200, value):
                self.wrong.append(f"{status}: {told}, then {found[:2]}")
            self.writes += 1

    @asynccontextmanager
    async def used(self) -> AsyncGenerator[None]:
        """Read and write for as long as the block lasts."""
        tasks = [asyncio.create_task(self.read_for_ever()) for _ in range(READERS)]
        tasks += [asyncio.create_task(self.write_for_ever(n)) for n in range(WRITERS)]
        try:
            yield
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def secret(user: int, n: int) -> str:
    return f"secret {n} of user {user}, canary-of-readers"


async def a_key(site: Site, email: str) -> str:
    await site.run("user", "add", email)
    scopes = [word for scope in ("read", "write", "reveal") for word in ("--scope", f"variables:{scope}")]
    return (await site.run("key", "create", "--user", email, *scopes))["key"]


@pytest.fixture
async def site(open_dir: Path) -> AsyncGenerator[Site]:
    """A data directory of each test's own: what is done to its key cannot be undone."""
    site = Site(open_dir / f"rotated-{random.getrandbits(40):x}")
    try:
        yield site
    finally:
        await site.close()


@asynccontextmanager
async def secrets_of(site: Site, nodes: list[Node], users: int = USERS) -> AsyncGenerator[Secrets]:
    keys = [await a_key(site, f"rotated-{user}@example.com") for user in range(users)]
    timeout = aiohttp.ClientTimeout(total=LONGEST_ANSWER)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        yield Secrets(session, keys, nodes)


async def under(site: Site) -> dict[int, int]:
    """How many secrets are sealed under each version."""
    async with connected(site) as database:
        rows = await database.fetch(
            "SELECT sealed_with, count(*) FROM variables WHERE sealed_with IS NOT NULL GROUP BY sealed_with"
        )
        return {row[0]: row[1] for row in rows}


async def killed(site: Site, when: Any) -> None:
    """Start a rotation and kill it as soon as something holds."""
    job = await site.begin("secrets", "rotate")
    await until(when)
    assert job.returncode is None, await job.communicate()
    job.kill()
    assert await job.wait() == -signal.SIGKILL


async def test_every_secret_is_read_while_the_master_key_is_rotated_and_the_job_killed_twice(site: Site) -> None:
    nodes = [await site.start(), await site.start()]
    file = site.data / "master.key"
    async with secrets_of(site, nodes) as secrets, connected(site) as database:
        await secrets.furnish()
        async with secrets.used():

            async def has_second() -> bool:
                return masterkey.load(file).keys() == {1, 2}

            await killed(site, has_second)
            # One row is held, so that the job cannot be done before it is killed.
            await database.execute("BEGIN")
            await database.execute("SELECT FROM variables WHERE key = 'K77' FOR UPDATE")

            async def is_half_done() -> bool:
                return (await under(site)).get(2, 0) > WRITERS

            await killed(site, is_half_done)
            assert (await under(site)).get(1, 0) > 0
            await database.execute("ROLLBACK")
            resumed = await site.run("secrets", "rotate")
            assert (resumed["version"], resumed["broken"]) == (2, [])
            assert (await under(site)).keys() == {2}
            rotated = await site.run("secrets", "rotate")
            assert (rotated["version"], rotated["broken"]) == (3, [])
            assert await under(site) == {3: USERS * SECRETS + WRITERS}
            reads, writes = secrets.reads, secrets.writes
            await asyncio.sleep(1)
        assert secrets.wrong == []
        assert secrets.reads > reads > 100
        assert secrets.writes > writes > 100
        assert (await under(site)).keys() == {3}
        plain = await database.fetchval("SELECT count(*) FROM variables AS v WHERE v::text LIKE '%canary%'")
        assert plain == 0
    told = await site.run("secrets", "status")
    assert [(each["version"], each["isSealing"], each["isNeeded"], each["isHere"]) for each in told["versions"]] == [
        (1, False, True, True),
        (2, False, False, True),
        (3, True, True, True),
    ]
    assert [line for line in site.said() if line["level"] == "error"] == []
    assert masterkey.load(file).keys() == {1, 2, 3}


async def test_a_version_that_is_needed_cannot_be_removed(site: Site) -> None:
    node = await site.start()
    async with secrets_of(site, [node], users=1) as secrets:
        assert (await secrets.ask("POST", 0, says={"key": "A", "value": "hush", "type": "secret"}))[0] == 201
    await site.run("secrets", "rotate")
    await node.end()
    file = site.data / "master.key"
    whole = file.read_text()
    for version in (1, 2):
        file.write_text("".join(line for line in whole.splitlines(keepends=True) if not line.startswith(f"{version}:")))
        assert f"version {version} of the master key" in (await site.run("serve", "--port", "0", code=1))["detail"]
    file.unlink()
    assert "bring it back" in (await site.run("serve", "--port", "0", code=1))["detail"]
    assert not file.exists()
    file.write_text(whole)
    file.chmod(0o600)
    assert await (await site.start()).end() == 0


async def test_a_node_with_an_old_list_of_keys_says_503_and_nothing_is_sealed_before_it_has_the_new_one(
    site: Site,
) -> None:
    new = await site.start()
    file = site.data / "master.key"
    by_key_store = {"TOLLKEEPER_MASTER_KEY": file.read_text().splitlines()[-1]}
    old = await site.start(environment=by_key_store)
    async with secrets_of(site, [new, old], users=1) as secrets:
        for says in ({"key": "S", "value": "hush", "type": "secret"}, {"key": "P", "value": "plain"}):
            assert (await secrets.ask("POST", 0, node=new, says=says))[0] == 201
        refused = await site.run("secrets", "rotate", "--wait", "4", code=1)
        assert [each["pid"] for each in refused["nodes"]] == [old.process.pid]
        assert (await under(site)) == {1: 1}
        assert (await secrets.ask("GET", 0, "/S?reveal=true", node=old))[1]["variable"]["value"] == "hush"
        await frozen_and_forgotten(site, old)
        assert (await site.run("secrets", "rotate"))["version"] == 2
        os.kill(old.process.pid, signal.SIGCONT)
        status, told, headers = await secrets.ask("GET", 0, "/S?reveal=true", node=old)
        assert (status, told["type"], "Retry-After" in headers) == (503, "/problems/unavailable", True)
        assert "hush" not in str(told)
        says = {"key": "S", "value": "other", "type": "secret"}
        assert (await secrets.ask("POST", 0, node=old, says=says))[0] == 503
        assert (await secrets.ask("GET", 0, "/P", node=old))[1]["variable"]["value"] == "plain"
        assert (await secrets.ask("GET", 0, "/S?reveal=true", node=new))[1]["variable"]["value"] == "hush"
    assert await old.end() == 0
    again = await site.run("serve", "--port", "0", code=1, environment=by_key_store)
    assert "version 2 of the master key" in again["detail"]


async def frozen_and_forgotten(site: Site, node: Node) -> None:
    """Let a node stand still until nobody counts on it, without waiting for that."""
    os.kill(node.process.pid, signal.SIGSTOP)
    async with connected(site) as database:
        await database.execute("DELETE FROM nodes WHERE pid = $1", node.process.pid)


async def test_with_a_key_store_the_next_version_is_expected_there(site: Site) -> None:
    one = {"TOLLKEEPER_MASTER_KEY": "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
    two = {"TOLLKEEPER_MASTER_KEY": one["TOLLKEEPER_MASTER_KEY"] + ",2:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="}
    first = await site.start(environment=one)
    assert "add the next one" in (await site.run("secrets", "rotate", code=2, environment=one))["detail"]
    second = await site.start(environment=two)
    assert await first.end() == 0
    done = await site.run("secrets", "rotate", environment=two)
    assert (done["version"], done["secrets"]) == (2, 0)
    assert await second.end() == 0
    assert not (site.data / "master.key").exists()
