"""Signing in by link, signing out, the served pages."""

from __future__ import annotations

import re

import pytest

from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor

from .conftest import Person, Site

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}


async def link(service: Site, person: Person) -> str:
    backend = service.application.backend
    made = await logins.make_link(backend.database, person.id, pepper=backend.pepper, actor=Actor("t"))
    return f"/sign-in/{made.token}"


async def test_a_link_signs_in_once_by_its_button_and_not_by_being_opened(service: Site, alice: Person) -> None:
    path = await link(service, alice)
    for _ in range(3):
        opened = await service.call("GET", path, by={"Accept": "text/html", "Sec-Fetch-Site": "none"})
        assert opened.status == 200
        assert b'<form method="post"' in opened.body
        assert "Set-Cookie" not in opened.headers
    pressed = await service.call("POST", path, by=BROWSER)
    assert (pressed.status, pressed.headers["Location"]) == (303, "/")
    cookie = pressed.headers["Set-Cookie"]
    token = re.match(r"__Host-tollkeeper=([A-Za-z0-9_-]{43}); ", cookie)
    assert token
    assert cookie.endswith("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")
    again = await service.call("POST", path, by=BROWSER)
    assert again.status == 401
    assert again.headers["Content-Type"].startswith("text/html")
    assert (await service.call("POST", path)).is_problem(401, "link-over")
    told = await service.call("GET", "/api/account", by={"Cookie": f"a=b; __Host-tollkeeper={token[1]}; c=d"})
    assert (told.json["account"]["email"], told.json["caller"]) == (alice.email, "person")


@pytest.mark.parametrize(
    ("to", "leads_to"),
    [
        ("/docs", "/docs"),
        ("/a?b=c%26d", "/a?b=c&d"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("https://evil.example", "/"),
        ("/a%0D%0ASet-Cookie:x=y", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
async def test_signing_in_leads_only_within_this_site(service: Site, alice: Person, to: str, leads_to: str) -> None:
    heard = await service.call("POST", f"{await link(service, alice)}?next={to}", by=BROWSER)
    assert (heard.status, heard.headers["Location"]) == (303, leads_to)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_a_foreign_page_signs_nobody_in(service: Site, alice: Person, headers: dict[str, str]) -> None:
    path = await link(service, alice)
    assert (await service.call("POST", path, by=headers)).is_problem(403, "not-allowed")
    assert (await service.call("POST", path)).status == 303


async def test_signing_out_ends_the_session_here_at_once(service: Site, alice: Person) -> None:
    assert (await service.call("GET", "/api/account", by=alice.by_cookie)).status == 200
    out = await service.call("POST", "/api/account/sign-out", by=alice.by_cookie)
    assert out.status == 200
    assert "__Host-tollkeeper=; Path=/; Max-Age=0" in out.headers["Set-Cookie"]
    assert (await service.call("GET", "/api/account", by=alice.by_cookie)).is_problem(401, "not-signed-in")


async def test_the_front_page_is_the_app_for_who_is_signed_in_and_tells_others_how_to(
    service: Site, alice: Person
) -> None:
    theirs = await service.call("GET", "/", by=alice.by_cookie)
    assert b'<div id="root">' in theirs.body
    strangers = await service.call("GET", "/")
    assert b"tollkeeper user link" in strangers.body
    assert b'<div id="root">' not in strangers.body


@pytest.mark.parametrize("path", ["/docs", "/problems/limit-reached", "/sign-in/x"])
async def test_pages_load_nothing_from_elsewhere_and_run_only_what_has_their_nonce(
    service: Site, alice: Person, path: str
) -> None:
    heard = await service.call("GET", path, by=alice.by_cookie)
    assert heard.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = heard.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce
    assert "unsafe" not in policy
    assert {f"<{name}" for name in re.findall(r"<(script|style)", heard.body.decode())} >= {"<style"}
    for tag in re.findall(r"<(?:script|style)[^>]*>", heard.body.decode()):
        assert f'nonce="{nonce[1]}"' in tag
    text = heard.body.decode()
    assert not re.search(r"""(?:src|href)=["'](?!/|#|data:,)""", text)
    assert not re.search(r"\son\w+=|\sstyle=", text)
    again = await service.call("GET", path, by=alice.by_cookie)
    assert again.headers["Content-Security-Policy"] != policy


async def test_every_kind_of_problem_has_its_page(service: Site) -> None:
    heard = await service.call("GET", "/api/nothing")
    page = await service.call("GET", heard.json["type"])
    assert page.status == 200
    assert b"<h1>Not found</h1>" in page.body
    assert (await service.call("GET", "/problems/none-of-ours")).is_problem(404, "not-found")


async def test_a_browser_sees_errors_of_pages_as_pages(service: Site) -> None:
    assert (await service.call("GET", "/nothing", by=BROWSER)).headers["Content-Type"].startswith("text/html")
    assert (await service.call("GET", "/api/nothing", by=BROWSER)).is_problem(404, "not-found")
