"""What tests of selling ask and tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .conftest import Heard, Person, Site


async def plan_of(site: Site, person: Person) -> Any:
    return (await site.call("GET", "/api/user/plan", by=person.by_key)).json["plan"]


async def history_of(site: Site, person: Person) -> list[Any]:
    return (await site.call("GET", "/api/user/plan/history", by=person.by_key)).json["items"]


async def tell(site: Site, who: Person, by: Mapping[str, str], *, key: str | None = "k-1", **says: Any) -> Heard:
    """Tell of a change by the door."""
    body = {"plan": "pro", "occurredAt": "2026-05-13T08:00:00Z"} | says
    headers = {**by} | ({} if key is None else {"Idempotency-Key": key})
    return await site.call("POST", f"/api/admin/users/{who.email}/plan", by=headers, says=body)
