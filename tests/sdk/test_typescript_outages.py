"""The client for TypeScript when the service is away, and the app killed besides: nothing that ended is lost."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.audit import audit
from tests.faults.nodes import until
from tests.sdk.conftest import OneNode
from tests.sdk.programs import Program, Workshop, run
from tests.sdk.way import a_way_to

_APP = Path(__file__).with_name("an_app.mjs")


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
    assert re.search("within 300 ms.* nobody answered", told[1])
    assert 200 < told[2] < 3_000
    assert told[3] == 0
    await service.again()
    assert await service.stored(user) == []


async def test_what_went_ahead_is_booked_at_its_own_time_when_the_service_is_back(
    service: OneNode, user: str, workshop: Workshop, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    program = await workshop.start(
        """
        const tollkeeper = new Tollkeeper(url, key, { journal, whenUnavailable: "open", patienceMs: 500 });
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


async def test_what_nobody_ever_hears_holds_up_nothing_and_is_told_of(
    service: OneNode, user: str, workshop: Workshop
) -> None:
    async with a_way_to(service.url) as way:
        way.is_ill_at = b"requestId"
        program = await workshop.start(
            """
            const tollkeeper = new Tollkeeper(url, key, { whenUnavailable: "open", patienceMs: 100 });
            for (const requestId of ["ill", "well", "sound"])
              await tollkeeper.track("four", { user, requestId }, () => {});
            await told(await tollkeeper.flush(0));
            await new Promise((resolve) => setTimeout(resolve, 3_000));
            await told(await tollkeeper.flush(0));
            await told(await tollkeeper.flush(20_000));
            """,
            *(way.url, service.key, user),
        )
        assert await program.told() == 3
        way.is_ill_at = b'"ill"'
        program.go_on()
        assert await program.told() == 1
        way.is_ill_at = b"\0"
        program.go_on()
        assert await program.told() == 0
        assert (await program.ended()).count("requests that wait until the service takes them") == 1
    assert {each["client_id"] for each in await service.stored(user)} == {"ill", "well", "sound"}


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


def _lines(file: Path) -> list[str]:
    return file.read_text().split("\n")[:-1] if file.exists() else []
