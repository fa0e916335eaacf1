"""Browsers that keep their cookies, each in a network of its own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .conftest import JSON, Heard, Site

_numbers = itertools.count(1)


@dataclass(slots=True)
class Browser:
    """Keeps cookies, and comes from a network of its own."""

    site: Site
    address: str
    cookies: dict[str, str]

    async def call(self, method: str, path: str, *, says: Any = None, by: Mapping[str, str] | None = None) -> Heard:
        headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": self.address} | dict(by or {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        heard = await self.site.call(method, path, says=says, by=headers | (JSON if says is not None else {}))
        answered: Any = heard.headers
        for told in answered.getall("Set-Cookie", []):
            name, _, value = str(told).partition(";")[0].partition("=")
            self.cookies[name] = value
        return heard

    async def ask(self, email: str, leads_to: str = "/") -> Heard:
        return await self.call("POST", "/api/sign-in/email", says={"email": email, "next": leads_to})

    async def type(self, email: str, code: str) -> Heard:
        return await self.call("POST", "/api/sign-in/code", says={"email": email, "code": code})

    async def who(self) -> str | None:
        heard = await self.call("GET", "/api/account")
        return heard.json["account"]["email"] if heard.status == 200 else None


def a_browser(site: Site) -> Browser:
    number = next(_numbers)
    return Browser(site, f"10.{number // 250}.{number % 250}.7", {})
