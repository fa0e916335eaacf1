"""The hot statements: what each is asked in the tests of plans, and how many rows it may read to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from tests.store.long_history import MONTHS, People, fill, secret_hash
from tollkeeper.instants import LAST_YEAR
from tollkeeper.metering.tracking.records import MOST_BYTES

PAGE: Final = 50
_MONTH: Final = timedelta(days=30)
# Each partition of requests is asked for the first row that it might give to a page.
PARTITIONS: Final = MONTHS + 6
# A row and what belongs to it, rows of two partitions more, and of what tests before this one took back.
_A_PAGE: Final = 2 * PAGE + PARTITIONS
A_FEW: Final = 40


@dataclass(frozen=True, slots=True)
class Marks:
    """Whose histories there are, and places in the long one."""

    people: People
    middle: UUID
    early: UUID
    in_session: UUID
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One thing to be asked, and the most rows to be read for it."""

    where: str
    statement: str
    most: int
    values: Callable[[Marks], Mapping[str, Any]]

    def __str__(self) -> str:
        return f"{self.statement} {self.where}".strip()


NOBODY: Final = Marks(
    People(uuid4(), uuid4(), uuid4(), uuid4()), uuid4(), uuid4(), uuid4(), datetime(2026, 1, 1, tzinfo=UTC)
)
_MARKS: Final = """
SELECT (SELECT r.id FROM chat_requests AS r WHERE r.user_id = $1
         ORDER BY r.id OFFSET $2::integer / 2 LIMIT 1) AS middle,
       (SELECT r.id FROM chat_requests AS r WHERE r.user_id = $1
         ORDER BY r.id OFFSET 20 LIMIT 1) AS early,
       (SELECT r.id FROM chat_requests AS r WHERE r.user_id = $1 AND r.session_id = 's-0'
         ORDER BY r.id OFFSET $2 / 4 LIMIT 1) AS in_session,
       (SELECT s.started_at FROM chat_sessions AS s WHERE s.user_id = $1
         ORDER BY s.started_at OFFSET $2 / 20 LIMIT 1) AS begun_at
"""


async def filled(admin: asyncpg.Connection, *, long: int) -> Marks:
    """Write the ledger and find the places in it."""
    people = await fill(admin, long=long)
    row = await admin.fetchrow(_MARKS, people.long, long)
    assert row is not None
    return Marks(people, *row)


_TEXTS: Final = {"most_bytes": MOST_BYTES}
_ANY_ACT: Final = {"action": None, "since": None, "until": None, "most": PAGE}
_ANYBODY: Final = {"text": None, "plan": None, "is_active": None}


def _user(m: Marks) -> dict[str, Any]:
    return {"user_id": m.people.long}


def _secrets(_: Marks) -> dict[str, Any]:
    return {"hashes": [secret_hash(1, 1), secret_hash(700, 2), secret_hash(700, 3), bytes(32)]}


