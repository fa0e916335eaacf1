from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import ClassVar, cast

import msgspec
import pytest

from bench.bodies import encoded, group_of, groups, real_requests
from bench.histogram import Histogram
from bench.load import Plan, Result, run
from bench.wire import call, id_in


class Answering(asyncio.Protocol):
    """A service that says yes to everything, the first time only after a pause."""

    calls: ClassVar[Counter[str]] = Counter()
    pause = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        if len(body) < int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or b"0"):
            return
        self.received = b""
        method = head.split(b" ")[0].decode()
        self.calls[method] += 1
        pause, Answering.pause = Answering.pause, 0.0
        time.sleep(pause)  # nobody else is answered meanwhile, either
        self.transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"id": "1234-5"}')


async def sent(**plan: object) -> Result:
    Answering.calls = Counter()
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        given = {
            "port": port,
            "key": "k",
            "users": ["a@example.com", "b@example.com"],
            "connections": 3,
            "seconds": 0.3,
        }
        return await run(msgspec.convert(given | plan, Plan))


async def test_every_pair_is_a_start_and_a_finish() -> None:
    result = await sent(kind="pairs")
    assert result.refused == {}
    assert result.done > 0
    assert Answering.calls == {"POST": result.done, "PUT": result.done}


async def test_what_was_started_is_finished_when_the_measuring_is_over() -> None:
    result = await sent(kind="starts")
    assert Answering.calls == {"POST": result.done, "PUT": result.done}
    assert Histogram(result.latencies).total == result.done


async def test_only_looks_after_a_pair_are_timed() -> None:
    result = await sent(kind="looks", connections=1)
    assert Answering.calls == {"POST": result.done, "PUT": result.done, "GET": result.done}
    assert Histogram(result.latencies).total == result.done


async def test_an_open_loop_charges_a_stall_to_everybody_who_was_due_meanwhile() -> None:
    Answering.pause = 0.2
    result = await sent(kind="starts", rate=500.0, seconds=0.5)
    latencies = Histogram(result.latencies)
    assert 150 < result.done < 350
    # Two fifths of the time nobody was answered: the median of those waited for half of the stall.
    assert latencies.percentile(80) > 80
    assert Histogram(result.late).total == result.done


async def test_a_connection_that_is_lost_is_no_answer() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        plan = Plan(
            kind="pairs", port=server.sockets[0].getsockname()[1], key="k", users=["a"], connections=2, seconds=1
        )
        result = await run(plan)
    assert result.done == 0
    assert result.refused == {"connection lost": 2}


def test_a_user_keeps_to_one_model_and_category() -> None:
    real = real_requests()
    for user in range(50):
        first, size = group_of(user, 50)
        assert len({(each.model, each.category) for each in real[first : first + size]}) == 1
    assert sum(size for _, size in groups()) == len(real)


def test_bodies_can_have_a_given_length_of_text() -> None:
    for body in encoded(500):
        prompt = msgspec.json.decode(body.start)["prompt"]
        response = msgspec.json.decode(body.finish_head + b"1" + body.finish_tail)["response"]
        assert len(prompt) + len(response) == 500


@pytest.mark.parametrize("answer", [b'{"requestId":"r","id":"abc"}', b'{"requestId": "r", "id": "abc"}'])
def test_the_id_of_a_start_is_found_in_its_answer(answer: bytes) -> None:
    assert id_in(answer) == b"abc"


def test_a_call_tells_its_length() -> None:
    assert call("GET", "/x", "k", "").endswith(b"Content-Length: 0\r\n\r\n")
