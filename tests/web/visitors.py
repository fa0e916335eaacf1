"""People in browsers: signed in by the operator's link, and watched while they look around."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Route,
    StorageState,
    WebError,
)

from tests.faults.nodes import Site
from tollkeeper.cli import users
from tollkeeper.cli.answers import Common
from tollkeeper.http.app_page import APP_PATHS

_numbers = itertools.count(1)

# The pages of the app that are one each: everybody's, and those of operators besides.
_ONE_EACH = tuple(path for path in APP_PATHS if "{" not in path)
OPERATORS_PAGES = tuple(path for path in _ONE_EACH if path.startswith("/admin"))
PAGES = tuple(path for path in _ONE_EACH if path not in OPERATORS_PAGES)
SETTINGS = tuple(path for path in PAGES if path.startswith("/settings"))

# Told in the console, where everything else that goes wrong in a page is told.
_TELL_HARM = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`violates ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
Object.defineProperty(window, "__xss", { get() { console.error("foreign code has run"); return () => {}; } });"""
_PUT = """async ([path, says]) => (await fetch(path, {
  method: "PUT", headers: {"Content-Type": "application/json"}, body: JSON.stringify(says),
})).status"""
_IS_SETTLED = """() =>
  document.title.endsWith(" \N{MIDDLE DOT} tollkeeper") && !document.querySelector("[aria-busy=true]")"""


