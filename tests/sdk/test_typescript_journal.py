"""Whose a file of the journal is where no lock tells: none is lost, whatever it looks like from outside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tollkeeper_client.flows import Entry
from tollkeeper_client.journal import Journal

from tests.sdk.programs import SDK, Workshop

# Apps see nothing of these; the journal is told what happens to it as the client would.
_BEFORE = f"""
const {{ Journal }} = await import("{SDK}/dist/journal.js");
const {{ heldName, leftName }} = await import("{SDK}/dist/holding.js");
const directory = process.argv[2];
const entry = (requestId) => ({{
  user: "ada@example.com", start: {{ requestId, prompt: "four" }}, finish: {{ requestId, status: "completed" }},
  started_at: "2026-05-13T12:00:00Z", completed_at: "2026-05-13T12:00:01Z", was_admitted: true,
}});
const namesIn = (each) => [...each.waiting.values()].map((one) => one.start.requestId);
const adopted = () => {{ const next = new Journal(directory); next.adopt(); return namesIn(next); }};
"""


def left(directory: Path, place: str, pid: int, began: str) -> Path:
    """Leave a file that somebody may hold."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{place}~{pid}~{began}~{os.urandom(4).hex()}.waiting"
    entry = {"user": None, "start": {"requestId": path.name}, "finish": {}}
    path.write_text(json.dumps({"put": 1, "entry": entry}) + "\n")
    return path


async def what(workshop: Workshop, text: str, directory: Path) -> Any:
    """Let a program run with a journal in a directory."""
    return await workshop.run(_BEFORE + text, directory)


