"""Headers as few clients send them: read as HTTP says, or refused by their names."""

from __future__ import annotations

import asyncio
import json

import pytest

from .conftest import JSON, Person, Site
from .wires import Wire, request

BODY = b'{"prompt": "x"}'
LENGTH = f"content-length: {len(BODY)}\r\n".encode()
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    ("version", "lines", "sent"),
    [
        ("1.1", b"connection: Upgrade, close\r\n" + LENGTH, BODY),
        ("1.1", b"connection: close, Upgrade\r\n" + LENGTH, BODY),
        ("1.1", b"connection: close\r\nconnection: Upgrade, HTTP2-Settings\r\n" + LENGTH, BODY),
        ("1.1", b"connection: close, Upgrade\r\ntransfer-encoding: chunked\r\n", CHUNKS),
        ("1.0", b"connection: Upgrade\r\n" + LENGTH, BODY),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
async def test_who_offers_another_protocol_and_closes_is_answered(
    wire: Wire, alice: Person, version: str, lines: bytes, sent: bytes, *, is_whole: bool
) -> None:
    key = alice.by_key["Authorization"].encode()
    head = b"POST /api/chat/track HTTP/%b\r\nhost: localhost\r\nupgrade: h2c\r\n" % version.encode()
    head += b"content-type: application/json\r\nauthorization: %b\r\n%b\r\n" % (key, lines)
    for piece in [head + sent] if is_whole else [head, sent[:4], sent[4:]]:
        await wire.say(piece)
        await asyncio.sleep(0.05)
    status, headers, _ = await asyncio.wait_for(wire.hear(), 5)
    assert (status, headers["connection"]) == (201, "close")
    assert await wire.is_closed()


@pytest.mark.parametrize(("before", "after"), [("", " "), ("\t", "\t"), (" \t ", "\t \t")])
async def test_white_space_around_a_value_is_no_part_of_it(
    service: Site, wire: Wire, alice: Person, before: str, after: str
) -> None:
    named = {"idempotency-key": before + "zz1" + after}
    headers = {"content-type": f"application/json{after}", "content-length": str(len(BODY))}
    once = await service.call(
        "POST", "/api/chat/track", by=alice.by_key | {"Idempotency-Key": "zz1"}, says={"prompt": "x"}
    )
    await wire.say(request("POST", "/api/chat/track", alice.by_key | headers | named, BODY))
    status, told, body = await wire.hear()
    assert (status, told["idempotent-replayed"], json.loads(body)["id"]) == (200, "true", once.json["id"])
    by = {"authorization": f"Bearer {service.key}{after}", "tollkeeper-user": before + alice.email + after}
    await wire.say(request("GET", "/api/chat/requests", by))
    status, _, body = await wire.hear()
    assert (status, [each["id"] for each in json.loads(body)["items"]]) == (200, [once.json["id"]])


async def test_chunks_with_white_space_around_their_name_are_refused(wire: Wire, alice: Person) -> None:
    headers = alice.by_key | JSON | {"transfer-encoding": "chunked "}
    await wire.say(request("POST", "/api/chat/track", headers, CHUNKS))
    assert (await wire.hear())[0] == 400
    assert await wire.is_closed()


@pytest.mark.parametrize("value", ["", " ", "\t"])
async def test_an_empty_idempotency_key_is_refused_by_name(wire: Wire, alice: Person, value: str) -> None:
    headers = alice.by_key | {"content-length": str(len(BODY)), "idempotency-key": value}
    await wire.say(request("POST", "/api/chat/track", headers, BODY))
    status, _, body = await wire.hear()
    assert (status, [each["field"] for each in json.loads(body)["errors"]]) == (400, ["Idempotency-Key"])


async def test_a_batch_has_no_idempotency_key(service: Site) -> None:
    by = JSON | {"Authorization": f"Bearer {service.key}"}
    item = {"user": "ada@example.com", "prompt": "x"}
    refused = await service.call("POST", "/api/chat/track/batch", by=by | {"Idempotency-Key": "zz1"}, says=[item])
    assert refused.is_problem(400, "not-understood")
    assert [each["field"] for each in refused.json["errors"]] == ["Idempotency-Key"]
    assert (await service.call("POST", "/api/chat/track/batch", by=by, says=[item])).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:9", 200),
        ("127.8.8.8", 200),
        ("[::1]", 200),
        ("[::1]:8080", 200),
        ("rebind.evil.example", 401),
        ("localhost.evil.example:8080", 401),
        ("127.0.0.1.evil.example", 401),
        ("203.0.113.9", 401),
        ("[2001:db8::1]:8080", 401),
        ("", 401),
    ],
)
async def test_metrics_without_a_key_are_for_who_asks_this_machine_by_its_own_name(
    service: Site, host: str, status: int
) -> None:
    assert (await service.call("GET", "/metrics", by={"Host": host})).status == status
