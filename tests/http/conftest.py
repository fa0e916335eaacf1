"""The real application on real sockets and a real PostgreSQL, one for each file; every test makes its own users."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pytest

from tests.conftest import Server, a_database
from tollkeeper.accounts import keys, users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor
from tollkeeper.app import Application, running
from tollkeeper.serving import Stop, listening, serving
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses

from .wires import Wire

_numbers = itertools.count(1)
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return msgspec.json.decode(self.body)

    @property
    def faulty(self) -> set[str]:
        """The fields that a problem names."""
        return {each["field"] for each in self.json.get("errors", [])}

    def is_problem(self, status: int, slug: str) -> bool:
        """Whether it is a whole problem document of a kind."""
        told = self.json
        assert self.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "instance", "traceId"} <= told.keys()
        assert told["status"] == self.status
        assert told["traceId"] == self.headers["X-Trace-Id"]
        return (self.status, told["type"]) == (status, f"/problems/{slug}")


@dataclass(frozen=True, slots=True)
class Person:
    """A user of this test, with a key and a signed-in browser."""

    id: UUID
    email: str
    key: str
    cookie: str

    @property
    def by_key(self) -> dict[str, str]:
        """Headers of their program."""
        return JSON | {"Authorization": f"Bearer {self.key}"}

    @property
    def by_cookie(self) -> dict[str, str]:
        """Headers of a page of this site in their browser."""
        return {"Cookie": f"__Host-tollkeeper={self.cookie}", "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True, slots=True)
class Site:
    """The running service and what tests do with it."""

    url: str
    application: Application
    addresses: Addresses
    client: aiohttp.ClientSession
    owner: asyncpg.Connection
    key: str
    data: Path = field(default_factory=Path)

    async def call(
        self, method: str, path: str, *, by: Mapping[str, str] | None = None, says: Any = None, raw: bytes | None = None
    ) -> Heard:
        """Make one exchange; ``says`` is sent as JSON, ``raw`` as it is."""
        body = msgspec.json.encode(says) if says is not None else raw
        async with self.client.request(method, self.url + path, headers=by, data=body, allow_redirects=False) as answer:
            is_endless = answer.content_type == "text/event-stream" and method != "HEAD"
            said = answer.content.readuntil(b"\n\n") if is_endless else answer.read()
            return Heard(answer.status, answer.headers, await said)

    def as_service(self, email: str, key: str | None = None) -> dict[str, str]:
        """Headers of a backend that acts for a user."""
        return JSON | {"Authorization": f"Bearer {key or self.key}", "Tollkeeper-User": email}

    async def person(self, plan: str = "enterprise", scopes: Collection[str] | None = None) -> Person:
        """Make a user who may do everything."""
        database, pepper = self.application.backend.database, self.application.backend.pepper
        user = await users.add(database, f"person-{next(_numbers)}@example.com", plan=plan)
        wanted = keys.SCOPES["user"] if scopes is None else scopes
        key = await keys.create(
            database, kind="user", name="test", user_id=user.id, pepper=pepper, actor=Actor("test"), scopes=wanted
        )
        return Person(user.id, user.email, key.key, await self.signed_in(user.id))

    async def operator(self) -> Person:
        """Make a person with the role admin."""
        made = await self.person()
        await users.change(self.application.backend.database, made.id, actor=Actor("test"), admin=True)
        return made

    async def signed_in(self, user_id: UUID) -> str:
        """Sign a user in and give the cookie's value."""
        database, pepper = self.application.backend.database, self.application.backend.pepper
        link = await logins.make_link(database, user_id, pepper=pepper, actor=Actor("test"))
        return (await logins.redeem(database, link.token, pepper=pepper)).token

    async def service_key(self, *scopes: str) -> str:
        """Make a service key."""
        database, pepper = self.application.backend.database, self.application.backend.pepper
        return (
            await keys.create(database, kind="service", name="t", pepper=pepper, actor=Actor("test"), scopes=scopes)
        ).key

    async def plan(self, name: str, **terms: Any) -> str:
        """Put a plan into the catalogue."""
        rank = 100 + next(_numbers)
        columns = {"name": f"{name}-{rank}", "rank": rank, "features": '["*"]'} | terms
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        statement = f"INSERT INTO plans ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - names are the tests' own
        await self.owner.execute(statement, *columns.values())
        return str(columns["name"])

    async def rows(self) -> dict[str, int]:
        """How many rows every table has, but for those that nodes write by themselves."""
        tables = await self.owner.fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace "
            "AND relname NOT LIKE 'node%'"
        )
        count = "SELECT count(*) FROM "
        return {name: await self.owner.fetchval(count + f'"{name}"') for (name,) in tables}

    async def start(self, person: Person, **says: Any) -> Any:
        """Start a request and give the answer."""
        heard = await self.call("POST", "/api/chat/track", by=person.by_key, says={"prompt": "Hello"} | says)
        assert heard.status == 201, heard.body
        return heard.json

    async def finish(self, person: Person, request: str, **says: Any) -> Any:
        """Finish a request and give the answer."""
        says = {"requestId": request, "status": "completed"} | says
        heard = await self.call("PUT", "/api/chat/track", by=person.by_key, says=says)
        assert heard.status == 200, heard.body
        return heard.json


@asynccontextmanager
async def a_site(server: Server, settings: Settings) -> AsyncGenerator[Site]:
    """Run the service on a database of its own."""
    async with a_database(server, template="tollkeeper") as addresses, running(settings, addresses) as application:
        with listening(settings) as listener:
            async with (
                serving(settings, application, listener, Stop()) as url,
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            ):
                owner = await asyncpg.connect(addresses.owner)
                made = Site(url.replace("localhost", "127.0.0.1"), application, addresses, client, owner, "")
                scopes = keys.SCOPES["service"]
                yield Site(made.url, application, addresses, client, owner, await made.service_key(*scopes))
                await owner.close()


@pytest.fixture(scope="module")
async def service(server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """The service, on a database of this file's own."""
    settings = Settings(port=0, data=str(tmp_path_factory.mktemp("data")), database_connections=4)
    async with a_site(server, settings) as site:
        yield site


@pytest.fixture
async def alice(service: Site) -> Person:
    """Someone without limits."""
    return await service.person()


@pytest.fixture
async def bob(service: Site) -> Person:
    """Someone else."""
    return await service.person()


@pytest.fixture
async def wire(service: Site) -> AsyncGenerator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    yield Wire(reader, writer)
    writer.close()