@dataclass(frozen=True, slots=True)
class Served:
    """The running service, and what its operator and an app's backend do with it.

    The operator's commands are called, not started: a Python that starts for each of them takes longer than they do.
    """

    site: Site
    url: str
    key: str

    async def link(self, email: str) -> str:
        """Make a sign-in link as the operator does."""
        made = await users.link(email, port=urlsplit(self.url).port, common=self._common)
        url = made.document["url"]
        assert url.startswith(f"{self.url}/sign-in/")
        return url

    async def user(self, plan: str, *, timezone: str | None = None) -> str:
        """Add a user as the operator does; gives the address."""
        email = f"visitor-{next(_numbers)}@example.com"
        await users.add(email, plan=plan, timezone=timezone, common=self._common)
        return email

    async def operator(self) -> str:
        """Add somebody with the role admin; gives the address."""
        email = f"visitor-{next(_numbers)}@example.com"
        await users.add(email, plan="pro", admin=True, common=self._common)
        return email

    @property
    def _common(self) -> Common:
        return Common(data=self.site.data)

    async def webhook(self) -> str:
        """An endpoint where nobody listens; gives its id."""
        for each in (await self.site.run("webhook", "list"))["items"]:
            return each["id"]
        home = {"TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32"}
        return (await self.site.run("webhook", "add", "http://127.0.0.1:1025/", environment=home))["id"]

    async def newcomer(self) -> str:
        """Make a user, on the plan free, as an app does: by its first word about them. Gives the address."""
        email = f"visitor-{next(_numbers)}@example.com"
        await self.call("POST", "/api/user/variables", user=email, says={"key": "THEME", "value": "dark"})
        return email

    async def call(self, method: str, path: str, *, user: str, says: Any = None) -> Any:
        """Call the API as an app's backend does, for a user; it must be let through."""
        headers = {"Authorization": f"Bearer {self.key}", "Tollkeeper-User": user}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.request(method, self.url + path, json=says) as answer,
        ):
            assert answer.ok, await answer.text()
            return await answer.json()

    async def record(self, items: list[dict[str, Any]]) -> None:
        """Record requests that have ended, of any users, as an app's backend does afterwards; each must be taken."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.key}"}) as client,
            client.post(f"{self.url}/api/chat/track/batch", json=items) as answer,
        ):
            assert answer.ok, await answer.text()
            verdicts = (await answer.json())["results"]
        assert {each["verdict"] for each in verdicts} == {"recorded"}, verdicts


# Neither frozen nor slotted, for Playwright hangs marks of its own on whoever listens to it.
@dataclass(eq=False)
class Visitor:
    """A browser of its own, in which is noted what its pages say and what goes wrong.

    ``elsewhere`` is what they asked others for.
    """

    context: BrowserContext
    page: Page
    served: Served
    said: list[ConsoleMessage] = field(default_factory=list[ConsoleMessage])
    troubles: list[str] = field(default_factory=list[str])
    elsewhere: list[str] = field(default_factory=list[str])
    # Whether they go on where a page asks, as it holds something that they have typed.
    leaves: bool = True

    async def sign_in(self, email: str) -> None:
        """Follow a fresh link to the dashboard."""
        await self.page.goto(await self.served.link(email))
        await self.page.get_by_role("button", name="Sign in").click()
        await self.at_dashboard()

    async def go(self, path: str) -> int:
        """Open a path of the site; gives the status."""
        answer = await self.page.goto(self.served.url + path)
        assert answer is not None
        return answer.status

    async def at_dashboard(self) -> None:
        """Wait until the numbers are there."""
        await self.page.get_by_role("region", name="Limits").get_by_text("Requests today").wait_for()
        await self.settled()

    async def settled(self) -> None:
        """Wait until the page is drawn by its own script, which names it, and shows what it asked for."""
        await self.page.get_by_role("heading", level=1).wait_for()
        await self.page.wait_for_function(_IS_SETTLED)

    async def live(self) -> None:
        """Wait until the page is settled, and hears of what happens from now on."""
        await self.settled()
        await self.page.locator("[role=status]:visible:text-is('Live')").wait_for()

    async def follow(self, link: Locator) -> None:
        """Go by a link to another page: until that has come, the old one is still there, heading and all."""
        before = await self.page.title()
        await link.click()
        await self.page.wait_for_function("(before) => document.title !== before", arg=before)
        await self.settled()

    async def open(self, path: str) -> None:
        """Open a page of the app, and wait until it shows what it asked for."""
        assert await self.go(path) == 200
        await self.settled()

    async def named(self) -> str:
        """Whom the app says is signed in."""
        account = self.page.get_by_role("button", name="Account of")
        await account.click()
        menu = self.page.get_by_role("menu")
        await menu.wait_for()
        told = f"{await account.inner_text()}\n{await menu.inner_text()}"
        await self.page.keyboard.press("Escape")
        await menu.wait_for(state="hidden")
        return told

    async def sign_out(self) -> None:
        """As the menu of the account has it."""
        await self.page.get_by_role("button", name="Account of").click()
        await self.page.get_by_role("menuitem", name="Sign out").click()
        await self.page.get_by_role("heading", name="Sign in").wait_for()

    async def fetch(self, path: str) -> Any:
        """What a script in the page gets."""
        return await self.page.evaluate("async (path) => (await fetch(path)).json()", path)

    async def put(self, path: str, says: Any) -> None:
        """Change something without the page's knowledge, as the same person does in another tab."""
        status = await self.page.evaluate(_PUT, [path, says])
        assert status in {200, 201}, status

    async def looked_at(self) -> str:
        """Where operators look at the one who is signed in here."""
        return f"/admin/users/{await self._own_id()}"

    async def everywhere(self) -> list[str]:
        """Every path of the app, for an operator who has a conversation ``talk``; a new kind of path is a KeyError."""
        names = {"session": "talk", "user": await self._own_id(), "webhook": await self.served.webhook()}
        return [path.replace(":str}", "}").format_map(names) for path in APP_PATHS]

    async def _own_id(self) -> str:
        answer = await self.context.request.get(f"{self.served.url}/api/account")
        return (await answer.json())["account"]["id"]

    async def watch(self) -> None:
        """Note all troubles, and let nothing out to others."""
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        self.context.on("dialog", self._on_dialog)
        await self.context.add_init_script(_TELL_HARM)
        await self.context.route("**/*", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.said.append(message)
        if message.type in {"error", "warning"}:
            self.troubles.append(f"{message.type}: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self.troubles.append(f"thrown: {error.error}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload" and self.leaves:
            await dialog.accept()
            return
        self.troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def _on_request(self, route: Route) -> None:
        if route.request.url.startswith((f"{self.served.url}/", "data:")):
            await route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            await route.abort()


@asynccontextmanager
async def visiting(
    chromium: Browser,
    served: Served,
    *,
    width: int = 1440,
    scheme: Literal["light", "dark"] = "light",
    signed_in: StorageState | None = None,
    is_watched: bool = True,
    locale: str = "en-US",
    timezone_id: str = "UTC",
    forced_colors: Literal["active", "none"] = "none",
    contrast: Literal["more", "no-preference"] = "no-preference",
) -> AsyncGenerator[Visitor]:
    """Open a browser that knows nobody, or what another one kept."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        storage_state=signed_in,
        locale=locale,
        timezone_id=timezone_id,
        forced_colors=forced_colors,
        contrast=contrast,
    )
    context.set_default_timeout(20_000)
    try:
        visitor = Visitor(context, await context.new_page(), served)
        if is_watched:
            await visitor.watch()
        yield visitor
    finally:
        await context.close()
