"""What axe says of every page: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, StorageState

from tests.web.visitors import Served, Visitor, visiting

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_PARTS = 4
# Of the rules that are not on by themselves: who says what they see is understood.
_RULES = '{ "label-content-name-mismatch": { enabled: true } }'
_RUN = f"""async () => (await axe.run(document, {{ resultTypes: ["violations"], rules: {_RULES} }})).violations.map(
  ({{ id, nodes }}) => `${{id}}: ${{nodes.map(({{ html }}) => html.slice(0, 200)).join(" | ")}}`)"""


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served) -> StorageState:
    """What the browser of an operator keeps, who has something of everything."""
    email = await served.operator()
    start = {"prompt": "Hello", "model": "gpt-4o", "sessionId": "talk", "category": "test", "requestId": "first"}
    await served.call("POST", "/api/chat/track", user=email, says=start)
    finish = {"requestId": "first", "status": "completed", "tokensInput": 10, "tokensOutput": 20, "response": "Hi"}
    await served.call("PUT", "/api/chat/track", user=email, says=finish)
    await served.call("POST", "/api/chat/track", user=email, says={"prompt": "Pending", "requestId": "second"})
    for key, kind in (("PLAIN", "string"), ("TOKEN", "secret")):
        await served.call("POST", "/api/user/variables", user=email, says={"key": key, "value": "abc", "type": kind})
    # An alert that is not seen yet.
    unpriced = {"user": email, "prompt": "Hello", "model": "of-our-own", "tokensInput": 1, "tokensOutput": 1}
    await served.record([unpriced | {"status": "completed"}])
    await served.site.run("key", "create", "--user", email, "--name", "program")
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        return await visitor.context.storage_state()


async def _has_no_faults(visitor: Visitor, place: str) -> None:
    # Run beside the page, whose policy lets no script in that is not its own.
    await visitor.page.evaluate(_AXE.read_text())
    assert (await visitor.page.evaluate(_RUN), visitor.troubles) == ([], []), place


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_pages_for_anybody(
    chromium: Browser, served: Served, scheme: Literal["light", "dark"]
) -> None:
    async with visiting(chromium, served, scheme=scheme) as visitor:
        for path in ("/", f"/sign-in/{'a' * 43}", "/docs", "/problems/limit-reached"):
            await visitor.go(path)
            await _has_no_faults(visitor, path)


# Axe takes seconds for a page where a machine is busy, so no test looks at all of them.
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(
    chromium: Browser, served: Served, signed_in: StorageState, scheme: Literal["light", "dark"], part: int
) -> None:
    async with visiting(chromium, served, scheme=scheme, signed_in=signed_in) as visitor:
        for path in (await visitor.everywhere())[part::_PARTS]:
            await visitor.open(path)
            await visitor.page.wait_for_timeout(300)
            await _has_no_faults(visitor, path)


@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_what_opens(
    chromium: Browser, served: Served, signed_in: StorageState, scheme: Literal["light", "dark"], part: int
) -> None:
    async with visiting(chromium, served, scheme=scheme, signed_in=signed_in) as visitor:
        opening = (
            ("/requests?open=first", None),
            ("/requests", "Started"),
            ("/requests", "More"),
            ("/", "Account of"),
            ("/", "Show as table: Usage over time"),
            ("/variables", "New variable"),
            ("/variables", "Delete PLAIN"),
            ("/settings/keys", "New key"),
            ("/settings/keys", "Rotate program"),
            ("/settings/security", "Add a passkey"),
            ("/settings/activity", "Download"),
            ("/settings/data", "Delete account"),
            ("/variables", "Edit PLAIN"),
            ("/variables", ".env"),
            ("/requests", "Download"),
            ("/admin/models?open=gpt-4o", None),
            ("/admin/invitations", "Invite somebody"),
            ("/admin/webhooks", "Add an endpoint"),
            (await visitor.looked_at(), "Switch off"),
            (f"{await visitor.looked_at()}/plan", "Change plan"),
            (f"{await visitor.looked_at()}/plan", "Grant units"),
            (f"{await visitor.looked_at()}/plan", "Override limits"),
            ("/admin/plans", "New plan"),
            ("/admin/plans", "Move users of"),
        )
        for path, opens in opening[part::_PARTS]:
            await visitor.open(path)
            if opens is not None:
                await visitor.page.get_by_role("button", name=opens).first.click()
            await visitor.page.wait_for_timeout(500)
            await _has_no_faults(visitor, f"{path} {opens}")