LISTS: Final = (
    Look("first", "newest_requests", _A_PAGE, lambda m: _user(m) | {"before": None, "most": PAGE, **_TEXTS}),
    Look("middle", "newest_requests", _A_PAGE, lambda m: _user(m) | {"before": m.middle, "most": PAGE, **_TEXTS}),
    Look("last", "newest_requests", _A_PAGE, lambda m: _user(m) | {"before": m.early, "most": PAGE, **_TEXTS}),
    Look("few", "newest_requests", _A_PAGE, lambda m: {
        "user_id": m.people.other, "before": None, "most": PAGE, **_TEXTS}),
    Look("first", "oldest_requests", _A_PAGE, lambda m: _user(m) | {"after": None, "most": PAGE, **_TEXTS}),
    Look("middle", "oldest_requests", _A_PAGE, lambda m: _user(m) | {"after": m.middle, "most": PAGE, **_TEXTS}),
    Look("few", "oldest_requests", _A_PAGE, lambda m: {
        "user_id": m.people.other, "after": None, "most": PAGE, **_TEXTS}),
    *(
        Look(where, "session_requests", _A_PAGE, lambda m, session=session, after=after: _user(m) | {
            "session_id": session, "after": getattr(m, after) if after else None, "most": PAGE, **_TEXTS})
        for where, session, after in (
            ("huge", "s-0", None), ("deep", "s-0", "in_session"), ("one", "alone-1", None), ("none", "no", None))
    ),
    Look("first", "newest_sessions", _A_PAGE, lambda m: _user(m) | {
        "before_at": None, "before_id": None, "most": PAGE}),
    Look("middle", "newest_sessions", _A_PAGE, lambda m: _user(m) | {
        "before_at": m.begun_at, "before_id": "a", "most": PAGE}),
    Look("first", "oldest_sessions", _A_PAGE, lambda m: _user(m) | {
        "after_at": None, "after_id": None, "most": PAGE}),
    Look("middle", "oldest_sessions", _A_PAGE, lambda m: _user(m) | {
        "after_at": m.begun_at, "after_id": "a", "most": PAGE}),
    Look("first", "exported_requests", _A_PAGE, lambda m: _user(m) | {"after": None, "most": PAGE, **_TEXTS}),
    Look("deep", "exported_requests", _A_PAGE, lambda m: _user(m) | {"after": m.middle, "most": PAGE, **_TEXTS}),
    Look("first", "exported_users", _A_PAGE, lambda _: {"after": None, "most": PAGE}),
    Look("last", "exported_users", _A_PAGE, lambda m: {"after": m.people.other, "most": PAGE}),
    Look("first", "users_page", 6 * PAGE, lambda _: {"below": None, "most": PAGE}),
    Look("middle", "users_page", 6 * PAGE, lambda m: {"below": m.people.other, "most": PAGE}),
    *(
        Look("first", each, 8 * PAGE, lambda _: _ANYBODY | {"after": None, "most": PAGE})
        for order in ("email", "age")
        for each in (f"directory_by_{order}", f"directory_by_{order}_backwards")
    ),
    *(
        Look("middle", each, 8 * PAGE, lambda _: _ANYBODY | {"after": "other-5@example.com", "most": PAGE})
        for each in ("directory_by_email", "directory_by_email_backwards")
    ),
    *(
        Look("middle", each, 8 * PAGE, lambda m: _ANYBODY | {"after": m.people.other, "most": PAGE})
        for each in ("directory_by_age", "directory_by_age_backwards")
    ),
    # An act, and the addresses of whom it was about and who did it.
    Look("first", "activity_of_user", 4 * PAGE, lambda m: _user(m) | _ANY_ACT | {"actor": None, "below": None}),
    Look("last", "activity_of_user", 4 * PAGE, lambda m: _user(m) | _ANY_ACT | {"actor": None, "below": m.middle}),
    Look("few", "activity_of_user", 4 * PAGE, lambda m: _ANY_ACT | {
        "user_id": m.people.other, "actor": None, "below": None}),
    Look("first", "activity_of_all", 4 * PAGE, lambda _: _ANY_ACT | {"below": None}),
    Look("last", "activity_of_all", 4 * PAGE, lambda m: _ANY_ACT | {"below": m.middle}),
)  # fmt: skip

