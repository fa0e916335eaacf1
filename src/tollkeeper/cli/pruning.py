"""``tollkeeper prune``: whole months of old requests and, separately, old texts go. No total changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from cyclopts import Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Flag, Misused, Whole, counted, shown, table, told_at
from tollkeeper.cli.house import House, in_utc, opened
from tollkeeper.cli.progress import progress
from tollkeeper.cli.typed import told_as
from tollkeeper.errors import Invalid
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.retention import (
    LOCK_SECONDS,
    Boundaries,
    Plan,
    PlanTexts,
    PrunedRows,
    Retained,
    boundaries,
    months_to_go,
    planned,
    plans_limit_texts,
    plans_to_clear,
    prune_rows,
    prune_texts,
    retained,
)
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database

__all__ = ["prune"]

# Summing a month may take as long as it takes.
_SECONDS: Final = 24 * 3600.0
_UNUSED: Final = timedelta(0)
_MOST_DAYS: Final = 100_000


async def prune(
    *,
    rows_before: Annotated[
        datetime | None, Parameter(help="Prune the months of requests that ended before this day (UTC).")
    ] = None,
    rows_older_than: Annotated[
        int | None, Whole, Parameter(help="Prune the months of requests that ended more than so many days ago.")
    ] = None,
    texts_before: Annotated[
        datetime | None, Parameter(help="Clear the texts of requests before this day (UTC).")
    ] = None,
    texts_older_than: Annotated[
        int | None, Whole, Parameter(help="Clear the texts of requests that are more than so many days old.")
    ] = None,
    by_plan: Annotated[
        bool, Flag, Parameter(help="Clear the texts of requests that are older than their plan lets them get.")
    ] = False,
    dry_run: Annotated[bool, Flag, Parameter(help="Only say what would go.")] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Drop whole months of old requests and, separately and earlier, clear old texts. No total changes.

    Texts are prompt, response, error message, metadata, address and user agent. What is dropped is sealed: its sums
    stay and count in every total, and `tollkeeper verify` says since when there are rows. This month's and the last
    one's always stay, and so does a month with a request that is still pending. It works beside a running service,
    which never waits for longer than a tenth of a second; interrupted, it goes on where it was.

    Without a word about rows or texts TOLLKEEPER_RETAIN_ROWS_DAYS, TOLLKEEPER_RETAIN_TEXT_DAYS and the plans'
    retain_text_days decide. The service does all that by itself.
    """
    _refuse_both(rows_before, rows_older_than, "rows")
    _refuse_both(texts_before, texts_older_than, "texts")
    async with opened(common, statement_seconds=_SECONDS) as house, _as_owner(house) as owner:
        where, by_plan = await _boundaries(
            owner,
            house.settings,
            by_plan=by_plan,
            rows_days=rows_older_than,
            texts_days=texts_older_than,
            rows_before=in_utc(rows_before),
            texts_before=in_utc(texts_before),
        )
        if dry_run:
            return _told_plan(where, await planned(owner, where, by_plan=by_plan))
        rows, texts = await _pruned(owner, house, where)
        of_plans = await _cleared_by_plan(owner) if by_plan else {}
        kept = await retained(owner)
    return _told(where, rows, texts, of_plans, kept)


async def _boundaries(owner: Database, settings: Settings, *, by_plan: bool, **asked: Any) -> tuple[Boundaries, bool]:
    """Say what is to go, and whether texts do as plans say."""
    if not by_plan and all(each is None for each in asked.values()):
        asked |= {"rows_days": settings.retain_rows_days, "texts_days": settings.retain_text_days}
        by_plan = await plans_limit_texts(owner)
    if not by_plan and all(each is None for each in asked.values()):
        raise Misused(
            "what to prune: give --rows-before, --rows-older-than, --texts-before, --texts-older-than or --by-plan, "
            "or set TOLLKEEPER_RETAIN_ROWS_DAYS, TOLLKEEPER_RETAIN_TEXT_DAYS, or retain_text_days of a plan"
        )
    try:
        with told_as(
            rowsBefore="--rows-before" if asked["rows_before"] else "--rows-older-than", textsBefore="--texts-before"
        ):
            return await boundaries(owner, **asked), by_plan
    except Invalid as error:
        raise Misused(error.detail) from error


