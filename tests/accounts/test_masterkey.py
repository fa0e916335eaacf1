from __future__ import annotations

import base64
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tollkeeper.accounts.secrets.masterkey import add_version, fingerprint_of, load, load_or_make, parse, pepper_of
from tollkeeper.errors import Misconfigured


def _line(version: int = 1, key: bytes | None = None) -> str:
    return f"{version}:{base64.b64encode(secrets.token_bytes(32) if key is None else key).decode()}"


def test_a_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    keys = load_or_make(path)
    assert keys.keys() == {1}
    assert len(keys[1]) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path) == keys
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_processes_that_start_together_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(load_or_make, [tmp_path / "master.key"] * 16))
    assert len({keys[1] for keys in made}) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_or_make(path)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(Misconfigured, match="chmod 600"):
            load_or_make(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"# only words\n", b"1:AAAA\n", b"key\n"])
def test_a_file_that_holds_no_key_is_refused_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured):
        load_or_make(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "absent" / "master.key", tmp_path / "file" / "master.key"):
        with pytest.raises(Misconfigured, match="master key"):
            load_or_make(place)
    (tmp_path / "master.key").mkdir()
    with pytest.raises(Misconfigured):
        load_or_make(tmp_path / "master.key")


def test_entries_may_be_parted_by_lines_spaces_or_commas() -> None:
    one, two = _line(1), _line(2)
    assert parse(f"{one},{two}") == parse(f"# both\n {one}\n\n{two}\n") == parse(f"{two} {one}")
    urlsafe = two.replace("+", "-").replace("/", "_").rstrip("=")
    assert parse(urlsafe) == parse(two)


@pytest.mark.parametrize(
    "text",
    [
        "",
        _line(0),
        _line(2**31),
        _line(key=secrets.token_bytes(31)),
        _line(key=secrets.token_bytes(33)),
        _line(key=bytes(32)),
        _line(key=b"changemechangemechangemechangeme"),
        f"{_line(3)}\n{_line(3)}",
        base64.b64encode(secrets.token_bytes(32)).decode(),
        "1:" + "=" * 44,
        "1:!" + "A" * 43,
    ],
)
def test_short_weak_or_ambiguous_keys_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parse(text)
    quoted = text.rsplit(":", maxsplit=1)[-1].strip()
    assert not quoted or quoted not in str(refused.value)


def test_a_version_is_added_whole_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    before = load_or_make(path)
    text = path.read_text()
    assert (add_version(path), add_version(path)) == (2, 3)
    keys = load(path)
    assert keys.keys() == {1, 2, 3}
    assert keys[1] == before[1]
    assert len(set(keys.values())) == 3
    assert path.read_text().startswith(text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_a_version_is_added_behind_the_link_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    load_or_make(tmp_path / "kept" / "master.key")
    link = tmp_path / "master.key"
    link.symlink_to(tmp_path / "kept" / "master.key")
    add_version(link)
    assert link.is_symlink()
    assert load(tmp_path / "kept" / "master.key").keys() == {1, 2}


def test_who_reads_while_a_version_is_added_reads_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_or_make(path)
    with ThreadPoolExecutor(4) as threads:
        reading = [threads.submit(lambda: [len(load(path)) for _ in range(300)]) for _ in range(3)]
        for _ in range(50):
            add_version(path)
        seen = [each.result() for each in reading]
    assert all(counts == sorted(counts) for counts in seen)
    assert len(load(path)) == 51


def test_a_file_that_is_gone_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="bring it back"):
        load(tmp_path / "master.key")
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_tells_keys_apart_and_is_none_of_them() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    assert fingerprint_of(old) == fingerprint_of(old) != fingerprint_of(new)
    assert fingerprint_of(old) not in {old, pepper_of({1: old})}


def test_the_pepper_outlives_a_rotation_and_is_not_the_key() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    assert pepper_of({1: old}) == pepper_of({2: new, 1: old}) != pepper_of({2: new})
    assert pepper_of({1: old}) != old


def test_a_file_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    load_or_make(path)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(Misconfigured, match="another account"):
        load_or_make(path)
