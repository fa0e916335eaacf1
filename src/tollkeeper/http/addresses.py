"""Where a request comes from: behind trusted proxies whom they saw, otherwise the connection's other end."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from tollkeeper.accounts.networks import Network
from tollkeeper.http.call import Call

_OF_PROXIES: Final = frozenset({b"x-forwarded-for", b"forwarded", b"via"})
_THIS_MACHINE: Final = re.compile(rb"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"(?:\[(?P<new>[^\]]+)\]|(?P<old>[^:\[\]]+))(?::\d{1,5})?")


def address_of_client(call: Call, trusted: Sequence[Network]) -> str | None:
    """Where the request comes from: the connection's other end or, behind trusted proxies, whom they saw.

    ``None`` where nobody knows: a proxy that saw something else than an address has not seen itself.
    """
    address = call.client
    if not is_within(address, trusted):
        return address
    told = b",".join(value for name, value in call.headers if name == b"x-forwarded-for").decode("latin-1")
    for hop in filter(None, (each.strip() for each in reversed(told.split(",")))):
        address = _address_in(hop)
        if not is_within(address, trusted):
            break
    return address


def _address_in(hop: str) -> str | None:
    """Read whom a proxy saw: some write the port behind the address, and such of the new kind in brackets."""
    bare = _WITH_PORT.fullmatch(hop)
    address = hop if bare is None else bare["new"] or bare["old"]
    return address if is_address(address) else None


def is_address(text: str) -> bool:
    """Whether that is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_within(address: str | None, networks: Sequence[Network]) -> bool:
    """Whether an address belongs to one of the networks; one that nobody knows belongs to none."""
    if address is None or not is_address(address):
        return False
    found = ipaddress.ip_address(address)
    # A socket for both kinds of addresses tells the old kind as a new one, ::ffff:203.0.113.7.
    meant = (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
    return any(meant in each for each in networks)


def is_from_this_machine(call: Call, trusted: Sequence[Network]) -> bool:
    """Whether nobody but this machine can have sent it, to a name of its own.

    A proxy that does not say that it is one mostly passes on the name it was asked for, and so does a browser that was
    led here by another site's name.
    """
    if (_is_forwarded(call) and not trusted) or not _is_to_this_machine(call):
        return False
    address = address_of_client(call, trusted)
    return address is not None and is_address(address) and ipaddress.ip_address(address).is_loopback


def _is_to_this_machine(call: Call) -> bool:
    return any(name == b"host" and _THIS_MACHINE.fullmatch(value) for name, value in call.headers)


def _is_forwarded(call: Call) -> bool:
    return any(name in _OF_PROXIES for name, _ in call.headers)
