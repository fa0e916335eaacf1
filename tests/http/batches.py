"""What tests of batches are made of: items, and sending them."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from tollkeeper.metering.upkeep.verify import verify

from .conftest import JSON, Heard, Site

PATH = "/api/chat/track/batch"
LINES = {"Content-Type": "application/x-ndjson"}
_names = itertools.count(1)


def by_service(service: Site) -> dict[str, str]:
    return JSON | {"Authorization": f"Bearer {service.key}"}


def someone() -> str:
    return f"batch-{next(_names)}@example.com"


def ended(user: str, **says: Any) -> dict[str, Any]:
    given = {"user": user, "prompt": "Hello", "model": "gpt-4o", "status": "completed", "tokensInput": 2}
    return given | {"tokensOutput": 1, "duration": 1500, "completedAt": "2026-02-03T04:05:06.789Z"} | says


def lines(items: list[Any]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in items)


async def send(service: Site, items: Any = None, *, raw: bytes | None = None, **headers: str) -> Heard:
    by = by_service(service) | {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.call("POST", PATH, by=by, says=items, raw=raw)


async def told(service: Site, items: Any) -> list[Any]:
    heard = await send(service, items)
    assert heard.status == 200, heard.body
    assert [each["index"] for each in heard.json["results"]] == list(range(len(items)))
    return heard.json["results"]


async def is_clean(service: Site) -> bool:
    return not (await verify(service.application.backend.database)).differences
