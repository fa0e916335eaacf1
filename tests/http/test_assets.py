"""The built web app, as it is served."""

from __future__ import annotations

import gzip
import json
import re

import aiohttp

from .conftest import Heard, Person, Site

# What is smaller may grow by being packed, and then comes as it is.
_SHRINKS_FOR_SURE = 1000


async def _page(service: Site, person: Person, path: str = "/") -> tuple[str, str]:
    """Open the app; gives its policy and its text."""
    heard = await service.call("GET", path, by=person.by_cookie)
    assert heard.status == 200
    return heard.headers["Content-Security-Policy"], heard.body.decode()


async def _sent(service: Site, path: str, accepted: str) -> Heard:
    """Fetch a file without unpacking it."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as client,
        client.get(service.url + path, headers={"Accept-Encoding": accepted}) as answer,
    ):
        return Heard(answer.status, answer.headers, await answer.read())


def _loaded(text: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/assets/[^"]+)"', text)


async def test_nothing_inline_runs_without_the_nonce_of_this_very_answer(service: Site, alice: Person) -> None:
    policies = [await _page(service, alice) for _ in range(2)]
    nonces = {re.findall(r"script-src 'self' 'nonce-([^']+)'", policy)[0] for policy, _ in policies}
    assert len(nonces) == 2
    for policy, text in policies:
        assert "unsafe" not in policy
        assert "http" not in policy
        assert set(re.findall(r'nonce="([^"]+)"', text)) < nonces
        assert not re.findall(r"<(?:script|style)(?![^>]*nonce=)[^>]*>", text)
        assert "__NONCE__" not in text


async def test_every_page_of_the_app_is_the_app(service: Site, alice: Person) -> None:
    for path in ("/requests?status=failed", "/sessions/a%2Fb", "/admin/users/x"):
        _, text = await _page(service, alice, path)
        assert '<div id="root">' in text


async def test_whoever_is_not_signed_in_is_told_how_to(service: Site) -> None:
    for path in ("/", "/requests", "/admin"):
        heard = await service.call("GET", path)
        assert (heard.status, b"Sign in to tollkeeper" in heard.body) == (200, True)
        assert heard.headers["Cache-Control"] == "no-store"


async def test_what_the_page_loads_is_there_for_ever_and_compressed(service: Site, alice: Person) -> None:
    _, text = await _page(service, alice)
    assert {path.rpartition(".")[2] for path in _loaded(text)} >= {"js", "css", "svg"}
    for path in (each for each in _loaded(text) if not each.endswith(".svg")):
        plain, zipped, best = [await _sent(service, path, to) for to in ("identity", "gzip, br;q=0", "gzip, br")]
        if len(plain.body) >= _SHRINKS_FOR_SURE:
            assert [each.headers.get("Content-Encoding") for each in (plain, zipped, best)] == [None, "gzip", "br"]
            assert len(best.body) < len(zipped.body) < len(plain.body)
            assert gzip.decompress(zipped.body) == plain.body
        for each in (plain, zipped, best):
            assert each.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert each.headers["Vary"] == "accept-encoding"


async def test_the_first_load_is_small(service: Site, alice: Person) -> None:
    _, text = await _page(service, alice)
    scripts = [path for path in _loaded(text) if path.endswith(".js")]
    bodies = [(await service.call("GET", path)).body for path in scripts]
    assert scripts
    assert sum(len(gzip.compress(body, 9)) for body in bodies) <= 250_000


async def test_no_file_is_named_by_a_request(service: Site) -> None:
    for path in ("index.html", "..%2findex.html", "%2e%2e%2fhttp%2fpages.py", "x", "%00"):
        heard = await service.call("GET", f"/assets/{path}")
        assert heard.status in {400, 404}, path


async def test_the_page_says_before_any_script_what_it_is_and_whose(service: Site, alice: Person) -> None:
    _, text = await _page(service, alice, "/requests")
    assert "<h1>Requests</h1>" in text
    assert '<a href="/requests" aria-current="page">' in text
    assert "/admin" not in text
    known = re.findall(r'<script type="application/json" id="known"[^>]*>(.*?)</script>', text)
    told = json.loads(known[0])
    assert told["account"] == (await service.call("GET", "/api/account", by=alice.by_cookie)).json["account"]
    assert told["settings"] == (await service.call("GET", "/api/user/settings", by=alice.by_cookie)).json["settings"]
    assert {path for path in _loaded(text) if "RequestsPage" in path}


async def test_who_is_no_operator_is_not_told_which_page_of_operators_it_is(service: Site, alice: Person) -> None:
    for path in ("/admin", "/admin/users", "/admin/users/x/plan", "/admin/webhooks"):
        _, text = await _page(service, alice, path)
        assert re.findall(r'<div class="frame-head"><div>(.*?)</div>', text) == ["<h1>For operators</h1>"]
        own = _loaded((await _page(service, alice, "/sessions"))[1])
        assert [each for each in _loaded(text) if each not in own] == []
        assert "/admin" not in text


async def test_a_name_cannot_end_what_it_is_written_in(service: Site, alice: Person) -> None:
    # Nor does it learn the nonce, by being what the build writes in its place.
    name = "</script><script nonce=__NONCE__>alert(1)</script><!--"
    changed = await service.call("PUT", "/api/user/settings", by=alice.by_cookie, says={"name": name})
    assert changed.status == 200
    _, text = await _page(service, alice)
    assert "alert(1)</script>" not in text
    known = re.findall(r'id="known"[^>]*>(.*?)</script>', text)
    assert json.loads(known[0])["settings"]["name"] == name


async def test_browsers_get_large_answers_as_gzip_and_programs_do_not(service: Site, alice: Person) -> None:
    for headers, encoding in ((alice.by_cookie, "gzip"), (alice.by_key, None)):
        asked = {**headers, "Accept-Encoding": "gzip, br"}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as client,
            client.get(f"{service.url}/api/user/dashboard", headers=asked) as answer,
        ):
            body = await answer.read()
            assert (answer.status, answer.headers.get("Content-Encoding")) == (200, encoding)
            assert int(answer.headers["Content-Length"]) == len(body)
            plain = gzip.decompress(body) if encoding else body
            assert json.loads(plain)["user"]["email"] == alice.email
    refused = {**alice.by_cookie, "Accept-Encoding": "gzip;q=0"}
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{service.url}/api/user/dashboard", headers=refused) as told,
    ):
        assert "Content-Encoding" not in told.headers