async def test_what_is_crossed_out_or_torn_is_not_taken_over(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const { appendFileSync } = await import("node:fs");
    const first = new Journal(directory);
    first.done(first.write(entry("told")));
    first.keep(first.write(entry("kept")));
    first.write(entry("being told"));
    first.close();
    const [path] = readdirSync(directory);
    appendFileSync(`${directory}/${path}`, '\\0\\0\\0\\n{"put": 4, "entry": {"us');
    const names = adopted();
    await told([names, existsSync(`${directory}/${path}`)]);
    """
    program = await workshop.start(_BEFORE + text, tmp_path / "journal")
    assert await program.told() == [["kept", "being told"], False]
    assert "cannot be read" in await program.ended()


async def test_a_number_that_another_process_has_now_is_not_its_holder(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const mine = heldName().split("~");
    await told(mine.slice(0, 3));
    await told(adopted());
    """
    directory = tmp_path / "journal"
    program = await workshop.start(_BEFORE + text, directory)
    place, pid, began = await program.told()
    held = left(directory, place, int(pid), began)
    killed = left(directory, place, int(pid), str(int(began) - 1))
    gone = left(directory, place, 2**22 + 1, began)
    program.go_on()
    assert sorted(await program.told()) == sorted([killed.name, gone.name])
    await program.ended()
    assert held.exists()
    assert not killed.exists()


async def test_who_cannot_be_looked_for_holds_a_file_as_long_as_it_is_touched(
    workshop: Workshop, tmp_path: Path
) -> None:
    held, quiet = (left(tmp_path / "journal", "elsewhere", 1, "") for _ in range(2))
    os.utime(quiet, (time.time() - 70, time.time() - 70))
    assert await what(workshop, "await told(adopted());", tmp_path / "journal") == [quiet.name]
    assert held.exists()


async def test_who_was_taken_for_gone_writes_all_anew(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const living = new Journal(directory);
    const first = living.write(entry("told"));
    living.write(entry("before"));
    const [path] = readdirSync(directory);
    renameSync(`${directory}/${path}`, `${directory}/${leftName()}`);
    const taken = adopted();
    living.write(entry("after"));
    living.done(first);
    living.close();
    await told([taken, adopted()]);
    """
    assert await what(workshop, text, tmp_path / "journal") == [["told", "before"], ["before", "after"]]


async def test_what_ends_after_it_was_closed_is_for_whoever_comes_next(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const living = new Journal(directory);
    const first = living.write(entry("told"));
    living.done(first);
    living.close();
    const none = readdirSync(directory);
    living.keep(living.write(entry("late")));
    living.done(first);
    living.close();
    await told([none, readdirSync(directory).length, adopted()]);
    """
    assert await what(workshop, text, tmp_path / "journal") == [[], 1, ["late"]]


async def test_a_disk_that_takes_nothing_leaves_it_in_memory(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const { rmSync, writeFileSync } = await import("node:fs");
    const living = new Journal(directory);
    living.keep(living.write(entry("one")));
    rmSync(directory, { recursive: true });
    writeFileSync(directory, "no directory");
    living.keep(living.write(entry("two")));
    rmSync(directory);
    living.keep(living.write(entry("three")));
    const names = namesIn(living);
    living.close();
    await told([names, adopted()]);
    """
    program = await workshop.start(_BEFORE + text, tmp_path / "journal")
    assert await program.told() == [["one", "two", "three"], ["one", "two", "three"]]
    assert "the journal cannot be written" in await program.ended()


async def test_what_a_full_disk_does_not_take_over_stays_where_it_was(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const { default: fs } = await import("node:fs");
    const { syncBuiltinESMExports } = await import("node:module");
    const { writeSync } = fs;
    const writeWith = (write) => { fs.writeSync = write; syncBuiltinESMExports(); };
    const gone = new Journal(directory);
    for (const name of ["one", "two"]) gone.write(entry(name));
    gone.close();
    const first = new Journal(directory);
    // It takes the beginning of a line, and then no more.
    writeWith((file, bytes, at) => {
      if (at > 0) throw new Error("no space left on device");
      return writeSync(file, bytes, 0, 20);
    });
    const names = [1, 2].map(() => { first.adopt(); return namesIn(first); });
    writeWith(writeSync);
    const others = adopted();
    first.close();
    await told([names, others, adopted(), readdirSync(directory).length]);
    """
    program = await workshop.start(_BEFORE + text, tmp_path / "journal")
    assert await program.told() == [[["one", "two"]] * 2, [], ["one", "two"], 2]
    assert "the journal cannot be written: Error: no space left on device" in await program.ended()


async def test_of_many_who_take_over_at_once_one_gets_each(workshop: Workshop, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    wanted = sorted(left(directory, "left", 0, "").name for _ in range(200))
    comers = [
        await workshop.start(_BEFORE + "await told('ready'); await told(adopted());", directory) for _ in range(4)
    ]
    for each in comers:
        assert await each.told() == "ready"
    for each in comers:
        each.go_on()
    taken = [await each.told() for each in comers]
    for each in comers:
        await each.ended()
    assert sorted(name for names in taken for name in names) == wanted


async def test_who_goes_on_writing_while_others_take_its_files_loses_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    directory = tmp_path / "journal"
    writing = """
    const living = new Journal(directory);
    await told(process.pid);
    const files = new Set();
    let number = 0;
    // Until it has lost its file often enough.
    while (files.size < 10) {
      for (let more = 0; more < 10; more += 1) {
        const each = living.write(entry(`${number}`));
        if (number % 2) living.done(each);
        number += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (const name of readdirSync(directory)) if (name.split("~")[1] === `${process.pid}`) files.add(name);
    }
    living.close();
    await told(number);
    """
    taking = """
    const comer = new Journal(directory);
    await told("ready");
    let goesOn = true;
    void lines.next().then(() => { goesOn = false; });
    while (goesOn) {
      for (const name of readdirSync(directory)) {
        if (name.split("~")[1] !== process.argv[3]) continue;
        try { renameSync(`${directory}/${name}`, `${directory}/${leftName()}`); } catch {}
      }
      comer.adopt();
      await new Promise((resolve) => setImmediate(resolve));
    }
    comer.adopt();
    await told([...new Set(namesIn(comer))]);
    """
    writer = await workshop.start(_BEFORE + writing, directory)
    pid = await writer.told()
    takers = [await workshop.start(_BEFORE + taking, directory, pid) for _ in range(2)]
    for each in takers:
        assert await each.told() == "ready"
        each.go_on()
    writer.go_on()
    count = await writer.told()
    for each in takers:
        each.go_on()
    taken = [await each.told() for each in takers]
    for each in (writer, *takers):
        await each.ended()
    assert {str(number) for number in range(0, count, 2)} <= {name for names in taken for name in names}


async def test_it_shares_a_directory_with_the_client_for_python_and_writes_as_it_does(
    workshop: Workshop, tmp_path: Path
) -> None:
    directory = tmp_path / "journal"
    theirs = Journal(directory)
    theirs.write(Entry("ada@example.com", {"requestId": "theirs"}, {}, "", "", was_admitted=True))
    theirs.close()
    text = 'const ours = new Journal(directory); ours.write(entry("ours")); ours.close(); await told(adopted());'
    assert await what(workshop, text, directory) == ["ours"]
    (ours,) = directory.glob("*.waiting")
    python = Journal(directory)
    python.adopt()
    assert [entry.start["requestId"] for _, entry in python.waiting()] == ["theirs"]
    ours.rename(ours.with_suffix(".journal"))
    python.adopt()
    assert python.waiting()[1][1] == Entry(
        user="ada@example.com",
        start={"requestId": "ours", "prompt": "four"},
        finish={"requestId": "ours", "status": "completed"},
        started_at="2026-05-13T12:00:00Z",
        completed_at="2026-05-13T12:00:01Z",
        was_admitted=True,
    )


async def test_a_file_in_which_all_is_told_does_not_grow_and_is_its_owners_alone(
    workshop: Workshop, tmp_path: Path
) -> None:
    text = """
    const { statSync } = await import("node:fs");
    const roomy = new Journal(directory);
    const large = { ...entry("large"), start: { prompt: "x".repeat(100_000) } };
    for (let number = 0; number < 50; number += 1) roomy.done(roomy.write(large));
    const { size, mode } = statSync(`${directory}/${readdirSync(directory)[0]}`);
    roomy.close();
    await told([size < 1_200_000, mode & 0o077, statSync(directory).mode & 0o077, readdirSync(directory)]);
    """
    assert await what(workshop, text, tmp_path / "journal") == [True, 0, 0, []]


async def test_a_file_does_not_grow_for_the_sake_of_one_that_nobody_hears(workshop: Workshop, tmp_path: Path) -> None:
    text = """
    const { statSync } = await import("node:fs");
    const roomy = new Journal(directory);
    const large = { ...entry("large"), start: { prompt: "x".repeat(100_000) } };
    roomy.keep(roomy.write(entry("unheard")));
    for (let number = 0; number < 50; number += 1) roomy.done(roomy.write(large));
    const sizes = readdirSync(directory).map((name) => statSync(`${directory}/${name}`).size);
    roomy.close();
    await told([sizes.length, sizes[0] < 1_300_000, adopted()]);
    """
    assert await what(workshop, text, tmp_path / "journal") == [1, True, ["unheard"]]


async def test_it_stays_where_it_is_wherever_the_process_goes(workshop: Workshop, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    path = left(directory, "left", 0, "")
    text = """
    process.chdir(`${directory}/..`);
    const next = new Journal("journal");
    process.chdir("/");
    next.adopt();
    await told(namesIn(next));
    """
    assert await what(workshop, text, directory) == [path.name]


async def test_what_cannot_be_taken_over_holds_up_no_other(workshop: Workshop, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    path = left(directory, "left", 0, "")
    for number in range(8):
        loop = directory / f"left~0~~{number}.waiting"
        loop.symlink_to(loop)
    text = """
    const next = new Journal(directory);
    next.adopt();
    next.adopt();
    await told(namesIn(next));
    """
    program = await workshop.start(_BEFORE + text, directory)
    assert await program.told() == [path.name]
    assert (await program.ended()).count("cannot be taken over") == 8


async def test_a_clock_that_is_set_back_lets_no_request_end_before_it_began(workshop: Workshop, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    text = """
    const settings = { journal: process.argv[2], whenUnavailable: "open", patienceMs: 0 };
    const request = await new Tollkeeper("http://127.0.0.1:1", "tk_service_x", settings).start("four", { user: "ada" });
    const Now = Date;
    globalThis.Date = class extends Now {
      constructor(...given) {
        super(...(given.length > 0 ? given : [Now.now() - 60_000]));
      }
    };
    await request.complete("yes");
    await told(0);
    process.exit();
    """
    program = await workshop.start(text, directory)
    await program.told()
    await program.ended()
    (line,) = next(directory.iterdir()).read_text().splitlines()
    entry = json.loads(line)["entry"]
    assert entry["completed_at"] >= entry["started_at"]


async def test_what_is_new_waits_for_none_of_those_that_nobody_hears(workshop: Workshop) -> None:
    text = f"""
    const {{ Delivery }} = await import("{SDK}/dist/delivery.js");
    const heard = [];
    let hasHeard = () => {{}};
    const call = async ({{ body: {{ requestId }} }}) => {{
      heard.push(requestId);
      hasHeard();
      return {{ status: requestId.startsWith("ill") ? 403 : 200, body: {{ success: true }}, retryAfterMs: 0 }};
    }};
    const until = (count) => new Promise((resolve) => {{ hasHeard = () => heard.length === count && resolve(); }});
    const memory = new Journal(null);
    const keep = (name) => memory.keep(memory.write(entry(name)));
    const waits = setInterval(() => {{}}, 1_000);
    for (const name of ["ill-0", "ill-1", "ill-2"]) keep(name);
    const delivery = new Delivery(memory, call);
    const third = until(3);
    delivery.start();
    await third;
    keep("well");
    await until(5);
    clearInterval(waits);
    await delivery.close();
    await told(heard.slice(0, 5));
    """
    program = await workshop.start(_BEFORE + text, "nowhere")
    assert await program.told() == ["ill-0", "ill-1", "ill-2", "well", "ill-0"]
    await program.ended()
