"""Networks: who holds one address of such a network easily holds them all, so what is counted is counted of it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_SHARED_BITS: Final = {4: 24, 6: 64}
# How many come before an IPv4 address in an IPv6 one that means it, as in ::ffff:203.0.113.7.
_MAPPED_BITS: Final = 96


def network_in(text: str) -> Network:
    """Read a network; ``ValueError`` if it is none. One of IPv4 is one of IPv4, also where it is written as IPv6."""
    found = ip_network(text)
    if not isinstance(found, IPv6Network) or found.prefixlen < _MAPPED_BITS:
        return found
    mapped = found.network_address.ipv4_mapped
    return found if mapped is None else ip_network((mapped, found.prefixlen - _MAPPED_BITS))


def network_of(address: str | None) -> str | None:
    """Name the /24 of an IPv4 address, or the /64 of an IPv6 one; ``None`` of what is no address."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(known, IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return str(ip_network((known, _SHARED_BITS[known.version]), strict=False))
