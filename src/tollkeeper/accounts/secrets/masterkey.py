"""The master key: outside the database, in a file that only its owner can read, or handed over by a key store.

.. code-block:: text

    # lines like this one say what it is
    1:BASE64 of 32 random bytes

A key is rotated (``rotation``) by adding a line with a higher version; older ones still open. The oldest also makes the
pepper of keys and sign-ins, so it stays.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tollkeeper.errors import Misconfigured

KEY_BYTES: Final = 32

# 32 random bytes have about 30 different ones, and fewer than 16 never; passphrases and repeated bytes have few.
_FEWEST_DIFFERENT_BYTES: Final = 16
_MOST_BYTES: Final = 100_000
_HIGHEST_VERSION: Final = 2**31 - 1
_ENTRY = re.compile(r"(?P<version>[1-9][0-9]{0,9}):(?P<key>[A-Za-z0-9+/_-]+={0,2})")
_INTRODUCTION: Final = """\
# tollkeeper's master key. Secrets of users, API keys and sign-ins depend on it, and nothing can restore it:
# keep a copy apart from the database's backups. `tollkeeper secrets rotate` adds a version; the first one always stays.
"""


def load_or_make(path: Path) -> dict[int, bytes]:
    """Read the keys by version, made first if there is no file yet; ``Misconfigured`` if the file is not fit.

    Whoever calls must know that the database has none yet, and ask ``keyring.admit`` whether it takes these.
    """
    if not path.exists():
        _make(path)
    return load(path)


def load(path: Path) -> dict[int, bytes]:
    """Read the keys by version; ``Misconfigured`` if the file is not there or not fit."""
    if not path.exists():
        raise Misconfigured(f"the master key {path} is not there: bring it back from your copy")
    return parse(_read_private(path), told_by=str(path))


def add_version(path: Path) -> int:
    """Add a new random key to the file, whole or not at all, and give its version; one process at a time."""
    text = _read_private(path)
    version = max(parse(text, told_by=str(path))) + 1
    if version > _HIGHEST_VERSION:
        raise Misconfigured(f"{path} has the highest version that there can be")
    target = path.resolve()
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_private(unfinished, f"{text.rstrip()}\n{_line(version)}")
        unfinished.replace(target)
        _make_durable(target.parent)
    except OSError as error:
        raise Misconfigured(f"the master key cannot be written to {path}: {error.strerror}") from error
    return version


def parse(text: str, *, told_by: str = "the master key") -> dict[int, bytes]:
    """Read ``VERSION:BASE64`` entries, parted by lines, spaces or commas. ``Misconfigured`` never quotes them."""
    keys: dict[int, bytes] = {}
    for entry in re.split(r"[\s,]+", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).strip()):
        version, key = _entry(entry, told_by)
        if version in keys:
            raise Misconfigured(f"{told_by} has version {version} twice")
        keys[version] = key
    return keys


def pepper_of(keys: Mapping[int, bytes]) -> bytes:
    """Derive the pepper of API keys and sign-ins from the oldest key, so that rotation changes none of them."""
    return derived(keys[min(keys)], purpose=b"tollkeeper pepper")


def webhook_root_of(keys: Mapping[int, bytes]) -> bytes:
    """Derive what the secrets of webhooks are derived from: the oldest key as well, so that rotation changes none."""
    return derived(keys[min(keys)], purpose=b"tollkeeper webhooks")


def fingerprint_of(key: bytes) -> bytes:
    """Derive what tells a key from another and says nothing of it."""
    return derived(key, purpose=b"tollkeeper fingerprint")


def derived(key: bytes, *, purpose: bytes) -> bytes:
    """Derive 32 bytes for one purpose; they say nothing about those of another."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _entry(entry: str, told_by: str) -> tuple[int, bytes]:
    found = _ENTRY.fullmatch(entry)
    if found is None or int(found["version"]) > _HIGHEST_VERSION:
        raise Misconfigured(f"{told_by} must consist of VERSION:BASE64, such as 1: and 32 random bytes in base 64")
    version = int(found["version"])
    plain = found["key"].replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise Misconfigured(f"version {version} of {told_by} is not base 64") from None
    if len(key) != KEY_BYTES:
        raise Misconfigured(f"version {version} of {told_by} has {len(key)} bytes and must have {KEY_BYTES}")
    if len(set(key)) < _FEWEST_DIFFERENT_BYTES:
        raise Misconfigured(f"version {version} of {told_by} is not random: make one with `openssl rand -base64 32`")
    return version, key


def _make(path: Path) -> None:
    """Write a new file whole or not at all; where another process was faster, its file counts."""
    text = _INTRODUCTION + _line(1)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(unfinished, text)
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return
        finally:
            unfinished.unlink()
        _make_durable(path.parent)
    except OSError as error:
        raise Misconfigured(f"the master key cannot be written to {path}: {error.strerror}") from error


def _line(version: int) -> str:
    return f"{version}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _make_durable(directory: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            _refuse_shared(path, os.fstat(file.fileno()))
            return file.read(_MOST_BYTES).decode("ascii")
    except UnicodeDecodeError:
        raise Misconfigured(f"{path} is not a master key: it is not text") from None
    except OSError as error:
        raise Misconfigured(f"the master key {path} cannot be read: {error.strerror}") from error


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Misconfigured(f"{path} is not a file")
    if os.name == "posix" and found.st_mode & 0o077:
        raise Misconfigured(f"others may read the master key: run `chmod 600 {path}`")
    if os.name == "posix" and found.st_uid != os.geteuid():
        raise Misconfigured(f"the master key {path} belongs to another account: make it your own with chown")
