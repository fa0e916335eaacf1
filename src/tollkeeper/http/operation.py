"""What each route declares: who may call it, what it takes and gives. The API's description is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tollkeeper.errors import TollkeeperError
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard

Scope = Literal[
    "track", "dashboard:read", "variables:read", "variables:write", "variables:reveal", "metrics", "plans:write"
]
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
Permission = Scope | Literal["public", "person", "admin", "signed-in"]
"""A scope of keys; or anyone; or a signed-in person only; or one with the role admin; or anyone who is known."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One route, as its caller sees it.

    ``creates_user``: a service key may name a user whom we do not know yet.
    ``checks_user``: it is done by ``Callers.acting`` and under the user's lock, where it shows whether they are there.
    ``takes_many``: the body is a list of what it takes, and each item names its user. Only service keys may call it,
    and they name no user in the header.
    ``names_user``: the path says which user it is about, so a service key names none in the header. Of people only
    operators may call it.
    ``personal``: for the person alone, and not for an operator who acts as them.
    ``recent``: so too, and they must have signed in within the last 15 minutes.
    ``files``: content types that a good answer may have instead.
    ``also_takes``: content types that a body may have instead of JSON.
    ``takes_room``: it stores what may be much, and is refused while the disk of the database is nearly full.
    ``reads_body``: it reads a body that is not declared here. Else one that nobody takes is heard out before it acts.
    """

    permission: Permission
    summary: str = ""
    takes: type[Said] | None = None
    query: type[Said] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    gives: Mapping[int, type[Heard] | str] = field(default_factory=dict[int, "type[Heard] | str"])
    problems: Sequence[type[TollkeeperError]] = ()
    examples: Mapping[str, Any] = field(default_factory=dict[str, Any])
    creates_user: bool = False
    checks_user: bool = False
    takes_many: bool = False
    names_user: bool = False
    in_api: bool = True
    personal: bool = False
    recent: bool = False
    files: Sequence[str] = ()
    also_takes: Sequence[str] = ()
    reads_body: bool = False
    takes_room: bool = False
