"""The service with a mail server and a GitHub beside it, and browsers before it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

from tests.conftest import Server
from tests.faults.nodes import Site as Nodes
from tests.github import CLIENT_ID, CLIENT_SECRET, FakeGitHub, fake_github
from tests.http.conftest import Site, a_site
from tests.mailbox import Mailbox, mailbox
from tests.ports import free_port
from tests.web.visitors import Served, Visitor, visiting
from tollkeeper.settings import Settings

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Post:
    """The service with a mail server and a GitHub beside it."""

    site: Site
    served: Served
    box: Mailbox
    github: FakeGitHub

    def newcomer(self) -> str:
        """Somebody who may sign up."""
        return f"newcomer-{next(_numbers)}@welcome.example"


@asynccontextmanager
async def posted(server: Server, data: Path) -> AsyncGenerator[Post]:
    """Run it for as long as the block lasts."""
    port = free_port()
    url = f"http://localhost:{port}"
    async with mailbox() as box, fake_github() as github:
        github.redirect_uri = f"{url}/sign-in/github/callback"
        settings = Settings.of(
            {
                "TOLLKEEPER_SMTP_URL": box.url,
                "TOLLKEEPER_MAIL_FROM": "no-reply@usage.example",
                "TOLLKEEPER_PUBLIC_URL": url,
                "TOLLKEEPER_SIGN_UP": "welcome.example",
                "TOLLKEEPER_GITHUB_CLIENT_ID": CLIENT_ID,
                "TOLLKEEPER_GITHUB_CLIENT_SECRET": CLIENT_SECRET,
                "TOLLKEEPER_GITHUB_URL": github.url,
            },
            port=port,
            data=str(data),
        )
        async with a_site(server, settings) as site:
            yield Post(site, Served(Nodes(data), url, site.key), box, github)


@asynccontextmanager
async def somebody(chromium: Browser, post: Post, *, width: int = 1440) -> AsyncGenerator[Visitor]:
    """Open a browser that knows nobody; what others asked for does not count against it."""
    await post.site.owner.execute("DELETE FROM allowances")
    # What a page is refused is told in the console of the browser too, so that is not watched.
    async with visiting(chromium, post.served, is_watched=False, width=width) as visitor:
        yield visitor
