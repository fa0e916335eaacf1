"""Stripe by its library: is an event signed by it, and where somebody pays or manages what they pay for.

Only here is the library known. It is asked through our own HTTP client: bounded in size and time, and never blocking.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import httpx2
import stripe

from tollkeeper.accounts.outside import Bounded
from tollkeeper.errors import NotForSale, NotSigned, Unavailable
from tollkeeper.selling.events import USER
from tollkeeper.selling.order import Order

if TYPE_CHECKING:
    from stripe.params.billing_portal import SessionCreateParams as PortalParams
    from stripe.params.checkout import SessionCreateParams as CheckoutParams

log = logging.getLogger(__name__)

_ANSWER_SECONDS: Final = 5.0
_MOST_AT_ONCE: Final = 20
_RETRY_SECONDS: Final = 10
_TOLERANCE_SECONDS: Final = 300
_AHEAD_SECONDS: Final = 60

# Else the library tells Stripe what machine this is, and how long each answer took.
stripe.enable_telemetry = False


class Stripe:
    """Our account at Stripe. Two secrets of its webhook may live at a time, while one takes the other's place."""

    def __init__(self, secret_key: str, webhook_secrets: Sequence[str], url: str, site: str) -> None:
        self._secrets = tuple(webhook_secrets)
        self._site = site
        self._asking = asyncio.Semaphore(_MOST_AT_ONCE)
        self._client = stripe.StripeClient(
            secret_key, base_addresses={"api": url}, http_client=_Client(), max_network_retries=0
        )

    def refuse_unsigned(self, raw: bytes, signature: bytes | None, *, at: float) -> None:
        """Refuse what is not signed by Stripe within the last five minutes; ``NotSigned`` says no more than that.

        ``at`` is the present in seconds, for what claims to come from the future; the library reads its own clock.
        """
        try:
            header = (signature or b"").decode("ascii")
            body = raw.decode()
        except UnicodeDecodeError:
            raise NotSigned("this is not signed by Stripe") from None
        if not any(_is_signed(body, header, secret, latest=at + _AHEAD_SECONDS) for secret in self._secrets):
            raise NotSigned("this is not signed by Stripe, or was more than five minutes ago")

    async def checkout(self, order: Order) -> str:
        """Order something and say where it is paid; ``Unavailable`` if Stripe is away, ``NotForSale`` if it refuses."""
        about = {USER: str(order.user_id)}
        params: CheckoutParams = {
            "mode": "subscription",
            "line_items": [{"price": order.price, "quantity": 1}],
            "client_reference_id": str(order.user_id),
            "metadata": about,
            "subscription_data": {"metadata": about},
            "success_url": f"{self._site}/plan",
            "cancel_url": f"{self._site}/plan",
        }
        if order.trial_days:
            params["subscription_data"] = {"metadata": about, "trial_period_days": order.trial_days}
        who: CheckoutParams = {}
        if order.customer_id is not None:
            who = {"customer": order.customer_id}
        elif order.email is not None:
            who = {"customer_email": order.email}
        sessions = self._client.v1.checkout.sessions
        try:
            return await self._url_of(sessions.create_async({**params, **who}))
        except NotForSale as refusal:
            if getattr(refusal.__cause__, "param", None) not in who:
                raise
            # A customer who was deleted there, or an address that Stripe takes for none: it asks them itself.
            return await self._url_of(sessions.create_async(params))

    async def portal(self, customer_id: str) -> str:
        """Say where a customer manages what they pay for; errors as for ``checkout``."""
        params: PortalParams = {"customer": customer_id, "return_url": f"{self._site}/plan"}
        return await self._url_of(self._client.v1.billing_portal.sessions.create_async(params))

    async def _url_of(self, asking: Awaitable[Any]) -> str:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._asking:
                url = (await asking).url
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            # What it says is left out: it may repeat an address.
            log.warning("Stripe refuses (request %s): %s", error.request_id, error.code or type(error).__name__)
            raise NotForSale("Stripe does not take this order: the operator finds in the log why") from error
        except (stripe.StripeError, TimeoutError, ValueError) as error:
            log.warning("Stripe gives no proper answer: %s", type(error).__name__)
            raise _away() from error
        if not isinstance(url, str) or not url.startswith("https://"):
            raise _away()
        return url


class _Client(stripe.HTTPClient):
    """Lets the library ask through ours, a connection for each question."""

    name = "httpx2"

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Ask once; ``APIConnectionError`` if no answer comes."""
        plain = {**headers, "Accept-Encoding": "identity"}
        try:
            async with httpx2.AsyncClient(transport=Bounded(), timeout=_ANSWER_SECONDS) as client:
                answer = await client.request(method, url, headers=plain, content=post_data)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise stripe.APIConnectionError(f"a {type(error).__name__} was raised") from error
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Nothing stays open."""


def _is_signed(body: str, header: str, secret: str, *, latest: float) -> bool:
    try:
        stripe.WebhookSignature.verify_header(  # pyright: ignore[reportUnknownMemberType] - `tolerance` lacks a type
            body, header, secret, _TOLERANCE_SECONDS
        )
    except stripe.SignatureVerificationError:
        return False
    # The library lets pass what was signed in the future.
    signed_at = next(part.split("=")[1] for part in header.split(",") if part.startswith("t="))
    return int(signed_at) <= latest


def _away() -> Unavailable:
    return Unavailable("Stripe gives no proper answer right now: try again", retry_after_seconds=_RETRY_SECONDS)
