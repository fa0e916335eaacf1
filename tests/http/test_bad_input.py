"""Whatever comes: a clear refusal that names the field, never a 500, and nothing half-done."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tollkeeper.errors import Invalid
from tollkeeper.http.accounts.variables import PutVariable
from tollkeeper.http.shapes import Said, shaped
from tollkeeper.http.tracking.batch_wire import BatchItem
from tollkeeper.http.tracking.wire import FinishTracking, StartTracking

from .conftest import Person, Site

ROUTES = {
    "start": ("POST", "/api/chat/track", StartTracking, {"prompt": "x"}),
    "finish": ("PUT", "/api/chat/track", FinishTracking, {"requestId": "r", "status": "completed"}),
    "variable": ("POST", "/api/user/variables", PutVariable, {"key": "K", "value": "v"}),
}
TEXTS: dict[str, str] = {
    "U+0000": r'"a\u0000b"',
    "a lone high surrogate": r'"\ud800"',
    "a lone low surrogate": r'"x\udfff"',
    "surrogates in the wrong order": r'"\udc00\ud83d"',
}
NUMBERS = [
    "-1",
    "-0",
    "-0.0",
    "1.0",
    "1e3",
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    '"12"',
    "true",
    "[]",
    "{}",
    str(2**63),
    str(10**12 + 1),
    "9" * 5000,
]
# A duration may have a fraction, and a cost too.
FRACTIONS = {"duration": {"1.0", "1e3"}, "cost": {"1.0", "1e3"}}


def fields(shape: type[Said], *kinds: type) -> Iterator[str]:
    """Names of a body's fields whose type says one of these kinds."""
    for field in msgspec.structs.fields(shape):
        if any(kind.__name__ in str(field.type) for kind in kinds):
            yield field.encode_name


def body(says: dict[str, Any], field: str, literal: str) -> bytes:
    """Write a body in which one field is a literal of JSON, or of what only looks like it."""
    whole = json.dumps({name: value for name, value in says.items() if name != field} | {field: "@@"})
    return whole.replace('"@@"', literal).encode()


@pytest.fixture
async def rows(service: Site, alice: Person) -> Any:
    """Nothing may be there afterwards that was not there before."""
    assert alice, "is made before, for she has rows herself"
    before = await service.rows()
    yield before
    assert await service.rows() == before


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("why", TEXTS)
@pytest.mark.usefixtures("rows")
async def test_text_that_cannot_be_kept_is_refused_in_every_field(
    service: Site, alice: Person, route: str, why: str
) -> None:
    method, path, shape, says = ROUTES[route]
    for field in (*fields(shape, str), "unknownField"):
        heard = await service.call(method, path, by=alice.by_key, raw=body(says, field, TEXTS[why]))
        assert heard.is_problem(422, "invalid"), (field, heard.body)
        assert field in heard.faulty


@pytest.mark.parametrize("literal", NUMBERS, ids=lambda literal: literal[:12])
@pytest.mark.usefixtures("rows")
async def test_what_is_no_plain_number_is_refused_in_every_number(service: Site, alice: Person, literal: str) -> None:
    for method, path, shape, says in ROUTES.values():
        for field in fields(shape, int):
            if literal in FRACTIONS.get(field, ()) or (field == "userRating" and literal == "null"):
                continue
            heard = await service.call(method, path, by=alice.by_key, raw=body(says, field, literal))
            assert heard.is_problem(422, "invalid"), (field, heard.body)
            assert field in heard.faulty, (field, heard.body)


@pytest.mark.parametrize("literal", ["12", "true", "[]", '{"a": 1}', "1.5"])
@pytest.mark.usefixtures("rows")
async def test_what_is_no_text_is_refused_in_every_text(service: Site, alice: Person, literal: str) -> None:
    for method, path, shape, says in (ROUTES["start"], ROUTES["finish"]):
        for field in fields(shape, str):
            if field == "metadata":
                continue
            heard = await service.call(method, path, by=alice.by_key, raw=body(says, field, literal))
            assert heard.is_problem(422, "invalid"), (field, heard.body)
            assert field in heard.faulty


