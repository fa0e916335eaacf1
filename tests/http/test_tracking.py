"""POST and PUT /api/chat/track as the wire contract says."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from .conftest import Person, Site

SEED_START = {
    "prompt": "Create an NFT contract",
    "sessionId": "session-123",
    "model": "gpt-4",
    "requestType": "code_generation",
    "category": "nft",
    "complexity": "high",
}
SEED_FINISH = {
    "requestId": "req-123",
    "status": "completed",
    "response": "Generated contract code...",
    "tokensUsed": 1500,
    "cost": 3,
    "duration": 2500,
    "userRating": 5,
}


async def test_the_seeds_start_and_finish_work_word_for_word(service: Site, alice: Person) -> None:
    started = await service.call("POST", "/api/chat/track", by=alice.by_key, says=SEED_START | {"requestId": "req-123"})
    assert started.status == 201
    assert started.json["requestId"] == "req-123"
    assert started.json["status"] == "pending"
    finished = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=SEED_FINISH)
    assert finished.status == 200
    told = finished.json
    assert (told["success"], told["requestId"], told["status"], told["late"]) == (True, "req-123", "completed", False)
    assert (told["cost"], told["costNanos"], told["costSource"]) == (3, 30_000_000, "reported")
    assert (told["tokensUsed"], told["duration"]) == (1500, 2500)


async def test_a_start_answers_exactly_these_fields(service: Site) -> None:
    ana = await service.person("pro")
    told = await service.start(ana)
    assert list(told) == ["success", "requestId", "id", "status", "expiresAt", "limits"]
    limits = {
        "monthlyUsed": 1,
        "monthlyLimit": 1000,
        "dailyUsed": 1,
        "dailyLimit": 50,
        "canMakeRequest": True,
        "planName": "pro",
    }
    assert {name: told["limits"][name] for name in limits} == limits
    assert told["limits"].keys() - limits.keys() == {"resetsAt", "version", "reason"}
    assert told["limits"]["resetsAt"].keys() == {"daily", "monthly"}


async def test_a_request_without_an_id_gets_ours(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    assert told["requestId"] == told["id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", told["id"])


async def test_times_are_utc_with_a_z_and_six_digits(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    times = (told["expiresAt"], *told["limits"]["resetsAt"].values())
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert datetime.fromisoformat(told["expiresAt"]).utcoffset() == timedelta(0)


async def test_both_ids_are_good_wherever_one_is_asked_for(service: Site, alice: Person) -> None:
    told = await service.start(alice, requestId="mine-1")
    await service.finish(alice, told["id"])
    rated = await service.call("PUT", "/api/chat/track", by=alice.by_key, says={"requestId": "mine-1", "userRating": 4})
    assert (rated.status, rated.json["id"]) == (200, told["id"])
    for named in ("mine-1", told["id"], told["id"].upper()):
        found = await service.call("GET", f"/api/chat/requests/{named}", by=alice.by_key)
        assert (found.status, found.json["request"]["userRating"]) == (200, 4)


@pytest.mark.parametrize("header", [True, False])
async def test_a_repeated_start_gets_the_first_answer_byte_for_byte(
    service: Site, alice: Person, *, header: bool
) -> None:
    by = alice.by_key | ({"Idempotency-Key": "key 1!"} if header else {})
    says = SEED_START if header else SEED_START | {"requestId": "again"}
    first = await service.call("POST", "/api/chat/track", by=by, says=says)
    await service.start(alice)
    again = await service.call("POST", "/api/chat/track", by=by, says=says)
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    other = await service.call(
        "POST", "/api/chat/track", by=by, says={"requestId": "another"} | says | {"prompt": "Other"}
    )
    assert other.is_problem(409, "key-reused")
    assert (other.json["requestId"], other.json["id"]) == (first.json["requestId"], first.json["id"])


async def test_an_id_and_an_idempotency_key_are_names_of_their_own(service: Site, alice: Person) -> None:
    first = await service.call("POST", "/api/chat/track", by=alice.by_key, says=SEED_START | {"requestId": "same"})
    by = alice.by_key | {"Idempotency-Key": "same"}
    second = await service.call("POST", "/api/chat/track", by=by, says=SEED_START)
    assert (first.status, second.status) == (201, 201)


async def test_a_repeat_that_arrives_during_the_first_waits_for_it(service: Site, alice: Person) -> None:
    says = SEED_START | {"requestId": "racing"}
    heard = await asyncio.gather(
        *(service.call("POST", "/api/chat/track", by=alice.by_key, says=says) for _ in range(20))
    )
    assert sorted(each.status for each in heard) == [200] * 19 + [201]
    assert len({each.body for each in heard}) == 1


async def test_ids_and_keys_of_another_user_are_free(service: Site, alice: Person, bob: Person) -> None:
    await service.start(alice, requestId="taken", prompt="a")
    await service.start(bob, requestId="taken", prompt="b")


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve", "tab\tbed"])
async def test_an_idempotency_key_is_printable_ascii(service: Site, alice: Person, key: str) -> None:
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key | {"Idempotency-Key": key}, says=SEED_START)
    assert heard.is_problem(400, "not-understood")
    assert heard.faulty == {"Idempotency-Key"}


@pytest.mark.parametrize(
    "name",
    ["", "a b", "x" * 201, "a/b", "é", "0198c0de-0000-7000-8000-000000000000", "0198c0de000070008000000000000000"],
)
async def test_what_cannot_be_a_clients_id_is_400_and_named(service: Site, alice: Person, name: str) -> None:
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, says=SEED_START | {"requestId": name})
    assert heard.is_problem(400, "not-understood")
    assert heard.faulty == {"requestId"}


async def test_at_the_daily_limit_a_start_hears_429_and_when_to_come_again(service: Site) -> None:
    ana = await service.person(await service.plan("tiny", daily_requests=1, monthly_requests=5))
    await service.start(ana)
    heard = await service.call("POST", "/api/chat/track", by=ana.by_key, says=SEED_START | {"requestId": "no-room"})
    assert heard.is_problem(429, "limit-reached")
    told = heard.json
    assert (told["limit"], told["used"], told["allowed"], told["remaining"]) == ("daily", 1, 1, 0)
    assert told["requestId"] == "no-room"
    assert told["resetsAt"] == told["limits"]["resetsAt"]["daily"]
    seconds = int(heard.headers["Retry-After"])
    assert 1 <= seconds <= 86_400
    assert heard.headers["RateLimit"] == f'"daily";r=0;t={seconds}'
    assert heard.headers["RateLimit-Policy"] == '"daily";q=1;w=86400'


async def test_a_money_limit_is_told_in_cents(service: Site) -> None:
    ana = await service.person(await service.plan("thrifty", monthly_cost_nanos=15_000_000))
    says = {"prompt": "x" * 400, "model": "gpt-4", "maxTokens": 100_000}
    heard = await service.call("POST", "/api/chat/track", by=ana.by_key, says=says)
    assert heard.is_problem(429, "limit-reached")
    told = heard.json
    assert (told["limit"], told["used"], told["allowed"], told["remaining"]) == ("cost", 0, 1.5, 1.5)
    assert told["limits"]["monthlyCostLimit"] == 1.5
    assert heard.headers["RateLimit"].startswith('"cost";r=1;t=')
    days = int(heard.headers["RateLimit-Policy"].removeprefix('"cost";q=1;w=')) / 86_400
    assert 28 <= days <= 31
    unpriced = await service.call(
        "POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x", "model": "nobody-knows"}
    )
    assert unpriced.is_problem(403, "unpriced-model")


async def test_too_many_tokens_and_what_is_not_in_the_plan_are_refused(service: Site) -> None:
    ana = await service.person("free")
    tokens = await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x", "maxTokens": 9000})
    assert tokens.is_problem(422, "too-many-tokens")
    assert tokens.json["allowed"] == 8000
    kind = await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x", "requestType": "video"})
    assert kind.is_problem(403, "not-in-plan")


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(service: Site) -> None:
    ana = await service.person("free")
    before = await service.rows()
    would = await service.call("POST", "/api/chat/track?dryRun=true", by=ana.by_key, says={"prompt": "x"})
    assert (would.status, would.json["admitted"], would.json["limits"]["dailyUsed"]) == (200, True, 1)
    wouldnt = await service.call(
        "POST", "/api/chat/track?dryRun=true", by=ana.by_key, says={"prompt": "x", "requestType": "video"}
    )
    assert (wouldnt.status, wouldnt.json["admitted"]) == (200, False)
    assert wouldnt.json["problem"]["type"] == "/problems/not-in-plan"
    nobody = service.as_service("nobody-yet@example.com")
    assert (await service.call("POST", "/api/chat/track?dryRun=true", by=nobody, says={"prompt": "x"})).status == 200
    assert await service.rows() == before


async def test_what_a_service_knows_of_the_person_is_kept_and_others_may_not_say_it(
    service: Site, alice: Person
) -> None:
    says = {"prompt": "x", "ipAddress": "203.0.113.7", "userAgent": "Their Browser"}
    refused = await service.call("POST", "/api/chat/track", by=alice.by_key, says=says)
    assert refused.is_problem(422, "invalid")
    assert refused.faulty == {"ipAddress", "userAgent"}
    by = service.as_service(alice.email)
    told = (await service.call("POST", "/api/chat/track", by=by, says=says | {"requestId": "theirs"})).json
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert (found["ipAddress"], found["userAgent"]) == ("203.0.113.7", "Their Browser")
    own = await service.start(alice)
    found = (await service.call("GET", f"/api/chat/requests/{own['id']}", by=alice.by_key)).json["request"]
    assert found["ipAddress"] == "127.0.0.1"


async def test_metadata_comes_back_as_it_was(service: Site, alice: Person) -> None:
    metadata = {"deep": {"er": [1, -2.5, "☃", None, True]}, "n": 2**62}
    told = await service.start(alice, metadata=metadata)
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert found["metadata"] == metadata


async def test_texts_come_back_byte_for_byte(service: Site, alice: Person) -> None:
    text = "😀 مرحبا e\u0301 \ufffe \u202e\r\n\t\\u0000 'quoted'; DROP TABLE users; --"
    told = await service.start(alice, prompt=text, category="🧪", sessionId="a/b?c=d%20e")
    await service.finish(alice, told["id"], response=text)
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert (found["prompt"], found["response"], found["category"]) == (text, text, "🧪")
    listed = await service.call("GET", "/api/chat/sessions/a%2Fb%3Fc%3Dd%2520e", by=alice.by_key)
    assert [each["id"] for each in listed.json["items"]] == [told["id"]]


# --- finishing ---


async def test_the_same_finish_again_gets_the_same_answer_and_another_one_409(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    says = {"requestId": told["id"], "status": "completed", "tokensInput": 10, "tokensOutput": 5, "cost": 1.5}
    first = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)
    again = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)
    assert (first.status, again.status, again.json) == (200, 200, first.json)
    other = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says | {"status": "failed"})
    assert other.is_problem(409, "already-finished")
    assert other.json["requestId"] == told["id"]
    assert other.json["currentStatus"] == "completed"


async def test_finishing_what_is_not_there_is_404_and_creates_nothing(service: Site, alice: Person) -> None:
    before = await service.rows()
    for name in ("never-started", "0198c0de-0000-7000-8000-000000000000"):
        heard = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=SEED_FINISH | {"requestId": name})
        assert heard.is_problem(404, "not-found")
    by = service.as_service("never-seen@example.com")
    assert (await service.call("PUT", "/api/chat/track", by=by, says=SEED_FINISH)).is_problem(404, "not-found")
    assert await service.rows() == before


async def test_a_rating_alone_changes_nothing_else_and_may_come_and_go(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    pending = await service.call(
        "PUT", "/api/chat/track", by=alice.by_key, says={"requestId": told["id"], "userRating": 3}
    )
    assert pending.is_problem(409, "still-pending")
    await service.finish(alice, told["id"], tokensUsed=7)
    for rating in (3, 5, None, 1):
        says = {"requestId": told["id"], "userRating": rating}
        heard = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)
        assert (heard.status, heard.json["tokensUsed"], heard.json["status"]) == (200, 7, "completed")
        found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
        assert found["userRating"] == rating


async def test_a_missing_response_may_come_later_once(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    await service.finish(alice, told["id"])
    says = {"requestId": told["id"], "response": "Late text"}
    assert (await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)).status == 200
    assert (await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)).status == 200
    other = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says | {"response": "Another"})
    assert other.is_problem(409, "already-finished")


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"status"}),
        ({"cost": 3}, {"cost"}),
        ({"tokensUsed": 3, "userRating": 3}, {"tokensUsed"}),
        ({"errorMessage": "x", "duration": 3}, {"errorMessage", "duration"}),
        ({"status": "pending"}, {"status"}),
        ({"status": "completed", "tokensInput": 3, "tokensOutput": 4, "tokensUsed": 8}, {"tokensUsed"}),
        ({"status": "completed", "tokensInput": 9, "tokensUsed": 8}, {"tokensUsed"}),
        ({"status": "completed", "tokensInput": 5, "tokensCached": 6}, {"tokensCached"}),
        ({"status": "completed", "tokensInput": 5, "tokensCached": 3, "tokensCacheWrite": 3}, {"tokensCached"}),
        ({"status": "completed", "tokensCacheWrite": 1}, {"tokensCacheWrite"}),
        ({"status": "completed", "tokensOutput": 1, "tokensReasoning": 2}, {"tokensReasoning"}),
        ({"status": "failed", "error": "a", "errorMessage": "b"}, {"error"}),
        ({"status": "completed", "userRating": 6}, {"userRating"}),
        ({"status": "completed", "userRating": 0}, {"userRating"}),
        ({"status": "completed", "cost": 0.0000000001}, {"cost"}),
        ({"status": "completed", "cost": 10**9 + 1}, {"cost"}),
        ({"status": "completed", "duration": -0.5}, {"duration"}),
        ({"status": "done", "cost": -1, "tokensUsed": True, "x": 1}, {"status", "cost", "tokensUsed", "x"}),
    ],
)
async def test_a_finish_that_contradicts_itself_is_422_and_every_fault_named(
    service: Site, alice: Person, says: dict[str, Any], faulty: set[str]
) -> None:
    told = await service.start(alice)
    heard = await service.call("PUT", "/api/chat/track", by=alice.by_key, says={"requestId": told["id"]} | says)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == faulty
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert found["status"] == "pending"


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ({"tokensInput": 3, "tokensOutput": 4}, {"tokensUsed": 7}),
        ({"tokensUsed": 7, "tokensOutput": 4}, {"tokensUsed": 7, "tokensInput": 3}),
        ({"tokensUsed": 7}, {"tokensUsed": 7, "tokensInput": None, "costSource": "unpriced", "cost": None}),
        ({"cost": 0.123456789, "tokensUsed": 1}, {"cost": 0.1234568, "costNanos": 1234568}),
        ({"duration": 12.5}, {"duration": 13}),
        ({"duration": 0}, {"duration": 0}),
        ({"status": "failed", "error": "why"}, {"errorMessage": "why", "status": "failed"}),
        ({"status": "failed", "error": "why", "errorMessage": "why"}, {"errorMessage": "why"}),
        ({"model": "gpt-4o", "tokensInput": 10**6, "tokensOutput": 0}, {"model": "gpt-4o", "costNanos": 2_500_000_000}),
        ({"userRating": 2}, {"userRating": 2}),
    ],
)
async def test_a_finish_is_kept_as_it_was_meant(
    service: Site, alice: Person, says: dict[str, Any], shown: dict[str, Any]
) -> None:
    told = await service.start(alice)
    await service.finish(alice, told["id"], **says)
    found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert {name: found[name] for name in shown} == shown


async def test_reported_cost_counts_from_a_service_and_is_only_kept_from_others(service: Site, alice: Person) -> None:
    says = {"status": "completed", "tokensInput": 10**6, "tokensOutput": 0, "cost": 1}
    for by, source, cents in ((alice.by_key, "computed", 250), (service.as_service(alice.email), "reported", 1)):
        told = await service.start(alice, model="gpt-4o")
        heard = await service.call("PUT", "/api/chat/track", by=by, says=says | {"requestId": told["id"]})
        assert (heard.json["costSource"], heard.json["cost"]) == (source, cents)
        found = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
        assert (found["reportedCost"], found["computedCost"]) == (1, 250)


async def test_a_failure_gives_the_unit_back_if_a_service_says_so(service: Site) -> None:
    ana = await service.person("free")
    for by, used in ((ana.by_key, 1), (service.as_service(ana.email), 1)):
        told = await service.start(ana)
        heard = await service.call("PUT", "/api/chat/track", by=by, says={"requestId": told["id"], "status": "failed"})
        assert heard.json["limits"]["dailyUsed"] == used


@pytest.mark.parametrize(
    ("first", "again", "status"),
    [
        ({"ipAddress": "1.1.1.1"}, {"ipAddress": "1.1.1.1"}, 200),
        ({"ipAddress": "1.1.1.1"}, {"ipAddress": "2.2.2.2"}, 409),
        ({"ipAddress": "1.1.1.1"}, {}, 409),
        ({}, {"userAgent": "another"}, 409),
        ({}, {}, 200),
    ],
)
async def test_where_it_came_from_belongs_to_what_a_service_told(
    service: Site, first: dict[str, str], again: dict[str, str], status: int
) -> None:
    by, says = service.as_service("told@example.com"), {"prompt": "x", "requestId": f"told-{uuid4()}"}
    assert (await service.call("POST", "/api/chat/track", by=by, says=says | first)).status == 201
    assert (await service.call("POST", "/api/chat/track", by=by, says=says | again)).status == status


async def test_where_no_token_is_left_an_empty_prompt_is_one_too_many(service: Site) -> None:
    person = await service.person(await service.plan("four-tokens", monthly_tokens=4))
    await service.start(person, prompt="sixteen letters.")
    heard = await service.call("POST", "/api/chat/track", by=person.by_key, says={"prompt": ""})
    assert heard.is_problem(429, "limit-reached")
    assert (heard.json["limit"], heard.json["needed"], heard.json["remaining"]) == ("tokens", 1, 0)


async def test_money_is_told_in_cents_in_words_too(service: Site) -> None:
    person = await service.person(await service.plan("a-cent", monthly_cost_nanos=10_000_000))
    says = {"prompt": "x", "model": "gpt-4o", "maxTokens": 1_000_000}
    heard = await service.call("POST", "/api/chat/track", by=person.by_key, says=says)
    assert heard.is_problem(429, "limit-reached")
    assert heard.json["needed"] > 1
    assert f"needs {heard.json['needed']:.10g} cents more" in heard.json["detail"]
    assert heard.json["detail"].endswith("0 cents of 1 cents are used")
