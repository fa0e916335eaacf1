"""A page that the disk gives back otherwise than it was written: an error and an alarm, and never a wrong number."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.faults.callers import Caller, calling
from tests.faults.nodes import Node, Site, connected, until

_ILL, _WELL = "anna@example.com", "otto@example.com"
# So many that nobody reads all of them to find the last, and so few that both users are proved together.
_REQUESTS = 1_000
_PAGE = 8192
# Where a request of somebody stands, amid others of theirs.
_PLACE = """
SELECT pg_relation_filepath(r.tableoid::regclass) AS file, split_part(trim('(' FROM r.ctid::text), ',', 1)::int AS page,
       r.client_id
  FROM chat_requests AS r JOIN user_identities AS i ON i.user_id = r.user_id
 WHERE i.value = $1
 ORDER BY r.id OFFSET $2 LIMIT 1"""
_NOT_THEIRS = """
SELECT count(*) FROM chat_requests AS r JOIN user_identities AS i ON i.user_id = r.user_id
 WHERE i.value <> $1 AND split_part(trim('(' FROM r.ctid::text), ',', 1)::int = $2"""


@pytest.fixture
async def damaged(open_dir: Path) -> AsyncGenerator[tuple[Site, str]]:
    """A service that does not run, and a request of somebody in whose page a byte is another."""
    site = Site(open_dir / "damaged")
    try:
        await site.furnish()
        node = await site.start(environment={"TOLLKEEPER_PROVE_HOURS": "0"})
        await site.add_users(_ILL, _WELL, plan="enough")
        async with calling(site.key) as caller:
            now = datetime.now(UTC)
            for user in (_ILL, _WELL):
                items = [
                    {
                        "user": user,
                        "prompt": "four",
                        "requestId": f"{user[:4]}-{n}",
                        "status": "completed",
                        "startedAt": (now - timedelta(milliseconds=_REQUESTS - n)).isoformat(),
                    }
                    for n in range(_REQUESTS)
                ]
                status, told = await _told(caller, node, "POST", "/api/chat/track/batch", body=items)
                assert (status, told["accepted"]) == (200, _REQUESTS)
        async with connected(site) as admin:
            place = await admin.fetchrow(_PLACE, _ILL, _REQUESTS // 4)
            assert place is not None
            assert await admin.fetchval(_NOT_THEIRS, _ILL, place["page"]) == 0
            await admin.execute("VACUUM ANALYZE")
        await node.end()
        with next(site.data.glob(f"postgres/**/{place['file']}")).open("r+b") as file:
            file.seek(place["page"] * _PAGE + _PAGE // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))
        yield site, place["client_id"]
    finally:
        await site.close()


async def _told(
    caller: Caller, node: Node, method: str, path: str, *, user: str | None = None, body: Any = None
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {caller.key}"} | ({} if user is None else {"Tollkeeper-User": user})
    async with caller.session.request(method, node.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_flipped_byte_is_an_error_and_an_alarm_and_no_wrong_number(damaged: tuple[Site, str]) -> None:
    site, request_id = damaged
    node = await site.start()
    await until(lambda: _is_said(site, "not proved, for it cannot be read: user "))
    async with calling(site.key) as caller:
        asked = await caller.finish(node.url, _ILL, request_id)
        assert (asked.status, asked.told["type"]) == (503, "/problems/unavailable")
        assert (await _told(caller, node, "GET", f"/api/chat/requests/{request_id}", user=_ILL))[0] == 503
        for user in (_ILL, _WELL):
            status, told = await _told(caller, node, "GET", "/api/user/dashboard", user=user)
            assert status == 200, (user, told)
            assert told["metrics"]["totalRequests"] == _REQUESTS
            assert (await caller.start(node.url, user, f"{user[:4]}-new")).status == 201
            assert (await caller.finish(node.url, user, f"{user[:4]}-new")).status == 200
        assert (await _told(caller, node, "GET", "/api/chat/requests", user=_WELL))[0] == 200
    assert await _is_said(site, "the database is damaged: invalid page in block")
    metrics = await _metrics(node)
    assert "tollkeeper_proved_wrong 0.0" in metrics
    # The user, and the month.
    assert "tollkeeper_proved_unreadable 2.0" in metrics
    checks = {each["check"]: each for each in (await site.run("doctor", code=1))["checks"]}
    assert checks["numbers"]["level"] == "fail"
    assert (await site.run("verify", code=1))["type"] == "/problems/unavailable"


async def _is_said(site: Site, words: str) -> bool:
    return any(words in each["message"] for each in site.said())


async def _metrics(node: Node) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as answer:
        return await answer.text()
