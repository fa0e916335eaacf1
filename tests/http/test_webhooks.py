"""Webhooks for operators: endpoints, their secrets, a test at once, deliveries and replays."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from tests.conftest import Server
from tests.receivers import Receiver, receiving
from tests.webhooks.making import tell
from tollkeeper.settings import Settings
from tollkeeper.webhooks.delivering import Messenger

from .conftest import Person, Site, a_site

PATH = "/api/admin/webhooks"


@pytest.fixture(scope="module")
async def service(server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """The service, which may send to this machine."""
    data = str(tmp_path_factory.mktemp("data"))
    settings = Settings(port=0, data=data, database_connections=4, webhook_allow_networks=("127.0.0.1/32",))
    async with a_site(server, settings) as site:
        yield site


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


@pytest.fixture
async def made(service: Site, operator: Person, receiver: Receiver) -> AsyncGenerator[Any]:
    heard = await service.call("POST", PATH, by=operator.by_cookie, says={"url": receiver.url, "description": "shop"})
    assert heard.status == 201, heard.body
    yield heard.json
    await service.call("DELETE", f"{PATH}/{heard.json['webhook']['id']}", by=operator.by_cookie)


async def deliver(service: Site) -> None:
    backend = service.application.backend
    async with Messenger(backend.database, backend.webhooks) as messenger:
        await messenger.look()
        await messenger.idle()


async def test_an_endpoint_is_added_shown_changed_and_removed(
    service: Site, operator: Person, receiver: Receiver, made: Any
) -> None:
    one = f"{PATH}/{made['webhook']['id']}"
    shown = (await service.call("GET", one, by=operator.by_cookie)).json["webhook"]
    assert shown == made["webhook"]
    assert (shown["url"], shown["kinds"], shown["isActive"], shown["waiting"]) == (receiver.url, [], True, 0)
    says = {"kinds": ["spend.unusual", "plan.changed"], "description": "", "isActive": False}
    changed = (await service.call("PATCH", one, by=operator.by_cookie, says=says)).json["webhook"]
    assert (changed["kinds"], changed["description"]) == (["plan.changed", "spend.unusual"], "")
    assert (changed["isActive"], changed["disabledFor"]) == (False, "operator")
    listed = (await service.call("GET", PATH, by=operator.by_cookie)).json["items"]
    assert changed in listed
    assert (await service.call("DELETE", one, by=operator.by_cookie)).status == 200
    for method, path in (("GET", one), ("DELETE", one), ("POST", one + "/test"), ("GET", one + "/deliveries")):
        assert (await service.call(method, path, by=operator.by_cookie)).is_problem(404, "not-found")


async def test_the_secret_is_shown_when_made_and_on_demand_and_never_in_lists(
    service: Site, operator: Person, made: Any
) -> None:
    one = f"{PATH}/{made['webhook']['id']}"
    assert (await service.call("GET", one + "/secret", by=operator.by_cookie)).json["secret"] == made["secret"]
    rotated = (await service.call("POST", one + "/rotate", by=operator.by_cookie)).json
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["oldSecretUntil"] > rotated["webhook"]["rotatedAt"]
    for path in (PATH, one):
        heard = await service.call("GET", path, by=operator.by_cookie)
        assert b"whsec_" not in heard.body


async def test_what_matters_asks_for_a_recent_sign_in(
    service: Site, operator: Person, receiver: Receiver, made: Any
) -> None:
    one = f"{PATH}/{made['webhook']['id']}"
    cookie = await service.signed_in(operator.id)
    by = operator.by_cookie | {"Cookie": f"__Host-tollkeeper={cookie}"}
    await service.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '16 minutes' WHERE user_id = $1", operator.id
    )
    for method, path, says in (
        ("POST", PATH, {"url": receiver.url}),
        ("PATCH", one, {"url": receiver.url}),
        ("POST", one + "/rotate", None),
        ("GET", one + "/secret", None),
    ):
        heard = await service.call(method, path, by=by, says=says)
        assert heard.is_problem(403, "sign-in-again"), path
    assert (await service.call("POST", one + "/test", by=by)).status == 200


async def test_a_test_answers_what_came_back(service: Site, operator: Person, receiver: Receiver, made: Any) -> None:
    path = f"{PATH}/{made['webhook']['id']}/test"
    heard = (await service.call("POST", path, by=operator.by_cookie)).json
    assert (heard["isDelivered"], heard["status"], heard["error"]) == (True, 204, None)
    said = Webhook(made["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)
    assert said["type"] == "webhook.test"
    receiver.mood = "redirect 302"
    heard = (await service.call("POST", path, by=operator.by_cookie)).json
    assert (heard["isDelivered"], heard["status"]) == (False, 302)


async def test_deliveries_are_paged_filtered_and_replayed(
    service: Site, operator: Person, alice: Person, receiver: Receiver, made: Any
) -> None:
    one = f"{PATH}/{made['webhook']['id']}"
    names = await tell(service.owner, alice.id, count=5)
    receiver.mood = "status 500"
    await deliver(service)
    page = (await service.call("GET", one + "/deliveries?limit=3", by=operator.by_cookie)).json
    rest = (await service.call("GET", f"{one}/deliveries?cursor={page['nextCursor']}", by=operator.by_cookie)).json
    items = page["items"] + rest["items"]
    assert rest["nextCursor"] is None
    assert {each["messageId"] for each in items} == set(names)
    assert {(each["state"], each["email"], each["kind"]) for each in items} == {
        ("waiting", alice.email, "limit.threshold")
    }
    tried = [each for each in items if each["attempts"]]
    assert tried
    assert {attempt["status"] for each in tried for attempt in each["attempts"]} == {500}
    receiver.mood = "well"
    replay = f"{one}/deliveries/{tried[0]['id']}/replay"
    assert (await service.call("POST", replay, by=operator.by_cookie)).json["replayed"] == 1
    await service.owner.execute(
        "UPDATE webhook_deliveries SET state = 'failed', due_at = NULL WHERE encode(uuid_send(event_id), 'hex') <> $1",
        tried[0]["id"].partition("-")[2],
    )
    await deliver(service)
    assert receiver.ids[tried[0]["messageId"]] == 2
    failed = (await service.call("GET", one + "/deliveries?state=failed", by=operator.by_cookie)).json["items"]
    assert len(failed) == 4
    shown = (await service.call("GET", one, by=operator.by_cookie)).json["webhook"]
    assert (shown["waiting"], shown["failed"]) == (0, 4)
    for at in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        odd = await service.call("POST", one + "/replay", by=operator.by_cookie, says={"since": at})
        assert odd.is_problem(422, "invalid")
    says = {"since": "2020-01-01T00:00:00Z"}
    assert (await service.call("POST", one + "/replay", by=operator.by_cookie, says=says)).json["replayed"] == 4
    await deliver(service)
    assert receiver.ids.keys() == set(names)
    assert not (await service.call("GET", one + "/deliveries?state=waiting", by=operator.by_cookie)).json["items"]


@pytest.mark.parametrize(
    ("says", "field"),
    [
        ({}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"url": "https://user@example.com/"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1:22/"}, "url"),
        ({"url": "x" * 2_001}, "url"),
        ({"url": 7}, "url"),
        ({"url": "http://127.0.0.1:9000/\0"}, "url"),
        ({"url": "http://127.0.0.1:9000/", "kinds": ["plan.bought"]}, "kinds[0]"),
        ({"url": "http://127.0.0.1:9000/", "description": "x" * 501}, "description"),
        ({"url": "http://127.0.0.1:9000/", "secret": "mine"}, "secret"),
    ],
)
async def test_what_cannot_be_is_422_and_makes_none(service: Site, operator: Person, says: Any, field: str) -> None:
    before = len((await service.call("GET", PATH, by=operator.by_cookie)).json["items"])
    heard = await service.call("POST", PATH, by=operator.by_cookie, says=says)
    assert heard.status in {400, 422}, heard.body
    assert heard.status == 400 or heard.faulty == {field}
    assert len((await service.call("GET", PATH, by=operator.by_cookie)).json["items"]) == before


async def test_ids_and_queries_that_are_none_are_refused_and_never_500(
    service: Site, operator: Person, made: Any
) -> None:
    one = f"{PATH}/{made['webhook']['id']}"
    for method, path, says, status in (
        ("GET", f"{PATH}/x", None, 400),
        ("GET", f"{PATH}/{uuid4()}", None, 404),
        ("GET", one + "/deliveries?state=lost", None, 422),
        ("GET", one + "/deliveries?cursor=x", None, 422),
        ("GET", one + "/deliveries?limit=0", None, 422),
        ("POST", one + "/deliveries/x/replay", None, 404),
        ("POST", f"{one}/deliveries/{uuid4().hex}-{uuid4().hex}/replay", None, 404),
        ("POST", one + "/replay", {}, 422),
        ("POST", one + "/replay", {"since": "yesterday"}, 422),
        ("POST", one + "/replay", {"since": "2026-01-01T00:00:00"}, 422),
    ):
        heard = await service.call(method, path, by=operator.by_cookie, says=says)
        assert heard.status == status, (path, heard.body)
    await service.call("PATCH", one, by=operator.by_cookie, says={"isActive": False})
    says = {"since": "2026-01-01T00:00:00Z"}
    assert (await service.call("POST", one + "/replay", by=operator.by_cookie, says=says)).is_problem(
        409, "contradiction"
    )


async def test_the_eleventh_is_409(service: Site, operator: Person) -> None:
    made: list[str] = []
    while (
        heard := await service.call("POST", PATH, by=operator.by_cookie, says={"url": "http://127.0.0.1:9000/"})
    ).status == 201:
        made.append(heard.json["webhook"]["id"])
    assert heard.is_problem(409, "contradiction")
    assert len((await service.call("GET", PATH, by=operator.by_cookie)).json["items"]) == 10
    for each in made:
        await service.call("DELETE", f"{PATH}/{each}", by=operator.by_cookie)
