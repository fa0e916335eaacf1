"""Passkeys in a real browser, with a device that Chromium plays: made by who is signed in, used by who is not."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.web.visitors import Served, Visitor, visiting

# What a page of the app does, in the words of docs/accounts.md.
_POST = """const post = async (path, says) => {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(says),
  });
  return { status: answer.status, ...(await answer.json()) };
};"""
_MAKE = f"""async (name) => {{ {_POST}
  const {{ options, ceremony }} = await post("/api/account/passkeys/options");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({{ publicKey }});
  return post("/api/account/passkeys", {{ ceremony, credential, name }});
}}"""
_SIGN = f"""async () => {{ {_POST}
  const {{ options, ceremony }} = await post("/api/sign-in/passkey/options");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({{ publicKey }});
  return {{ ceremony, credential: credential.toJSON() }};
}}"""
_ENTER = f"async (says) => {{ {_POST} return post('/api/sign-in/passkey', says); }}"


class Device:
    """The device that Chromium plays for a page."""

    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        self._name = name

    @classmethod
    async def beside(cls, page: Page, **traits: Any) -> Device:
        """Have one that keeps passkeys and knows its owner."""
        session: Any = await page.context.new_cdp_session(page)
        await session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options | traits})
        return cls(session, made["authenticatorId"])

    async def passkeys(self) -> list[dict[str, Any]]:
        """What it keeps, the secret halves too."""
        told = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._name})
        return told["credentials"]

    async def forget_its_owner(self) -> None:
        """Let it know nobody by a finger or a code from now on."""
        says = {"authenticatorId": self._name, "isUserVerified": False}
        await self._session.send("WebAuthn.setUserVerified", says)

    async def forget_its_passkeys(self) -> None:
        """Let it have none of those that it has made."""
        await self._session.send("WebAuthn.clearCredentials", {"authenticatorId": self._name})

    async def keep(self, passkey: dict[str, Any]) -> None:
        """Give it a passkey, such as one that was copied from another."""
        await self._session.send("WebAuthn.addCredential", {"authenticatorId": self._name, "credential": passkey})


async def test_a_passkey_is_made_and_signs_in_again_and_again(visitor: Visitor) -> None:
    email = await visitor.served.newcomer()
    device = await Device.beside(visitor.page)
    await visitor.sign_in(email)
    made = await visitor.page.evaluate(_MAKE, "Chromium")
    assert (made["status"], made["passkey"]["name"], made["passkey"]["isSynced"]) == (201, "Chromium", False)
    assert [each["isResidentCredential"] for each in await device.passkeys()] == [True]
    for button in ("Use a passkey", "Continue with a passkey"):
        await visitor.sign_out()
        await visitor.page.get_by_role("button", name=button).click()
        await visitor.at_dashboard()
        assert email in await visitor.named()
    sessions = (await visitor.fetch("/api/account/sessions"))["items"]
    assert [(each["signedInBy"], each["isCurrent"]) for each in sessions] == [("passkey", True)]
    assert sessions[0]["device"].startswith("Chrome on ")
    (kept,) = (await visitor.fetch("/api/account/passkeys"))["items"]
    assert kept["lastUsedAt"]
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_a_device_that_has_a_passkey_of_the_account_makes_no_second(visitor: Visitor) -> None:
    await Device.beside(visitor.page)
    await visitor.sign_in(await visitor.served.newcomer())
    assert (await visitor.page.evaluate(_MAKE, "one"))["status"] == 201
    with pytest.raises(Exception, match="InvalidStateError"):
        await visitor.page.evaluate(_MAKE, "two")


async def test_a_copy_of_a_passkey_is_refused_once_its_twin_was_used(
    visitor: Visitor, chromium: Browser, served: Served
) -> None:
    device = await Device.beside(visitor.page)
    await visitor.sign_in(await visitor.served.newcomer())
    await visitor.page.evaluate(_MAKE, "one")
    (copied,) = await device.passkeys()
    for _ in range(2):
        said = await visitor.page.evaluate(_SIGN)
        assert (await visitor.page.evaluate(_ENTER, said))["status"] == 200
    async with visiting(chromium, served, is_watched=False) as thief:
        await (await Device.beside(thief.page)).keep(copied)
        await thief.go("/")
        said = await thief.page.evaluate(_SIGN)
        told = await thief.page.evaluate(_ENTER, said)
        assert (told["status"], told["type"]) == (401, "/problems/passkey-refused")
        # Nor does it help to take a good signature from the owner's browser.
        said = await visitor.page.evaluate(_SIGN)
        assert (await thief.page.evaluate(_ENTER, said))["status"] == 401
        assert (await thief.fetch("/api/account"))["status"] == 401
    assert (await visitor.page.evaluate(_ENTER, said))["status"] == 200


async def test_a_device_that_knows_its_owner_no_more_signs_nobody_in(visitor: Visitor) -> None:
    device = await Device.beside(visitor.page)
    await visitor.sign_in(await visitor.served.newcomer())
    await visitor.page.evaluate(_MAKE, "one")
    await device.forget_its_owner()
    await visitor.sign_out()
    await visitor.page.get_by_role("button", name="Use a passkey").click()
    await visitor.page.get_by_text("No passkey was used").wait_for()
    assert (await visitor.fetch("/api/account"))["status"] == 401