@pytest.mark.parametrize(
    ("field", "length", "fits"),
    [
        ("prompt", 2**20, True),
        ("prompt", 2**20 + 1, False),
        ("sessionId", 200, True),
        ("sessionId", 201, False),
        ("sessionId", 0, False),
        ("model", 201, False),
        ("requestType", 201, False),
        ("category", 201, False),
    ],
)
async def test_texts_of_a_start_have_bounds(
    service: Site, alice: Person, field: str, length: int, *, fits: bool
) -> None:
    says = {"prompt": "x"} | {field: "a" * length}
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, says=says)
    assert heard.status == 201 if fits else (heard.is_problem(422, "invalid") and heard.faulty == {field})


@pytest.mark.usefixtures("rows")
async def test_bounds_of_long_texts_are_bytes_of_utf8(service: Site, alice: Person) -> None:
    told = [{"field": "prompt", "message": "must have at most 1,048,576 bytes of UTF-8"}]
    for prompt in ("a" * (2**20 + 1), "é" * (2**19 + 1)):
        heard = await service.call("POST", "/api/chat/track", by=alice.by_key, says={"prompt": prompt})
        assert heard.is_problem(422, "invalid")
        assert heard.json["errors"] == told
    says = {"requestId": "r", "status": "failed", "response": "é" * (2**19 + 1), "errorMessage": "é" * (2**13 + 1)}
    heard = await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)
    assert heard.faulty == {"response", "errorMessage"}


@pytest.mark.parametrize(
    ("metadata", "faulty"),
    [
        ('{"a": "%s"}' % ("x" * 2**14), "metadata"),
        ('{"a": 1e400}', "metadata.a"),
        (json.dumps({"a": [1e300] * 60}), "metadata"),
        (json.dumps({"a": [-1e-300] * 60}), "metadata"),
        ('{"a": [1, 18446744073709551616]}', "metadata.a[1]"),
        ('{"a": {"b": -0}}', "metadata.a.b"),
        ('{"a": {"b": 1, "b": 2}}', "metadata.a.b"),
        (r'{"a\u0000": 1}', "metadata.a\\0"),
        (r'{"\ud800": 1}', "metadata.\\ud800"),
        ('{"a": [NaN]}', "metadata.a[0]"),
        ("[]", "metadata"),
        ('"text"', "metadata"),
    ],
)
@pytest.mark.usefixtures("rows")
async def test_metadata_is_looked_through(service: Site, alice: Person, metadata: str, faulty: str) -> None:
    raw = body({"prompt": "x"}, "metadata", metadata)
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, raw=raw)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {faulty}


@pytest.mark.parametrize(
    ("raw", "faulty"),
    [
        (b'{"prompt": "a", "prompt": "b"}', {"prompt"}),
        (b'{"prompt": "a", "userId": 1, "plan": "pro", "used": 0}', {"userId", "plan", "used"}),
        (b"[]", {"body"}),
        (b'"text"', {"body"}),
        (b"1", {"body"}),
        (b"null", {"body"}),
        (b"{}", {"prompt"}),
        (b'{"prompt": null}', {"prompt"}),
        (
            b'{"prompt": "x", "maxTokens": -1, "complexity": "extreme", "model": 5}',
            {"maxTokens", "complexity", "model"},
        ),
        (b'{"prompt": "x", "requestId": 5, "metadata": {"a": 1e400}}', {"requestId", "metadata.a"}),
    ],
)
@pytest.mark.usefixtures("rows")
async def test_every_faulty_field_is_named(service: Site, alice: Person, raw: bytes, faulty: set[str]) -> None:
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, raw=raw)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == faulty


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"prompt": "x"}}',
        b'{"prompt": "x",}',
        b"{'prompt': 'x'}",
        b'\xef\xbb\xbf{"prompt": "x"}',
        '{"prompt": "x"}'.encode("utf-16"),
        b'{"prompt": "\xff"}',
        b'{"prompt": "\xc0\x80"}',
        b'{"prompt": "\xed\xa0\x80"}',
        b'{"prompt": "a\x00b"}',
        b'{"prompt": "tab\there"}',
        b'{"prompt": 01}',
        b'{"prompt": +1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"prompt": "x", "metadata": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        b"{" + b",".join(b'"k%d": 1' % n for n in range(1001)) + b"}",
        b'{"prompt": "x", "metadata": {' + b",".join(b'"k%d": {"a": 1}' % n for n in range(600)) + b"}}",
    ],
    ids=lambda raw: repr(raw[:24]),
)
@pytest.mark.usefixtures("rows")
async def test_what_is_not_json_or_too_deep_or_too_wide_is_400(service: Site, alice: Person, raw: bytes) -> None:
    began = time.process_time()
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, raw=raw)
    assert heard.is_problem(400, "not-understood"), heard.body
    assert time.process_time() - began < 0.5


