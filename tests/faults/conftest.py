"""Two sites: a calm one whose two nodes run through all tests, and one whose processes are killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.faults.callers import Caller, calling
from tests.faults.nodes import Site
from tests.faults.races import PLANS


@pytest.fixture(scope="session")
async def pair(open_dir: Path) -> AsyncGenerator[Site]:
    """Two nodes on one data directory."""
    site = Site(open_dir / "pair")
    try:
        await asyncio.gather(site.start(), site.start(), site.furnish(PLANS))
        yield site
    finally:
        await site.close()


@pytest.fixture(scope="session")
async def _battered(open_dir: Path) -> AsyncGenerator[Site]:
    site = Site(open_dir / "battered")
    try:
        await site.furnish()
        yield site
    finally:
        await site.close()


@pytest.fixture
async def battered(_battered: Site) -> AsyncGenerator[Site]:
    """A data directory without nodes; each test starts its own, and none stays behind one that fails."""
    try:
        yield _battered
    finally:
        await asyncio.gather(*(node.kill() for node in _battered.nodes if node.process.returncode is None))


@pytest.fixture
async def pair_caller(pair: Site) -> AsyncGenerator[Caller]:
    async with calling(pair.key) as caller:
        yield caller


@pytest.fixture
async def battered_caller(battered: Site) -> AsyncGenerator[Caller]:
    async with calling(battered.key) as caller:
        yield caller
