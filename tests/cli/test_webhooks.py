"""``tollkeeper webhook``: everything that operators do with webhooks, beside a service that sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from standardwebhooks import Webhook

from tests.cli.conftest import Told, Tollkeeper
from tests.receivers import Receiver, receiving
from tests.webhooks.making import tell


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


class Operator:
    """Somebody at the command line, who may send to this machine. The running service may not, and sends nothing."""

    def __init__(self, tollkeeper: Tollkeeper) -> None:
        self._tollkeeper = tollkeeper

    async def says(self, *words: object) -> Told:
        """Say it while the receiver answers."""
        run, home = self._tollkeeper.run, {"TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32"}
        done = await asyncio.to_thread(lambda: run("webhook", *words, **home))
        return Told(done.returncode, done.stdout, done.stderr)

    async def json(self, *words: object) -> Any:
        """Say it and read the one document."""
        said = await self.says(*words, "--json")
        assert said.code == 0, said
        return msgspec.json.decode(said.out)


@pytest.fixture
def operator(tollkeeper: Tollkeeper) -> Operator:
    return Operator(tollkeeper)


async def test_an_endpoint_is_added_tested_rotated_and_removed(operator: Operator, receiver: Receiver) -> None:
    made = await operator.json("add", receiver.url, "--kind", "plan.changed")
    assert (made["url"], made["kinds"], made["isActive"]) == (receiver.url, ["plan.changed"], True)
    secret = (await operator.says("secret", made["id"])).out.strip()
    assert secret == made["secret"]
    tested = await operator.json("test", made["id"])
    assert (tested["isDelivered"], tested["status"]) == (True, 204)
    assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)["type"] == "webhook.test"
    receiver.mood = "status 500"
    failed = await operator.says("test", made["id"])
    assert (failed.code, failed.out.startswith("status 500, after")) == (1, True)
    rotated = await operator.says("rotate", made["id"])
    assert rotated.out.startswith("whsec_")
    assert rotated.out.strip() != secret
    assert "signs along until" in rotated.err
    listed = await operator.says("list")
    assert receiver.url in listed.out
    assert "whsec_" not in listed.out
    assert await operator.json("remove", made["id"]) == {"id": made["id"], "removed": True}
    gone = await operator.says("test", made["id"])
    assert (gone.code, gone.err) == (1, "tollkeeper: no such webhook endpoint\n")


async def test_deliveries_are_listed_and_replayed(
    operator: Operator, as_owner: Any, a_user: Callable[[str], str], receiver: Receiver
) -> None:
    email = a_user("webhooks")
    user_id = await as_owner.fetchval("SELECT user_id FROM user_identities WHERE value = $1", email)
    made = await operator.json("add", receiver.url)
    await tell(as_owner, user_id, count=3)
    first = await operator.json("deliveries", made["id"], "--limit", 2)
    rest = await operator.json("deliveries", made["id"], "--after", first["nextAfter"])
    items = first["items"] + rest["items"]
    assert (len({each["id"] for each in items}), rest["nextAfter"]) == (3, None)
    assert {each["email"] for each in items} == {email}
    await as_owner.execute("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, tries = 10")
    assert (await operator.json("replay", made["id"], items[0]["id"]))["replayed"] == 1
    assert (await operator.json("replay", made["id"], "--since", "2020-01-01"))["replayed"] == 2
    assert not (await operator.json("deliveries", made["id"], "--state", "failed"))["items"]
    for words in (["replay", made["id"]], ["replay", made["id"], "x", "--since", "2020-01-01"]):
        assert (await operator.says(*words)).code == 2
    assert await operator.json("remove", made["id"])


def test_what_is_not_allowed_is_said_on_one_line(told: Callable[..., Told]) -> None:
    refused = told("webhook", "add", "http://127.0.0.1:9000/")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "tollkeeper: URL: 127.0.0.1 leads to 127.0.0.1, which is not on the public Internet\n"
    assert told("webhook", "remove", uuid4()).code == 1
    assert told("webhook", "remove", "x").code == 2
