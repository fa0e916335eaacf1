"""The seed's own examples, word for word, in a page of the served site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.web.visitors import Visitor

_EXAMPLES = Path(__file__).parent / "seed_examples"
_START_FIRST = """async () => (await fetch("/api/chat/track", {
  method: "POST", body: JSON.stringify({ prompt: "The first", requestId: "req-123" }) })).status"""


_LISTEN = """() => {
  window.heard = [];
  const own = window.fetch;
  window.fetch = async (...said) => {
    const answer = await own(...said);
    window.heard.push([said[1]?.method ?? "GET", answer.status, await answer.clone().json()]);
    return answer;
  };
}"""


async def _at_a_quiet_page(visitor: Visitor, email: str) -> None:
    """Sign in and open a page that makes no calls of its own; then listen to those of the examples."""
    await visitor.sign_in(email)
    await visitor.go("/docs")
    await visitor.page.evaluate(_LISTEN)


async def _run(visitor: Visitor, name: str) -> list[tuple[str, int, Any]]:
    """Run an example in the page; gives the method, status and answer of each of its calls."""
    await visitor.page.evaluate("() => window.heard.splice(0)")
    await visitor.page.evaluate(f"async () => {{\n{(_EXAMPLES / name).read_text()}}}")
    return [tuple(each) for each in await visitor.page.evaluate("() => window.heard")]


async def _printed_by_dashboard_example(visitor: Visitor) -> list[list[Any]]:
    visitor.said.clear()
    await _run(visitor, "get_dashboard_data.js")
    return [[await part.json_value() for part in message.args] for message in visitor.said]


async def _recorded_as_said(visitor: Visitor) -> None:
    second, first = (await visitor.fetch("/api/user/dashboard"))["recentRequests"]
    told = {name: second[name] for name in ("prompt", "sessionId", "category", "complexity", "status")}
    assert told == {
        "prompt": "Create an NFT contract", "sessionId": "session-123", "category": "nft", "complexity": "high",
        "status": "pending",
    }  # fmt: skip
    told = {name: first[name] for name in ("prompt", "requestId", "status", "userRating", "costSource", "late")}
    assert told == {
        "prompt": "The first", "requestId": "req-123", "status": "completed", "userRating": 5, "costSource": "reported",
        "late": False,
    }  # fmt: skip


async def test_the_seeds_examples_run_as_they_stand(visitor: Visitor) -> None:
    await _at_a_quiet_page(visitor, await visitor.served.user("pro"))
    assert await visitor.page.evaluate(_START_FIRST) == 201

    (start, finish) = await _run(visitor, "track_chat_request.js")
    assert start[:2] == ("POST", 201)
    assert start[2]["success"] is True
    assert start[2]["status"] == "pending"
    assert start[2]["requestId"] == start[2]["id"]
    assert (start[2]["limits"]["monthlyUsed"], start[2]["limits"]["dailyUsed"]) == (2, 2)
    assert finish[:2] == ("PUT", 200)
    told = {name: finish[2][name] for name in ("success", "requestId", "status", "tokensUsed", "cost", "duration")}
    assert told == {
        "success": True, "requestId": "req-123", "status": "completed", "tokensUsed": 1500, "cost": 3, "duration": 2500,
    }  # fmt: skip

    assert await _printed_by_dashboard_example(visitor) == [
        ["Total requests:", 2],
        ["Monthly usage:", 2],
        ["Can make request:", True],
    ]
    await _recorded_as_said(visitor)
    assert not visitor.troubles


async def test_without_a_first_start_the_examples_finish_is_told_that_there_is_none(visitor: Visitor) -> None:
    await _at_a_quiet_page(visitor, await visitor.served.user("pro"))

    (start, finish) = await _run(visitor, "track_chat_request.js")
    assert start[:2] == ("POST", 201)
    assert finish[:2] == ("PUT", 404)
    problem = {name: finish[2][name] for name in ("type", "status", "instance")}
    assert problem == {"type": "/problems/not-found", "status": 404, "instance": "/api/chat/track"}
    assert await _printed_by_dashboard_example(visitor) == [
        ["Total requests:", 1],
        ["Monthly usage:", 1],
        ["Can make request:", True],
    ]


async def test_a_used_up_plan_prints_that_no_request_can_be_made(visitor: Visitor) -> None:
    email = await visitor.served.user("free")
    for _ in range(9):
        await visitor.served.call("POST", "/api/chat/track", user=email, says={"prompt": "Hello"})
    await _at_a_quiet_page(visitor, email)
    assert await visitor.page.evaluate(_START_FIRST) == 201

    (start, finish) = await _run(visitor, "track_chat_request.js")
    assert start[:2] == ("POST", 429)
    assert finish[:2] == ("PUT", 200)
    assert await _printed_by_dashboard_example(visitor) == [
        ["Total requests:", 10],
        ["Monthly usage:", 10],
        ["Can make request:", False],
    ]
