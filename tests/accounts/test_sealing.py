from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.secrets.masterkey import fingerprint_of
from tollkeeper.accounts.secrets.sealing import KeyNotHere, SealBroken, Sealed, Sealer
from tollkeeper.errors import Misconfigured

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ALICE, BOB = uuid4(), uuid4()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_to_the_same(secret: str) -> None:
    sealer = Sealer({1: OLD})
    sealed = sealer.seal(secret, user_id=ALICE, key="TOKEN")
    assert sealer.open(sealed, user_id=ALICE, key="TOKEN") == secret
    assert sealer.seal(secret, user_id=ALICE, key="TOKEN") != sealed


def test_it_opens_for_no_other_user_and_under_no_other_name() -> None:
    sealer = Sealer({1: OLD})
    sealed = sealer.seal("hush", user_id=ALICE, key="TOKEN")
    for user_id, key in ((BOB, "TOKEN"), (ALICE, "TOKEN2"), (ALICE, "")):
        with pytest.raises(SealBroken):
            sealer.open(sealed, user_id=user_id, key=key)


def test_every_flipped_bit_and_every_cut_is_seen() -> None:
    sealer = Sealer({1: OLD})
    content = sealer.seal("hush", user_id=ALICE, key="TOKEN").content
    flipped = [
        bytes([*content[:place], content[place] ^ 1 << bit, *content[place + 1 :]])
        for place in range(len(content))
        for bit in range(8)
    ]
    cut = [content[:length] for length in range(len(content))]
    for faulty in [*flipped, *cut, content + b"\0"]:
        with pytest.raises(SealBroken):
            sealer.open(Sealed(faulty, 1), user_id=ALICE, key="TOKEN")


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    before = Sealer({1: OLD}).seal("hush", user_id=ALICE, key="TOKEN")
    rotated = Sealer({1: OLD, 2: NEW})
    assert rotated.open(before, user_id=ALICE, key="TOKEN") == "hush"
    assert rotated.seal("hush", user_id=ALICE, key="TOKEN").version == 2
    assert rotated.seal("hush", user_id=ALICE, key="TOKEN", version=1).version == 1


def test_a_wrong_or_absent_master_key_opens_nothing() -> None:
    sealed = Sealer({1: OLD}).seal("hush", user_id=ALICE, key="TOKEN")
    for sealer, refusal in ((Sealer({1: NEW}), SealBroken), (Sealer({2: OLD}), KeyNotHere)):
        with pytest.raises(refusal):
            sealer.open(sealed, user_id=ALICE, key="TOKEN")
    both = Sealer({1: OLD, 2: OLD})
    with pytest.raises(SealBroken):
        both.open(Sealed(sealed.content, 2), user_id=ALICE, key="TOKEN")
    with pytest.raises(KeyNotHere):
        Sealer({1: OLD}).seal("hush", user_id=ALICE, key="TOKEN", version=2)


def test_a_version_that_is_not_here_is_looked_for_once_it_is_needed() -> None:
    sealed = Sealer({1: OLD, 2: NEW}).seal("hush", user_id=ALICE, key="TOKEN")
    file: dict[int, bytes] = {1: OLD}
    sealer = Sealer(file, reload=lambda: file)
    with pytest.raises(KeyNotHere) as refused:
        sealer.open(sealed, user_id=ALICE, key="TOKEN")
    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)
    file[2] = NEW
    assert sealer.open(sealed, user_id=ALICE, key="TOKEN") == "hush"


def test_a_key_that_is_here_stays_whatever_becomes_of_its_file() -> None:
    sealed = Sealer({1: OLD}).seal("hush", user_id=ALICE, key="TOKEN")
    for file in ({1: NEW}, {2: NEW}):
        sealer = Sealer({1: OLD}, reload=lambda file=file: file)
        sealer.refresh()
        assert sealer.open(sealed, user_id=ALICE, key="TOKEN") == "hush"


def test_a_file_that_can_no_longer_be_read_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def unreadable() -> dict[int, bytes]:
        raise Misconfigured("others may read the master key")

    sealer = Sealer({1: OLD}, reload=unreadable)
    for _ in range(3):
        sealer.refresh()
    assert [each.getMessage() for each in caplog.records] == [
        "the master key is not read anew: others may read the master key"
    ]


def test_nothing_is_sealed_under_another_key_of_the_same_version() -> None:
    sealer = Sealer({1: OLD})
    sealer.refuse_unless(1, fingerprint_of(OLD))
    for version, fingerprint in ((1, fingerprint_of(NEW)), (2, fingerprint_of(OLD)), (2, b"")):
        with pytest.raises(KeyNotHere):
            sealer.refuse_unless(version, fingerprint)
