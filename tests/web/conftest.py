"""A real browser before the real service, which runs on a data directory of these tests' own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests import browser
from tests.conftest import Server
from tests.faults.nodes import Site
from tests.web.post import Post, posted
from tests.web.visitors import Served, Visitor, visiting

# As patient as everything else that waits for a page: machines are busy.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """The Chromium of this machine."""
    try:
        async with browser.started() as chromium:
            yield chromium
    except browser.NoBrowser as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
async def served(open_dir: Path) -> AsyncGenerator[Served]:
    """The service, serving until the last of these tests is done."""
    site = Site(open_dir / "web")
    try:
        # Receivers of webhooks are here.
        node = await site.start(environment={"TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32"})
        made = await site.run("key", "create", "--service", "web")
        yield Served(site, f"http://localhost:{node.port}", made["key"])
        assert not [line for line in site.said() if line["level"] in {"error", "critical"}]
    finally:
        await site.close()


@pytest.fixture(scope="module")
async def post(server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Post]:
    """The service with a mail server and a GitHub beside it."""
    async with posted(server, tmp_path_factory.mktemp("data")) as post:
        yield post


@pytest.fixture
async def visitor(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Someone who has just opened a browser."""
    async with visiting(chromium, served) as visitor:
        yield visitor


@pytest.fixture
async def ada(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody who has just signed in."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.newcomer())
        yield visitor


@pytest.fixture
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody with the role admin who has just signed in."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
