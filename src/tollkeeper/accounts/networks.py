"""Networks: who holds one address of such a network easily holds them all, so what is counted is counted of it."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_SHARED_BITS: Final = {4: 24, 6: 64}


def network_of(address: str | None) -> str | None:
    """Name the /24 of an IPv4 address, or the /64 of an IPv6 one; ``None`` of what is no address."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(known, IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return str(ip_network((known, _SHARED_BITS[known.version]), strict=False))
