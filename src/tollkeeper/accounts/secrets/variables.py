"""Variables: what a user keeps with us by name, secrets among them. ``values`` tells which value fits which type.

Without a type a variable keeps the one it has (a secret stays secret), and a new one takes that of its value. Without a
description it keeps the one it has; None takes it away.

A secret is given back masked (``****`` and its last four characters, if it has at least twelve). Who reads all
variables and writes them back therefore sends masks: the mask of the very secret that is kept means "as it is". Any
other mask is refused, for it would put four asterisks in the place of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tollkeeper import activity
from tollkeeper.accounts.secrets.sealing import Sealed, Sealer
from tollkeeper.accounts.secrets.values import TYPES, Type, json_of, text_of, type_of
from tollkeeper.accounts.text import storable
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.store.database import Database, Record, Statements, Transaction

MOST_VARIABLES: Final = 200

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_LONGEST_DESCRIPTION: Final = 2000
_MASK: Final = "****"
_MASKED = re.compile(r"\*{4}(?:.{4})?", re.DOTALL)
_SHOWN: Final = 4
_LONG_ENOUGH_TO_HINT: Final = 12


@dataclass(frozen=True, slots=True)
class NewVariable:
    """What a caller wants to keep. ``msgspec.UNSET`` (not given) leaves a description as it is."""

    key: str
    value: Any
    type: str | None = None
    description: str | msgspec.UnsetType | None = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it is given back: ``text`` is what is kept, of a secret the mask unless it was revealed."""

    key: str
    type: Type
    text: str
    description: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def value(self) -> str | msgspec.Raw:
        """Its JSON value: a string, or JSON that msgspec writes as it is."""
        return json_of(self.text, self.type)


@dataclass(frozen=True, slots=True)
class Put:
    """What became of one variable."""

    variable: Variable
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Checked:
    """Fit to be kept; ``text`` is None where the secret stays as it is."""

    key: str
    type: Type
    text: str | None
    description: str | msgspec.UnsetType | None


async def listed(database: Statements, user_id: UUID) -> list[Variable]:
    """Show all variables of a user by name, secrets masked."""
    return [_variable(row) for row in await database.all("variables_of_user", user_id=user_id)]


async def one(database: Statements, user_id: UUID, key: str) -> Variable:
    """Show one variable, a secret masked; ``NotFound`` if there is none of that name."""
    return _variable(await _row(database, user_id, key))


async def reveal(database: Database, user_id: UUID, key: str, *, sealer: Sealer, actor: Actor) -> Variable:
    """Show one variable, a secret whole, and note that it was. ``SealBroken`` if it is not what was sealed."""
    async with database.transaction() as tx:
        row = await _row(tx, user_id, key)
        if row["type"] != "secret":
            return _variable(row)
        secret = sealer.open(Sealed(row["sealed"], row["sealed_with"]), user_id=user_id, key=key)
        await activity.note(tx, user_id=user_id, actor=actor, action="variable.revealed", detail={"key": key})
    return _variable(row, text=secret)


async def reveal_all(database: Database, user_id: UUID, *, sealer: Sealer, actor: Actor) -> list[Variable]:
    """Show all variables of a user by name, secrets whole, and note which were. ``SealBroken`` as in ``reveal``."""
    async with database.transaction() as tx:
        rows = await tx.all("variables_with_seals", user_id=user_id)
        secrets = {
            row["key"]: sealer.open(Sealed(row["sealed"], row["sealed_with"]), user_id=user_id, key=row["key"])
            for row in rows
            if row["type"] == "secret"
        }
        if secrets:
            detail = {"keys": sorted(secrets)}
            await activity.note(tx, user_id=user_id, actor=actor, action="variables.revealed", detail=detail)
    return [_variable(row, text=secrets.get(row["key"])) for row in rows]


async def put(database: Database, user_id: UUID, given: NewVariable, *, sealer: Sealer, actor: Actor) -> Put:
    """Create or update one variable; errors name the fields ``key``, ``value``, ``type``, ``description``."""
    return (await _put(database, user_id, [("", given)], sealer=sealer, actor=actor))[0]


async def put_many(
    database: Database, user_id: UUID, given: Sequence[NewVariable], *, sealer: Sealer, actor: Actor
) -> list[Put]:
    """Create or update variables, all or none, and answer them in the order given.

    Raises ``Invalid`` naming every faulty field (``variables[3].value``), ``Contradiction`` if the user would have more
    than 200, and ``NotFound`` if there is no such user.
    """
    if len(given) > MOST_VARIABLES:
        raise Invalid.field("variables", f"must be at most {MOST_VARIABLES}")
    placed = [(f"variables[{place}].", each) for place, each in enumerate(given)]
    return await _put(database, user_id, placed, sealer=sealer, actor=actor) if placed else []


async def delete(database: Database, user_id: UUID, key: str, *, actor: Actor) -> None:
    """Delete a variable; ``NotFound`` if there is none of that name."""
    async with database.transaction() as tx:
        if not _KEY.fullmatch(key) or await tx.value("delete_variable", user_id=user_id, key=key) is None:
            raise NotFound("no such variable")
        await activity.note(tx, user_id=user_id, actor=actor, action="variable.deleted", detail={"key": key})


