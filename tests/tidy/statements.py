"""Rules on SQL."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.tidy.checkout import SOURCE, Checkout

# Statements on user data that look without knowing the user, each with its reason. (A function of a routine counts as
# one statement.)
WITHOUT_USER: dict[str, str] = {
    "tk_user_of": "finds the user by an e-mail address",
    "users_with_expired": "the sweep asks whose requests or plans are past their end",
    "users_of_emails": "finds users by their e-mail addresses",
    "users_page": "the operator lists all users",
    "directory_by_email": "operators look through all users",
    "directory_by_email_backwards": "operators look through all users",
    "users_by_plan": "operators see how many users each plan has",
    "pending_of_all": "operators see how many requests are under way",
    "users_of_model": "pricing anew begins with who used the model",
    "look_up_keys": "finds who calls by the hashes of API keys",
    "look_up_logins": "finds who calls by the hashes of session tokens",
    "use_github_state": "finds who comes back from GitHub by the hash of a state",
    "user_of_github": "finds the user by a GitHub account",
    "mail_address": "finds the address of an account by an address",
    "knows_place": "finds the sign-ins of an address",
    "forget_asks": "the job deletes what has expired of all",
    "use_sign_in_link": "finds who signs in by the hash of a link",
    "passkey_of_credential": "finds who signs in by the id of a passkey",
    "forget_ceremonies": "ceremonies that nobody ended go, whosever they were",
    "note_keys_used": "notes when keys were used, whosever they are",
    "service_keys": "keys of services belong to no user",
    "live_keys_of_services": "keys of services belong to no user",
    "revoke_any_key": "the operator revokes a key by its id",
    "count_ended_by_restore": "a restore has ended everybody's",
    "forget_logins": "the job deletes sessions and links of all users that ended long ago",
    "forget_alerts": "the job deletes what all users were told two days ago",
    "events_of_all": "operators see what all users were told",
    "claim_notices": "the job mails what all users are to be told",
    "forget_events": "the job deletes what all users were told long ago",
    "webhooks_due": "the job looks what is due to be sent, whosever it is",
    "take_webhooks": "the job takes what is due to be sent, whosever it is",
    "webhook_endpoints": "operators see how much waits for an endpoint",
    "webhook_deliveries_page": "operators see what was sent to an endpoint",
    "replay_failed_webhooks": "operators have sent again what failed for an endpoint",
    "replay_waiting_webhooks": "what waits for an endpoint goes out when operators ask for it",
    "forget_webhook_deliveries": "what was for an endpoint goes with it",
    "forget_door_changes": "the job deletes what came by the door 90 days ago, of all users",
    "user_of_customer": "finds the user by a customer of Stripe",
    "hold_customer": "finds the user by a customer of Stripe",
    "forget_customers": "customers of Stripe who are nobody here",
    "forget_old_hours": "the job deletes old sums by hour of all users",
    "master_keys_needed": "asks of all secrets which master keys they still need",
    "secrets_by_master_key": "the operator counts secrets by master key",
    "secrets_under_others": "the rotation of the master key covers all users",
    "secrets_to_seal_anew": "the rotation of the master key covers all users",
    "rows_before": "the dry run counts what would be pruned",
    "texts_before": "the dry run counts what would be pruned",
    "outdated_terms": "operators see whose terms of a plan are older than the catalogue's",
    "outdated_by_plan": "operators see how many users of each plan have older terms",
    "some_outdated": "the users of a plan are moved set by set",
    "tk_close_month": "a month is taken out of the ledger for all users at once",
    "tk_seal": "a month is sealed for all users at once",
    "activity_by_actor": "operators see what somebody did, whoever it was about",
    "activity_of_all": "operators see all that was noted",
    "tk_forget_activity": "an operator who is deleted may have acted on others",
    "verified": "a verification covers all users",
    "users_to_prove": "a node proves the numbers of every user in turn",
    "operators_addresses": "all operators are told when the numbers are wrong",
}

# Files that may build SQL from parts, each with its reason.
BUILDS_SQL: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Statement:
    where: str
    name: str
    text: str

    @property
    def code(self) -> str:
        """Without comments and string literals."""
        return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", self.text, flags=re.DOTALL)


def _named(checkout: Checkout) -> Iterator[_Statement]:
    """Every `-- name:` of store/sql."""
    for path, text in checkout.matching(rf"{SOURCE}/store/sql/.*\.sql"):
        starts = list(re.finditer(r"^--\s*name:\s*(\w+).*\n?", text, flags=re.MULTILINE))
        ends = [start.start() for start in starts[1:]] + [len(text)]
        for start, end in zip(starts, ends, strict=True):
            yield _Statement(f"{path}:{_line(text, start.start())}", start[1], text[start.end() : end])


def _in_routines(checkout: Checkout) -> Iterator[_Statement]:
    """Every statement within a function of store/routines, under the function's name."""
    for path, text in checkout.matching(rf"{SOURCE}/store/routines/.*\.sql"):
        name, at = PurePosixPath(path).stem, 0
        for piece in re.split(r"(?<=;)", text):
            name = next(iter(re.findall(r"\bFUNCTION\s+(\w+)", piece)[-1:]), name)
            yield _Statement(f"{path}:{_line(text, at + len(piece) - len(piece.lstrip()))}", name, piece)
            at += len(piece)


def names(checkout: Checkout) -> set[str]:
    """Names of all statements, and of the functions of routines."""
    return {statement.name for statement in (*_named(checkout), *_in_routines(checkout))}


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def a_statement_is_named_once(checkout: Checkout) -> Iterator[str]:
    """Of two with one name, one would silently win."""
    times = Counter(statement.name for statement in _named(checkout))
    for statement in _named(checkout):
        if times[statement.name] > 1:
            yield f"{statement.where}: {statement.name} is defined {times[statement.name]} times; rename one"


