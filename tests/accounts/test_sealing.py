from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.sealing import SealBroken, Sealed, Sealer
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
    assert rotated.versions == {1, 2}
    assert rotated.open(before, user_id=ALICE, key="TOKEN") == "hush"
    assert rotated.seal("hush", user_id=ALICE, key="TOKEN").version == 2
    assert Sealer({1: OLD, 2: NEW}, current=1).seal("hush", user_id=ALICE, key="TOKEN").version == 1


def test_a_wrong_or_absent_master_key_opens_nothing() -> None:
    sealed = Sealer({1: OLD}).seal("hush", user_id=ALICE, key="TOKEN")
    for sealer in (Sealer({1: NEW}), Sealer({2: OLD})):
        with pytest.raises(SealBroken):
            sealer.open(sealed, user_id=ALICE, key="TOKEN")
    both = Sealer({1: OLD, 2: OLD})
    with pytest.raises(SealBroken):
        both.open(Sealed(sealed.content, 2), user_id=ALICE, key="TOKEN")
    with pytest.raises(Misconfigured):
        Sealer({1: OLD}, current=2)
