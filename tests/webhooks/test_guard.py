"""Webhooks go to the public Internet over TLS, and to networks that the operator allows: however that is written."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.webhooks import guard
from tollkeeper.webhooks.guard import Forbidden, Guard, Unknown, is_public, place_of, resolved, unwrapped

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"
FORBIDDEN_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3"),  # noqa: S104
    *("169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "fd00::1", "fd00:ec2::254", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "100::1", "5f00::1"),
    *("2001::1", "2001:db8::1", "2001:10::1", "2001:20::1", "2002::1", "3fff::1"),
    # The same within others: mapped, compatible, 6to4, NAT64, Teredo.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "::ffff:0:127.0.0.1"),
]
PUBLIC_ADDRESSES = [
    *(PUBLIC, "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1"),
    *("11.0.0.1", "9.255.255.255", "126.255.255.255", "128.0.0.1", "169.253.255.255", "223.255.255.255"),
    *(PUBLIC_6, "2a00:1450:4001:81b::200e", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"),
]
FORBIDDEN_URLS = [
    *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com", ""),
    *("https://", "https:///x", "https://:443/", "example.com", "javascript:alert(1)", "HTTPS//example.com"),
    # As others would read an address.
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.1/"),
    *("https://017700000001/", "https://127.0.1/", "https://0/", "https://0x/", "https://1.2.3.4.5/", "https://1.2.3/"),
    *("https://127.0.0.1./", "https://localhost./", "https://example.com./", "https://256.1.1.1/", "https://01.1.1.1/"),
    *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/"),
    *("https://[v1.x]/", "https://[example.com]/", "https://[127.0.0.1]/", "https://::1/", "https://[::1", "https://::1]/"),
    # Users, ports, and what hides a host.
    *("https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/", "https://a@b@example.com/"),
    *("https://example.com:22/", "https://example.com:5432/", "https://example.com:80/", "https://example.com:25/"),
    *("https://example.com:0/", "https://example.com:65536/", "https://example.com:/", "https://example.com:x/"),
    *("https://example.com\\@evil.example/", "https://example.com#@evil.example/", "https://exa mple.com/"),
    *("https://example.com/\r\nHost: x", "https://example.com/\0", "https://example.com/\t", " https://example.com/"),
    *("https://bücher.example/", "https://\uff11\uff12\uff17.0.0.1/", "https://example\u3002com/", "https://ex%61mple.com/"),
    *("https://-example.com/", "https://example-.com/", "https://exa..mple.com/", f"https://{'a' * 64}.example/"),
    *(f"https://{'a.' * 130}example/", f"https://example.com/{'x' * 2_000}", "https://example.com/<x>", "https://e*e.com/"),
]  # fmt: skip


def names(**known: str | Sequence[str]) -> Any:
    """A resolver that knows some names; of a list it gives one answer after the other."""
    asked: list[str] = []

    async def resolve(name: str) -> list[str]:
        asked.append(name)
        found = known.get(name.replace(".", "_").replace("-", "_"), "")
        if not isinstance(found, str):
            found = found[min(asked.count(name), len(found)) - 1]
        return found.split()

    return resolve


async def test_a_name_without_an_address_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unknown, match=r"^no address is known for nowhere\.example$"):
        await resolved("nowhere.example")


@pytest.mark.parametrize("address", FORBIDDEN_ADDRESSES)
async def test_no_special_address_is_reached_by_itself_or_by_a_name(address: str) -> None:
    assert not is_public(unwrapped(ip_address(address)))
    host = f"[{address}]" if ":" in address else address
    rules = Guard(resolve=names(innocent_example=address, mixed_example=f"{PUBLIC} {address}"))
    for url in (f"https://{host}/", "https://innocent.example/", "https://mixed.example:8443/x"):
        with pytest.raises(Forbidden):
            await rules.addresses(url)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
async def test_public_addresses_are_reached(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    rules = Guard(resolve=names(some_example=address))
    for url in (f"https://{host}/", "https://some.example/", "https://SOME.example:8443/x?y=z%20"):
        _, found = await rules.addresses(url)
        assert found == [ip_address(address)]


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
async def test_what_can_be_read_in_two_ways_or_asks_for_more_is_refused(url: str) -> None:
    rules = Guard(resolve=names(example_com=PUBLIC))
    with pytest.raises(Forbidden):
        await rules.addresses(url)


@given(st.text())
def test_whatever_is_written_is_read_strictly_or_forbidden(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://{text}@example.com/", f"https://example.com{text}"):
        try:
            place = place_of(url)
        except Forbidden:
            continue
        assert place.host.isascii()
        assert 0 < place.port < 65_536


@given(st.ip_addresses(v=4))
def test_our_table_is_no_wider_than_pythons(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_our_table_is_no_wider_than_pythons_for_ipv6(address: Any) -> None:
    if is_public(address):
        assert address.is_global


async def test_a_name_that_changes_its_mind_is_asked_each_time() -> None:
    rules = Guard(resolve=names(rebinding_example=[PUBLIC, "127.0.0.1", PUBLIC]))
    await rules.addresses("https://rebinding.example/")
    with pytest.raises(Forbidden, match=r"127\.0\.0\.1"):
        await rules.addresses("https://rebinding.example/")
    await rules.addresses("https://rebinding.example/")


async def test_networks_that_the_operator_allows_are_reached_in_plain_and_on_other_ports() -> None:
    home = Guard(
        allowed=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")), resolve=names(at_home="10.1.2.3", away=PUBLIC)
    )
    for url in ("http://10.1.2.3/", "http://at.home:9000/", "https://at.home/", "http://[fd00::7]:1024/"):
        await home.addresses(url)
    for url in ("http://10.1.2.3:22/", "http://127.0.0.1/", "http://away/", "https://away:9000/", "http://11.0.0.1/"):
        with pytest.raises(Forbidden):
            await home.addresses(url)


async def test_an_address_within_another_is_allowed_only_as_what_it_is() -> None:
    home = Guard(allowed=(ip_network("127.0.0.1/32"),))
    await home.addresses("http://[::ffff:127.0.0.1]:9000/")
    for url in ("http://127.0.0.2:9000/", "http://[::1]:9000/"):
        with pytest.raises(Forbidden):
            await home.addresses(url)


async def test_tollkeeper_does_not_call_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Guard(own_host="usage.example.com", resolve=names(usage_example_com=PUBLIC, same_example=PUBLIC))
    with pytest.raises(Forbidden, match="tollkeeper itself"):
        await rules.addresses("https://usage.example.com/")
    await rules.addresses("https://same.example/")

    def is_ours(_: Any) -> bool:
        return True

    monkeypatch.setattr(guard, "is_of_this_machine", is_ours)
    with pytest.raises(Forbidden, match="this very machine"):
        await rules.addresses("https://same.example/")


def test_addresses_of_this_machine_are_known() -> None:
    assert guard.is_of_this_machine(ip_address("127.0.0.1"))
    assert not guard.is_of_this_machine(ip_address(PUBLIC))


async def test_a_name_without_an_address_is_unknown() -> None:
    with pytest.raises(Unknown):
        await Guard(resolve=names()).addresses("https://nothing.example/")


async def test_the_system_knows_localhost_and_that_is_forbidden() -> None:
    assert set(await resolved("localhost")) & {"127.0.0.1", "::1"}
    with pytest.raises(Forbidden):
        await Guard().addresses("https://localhost/")
    with pytest.raises(Unknown):
        await resolved("nothing.invalid")


async def test_a_dead_name_server_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, waits = socket.getaddrinfo, threading.Event()

    def getaddrinfo(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("dead"):
            waits.wait(30)
        return ask(name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    began = time.monotonic()
    dead = [asyncio.create_task(resolved(f"dead-{each}.example")) for each in range(40)]
    try:
        await asyncio.gather(*(resolved("localhost") for _ in range(5)))
        assert time.monotonic() - began < 10
    finally:
        for task in dead:
            task.cancel()
        waits.set()
