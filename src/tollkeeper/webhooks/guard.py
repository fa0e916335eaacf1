"""Where webhooks may go: addresses of the public Internet over TLS, and networks that the operator allows.

Decided on the address that is connected to, at each try, whatever a name led to before: so neither a name that changes
its mind nor another way to write an address reaches what only this machine or its network should reach.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str], Awaitable[Sequence[str]]]

LONGEST_URL: Final = 2_000
PUBLIC_PORTS: Final = frozenset({443, 8443})
_WEB_PORTS: Final = frozenset({80, 443})
_FIRST_FREE_PORT: Final = 1024
_LONGEST_NAME: Final = 253
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# What some resolvers read as an IPv4 address, though it is none as it should be written: 0x7f.1, 2130706433.
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)")

# As the IANA registers them, and what is like them: nothing here is somebody's server on the public Internet.
_SPECIAL: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
            *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # A cloud's own service to its machines, at an address that looks public.
            "168.63.129.16/32",
            *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
        ),
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
# An IPv4 address within an IPv6 one: what counts is where packets end.
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Forbidden(Exception):
    """A webhook may not go there; the reason is worded for the operator."""


class Unknown(Exception):
    """No address is known for a name."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL says: ``host`` is a name or an address."""

    is_secure: bool
    host: str
    port: int


async def resolved(name: str) -> list[str]:
    """Ask the system for the addresses of a name, in the order to try them.

    In a thread of its own: one that waits for a dead name server must not keep others waiting, nor the process alive.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(tells: Callable[[Any], None], value: object) -> None:
        if not answer.done():
            tells(value)

    def ask() -> None:
        try:
            found = [str(row[4][0]) for row in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
            told: tuple[Callable[[Any], None], object] = (answer.set_result, found)
        except (OSError, UnicodeError):
            told = (answer.set_exception, Unknown(f"no address is known for {name}"))
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=ask, name=f"addresses of {name}", daemon=True).start()
    return await answer


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one installation. ``own_host``: the name under which people reach this very service."""

    allowed: tuple[Network, ...] = ()
    own_host: str | None = None
    resolve: Resolve = field(default=resolved)

    async def addresses(self, url: str) -> tuple[Place, list[Address]]:
        """Find the addresses that a URL leads to now, in the order to try them, each of which may be connected to.

        ``Forbidden`` if the URL or one of its addresses is not allowed, ``Unknown`` if the name has none.
        """
        place = place_of(url)
        found = _literal(place.host)
        if found is not None:
            addresses = [found]
        else:
            if place.host == self.own_host:
                raise Forbidden("this is the address of tollkeeper itself")
            addresses = [ip_address(each) for each in dict.fromkeys(await self.resolve(place.host))]
        if not addresses:
            raise Unknown(f"no address is known for {place.host}")
        for each in addresses:
            self._refuse(place, each)
        return place, addresses

    def _refuse(self, place: Place, address: Address) -> None:
        plain = unwrapped(address)
        if any(plain in network or address in network for network in self.allowed):
            if place.port < _FIRST_FREE_PORT and place.port not in _WEB_PORTS:
                raise Forbidden("the port must be 80, 443, or 1024 and above")
            return
        if not is_public(plain):
            raise Forbidden(f"{place.host} leads to {address}, which is not on the public Internet")
        if not place.is_secure:
            raise Forbidden("webhooks over the Internet need https")
        if place.port not in PUBLIC_PORTS:
            raise Forbidden("over the Internet webhooks go to the ports 443 and 8443 alone")
        if is_of_this_machine(plain):
            raise Forbidden(f"{place.host} leads to this very machine")


def place_of(url: str) -> Place:
    """Read a URL, strictly: what others might read in another way is ``Forbidden``."""
    if not url.isascii() or not url.isprintable() or len(url) > LONGEST_URL or set(url) & set(' \\"<>^`{|}'):
        raise Forbidden(
            "the URL has characters that have no place there, or too many; write names beyond ASCII as xn--"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("the URL cannot be read") from None
    if parts.scheme not in {"https", "http"}:
        raise Forbidden("the URL must begin with https://")
    if "@" in parts.netloc:
        raise Forbidden("the URL must name no user: receivers know us by the signature")
    if "#" in url:
        raise Forbidden("the URL must have no fragment")
    host, is_secure = (parts.hostname or "").lower(), parts.scheme == "https"
    literal = _literal(host)
    if ("[" in parts.netloc) is not isinstance(literal, IPv6Address):
        raise Forbidden("an IPv6 address stands in brackets, and nothing else does")
    if literal is None and (_NUMBER.fullmatch(host) or not _NAME.fullmatch(host) or len(host) > _LONGEST_NAME):
        raise Forbidden("the host must be a name, or an address as it is usually written")
    if parts.netloc.endswith(":") or port == 0:
        raise Forbidden("the port is none")
    return Place(is_secure, host, port or (443 if is_secure else 80))


def is_public(address: Address) -> bool:
    """Whether an address is one of somebody's server on the public Internet."""
    if isinstance(address, IPv6Address) and address not in _UNICAST_6:
        return False
    return not any(address in network for network in _SPECIAL)


def unwrapped(address: Address) -> Address:
    """Give the IPv4 address that packets to an IPv6 one end at, where that is so."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_of_this_machine(address: Address) -> bool:
    """Whether packets to an address would come from that same address: it is one of ours. None is sent."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(address), 9))
        return ip_address(probe.getsockname()[0]) == address
    return False


def _literal(host: str) -> Address | None:
    if "%" in host:
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None
