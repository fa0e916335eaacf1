"""Operators: the models that were seen, own prices, and pricing anew."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import pytest

from tollkeeper.metering.upkeep.verify import verify

from .conftest import Heard, Person, Site

_numbers = itertools.count(1)
NO_PRICES = {"cacheRead": None, "cacheWrite": None, "reasoning": None, "perRequest": None}


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


@pytest.fixture
def model() -> str:
    """A model that nobody else has heard of."""
    return f"house/{next(_numbers)} ü"


async def call(  # noqa: PLR0917 - in the order of a request line
    service: Site, operator: Person, method: str, model: str, tail: str, says: Any = None
) -> Heard:
    path = f"/api/admin/models/{quote(model, safe='')}{tail}"
    return await service.call(method, path, by=operator.by_cookie, says=says)


async def shown(service: Site, operator: Person, model: str) -> Any:
    heard = await service.call("GET", "/api/admin/models", by=operator.by_cookie)
    assert (heard.json["success"], heard.json["nextCursor"]) == (True, None)
    return next((each for each in heard.json["items"] if each["model"] == model), None)


async def used(service: Site, person: Person, model: str | None, **says: Any) -> str:
    begun = await service.start(person, **({"model": model} if model else {}))
    await service.finish(person, begun["id"], **({"tokensInput": 1000, "tokensOutput": 100} | says))
    return begun["id"]


async def test_models_are_told_with_what_they_used_and_how_they_are_priced(
    service: Site, operator: Person, alice: Person, model: str
) -> None:
    await used(service, alice, "gpt-4o")
    await used(service, alice, model)
    await used(service, alice, None)
    listed = await shown(service, operator, "gpt-4o")
    assert (listed["priceSource"], listed["provider"], listed["tiered"]) == ("list", "openai", False)
    assert listed["prices"]["input"] == "2500000000"
    assert listed["costNanos"] == listed["requests"] * 3_500_000
    unknown = await shown(service, operator, model)
    assert unknown["lastSeenAt"].endswith(":00:00.000000Z")
    del unknown["lastSeenAt"]
    assert unknown == {
        "model": model,
        "requests": 1,
        "tokensUsed": 1100,
        "cost": 0,
        "costNanos": 0,
        "unpriced": 1,
        "priceSource": "none",
        "prices": None,
        "tiered": False,
        "provider": None,
    }
    assert (await shown(service, operator, "unknown"))["priceSource"] == "none"
    await call(service, operator, "PUT", model, "/prices", {"input": "1", "output": "2.5", "cacheRead": "0.1"})
    own = await shown(service, operator, model)
    assert own["priceSource"] == "own"
    assert own["prices"] == NO_PRICES | {"input": "1000000000", "output": "2500000000", "cacheRead": "100000000"}


async def test_a_model_with_a_price_is_told_before_it_is_used(service: Site, operator: Person, model: str) -> None:
    await call(service, operator, "PUT", model, "/prices", {"input": "0", "output": "0"})
    told = await shown(service, operator, model)
    assert (told["requests"], told["lastSeenAt"], told["priceSource"]) == (0, None, "own")
    later = model + " later"
    says = {"input": "0", "output": "0", "effectiveFrom": "2099-01-01T00:00:00Z"}
    await call(service, operator, "PUT", later, "/prices", says)
    assert (await shown(service, operator, later))["priceSource"] == "none", "it does not count yet"


async def test_own_prices_over_time_are_set_replaced_listed_and_taken_away(
    service: Site, operator: Person, model: str
) -> None:
    assert (await call(service, operator, "GET", model, "/prices")).json["items"] == []
    for since, usd in ((None, "1"), ("2026-01-01T01:00:00+01:00", "2"), ("2026-06-01T00:00:00Z", "3")):
        says = {"input": usd, "output": usd} | ({"effectiveFrom": since} if since else {})
        told = (await call(service, operator, "PUT", model, "/prices", says)).json
        assert told["success"] is True
    told = (await call(service, operator, "GET", model, "/prices")).json
    assert [(each["effectiveFrom"], each["prices"]["input"]) for each in told["items"]] == [
        ("1970-01-01T00:00:00.000000Z", "1000000000"),
        ("2026-01-01T00:00:00.000000Z", "2000000000"),
        ("2026-06-01T00:00:00.000000Z", "3000000000"),
    ]
    says = {"input": "9.000000001", "output": "0", "effectiveFrom": "2026-01-01T00:00:00Z", "perRequest": "0.01"}
    told = (await call(service, operator, "PUT", model, "/prices", says)).json
    assert told["items"][1]["prices"] == NO_PRICES | {"input": "9000000001", "output": "0", "perRequest": "10000000"}
    kept: list[str] = [each["effectiveFrom"] for each in told["items"]]
    left = [(await call(service, operator, "DELETE", model, f"/prices/{quote(each)}")).json["items"] for each in kept]
    assert list(map(len, left)) == [2, 1, 0]
    again = await call(service, operator, "DELETE", model, f"/prices/{quote(kept[-1])}")
    assert again.is_problem(404, "not-found")
    noted = await service.owner.fetch(
        "SELECT action FROM activity WHERE actor = $1 AND action LIKE 'prices.%' ORDER BY id", str(operator.id)
    )
    assert [each["action"] for each in noted] == ["prices.set"] * 4 + ["prices.removed"] * 3


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"input", "output"}),
        ({"input": "1"}, {"output"}),
        ({"input": 1, "output": "1"}, {"input"}),
        ({"input": "-1", "output": "1"}, {"input"}),
        ({"input": "1e3", "output": "1"}, {"input"}),
        ({"input": " 1", "output": "1"}, {"input"}),
        ({"input": "1,5", "output": "1"}, {"input"}),
        ({"input": ".5", "output": "1"}, {"input"}),
        ({"input": "NaN", "output": "Infinity"}, {"input", "output"}),
        ({"input": "٣", "output": "1"}, {"input"}),
        ({"input": "", "output": "1"}, {"input"}),
        ({"input": "1000.000000001", "output": "1000"}, {"input"}),
        ({"input": "0.0000000001", "output": "1"}, {"input"}),
        ({"input": "1", "output": "1", "perRequest": "1001", "cacheRead": "x"}, {"perRequest", "cacheRead"}),
        ({"input": "1", "output": "1", "effectiveFrom": "2026-01-01"}, {"effectiveFrom"}),
        ({"input": "1", "output": "1", "effectiveFrom": "2026-01-01T00:00:00"}, {"effectiveFrom"}),
        ({"input": "1", "output": "1", "tiers": []}, {"tiers"}),
        ({"input": "1", "output": "1", "reasoning": "1\0"}, {"reasoning"}),
    ],
)
async def test_a_faulty_price_is_refused_by_its_fields(
    service: Site, operator: Person, model: str, says: Any, faulty: set[str]
) -> None:
    before = await service.rows()
    heard = await call(service, operator, "PUT", model, "/prices", says)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == faulty
    assert await service.rows() == before


@pytest.mark.parametrize("name", ["x" * 201, "%00", "%FF"])
async def test_what_is_no_name_of_a_model_is_400(service: Site, operator: Person, name: str) -> None:
    for method, tail, says in (
        ("GET", "/prices", None),
        ("PUT", "/prices", {"input": "1", "output": "1"}),
        ("DELETE", "/prices/2026-01-01T00:00:00Z", None),
        ("POST", "/reprice", {}),
    ):
        path = f"/api/admin/models/{name}{tail}"
        heard = await service.call(method, path, by=operator.by_cookie, says=says)
        assert heard.is_problem(400, "not-understood"), (method, heard.body)
    wrong = await service.call("DELETE", "/api/admin/models/m/prices/yesterday", by=operator.by_cookie)
    assert wrong.is_problem(400, "not-understood")


async def test_pricing_anew_is_previewed_applied_and_undone(
    service: Site, operator: Person, alice: Person, model: str
) -> None:
    request = await used(service, alice, model)
    await used(service, alice, model)
    await call(service, operator, "PUT", model, "/prices", {"input": "2", "output": "4"})
    preview = (await call(service, operator, "POST", model, "/reprice", {})).json
    assert preview == {
        "success": True,
        "applied": False,
        "requests": 2,
        "changed": 2,
        "unpricedBefore": 2,
        "unpricedAfter": 0,
        "costBefore": 0,
        "costNanosBefore": 0,
        "costAfter": 0.48,
        "costNanosAfter": 4_800_000,
    }
    one = f"/api/chat/requests/{request}"
    assert (await service.call("GET", one, by=alice.by_key)).json["request"]["costSource"] == "unpriced"
    done = (await call(service, operator, "POST", model, "/reprice", {"apply": True})).json
    assert done == preview | {"applied": True}
    told = (await service.call("GET", one, by=alice.by_key)).json["request"]
    assert (told["costSource"], told["costNanos"], told["cost"]) == ("computed", 2_400_000, 0.24)
    metrics = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json["metrics"]
    assert (metrics["totalCostNanos"], metrics["unpricedRequests"]) == (4_800_000, 0)
    assert (await verify(service.application.backend.database)).differences == []
    gone = quote("1970-01-01T00:00:00Z")
    await call(service, operator, "DELETE", model, f"/prices/{gone}")
    undone = (await call(service, operator, "POST", model, "/reprice", {"apply": True})).json
    assert (undone["unpricedAfter"], undone["costNanosAfter"], undone["costNanosBefore"]) == (2, 0, 4_800_000)
    assert (await verify(service.application.backend.database)).differences == []


async def test_requests_that_name_no_model_are_priced_as_what_they_are_called(
    service: Site, operator: Person, alice: Person
) -> None:
    database = service.application.backend.database
    await used(service, alice, None)
    await used(service, alice, "unknown")
    heard = await service.call("GET", "/api/admin/models", by=operator.by_cookie)
    (before,) = [each for each in heard.json["items"] if each["model"] == "unknown"]
    assert (before["unpriced"], before["priceSource"]) == (before["requests"], "none")
    await call(service, operator, "PUT", "unknown", "/prices", {"input": "2", "output": "4"})
    await used(service, alice, None)
    now = await shown(service, operator, "unknown")
    assert (now["priceSource"], now["requests"], now["unpriced"]) == ("own", before["requests"] + 1, before["unpriced"])
    assert now["costNanos"] == 2_400_000
    done = (await call(service, operator, "POST", "unknown", "/reprice", {"apply": True})).json
    assert (done["requests"], done["unpricedBefore"], done["unpricedAfter"]) == (now["requests"], now["unpriced"], 0)
    assert (await shown(service, operator, "unknown"))["costNanos"] == done["costNanosAfter"]
    assert (await verify(database)).differences == []
    await call(service, operator, "DELETE", "unknown", f"/prices/{quote('1970-01-01T00:00:00Z')}")
    undone = (await call(service, operator, "POST", "unknown", "/reprice", {"apply": True})).json
    assert (undone["unpricedAfter"], undone["costNanosAfter"]) == (now["requests"], 0)
    assert (await verify(database)).differences == []


async def test_a_range_of_time_prices_what_began_in_it(
    service: Site, operator: Person, alice: Person, model: str
) -> None:
    await used(service, alice, model)
    await call(service, operator, "PUT", model, "/prices", {"input": "2", "output": "4"})
    for says, found in (
        ({"from": "2099-01-01T00:00:00Z"}, 0),
        ({"to": "2020-01-01T00:00:00Z"}, 0),
        ({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, 1),
        ({"from": "2020-01-01T00:00:00Z"}, 1),
    ):
        told = await call(service, operator, "POST", model, "/reprice", says)
        assert (told.status, told.json["requests"]) == (200, found), says


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({"apply": "yes"}, "apply"),
        ({"from": "2026-01-01"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "to"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "to"),
        ({"model": "x"}, "model"),
    ],
)
async def test_a_faulty_repricing_is_refused_by_its_field(
    service: Site, operator: Person, model: str, says: Any, faulty: str
) -> None:
    heard = await call(service, operator, "POST", model, "/reprice", says)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {faulty}


async def test_a_model_that_nobody_used_has_nothing_to_price(service: Site, operator: Person, model: str) -> None:
    told = (await call(service, operator, "POST", model, "/reprice", {"apply": True})).json
    assert (told["applied"], told["requests"], told["changed"], told["costAfter"]) == (True, 0, 0, 0)


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z"]
)
async def test_a_price_begins_at_an_instant_that_can_be_told(
    service: Site, operator: Person, model: str, at: str
) -> None:
    says = {"input": "2", "output": "4", "effectiveFrom": at}
    heard = await call(service, operator, "PUT", model, "/prices", says)
    assert heard.is_problem(422, "invalid")
    assert heard.json["errors"][0]["field"] == "effectiveFrom"
