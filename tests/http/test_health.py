"""Alive, ready, and the numbers for Prometheus."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from .conftest import JSON, Site


async def numbers(service: Site) -> dict[tuple[str, ...], float]:
    heard = await service.call("GET", "/metrics")
    assert heard.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (each.name, *each.labels.values()): each.value
        for family in text_string_to_metric_families(heard.body.decode())
        for each in family.samples
    }


async def test_health_asks_nobody_and_readiness_the_database(service: Site) -> None:
    for path in ("/healthz", "/readyz"):
        heard = await service.call("GET", path)
        assert (heard.status, heard.json) == (200, {"status": "ok"})


async def test_a_process_that_stops_is_not_ready_and_closes_connections(service: Site) -> None:
    readiness = service.application.readiness
    readiness.is_stopping = True
    try:
        heard = await service.call("GET", "/readyz")
        assert heard.is_problem(503, "unavailable")
        assert int(heard.headers["Retry-After"]) >= 1
        alive = await service.call("GET", "/healthz")
        assert (alive.status, alive.headers["Connection"]) == (200, "close")
    finally:
        readiness.is_stopping = False


async def test_exchanges_refusals_and_sets_are_counted(service: Site) -> None:
    before = await numbers(service)
    ana = await service.person(await service.plan("one", daily_requests=1))
    await service.start(ana)
    assert (await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x"})).status == 429
    for n in range(5):
        await service.call("GET", f"/made/up/{n}")
    after = await numbers(service)

    def grew(*name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grew("tollkeeper_exchanges_total", "POST", "/api/chat/track", "201") == 1
    assert grew("tollkeeper_exchanges_total", "POST", "/api/chat/track", "429") == 1
    assert grew("tollkeeper_exchanges_total", "unknown", "unknown", "404") == 5
    assert grew("tollkeeper_exchange_seconds_count", "POST", "/api/chat/track") == 2
    assert grew("tollkeeper_refusals_total", "daily") == 1
    assert grew("tollkeeper_lane_decided_total", "start") == 2
    assert after["tollkeeper_lane_waiting", "finish"] == 0
    assert after["tollkeeper_lane_aside", "finish"] == 0
    assert after["tollkeeper_build_info", service.application.backend.version] == 1


async def test_metrics_are_for_keys_with_their_scope_from_elsewhere(service: Site) -> None:
    elsewhere = JSON | {"X-Forwarded-For": "203.0.113.1"}
    assert (await service.call("GET", "/metrics", by=elsewhere)).status == 401
    for scope, status in (("metrics", 200), ("track", 403)):
        by = {"Authorization": f"Bearer {await service.service_key(scope)}"}
        assert (await service.call("GET", "/metrics", by=elsewhere | by)).status == status
