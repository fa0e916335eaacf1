"""``tollkeeper import``: requests that were made elsewhere, booked at their own times."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

from cyclopts import Parameter

from tollkeeper.accounts import users
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Misused, counted, not_empty
from tollkeeper.cli.files import kept
from tollkeeper.cli.house import House, in_utc, opened
from tollkeeper.cli.past import Assignment, past, size_of
from tollkeeper.cli.progress import progress
from tollkeeper.errors import Invalid, NotUnderstood
from tollkeeper.metering.prices import own_prices
from tollkeeper.metering.tracking.keeping import Keeping
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.importing import Importer, Past, Refused, in_sets
from tollkeeper.store.database import Database
from tollkeeper.store.room import Room
from tollkeeper.traces import RELATIVE_START, PastRequest, count_rows, read

__all__ = ["Books", "books_of", "import_"]

Format = Literal["azure", "burstgpt", "mooncake", "ragpulse", "tollkeeper"]

_SECONDS: Final = 60.0
_MOST_TOLD: Final = 10
# What is imported without its end still has this long to get one.
_PENDING_FOR: Final = timedelta(minutes=15)


async def import_(
    format: Annotated[  # noqa: A002 - the word on the command line
        Format, Parameter(help="Who wrote the file; tollkeeper is what `tollkeeper export` writes.")
    ],
    file: Annotated[
        Path, Parameter(help="The file, plain or gzipped; - is standard input.", allow_leading_hyphen=True)
    ],
    /,
    *,
    user: Annotated[str | None, Parameter(help="Whose requests they are.", converter=not_empty)] = None,
    users_by: Annotated[
        Literal["session", "model"] | None,
        Parameter(
            help="Add a user for each session or model, session-NAME@import.invalid, which no mail reaches."
            " A name of other characters than a-z 0-9 . _ - is written with those and ten digits of its hash behind it."
        ),
    ] = None,
    starting_at: Annotated[
        datetime | None,
        Parameter(help="When a trace begins that counts its own time; UTC unless it says so [default: 2025-01-01]"),
    ] = None,
    count_pruned: Annotated[
        bool, Parameter(help="Count also what began before rows were pruned. What was here before then counts twice.")
    ] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Book the requests of a file at their own times, in whose days and months they count. No limit refuses them.

    Texts are kept as TOLLKEEPER_TEXT_POLICY and the users' plans say.

    The same file again changes nothing, and an import that was interrupted goes on where it was: a row is known by
    format, user, row number and content, and one of `tollkeeper export` by the id that it had. Users who are not there
    yet are added, on the plan free, with the first row of theirs that is booked.
    """
    if user is not None and users_by is not None:
        raise Misused("whose requests: give --user EMAIL or --users-by, not both")
    if user is users_by is None and format != "tollkeeper":
        raise Misused("whose requests: give --user EMAIL or --users-by session|model")
    assignment = Assignment(user and users.address_of(user, field="--user"), users_by)
    began = time.monotonic()
    async with kept(file) as source:
        total = count_rows(format, source)
        async with (
            opened(common, begins=True, statement_seconds=_SECONDS) as house,
            books_of(house, assignment.email, counts_pruned=count_pruned) as books,
        ):
            with progress(f"Importing {source.name}", total) as advance:
                await books.add(read(format, source, starting_at=in_utc(starting_at) or RELATIVE_START), advance)
        return _answer(source, books, seconds=time.monotonic() - began)


