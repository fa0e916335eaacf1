"""Where a request comes from, and whether that is within what is allowed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from tests.conftest import Server
from tollkeeper.http.addresses import address_of_client, is_within
from tollkeeper.http.call import Call
from tollkeeper.settings import Settings

from .conftest import JSON, Person, Site, a_site


async def test_forwarded_addresses_count_only_from_trusted_proxies(service: Site, alice: Person) -> None:
    by = alice.by_key | {"X-Forwarded-For": "203.0.113.9"}
    told = (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).json
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert found["ipAddress"] == "127.0.0.1"
    metrics = await service.call("GET", "/metrics", by={"X-Forwarded-For": "127.0.0.1"})
    assert metrics.is_problem(401, "not-signed-in")
    assert (await service.call("GET", "/metrics")).status == 200


async def test_a_made_up_address_changes_neither_limit_nor_log(service: Site, alice: Person) -> None:
    statuses: list[int] = []
    for number in range(25):
        by = JSON | {"X-Forwarded-For": f"203.0.{number}.9", "Forwarded": f"for=203.0.{number}.9"}
        says = {"email": f"somebody-{number}@example.com"}
        statuses.append((await service.call("POST", "/api/sign-in/email", by=by, says=says)).status)
    assert statuses == [200] * 20 + [429] * 5
    by = alice.by_cookie | JSON | {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    assert (await service.call("POST", "/api/account/keys", by=by, says={"name": "x"})).status == 201
    noted = "SELECT ip_address FROM activity WHERE user_id = $1 AND action = 'key.created' ORDER BY id DESC LIMIT 1"
    assert await service.owner.fetchval(noted, alice.id) == "127.0.0.1"


async def test_behind_a_proxy_what_a_client_claims_changes_neither(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A proxy puts whom it saw behind what it was told."""
    given = {"TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.1"}
    async with a_site(server, Settings.of(given, port=0, data=str(tmp_path_factory.mktemp("data")))) as site:
        statuses: list[int] = []
        for number in range(25):
            by = JSON | {"X-Forwarded-For": f"198.51.{number}.1, 203.0.113.9"}
            says = {"email": f"somebody-{number}@example.com"}
            statuses.append((await site.call("POST", "/api/sign-in/email", by=by, says=says)).status)
        assert statuses == [200] * 20 + [429] * 5
        # Of another network the next one is served, and noted as it was seen.
        ada = await site.person()
        by = ada.by_cookie | JSON | {"X-Forwarded-For": "203.0.113.9, 192.0.2.5"}
        assert (await site.call("POST", "/api/account/keys", by=by, says={"name": "x"})).status == 201
        noted = "SELECT ip_address FROM activity WHERE action = 'key.created' ORDER BY id DESC LIMIT 1"
        assert await site.owner.fetchval(noted) == "192.0.2.5"
        by = JSON | {"X-Forwarded-For": "203.0.113.9, 192.0.2.5"}
        assert (await site.call("POST", "/api/sign-in/email", by=by, says={"email": "x@example.com"})).status == 200


def seen_through_proxies(client: str, *forwarded: str) -> str | None:
    """Whom the service sees where its connection's other end is ``client``, and these lines came with the request."""
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    nothing: Any = None
    call = Call(nothing, "GET", (b"/", b""), headers, client=client, keeps_alive=True, expects=False)
    return address_of_client(call, (ip_network("10.0.0.0/8"), ip_network("::1")))


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, ,", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", None),
        ("10.0.0.1", "unknown, 10.0.0.2", None),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", None),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1:51234", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2:80", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.1:x", None),
        ("10.0.0.1", "[198.51.100.1", None),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.1", ""),
    ],
)
def test_behind_trusted_proxies_the_address_is_whom_they_saw(
    client: str, forwarded: str | None, address: str | None
) -> None:
    assert seen_through_proxies(client, *([] if forwarded is None else [forwarded])) == address


def test_what_proxies_wrote_in_lines_of_their_own_is_one_list() -> None:
    assert seen_through_proxies("10.0.0.1", "1.1.1.1, 198.51.100.1", "10.0.0.3", "10.0.0.2") == "198.51.100.1"


async def test_who_came_through_a_proxy_is_not_the_proxy(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    given = {"TOLLKEEPER_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with a_site(server, Settings.of(given, port=0, data=str(tmp_path_factory.mktemp("data")))) as site:
        for seen in ("203.0.113.7", "203.0.113.7:51234", "unknown"):
            heard = await site.call("GET", "/metrics", by={"X-Forwarded-For": seen})
            assert heard.is_problem(401, "not-signed-in"), seen
        assert (await site.call("GET", "/metrics")).status == 200


@pytest.mark.parametrize(
    ("address", "belongs"),
    [
        ("203.0.113.7", True),
        ("203.0.114.7", False),
        ("::ffff:203.0.113.7", True),
        ("::ffff:203.0.114.7", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("fe80::1%eth0", False),
        ("nonsense", False),
        ("", False),
        (None, False),
    ],
)
def test_an_address_belongs_to_a_network_or_is_refused(address: str | None, *, belongs: bool) -> None:
    networks = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
    assert is_within(address, networks) == belongs
    assert not is_within(address, ())
