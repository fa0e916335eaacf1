"""Everything about me: all that is kept is in the archive, nothing of others, and no secret."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tollkeeper.accounts.takeout import PARTS
from tollkeeper.activity import OPERATOR
from tollkeeper.http.wire import instant
from tollkeeper.metering.plans import exceptions
from tollkeeper.store.queries import statements

from .conftest import Person, Site
from .test_leaving import fill

# What stands in no file of its own, and why.
WITHIN = {
    "activity": "a file of its own, read page by page",
    "chat_requests": "a file of its own, read page by page",
    "request_analytics": "with its request",
    "sealed_rollups": "within the sums",
    "sealed_sessions": "within the conversations",
    "closing_requests": "on its way out, and within the sums",
    "closing_analytics": "on its way out, and within the sums",
    "sign_in_links": "hashes of links, for minutes",
    "github_asks": "hashes of a way to GitHub and back, for minutes",
    "passkey_ceremonies": "hashes of what a browser was asked to sign, for minutes",
}
SECRET = {"key_hash", "token_hash", "sealed", "sealed_with", "note", "payload_hash", "answer"}


async def taken(service: Site, person: Person) -> dict[str, bytes]:
    heard = await service.call("GET", "/api/account/export", by=person.by_cookie)
    assert heard.status == 200, heard.body
    assert heard.headers["Content-Type"] == "application/zip"
    assert heard.headers["Content-Disposition"] == 'attachment; filename="tollkeeper-account.zip"'
    assert heard.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(heard.body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_all_that_one_wrote_and_did_is_in_it_twice(service: Site, alice: Person, bob: Person) -> None:
    word, other = f"canary{uuid4().hex[:8]}", f"other{uuid4().hex[:8]}"
    await fill(service, alice, word)
    await fill(service, bob, other)
    files = await taken(service, alice)
    told = {name: msgspec.json.decode(content) for name, content in files.items() if name.endswith(".json")}
    assert set(files) == {"README.txt"} | {f"{name[:-5]}{end}" for name in told for end in (".json", ".csv")}
    for name, items in told.items():
        rows = list(csv.DictReader(io.StringIO(files[name.replace(".json", ".csv")].decode())))
        assert len(rows) == len(items), name
        assert name.removesuffix(".json") in files["README.txt"].decode()
        if items and name != "activity.json":
            assert list(rows[0]) == list(items[0]), name
    assert [each["email"] for each in told["profile.json"]] == [alice.email]
    assert {each["prompt"] for each in told["requests.json"]} == {f"prompt {word}"}
    assert told["requests.json"][1]["metadata"] == {word: [word]}
    assert len(told["requests.json"]) == 3
    values = {each["key"]: each["value"] for each in told["variables.json"]}
    assert values == {f"K_{word}": word, f"S_{word}": f"****{word[-4:]}"}
    assert told["identities.json"][0]["value"] == alice.email
    assert {each["period"] for each in told["sums.json"]} == {"all", "day", "hour"}
    assert told["conversations.json"][0]["sessionId"] == f"session {word}"
    assert [each["key"] for each in told["request-names.json"]] == [f"{word}-1"]
    assert "account.exported" in {each["action"] for each in told["activity.json"]}
    whole = b"".join(files.values())
    assert other.encode() not in whole
    assert bob.email.encode() not in whole
    for secret in (f"secret-{word}", alice.key, alice.cookie, alice.key.split("_")[2][8:]):
        assert secret.encode() not in whole
    assert b'"note"' not in whole


async def test_what_has_ended_is_told_as_ended_and_grants_as_used_by_now(service: Site, alice: Person) -> None:
    database, owner = service.application.backend.database, service.owner
    await exceptions.override(database, alice.id, {"monthly_requests": 1}, reason="x", ends_at=None, actor=OPERATOR)
    await exceptions.grant(database, alice.id, "requests", 5, reason="x", expires_at=None, priority=0, actor=OPERATOR)
    for _ in range(3):
        await service.call("POST", "/api/chat/track", by=alice.by_key, says={"prompt": "x"})
    told = await taken(service, alice)
    assert [(each["amount"], each["burned"]) for each in msgspec.json.decode(told["grants.json"])] == [(5, 2)]
    ended_at = await owner.fetchval(
        "UPDATE plan_overrides SET ends_at = tk_now() WHERE user_id = $1 RETURNING ends_at", alice.id
    )
    await owner.execute("UPDATE usage SET terms_due_at = $2, due_at = $2 WHERE user_id = $1", alice.id, ended_at)
    told = await taken(service, alice)
    assert [each["monthlyRequests"] for each in msgspec.json.decode(told["usage.json"])] != [1]
    assert [each["endedAt"] for each in msgspec.json.decode(told["overrides.json"])] == [instant(ended_at)]


async def test_every_table_of_a_users_is_in_a_file_or_there_is_a_reason(service: Site) -> None:
    tables = await service.owner.fetch(
        "SELECT c.relname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid WHERE a.attname = 'user_id' "
        "AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
    )
    known = statements()
    told = " ".join(known[part.statement].sql for part in PARTS)
    missing = {name for (name,) in tables if f"FROM {name} AS" not in told and name not in WITHIN}
    assert not missing
    for part in PARTS:
        assert part.statement.startswith("takeout_")
        assert "*" not in known[part.statement].sql
        columns = known[part.statement].sql.partition("FROM")[0]
        assert not {each for each in SECRET if f".{each}," in columns or f".{each}\n" in columns}, part.name


async def test_a_long_history_comes_whole(service: Site, alice: Person) -> None:
    for _ in range(120):
        await service.start(alice, prompt="=1+1 " + "x" * 2000)
    files = await taken(service, alice)
    assert len(msgspec.json.decode(files["requests.json"])) == 120
    rows = list(csv.DictReader(io.StringIO(files["requests.csv"].decode())))
    assert {row["prompt"][:6] for row in rows} == {"'=1+1 "}


async def test_it_is_for_a_person_who_signed_in_just_now(service: Site, alice: Person) -> None:
    assert (await service.call("GET", "/api/account/export", by=alice.by_key)).is_problem(403, "not-allowed")
    old = "UPDATE sessions SET created_at = created_at - $2::interval WHERE user_id = $1"
    await service.owner.execute(old, alice.id, timedelta(minutes=16))
    await asyncio.sleep(0.9)
    heard: Any = await service.call("GET", "/api/account/export", by=alice.by_cookie)
    assert heard.is_problem(403, "sign-in-again")


@pytest.mark.parametrize("query", ["format=csv", "user=x"])
async def test_it_takes_no_words(service: Site, alice: Person, query: str) -> None:
    heard = await service.call("GET", f"/api/account/export?{query}", by=alice.by_cookie)
    assert heard.is_problem(422, "invalid")
