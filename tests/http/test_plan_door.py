"""The door for providers, as they see it."""

from __future__ import annotations

from typing import Any

import pytest

from tollkeeper.metering.plans import catalogue

from .conftest import JSON, Person, Site
from .providers import history_of, plan_of, tell

CATALOGUE = """
[plans.basic]
rank = 501
[plans.pro]
rank = 502
"""


@pytest.fixture
async def ana(service: Site) -> Person:
    await catalogue.apply(service.application.backend.database, catalogue.parse(CATALOGUE))
    return await service.person("free")


async def test_a_provider_tells_of_a_change_once(service: Site, ana: Person) -> None:
    key = await service.service_key("plans:write")
    by = JSON | {"Authorization": f"Bearer {key}"}
    first = await tell(service, ana, by, reference="sub_1042")
    assert first.status == 200
    assert (first.json["superseded"], first.json["changed"], first.json["plan"]["name"]) == (False, True, "pro")
    again = await tell(service, ana, by, reference="sub_1042")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert "Idempotent-Replayed" not in first.headers
    assert (await tell(service, ana, by)).is_problem(409, "key-reused")
    late = await tell(service, ana, by, key="k-2", plan="basic", occurredAt="2026-05-13T07:59:59.999Z")
    assert (late.status, late.json["superseded"], late.json["changed"]) == (200, True, False)
    assert late.json["latestOccurredAt"] == "2026-05-13T08:00:00.000000Z"
    assert (await plan_of(service, ana))["name"] == "pro"
    operator = await service.operator()
    by_hand = await tell(service, ana, operator.by_cookie, key="k-3", plan="basic", occurredAt="2026-05-13T08:00:01Z")
    assert by_hand.json["plan"]["name"] == "basic"
    assert len(await history_of(service, ana)) == 3


@pytest.mark.parametrize(
    ("says", "status", "slug"),
    [
        ({"plan": "nowhere"}, 404, "not-found"),
        ({"plan": ""}, 422, "invalid"),
        ({"occurredAt": "2026-05-13"}, 422, "invalid"),
        ({"occurredAt": "2026-05-13T08:00:00"}, 422, "invalid"),
        ({"occurredAt": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
        ({"occurredAt": "9999-12-31T23:59:59-10:00"}, 422, "invalid"),
        ({"until": "9999-12-31T23:59:59-10:00"}, 422, "invalid"),
        ({"until": "2026-05-13T08:00:00Z"}, 422, "invalid"),
        ({"billingCycle": "weekly"}, 422, "invalid"),
        ({"atPeriodEnd": True, "trial": True}, 422, "invalid"),
        ({"atPeriodEnd": True, "until": "2027-01-01T00:00:00Z"}, 422, "invalid"),
        ({"reference": ""}, 422, "invalid"),
        ({"reference": "x" * 256}, 422, "invalid"),
        ({"reference": "a\0b"}, 422, "invalid"),
        ({"rank": 3}, 422, "invalid"),
        ({"plan": "basic", "trial": True}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_told_is_refused(
    service: Site, ana: Person, *, says: dict[str, Any], status: int, slug: str
) -> None:
    by = JSON | {"Authorization": f"Bearer {service.key}"}
    assert (await tell(service, ana, by, **says)).is_problem(status, slug)
    assert (await plan_of(service, ana))["name"] == "free"


async def test_the_door_needs_a_key_a_known_user_and_who_may(service: Site, ana: Person) -> None:
    by = JSON | {"Authorization": f"Bearer {service.key}"}
    for key in (None, "", "x" * 256):
        heard = await tell(service, ana, by, key=key)
        assert heard.is_problem(400, "not-understood")
        assert heard.faulty == {"Idempotency-Key"}
    assert (await tell(service, ana, by | {"Tollkeeper-User": ana.email})).is_problem(400, "not-understood")
    stranger = Person(ana.id, "nobody-at-all@example.com", "", "")
    assert (await tell(service, stranger, by)).is_problem(404, "not-found")
    lesser = JSON | {"Authorization": f"Bearer {await service.service_key('track', 'metrics')}"}
    for other in (lesser, ana.by_key, ana.by_cookie | JSON):
        assert (await tell(service, ana, other)).is_problem(403, "not-allowed")
    assert (await tell(service, ana, JSON)).is_problem(401, "not-signed-in")
