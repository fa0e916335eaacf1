"""``tollkeeper webhook``: everything that operators do with webhooks, beside a service that sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from tests.cli.conftest import Told
from tests.receivers import Receiver, receiving
from tests.webhooks.making import tell


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command send to this machine. The running service is not told so, and sends nothing there."""
    monkeypatch.setenv("TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS", "127.0.0.1/32")


@pytest.mark.usefixtures("home")
async def test_an_endpoint_is_added_tested_rotated_and_removed(told: Callable[..., Told], receiver: Receiver) -> None:
    def run(*words: object) -> Told:
        return told("webhook", *words)

    made = (await asyncio.to_thread(run, "add", receiver.url, "--kind", "plan.changed", "--json")).json
    assert (made["url"], made["kinds"], made["isActive"]) == (receiver.url, ["plan.changed"], True)
    secret = (await asyncio.to_thread(run, "secret", made["id"])).out.strip()
    assert secret == made["secret"]
    tested = (await asyncio.to_thread(run, "test", made["id"], "--json")).json
    assert (tested["isDelivered"], tested["status"]) == (True, 204)
    assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)["type"] == "webhook.test"
    receiver.mood = "status 500"
    failed = await asyncio.to_thread(run, "test", made["id"])
    assert (failed.code, failed.out.startswith("status 500, after")) == (1, True)
    rotated = await asyncio.to_thread(run, "rotate", made["id"])
    assert rotated.out.startswith("whsec_")
    assert rotated.out.strip() != secret
    assert "signs along until" in rotated.err
    listed = await asyncio.to_thread(run, "list")
    assert receiver.url in listed.out
    assert "whsec_" not in listed.out
    assert (await asyncio.to_thread(run, "remove", made["id"], "--json")).json == {"id": made["id"], "removed": True}
    gone = await asyncio.to_thread(run, "test", made["id"])
    assert (gone.code, gone.err) == (1, "tollkeeper: no such webhook endpoint\n")


@pytest.mark.usefixtures("home")
async def test_deliveries_are_listed_and_replayed(
    told: Callable[..., Told], as_owner: Any, a_user: Callable[[str], str], receiver: Receiver
) -> None:
    def run(*words: object) -> Any:
        return told("webhook", *words, "--json").json

    email = await asyncio.to_thread(a_user, "webhooks")
    user_id = await as_owner.fetchval("SELECT user_id FROM user_identities WHERE value = $1", email)
    made = await asyncio.to_thread(run, "add", receiver.url)
    await tell(as_owner, user_id, count=3)
    first = await asyncio.to_thread(run, "deliveries", made["id"], "--limit", 2)
    rest = await asyncio.to_thread(run, "deliveries", made["id"], "--after", first["nextAfter"])
    items = first["items"] + rest["items"]
    assert (len({each["id"] for each in items}), rest["nextAfter"]) == (3, None)
    assert {each["email"] for each in items} == {email}
    await as_owner.execute("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, tries = 10")
    assert (await asyncio.to_thread(run, "replay", made["id"], items[0]["id"]))["replayed"] == 1
    assert (await asyncio.to_thread(run, "replay", made["id"], "--since", "2020-01-01"))["replayed"] == 2
    assert not (await asyncio.to_thread(run, "deliveries", made["id"], "--state", "failed"))["items"]
    for words in (["replay", made["id"]], ["replay", made["id"], "x", "--since", "2020-01-01"]):
        refused = await asyncio.to_thread(told, "webhook", *words)
        assert refused.code == 2
    await asyncio.to_thread(run, "remove", made["id"])


def test_what_is_not_allowed_is_said_on_one_line(told: Callable[..., Told]) -> None:
    refused = told("webhook", "add", "http://127.0.0.1:9000/")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "tollkeeper: url: 127.0.0.1 leads to 127.0.0.1, which is not on the public Internet\n"
    assert told("webhook", "remove", uuid4()).code == 1
    assert told("webhook", "remove", "x").code == 2
