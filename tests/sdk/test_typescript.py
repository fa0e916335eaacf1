"""The client for TypeScript says what the one for Python does, and loses as little."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.sdk.conftest import OneNode
from tests.sdk.programs import SDK, Workshop, run
from tests.sdk.way import a_way_to

_APP = Path(__file__).with_name("an_app.mjs")


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


async def test_a_cost_is_told_in_cents_and_without_dust(service: OneNode, user: str, workshop: Workshop) -> None:
    told = await workshop.run(
        """
        const tollkeeper = new Tollkeeper(url, key);
        const costs = [];
        for (const cost of [2.5, 3 * 0.1, 5, 1e-9, 0, undefined]) {
          const answer = await (await tollkeeper.start("four", { user })).complete("yes", { tokensUsed: 7, cost });
          costs.push(answer.cost);
        }
        await told(costs);
        """,
        *(service.url, service.key, user),
    )
    assert told == [2.5, 0.3, 5, 0, 0, None]


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


async def test_what_nobody_could_be_called_with_is_refused_at_once(workshop: Workshop) -> None:
    told = await workshop.run(
        """
        const places = [
          "", "localhost:8080", "ftp://localhost", "http://", "http://ada:secret@localhost", "http://localhost/?a=1",
        ];
        const keys = ["", " ", "tk_service\\nx", "tk_service_ä"];
        const made = (place, key) => {
          try { return new Tollkeeper(place, key); }
          catch (error) { return `${error.name}: ${error.message}`; }
        };
        const tollkeeper = made("http://localhost:1", "tk_service_x");
        const names = ["ada\\n@example.com", "ada\\ud83c@example.com"];
        const unnamed = names.map((user) => caught(tollkeeper.start("four", { user })));
        const never = new Tollkeeper("http://localhost:1", "tk_service_x", { timeoutMs: Number.NaN });
        await told({
          places: places.map((each) => made(each, "tk_service_x")),
          keys: keys.map((each) => made("http://localhost:1", each)),
          names: (await Promise.all(unnamed)).map((error) => error.message),
          never: (await caught(never.start("four"))).name,
        });
        """
    )
    assert all(each.startswith("TypeError: the service is at http") for each in told["places"]), told
    assert all(each.startswith("TypeError: a key is") for each in told["keys"]), told
    assert all(each.startswith("the name of a user") for each in told["names"]), told
    assert told["never"] == "RangeError"


async def test_a_service_may_stand_below_a_path_and_calls_may_last_as_long_as_they_like(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    async with a_way_to(service.url, below="/limits") as way:
        await workshop.run(
            """
            for (const end of ["", "/"]) {
              const place = new URL(`${url}/limits${end}`);
              const tollkeeper = new Tollkeeper(place, `${key}\\n`, { timeoutMs: 1e12, patienceMs: Infinity });
              await tollkeeper.track("four", { user }, () => {});
            }
            await told("done");
            """,
            *(way.url, service.key, user),
        )
    assert [each["status"] for each in await service.stored(user)] == ["completed"] * 2


async def test_a_user_has_a_name_in_any_alphabet(service: OneNode, workshop: Workshop) -> None:
    name = "zoë@example.com"
    await service.site.add_users(name, plan="enough")
    text = 'await new Tollkeeper(url, key).track("four", { user }, () => {}); await told("done");'
    assert await workshop.run(text, service.url, service.key, name) == "done"
    assert [each["status"] for each in await service.stored(name)] == ["completed"]


async def test_what_somebody_on_the_way_says_is_no_answer(workshop: Workshop) -> None:
    told = await workshop.run(
        """
        const { createServer } = await import("node:http");
        const { once } = await import("node:events");
        const html = "<html>";
        const json = '{"message": "welcome"}';
        const no = [
          [301, { Location: "/" }, ""], [200, {}, html], [200, {}, json], [403, {}, json], [404, {}, html],
          [429, {}, "{}"],
        ];
        const busy = [503, { "Retry-After": "1" }, html];
        const begun = '{"success": true, "limits": {"dailyUsed": 1}}';
        const ended = '{"success": true, "status": "completed"}';
        const answers = [...no, busy, [200, {}, begun], ...no.slice(1, 5), [200, {}, ended]];
        const heard = [];
        const server = createServer((request, response) => {
          heard.push([request.method, performance.now()]);
          const [status, headers, body] = answers.shift();
          response.writeHead(status, headers).end(body);
        }).listen(0, "127.0.0.1");
        await once(server, "listening");
        const place = `http://127.0.0.1:${server.address().port}/`;
        const tollkeeper = new Tollkeeper(place, "tk_service_x", { patienceMs: 30_000 });
        const request = await tollkeeper.start("four", { user: "ada@example.com" });
        const answer = await request.complete("yes");
        const left = await tollkeeper.flush(20_000);
        server.close();
        const methods = heard.map(([method]) => method).join(" ");
        await told({ methods, waited: heard[7][1] - heard[6][1], limits: request.limits, answer, left });
        """
    )
    assert told.pop("waited") > 990
    assert told == {
        "methods": " ".join(8 * ["POST"] + 5 * ["PUT"]), "limits": {"dailyUsed": 1}, "answer": None, "left": 0,
    }  # fmt: skip


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