LOOK_UPS: Final = (
    Look("ours", "one_request", A_FEW, lambda m: _user(m) | {"id": m.middle, "client_id": None}),
    Look("theirs", "one_request", A_FEW, lambda m: _user(m) | {"id": None, "client_id": "c-777"}),
    Look("", "requests_in_order", A_FEW, lambda m: _user(m) | {"ids": [m.middle, m.early, m.people.other], **_TEXTS}),
    Look("", "rows_known", A_FEW, lambda m: {
        "user_ids": [m.people.long] * 3, "ids": [m.middle, m.early, m.people.other], "import_keys": ["no"] * 3,
        "client_ids": ["no", "c-777", "none"]}),
    Look("", "address_of_user", A_FEW, _user),
    Look("", "user_of_email", A_FEW, lambda _: {"email": "LONG@example.com"}),
    Look("", "find_or_add_user", A_FEW, lambda _: {"email": "Long@example.com", "plan": "free", "time_zone": "UTC"}),
    Look("", "users_of_emails", A_FEW, lambda _: {"emails": ["Long@example.com", "other-7@example.com", "nobody"]}),
    Look("", "user", A_FEW, _user),
    Look("", "look_up_keys", A_FEW, _secrets),
    Look("", "live_keys_of_user", A_FEW, _user),
    Look("", "keys_of_user", A_FEW, lambda m: _user(m) | {"after": None, "most": PAGE}),
    Look("", "note_keys_used", A_FEW, lambda m: {"key_ids": [m.middle]}),
    Look("", "hold_key", A_FEW, lambda m: _user(m) | {"key_id": m.middle}),
    Look("", "replacement_of_key", A_FEW, lambda m: _user(m) | {"key_id": m.middle}),
    Look("", "rotate_key", A_FEW, lambda m: _user(m) | {
        "key_id": m.middle, "overlap": _MONTH, "last_end": LAST_YEAR, "key_hash": bytes(32), "shown_as": ""}),
    Look("", "revoke_key", A_FEW, lambda m: _user(m) | {"key_id": m.middle}),
    # Each sign-in with its user, and with the operator who may act in it.
    Look("", "look_up_logins", 2 * A_FEW, lambda m: _secrets(m) | {"idle": _MONTH, "recent": _MONTH}),
    Look("", "logins_of_user", A_FEW, lambda m: _user(m) | {"idle": _MONTH, "before": None, "most": 20}),
    Look("", "end_login", A_FEW, lambda m: _user(m) | {"session_id": m.middle}),
    Look("", "end_logins", A_FEW, lambda m: _user(m) | {"but": None, "idle": _MONTH}),
    Look("", "add_sign_in_link", A_FEW, lambda m: _user(m) | {"token_hash": bytes(32), "valid_for": _MONTH}),
    Look("", "use_sign_in_link", A_FEW, lambda _: {"link_hash": secret_hash(1, 1)}),
    # Open links of the user become void, and their sign-ins are read until the place is known.
    Look("", "begin_login", A_FEW + 10, lambda m: _user(m) | {
        "session_hash": bytes(32), "signed_in_by": "link", "lasts": _MONTH, "ip_address": "", "user_agent": "",
        "network": None, "browser_hash": None, "replaces": secret_hash(1, 1)}),
    Look("", "begin_acting", A_FEW, lambda m: _user(m) | {
        "operator_id": m.people.other, "session_id": m.middle, "session_hash": bytes(32), "ip_address": "",
        "user_agent": "", "lasts": _MONTH}),
    Look("", "stop_acting", A_FEW, lambda m: _user(m) | {
        "operator_id": m.people.other, "session_id": m.middle, "session_hash": bytes(32)}),
    Look("", "knows_place", A_FEW, lambda _: {
        "address": "Long@example.com", "browser_hash": bytes(32), "network": "192.0.2.0/24"}),
    # Of the acts of the long history none is one to be told of.
    Look("", "claim_alerts", A_FEW, lambda m: {"since": m.begun_at, "lease": _MONTH, "most": 10}),
    Look("", "alert_done", A_FEW, lambda m: _user(m) | {"act_id": m.middle, "is_sent": True}),
    Look("", "alert_failed", A_FEW, lambda m: _user(m) | {"act_id": m.middle}),
    Look("", "events_of_user", A_FEW, lambda m: _user(m) | {"below": None, "kind": None, "most": PAGE}),
    Look("", "events_of_all", A_FEW, lambda _: {"below_at": None, "below": None, "kind": None, "most": PAGE}),
    Look("", "unseen_events", A_FEW, _user),
    Look("", "see_events", A_FEW, lambda m: _user(m) | {"last": m.middle}),
    Look("", "claim_notices", A_FEW, lambda _: {"lease": _MONTH, "most": 10}),
    Look("", "notice_done", A_FEW, lambda m: _user(m) | {"event_id": m.middle, "tries": 1}),
    Look("", "notice_failed", A_FEW, lambda m: _user(m) | {"event_id": m.middle, "tries": 1}),
    Look("", "choose_warn_at", A_FEW, lambda m: _user(m) | {"warn_at": [50]}),
    Look("", "mail_address", A_FEW, lambda _: {"address": "Long@example.com"}),
    Look("", "user_of_github", A_FEW, lambda _: {"github_id": "7"}),
    Look("", "variables_of_user", A_FEW, _user),
    Look("", "variables_with_seals", A_FEW, _user),
    Look("", "variable", A_FEW, lambda m: _user(m) | {"key": "V3"}),
    Look("", "variable_types", A_FEW, _user),
    Look("", "delete_variable", A_FEW, lambda m: _user(m) | {"key": "V3"}),
    Look("", "new_terms", A_FEW, lambda m: _user(m) | {
        "plan": "pro", "kind": "given", "starts_at": m.begun_at, "expires_at": None, "cycle": None, "is_trial": False}),
    Look("", "terms", A_FEW, lambda m: _user(m) | {"terms_id": m.middle}),
    Look("", "own_plan", A_FEW, _user),
    Look("", "settings_of_user", A_FEW, _user),
    Look("", "put_in_force", A_FEW, lambda m: _user(m) | {"terms_id": m.middle, "at": m.begun_at}),
    Look("", "refresh_terms", A_FEW, lambda m: _user(m) | {"at": m.begun_at}),
    Look("", "terms_of_user", A_FEW, lambda m: _user(m) | {"after": None, "most": PAGE}),
    Look("", "grants_of_user", A_FEW, _user),
    Look("", "overrides_of_user", A_FEW, _user),
    Look("", "describe_user", A_FEW, lambda m: _user(m) | {"given_name": "Ada", "image": None, "role": None}),
    Look("", "switch_user", A_FEW, lambda m: _user(m) | {"is_active": False}),
    Look("", "plan_zone_of_user", A_FEW, lambda m: _user(m) | {"time_zone": "Europe/Berlin"}),
    Look("", "directory_entry", A_FEW, _user),
    Look("", "note_on_user", A_FEW, lambda m: _user(m) | {"note": "x"}),
    Look("", "dashboard_stamps", A_FEW, lambda m: {"user_ids": [m.people.long, m.people.short, m.people.other]}),
    Look("", "calculated", A_FEW, lambda m: _user(m) | {"pause": _MONTH}),
    Look("", "bring_current", A_FEW, lambda m: {"user_ids": [m.people.long, m.people.short]}),
    Look("", "locked_users", A_FEW, lambda m: {"user_ids": [m.people.long, m.people.short]}),
    Look("", "bring_free_current", A_FEW, lambda m: {"user_ids": [m.people.long, m.people.short]}),
    # Two of them, with each of their two pending requests; every partition is asked for more.
    Look("abandoned", "bring_current", 3 * A_FEW, lambda m: {"user_ids": [m.people.abandoned]}),
)  # fmt: skip

