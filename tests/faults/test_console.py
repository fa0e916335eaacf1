"""Without a mail server what would be mailed stands on the server's console, whichever of its processes was asked."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults.nodes import PATIENCE, Node, Site
from tests.faults.test_killed_nodes import workers_of

_TOLD = "Sign-in code for {}: "


class Browser:
    """One connection to one of the workers, and the cookies that came by it."""

    def __init__(self, node: Node) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=PATIENCE)
        self.cookies: dict[str, str] = {}

    def call(self, method: str, path: str, says: Any = None) -> tuple[int, Any]:
        """Call as a page of the site does."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json", "Cookie": cookie}
        self._connection.request(method, path, None if says is None else json.dumps(says), headers)
        answer = self._connection.getresponse()
        for told in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = told.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, json.loads(answer.read())

    @property
    def port(self) -> int:
        """Its own end of the connection."""
        return self._connection.sock.getsockname()[1]


def _worker_of(browser: Browser, node: Node, workers: set[int]) -> int:
    """Which process has the other end of the connection. Linux only: elsewhere all are taken for one."""
    listing = Path("/proc/net/tcp")
    if not listing.exists():
        return 0
    rows = [line.split() for line in listing.read_text().splitlines()[1:]]
    ends = (f":{node.port:04X}", f":{browser.port:04X}")
    (inode,) = [row[9] for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1])]
    held = {pid: {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()} for pid in workers}
    (found,) = [pid for pid, links in held.items() if f"socket:[{inode}]" in links]
    return found


def _one_of_each(node: Node, workers: set[int]) -> Mapping[int, Browser]:
    """Meet each worker: those that were met stand still until all were."""
    met = dict[int, Browser]()
    try:
        for _ in workers:
            browser = Browser(node)
            assert browser.call("GET", "/healthz")[0] == 200
            worker = _worker_of(browser, node, workers)
            met[worker] = browser
            if worker:
                os.kill(worker, signal.SIGSTOP)
    finally:
        for worker in filter(None, met):
            os.kill(worker, signal.SIGCONT)
    return met


async def test_a_code_that_one_worker_was_asked_for_is_told_once_and_works_at_the_other(battered: Site) -> None:
    node = await battered.start(workers=2)
    met = await asyncio.to_thread(_one_of_each, node, await workers_of(node))
    assert len(met) == 2 or 0 in met
    console = node.process.stdout
    assert console is not None
    said = ""
    for number, (asked, other) in enumerate(zip(met.values(), [*met.values()][::-1], strict=True)):
        email = f"console-{number}@example.com"
        await battered.add_users(email, plan="free")
        status, _ = await asyncio.to_thread(asked.call, "POST", "/api/sign-in/email", {"email": email})
        assert status == 200
        async with asyncio.timeout(PATIENCE):
            while _TOLD.format(email) not in said:
                said += (await console.readline()).decode()
        code = said.partition(_TOLD.format(email))[2].split()[0]
        # The same browser, which its cookie tells, comes to the other process.
        other.cookies = dict(asked.cookies)
        told = {"email": email, "code": code}
        assert await asyncio.to_thread(other.call, "POST", "/api/sign-in/code", told) == (
            200,
            {"success": True, "next": "/"},
        )
        status, who = await asyncio.to_thread(asked.call, "GET", "/api/account")
        assert status == 401, who
        asked.cookies = dict(other.cookies)
        status, who = await asyncio.to_thread(asked.call, "GET", "/api/account")
        assert (status, who["account"]["email"]) == (200, email)
        for browser in met.values():
            browser.cookies = {}
    assert await node.end() == 0
    said += (await console.read()).decode()
    assert [said.count(_TOLD.format(f"console-{number}@example.com")) for number in range(len(met))] == [1] * len(met)
    # The log is no place for it.
    assert "Sign-in code" not in node.log.read_text()
