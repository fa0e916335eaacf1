"""Signatures are what Standard Webhooks says: its published examples, and its own library as the judge."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tollkeeper.accounts.secrets import masterkey
from tollkeeper.webhooks import signing

ROOT = bytes(range(32))
PUBLISHED = [
    (
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        '{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ),
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        '{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
]


@pytest.mark.parametrize(("secret", "name", "at", "body", "signature"), PUBLISHED)
def test_the_published_examples_are_signed_so(secret: str, name: str, at: int, body: str, signature: str) -> None:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = signing.headers(name, datetime.fromtimestamp(at, tz=UTC), body.encode(), [key])
    assert said == {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signature}


@given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(min_value=1, max_value=2**31 - 1))
def test_the_public_library_takes_whatever_we_sign(body: str, generation: int) -> None:
    endpoint = uuid4()
    secrets = signing.secrets_of(ROOT, endpoint, generation, is_rotating=True)
    said = signing.headers(signing.message_id(uuid4()), datetime.now(UTC), body.encode(), secrets)
    for each in secrets:
        Webhook(signing.shown(each)).verify(body, said, json_parse=False)


@pytest.mark.parametrize("case", ["another secret", "another body", "another id", "too old", "from the future", "v2"])
def test_what_is_not_ours_is_refused(case: str) -> None:
    """What a receiver with the public library refuses, so that replays and forgeries do not pass."""
    key = signing.secret_of(ROOT, UUID(int=1), 1)
    later = {"too old": timedelta(minutes=-6), "from the future": timedelta(minutes=6)}.get(case, timedelta())
    said = signing.headers("evt_1", datetime.now(UTC) + later, b"{}", [key])
    if case == "another id":
        said["webhook-id"] = "evt_2"
    if case == "v2":
        said["webhook-signature"] = said["webhook-signature"].replace("v1,", "v2,")
    other = signing.secret_of(ROOT, UUID(int=1), 2) if case == "another secret" else key
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.shown(other)).verify("{ }" if case == "another body" else "{}", said)


def test_for_a_while_either_secret_verifies() -> None:
    new, old = signing.secrets_of(ROOT, UUID(int=1), 2, is_rotating=True)
    said = signing.headers("evt_1", datetime.now(UTC), b"{}", [new, old])
    for each in (new, old):
        assert Webhook(signing.shown(each)).verify(b"{}", said) == {}
    assert signing.secrets_of(ROOT, UUID(int=1), 2, is_rotating=False) == [new]
    assert old == signing.secret_of(ROOT, UUID(int=1), 1)


def test_each_endpoint_and_rotation_has_a_secret_of_its_own_and_the_oldest_key_makes_it() -> None:
    one, other = UUID(int=1), UUID(int=2)
    made = {signing.secret_of(ROOT, each, generation) for each in (one, other) for generation in (1, 2, 3)}
    assert len(made) == 6
    assert {len(each) for each in made} == {32}
    keys = {1: bytes(range(32)), 2: bytes(range(32, 64))}
    assert masterkey.webhook_root_of(keys) == masterkey.webhook_root_of({1: keys[1]})
    assert masterkey.webhook_root_of(keys) != masterkey.pepper_of(keys)


def test_an_id_has_no_dot() -> None:
    assert signing.message_id(UUID(int=7)) == "evt_00000000-0000-0000-0000-000000000007"