@dataclass(slots=True)
class Books:
    """Rows on their way into the ledger, and what became of them."""

    database: Database
    importer: Importer
    email_of: Callable[[PastRequest], str]
    own_models: frozenset[str]
    begun_at: datetime
    """By the database's clock: nothing that is brought ended later."""
    room: Room | None = None
    imported: int = 0
    skipped: int = 0
    failed: int = 0
    first_refused: list[Refused] = field(default_factory=list[Refused])
    users: dict[str, UUID] = field(default_factory=dict[str, UUID])

    @property
    def users_named(self) -> int:
        """How many users are there of whom rows tell."""
        return len(set(self.users.values()))

    async def add(self, rows: Iterator[PastRequest], advance: Callable[[int], None]) -> None:
        """Book rows set by set, telling each time how many more are done."""
        for some in in_sets(self._readable(rows), size_of):
            if self.room is not None:
                self.room.refuse_when_scarce()
            await self._find_users(some)
            booked = await self.importer.book(list(self._fit(some)))
            await self._find_users(some)
            self.imported += booked.imported
            self.skipped += booked.skipped
            for refused in booked.refused:
                self._refuse(refused)
            advance(len(some))

    def _readable(self, rows: Iterator[PastRequest]) -> Iterator[PastRequest]:
        """Leave out rows that cannot be read; a file that cannot be read ends it all."""
        while True:
            try:
                row = next(rows, None)
            except Invalid as error:
                if "row" not in error.fields:
                    raise
                self._refuse(Refused(error.fields["row"], error))
                continue
            if row is None:
                return
            yield row

    async def _find_users(self, rows: Sequence[PastRequest]) -> None:
        """Learn who is there; whoever is not comes with the first row of theirs that is booked."""
        unknown: set[str] = set()
        for row in rows:
            try:
                unknown.add(users.address_of(self.email_of(row)))
            except Invalid:
                continue  # told with its row
        if unknown := unknown - self.users.keys():
            self.users |= await users.of_emails(self.database, sorted(unknown))

    def _fit(self, rows: Sequence[PastRequest]) -> Iterator[Past]:
        stand_ins = defaultdict[str, UUID](uuid4)
        for row in rows:
            try:
                email = users.address_of(self.email_of(row))
                user_id = self.users.get(email)
                known = past(row, user_id or stand_ins[email], now=self.begun_at, own_models=self.own_models)
                yield known if user_id else replace(known, newcomer=email)
            except (Invalid, NotUnderstood) as error:
                self._refuse(Refused(row.row, error))

    def _refuse(self, refused: Refused) -> None:
        self.failed += 1
        if len(self.first_refused) < _MOST_TOLD:
            self.first_refused.append(refused)


@asynccontextmanager
async def books_of(
    house: House, email_of: Callable[[PastRequest], str], *, counts_pruned: bool = False
) -> AsyncGenerator[Books]:
    """Open the books of a house; ``email_of`` says whose a row is, ``counts_pruned`` is the ``Importer``'s."""
    keeping = Keeping.of(house.settings.text_policy, house.settings.redact_patterns)
    ledger = Ledger(house.database, pending_for=_PENDING_FOR, keeping=keeping)
    own_models = frozenset(each.model for each in await own_prices.listed(house.database))
    async with Database.open(house.addresses.owner, size=1, statement_timeout=_SECONDS) as owner:
        importer = Importer(ledger, owner, counts_pruned=counts_pruned, welcome=users.of_emails_or_new)
        begun_at: datetime = await house.database.value("database_instant")
        yield Books(house.database, importer, email_of, own_models, begun_at, house.addresses.room)


def _answer(file: Path, books: Books, *, seconds: float) -> Answer:
    rows = books.imported + books.skipped + books.failed
    errors = [_error(each) for each in books.first_refused]
    document = {
        "file": file.name,
        "rows": rows,
        "imported": books.imported,
        "skipped": books.skipped,
        "failed": books.failed,
        "users": books.users_named,
        "seconds": round(seconds, 3),
        "errors": errors,
    }
    text = f"{counted(books.imported, 'request')} imported, {books.skipped:,} there before, {books.failed:,} failed"
    pace = f"{counted(rows, 'row')}, users: {books.users_named:,}, {seconds:.1f} s"
    told = "\n".join(f"row {each['row']}: {each['field']}: {each['message']}" for each in errors)
    return Answer(document, f"{text} ({pace}).", told, ok=books.failed == 0)


def _error(refused: Refused) -> dict[str, Any]:
    error = refused.error
    of_a_field = {"field": error.fields.get("field", "row"), "message": error.detail}
    return {"row": refused.row, **next(iter(error.fields.get("errors", ())), of_a_field)}
