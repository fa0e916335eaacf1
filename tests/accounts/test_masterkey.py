from __future__ import annotations

import base64
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tollkeeper.accounts.masterkey import load_or_make, parse, pepper_of
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
