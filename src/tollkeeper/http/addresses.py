"""Where a request comes from: behind trusted proxies whom they saw, otherwise the connection's other end."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tollkeeper.http.backend import Network

if TYPE_CHECKING:
    from tollkeeper.http.exchange import Exchange


def address_of_client(exchange: Exchange, trusted: Sequence[Network]) -> str | None:
    """Where the request comes from: the connection's other end or, behind trusted proxies, whom they saw."""
    address = exchange.call.client
    if not trusted or not _is_trusted(address, trusted):
        return address
    hops = [hop.strip() for hop in (exchange.header(b"x-forwarded-for") or b"").decode("latin-1").split(",")]
    for hop in reversed(hops):
        if not _is_address(hop):
            return address
        address = hop
        if not _is_trusted(hop, trusted):
            return hop
    return address


def _is_trusted(address: str | None, trusted: Sequence[Network]) -> bool:
    return (
        address is not None and _is_address(address) and any(ipaddress.ip_address(address) in each for each in trusted)
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_within(address: str | None, networks: Sequence[Network]) -> bool:
    """Whether an address belongs to one of the networks; one that nobody knows belongs to none."""
    if address is None or not _is_address(address):
        return False
    found = ipaddress.ip_address(address)
    # A socket for both kinds of addresses tells the old kind as a new one, ::ffff:203.0.113.7.
    meant = (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
    return any(meant in each for each in networks)


def is_from_this_machine(exchange: Exchange, trusted: Sequence[Network]) -> bool:
    """Whether nobody but this machine can have sent it."""
    forwarded = any(exchange.header(name) is not None for name in (b"x-forwarded-for", b"forwarded", b"via"))
    if forwarded and not trusted:
        return False
    address = address_of_client(exchange, trusted)
    return address is not None and _is_address(address) and ipaddress.ip_address(address).is_loopback
