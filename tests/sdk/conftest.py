"""A service as apps meet it: a node of its own, whose port stays the same when it is started again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.nodes import Node, Site, connected
from tests.sdk.programs import Workshop

_PLANS = """\
[plans.enough]
rank = 1000
features = ["*"]

[plans.two]
rank = 1001
daily_requests = 2
features = ["*"]
"""
_REQUESTS = """
SELECT r.client_id, r.status, r.prompt, r.response, r.error_message, r.duration, r.started_at, r.tokens_used
  FROM chat_requests AS r JOIN user_identities AS i USING (user_id)
 WHERE i.value = $1
 ORDER BY r.id"""

_numbers = itertools.count(1)


@dataclass(slots=True)
class OneNode:
    """A site with one node at a time."""

    site: Site
    node: Node

    @property
    def key(self) -> str:
        return self.site.key

    @property
    def url(self) -> str:
        return self.node.url

    async def again(self) -> None:
        """Start it at its old place."""
        self.node = await self.site.start(port=self.node.port)

    async def stored(self, user: str) -> list[dict[str, Any]]:
        """All requests of somebody, as they stand."""
        async with connected(self.site) as admin:
            return [dict(row) for row in await admin.fetch(_REQUESTS, user)]


@pytest.fixture(scope="session")
async def _service(open_dir: Path) -> AsyncGenerator[OneNode]:
    site = Site(open_dir / "sdk")
    try:
        node, _ = await asyncio.gather(site.start(), site.furnish(_PLANS))
        yield OneNode(site, node)
    finally:
        await site.close()


@pytest.fixture
async def service(_service: OneNode) -> OneNode:
    """The service, running."""
    if _service.node.process.returncode is not None:
        await _service.again()
    return _service


@pytest.fixture
async def user(service: OneNode, request: pytest.FixtureRequest) -> str:
    """Somebody who may as much as they like."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    email = f"{name[:50]}-{next(_numbers)}@example.com"
    await service.site.add_users(email, plan="enough")
    return email


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Where programs of an app on Node are written."""
    (tmp_path / "workshop").mkdir()
    return Workshop(tmp_path / "workshop")
