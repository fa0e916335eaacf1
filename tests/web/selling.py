"""Services of their own whose catalogues tests change, and what operators' browsers say of refusals."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.nodes import Site
from tests.ports import free_port
from tests.shop import SECRET_KEY, WEBHOOK_SECRET, FakeStripe
from tests.web.visitors import Served, Visitor


@asynccontextmanager
async def selling(directory: Path, toml: str, *, stripe: FakeStripe | None = None) -> AsyncGenerator[Served]:
    """Serve with these plans beside those that there are to begin with; ``stripe``: where they are bought."""
    site = Site(directory)
    try:
        port = free_port()
        node = await site.start(
            port=port, environment={} if stripe is None else _shop(stripe, f"http://localhost:{port}")
        )
        made = await site.run("key", "create", "--service", "web")
        served = Served(site, f"http://localhost:{node.port}", made["key"])
        await apply(served, toml)
        yield served
    finally:
        await site.close()


def _shop(stripe: FakeStripe, url: str) -> dict[str, str]:
    return {
        "TOLLKEEPER_PUBLIC_URL": url,
        "TOLLKEEPER_STRIPE_SECRET_KEY": SECRET_KEY,
        "TOLLKEEPER_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "TOLLKEEPER_STRIPE_URL": stripe.url,
    }


async def apply(served: Served, toml: str) -> None:
    """Change the catalogue as a file does."""
    file = served.site.data.with_name("plans.toml")
    file.write_text(toml)
    await served.site.run("plan", "apply", str(file), "--yes")


async def refused(operator: Visitor, many: int = 1) -> None:
    """The browser itself notes each refusal; that is all it may note."""
    assert [each for each in operator.troubles if "status of 422" not in each] == []
    assert len(operator.troubles) == many
    operator.troubles.clear()
