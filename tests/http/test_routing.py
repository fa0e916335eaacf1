"""Which route answers which path."""

from __future__ import annotations

from typing import Any

import pytest

from tollkeeper.errors import NotFound
from tollkeeper.http.exchange import Answer, Exchange, normal
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import Route, Router, delete, get, put

from .conftest import Site

ANYONE = Operation("public")


async def handler(request: Exchange) -> Answer:  # noqa: ARG001 - every handler is given it
    return Answer(b"")


def routes() -> list[Route]:
    return [
        get("/", ANYONE)(handler),
        get("/users", ANYONE)(handler),
        get("/users/new", ANYONE)(handler),
        get("/users/{user}", ANYONE)(handler),
        put("/users/{user}", ANYONE)(handler),
        delete(["/users/{user}/keys/{key}", "/keys/{key}"], ANYONE)(handler),
    ]


def test_a_route_that_does_not_say_who_may_call_it_cannot_be_made() -> None:
    make: Any = get
    with pytest.raises(TypeError, match="operation"):
        make("/forgotten")


@pytest.mark.parametrize(
    ("path", "template", "parts"),
    [
        ("/", "/", {}),
        ("/users", "/users", {}),
        ("/users/new", "/users/new", {}),
        ("/users/old", "/users/{user}", {"user": "old"}),
        ("/users/a%2Fb", "/users/{user}", {"user": "a%2Fb"}),
        ("/users/{user}", "/users/{user}", {"user": "{user}"}),
        ("/users/1/keys/2", "/users/{user}/keys/{key}", {"user": "1", "key": "2"}),
        ("/keys/2", "/keys/{key}", {"key": "2"}),
    ],
)
def test_a_path_finds_its_route_and_its_parts(path: str, template: str, parts: dict[str, str]) -> None:
    place = Router(routes()).find(path)
    assert (place.template, place.parts) == (template, parts)


def test_a_place_knows_all_its_methods() -> None:
    assert Router(routes()).find("/users/7").routes.keys() == {"GET", "PUT"}


@pytest.mark.parametrize("path", ["", "/nobody", "/users/1/keys", "/users/new/keys/2", "/users/1/keys/2/3", "/keys"])
def test_what_is_not_there_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        Router(routes()).find(path)


@pytest.mark.parametrize(
    ("path", "same"),
    [("/", "/"), ("/users", "/users"), ("/users/", "/users"), ("//users///7//", "/users/7"), ("//", "/"), ("", "")],
)
def test_slashes_at_the_end_and_side_by_side_do_not_count(path: str, same: str) -> None:
    assert normal(path) == same


async def test_a_path_with_other_methods_names_them(service: Site) -> None:
    told = await service.call("PATCH", "/api/chat/track")
    assert told.is_problem(405, "method-not-allowed")
    assert told.headers["Allow"] == "OPTIONS, POST, PUT"
    told = await service.call("OPTIONS", "/api/chat/requests//")
    assert (told.status, told.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_a_host_that_is_none_is_refused(service: Site) -> None:
    told = await service.call("GET", "/healthz", by={"Host": 'a"b'})
    assert told.is_problem(400, "not-understood")
