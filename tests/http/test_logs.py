"""What the log is told of an error: where and what, and nothing that somebody sent."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable, Generator

import msgspec
import pytest

from tollkeeper import logs
from tollkeeper.errors import Invalid, TollkeeperError
from tollkeeper.store.database import StatementFailed

from .sweeping import logged

CANARY = "canary-4711"


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Generator[Callable[[], str]]:
    """Log as the service does; gives what was written so far."""
    stream = io.StringIO()
    handler = logs.handler(request.param, stream)
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream.getvalue
    root.removeHandler(handler)


def from_outside() -> None:
    int(CANARY)


def in_a_chain() -> None:
    try:
        from_outside()
    except ValueError as error:
        raise Invalid.field("name", f"{CANARY} is none") from error


def while_another_is_handled() -> None:
    try:
        in_a_chain()
    except TollkeeperError:
        raise KeyError(CANARY)  # noqa: B904 - what led to it is told too


def in_a_group() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY), RuntimeError(CANARY)])


@pytest.mark.parametrize("fails", [from_outside, in_a_chain, while_another_is_handled, in_a_group])
def test_words_of_others_are_left_out_and_place_and_kind_are_told(
    written: Callable[[], str], fails: Callable[[], None]
) -> None:
    try:
        fails()
    except Exception:
        logging.getLogger("x").exception("something failed")
    told = written()
    assert CANARY not in told
    assert "something failed" in told
    assert "builtins.ValueError" in told
    assert f"in {fails.__name__}" in told
    assert told.count("in from_outside") == (fails is not in_a_group)


def test_our_own_words_and_those_of_the_system_are_told(written: Callable[[], str]) -> None:
    for error in (StatementFailed("permission denied for table x", sqlstate="42501"), OSError(28, CANARY, CANARY)):
        logging.getLogger("x").error("it failed", exc_info=error)
    told = written()
    assert "StatementFailed: permission denied for table x (42501)" in told
    assert "OSError: No space left on device" in told
    assert CANARY not in told


async def test_what_nobody_waits_for_is_told_without_its_words(written: Callable[[], str]) -> None:
    loop = asyncio.get_running_loop()
    failed = loop.create_future()
    failed.set_exception(ValueError(CANARY))
    failed.exception()
    context = {"message": "Task exception was never retrieved", "exception": failed.exception(), "future": failed}
    logs.tell_of_the_unnoticed(loop, context)
    assert "never retrieved" in written()
    assert "builtins.ValueError" in written()
    assert CANARY not in written()


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    handler = logs.handler("json", stream)
    handler.handle(logging.makeLogRecord({"msg": "two\nlines of \udcff", "levelname": "ERROR", "name": "x"}))
    assert msgspec.json.decode(stream.getvalue())["message"] == "two\nlines of \\udcff"
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(("form", "begins"), [("text", ""), ("json", '{"at":"')])
def test_whatever_the_zone_of_a_machine_lines_tell_utc(form: str, begins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        logs.handler(form, stream).handle(logging.makeLogRecord({"msg": "x", "created": 1.25}))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert stream.getvalue().startswith(f"{begins}1970-01-01T00:00:01.250Z")


def test_what_libraries_send_and_hear_is_not_logged_at_any_level() -> None:
    with logged() as log:
        logging.getLogger("httpcore2.http11").debug("receive_response_headers.complete")
        logging.getLogger("asyncio").warning("took long")
        logging.getLogger("tollkeeper.jobs").debug("looked")
    assert [each["message"] for each in map(msgspec.json.decode, log.getvalue().splitlines())] == [
        "took long",
        "looked",
    ]
