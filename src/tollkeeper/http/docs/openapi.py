"""The description of the API (OpenAPI 3.1), made of what the routes declare, and a readable page made of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import (
    Invalid,
    NobodyKnown,
    NoRoom,
    NotAllowed,
    NotFound,
    NotReadable,
    NotUnderstood,
    TollkeeperError,
    TooLarge,
    Unavailable,
)
from tollkeeper.http.docs.page import docs_page
from tollkeeper.http.exchange import JSON, Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import PARAMETER, Route, get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import encode

_REFERENCE: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Records every chat request of an AI app, holds each user to their plan exactly, and shows both. Every error is a "
    "problem document (RFC 9457); times are ISO 8601 in UTC; money is in US cents, exact, and in nano-USD beside it."
)
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457, with the fields of its kind.",
    "required": ["type", "title", "status", "detail", "instance", "traceId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Leads to a page about this kind."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "traceId": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Also the header X-Trace-Id."},
        "errors": {
            "type": "array",
            "description": "Each faulty field.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
    "additionalProperties": True,
}
_SECURITY: Final[dict[str, Any]] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "A key that people make for themselves (`POST /api/account/keys`) or the operator for them (`tollkeeper key"
            " create --user EMAIL`) is a `tk_user_...` and acts as that user; the operator's `--service NAME` makes a"
            " `tk_service_...`, which acts as whom the header `Tollkeeper-User` names."
        ),
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-tollkeeper",
        "description": "A browser that signed in: by mail, passkey, GitHub, or a link of `tollkeeper user link EMAIL`.",
    },
}
_USER_HEADER: Final[dict[str, Any]] = {
    "name": "Tollkeeper-User",
    "in": "header",
    "required": False,
    "description": "The user's e-mail address; required with a service key, not looked at without one.",
    "schema": {"type": "string", "format": "email", "maxLength": LONGEST_EMAIL},
}


class Description:
    """The description of an application, made when it is asked for first."""

    def __init__(self, routes: Iterable[Route], version: str) -> None:
        self._routes = routes
        self._version = version

    @cached_property
    def document(self) -> dict[str, Any]:
        """All of it, as OpenAPI writes it."""
        return describe(self._routes, self._version)


@get("/openapi.json", Operation("public", summary="Describe this API", gives={200: "application/json"}))
async def openapi(request: Exchange) -> Answer:
    """OpenAPI 3.1, made of the routes themselves."""
    return Answer(encode(request.the(Description).document), headers=(JSON,))


@get("/docs", Operation("public", in_api=False))
async def readable(request: Exchange) -> Answer:
    """The same to be read by people; it loads nothing from elsewhere."""
    return docs_page(request.the(Description).document)


def describe(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Describe all routes that belong to the API."""
    paths: dict[str, dict[str, Any]] = {}
    shapes: list[type[msgspec.Struct]] = []
    for route in routes:
        operation = route.operation
        if not operation.in_api:
            continue
        shapes += [shape for shape in (operation.takes, *operation.gives.values()) if isinstance(shape, type)]
        for path in route.paths:
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tollkeeper",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": _schemas(shapes), "securitySchemes": _SECURITY},
    }


