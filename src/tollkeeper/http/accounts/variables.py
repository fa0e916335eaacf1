"""The user's variables."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from tollkeeper.accounts.secrets import dotenv, variables
from tollkeeper.accounts.secrets.dotenv import Entry
from tollkeeper.accounts.secrets.variables import NewVariable, Variable
from tollkeeper.errors import Contradiction, Invalid, NotAllowed, NotFound, NotUnderstood, SignInAgain
from tollkeeper.http.body import Fault, inner, invalid
from tollkeeper.http.call import Header
from tollkeeper.http.caller import Caller
from tollkeeper.http.callers import Callers, refuse_who_acts
from tollkeeper.http.docs import examples
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete, get, post, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.wording import unread

Type = Literal["string", "number", "boolean", "json", "secret"]

_PATH: Final = "/api/user/variables"
_PLACED: Final = re.compile(r"variables\[(\d+)\]")
_AS_FILE: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-disposition", b'attachment; filename="tollkeeper.env"'),
)


class PutVariable(Said, frozen=True, kw_only=True):
    """One variable to keep. Without a type it keeps the one it has; a new one takes that of its value."""

    key: Annotated[str, Meta(max_length=128)]
    value: Any
    type: Type | None = None
    description: Annotated[str, Meta(max_length=2000)] | UnsetType | None = UNSET

    def as_new_variable(self) -> NewVariable:
        """Say the same inside."""
        return NewVariable(self.key, self.value, self.type, self.description)


class PutVariables(Said, frozen=True, kw_only=True):
    """Several variables, by name or in full: all are kept or none."""

    variables: dict[str, Any] | list[PutVariable]

    def as_new_variables(self) -> list[NewVariable]:
        """Say the same inside; ``Invalid`` names every faulty field."""
        if isinstance(self.variables, dict):
            return [NewVariable(key, value) for key, value in self.variables.items()]
        return [each.as_new_variable() for each in self.variables]

    @contextmanager
    def faults_by_name(self) -> Generator[None]:
        """Name faulty fields as the caller did: where variables came by name, by name."""
        try:
            yield
        except Invalid as error:
            if isinstance(self.variables, list):
                raise
            names = list(self.variables)
            told = [Fault(_by_name(each["field"], names), each["message"]) for each in error.fields["errors"]]
            raise invalid(told) from None


@dataclass(frozen=True, slots=True)
class FileOfVariables:
    """Several variables as a ``.env`` file: all are kept or none."""

    entries: list[Entry]

    @classmethod
    def of(cls, raw: bytes) -> FileOfVariables:
        """Read the file; ``Invalid`` names a line that is none."""
        try:
            return cls(dotenv.read(raw.decode()))
        except UnicodeDecodeError as error:
            raise NotUnderstood(f"the file {unread(error)}") from None

    def as_new_variables(self) -> list[NewVariable]:
        """Say the same inside."""
        return [NewVariable(each.key, each.value) for each in self.entries]

    @contextmanager
    def faults_by_name(self) -> Generator[None]:
        """Name faulty variables by their lines."""
        try:
            yield
        except Invalid as error:
            raise invalid([self._by_line(each["field"], each["message"]) for each in error.fields["errors"]]) from None

    def _by_line(self, field: str, message: str) -> Fault:
        placed = _PLACED.match(field)
        if placed is None:
            return Fault(field, message)
        part = field[placed.end() :].lstrip(".")
        return Fault(f"line {self.entries[int(placed[1])].line}", f"{part}: {message}")


class ListQuery(Said, frozen=True, kw_only=True):
    """As what variables are to be given; in a file secrets may stand whole."""

    format: Literal["json", "env"] = "json"
    reveal: bool = False

    def contradictions(self) -> Iterable[Fault]:
        """In a list secrets are masked."""
        if self.reveal and self.format != "env":
            yield Fault("reveal", "only goes with format=env; one secret is shown by its name")


class RevealQuery(Said, frozen=True, kw_only=True):
    """Whether a secret is to be shown whole."""

    reveal: bool = False


class VariableShown(Heard, frozen=True, kw_only=True):
    """A variable; of a secret the mask, unless it was revealed."""

    key: str
    value: Any
    type: Type
    description: str | None
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, variable: Variable) -> VariableShown:
        """Show a variable."""
        return cls(
            key=variable.key,
            value=variable.value,
            type=variable.type,
            description=variable.description,
            created_at=instant(variable.created_at),
            updated_at=instant(variable.updated_at),
        )


class VariablesShown(Heard, frozen=True, kw_only=True):
    """All variables of a user, or those that were put."""

    success: Literal[True] = True
    variables: list[VariableShown]


class VariableFound(Heard, frozen=True, kw_only=True):
    """The answer about one variable."""

    success: Literal[True] = True
    variable: VariableShown


class Deleted(Heard, frozen=True, kw_only=True):
    """It is gone."""

    success: Literal[True] = True


def _refuse_to_reveal(caller: Caller) -> None:
    refuse_who_acts(caller)
    if "variables:reveal" not in caller.scopes or caller.kind == "service_key":
        raise NotAllowed("secrets are revealed to a signed-in person or a user key with the scope variables:reveal")
    if caller.kind == "person" and not caller.is_recent:
        raise SignInAgain("sign in again: this asks for a sign-in of the last 15 minutes")


def _by_name(field: str, names: list[str]) -> str:
    placed = _PLACED.match(field)
    return inner("variables", names[int(placed[1])]) if placed else field


LIST: Final = Operation(
    "variables:read",
    summary="List the user's variables",
    query=ListQuery,
    gives={200: VariablesShown},
    files=("text/plain",),
    problems=(NotFound, NotAllowed, SignInAgain),
)
SHOW: Final = Operation(
    "variables:read",
    summary="Show one variable",
    query=RevealQuery,
    gives={200: VariableFound},
    problems=(NotFound, NotAllowed, SignInAgain),
)
PUT_ONE: Final = Operation(
    "variables:write",
    summary="Create or update one variable",
    takes=PutVariable,
    query=Said,
    gives={200: VariableFound, 201: VariableFound},
    problems=(Contradiction,),
    examples=examples.PUT_VARIABLE,
    takes_room=True,
    creates_user=True,
)
PUT_MANY: Final = Operation(
    "variables:write",
    summary="Create or update several variables, all or none",
    takes=PutVariables,
    query=Said,
    gives={200: VariablesShown},
    problems=(Contradiction,),
    examples=examples.PUT_VARIABLES,
    also_takes=("text/plain",),
    takes_room=True,
    creates_user=True,
)
DELETE: Final = Operation(
    "variables:write", summary="Delete one variable", query=Said, gives={200: Deleted}, problems=(NotFound,)
)


@get(_PATH, LIST)
async def list_variables(request: Exchange) -> Answer:
    """All by name, secrets masked. With `format=env` a `.env` file, with `reveal=true` secrets and all.

    Who may reveal one secret may reveal all; without that a secret is a comment in the file.
    """
    query = request.asked(ListQuery)
    backend, user_id = request.backend, request.caller.user_id
    if query.reveal:
        _refuse_to_reveal(request.caller)
        found = await variables.reveal_all(backend.database, user_id, sealer=backend.sealer, actor=request.actor)
    else:
        found = await variables.listed(backend.database, user_id)
    if query.format == "env":
        return Answer(dotenv.written(found, revealed=query.reveal).encode(), headers=_AS_FILE)
    return Answer.of(VariablesShown(variables=[VariableShown.of(each) for each in found]))


@get(_PATH + "/{key}", SHOW)
async def show_variable(request: Exchange) -> Answer:
    """A secret is shown whole with `?reveal=true`.

    Only to a person who signed in within the last 15 minutes, or to a user key with the scope `variables:reveal`.
    """
    query = request.asked(RevealQuery)
    backend, caller, key = request.backend, request.caller, path_text(request, "key")
    if not query.reveal:
        found = await variables.one(backend.database, caller.user_id, key)
    else:
        _refuse_to_reveal(caller)
        found = await variables.reveal(
            backend.database, caller.user_id, key, sealer=backend.sealer, actor=request.actor
        )
    return Answer.of(VariableFound(variable=VariableShown.of(found)))


@post(_PATH, PUT_ONE)
async def put_variable(request: Exchange) -> Answer:
    """201 if it is new, 200 if it was there."""
    request.asked(Said)
    said = await request.said(PutVariable)
    backend, new = request.backend, said.as_new_variable()
    done = await request.the(Callers).acting(
        request,
        lambda user_id: variables.put(backend.database, user_id, new, sealer=backend.sealer, actor=request.actor),
    )
    return Answer.of(VariableFound(variable=VariableShown.of(done.variable)), status=201 if done.is_new else 200)


@put(_PATH, PUT_MANY)
async def put_variables(request: Exchange) -> Answer:
    """`{"variables": {"KEY": "value"}}`, or a list of variables in full, or a `.env` file as `text/plain`.

    From a file, new variables are strings, and others keep their type: a secret stays one. Errors name the line.
    """
    request.asked(Said)
    raw = await request.raw()
    # Browsers say text/plain of any text, so a page's JSON says it too; no line of a file begins with a brace.
    is_file = request.body_type == b"text/plain" and not raw.lstrip().startswith(b"{")
    said = FileOfVariables.of(raw) if is_file else await request.said(PutVariables, raw=raw)
    backend = request.backend
    with said.faults_by_name():
        new = said.as_new_variables()
        done = await request.the(Callers).acting(
            request,
            lambda user_id: variables.put_many(
                backend.database, user_id, new, sealer=backend.sealer, actor=request.actor
            ),
        )
    return Answer.of(VariablesShown(variables=[VariableShown.of(each.variable) for each in done]))


@delete(_PATH + "/{key}", DELETE)
async def delete_variable(request: Exchange) -> Answer:
    """Whether it was a secret or not."""
    request.asked(Said)
    caller = request.caller
    await variables.delete(request.backend.database, caller.user_id, path_text(request, "key"), actor=request.actor)
    return Answer.of(Deleted())
