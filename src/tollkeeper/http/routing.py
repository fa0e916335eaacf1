"""Which route answers a method and a path, in which ``{name}`` stands for one part whatever it is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias

from tollkeeper.errors import NotFound
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler: TypeAlias = Callable[[Exchange], Awaitable[Answer]]

_ANY: Final = None
PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One method of one or several paths: what it declares, and what answers it."""

    method: Method
    paths: Sequence[str]
    operation: Operation
    handler: Handler

    @property
    def name(self) -> str:
        """What its handler is called."""
        return self.handler.__name__


class Place(NamedTuple):
    """A path that is there: its routes by method, the path that they were declared with, and its parts by name."""

    routes: Mapping[str, Route]
    template: str
    parts: Mapping[str, str]


class Router:
    """Finds routes. A part that is written out goes before one that stands for any."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._whole: dict[str, Place] = {}
        self._root = _Node()
        for route in routes:
            for path in route.paths:
                self._add(path, route)

    def _add(self, path: str, route: Route) -> None:
        node = self._root
        for part in path.split("/")[1:]:
            node = node.parts.setdefault(_ANY if PARAMETER.fullmatch(part) else part, _Node())
        node.template = path
        node.routes[route.method] = route
        if "{" not in path:
            self._whole[path] = Place(node.routes, path, {})

    def find(self, path: str) -> Place:
        """Find what is at a path, which is ``normal``; ``NotFound`` if nothing is."""
        return self._whole.get(path) or self._walk(path)

    def _walk(self, path: str) -> Place:
        node, values = self._root, list[str]()
        for part in path.split("/")[1:]:
            following = node.parts.get(part)
            if following is None:
                following = node.parts.get(_ANY)
                values.append(part)
            if following is None:
                raise NotFound("there is nothing at this path")
            node = following
        if not node.routes:
            raise NotFound("there is nothing at this path")
        return Place(node.routes, node.template, dict(zip(PARAMETER.findall(node.template), values, strict=True)))


@dataclass(slots=True)
class _Node:
    """What may follow a path, by its next part; ``_ANY`` leads on with whatever that is."""

    parts: dict[str | None, _Node] = field(default_factory=dict["str | None", "_Node"])
    routes: dict[str, Route] = field(default_factory=dict[str, Route])
    template: str = ""


def _route(method: Method, paths: str | Sequence[str], operation: Operation) -> Callable[[Handler], Route]:
    return lambda handler: Route(method, [paths] if isinstance(paths, str) else paths, operation, handler)


get: Final = partial(_route, "GET")
post: Final = partial(_route, "POST")
put: Final = partial(_route, "PUT")
patch: Final = partial(_route, "PATCH")
delete: Final = partial(_route, "DELETE")
