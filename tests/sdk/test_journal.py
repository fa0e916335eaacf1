"""The journal of the client: what was written and not crossed out is taken over whole, once, by whoever comes first."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import httpx2
import pytest
from tollkeeper_client import Tollkeeper
from tollkeeper_client.delivery import Deliverer
from tollkeeper_client.flows import Entry
from tollkeeper_client.journal import Journal


def an_entry(name: str) -> Entry:
    return Entry(
        user="ada@example.com",
        start={"requestId": name, "prompt": "four"},
        finish={"requestId": name, "status": "completed"},
        started_at="2026-05-13T12:00:00+00:00",
        completed_at="2026-05-13T12:00:01+00:00",
        was_admitted=True,
    )


def left_behind(directory: Path, *names: str) -> Path:
    """Let a process be killed that had written these."""
    journal = Journal(directory)
    for name in names:
        journal.write(an_entry(name))
    assert journal._file is not None
    assert journal._path is not None
    os.close(journal._file)
    return journal._path


def names_in(journal: Journal) -> list[str]:
    return [entry.start["requestId"] for _, entry in journal.waiting()]


def test_what_is_crossed_out_or_torn_is_not_taken_over(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.done(first.write(an_entry("told")))
    first.keep(first.write(an_entry("kept")))
    first.write(an_entry("being told"))
    first.close()
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"put": 4, "entry": {"us')
    second = Journal(tmp_path)
    second.adopt()
    assert names_in(second) == ["kept", "being told"]
    assert second.waiting()[0][1] == an_entry("kept")
    assert not path.exists()


def test_a_line_that_cannot_be_read_hides_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left_behind(tmp_path, "one", "two")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"\0\0\0", *lines[1:]]))
    journal = Journal(tmp_path)
    journal.adopt()
    assert names_in(journal) == ["one", "two"]
    assert f"a line of {path} cannot be read" in caplog.text


def test_of_many_who_take_over_at_once_one_gets_each(tmp_path: Path) -> None:
    for number in range(40):
        left_behind(tmp_path, f"{number}-a", f"{number}-b")
    ready = threading.Barrier(8)
    journals: list[Journal] = []

    def come() -> None:
        ready.wait()
        journal = Journal(tmp_path)
        journals.append(journal)
        journal.adopt()

    comers = [threading.Thread(target=come) for _ in range(8)]
    for each in comers:
        each.start()
    for each in comers:
        each.join()
    taken = [name for journal in journals for name in names_in(journal)]
    assert sorted(taken) == sorted(f"{number}-{part}" for number in range(40) for part in "ab")
    assert len(list(tmp_path.iterdir())) == 8


def test_a_file_in_which_all_is_told_does_not_grow(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal._path is not None
    large = Entry("ada@example.com", {"requestId": "large", "prompt": "x" * 100_000}, {}, "", "", was_admitted=True)
    for _ in range(50):
        journal.done(journal.write(large))
    assert journal._path.stat().st_size < 1_200_000
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_does_not_grow_for_the_sake_of_one_that_nobody_hears(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    large = Entry("ada@example.com", {"requestId": "large", "prompt": "x" * 100_000}, {}, "", "", was_admitted=True)
    journal.keep(journal.write(an_entry("unheard")))
    for _ in range(50):
        journal.done(journal.write(large))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 1_300_000
    journal.close()
    second = Journal(tmp_path)
    second.adopt()
    assert names_in(second) == ["unheard"]


def test_a_file_that_grows_on_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    large = Entry("ada@example.com", {"requestId": "large", "prompt": "x" * 100_000}, {}, "", "", was_admitted=True)
    journal.keep(journal.write(an_entry("unheard")))
    numbers = [journal.write(large) for _ in range(12)]
    monkeypatch.setattr(os, "write", fill)
    for number in numbers:
        journal.done(number)
    monkeypatch.undo()
    journal.close()
    second = Journal(tmp_path)
    second.adopt()
    assert names_in(second)[0] == "unheard"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_taken_over_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loop = tmp_path / "0.journal"
    loop.symlink_to(loop)
    path = left_behind(tmp_path, "one", "two")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"17", b'{"put": 9, "entry": {"by": "somebody else"}}', *lines[1:]]))
    journal = Journal(tmp_path)
    for _ in range(2):
        journal.adopt()
        assert names_in(journal) == ["one", "two"]
    assert caplog.text.count(f"{loop} cannot be taken over") == 1
    assert caplog.text.count(f"a line of {path} cannot be read") == 2


def test_it_stays_where_it_is_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a daemon does, and somebody who clears up may come besides."""
    monkeypatch.chdir(tmp_path)
    tollkeeper = Tollkeeper("http://127.0.0.1:1", "tk_service_x", journal="journal")
    monkeypatch.chdir("/")
    left_behind(tmp_path / "journal", "left")
    tollkeeper._journal.adopt()
    assert names_in(tollkeeper._journal) == ["left"]
    tollkeeper._journal.done(tollkeeper._journal.waiting()[0][0])
    (path,) = (tmp_path / "journal").iterdir()
    path.unlink()
    tollkeeper.close()


def test_what_is_new_waits_for_none_of_those_that_nobody_hears() -> None:
    said: list[str] = []

    def hear(request: httpx2.Request) -> httpx2.Response:
        said.append(json.loads(request.content)["requestId"])
        return httpx2.Response(403 if said[-1].startswith("ill") else 200, json={"success": True})

    journal = Journal(None)
    service = httpx2.Client(base_url="http://tollkeeper.example", transport=httpx2.MockTransport(hear))
    deliverer = Deliverer(journal, service)
    for number in range(3):
        journal.keep(journal.write(an_entry(f"ill-{number}")))
        assert not deliverer._tell_all()
    journal.keep(journal.write(an_entry("well")))
    assert not deliverer._tell_all()
    assert said == ["ill-0", "ill-1", "ill-2", "well", "ill-0"]


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new")
    assert journal._path is not None
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert journal._path.stat().st_mode & 0o077 == 0


def test_what_ends_after_it_was_closed_is_for_whoever_comes_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    told = journal.write(an_entry("told"))
    journal.done(told)
    journal.close()
    assert list(tmp_path.iterdir()) == []
    journal.keep(journal.write(an_entry("late")))
    journal.done(told)
    journal.close()
    (path,) = tmp_path.iterdir()
    second = Journal(tmp_path)
    second.adopt()
    assert names_in(second) == ["late"]
    assert not path.exists()


_write = os.write


def fill(file: int, data: bytes) -> int:
    """Take the beginning of a line, and then no more."""
    if b'"put"' in data:
        return _write(file, data[:20])
    raise OSError(errno.ENOSPC, "no space left on device")


def test_what_a_full_disk_does_not_take_over_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(tmp_path, "one", "two")
    first = Journal(tmp_path)
    monkeypatch.setattr(os, "write", fill)
    for _ in range(2):
        first.adopt()
        assert names_in(first) == ["one", "two"]
    monkeypatch.undo()
    first.close()
    second = Journal(tmp_path)
    second.adopt()
    assert names_in(second) == ["one", "two"]


def test_a_disk_that_took_half_a_line_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    journal.keep(journal.write(an_entry("one")))
    monkeypatch.setattr(os, "write", fill)
    journal.keep(journal.write(an_entry("two")))
    monkeypatch.undo()
    journal.keep(journal.write(an_entry("three")))
    assert names_in(journal) == ["one", "two", "three"]
    assert "the journal cannot be written: no space left on device" in caplog.text
    journal.close()
    later = Journal(tmp_path)
    later.adopt()
    assert names_in(later) == ["one", "three"]
