"""Posting: to the address that was checked, within five seconds, with no redirect; what comes back is thrown away."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
import tracemalloc
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.receivers import Receiver, talking
from tollkeeper.webhooks.guard import Guard
from tollkeeper.webhooks.transport import ALL_SECONDS, Sender

HOME = (ip_network("127.0.0.1/32"),)


def sender(resolve: Any = None, **more: Any) -> Sender:
    given = {} if resolve is None else {"resolve": resolve}
    return Sender(Guard(allowed=HOME, **given), "tollkeeper/test", **more)


async def test_a_message_comes_as_it_was_sent(receiver: Receiver) -> None:
    outcome = await sender().post(receiver.url + "?x=y%20z", b'{"a":1}', {"webhook-id": "evt_1"})
    assert outcome.is_delivered
    (got,) = receiver.got
    assert (got.path, got.body, got.id) == ("/hooks", b'{"a":1}', "evt_1")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["user-agent"] == "tollkeeper/test"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["content-length"] == "7"


async def test_what_is_not_allowed_is_not_connected_to(receiver: Receiver) -> None:
    outcome = await Sender(Guard(), "t").post(receiver.url, b"{}", {})
    assert "not on the public Internet" in (outcome.error or "")
    assert not receiver.got


async def test_a_name_is_connected_to_where_it_was_checked(receiver: Receiver) -> None:
    """The second answer, of which the guard approves as little as the third, is never used for the connection."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
    asked: list[str] = []

    async def resolve(name: str) -> list[str]:
        asked.append(name)
        return next(answers)

    posting = sender(resolve)
    url = f"http://receiver.example:{receiver.port}/hooks"
    assert (await posting.post(url, b"{}", {})).is_delivered
    assert receiver.got[0].headers["host"] == f"receiver.example:{receiver.port}"
    for _ in range(2):
        outcome = await posting.post(url, b"{}", {})
        assert not outcome.is_delivered
        assert "not on the public Internet" in (outcome.error or "")
    assert len(receiver.got) == 1
    assert len(asked) == 3, "each try asks anew, and once"


async def test_of_several_addresses_the_first_that_answers_is_taken(receiver: Receiver) -> None:
    async def resolve(_: str) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    posting = Sender(Guard(allowed=(ip_network("127.0.0.0/8"),), resolve=resolve), "t")
    assert (await posting.post(f"http://two.example:{receiver.port}/", b"{}", {})).is_delivered


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.mood = f"redirect {status}"
    outcome = await sender().post(receiver.url, b"{}", {})
    assert (outcome.is_delivered, outcome.status) == (False, status)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("status", "is_delivered"), [(200, True), (202, True), (299, True), (304, False), (404, False), (500, False)]
)
async def test_only_200_to_299_is_success(receiver: Receiver, status: int, is_delivered: bool) -> None:  # fmt: skip
    receiver.mood = f"status {status}"
    outcome = await sender().post(receiver.url, b"{}", {})
    assert (outcome.status, outcome.is_delivered) == (status, is_delivered)


@pytest.mark.parametrize("mood", ["hang", "drip"])
async def test_five_seconds_are_all_that_a_receiver_gets(receiver: Receiver, mood: str) -> None:
    receiver.mood = mood
    began = time.monotonic()
    outcome = await sender().post(receiver.url, b"{}", {})
    assert not outcome.is_delivered
    assert outcome.error == "no whole answer within 5 seconds"
    assert ALL_SECONDS <= time.monotonic() - began < 2 * ALL_SECONDS
    assert outcome.duration_ms >= 5_000


async def test_a_head_that_drips_is_cut_off_too() -> None:
    async with talking(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000, then=0.02) as port:
        outcome = await sender().post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error == "no whole answer within 5 seconds"


async def test_of_a_huge_answer_little_is_read(receiver: Receiver) -> None:
    receiver.mood = "flood"
    tracemalloc.start()
    try:
        outcome = await sender().post(receiver.url, b"{}", {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.is_delivered
    assert outcome.duration_ms < 4_000
    # What waits in the sockets between, and no more.
    assert receiver.sent < 20 * 2**20
    assert peak < 20 * 2**20


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"\x00\xff" * 50_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx",
    ],
)
async def test_nonsense_is_a_failure_and_is_not_repeated_in_what_is_kept(said: bytes) -> None:  # fmt: skip
    async with talking(said) as port:
        outcome = await sender().post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert not outcome.is_delivered
    assert outcome.error
    assert "garbage" not in outcome.error


async def test_a_port_where_nobody_listens_is_a_failure() -> None:
    outcome = await sender().post("http://127.0.0.1:1025/", b"{}", {})
    assert (outcome.status, outcome.error) == (None, "no connection: it was refused, or its certificate is not good")


async def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await sender().post(receiver.url, b"{}", {})).is_delivered


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("x", None), ("-1", None), ("", None), ("99999999999", None)])
async def test_what_a_busy_receiver_asks_for_is_read(receiver: Receiver, asked: str, seconds: int | None) -> None:
    for status in (429, 503):
        receiver.mood = f"wait {status} {asked}"
        outcome = await sender().post(receiver.url, b"{}", {})
        assert (outcome.status, outcome.retry_after_seconds) == (status, seconds)
    receiver.mood = "wait 500 7"
    assert (await sender().post(receiver.url, b"{}", {})).retry_after_seconds is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for receiver.example, in one file."""
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    subject = ["-subj", "/CN=receiver.example", "-addext", "subjectAltName=DNS:receiver.example"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(path), "-out", str(path) + ".crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(str(path) + ".crt").read_text())
    return path


async def test_over_tls_the_certificate_must_be_that_of_the_name(certificate: Path) -> None:
    names: list[str | None] = []
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda _, name, __: names.append(name)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    async def resolve(_: str) -> list[str]:
        return ["127.0.0.1"]

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server)
    await site.start()
    port = runner.addresses[0][1]
    try:
        trusting = sender(resolve, tls=ssl.create_default_context(cafile=str(certificate)))
        assert (await trusting.post(f"https://receiver.example:{port}/", b"{}", {})).is_delivered
        assert names == ["receiver.example"]
        for posting, url in (
            (trusting, f"https://other.example:{port}/"),
            (trusting, f"https://127.0.0.1:{port}/"),
            (sender(resolve), f"https://receiver.example:{port}/"),
        ):
            outcome = await posting.post(url, b"{}", {})
            assert outcome.error == "no connection: it was refused, or its certificate is not good"
    finally:
        await runner.cleanup()


async def test_many_at_once_keep_apart(receiver: Receiver) -> None:
    posting = sender()
    outcomes = await asyncio.gather(*(posting.post(receiver.url, b"%d" % each, {}) for each in range(20)))
    assert all(each.is_delivered for each in outcomes)
    assert sorted(int(each.body) for each in receiver.got) == list(range(20))