def a_routine_is_defined_once(checkout: Checkout) -> Iterator[str]:
    """Of two that take the same, the one that is applied last wins, and the other is dead."""
    found = [
        (path, f"{routine[1]}({' '.join((routine[2] or '').split())})")
        for path, text in checkout.matching(rf"{SOURCE}/store/routines/.*\.sql")
        for routine in _ROUTINE.finditer(text)
    ]
    times = Counter(routine for _, routine in found)
    for path, routine in found:
        if times[routine] > 1:
            yield f"{path}: {routine} is defined {times[routine]} times; keep one"


_ROUTINE = re.compile(r"\bCREATE OR REPLACE (?:FUNCTION|AGGREGATE|VIEW) (\w+)\s*(?:\(([^)]*)\))?")


def a_statement_says_what_it_is_for(checkout: Checkout) -> Iterator[str]:
    """A sentence right below its name."""
    for statement in _named(checkout):
        if not re.match(r"--[ \t]*\w[^\n]*[ \t]\w", statement.text):
            yield f"{statement.where}: {statement.name} lacks its comment; say what for on the line below the name"


def a_statement_has_a_caller(checkout: Checkout) -> Iterator[str]:
    """A statement that nobody asks for is dead."""
    asked = {
        node.value
        for _, tree in checkout.python(SOURCE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for statement in _named(checkout):
        if statement.name not in asked:
            yield f'{statement.where}: nothing in src asks for "{statement.name}"; delete it or call it by its name'


def a_statement_on_user_data_carries_the_user(checkout: Checkout) -> Iterator[str]:
    """Whoever forgets the owner in a WHERE shows one user's data to another, or asks every shard."""
    tables = "|".join(sorted(user_tables(checkout)))
    touches = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO|ONLY|USING)\s+(?:\w+\.)?({tables})\b", re.IGNORECASE)
    for statement in (*_named(checkout), *_in_routines(checkout)):
        touched = touches.search(statement.code) if tables else None
        if touched and statement.name not in WITHOUT_USER and not _carries_user(statement.code):
            yield (
                f"{statement.where}: {statement.name} touches {touched[1]} without user_id in its WHERE; add it, "
                "or list the statement with its reason in WITHOUT_USER (tests/tidy/statements.py)"
            )


def user_tables(checkout: Checkout) -> set[str]:
    """Tables with a column `user_id`, as the migrations create them, and the views on them."""
    found: set[str] = set()
    for _, text in checkout.matching(rf"{SOURCE}/store/migrations/.*\.sql"):
        for table in re.finditer(
            r"\bCREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", text, re.DOTALL | re.MULTILINE
        ):
            if re.search(r"^\s*user_id\b", table[2], re.MULTILINE):
                found.add(table[1])
        found.update({"user_plans", "user_dashboard_data"} & set(re.findall(r"\bVIEW (\w+)", text)))
    return found


def _carries_user(code: str) -> bool:
    if re.search(r"\bINTO\s+\w+\s*(?:AS\s+\w+\s*)?\([^)]*\buser_id\b", code, re.IGNORECASE):
        return True
    condition = re.search(r"\b(?:WHERE|ON|USING)\b(.*)", code, re.IGNORECASE | re.DOTALL)
    return condition is not None and re.search(r"\buser_id\b", condition[1]) is not None


_SQL_CLOCK = re.compile(
    r"(?<!\w)(?:(?:now|(?:clock|statement|transaction)_timestamp|timeofday)\s*\(|current_(?:timestamp|date|time)\b"
    r"|localtime(?:stamp)?\b)",
    re.IGNORECASE,
)


def a_statement_asks_only_tk_now_for_the_time(checkout: Checkout) -> Iterator[str]:
    """One clock decides, and tests can set it."""
    for path, text in checkout.matching(rf"{SOURCE}/store/.*\.sql"):
        for piece in re.split(r"(?<=;)", text):
            code = _Statement(path, "", piece).code
            clock = _SQL_CLOCK.search(code)
            if clock and not re.search(r"FUNCTION\s+tk_now\b", code):
                yield f"{path}: {clock[0].strip('( ')} in «{' '.join(code.split())[:60]}»; ask tk_now()"


_RUNS_SQL = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "prepare", "cursor"}


def sql_is_never_built_in_python(checkout: Checkout) -> Iterator[str]:
    """Values are bound, and what varies is written out: so no value can become SQL."""
    for path, tree in checkout.python(SOURCE):
        built = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and _is_built(node.value, node)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if not (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _RUNS_SQL
            ):
                continue
            said = [*call.args[:1], *(word.value for word in call.keywords if word.arg in {"query", "command", "sql"})]
            if path not in BUILDS_SQL and any(_is_built(one) or _names(one) & built for one in said):
                yield (
                    f"{path}:{call.lineno}: {call.func.attr} is given SQL built from parts; write the statement into "
                    "store/sql and bind the values"
                )


def _is_built(said: ast.AST | None, assignment: ast.AST | None = None) -> bool:
    """Whether a text is put together: f-string, +, %, .format, .join, .replace."""
    if isinstance(assignment, ast.AugAssign):
        return isinstance(assignment.op, ast.Add) and any(_is_text(part) for part in ast.walk(assignment.value))
    if said is None:
        return False
    for node in ast.walk(said):
        match node:
            case ast.JoinedStr() if any(isinstance(part, ast.FormattedValue) for part in node.values):
                return True
            case ast.BinOp(op=ast.Add() | ast.Mod()) if any(_is_text(part) for part in ast.walk(node)):
                return True
            case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace" | "format_map")):
                return True
            case _:
                pass
    return False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _names(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
