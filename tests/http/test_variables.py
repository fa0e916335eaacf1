"""/api/user/variables over HTTP; what may be kept is told by the tests of accounts."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Person, Site

PATH = "/api/user/variables"
SECRET = {"key": "OPENAI_KEY", "value": "sk-example-1234", "type": "secret", "description": "for the demo"}


async def test_a_variable_is_created_updated_shown_and_deleted(service: Site, alice: Person) -> None:
    made = await service.call("POST", PATH, by=alice.by_key, says={"key": "THEME", "value": "dark"})
    assert (made.status, made.json["variable"]["type"]) == (201, "string")
    again = await service.call("POST", PATH, by=alice.by_key, says={"key": "THEME", "value": "light"})
    assert (again.status, again.json["variable"]["value"]) == (200, "light")
    listed = (await service.call("GET", PATH, by=alice.by_key)).json
    assert listed["success"] is True
    assert [list(each) for each in listed["variables"]] == [
        ["key", "value", "type", "description", "createdAt", "updatedAt"]
    ]
    gone = await service.call("DELETE", f"{PATH}/THEME", by=alice.by_key)
    assert (gone.status, gone.json) == (200, {"success": True})
    assert (await service.call("DELETE", f"{PATH}/THEME", by=alice.by_key)).is_problem(404, "not-found")
    assert (await service.call("GET", f"{PATH}/THEME", by=alice.by_key)).is_problem(404, "not-found")


async def test_a_secret_is_masked_until_its_owner_asks(service: Site, alice: Person) -> None:
    made = await service.call("POST", PATH, by=alice.by_key, says=SECRET)
    assert made.json["variable"]["value"] == "****1234"
    for path in (PATH, f"{PATH}/OPENAI_KEY", f"{PATH}/OPENAI_KEY?reveal=false"):
        heard = await service.call("GET", path, by=alice.by_key)
        assert b"sk-example" not in heard.body
    for by in (alice.by_key, alice.by_cookie):
        heard = await service.call("GET", f"{PATH}/OPENAI_KEY?reveal=true", by=by)
        assert heard.json["variable"]["value"] == "sk-example-1234"
        assert heard.headers["Cache-Control"] == "no-store"
    never = await service.call("GET", f"{PATH}/OPENAI_KEY?reveal=true", by=service.as_service(alice.email))
    assert never.is_problem(403, "not-allowed")
    ana = await service.person(scopes=["variables:read", "variables:write"])
    await service.call("POST", PATH, by=ana.by_key, says=SECRET)
    assert (await service.call("GET", f"{PATH}/OPENAI_KEY?reveal=true", by=ana.by_key)).is_problem(403, "not-allowed")


async def test_several_are_put_by_name_or_in_full_all_or_none(service: Site, alice: Person) -> None:
    by_name = await service.call(
        "PUT", PATH, by=alice.by_key, says={"variables": {"A": "1", "B": 2, "C": {"d": [1.5]}}}
    )
    assert [(each["key"], each["value"], each["type"]) for each in by_name.json["variables"]] == [
        ("A", "1", "string"),
        ("B", 2, "number"),
        ("C", {"d": [1.5]}, "json"),
    ]
    full = [{"key": "D", "value": True}, {"key": "E", "value": "x", "type": "secret", "description": None}]
    assert (await service.call("PUT", PATH, by=alice.by_key, says={"variables": full})).status == 200
    before = await service.rows()
    bad = [{"key": "F", "value": "fine"}, {"key": "1bad", "value": "x"}, {"key": "G", "value": "x", "type": "number"}]
    heard = await service.call("PUT", PATH, by=alice.by_key, says={"variables": bad})
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {"variables[1].key", "variables[2].value"}
    named = await service.call("PUT", PATH, by=alice.by_key, says={"variables": {"H": "fine", "1bad": "x"}})
    assert named.faulty == {"variables.1bad"}
    assert await service.rows() == before


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"key", "value"}),
        ({"key": "K"}, {"value"}),
        ({"key": 5, "value": "x"}, {"key"}),
        ({"key": "K", "value": "x", "type": "file"}, {"type"}),
        ({"key": "K", "value": "x", "userId": "other"}, {"userId"}),
        ({"key": "K", "value": "x" * 65_537}, {"value"}),
        ({"key": "a" * 129, "value": "x"}, {"key"}),
        ({"key": "a b", "value": "x"}, {"key"}),
        ({"key": "K", "value": "x", "description": "d" * 2001}, {"description"}),
        ({"key": "K", "value": None, "type": "string"}, {"value"}),
    ],
)
async def test_a_faulty_variable_is_422_and_named(
    service: Site, alice: Person, says: dict[str, Any], faulty: set[str]
) -> None:
    heard = await service.call("POST", PATH, by=alice.by_key, says=says)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty


@pytest.mark.parametrize(
    "says", [{"variables": "x"}, {"variables": [1]}, {"variables": [{"key": "K"}]}, {"variables": None}, {}, []]
)
async def test_a_faulty_set_is_422(service: Site, alice: Person, says: Any) -> None:
    heard = await service.call("PUT", PATH, by=alice.by_key, says=says)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty


async def test_a_user_keeps_at_most_200(service: Site, alice: Person) -> None:
    says = {"variables": {f"K{n}": "v" for n in range(200)}}
    assert (await service.call("PUT", PATH, by=alice.by_key, says=says)).status == 200
    heard = await service.call("POST", PATH, by=alice.by_key, says={"key": "ONE_MORE", "value": "v"})
    assert heard.is_problem(409, "contradiction")


async def test_numbers_keep_their_digits(service: Site, alice: Person) -> None:
    raw = b'{"key": "N", "value": 12345678901234567890.10}'
    heard = await service.call("POST", PATH, by=alice.by_key, raw=raw)
    assert b'"value":12345678901234567890.10' in heard.body


@pytest.mark.parametrize("value", [b"1e400", b'{"a": [-1e400]}', b'"1e400", "type": "number"'])
async def test_a_number_that_others_would_read_as_infinite_is_refused(
    service: Site, alice: Person, value: bytes
) -> None:
    heard = await service.call("POST", PATH, by=alice.by_key, raw=b'{"key": "BEYOND", "value": ' + value + b"}")
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {"value"}


async def test_revealing_asks_a_person_for_a_recent_sign_in_and_a_key_for_its_scope(service: Site) -> None:
    ana = await service.person()
    await service.call("POST", PATH, by=ana.by_key, says=SECRET)
    await service.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '16 minutes' WHERE user_id = $1", ana.id
    )
    for path in (f"{PATH}/OPENAI_KEY?reveal=true", f"{PATH}?format=env&reveal=true"):
        assert (await service.call("GET", path, by=ana.by_cookie)).is_problem(403, "sign-in-again")
        assert (await service.call("GET", path, by=ana.by_key)).status == 200
        assert (await service.call("GET", path, by=service.as_service(ana.email))).is_problem(403, "not-allowed")
    assert (await service.call("GET", f"{PATH}?format=env", by=ana.by_cookie)).status == 200


async def test_variables_come_as_a_file_and_go_back_as_one(service: Site, alice: Person) -> None:
    by = alice.by_key
    kept = {"A": "two words", "N": 5, "FLAG": True, "J": {"a": [1, "it's"]}}
    await service.call("PUT", PATH, by=by, says={"variables": kept})
    await service.call("POST", PATH, by=by, says=SECRET)
    masked = await service.call("GET", f"{PATH}?format=env", by=by)
    assert masked.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert masked.headers["Content-Disposition"] == 'attachment; filename="tollkeeper.env"'
    assert b"# for the demo\n# OPENAI_KEY=****1234 " in masked.body
    assert b"sk-example" not in masked.body
    whole = await service.call("GET", f"{PATH}?format=env&reveal=true", by=by)
    assert b"\nOPENAI_KEY=sk-example-1234\n" in whole.body
    before = (await service.call("GET", PATH, by=by)).json["variables"]
    as_text = by | {"Content-Type": "text/plain; charset=utf-8"}
    for file in (masked, whole):
        assert (await service.call("PUT", PATH, by=as_text, raw=file.body)).status == 200
        after = (await service.call("GET", PATH, by=by)).json["variables"]
        assert [each | {"updatedAt": 0} for each in after] == [each | {"updatedAt": 0} for each in before]
    noted = await service.owner.fetchval(
        "SELECT detail::text FROM activity WHERE user_id = $1 AND action = 'variables.revealed'", alice.id
    )
    assert noted == '{"keys": ["OPENAI_KEY"]}'


async def test_a_faulty_file_changes_nothing_and_names_its_lines_but_no_value(service: Site, alice: Person) -> None:
    await service.call("POST", PATH, by=alice.by_key, says={"key": "N", "value": 5})
    before = await service.rows()
    as_text = alice.by_key | {"Content-Type": "text/plain"}
    for raw, lines in (
        (b"GOOD=1\n1BAD=canary\n\nN=canary\nGOOD=2\n", {"line 2", "line 4", "line 5"}),
        (b"GOOD=1\ncanary\n", {"line 2"}),
        (b"GOOD='canary\n", {"line 1"}),
        (b"GOOD=" + b"canary" * 20_000, {"line 1"}),
        (b"\n".join(b"K%d=canary" % n for n in range(201)), {"variables"}),
    ):
        heard = await service.call("PUT", PATH, by=as_text, raw=raw)
        assert heard.is_problem(422, "invalid"), heard.body
        assert heard.faulty == lines
        assert b"canary" not in heard.body
    assert (await service.call("PUT", PATH, by=as_text, raw=b"A=\xff")).is_problem(400, "not-understood")
    assert (await service.call("PUT", PATH, by=as_text, raw=b'{"variables": {}}')).status == 415
    assert await service.rows() == before
    assert (await service.call("GET", f"{PATH}?reveal=true", by=alice.by_key)).faulty == {"reveal"}


async def test_a_page_may_send_json_as_the_text_that_its_browser_takes_it_for(service: Site, alice: Person) -> None:
    by = alice.by_cookie | {"Content-Type": "text/plain;charset=UTF-8"}
    assert (await service.call("PUT", PATH, by=by, raw=b' {"variables": {"A": "json"}}')).status == 200
    assert (await service.call("PUT", PATH, by=by, raw=b"B=file\n")).status == 200
    found = (await service.call("GET", PATH, by=by)).json["variables"]
    assert {each["key"]: each["value"] for each in found} == {"A": "json", "B": "file"}
