"""The client for TypeScript says what the one for Python does, and loses as little."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.audit import audit
from tests.faults.nodes import until
from tests.sdk.conftest import OneNode
from tests.sdk.programs import SDK, Program, Workshop, run

_APP = Path(__file__).with_name("an_app.mjs")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    (tmp_path / "workshop").mkdir()
    return Workshop(tmp_path / "workshop")


async def test_a_request_is_asked_for_and_told(service: OneNode, user: str, workshop: Workshop) -> None:
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key);
        const about = { user, model: "house-1", maxTokens: 50, requestId: "mine-1", sessionId: undefined };
        const given = await tollkeeper.track("four", about, async (request) => [
          request.id,
          request.limits.dailyUsed,
          await request.complete("yes", { tokensInput: 3, tokensOutput: 4, userRating: 5 }),
        ]);
        const made = await tollkeeper.start("five", { user });
        await tollkeeper.track("six", { user }, () => "no word");
        await told([...given, made.id]);
        """,
        *(service.url, service.key, user),
    )
    name, used, answer, made = told
    assert (name, used) == ("mine-1", 1)
    assert (answer["requestId"], answer["status"], answer["costNanos"]) == ("mine-1", "completed", 15_000)
    assert re.fullmatch(r"c-[0-9a-f]{32}", made)
    stored = await service.stored(user)
    assert [(each["prompt"], each["status"], each["response"], each["tokens_used"]) for each in stored] == [
        ("four", "completed", "yes", 7), ("five", "pending", None, None), ("six", "completed", None, None),
    ]  # fmt: skip
    assert 0 <= stored[0]["duration"] < 5_000


async def test_a_limit_is_told_with_all_that_a_user_is_to_see(service: OneNode, workshop: Workshop) -> None:
    await service.site.add_users("ts-two@example.com", plan="two")
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key);
        for (const _ of [1, 2]) await tollkeeper.track("four", { user }, () => {});
        const error = await caught(tollkeeper.track("four", { user }, () => told("not reached")));
        const kinds = [LimitReached, Refused, client.TollkeeperError, Error].map((kind) => error instanceof kind);
        const { message, limit, kind, resetsAt, upgradeTo } = error;
        const future = resetsAt instanceof Date && resetsAt > new Date();
        await told({ kinds, message, limit, kind, upgradeTo, future });
        """,
        *(service.url, service.key, "ts-two@example.com"),
    )
    assert "2 of 2" in told.pop("message")
    assert told == {
        "kinds": [True] * 4, "limit": "daily", "kind": "limit-reached", "upgradeTo": None, "future": True,
    }  # fmt: skip


async def test_a_block_that_throws_has_failed_and_its_words_stay_here(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key);
        const fails = (thrown) => caught(tollkeeper.track("four", { user }, () => { throw thrown; }));
        const errors = [await fails(new RangeError("a secret")), await fails("a secret")];
        await tollkeeper.track("five", { user }, (request) => request.fail("the model was away", { tokensInput: 3 }));
        await told(errors.map(String));
        """,
        *(service.url, service.key, user),
    )
    assert told == ["RangeError: a secret", "a secret"]
    assert [(each["status"], each["error_message"]) for each in await service.stored(user)] == [
        ("failed", "RangeError"), ("failed", "string"), ("failed", "the model was away"),
    ]  # fmt: skip


