"""Notices: what users are told of their plan and limits comes by mail, once, to those who want it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.accounts.clock import set_clock
from tests.mailbox import Mailbox, mailbox
from tollkeeper.accounts import preferences, users
from tollkeeper.accounts.mails import notices
from tollkeeper.accounts.mails.alerts import LEASE, Post
from tollkeeper.accounts.mails.courier import Smtp
from tollkeeper.activity import OPERATOR
from tollkeeper.store.database import Database

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SITE = "https://usage.example"
ADA = "ada@example.com"
A_LIMIT = {
    "limit": "dailyRequests", "percent": 50, "plan": "solo", "used": 1000, "allowed": 2000,
    "windowStart": "2026-11-26T18:30:00.000Z", "resetsAt": "2026-11-27T18:30:00.000Z",
}  # fmt: skip
KINDS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "limit.threshold",
        A_LIMIT,
        "50 % of your requests of today are used",
        "1,000 of 2,000 on the plan solo. Today ends on 28 November 2026, 00:00 in Asia/Kolkata (27 November 2026, ",
    ),
    (
        "limit.reached",
        A_LIMIT | {"limit": "monthlyCost", "percent": 100, "used": 1051.25, "allowed": 1000},
        "You have reached your limit: spend of this month",
        "$10.51 of $10.00 on the plan solo.",
    ),
    (
        "plan.changed",
        {"kind": "upgraded", "from": "free", "to": "solo", "at": "2026-11-27T12:00:00.000Z", "expiresAt": None},
        "Your plan is solo now",
        "It holds from now on; what you have used stays used.",
    ),
    (
        "plan.expiring",
        {"plan": "solo", "expiresAt": "2026-11-30T12:00:00.000Z", "nextPlan": "free"},
        "Your plan solo is about to end",
        "It ends on 30 November 2026, 17:30 in Asia/Kolkata (30 November 2026, 12:00 UTC). Then you have free.",
    ),
    (
        "plan.expired",
        {"plan": "solo", "at": "2026-11-27T12:00:00.000Z", "nextPlan": "free"},
        "Your plan solo has ended",
        "Now you have free.",
    ),
    (
        "spend.unusual",
        {"day": "2026-11-27", "cost": 1234.5, "usual": 300},
        "You spent more than usual on 27 November 2026",
        "It was $12.35 by then. On days on which you spend at all it is about $3.00.",
    ),
]


@pytest.fixture
async def box() -> AsyncGenerator[Mailbox]:
    async with mailbox() as box:
        yield box


@pytest.fixture
async def ada(db: Database, owner: Any) -> UUID:
    await set_clock(owner, NOW)
    return (await users.add(db, ADA, time_zone="Asia/Kolkata")).id


def post(box: Mailbox, port: int | None = None) -> Post:
    return Post(Smtp("127.0.0.1", port or box.port, "if-offered", "no-reply@usage.example"), SITE)


async def happen(owner: Any, user: UUID, kind: str, data: dict[str, Any], about: str = "") -> None:
    await owner.execute("SELECT tk_tell($1, $2, $3, $4::text::jsonb)", user, kind, about, json.dumps(data))


async def test_each_kind_is_mailed_once_in_words_however_many_nodes_tell(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    for kind, data, _, _ in KINDS:
        await happen(owner, ada, kind, data)
    for _ in range(3):
        await asyncio.gather(*(notices.tell(db, post(box)) for _ in range(3)))
    got = {str(each.message["Subject"]).removeprefix("tollkeeper: "): each for each in box.got}
    assert len(box.got) == len(got) == len(KINDS)
    for _, _, subject, rest in KINDS:
        for part in (got[subject].part("plain"), got[subject].part("html")):
            assert rest in part
            assert f"{SITE}/plan" in part


@pytest.mark.parametrize("limits", [True, False])
async def test_who_wants_none_of_a_sort_gets_none_even_later(
    db: Database, owner: Any, ada: UUID, box: Mailbox, *, limits: bool
) -> None:
    await preferences.change(db, ada, actor=OPERATOR, mails_limits=limits, mails_plan=not limits)
    for kind, data, _, _ in KINDS:
        await happen(owner, ada, kind, data)
    told = await notices.tell(db, post(box))
    assert told == len(box.got) == sum(kind.startswith("plan.") != limits for kind, *_ in KINDS)
    await preferences.change(db, ada, actor=OPERATOR, mails_limits=True, mails_plan=True)
    assert await notices.tell(db, post(box)) == 0


async def test_of_what_came_at_once_of_one_limit_the_most_is_mailed(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    for percent in (50, 80, 100):
        kind = "limit.reached" if percent == 100 else "limit.threshold"
        await happen(owner, ada, kind, A_LIMIT | {"percent": percent}, about=str(percent))
    await happen(owner, ada, "limit.threshold", A_LIMIT | {"limit": "monthlyTokens"}, about="month")
    assert await notices.tell(db, post(box)) == 2
    assert sorted(str(each.message["Subject"]) for each in box.got) == [
        "tollkeeper: 50 % of your tokens of this month are used",
        "tollkeeper: You have reached your limit: requests of today",
    ]


async def test_a_larger_allowance_is_mailed_of_though_more_of_the_smaller_one_was(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    await happen(owner, ada, "limit.threshold", A_LIMIT | {"percent": 80}, about="80")
    assert await notices.tell(db, post(box)) == 1
    await set_clock(owner, NOW + timedelta(minutes=5))
    await happen(owner, ada, "limit.threshold", A_LIMIT | {"percent": 50, "allowed": 100}, about="50")
    assert await notices.tell(db, post(box)) == 1


async def test_that_a_plan_is_about_to_end_is_not_mailed_once_it_has_ended(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    for hours, about in ((-1, "over"), (1, "soon")):
        end = (NOW + timedelta(hours=hours)).isoformat()
        await happen(owner, ada, "plan.expiring", {"plan": "team", "expiresAt": end, "nextPlan": "free"}, about=about)
    assert await notices.tell(db, post(box)) == 1


async def test_of_a_window_that_has_ended_nothing_is_mailed(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    """As after a night in which the mail server was away: today is another day."""
    for kind, percent in (("limit.threshold", 80), ("limit.reached", 100)):
        await happen(owner, ada, kind, A_LIMIT | {"percent": percent}, about=str(percent))
    of_month = A_LIMIT | {"limit": "monthlyTokens", "resetsAt": "2026-11-30T18:30:00.000Z"}
    await happen(owner, ada, "limit.threshold", of_month, about="month")
    await happen(owner, ada, "spend.unusual", {"day": "2026-11-27", "cost": 1234.5, "usual": 300})
    await set_clock(owner, datetime(2026, 11, 27, 18, 30, tzinfo=UTC))
    assert await notices.tell(db, post(box)) == 2
    assert sorted(str(each.message["Subject"]) for each in box.got) == [
        "tollkeeper: 50 % of your tokens of this month are used",
        "tollkeeper: You spent more than usual on 27 November 2026",
    ]


async def test_who_is_switched_off_or_leaving_gets_none(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await users.change(db, ada, actor=OPERATOR, is_active=False)
    eve = (await users.add(db, "eve@example.com")).id
    for each in (ada, eve):
        await happen(owner, each, "limit.threshold", A_LIMIT)
    await owner.fetchval("SELECT tk_begin_leaving($1, true)", eve)
    assert await notices.tell(db, post(box)) == 0
    assert not box.got


async def test_a_mail_server_that_comes_back_gets_it_once(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await happen(owner, ada, "limit.threshold", A_LIMIT)
    assert await notices.tell(db, post(box, port=1)) == 0
    assert await notices.tell(db, post(box)) == 0
    await set_clock(owner, NOW + timedelta(minutes=1))
    assert await notices.tell(db, post(box)) == 1
    await set_clock(owner, NOW + timedelta(hours=1))
    assert await notices.tell(db, post(box)) == 0


async def test_after_a_day_it_is_given_up_and_refused_for_good_it_is_not_tried_again(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    await happen(owner, ada, "limit.threshold", A_LIMIT, about="refused")
    box.refuses = "550 no such user"
    assert await notices.tell(db, post(box)) == 0
    await happen(owner, ada, "limit.threshold", A_LIMIT, about="late")
    assert await notices.tell(db, post(box, port=1)) == 0
    box.refuses = None
    await set_clock(owner, NOW + timedelta(hours=24, seconds=1))
    assert await notices.tell(db, post(box)) == 0
    assert await owner.fetchval("SELECT count(*) FROM events WHERE mail_due_at IS NOT NULL") == 0


async def test_what_a_killed_node_had_taken_another_sends_and_a_late_one_changes_nothing(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    await happen(owner, ada, "limit.threshold", A_LIMIT)
    (taken,) = await db.all("claim_notices", lease=LEASE, most=10)
    assert await notices.tell(db, post(box)) == 0
    await set_clock(owner, NOW + LEASE)
    (again,) = await db.all("claim_notices", lease=LEASE, most=10)
    await db.run("notice_done", user_id=ada, event_id=taken["id"], tries=taken["tries"])
    assert await owner.fetchval("SELECT count(*) FROM events WHERE mail_due_at IS NOT NULL") == 1
    await db.run("notice_done", user_id=ada, event_id=again["id"], tries=again["tries"])
    assert await owner.fetchval("SELECT count(*) FROM events WHERE mail_due_at IS NOT NULL") == 0
