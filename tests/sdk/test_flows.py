"""Which answers are the service's, and which are somebody's on the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from tollkeeper_client import wire
from tollkeeper_client.flows import Reply


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, {"message": "welcome"}),
        (301, {}),
        (401, {}),
        (403, {"detail": "not from there"}),
        (404, {}),
        (404, {"detail": "no such route"}),
        (407, {}),
        (408, {}),
        (429, {}),
        (429, {"type": "/problems/too-many-attempts"}),
        (500, {}),
        (502, {"message": "Bad Gateway"}),
        (503, {"type": "/problems/unavailable"}),
    ],
)
def test_who_is_on_the_way_has_said_nothing(status: int, body: Mapping[str, Any]) -> None:
    assert Reply(status, body).is_unavailable


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"success": True}),
        (201, {"success": True}),
        (400, {}),
        (401, {"type": "/problems/not-signed-in"}),
        (403, {"type": "/problems/not-allowed"}),
        (404, {"type": "/problems/not-found"}),
        (409, {"type": "/problems/already-finished"}),
        (422, {"type": "/problems/invalid"}),
        (429, {"type": "/problems/limit-reached"}),
    ],
)
def test_what_the_service_said_is_its_word(status: int, body: Mapping[str, Any]) -> None:
    assert not Reply(status, body).is_unavailable


def test_an_answer_of_whatever_kind_is_read_without_harm() -> None:
    for said in (b"", b"<html>", b"[1]", b"\xff", b"[" * 200_000, b'{"a": ' + b"1" * 10_000 + b"}"):
        assert wire.heard(httpx2.Response(200, content=said)).is_unavailable
