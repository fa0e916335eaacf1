"""``tollkeeper demo``, running: what screenshots show, and what pages are measured with."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from playwright.async_api import Browser, StorageState

from tests.faults.nodes import COMMAND, PATIENCE, Site
from tests.web.visitors import Served, visiting

# Loading the sample takes a few seconds, on a busy machine some more.
_LOADING_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Demo:
    """Where it is served, and whom its printed link signs in."""

    served: Served
    email: str
    sign_in_url: str

    async def signed_in(self, chromium: Browser) -> StorageState:
        """Follow the printed link, once; gives what the browser keeps."""
        async with visiting(chromium, self.served, is_watched=False) as visitor:
            await visitor.page.goto(self.sign_in_url)
            await visitor.page.get_by_role("button", name="Sign in").click()
            await visitor.at_dashboard()
            return await visitor.context.storage_state()

    async def make_operator(self) -> None:
        """Let the one who signs in see everybody."""
        await self.served.site.run("user", "set", self.email, "--admin")


@asynccontextmanager
async def demo(data: Path) -> AsyncGenerator[Demo]:
    """Serve the sample data from a directory, on a free port, until the block ends."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")}
    process = await asyncio.create_subprocess_exec(
        COMMAND, "demo", "--port", "0", "--data", data, "--json", env=own, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _LOADING_SECONDS)
        told = msgspec.json.decode(line)
        yield Demo(Served(Site(data), told["url"], ""), told["email"], told["signInUrl"])
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE)
