"""What devices are asked to sign, and whether what they signed holds. Only here is the WebAuthn library known.

Loaded when the first passkey is made or used: the library takes a tenth of all the time that a start takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import webauthn
from webauthn import helpers
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import structs
from webauthn.helpers.cose import COSEAlgorithmIdentifier

from tollkeeper.accounts.sign_in.relying_party import RelyingParty

# What all devices of today can do; the first that a device knows is taken.
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_MOST_KEY_BYTES: Final = 2048
_MOST_ID_BYTES: Final = 1023
_Verified = TypeVar("_Verified")


@dataclass(frozen=True, slots=True)
class Made:
    """The public half of a passkey that a device has made."""

    id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_synced: bool


@dataclass(frozen=True, slots=True)
class Given:
    """What a browser brings to sign in, not judged yet: ``id`` says which passkey it claims to be."""

    id: bytes
    credential: structs.AuthenticationCredential


@dataclass(frozen=True, slots=True)
class Used:
    """A signature that holds; ``sign_count`` is how many the device says that it has given."""

    sign_count: int
    is_synced: bool


def to_sign_in(party: RelyingParty, ceremony: str, *, valid_for: timedelta) -> dict[str, Any]:
    """Write what a browser is asked: any passkey of this site will do."""
    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        challenge=_challenge(ceremony),
        timeout=_milliseconds(valid_for),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return helpers.options_to_json_dict(options)


def to_make(
    party: RelyingParty,
    ceremony: str,
    *,
    valid_for: timedelta,
    user_id: UUID,
    email: str,
    name: str,
    known: Iterable[tuple[bytes, Iterable[str]]],
) -> dict[str, Any]:
    """Write what a browser is asked to make a passkey of a user; devices that hold a known one make no other."""
    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name="tollkeeper",
        user_id=user_id.bytes,
        user_name=email,
        user_display_name=name,
        challenge=_challenge(ceremony),
        timeout=_milliseconds(valid_for),
        attestation=structs.AttestationConveyancePreference.NONE,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(
                id=credential_id, transports=[structs.AuthenticatorTransport(each) for each in transports]
            )
            for credential_id, transports in known
        ],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return helpers.options_to_json_dict(options)


def made(party: RelyingParty, ceremony: str, credential: Mapping[str, Any]) -> Made | None:
    """Judge a new passkey; nothing if it is not what the options asked for."""
    return _judged(lambda: _made(party, ceremony, credential))


def given(credential: Mapping[str, Any]) -> Given | None:
    """Read which passkey is meant; nothing if it can be none."""
    read = _judged(lambda: helpers.parse_authentication_credential_json(dict(credential)))
    return None if read is None else Given(read.raw_id, read)


def used(party: RelyingParty, ceremony: str, came: Given, *, user_id: UUID, public_key: bytes) -> Used | None:
    """Judge a signature by the key that we keep of a user; nothing if it does not hold."""
    if came.credential.response.user_handle != user_id.bytes:
        return None
    verified = _judged(lambda: _used(party, ceremony, came.credential, public_key))
    return None if verified is None else Used(verified.new_sign_count, verified.credential_backed_up)


def _made(party: RelyingParty, ceremony: str, credential: Mapping[str, Any]) -> Made | None:
    new = helpers.parse_registration_credential_json(dict(credential))
    verified = webauthn.verify_registration_response(
        credential=new,
        expected_challenge=_challenge(ceremony),
        expected_rp_id=party.host,
        expected_origin=party.origin,
        require_user_verification=True,
        supported_pub_key_algs=_ALGORITHMS,
    )
    if len(verified.credential_id) > _MOST_ID_BYTES or len(verified.credential_public_key) > _MOST_KEY_BYTES:
        return None
    return Made(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        tuple(sorted({each.value for each in new.response.transports or ()})),
        verified.credential_backed_up,
    )


def _used(
    party: RelyingParty, ceremony: str, credential: structs.AuthenticationCredential, public_key: bytes
) -> VerifiedAuthentication:
    return webauthn.verify_authentication_response(
        credential=credential,
        expected_challenge=_challenge(ceremony),
        expected_rp_id=party.host,
        expected_origin=party.origin,
        credential_public_key=public_key,
        # The database decides on the count, where nobody can come between.
        credential_current_sign_count=0,
        require_user_verification=True,
    )


def _judged(verify: Callable[[], _Verified]) -> _Verified | None:
    """Judge a stranger's bytes: whatever the library makes of them that is not a yes is a no."""
    try:
        return verify()
    except Exception:  # noqa: BLE001 - it has many words for no, and those of what it is built on besides
        return None


def _challenge(ceremony: str) -> bytes:
    return webauthn.base64url_to_bytes(ceremony)


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