async def test_of_a_field_that_cannot_be_its_name_stands_beside_what_is_said_of_it(
    service: Site, alice: Person
) -> None:
    says = {"prompt": "x", "requestId": "01890a5d-ac96-774b-bcce-b302099a8057"}
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, says=says)
    message = "must not be shaped like a UUID, those are ours"
    assert (heard.status, heard.json["detail"]) == (400, f"requestId: {message}")
    assert heard.json["errors"] == [{"field": "requestId", "message": message}]


async def test_32_levels_and_1000_keys_are_read(service: Site, alice: Person) -> None:
    metadata: Any = 1
    for _ in range(31):
        metadata = {"a": metadata}
    await service.start(alice, metadata=metadata)
    await service.start(alice, metadata={f"k{n}": n for n in range(900)})


@pytest.mark.parametrize(
    "raw",
    [
        b'{"prompt": [' + b"1," * 10**6 + b"1]}",
        b'{"prompt": [' + b"-0," * 10**6 + b"1]}",
        b'{"prompt": [' + b"[]," * 10**6 + b"1]}",
        b"{" + b",".join(b'"%d": 1' % n for n in range(10**5)) + b"}",
    ],
    ids=["ones", "minus zeros", "lists", "keys"],
)
async def test_a_million_values_are_refused_for_little_more_than_reading_them(
    service: Site, alice: Person, raw: bytes
) -> None:
    refused: list[float] = []
    read: list[float] = []
    # In turn and more than once: whatever else this process does disturbs some of them, and not the least.
    for _ in range(3):
        began = time.process_time()
        heard = await service.call("POST", "/api/chat/track", by=alice.by_key, raw=raw)
        refused.append(time.process_time() - began)
        assert heard.status in {400, 422}
        began = time.process_time()
        json.loads(raw)
        read.append(time.process_time() - began)
    # Seen is 2. Looking closely at each value would take 50 times as long as reading it.
    assert min(refused) < 12 * min(read)


def test_a_shape_is_looked_at_once_however_many_faulty_bodies_come(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[type] = []
    look = msgspec.structs.fields

    def looked(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
        looks.append(shape)
        return look(shape)

    monkeypatch.setattr(msgspec.structs, "fields", looked)
    for _ in range(3):
        for body in ({}, {"user": 1}, {"usr": "a@b.c"}):
            with pytest.raises(Invalid):
                shaped(body, BatchItem)
    assert len(looks) == len(set(looks))


async def test_a_body_above_8_mib_is_413_at_once(service: Site, alice: Person) -> None:
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key, raw=b" " * (8 * 2**20 + 1))
    assert heard.is_problem(413, "too-large")
    whole = await service.call(
        "POST", "/api/chat/track", by=alice.by_key, raw=b'{"prompt": "x"}' + b" " * (8 * 2**20 - 15)
    )
    assert whole.status == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "application/json; charset=UTF-8"}, 201),
        ({"Content-Type": "Application/JSON"}, 201),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": "identity"}, 201),
    ],
)
async def test_only_plain_json_is_read_from_keys(
    service: Site, alice: Person, headers: dict[str, str], status: int
) -> None:
    raw = b'{"prompt": "x"}'
    if headers.get("Content-Encoding") == "gzip":
        raw = gzip.compress(raw)
    heard = await service.call("POST", "/api/chat/track", by=alice.by_key | headers, raw=raw)
    assert heard.status == 201 if status == 201 else heard.is_problem(415, "unsupported-media-type")


async def test_from_a_page_any_content_type_is_read(service: Site, alice: Person) -> None:
    by = alice.by_cookie | {"Content-Type": "text/plain;charset=UTF-8"}
    heard = await service.call("POST", "/api/chat/track", by=by, raw=b'{"prompt": "x"}')
    assert heard.status == 201
