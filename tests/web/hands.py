"""What people do with pages: press what is called so, fill what a dialog asks for, and wait for what comes of it."""

from __future__ import annotations

import asyncio
import re
import struct
import zlib
from datetime import timedelta
from typing import Any, Final

import aiohttp
from playwright.async_api import Locator

from tests.faults.nodes import PATIENCE, connected
from tests.web.visitors import Served, Visitor

_DEVICE: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


async def address_of(visitor: Visitor) -> str:
    """Who is signed in there."""
    return (await visitor.fetch("/api/account"))["account"]["email"]


def button(visitor: Visitor | Locator, name: str) -> Locator:
    """The button that is called just so, on the page or in a part of it."""
    within = visitor.page if isinstance(visitor, Visitor) else visitor
    return within.get_by_role("button", name=name, exact=True)


def dialog(visitor: Visitor, title: str) -> Locator:
    """What has opened under a title."""
    return visitor.page.get_by_role("dialog", name=title)


def row_with(visitor: Visitor, text: str) -> Locator:
    """The rows of tables in which a text stands."""
    return visitor.page.get_by_role("row").filter(has_text=text)


async def answer_to(served: Served, key: str) -> int:
    """What the API answers to whoever comes with a key."""
    by = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=by) as client, client.get(f"{served.url}/api/account") as answer:
        return answer.status


async def age(served: Served, email: str, by: timedelta = timedelta(minutes=16)) -> None:
    """Let a user's sign-ins be as old as that; nodes know a session for less than a second."""
    async with connected(served.site) as owner:
        await owner.execute(
            "UPDATE sessions AS s SET created_at = s.created_at - $2::interval"
            " FROM users AS u WHERE u.id = s.user_id AND u.email = $1",
            email,
            by,
        )
    await asyncio.sleep(1.1)


async def console_code(served: Served, email: str) -> str:
    """The code for an address that the service has told its console, as it has no mail server."""
    console = served.site.nodes[0].process.stdout
    assert console is not None
    async with asyncio.timeout(PATIENCE):
        while not (line := (await console.readline()).decode()).startswith(f"Sign-in code for {email}: "):
            pass
    return line.rpartition(": ")[2].strip()


async def has_device(visitor: Visitor) -> None:
    """Give the browser a device that makes and uses passkeys without a question."""
    session: Any = await visitor.context.new_cdp_session(visitor.page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": _DEVICE})


async def make_key(visitor: Visitor, name: str) -> str:
    """Make a key as the dialog has it; gives the key itself."""
    await button(visitor, "New key").click()
    form = visitor.page.get_by_role("dialog", name=re.compile("New .* key"))
    await form.get_by_role("textbox", name="Name").fill(name)
    await button(form, "Create key").click()
    return await shown_key(visitor, name)


async def shown_key(visitor: Visitor, name: str) -> str:
    """Take the key that is shown this once."""
    shown = dialog(visitor, f"Key “{name}”")
    key = await shown.get_by_label("The key").inner_text()
    await button(shown, "Done").click()
    await shown.wait_for(state="hidden")
    return key


def picture() -> bytes:
    """A PNG of two pixels by one, red and blue."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff\0\0\0\0\xff")),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(told)) + name + told + struct.pack(">I", zlib.crc32(name + told)) for name, told in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
