"""The API's description, the headers of every answer, and what a fuzzer finds between the two."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tollkeeper import logs
from tollkeeper.http.docs.openapi import describe
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routes import ROUTES, answering
from tollkeeper.http.routing import get
from tollkeeper.server import Server
from tollkeeper.serving import address_of, listening
from tollkeeper.settings import Settings

from .conftest import JSON, Person, Site
from .test_callers import CALLS

GUARDS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def description() -> dict[str, Any]:
    return json.loads(json.dumps(describe(ROUTES, "1.2.3")))


def test_the_description_names_exactly_the_routes_of_the_api() -> None:
    described = {(method.upper(), path) for path, methods in description()["paths"].items() for method in methods}
    existing = {(route.method, path) for route in ROUTES if route.operation.in_api for path in route.paths}
    assert described == existing


def test_every_reference_of_the_description_leads_somewhere() -> None:
    told = description()
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)):
        assert reference in told["components"]["schemas"]


def test_every_operation_is_told_whole() -> None:
    names: set[str] = set()
    for methods in description()["paths"].values():
        for told in methods.values():
            names.add(told["operationId"])
            assert told["summary"]
            assert told["description"]
            assert told["responses"]
            for example in (
                told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
            ):
                assert example
    assert len(names) == sum(map(len, description()["paths"].values()))


def test_money_is_a_number_in_the_description() -> None:
    assert "decimal" not in json.dumps(description())


async def test_the_served_description_is_that_one(service: Site) -> None:
    heard = await service.call("GET", "/openapi.json")
    told = heard.json
    assert told["openapi"] == "3.1.0"
    assert told["info"]["version"] == service.application.backend.version
    assert told["paths"] == description()["paths"]


async def test_the_readable_page_names_every_operation(service: Site) -> None:
    page = (await service.call("GET", "/docs")).body.decode()
    for path, methods in description()["paths"].items():
        assert path in page
        assert all(f'id="{each["operationId"]}"' in page for each in methods.values())
    assert "<script" not in page


@pytest.mark.parametrize("call", sorted(CALLS), ids=" ".join)
async def test_every_answer_carries_the_guards(service: Site, alice: Person, call: tuple[str, str]) -> None:
    method, path = call
    path = re.sub(r"{\w+}", "not-there", path)
    signs_out = call == ("POST", "/api/account/sign-out")
    for by in (alice.by_key, JSON) if signs_out else (alice.by_key, alice.by_cookie, JSON):
        heard = await service.call(method, path, by=by, says=CALLS[call])
        assert {name: heard.headers.get(name) for name in GUARDS} == GUARDS
        policy = heard.headers["Content-Security-Policy"]
        assert policy == STRICT or "'nonce-" in policy
        assert re.fullmatch("[0-9a-f]{32}", heard.headers["X-Trace-Id"])
        assert "Server" not in heard.headers
        assert "Access-Control-Allow-Origin" not in heard.headers
        assert "Strict-Transport-Security" not in heard.headers, "browsers come by plain HTTP here"


@pytest.mark.parametrize("path", ["/api/chat/track", "/healthz", "/api/nothing"])
async def test_odd_methods_are_answered_politely(service: Site, path: str) -> None:
    exists = path != "/api/nothing"
    for method in ("TRACE", "PATCH", "PROPFIND"):
        heard = await service.call(method, path)
        assert heard.status == (405 if exists else 404), method
        if exists:
            assert heard.is_problem(405, "method-not-allowed")
            allowed = {"GET", "HEAD"} if path == "/healthz" else {"POST", "PUT"}
            assert set(heard.headers["Allow"].split(", ")) == allowed | {"OPTIONS"}
    options = await service.call("OPTIONS", path)
    assert options.status == (204 if exists else 404)
    assert {name: options.headers.get(name) for name in GUARDS} == GUARDS


async def test_head_answers_like_get_without_a_body(service: Site, alice: Person) -> None:
    for path in ("/healthz", "/", "/api/user/dashboard", "/docs"):
        whole = await service.call("GET", path, by=alice.by_key)
        head = await service.call("HEAD", path, by=alice.by_key)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == whole.headers["Content-Length"]


async def test_preflights_of_other_sites_get_no_permission(service: Site) -> None:
    by = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    heard = await service.call("OPTIONS", "/api/chat/track", by=by)
    assert not [name for name in heard.headers if name.lower().startswith("access-control")]


async def test_what_we_did_not_foresee_is_500_logged_once_and_told_without_its_inside(
    service: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @get("/boom", Operation("public"))
    async def boom(request: Exchange) -> Answer:  # noqa: ARG001 - every handler is given it
        raise RuntimeError("secret inside")

    async with answering(service.application.backend, (boom,)) as front:
        with listening(Settings(port=0)) as listener:
            async with Server(front).accepting(listener), service.client.get(f"{address_of(listener)}/boom") as answer:
                status, body = answer.status, await answer.read()
    told = json.loads(body)
    assert (status, told["type"]) == (500, "/problems/internal")
    assert b"secret inside" not in body
    logged = [record for record in caplog.records if told["traceId"] in record.getMessage()]
    assert [record.levelname for record in logged] == ["ERROR"]
    assert logged[0].exc_info
    written = logs.handler("text").format(logged[0])
    assert "in boom" in written
    assert "secret inside" not in written.replace('raise RuntimeError("secret inside")', "")
