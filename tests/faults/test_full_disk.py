"""A disk that fills: new work is refused in time, reading and finishing go on, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.audit import audit
from tests.faults.callers import Caller, calling
from tests.faults.nodes import Node, Site, connected, until

_USER = "ana@example.com"
_EVERYTHING = {"TOLLKEEPER_DISK_RESERVE_MIB": "16000000"}
_ONE_ROW = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n"
)


@pytest.fixture
async def tiny(open_dir: Path) -> AsyncGenerator[Site]:
    """A service on a disk of its own, as only root can make one."""
    disk = open_dir / "tiny"
    disk.mkdir()
    await _done("mount", "-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", str(disk))
    try:
        site = Site(disk / "data")
        try:
            await site.furnish()
            yield site
        finally:
            (disk / "of-others").unlink(missing_ok=True)
            await site.close()
    finally:
        await _done("umount", "--lazy", str(disk))


async def _done(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words)
    assert await process.wait() == 0, words


async def _told(caller: Caller, node: Node, method: str, path: str, body: Any = None) -> tuple[int, Any, str | None]:
    headers = {"Authorization": f"Bearer {caller.key}"}
    if not path.endswith("batch"):
        headers["Tollkeeper-User"] = _USER
    async with caller.session.request(method, node.url + path, json=body, headers=headers) as answer:
        told = await answer.json() if "json" in answer.content_type else await answer.text()
        return answer.status, told, answer.headers.get("Retry-After")


async def test_below_the_reserve_nothing_new_is_taken_in(battered: Site, battered_caller: Caller) -> None:
    roomy, scarce = await asyncio.gather(battered.start(), battered.start(environment=_EVERYTHING))
    assert (await battered_caller.start(roomy.url, _USER, "begun")).status == 201
    variable = {"key": "color", "value": "blue"}
    refused = [
        ("POST", "/api/chat/track", {"prompt": "four"}),
        ("POST", "/api/chat/track/batch", [{"user": _USER, "prompt": "four"}]),
        ("POST", "/api/user/variables", variable),
        ("PUT", "/api/user/variables", {"variables": [variable]}),
        ("POST", "/api/user/dashboard", None),
    ]
    for method, path, body in refused:
        status, told, again = await _told(battered_caller, scarce, method, path, body)
        assert (status, told["type"], again) == (503, "/problems/no-room", "10"), (method, path)
    assert (await battered_caller.finish(scarce.url, _USER, "begun")).status == 200
    assert (await _told(battered_caller, scarce, "GET", "/api/user/dashboard"))[0] == 200
    assert (await _told(battered_caller, roomy, "POST", "/api/user/variables", variable))[0] == 201
    assert (await _told(battered_caller, scarce, "DELETE", "/api/user/variables/color"))[0] == 200
    # A line for each would fill a disk further.
    assert [each["message"] for each in battered.said() if "/api/" in each["message"]] == []
    file = battered.data.with_name("more.csv")
    file.write_text(_ONE_ROW)
    said = await battered.run("import", "burstgpt", file, "--user", _USER, code=1, environment=_EVERYTHING)
    assert said["type"] == "/problems/no-room", said
    await audit(battered)
    assert [await scarce.end(), await roomy.end()] == [0, 0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk that is small enough to fill")
async def test_a_full_disk_loses_nothing_and_is_left_by_itself(tiny: Site) -> None:
    node = await tiny.start()
    spare, of_others = tiny.data / "postgres-spare", tiny.data.with_name("of-others")
    async with calling(tiny.key) as caller:
        await tiny.add_users(_USER, plan="enough")
        _fill(of_others, mib=50)
        acknowledged = await _until_refused(caller, node)
        assert os.statvfs(tiny.data).f_bavail > 0
        assert (await caller.finish(node.url, _USER, "0")).status == 200

        assert spare.exists()
        with pytest.raises(OSError, match="No space left"):
            _fill(of_others, mib=400)
        assert (await _told(caller, node, "GET", "/api/user/dashboard"))[0] == 200
        # PostgreSQL ends, and is there again on the room that was kept for that.
        os.kill(tiny.postmaster(), signal.SIGKILL)
        await until(lambda: _is_gone(spare))
        await until(lambda: _is_read(caller, node))
        assert (await caller.start(node.url, _USER, "more")).status == 503

        of_others.unlink()
        await until(lambda: _is_taken(caller, node))
        await until(lambda: _is_there(spare))
    async with connected(tiny) as admin:
        stored = await admin.fetch("SELECT client_id FROM chat_requests")
    assert {each["client_id"] for each in stored} >= acknowledged
    await audit(tiny)
    assert await node.end() == 0


async def _until_refused(caller: Caller, node: Node) -> set[str]:
    """Start requests with long prompts until nothing new is taken in; gives which were acknowledged."""
    acknowledged = set[str]()

    async def sender(first: int) -> None:
        number = first
        while True:
            reply = await caller.start(node.url, _USER, str(number), prompt=os.urandom(20_000).hex())
            if reply.status == 503:
                assert reply.told["type"] == "/problems/no-room", reply.told
                return
            assert reply.status == 201, reply.told
            acknowledged.add(str(number))
            number += 8

    await asyncio.gather(*(sender(number) for number in range(8)))
    return acknowledged


def _fill(file: Path, *, mib: int) -> None:
    with file.open("ab", buffering=0) as filling:
        for _ in range(mib):
            filling.write(bytes(2**20))


async def _is_there(file: Path) -> bool:
    return await asyncio.to_thread(file.exists)


async def _is_gone(file: Path) -> bool:
    return not await _is_there(file)


async def _is_read(caller: Caller, node: Node) -> bool:
    return (await _told(caller, node, "GET", "/api/user/dashboard"))[0] == 200


async def _is_taken(caller: Caller, node: Node) -> bool:
    return (await caller.start(node.url, _USER, "again")).status == 201
