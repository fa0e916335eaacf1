"""The first operator comes by a link of the console, which works once and only while there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest

from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import first_operator
from tollkeeper.activity import Actor
from tollkeeper.app import first_operator_url
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses

from .conftest import Heard, Person, Site

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
async def nobody(service: Site) -> AsyncGenerator[None]:
    """Nobody is an operator."""
    await service.owner.execute("UPDATE accounts SET role = 'user'")
    yield
    await service.owner.execute("UPDATE accounts SET role = 'user'; DELETE FROM first_operator_links")


async def a_link(service: Site) -> str:
    backend = service.application.backend
    token = await first_operator.make_link(backend.database, pepper=backend.pepper)
    assert token is not None
    return f"/sign-in/first/{token}"


async def become(service: Site, path: str, email: str, **fields: str) -> Heard:
    raw = urlencode({"email": email} | fields).encode()
    return await service.call("POST", path, by=FORM, raw=raw)


async def test_the_link_of_the_console_makes_an_operator_who_is_signed_in(service: Site) -> None:
    path = await a_link(service)
    page = await service.call("GET", path)
    assert (page.status, b'name="email"' in page.body) == (200, True)
    heard = await become(service, path, "first@example.com")
    assert (heard.status, heard.headers["Location"]) == (303, "/admin")
    cookie = {"Cookie": heard.headers["Set-Cookie"].partition(";")[0]}
    assert (await service.call("GET", "/api/admin/users", by=cookie)).status == 200
    told = (await service.call("GET", "/api/account", by=cookie)).json["account"]
    assert (told["email"], told["role"]) == ("first@example.com", "admin")
    noted = "SELECT actor FROM activity WHERE user_id = $1::uuid AND action = 'operator.first'"
    assert await service.owner.fetchval(noted, told["id"]) == "operator"


async def test_somebody_who_is_there_already_may_become_it(service: Site, alice: Person) -> None:
    assert (await become(service, await a_link(service), alice.email.upper())).status == 303
    assert (await users.show(service.application.backend.database, alice.id)).role == "admin"


async def test_it_works_once_and_there_is_no_other_while_there_is_an_operator(service: Site) -> None:
    path, other = await a_link(service), await a_link(service)
    assert (await become(service, path, "once@example.com")).status == 303
    for each in (path, other):
        assert (await service.call("GET", each)).is_problem(401, "link-over")
        assert (await become(service, each, "twice@example.com")).is_problem(401, "link-over")
    backend = service.application.backend
    assert await first_operator.make_link(backend.database, pepper=backend.pepper) is None
    assert await users.of_email(backend.database, "twice@example.com") is None


async def test_of_many_at_once_with_many_links_one_becomes_it(service: Site) -> None:
    paths = [await a_link(service) for _ in range(4)]
    heard = await asyncio.gather(*(become(service, path, f"racer-{n}@example.com") for n, path in enumerate(paths * 3)))
    assert sorted(each.status for each in heard) == [303] + [401] * 11
    assert await service.owner.fetchval("SELECT count(*) FROM accounts WHERE role = 'admin'") == 1


async def test_an_operator_made_otherwise_voids_it_and_so_does_a_day(service: Site, alice: Person) -> None:
    path = await a_link(service)
    database = service.application.backend.database
    await users.change(database, alice.id, actor=Actor("test"), admin=True)
    assert (await become(service, path, "late@example.com")).is_problem(401, "link-over")
    await users.change(database, alice.id, actor=Actor("test"), admin=False)
    a_day_later = "UPDATE first_operator_links SET expires_at = expires_at - $1::interval"
    await service.owner.execute(a_day_later, timedelta(days=1))
    assert (await service.call("GET", path)).is_problem(401, "link-over")


@pytest.mark.parametrize(
    ("headers", "raw", "status"),
    [
        (FORM, b"email=nobody", 422),
        (FORM, b"", 422),
        (FORM, b"email=a%40b.c&email=d%40e.f", 422),
        (FORM, b"email=a%40b.c&role=admin", 422),
        (FORM, b"email=%ff", 422),
        (FORM, b"email=" + b"x" * 5000, 413),
        (FORM | {"Content-Type": "application/json"}, b'{"email": "a@b.c"}', 415),
        (FORM | {"Sec-Fetch-Site": "cross-site"}, b"email=a%40b.c", 403),
    ],
)
async def test_what_is_no_address_makes_nobody_and_uses_nothing_up(
    service: Site, headers: dict[str, str], raw: bytes, status: int
) -> None:
    path = await a_link(service)
    heard = await service.call("POST", path, by=headers, raw=raw)
    assert heard.status == status, heard.body
    assert path.rpartition("/")[2] not in heard.body.decode()
    assert await service.owner.fetchval("SELECT count(*) FROM accounts WHERE role = 'admin'") == 0
    assert (await service.call("GET", path)).status == 200


async def test_the_console_is_told_an_address_of_this_site_and_the_database_a_hash(
    dsns: Addresses, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    # At the very first start: the master key is made for it.
    url = await first_operator_url(Settings(data=str(tmp_path), port=8123), dsns)
    assert url is not None
    assert url.startswith("http://localhost:8123/sign-in/first/")
    kept = await owner.fetchval("SELECT string_agg(l::text, ' ') FROM first_operator_links AS l")
    assert url.rpartition("/")[2] not in kept
