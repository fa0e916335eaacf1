"""A client that was made before a fork: each process goes on with a journal of its own, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tollkeeper_client.journal import Journal

_SDK = Path(__file__).parents[2] / "sdk/python/src"
_APP = """
import os, signal, sys
from tollkeeper_client import Tollkeeper

def tracked(who):
    for number in range(4):
        with tollkeeper.track("four", user="ada@example.com", request_id=f"{who}-{number}"):
            pass

open_ = {"when_unavailable": "open", "patience": 0.0}
tollkeeper = Tollkeeper("http://127.0.0.1:1", "tk_service_x", journal=sys.argv[1], **open_)
tracked("before")
children = []
for who in ("closes", "killed", "idle"):
    children.append(os.fork())
    if children[-1] == 0:
        if who != "idle":
            tracked(who)
        if who == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        tollkeeper.close(flush_seconds=0)
        os._exit(0)
for each in children:
    os.waitpid(each, 0)
tracked("after")
tollkeeper.close(flush_seconds=0)
"""


async def test_forked_processes_lose_nothing_of_their_own_nor_of_each_others(tmp_path: Path) -> None:
    app = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _APP, tmp_path), env=os.environ | {"PYTHONPATH": str(_SDK)}
    )
    assert await app.wait() == 0
    journal = Journal(tmp_path)
    journal.adopt()
    assert sorted(entry.start["requestId"] for _, entry in journal.waiting()) == sorted(
        f"{who}-{number}" for who in ("before", "closes", "killed", "after") for number in range(4)
    )
