"""Long texts: no answer holds more than some MiB of them, all of them come, and packing them keeps nobody waiting."""

from __future__ import annotations

import base64
import random
import threading
import zlib
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tollkeeper.metering.tracking.records import MOST_BYTES

from .conftest import Person, Site

LONGEST = 2**20
REQUESTS = 11
# What is no text: names, numbers, times.
ROUND_IT = 50_000


async def a_long_past(service: Site, person: Person) -> list[str]:
    """Start requests whose texts nobody can compress, and give their ids, the newest first."""
    chance = random.Random(1)
    ids: list[str] = []
    for _ in range(REQUESTS):
        prompt = base64.b64encode(chance.randbytes(3 * LONGEST // 4)).decode()
        ids.append((await service.start(person, prompt=prompt, sessionId="s"))["id"])
    return ids[::-1]


@pytest.mark.parametrize(
    "path",
    [
        "/api/chat/requests?limit=200",
        "/api/chat/requests?limit=200&requestType=chat",
        "/api/chat/sessions/s?limit=200",
        "/api/admin/users/{id}/requests?limit=200",
    ],
)
async def test_a_page_has_no_more_than_some_bytes_of_texts_and_the_cursor_leads_to_all(
    service: Site, path: str
) -> None:
    person = await service.operator()
    expected = await a_long_past(service, person)
    if "sessions" in path:
        expected.reverse()
    path, cursor, found = path.format(id=person.id), "", list[str]()
    while cursor is not None:
        heard = await service.call("GET", f"{path}{cursor}", by=person.by_cookie)
        assert heard.status == 200
        assert len(heard.body) <= MOST_BYTES + LONGEST + ROUND_IT
        found += [each["id"] for each in heard.json["items"]]
        cursor = heard.json["nextCursor"] and f"&cursor={quote(heard.json['nextCursor'])}"
    assert found == expected


async def test_large_answers_are_packed_beside_the_loop_and_for_a_head_not_at_all(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await a_long_past(service, alice)
    packed = noted(monkeypatch)
    asked = {**alice.by_cookie, "Accept-Encoding": "gzip"}
    for path in ("/api/chat/requests", "/api/account/export"):
        head = await service.call("HEAD", path, by=asked)
        assert (head.status, packed) == (200, [])
        heard = await service.call("GET", path, by=asked)
        assert heard.status == 200
        assert sum(size for size, _ in packed) >= 4 * LONGEST
        assert {name for size, name in packed if size > ROUND_IT} == {"packing_0"}, path
        assert head.headers.get("Content-Encoding") == heard.headers.get("Content-Encoding")
        assert "Content-Length" not in head.headers
        packed.clear()
    lines = (await service.call("GET", "/api/chat/requests?format=jsonl", by=asked)).body.splitlines()
    assert [msgspec.json.decode(line)["id"] for line in lines] == ids


def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Note how much is compressed in which thread."""
    calls: list[tuple[int, str]] = []
    real = zlib.compressobj

    class Noting:
        def __init__(self, *args: Any) -> None:
            self._real = real(*args)

        def compress(self, data: bytes) -> bytes:
            calls.append((len(data), threading.current_thread().name))
            return self._real.compress(data)

        def flush(self) -> bytes:
            return self._real.flush()

    monkeypatch.setattr(zlib, "compressobj", Noting)
    return calls
