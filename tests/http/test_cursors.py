"""Cursors that no list gave: whoever makes one up is told so, by every list."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from tollkeeper.http.paging import PageQuery
from tollkeeper.http.routes import ROUTES

from .conftest import Person, Site

ID = str(uuid4())
LISTS = sorted(
    path
    for route in ROUTES
    for path in route.paths
    if route.operation.query is not None and issubclass(route.operation.query, PageQuery)
)
# No list begins before the first request, or has a place in the last year that the driver can name.
INSTANTS = (
    "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
)
MADE_UP: list[Any] = [
    ["2026-01-01T00:00:00Z", "a\0"],
    ["email", "asc", "a\0", ID],
    ["desc", "2026-01-01T00:00:00Z", "a\0"],
    ["asc", "2026-01-01T00:00:00Z", "a"],
    *(place for at in INSTANTS for last in ("a", ID) for place in ([at, last], ["desc", at, last])),
    "a\0",
    [],
    {},
    None,
    0,
]


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


def test_all_lists_are_tried() -> None:
    assert {"/api/chat/sessions", "/api/admin/alerts", "/api/admin/webhooks/{id}/deliveries"} < set(LISTS)


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_that_no_list_gave_is_refused_by_its_name(service: Site, operator: Person, path: str) -> None:
    for place in MADE_UP:
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
        asked = path.replace("{user}", str(operator.id)).replace("{id}", ID).replace("{session}", "s")
        heard = await service.call("GET", f"{asked}?cursor={cursor}", by=operator.by_cookie)
        assert heard.is_problem(422, "invalid"), (place, heard.body)
        assert heard.faulty == {"cursor"}, place
