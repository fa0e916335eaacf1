"""A Stripe for tests: events of its documented shapes, signed as it signs them, and the API as far as it is asked."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

SECRET_KEY: Final = "sk_test_0123456789abcdefghij"
WEBHOOK_SECRET: Final = "whsec_0123456789abcdefghij"
OLD_WEBHOOK_SECRET: Final = "whsec_old_6789abcdefghijklm"
NOW: Final = 1_780_000_000
MONTH: Final = 2_678_400

_DATA: Final = Path(__file__).parent / "data" / "stripe"
_SUBSCRIPTION: Final[Any] = msgspec.json.decode((_DATA / "customer.subscription.json").read_bytes())
_CHECKOUT: Final[Any] = msgspec.json.decode((_DATA / "checkout.session.completed.json").read_bytes())
_numbers = itertools.count(1)


def subscription(kind: str, *, at: int = NOW, price: str = "price_pro_monthly", **said: Any) -> dict[str, Any]:
    """Make an event about a subscription; ``at`` in seconds, ``said`` are fields of the subscription."""
    event = copy.deepcopy(_SUBSCRIPTION)
    event |= {"id": f"evt_{next(_numbers):024}", "type": f"customer.subscription.{kind}", "created": at}
    about = event["data"]["object"]
    about["items"]["data"][0]["price"]["id"] = price
    about["items"]["data"][0]["current_period_end"] = said.pop("period_end", NOW + MONTH)
    if kind == "deleted":
        about |= {"status": "canceled", "ended_at": at, "canceled_at": at}
    about |= said
    return event


def checkout(**said: Any) -> dict[str, Any]:
    """Make an event about a checkout that was paid; ``said`` are fields of its session."""
    event = copy.deepcopy(_CHECKOUT)
    event["id"] = f"evt_{next(_numbers):024}"
    event["data"]["object"] |= said
    return event


def signed(event: Any, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> tuple[bytes, str]:
    """Write an event down as it is sent, and sign it by hand: as Stripe documents it, not by its library."""
    raw = msgspec.json.encode(event)
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
    return raw, f"t={moment},v1={digest}"


@dataclass(slots=True)
class FakeStripe:
    """What it was asked. ``mood``: how it answers instead of properly."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    mood: str = "well"

    async def checkout(self, request: web.Request) -> web.StreamResponse:
        """Make a checkout session."""
        return await self._answer(request, "checkout.session", "https://checkout.stripe.com/c/pay/cs_test_1")

    async def portal(self, request: web.Request) -> web.StreamResponse:
        """Make a session of the customer portal."""
        return await self._answer(request, "billing_portal.session", "https://billing.stripe.com/p/session/test_1")

    async def _answer(self, request: web.Request, kind: str, url: str) -> web.StreamResponse:
        assert request.content_type == "application/x-www-form-urlencoded"
        self.asked.append((request.path, {name: str(value) for name, value in (await request.post()).items()}))
        self.is_asked.set()
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            return web.json_response({"error": {"type": "invalid_request_error"}}, status=401)
        if self.mood == "hangs":
            await asyncio.sleep(60)
        odd = {
            "fails": web.json_response({"error": {"type": "api_error", "message": "sorry"}}, status=500),
            "limits": web.json_response({"error": {"type": "invalid_request_error"}}, status=429),
            "talks nonsense": web.Response(text="<html>not JSON", content_type="text/html"),
            "says little": web.json_response({"id": "cs_test_1", "object": kind, "url": None}),
            "says much": web.Response(body=b"[" + b" " * 100_000 + b"]", content_type="application/json"),
            "packs": web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
            "sends on": web.Response(status=302, headers={"Location": "https://evil.example/"}),
            "refuses": _refused("resource_missing", "line_items", "No such price, ana@example.com"),
        }
        said = self.asked[-1][1]
        for who in {"customer", "customer_email"} & set(said):
            if self.mood == "knows nobody":
                return _refused("resource_missing", who, "No such customer")
        return odd.get(self.mood) or web.json_response({"id": "cs_test_1", "object": kind, "url": url})


def _refused(code: str, param: str, message: str) -> web.Response:
    said = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
    return web.json_response({"error": said}, status=400)


@asynccontextmanager
async def fake_stripe() -> AsyncGenerator[FakeStripe]:
    """Serve it on a free port."""
    stripe = FakeStripe()
    app = web.Application()
    app.add_routes(
        [web.post("/v1/checkout/sessions", stripe.checkout), web.post("/v1/billing_portal/sessions", stripe.portal)]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stripe.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stripe
    finally:
        await runner.cleanup()