async def test_what_the_service_does_not_take_is_thrown_with_its_fields(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key);
        const error = await caught(tollkeeper.start("four", { user, model: "x".repeat(201) }));
        const request = await tollkeeper.start("four", { user });
        const later = await caught(request.complete(null, { tokensInput: -1 }));
        const nan = await caught(request.complete(null, { cost: Number.NaN }));
        const fields = error.problem.errors.map((each) => each.field);
        let open;
        try { new Tollkeeper(url, "tk_user_x", { whenUnavailable: "open" }); } catch (thrown) { open = thrown.message; }
        await told([error.status, fields, later instanceof Refused, later.message, open, nan.message]);
        """,
        *(service.url, service.key, user),
    )
    assert told[:3] == [422, ["model"], True]
    assert "tokensInput" in told[3]
    assert "service key" in told[4]
    assert told[5] == "cost is NaN, which JSON cannot say"
    assert [each["status"] for each in await service.stored(user)] == ["pending"]


async def test_texts_that_cannot_be_kept_are_told_as_far_as_they_can(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    told = await workshop.run(
        r"""
        const tollkeeper = new Tollkeeper(url, key);
        const answers = [
          await tollkeeper.track("half \ud83c, none \0 🎈", { user }, (each) => each.complete("é".repeat(600_000))),
          await tollkeeper.track("x".repeat(2 ** 21), { user }, (each) => each.fail("x" + "é".repeat(16_384))),
        ];
        const nan = await caught(tollkeeper.start("four", { user, metadata: { score: Number.NaN } }));
        await told([...answers.map(({ status }) => status), nan.message]);
        """,
        *(service.url, service.key, user),
    )
    assert told == ["completed", "failed", "score is NaN, which JSON cannot say"]
    first, second = await service.stored(user)
    assert (first["prompt"], first["response"]) == ("half \ufffd, none \ufffd 🎈", "é" * 2**19)
    assert (second["prompt"], second["error_message"]) == ("x" * 2**20, "x" + "é" * 8_191)


async def test_a_user_has_a_name_in_any_alphabet(service: OneNode, workshop: Workshop) -> None:
    name = "zoë@example.com"
    await service.site.add_users(name, plan="enough")
    text = 'await new Tollkeeper(url, key).track("four", { user }, () => {}); await told("done");'
    assert await workshop.run(text, service.url, service.key, name) == "done"
    assert [each["status"] for each in await service.stored(name)] == ["completed"]


async def test_without_an_answer_nothing_goes_ahead_unless_it_was_said_so(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    await service.node.kill()
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key, { patienceMs: 300 });
        const began = performance.now();
        const error = await caught(tollkeeper.track("four", { user }, () => told("not reached")));
        await told([error.name, error.message, performance.now() - began, await tollkeeper.flush(0)]);
        """,
        *(service.url, service.key, user),
    )
    assert told[0] == "Unavailable"
    assert "within 300 ms" in told[1]
    assert 200 < told[2] < 3_000
    assert told[3] == 0
    await service.again()
    assert await service.stored(user) == []


async def test_what_somebody_on_the_way_says_is_no_answer(workshop: Workshop) -> None:
    told = await workshop.run(
        """
        const { createServer } = await import("node:http");
        const { once } = await import("node:events");
        const html = "<html>";
        const no = [[301, { Location: "/" }, ""], [200, {}, html], [404, {}, html], [429, {}, "{}"]];
        const busy = [503, { "Retry-After": "1" }, html];
        const [begun, ended] = ['{"limits": {"dailyUsed": 1}}', '{"status": "completed"}'];
        const answers = [...no, busy, [200, {}, begun], ...no, [200, {}, ended]];
        const heard = [];
        const server = createServer((request, response) => {
          heard.push([request.method, performance.now()]);
          const [status, headers, body] = answers.shift();
          response.writeHead(status, headers).end(body);
        }).listen(0, "127.0.0.1");
        await once(server, "listening");
        const place = `http://127.0.0.1:${server.address().port}/`;
        const tollkeeper = new Tollkeeper(place, "tk_service_x", { patienceMs: 9_000 });
        const request = await tollkeeper.start("four", { user: "ada@example.com" });
        const answer = await request.complete("yes");
        const left = await tollkeeper.flush(20_000);
        server.close();
        const methods = heard.map(([method]) => method).join(" ");
        await told({ methods, waited: heard[5][1] - heard[4][1], limits: request.limits, answer, left });
        """
    )
    assert told.pop("waited") > 990
    assert told == {
        "methods": " ".join(6 * ["POST"] + 5 * ["PUT"]), "limits": {"dailyUsed": 1}, "answer": None, "left": 0,
    }  # fmt: skip


