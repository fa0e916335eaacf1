"""Pages of others in the browser of someone who is signed in here."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from aiohttp import web
from playwright.async_api import Browser, Error, StorageState

from tests.web.visitors import Served, Visitor, visiting

_POST = """async ({ url, body, mode }) => {
  const options = { method: "POST", credentials: "include", mode, body, headers: { "Content-Type": "text/plain" } };
  try { return (await fetch(url, options)).type; } catch (error) { return error.name; }
}"""
# In text/plain a form's name and value make JSON together.
_FORM = """({ url, name, value }) => {
  const form = document.createElement("form");
  const field = document.createElement("input");
  Object.assign(form, { method: "post", action: url, enctype: "text/plain" });
  Object.assign(field, { name, value });
  form.append(field);
  document.body.append(form);
  form.submit();
}"""
_TRACK = '{"prompt": "not mine", "requestId": "forged"}'


@pytest.fixture(scope="session")
async def other_port() -> AsyncGenerator[int]:
    """Another web server on this machine, with one page."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Another site</title>", content_type="text/html")

    async def silence(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.get("/favicon.ico", silence), web.get("/", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served) -> StorageState:
    """What the browser of someone who is signed in keeps."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.newcomer())
        return await visitor.context.storage_state()


@pytest.fixture
async def victim(chromium: Browser, served: Served, signed_in: StorageState) -> AsyncGenerator[Visitor]:
    """Someone signed in, whose browser asks whomever its pages want."""
    async with visiting(chromium, served, signed_in=signed_in, is_watched=False) as visitor:
        yield visitor


async def _nothing_happened(victim: Visitor) -> bool:
    await victim.go("/docs")
    told = await victim.fetch("/api/user/dashboard")
    return (told["metrics"]["totalRequests"], told["recentRequests"]) == (0, [])


async def _refused(victim: Visitor, status: int) -> int:
    """How many posts were refused, as the service counts them: the browser hides its answers from pages of others."""
    answer = await victim.context.request.get(f"{victim.served.url}/metrics")
    counted = f'tollkeeper_exchanges_total{{method="POST",route="/api/chat/track",status="{status}"}} '
    return sum(int(float(line.removeprefix(counted))) for line in (await answer.text()).splitlines() if counted in line)


# Another port is the same site to a browser: it sends the cookie along, and the service refuses. A page of another name
# cannot even make it send the cookie, so the request is nobody's.
@pytest.mark.parametrize(("host", "status"), [("localhost", 403), ("127.0.0.1", 401)])
@pytest.mark.parametrize("mode", ["no-cors", "cors"])
async def test_a_script_of_another_site_is_refused_and_learns_nothing(
    victim: Visitor, other_port: int, mode: str, host: str, status: int
) -> None:
    before = await _refused(victim, status)
    await victim.page.goto(f"http://{host}:{other_port}/")
    said = {"url": f"{victim.served.url}/api/chat/track", "body": _TRACK, "mode": mode}
    assert await victim.page.evaluate(_POST, said) == "TypeError"
    assert await _refused(victim, status) == before + 1
    assert await _nothing_happened(victim)


@pytest.mark.parametrize(("host", "status"), [("localhost", 403), ("127.0.0.1", 401)])
async def test_a_form_of_another_site_is_refused(victim: Visitor, other_port: int, host: str, status: int) -> None:
    await victim.page.goto(f"http://{host}:{other_port}/")
    url = f"{victim.served.url}/api/chat/track"
    async with victim.page.expect_navigation(url=url) as gone:
        await victim.page.evaluate(_FORM, {"url": url, "name": '{"prompt": "', "value": 'not mine"}'})
    answer = await gone.value
    assert (answer.request.method, answer.status) == ("POST", status)
    assert ("cookie" in await answer.request.all_headers()) == (host == "localhost")
    assert await _nothing_happened(victim)


async def test_a_form_of_another_site_signs_nobody_in_and_nobody_out(
    victim: Visitor, served: Served, other_port: int
) -> None:
    (mine,) = await victim.context.cookies()
    for url in (await served.link(await served.newcomer()), f"{served.url}/api/account/sign-out"):
        await victim.page.goto(f"http://localhost:{other_port}/")
        async with victim.page.expect_navigation(url=url) as gone:
            await victim.page.evaluate(_FORM, {"url": url, "name": "a", "value": "b"})
        assert (await gone.value).status == 403
        assert await victim.context.cookies() == [mine]
    await victim.go("/")
    await victim.at_dashboard()


async def test_another_site_can_neither_read_nor_frame_this_one(victim: Visitor, other_port: int) -> None:
    await victim.page.goto(f"http://localhost:{other_port}/")
    dashboard = f"{victim.served.url}/api/user/dashboard"
    with pytest.raises(Error, match="Failed to fetch"):
        await victim.page.evaluate("(url) => fetch(url, { credentials: 'include' })", dashboard)
    async with victim.page.expect_event("requestfailed", lambda request: request.is_navigation_request()) as failed:
        await victim.page.evaluate(
            "(url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))",
            f"{victim.served.url}/",
        )
    assert "ERR_BLOCKED_BY_RESPONSE" in ((await failed.value).failure or "")
