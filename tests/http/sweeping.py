"""Sending made-up secrets to every route in every way that may go wrong, and hearing what comes back."""

from __future__ import annotations

import io
import logging
import random
import re
import string
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, cast
from uuid import uuid4

import asyncpg
import msgspec

from tollkeeper import logs
from tollkeeper.accounts import keys, tokens

from .conftest import JSON, Heard, Site
from .matrix import CALLS, FOR_SERVICES

_LETTERS: Final = string.ascii_lowercase + string.digits
_WORD: Final = re.compile("cnry[a-z0-9]{20}")
# Of the test's own servers and client, which run in the same process.
_NOT_OURS: Final = ("mail", "aiohttp")


@dataclass(slots=True)
class Canaries:
    """Secrets, and which of them an answer to this very caller may repeat: what they called a path or a field."""

    dice: random.Random = field(default_factory=lambda: random.Random(5))
    count: int = 0
    real: list[str] = field(default_factory=list[str])
    named: set[str] = field(default_factory=set[str])

    def new(self) -> str:
        """A secret that must come back nowhere."""
        self.count += 1
        return self._word()

    def name(self) -> str:
        """A name that may come back to whoever sent it, and to nobody else."""
        word = self._word()
        self.named.add(word)
        return word

    def is_one(self, secret: str) -> str:
        """Know a real secret as one: a key, a cookie, a code."""
        self.count += 1
        self.real.append(secret)
        return secret

    def standing_in(self, text: str, *, names: bool = True) -> list[str]:
        """Those that stand in a text. What is made up is told by its shape, so that many texts are searched fast."""
        made_up = set(_WORD.findall(text))
        found = made_up.difference(() if names else self.named)
        return [*found, *(each for each in self.real if each in text)]

    def _word(self) -> str:
        return "cnry" + "".join(self.dice.choices(_LETTERS, k=20))


def bodies(canaries: Canaries, call: tuple[str, str]) -> Iterator[tuple[Any, bytes | None]]:
    """What a route takes with secrets in it: as it should be, of a wrong type, too long, unknown, and no JSON."""
    says: Any = CALLS[call]
    if not isinstance(says, dict):
        yield None, canaries.new().encode()
        return
    known = cast("dict[str, Any]", says)
    right = {name: _filled(canaries, name, value) for name, value in known.items()}
    yield right, None
    yield {name: [{"x": canaries.new()}] for name in right}, None
    yield dict.fromkeys(right, canaries.new() + "x" * 20_000), None
    yield dict.fromkeys(right, canaries.new() + "\0"), None
    yield right | {canaries.name(): canaries.new()}, None
    yield None, msgspec.json.encode(right)[:-1] + b', "x": "' + canaries.new().encode()
    yield None, f'["{canaries.new()}"]'.encode()
    yield None, b'{"x": "' + canaries.new().encode() + b'\xff"}'


def _filled(canaries: Canaries, name: str, value: Any) -> Any:
    if name in {"email", "confirm"}:
        return f"{canaries.new()}@example.com"
    if name == "plan":
        return canaries.name()  # one that there is not is called by its name
    if isinstance(value, dict):
        return {canaries.name(): canaries.new()}
    return canaries.new() if isinstance(value, str) else value


def strangers(canaries: Canaries) -> Iterator[dict[str, str]]:
    """Callers with made-up credentials, well and badly formed."""
    for authorization in (
        f"Bearer {canaries.is_one(keys.generate('user'))}",
        f"Bearer {canaries.is_one(keys.generate('service'))}",
        f"Bearer {canaries.new()}",
        f"Basic {canaries.new()}",
    ):
        yield {"Authorization": authorization}
    for cookie in (canaries.is_one(tokens.fresh()), canaries.new()):
        yield {"Cookie": f"__Host-tollkeeper={cookie}; __Host-tollkeeper-browser={canaries.new()}"}


def around(canaries: Canaries) -> dict[str, str]:
    """Headers that anybody may send."""
    return {
        "User-Agent": canaries.new(),
        "Referer": f"https://{canaries.new()}.example/",
        "Idempotency-Key": canaries.new(),
        "X-Forwarded-For": canaries.new(),
        "Last-Event-ID": canaries.new(),
    }


async def sent(
    site: Site, canaries: Canaries, call: tuple[str, str], by: dict[str, str], *, in_every_way: bool
) -> AsyncGenerator[Heard]:
    """Call a route as it should be called, or in every way that may go wrong; and a path that is none of its own."""
    method, path = call
    for says, raw in islice(bodies(canaries, call), None if in_every_way else 1):
        for known in (True, False):
            there = re.sub(r"{\w+}", lambda _, known=known: str(uuid4()) if known else canaries.name(), path)
            query = "" if known else f"?{canaries.name()}={canaries.new()}"
            if known and "{token}" in path:
                there = path.replace("{token}", canaries.is_one(tokens.fresh()))
            said = [{"user": f"{canaries.new()}@example.com"} | says] if call in FOR_SERVICES and says else says
            yield await site.call(method, there + query, by=JSON | around(canaries) | by, says=said, raw=raw)


@contextmanager
def logged() -> Generator[io.StringIO]:
    """Log all that there is, as the service does."""
    root, stream = logging.getLogger(), io.StringIO()
    kept, level = root.handlers[:], root.level
    logs.start_logging("debug", "json")
    root.handlers[:] = [handler := logs.handler("json", stream)]
    handler.addFilter(lambda record: not record.name.startswith(_NOT_OURS))
    try:
        yield stream
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        logging.getLogger("tollkeeper").setLevel(logging.NOTSET)


_TABLES: Final = (
    "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
    "AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'schema%'"
)
# A server that quotes the whole row: in the message itself, and in the DETAIL of a constraint.
QUOTING: Final = {
    "message": (
        "CREATE FUNCTION betray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM (NEW::text)::integer; END $$",
        "CREATE TRIGGER betray BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION betray()",
        "DROP FUNCTION betray CASCADE",
    ),
    "detail": (
        "SELECT 1",
        "ALTER TABLE {} ADD CONSTRAINT betrays CHECK (false) NOT VALID",
        "ALTER TABLE {} DROP CONSTRAINT betrays",
    ),
}


@asynccontextmanager
async def failing(owner: asyncpg.Connection, how: str) -> AsyncGenerator[None]:
    """Let the database refuse every row that is written, and quote it."""
    first, each, last = QUOTING[how]
    tables = [row["relname"] for row in await owner.fetch(_TABLES)]
    assert len(tables) > 20
    await owner.execute(first)
    for table in tables:
        await owner.execute(each.format(table))
    try:
        yield
    finally:
        for table in tables if "{}" in last else [""]:
            await owner.execute(last.format(table))