async def test_what_went_ahead_is_booked_at_its_own_time_when_the_service_is_back(
    service: OneNode, user: str, workshop: Workshop, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    program = await workshop.start(
        """
        const tollkeeper = new Tollkeeper(url, key, { journal, whenUnavailable: "open", patienceMs: 100 });
        const asked = await tollkeeper.start("asked", { user });
        await told("asked");
        const unasked = await tollkeeper.start("unasked", { user });
        const answers = [await asked.complete("yes", { tokensUsed: 7 }), await unasked.fail("the model was away")];
        const limits = [asked.limits !== null, unasked.limits];
        await told({ ids: [asked.id, unasked.id], limits, answers, left: await tollkeeper.flush(100) });
        const left = await tollkeeper.flush(20_000);
        await tollkeeper.close();
        await told([left, readdirSync(journal)]);
        """,
        *(service.url, service.key, user, journal),
    )
    assert await program.told() == "asked"
    await service.node.kill()
    program.go_on()
    said = await program.told()
    ended = datetime.now(UTC)
    assert (said["limits"], said["answers"], said["left"]) == ([True, None], [None, None], 2)
    await asyncio.sleep(1)
    await service.again()
    program.go_on()
    assert await program.told() == [0, []]
    await program.ended()
    stored = {each["client_id"]: each for each in await service.stored(user)}
    assert {name: (each["prompt"], each["status"]) for name, each in stored.items()} == dict(
        zip(said["ids"], [("asked", "completed"), ("unasked", "failed")], strict=True)
    )
    assert all(each["started_at"] < ended for each in stored.values())
    await audit(service.site)


async def test_a_start_whose_answer_was_lost_is_the_same_request(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    program = await workshop.start(
        """
        await new Tollkeeper(url, key).start("four", { user, requestId: "lost" });
        await told("started");
        // Another client knows as little of that start as if the answer had been lost.
        const tollkeeper = new Tollkeeper(url, key, { whenUnavailable: "open", patienceMs: 100 });
        const request = await tollkeeper.start("four", { user, requestId: "lost" });
        await request.complete();
        await told(request.limits);
        await told(await tollkeeper.flush(20_000));
        """,
        *(service.url, service.key, user),
    )
    assert await program.told() == "started"
    await service.node.kill()
    program.go_on()
    assert await program.told() is None
    await service.again()
    program.go_on()
    assert await program.told() == 0
    await program.ended()
    assert [(each["client_id"], each["status"]) for each in await service.stored(user)] == [("lost", "completed")]


async def test_what_is_never_taken_is_put_aside_and_holds_up_nothing(
    service: OneNode, user: str, workshop: Workshop, tmp_path: Path
) -> None:
    await service.node.kill()
    program = await workshop.start(
        """
        const tollkeeper = new Tollkeeper(url, key, { journal, whenUnavailable: "open", patienceMs: 100 });
        for (const tokensUsed of [-1, 1])
          await tollkeeper.track("four", { user }, (request) => request.complete(null, { tokensUsed }));
        await told("ended");
        await told(await tollkeeper.flush(20_000));
        """,
        *(service.url, service.key, user, tmp_path / "journal"),
    )
    assert await program.told() == "ended"
    await service.again()
    program.go_on()
    assert await program.told() == 0
    assert "does not take request c-" in await program.ended()
    assert [each["tokens_used"] for each in await service.stored(user)] == [1]
    (rejected,) = (tmp_path / "journal/rejected.jsonl").read_text().splitlines()
    assert '"tokensUsed":-1' in rejected
    assert "/problems/" in rejected


async def test_what_a_revoked_key_could_not_tell_waits_for_the_next(
    service: OneNode, user: str, workshop: Workshop, tmp_path: Path
) -> None:
    made = await service.site.run("key", "create", "--service", "ts-soon-gone")
    program = await workshop.start(
        """
        const tollkeeper = new Tollkeeper(url, key, { journal });
        const request = await tollkeeper.start("four", { user });
        await told("started");
        const error = await caught(request.complete("yes"));
        await tollkeeper.close(500);
        const next = new Tollkeeper(url, process.argv[6], { journal });
        await told([error.status, error.isOfKey, await next.flush(20_000)]);
        """,
        *(service.url, made["key"], user, tmp_path / "journal", service.key),
    )
    assert await program.told() == "started"
    await service.site.run("key", "revoke", made["id"])
    await asyncio.sleep(1.5)
    program.go_on()
    assert await program.told() == [401, True, 0]
    await program.ended()
    assert [each["status"] for each in await service.stored(user)] == ["completed"]


async def test_what_waits_keeps_no_process_alive(service: OneNode, user: str, workshop: Workshop) -> None:
    program = await workshop.start(
        """
        const settings = { journal, whenUnavailable: "open", patienceMs: 100 };
        const tollkeeper = new Tollkeeper("http://127.0.0.1:9", key, settings);
        await tollkeeper.track("four", { user }, () => {});
        await told("ended");
        process.stdin.destroy();
        """,
        *(service.url, service.key, user, workshop.place / "journal"),
    )
    assert await program.told() == "ended"
    async with asyncio.timeout(10):
        await program.ended()
    (left,) = (workshop.place / "journal").iterdir()
    assert '"prompt":"four"' in left.read_text()


async def test_service_and_app_are_killed_again_and_again_and_all_that_ended_is_booked_once(
    service: OneNode, user: str, workshop: Workshop, tmp_path: Path
) -> None:
    journal, told = tmp_path / "journal", tmp_path / "told"

    async def app() -> Program:
        return await run(_APP, service.url, service.key, journal, told, user)

    async def more(count: int) -> None:
        enough = len(_lines(told)) + count

        async def is_enough() -> bool:
            return len(_lines(told)) >= enough

        await until(is_enough)

    for _ in range(3):
        first = await app()
        await more(100)
        await service.node.kill()
        await more(20)
        await first.kill()
        second = await app()
        await more(20)
        await service.again()
        await more(50)
        await second.kill()
    assert await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key, { journal });
        const left = await tollkeeper.flush(60_000);
        await tollkeeper.close();
        await told([left, readdirSync(journal)]);
        """,
        *(service.url, service.key, user, journal),
    ) == [0, []]
    names = Counter(each["client_id"] for each in await service.stored(user) if each["status"] == "completed")
    assert set(names.values()) == {1}
    assert set(_lines(told)) - set(names) == set()
    await audit(service.site)


async def test_the_example_runs(service: OneNode, workshop: Workshop, tmp_path: Path) -> None:
    (example,) = re.findall(r"```ts\n(.*?)```", (SDK / "README.md").read_text(), re.DOTALL)
    example = example.replace("http://localhost:8080", service.url).replace("/var/lib/my-app", str(tmp_path))
    model = 'async (_: string) => ({ text: "yes", tokensInput: 3, tokensOutput: 4 })'
    before = f"const KEY = {service.key!r};\nconst askTheModel = {model};\n"
    after = """
        for (const _ of [1, 2, 3]) console.log(JSON.stringify(await answer("ts-reader@example.com", "four")));
        await tollkeeper.close();
    """
    await service.site.add_users("ts-reader@example.com", plan="two")
    program = await run(await asyncio.to_thread(workshop.translate, before + example + after))
    said = [await program.told() for _ in range(3)]
    await program.ended()
    assert said[:2] == ["yes", "yes"]
    assert re.match(r"You have used up .* at 20\d\d-", said[2])
    assert [each["tokens_used"] for each in await service.stored("ts-reader@example.com")] == [7, 7]


def _lines(file: Path) -> list[str]:
    return file.read_text().split("\n")[:-1] if file.exists() else []