async def _pruned(owner: Database, house: House, where: Boundaries) -> tuple[PrunedRows, int]:
    """Rows first: what is dropped need not be cleared."""
    rows, texts = PrunedRows(0, (), None), 0
    if where.rows_before is not None:
        with progress("Pruning months", await months_to_go(owner, where.rows_before)) as advance:
            # Nothing is started here, so it does not matter how long that might take.
            ledger = Ledger(house.database, pending_for=_UNUSED)
            rows = await prune_rows(owner, ledger, where.rows_before, actor=OPERATOR, advance=advance)
    if where.texts_before is not None:
        with ExitStack() as shows:
            texts = await prune_texts(
                owner,
                where.texts_before,
                actor=OPERATOR,
                begin=lambda blocks: shows.enter_context(progress("Clearing texts", blocks)),
            )
    return rows, texts


async def _cleared_by_plan(owner: Database) -> dict[str, int]:
    """Clear what plans let live for less long than all do; gives how many texts went under each."""
    due = await plans_to_clear(owner)
    return {plan: await prune_texts(owner, before, actor=OPERATOR, plan=plan) for plan, before in due}


def _told(where: Boundaries, rows: PrunedRows, texts: int, of_plans: dict[str, int], kept: Retained) -> Answer:
    document = {
        "dryRun": False,
        "rowsBefore": where.rows_before,
        "textsBefore": where.texts_before,
        "requests": rows.requests,
        "months": rows.months,
        "heldBy": rows.held_by,
        "texts": texts,
        "textsOfPlans": of_plans,
        "rowsFrom": kept.rows_from,
        "textsFrom": kept.texts_from,
    }
    held = f" {rows.held_by} and what follows stay: a request of it is still pending." if rows.held_by else ""
    months = f" ({', '.join(rows.months)})" if rows.months else ""
    by_plans = "".join(f" Under {plan}: {count:,}." for plan, count in of_plans.items())
    return Answer(
        document,
        f"{counted(rows.requests, 'request')} pruned{months}, the texts of {texts:,} others cleared.{by_plans}{held}\n"
        f"Rows: {_since(kept.rows_from)}. Texts: {_since(kept.texts_from)}.",
    )


def _told_plan(where: Boundaries, plan: Plan) -> Answer:
    rows = sum(each.requests for each in plan.months) + plan.strays
    document = {
        "dryRun": True,
        "rowsBefore": where.rows_before,
        "textsBefore": where.texts_before,
        "requests": rows,
        "months": [shown(each) for each in plan.months],
        "strays": plan.strays,
        "texts": plan.texts,
        "textBytes": plan.text_bytes,
        "textsOfPlans": [shown(each) for each in plan.of_plans],
    }
    lines = [(each.month, f"{each.requests:,}", f"{each.pending:,}", _size(each.bytes)) for each in plan.months]
    lines += [("strays", f"{plan.strays:,}", "0", "-")] if plan.strays else []
    lines += [("texts", f"{plan.texts:,}", "-", _size(plan.text_bytes))] if where.texts_before else []
    lines += [_line(each) for each in plan.of_plans]
    if not lines:
        return Answer(document, "Nothing would go.")
    return Answer(
        document, table(("WHAT", "REQUESTS", "PENDING", "SIZE"), lines), "Nothing is pruned: this was a dry run."
    )


def _line(of_plan: PlanTexts) -> tuple[str, ...]:
    return (f"texts of {of_plan.plan}", f"{of_plan.texts:,}", "-", _size(of_plan.text_bytes))


def _refuse_both(before: datetime | None, days: int | None, what: str) -> None:
    if before is not None and days is not None:
        raise Misused(f"give --{what}-before or --{what}-older-than, not both")
    if days is not None and not 0 < days < _MOST_DAYS:
        raise Misused(f"--{what}-older-than must be from 1 to {_MOST_DAYS - 1}")


@asynccontextmanager
async def _as_owner(house: House) -> AsyncGenerator[Database]:
    async with Database.open(
        house.addresses.owner, size=1, statement_timeout=_SECONDS, lock_timeout=LOCK_SECONDS
    ) as owner:
        yield owner


def _since(at: datetime | None) -> str:
    return f"since {told_at(at)}" if at else "since the beginning"


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
