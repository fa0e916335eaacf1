"""A GitHub for tests: its sign-in pages and its API, as strict as the real one about codes, PKCE and who asks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from yarl import URL

CLIENT_ID: Final = "Iv1.0123456789abcdef"
CLIENT_SECRET: Final = "fake-client-secret-0123456789"


@dataclass(slots=True)
class Somebody:
    """Who is signed in to GitHub in the browser that comes."""

    id: int
    login: str = "ada"
    emails: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @classmethod
    def with_email(cls, number: int, email: str, *, verified: bool = True, primary: bool = True) -> Somebody:
        """Make one with one address, beside one that is not to be taken."""
        other = {"email": f"{number}@users.noreply.github.com", "primary": not primary, "verified": True}
        return cls(number, emails=[other, {"email": email, "primary": primary, "verified": verified}])


@dataclass(slots=True)
class Issued:
    """A code, and what it was issued for."""

    somebody: Somebody
    challenge: str
    redirect_uri: str


@dataclass(slots=True)
class FakeGitHub:
    """What it knows, and what it was asked. ``mood``: how it answers instead of properly."""

    url: str = ""
    redirect_uri: str = ""
    somebody: Somebody = field(default_factory=lambda: Somebody(1))
    codes: dict[str, Issued] = field(default_factory=dict[str, Issued])
    tokens: dict[str, Somebody] = field(default_factory=dict[str, Somebody])
    asked: list[str] = field(default_factory=list[str])
    mood: str = "well"

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Somebody says yes."""
        query = request.query
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == self.redirect_uri
        assert (query["response_type"], query["scope"]) == ("code", "user:email")
        assert query["code_challenge_method"] == "S256"
        assert len(query["state"]) >= 43
        code = secrets.token_hex(10)
        self.codes[code] = Issued(self.somebody, query["code_challenge"], query["redirect_uri"])
        raise web.HTTPFound(URL(self.redirect_uri).with_query(code=code, state=query["state"]))

    async def access_token(self, request: web.Request) -> web.StreamResponse:
        """A code for a token, once; errors come with status 200, as there."""
        if (odd := await self._odd(request)) is not None:
            return odd
        form = await request.post()
        issued = self.codes.pop(str(form.get("code")), None)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "incorrect_client_credentials"})
        verifier = str(form.get("code_verifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if issued is None or challenge != issued.challenge or form.get("redirect_uri") != issued.redirect_uri:
            return web.json_response({"error": "bad_verification_code", "error_description": "incorrect or expired"})
        token = "gho_" + secrets.token_hex(18)
        self.tokens[token] = issued.somebody
        return web.json_response({"access_token": token, "scope": "user:email", "token_type": "bearer"})

    async def user(self, request: web.Request) -> web.StreamResponse:
        """Who the token is of."""
        somebody = self._of(request)
        about = {"login": somebody.login, "id": somebody.id, "email": "not-to-be-believed@example.com", "name": None}
        return web.json_response(about)

    async def emails(self, request: web.Request) -> web.StreamResponse:
        """All their addresses."""
        return web.json_response(self._of(request).emails)

    def _of(self, request: web.Request) -> Somebody:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if not request.headers.get("User-Agent") or kind.lower() != "bearer" or token not in self.tokens:
            raise web.HTTPUnauthorized
        return self.tokens[token]

    async def _odd(self, request: web.Request) -> web.StreamResponse | None:
        self.asked.append(request.path)
        if self.mood == "hangs":
            await asyncio.sleep(60)
        if self.mood == "sends on":
            raise web.HTTPFound("https://evil.example/")
        if self.mood == "never ends":
            answer = web.StreamResponse(headers={"Content-Type": "application/json"})
            await answer.prepare(request)
            for _ in range(1_600):
                await answer.write(b" " * 65_536)
            return answer
        odd = {
            "fails": web.Response(status=500, text="unicorn"),
            "talks nonsense": web.Response(text="<html>not JSON", content_type="text/html"),
            "gives no token": web.json_response({"token_type": "bearer"}),
            "packs": web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
        }
        return odd.get(self.mood)


@asynccontextmanager
async def fake_github() -> AsyncGenerator[FakeGitHub]:
    """Serve it on a free port."""
    github = FakeGitHub()
    app = web.Application()
    app.add_routes(
        [
            web.get("/login/oauth/authorize", github.authorize),
            web.post("/login/oauth/access_token", github.access_token),
            web.get("/api/v3/user", github.user),
            web.get("/api/v3/user/emails", github.emails),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    github.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield github
    finally:
        await runner.cleanup()