DASHBOARDS: Final = tuple(
    Look(who, "dashboard", 300, lambda m, who=who: {"user_id": getattr(m.people, who), "days": 30, "newest": 10})
    for who in ("long", "short")
)
SWEEP: Final = Look("", "users_with_expired", 0, lambda _: {"most": 200})
# All that is asked of plans; `start` and `finish` are looked at through the ledger.
ALL: Final = (*LISTS, *LOOK_UPS, *DASHBOARDS, SWEEP)

# What is not held, by file or by name, and why.
NOT_HELD: Final = {
    "analytics.sql": "reads the sums of a range, and has a test of its own",
    "searching.sql": "walks as far as it is told, and has a test of its own",
    "doctor.sql": "asked by the operator, of the catalogue",
    "plans.sql": "the catalogue is small",
    "exceptions.sql": "a user has few, by the key of the user",
    "selling.sql": "a user has few, by the key of the user or of a customer at Stripe",
    "prices.sql": "the operator's list is small",
    "nodes.sql": "some rows of each node",
    "operators.sql": "for operators, of all users",
    "directory_by_usage": "for operators, reads all usage rows",
    "users_by_plan": "for operators, reads all usage rows",
    "retention.sql": "the operator's, and tested with what it prunes",
    "passkeys.sql": "a person has at most twenty; found by their user or by an id that is unique",
    "leaving.sql": "once in a user's life, a set at a time",
    "takeout.sql": "reads everything of one user",
    "first_operator.sql": "some links, and only while there is no operator",
    "activity_by_actor": "for operators, reads all that somebody did",
    "invitations.sql": "the operator's list is small, and one is found by its address",
    "take_allowances": "by the keys of what is taken",
    "put_ask": "by the key of its conflict",
    "try_code": "by its key",
    "end_ask": "by its key",
    "use_ask_link": "by a hash that is unique",
    "is_own_ask": "by a hash that is unique",
    "forget_asks": "once an hour, over what it keeps few",
    "add_github_ask": "only adds",
    "use_github_state": "by its key",
    "connect_github": "only adds",
    "note_activity": "only adds",
    "add_key": "only adds",
    "put_variables": "by the key of its conflict",
    "put_preferences": "by the key of its conflict",
    "describe_variables": "at most two hundred rows of one user",
    "find_or_add_users": "find_or_add_user, many times",
    "user_is_new": "by the primary key, after it was written",
    "time_zone_named": "reads no table of ours",
    "ensure_partitions": "reads no table of ours",
    "service_keys": "for the operator",
    "live_keys_of_services": "for the operator",
    "hold_service_keys": "reads no table of ours",
    "revoke_any_key": "for the operator",
    "secrets.sql": "the operator's, or one row; the rotation walks over all secrets",
    "webhooks.sql": "ten endpoints, and by an index of each; the history of one is walked for operators",
    "hold_alerts": "one row",
    "forget_alerts": "once an hour, over what it keeps few",
    "forget_events": "once an hour, by an index on their time",
    "count_ended_by_restore": "after a restore, over all sign-ins",
    "forget_logins": "once a day, over sign-ins that it keeps few",
    "verified": "reads everything, for the operator",
    "differences": "reads everything of one user or of all, and has a test of its own",
    "overall_differences": "reads everything of a month, and has a test of its own",
    "hold_proof": "reads no table of ours",
    "proof_is_due": "over what was found in 90 days",
    "last_verification": "over what was found in 90 days",
    "edges_of_months": "reads no table of ours",
    "users_to_prove": "in the order of the primary key, so many at a time",
    "operators_addresses": "once when something is wrong, over all accounts",
    "forget_old_hours": "has a test of its own",
    "mend": "by the keys of what differs",
    "start": "held through the ledger",
    "finish": "held through the ledger",
}
