"""Which headers each kind of answer has, all of them: where people come by TLS."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest

from tests.conftest import Server
from tollkeeper.settings import Settings

from .conftest import Heard, Site, a_site

ORIGIN: Final = "https://usage.example"
PAGE: Final = {"Accept": "text/html", "Sec-Fetch-Site": "none"}
# Of each exchange its own: that they are there is all that can be said.
VARYING: Final = ("Content-Length", "Date", "X-Trace-Id", "ETag")

_CLOSED: Final = "base-uri 'none'; frame-ancestors 'none'"
API: Final = {
    "Content-Type": "application/json",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
PROBLEM: Final = API | {"Content-Type": "application/problem+json"}
HTML: Final = API | {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'nonce-*'; script-src 'nonce-*'; connect-src 'self'; "
    f"img-src data:; form-action 'self'; {_CLOSED}",
}
APP: Final = HTML | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'nonce-*'; style-src 'self' 'nonce-*'; "
    f"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; {_CLOSED}",
}
COOKIE: Final = "__Host-tollkeeper-browser=*; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure"
OVER: Final = "__Host-tollkeeper=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"


@pytest.fixture(scope="module")
async def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    given = {"TOLLKEEPER_PUBLIC_URL": ORIGIN}
    async with a_site(server, Settings.of(given, port=0, data=str(tmp_path_factory.mktemp("data")))) as site:
        yield site


def told(heard: Heard) -> dict[str, str]:
    """The headers, with a star for what is made up anew each time."""
    found = {"-".join(part.capitalize() for part in name.split("-")): value for name, value in heard.headers.items()}
    found = {name: value for name, value in found.items() if name.lower() not in {each.lower() for each in VARYING}}
    found = {name: re.sub(r"'nonce-[\w-]{20,}'", "'nonce-*'", value) for name, value in found.items()}
    return {name: re.sub(r"=[\w-]{43};", "=*;", value) for name, value in found.items()}


async def test_each_kind_of_answer_has_these_headers_and_no_others(site: Site) -> None:
    ada = await site.person()
    await site.start(ada)
    mine = ada.by_cookie

    expected: list[tuple[str, str, Any, int, dict[str, str]]] = [
        ("GET", "/api/account", mine, 200, API),
        ("GET", "/api/account/keys", mine, 200, API),
        ("GET", "/api/account/sessions", mine, 200, API),
        ("GET", "/api/account/activity", mine, 200, API),
        ("GET", "/api/user/variables", ada.by_key, 200, API),
        ("GET", "/api/account", {}, 401, PROBLEM | {"Www-Authenticate": 'Bearer realm="tollkeeper"'}),
        ("GET", "/api/nothing", mine, 404, PROBLEM),
        ("GET", "/api/admin/users", mine, 403, PROBLEM),
        ("PATCH", "/healthz", {}, 405, PROBLEM | {"Allow": "GET, HEAD, OPTIONS"}),
        ("GET", "/healthz", {}, 200, API),
        ("GET", "/openapi.json", {}, 200, API),
        ("GET", "/docs", PAGE, 200, HTML),
        ("GET", "/problems/invalid", PAGE, 200, HTML),
        ("GET", "/", PAGE, 200, HTML),
        ("GET", "/sign-in/" + "x" * 43, PAGE, 200, HTML),
        ("GET", "/nothing", PAGE, 404, HTML),
        ("GET", "/", PAGE | mine, 200, APP),
        ("GET", "/settings/security", PAGE | mine, 200, APP),
        ("POST", "/api/sign-in/passkey/options", mine, 200, API | {"Set-Cookie": COOKIE}),
        ("POST", "/api/account/sign-out", mine, 200, API | {"Set-Cookie": OVER}),
    ]
    for method, path, by, status, headers in expected:
        heard = await site.call(method, path, by=by)
        assert (path, heard.status, told(heard)) == (path, status, headers)


async def test_files_that_one_takes_away_are_told_as_such_and_kept_by_nobody(site: Site) -> None:
    ada = await site.person()
    await site.start(ada)
    for path, kind in (
        ("/api/account/export", "application/zip"),
        ("/api/account/activity?format=csv", "text/csv; charset=utf-8; header=present"),
        ("/api/chat/requests?format=csv", "text/csv; charset=utf-8; header=present"),
        ("/api/user/variables?format=env", "text/plain; charset=utf-8"),
    ):
        heard = await site.call("GET", path, by=ada.by_cookie)
        assert (heard.status, heard.headers["Content-Type"]) == (200, kind)
        assert heard.headers["Content-Disposition"].startswith("attachment; filename=")
        assert told(heard).items() >= {name: API[name] for name in API if name != "Content-Type"}.items()


async def test_only_what_is_everybodys_may_be_kept(site: Site) -> None:
    """The files of the app have their content's hash in their names."""
    page = (await site.call("GET", "/", by=(await site.person()).by_cookie | PAGE)).body.decode()
    found = re.search(r"/assets/[\w.-]+\.js", page)
    assert found
    heard = await site.call("GET", found[0])
    assert heard.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (
        told(heard).items()
        >= {name: API[name] for name in API if name not in {"Content-Type", "Cache-Control"}}.items()
    )


async def test_a_stream_has_them_too(site: Site) -> None:
    heard = await site.call("GET", "/api/user/dashboard/stream", by=(await site.person()).by_key)
    assert heard.headers["Content-Type"].startswith("text/event-stream")
    guards = {name: API[name] for name in API if name not in {"Content-Type", "Cache-Control"}}
    assert told(heard).items() >= guards.items()
    assert "no-store" in heard.headers["Cache-Control"]