async def _put(
    database: Database, user_id: UUID, given: Sequence[tuple[str, NewVariable]], *, sealer: Sealer, actor: Actor
) -> list[Put]:
    async with database.transaction() as tx:
        # Takes the lock of all that is the user's, so that types and their number hold until the commit.
        await tx.value("bring_current", user_ids=[user_id])
        kept = {row["key"]: row for row in await tx.all("variable_types", user_id=user_id)}
        checked = _all_checked(given, kept)
        if len(kept.keys() | {each.key for each in checked}) > MOST_VARIABLES:
            raise Contradiction(f"a user has at most {MOST_VARIABLES} variables: delete some first")
        rows = {row["key"]: row for row in await _written(tx, user_id, checked, sealer)}
        if not rows:
            raise NotFound("no such user")
        detail = {"keys": sorted(rows)}
        await activity.note(tx, user_id=user_id, actor=actor, action="variables.put", detail=detail)
    return [Put(_variable(rows[each.key]), is_new=each.key not in kept) for each in checked]


async def _written(tx: Transaction, user_id: UUID, checked: Sequence[_Checked], sealer: Sealer) -> list[Record]:
    described = [each.key for each in checked if each.description is not msgspec.UNSET]
    rows: list[Record] = []
    if changed := [each for each in checked if each.text is not None]:
        version = await _version(tx, sealer) if any(each.type == "secret" for each in changed) else None
        sealed = [_sealed(each, user_id, sealer, version) for each in changed]
        rows += await tx.all(
            "put_variables",
            user_id=user_id,
            keys=[each.key for each in changed],
            types=[each.type for each in changed],
            values=[None if seal else each.text for each, seal in zip(changed, sealed, strict=True)],
            sealed=[seal.content if seal else None for seal in sealed],
            sealed_with=[seal.version if seal else None for seal in sealed],
            hints=[_hint(each) for each in changed],
            descriptions=_descriptions(changed),
            described=described,
        )
    if unchanged := [each for each in checked if each.text is None]:
        rows += await tx.all(
            "describe_variables",
            user_id=user_id,
            keys=[each.key for each in unchanged],
            descriptions=_descriptions(unchanged),
            described=described,
        )
    return rows


def _all_checked(given: Iterable[tuple[str, NewVariable]], kept: dict[str, Record]) -> list[_Checked]:
    """Check every variable before any is refused, so that a caller hears of all that is wrong at once."""
    checked: dict[str, _Checked] = {}
    errors: list[dict[str, str]] = []
    for place, each in given:
        try:
            if each.key in checked:
                raise Invalid.field(f"{place}key", f"{each.key} stands there twice")
            checked[each.key] = _checked(each, kept.get(each.key), place)
        except Invalid as error:
            errors += error.fields["errors"]
    if errors:
        raise Invalid.several(errors)
    return list(checked.values())


def _checked(given: NewVariable, kept: Record | None, place: str) -> _Checked:
    if not _KEY.fullmatch(given.key):
        raise Invalid.field(
            f"{place}key", "must have 1 to 128 characters of A-Z a-z 0-9 _ . - and begin with a letter or _"
        )
    kind = _type(given, kept, place)
    text = text_of(given.value, kind, field=f"{place}value")
    if isinstance(given.description, str):
        storable(given.description, field=f"{place}description")
        if len(given.description) > _LONGEST_DESCRIPTION:
            raise Invalid.field(f"{place}description", f"must have at most {_LONGEST_DESCRIPTION} characters")
    was_secret = kept is not None and kept["type"] == "secret"
    if not ((was_secret or kind == "secret") and _MASKED.fullmatch(text)):
        return _Checked(given.key, kind, text, given.description)
    if kept is not None and was_secret and kind == "secret" and kept["hint"] == text:
        return _Checked(given.key, kind, None, given.description)
    raise Invalid.field(f"{place}value", "is the mask of a secret, and not that of the one that is kept: send it whole")


def _type(given: NewVariable, kept: Record | None, place: str) -> Type:
    if given.type is None:
        return kept["type"] if kept is not None else type_of(given.value)
    for known in TYPES:
        if given.type == known:
            return known
    raise Invalid.field(f"{place}type", f"must be one of {', '.join(TYPES)}")


async def _version(tx: Transaction, sealer: Sealer) -> int | None:
    """Say under which version all nodes seal until the commit; before the first one has started nobody says so."""
    row = await tx.one("sealing_now")
    if row is None:
        return None
    sealer.refuse_unless(row["version"], row["fingerprint"])
    return row["version"]


def _sealed(checked: _Checked, user_id: UUID, sealer: Sealer, version: int | None) -> Sealed | None:
    if checked.type != "secret" or checked.text is None:
        return None
    return sealer.seal(checked.text, user_id=user_id, key=checked.key, version=version)


def _hint(checked: _Checked) -> str | None:
    if checked.type != "secret" or checked.text is None:
        return None
    return _MASK + (checked.text[-_SHOWN:] if len(checked.text) >= _LONG_ENOUGH_TO_HINT else "")


def _descriptions(checked: Iterable[_Checked]) -> list[str | None]:
    return [None if isinstance(each.description, msgspec.UnsetType) else each.description for each in checked]


async def _row(database: Statements, user_id: UUID, key: str) -> Record:
    row = await database.one("variable", user_id=user_id, key=key) if _KEY.fullmatch(key) else None
    if row is None:
        raise NotFound("no such variable")
    return row


def _variable(row: Record, *, text: str | None = None) -> Variable:
    shown = row["hint"] if row["type"] == "secret" else row["value"]
    return Variable(
        row["key"],
        row["type"],
        shown if text is None else text,
        row["description"],
        row["created_at"],
        row["updated_at"],
    )