def _schemas(shapes: list[type[msgspec.Struct]]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(dict.fromkeys(shapes), ref_template=_REFERENCE)
    return {"Problem": _PROBLEM} | {name: _plain(schema) for name, schema in sorted(components.items())}


def _plain(schema: Any) -> Any:
    """Say of exact decimals what they are on the wire: numbers."""
    if isinstance(schema, list):
        return [_plain(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    told = {name: _plain(each) for name, each in cast("dict[str, Any]", schema).items()}
    if told.get("format") == "decimal":
        return {"type": "number"}
    if {"type": "number"} in told.get("anyOf", ()):
        choices = [each for each in told["anyOf"] if each != {"type": "integer"}]
        return told | {"anyOf": choices} if len(choices) > 1 else {**told, "anyOf": choices}
    return told


def _operation(route: Route, path: str) -> dict[str, Any]:
    operation = route.operation
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": operation.summary,
        "description": inspect.cleandoc(route.handler.__doc__ or ""),
        "tags": [_tag(path)],
        "parameters": list(_parameters(operation, path)),
        "responses": dict(_responses(operation, path)),
    }
    if operation.permission == "public":
        told["security"] = []
    elif operation.permission == "admin":
        told["description"] += "\n\nOnly for operators: a signed-in person with the role admin."
    elif operation.permission not in {"person", "signed-in"}:
        told["description"] += f"\n\nKeys need the scope `{operation.permission}`."
    if operation.permission in {"person", "admin"}:
        told["security"] = [{"session": []}]
    if operation.takes_many:
        told["security"] = [{"key": []}]
        told["description"] += " Only service keys may call it, without the header `Tollkeeper-User`."
    if operation.names_user:
        told["description"] += " Of people only operators may call it."
    if operation.takes is not None:
        told["requestBody"] = {"required": True, "content": dict(_content(operation, operation.takes))}
    return told


def _content(operation: Operation, takes: type[Said]) -> Iterator[tuple[str, dict[str, Any]]]:
    examples = {name: {"value": value} for name, value in operation.examples.items()}
    schema: dict[str, Any] = {"$ref": _REFERENCE.format(name=takes.__name__)}
    if operation.takes_many:
        schema = {"type": "array", "items": schema}
    yield "application/json", {"schema": schema, "examples": examples}
    if operation.takes_many:
        lines = {"type": "string", "description": "The same items, one on each line."}
        yield from ((kind, {"schema": lines}) for kind in ("application/x-ndjson", "application/jsonl"))
    yield from ((kind, {"schema": {"type": "string"}}) for kind in operation.also_takes)


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part and not part.startswith("{")]
    return parts[1] if parts[0] == "api" and parts[1] != "user" else parts[2] if parts[0] == "api" else "service"


def _parameters(operation: Operation, path: str) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    if operation.query is not None and operation.query is not Said:
        schema = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]
        for name, kind in schema["properties"].items():
            yield {"name": name, "in": "query", "required": False, "schema": _without_null(kind)}
    for name, meaning in operation.headers.items():
        yield {"name": name, "in": "header", "required": False, "description": meaning, "schema": _PRINTABLE}
    if operation.permission not in {"public", "person", "admin", "metrics", "plans:write"} and not operation.takes_many:
        yield _USER_HEADER


_PRINTABLE: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": "^[!-~]([ -~]*[!-~])?$",
}


def _without_null(kind: dict[str, Any]) -> dict[str, Any]:
    choices = [each for each in kind.get("anyOf", ()) if each != {"type": "null"}]
    return choices[0] if choices else kind


def _responses(operation: Operation, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, shape in operation.gives.items():
        if isinstance(shape, str):
            content = {shape: {"schema": {"type": "object" if shape == "application/json" else "string"}}}
        else:
            content = {"application/json": {"schema": {"$ref": _REFERENCE.format(name=shape.__name__)}}}
        content |= {kind: {"schema": {"type": "string"}} for kind in operation.files}
        yield str(status), {"description": HTTPStatus(status).phrase, "content": content, "headers": _TRACE}
    kinds: dict[int, list[type[TollkeeperError]]] = {}
    for kind in dict.fromkeys((*operation.problems, *_always(operation, path))):
        kinds.setdefault(int(kind.status), []).append(kind)
    for status, told in sorted(kinds.items()):
        description = "; ".join(dict.fromkeys(kind.title for kind in told))
        yield str(status), {"description": description, "content": _AS_PROBLEM, "headers": _TRACE}


_TRACE: Final[dict[str, Any]] = {
    "X-Trace-Id": {"description": "Names this exchange, also in the log.", "schema": {"type": "string"}}
}
_AS_PROBLEM: Final[dict[str, Any]] = {
    "application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}}
}


def _always(operation: Operation, path: str) -> Iterator[type[TollkeeperError]]:
    if operation.permission != "public":
        yield from (NotUnderstood, NobodyKnown, NotAllowed, Unavailable)
        if operation.permission not in {"metrics", "person"}:
            yield NotFound
    if operation.takes_room:
        yield NoRoom
    if operation.query is not None or operation.takes is not None or "{" in path:
        yield from (NotUnderstood, Invalid)
    if operation.takes is not None:
        yield from (TooLarge, NotReadable)
