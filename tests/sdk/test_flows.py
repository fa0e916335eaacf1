"""Which answers are the service's, and which are somebody's on the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tollkeeper_client.flows import Reply


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (301, {}),
        (404, {}),
        (404, {"detail": "no such route"}),
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
        (404, {"type": "/problems/not-found"}),
        (409, {"type": "/problems/already-finished"}),
        (422, {"type": "/problems/invalid"}),
        (429, {"type": "/problems/limit-reached"}),
    ],
)
def test_what_the_service_said_is_its_word(status: int, body: Mapping[str, Any]) -> None:
    assert not Reply(status, body).is_unavailable
