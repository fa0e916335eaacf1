"""Queries and paths that cannot be meant, and texts that mean harm: refused and named, or kept as mere texts."""

from __future__ import annotations

import pytest

from .conftest import Person, Site


@pytest.mark.parametrize(
    ("path", "faulty"),
    [
        ("/api/chat/requests?limit=0", {"limit"}),
        ("/api/chat/requests?limit=201", {"limit"}),
        ("/api/chat/requests?limit=1.0", {"limit"}),
        ("/api/chat/requests?limit=%2B5", {"limit"}),
        ("/api/chat/requests?limit=", {"limit"}),
        ("/api/chat/requests?limit=5&limit=6", {"limit"}),
        ("/api/chat/requests?limit=9999999999999999999999", {"limit"}),
        ("/api/chat/requests?Limit=5&direction=asc", {"Limit", "direction"}),
        ("/api/chat/requests?cursor=x&limit=-1", {"limit"}),
        ("/api/chat/requests?cursor=x", {"cursor"}),
        ("/api/chat/requests?cursor=bnVsbA", {"cursor"}),
        ("/api/chat/requests?cursor=a%00b", {"cursor"}),
        ("/api/chat/sessions?cursor=IjEi", {"cursor"}),
        ("/api/chat/requests/x?full=1", {"full"}),
        ("/api/user/dashboard?user=bob", {"user"}),
        ("/api/user/variables?reveal=true", {"reveal"}),
        ("/api/user/variables/K?reveal=yes", {"reveal"}),
        ("/api/account?a=b", {"a"}),
    ],
)
async def test_unknown_and_unfit_parameters_are_422_and_named(
    service: Site, alice: Person, path: str, faulty: set[str]
) -> None:
    heard = await service.call("GET", path, by=alice.by_key)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty


@pytest.mark.parametrize(
    "path",
    [
        "/api/chat/requests?cursor=%FF",
        "/api/chat/requests?" + "&".join(f"a{n}=1" for n in range(30)),
        "/api/chat/requests/%FF",
        "/api/chat/requests/a%00b",
        "/api/chat/requests/a%20b",
        "/api/chat/requests/..%2F..%2Fetc%2Fpasswd",
        "/api/chat/sessions/%ED%A0%80",
        "/api/user/variables/%00",
    ],
)
async def test_a_path_or_query_that_is_none_is_400(service: Site, alice: Person, path: str) -> None:
    assert (await service.call("GET", path, by=alice.by_key)).is_problem(400, "not-understood")


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/chat",
        "/api/chat%2Ftrack",
        "/api/chat/requests/a/b",
        "/.git/config",
        "/.env",
        "/assets/style.css",
        "/docs/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%5c..%5cx",
    ],
)
async def test_what_is_not_there_is_404(service: Site, alice: Person, path: str) -> None:
    assert (await service.call("GET", path, by=alice.by_key)).is_problem(404, "not-found")


@pytest.mark.parametrize(
    "hostile",
    [
        "'; DROP TABLE chat_requests; --",
        "' OR '1'='1",
        '"; SELECT pg_sleep(10); --',
        "$1",
        "%s%s%s",
        "\\",
        "%",
        "_",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "=cmd|' /C calc'!A0",
        "line\r\nSet-Cookie: a=b",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "\u202e\u2066",
    ],
)
async def test_hostile_texts_are_only_texts(service: Site, alice: Person, hostile: str) -> None:
    says = {
        "prompt": hostile,
        "sessionId": hostile,
        "category": hostile,
        "model": hostile,
        "metadata": {hostile: hostile},
    }
    told = await service.start(alice, **says)
    heard = await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)
    assert {name: heard.json["request"][name] for name in says} == says
    assert "Set-Cookie" not in heard.headers
    dashboard = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json
    assert dashboard["requestsByCategory"] == {hostile: 1}


@pytest.mark.parametrize("target", ["/" + "a" * 20_000, "/api/chat/requests?cursor=" + "a" * 20_000])
async def test_a_target_without_end_is_414_and_not_quoted(service: Site, target: str) -> None:
    heard = await service.call("GET", target)
    assert heard.is_problem(414, "target-too-long")
    assert len(heard.body) < 2000
