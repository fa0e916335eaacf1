"""The API's description as a page for people."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tollkeeper.http.exchange import Answer
from tollkeeper.http.pages import page

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_CODE: Final = re.compile(r"`([^`]+)`")


def docs_page(description: dict[str, Any]) -> Answer:
    """Render the whole description."""
    operations = [
        (path, method, each[method])
        for path, each in description["paths"].items()
        for method in _METHODS
        if method in each
    ]
    schemas: dict[str, Any] = description["components"]["schemas"]
    body = (
        '<header class="top"><a class="mark" href="/">tollkeeper</a><small>API '
        f'{html.escape(description["info"]["version"])}</small><a href="/openapi.json">openapi.json</a></header>\n'
        f'<div class="docs"><nav aria-label="Contents">{"".join(_contents(operations))}</nav>\n<main>\n'
        f"<h1>API</h1>\n<p>{_prose(description['info']['description'])}</p>\n{_callers(description)}"
        f"{''.join(_operation(*each) for each in operations)}"
        f'<h2 class="part">Shapes</h2>\n{"".join(_shape(*each) for each in schemas.items())}'
        "</main></div>\n"
    )
    return page("tollkeeper API", body, styles=("docs.css",))


def _contents(operations: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    part = None
    yield "<ul>"
    for path, method, operation in operations:
        if operation["tags"][0] != part:
            part = operation["tags"][0]
            yield f'<li class="part">{html.escape(part)}</li>'
        yield f'<li><a href="#{operation["operationId"]}"><b class="{method}">{method}</b> {html.escape(path)}</a></li>'
    yield '<li class="part">shapes</li><li><a href="#shape-Problem">Problem and others</a></li></ul>'


def _callers(description: dict[str, Any]) -> str:
    schemes = description["components"]["securitySchemes"]
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{_prose(each['description'])}</dd>" for name, each in schemes.items()
    )
    return f'<section class="card"><h2>Who may call</h2><dl>{rows}</dl></section>\n'


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    return (
        f'<section class="card" id="{operation["operationId"]}">\n<h2><b class="{method}">{method}</b> '
        f"<code>{html.escape(path)}</code></h2>\n<p><strong>{_prose(operation['summary'])}</strong></p>\n"
        f"{''.join(f'<p>{_prose(each)}</p>' for each in operation['description'].split(chr(10) * 2))}\n"
        f"{_parameters(operation['parameters'])}{_body(operation.get('requestBody'))}"
        f"{_answers(operation['responses'])}<h3>Try it</h3>\n{_code(_curl(path, method, operation))}\n</section>\n"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(each['name'])}</code></td><td>{each['in']}</td><td>{_type(each['schema'])}</td>"
        f"<td>{_prose(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return _table("Parameters", ("name", "in", "type", "meaning"), rows) if rows else ""


def _body(body: dict[str, Any] | None) -> str:
    if body is None:
        return ""
    content = body["content"]["application/json"]
    examples = "".join(
        f'<p class="soft">{html.escape(name)}</p>{_code(_json(each["value"]))}'
        for name, each in content["examples"].items()
    )
    return f"<h3>Body</h3>\n<p>{_type(content['schema'])}</p>\n{examples}"


def _answers(responses: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{status}</td><td>{_prose(each['description'])}</td>"
        f"<td>{', '.join(_type(content['schema']) for content in each['content'].values())}</td></tr>"
        for status, each in responses.items()
    )
    return _table("Answers", ("status", "meaning", "shape"), rows)


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{html.escape(field)}</code></td><td>{_type(kind)}</td>"
        f"<td>{'always' if field in required else 'optional'}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    about = f"<p>{_prose(schema.get('description', ''))}</p>"
    fields = _table("", ("field", "type", ""), rows)
    return f'<section class="card" id="shape-{name}"><h3>{name}</h3>{about}{fields}</section>\n'


def _table(caption: str, heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f'<th scope="col">{each}</th>' if each else "<td></td>" for each in heads)
    title = f"<h3>{caption}</h3>\n" if caption else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'{title}<div class="wide" tabindex="0">{table}</div>\n'


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#shape-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(json.dumps(each))}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    bounds = [f"{word} {schema[key]:,}" for key, word in _BOUNDS.items() if key in schema]
    return html.escape(" ".join([schema.get("format") or schema.get("type") or "any", *bounds]))


_BOUNDS: Final = {"minimum": "from", "maximum": "to", "minLength": "of at least", "maxLength": "of at most"}


def _curl(path: str, method: str, operation: dict[str, Any]) -> str:
    lines = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} http://localhost:8080{_filled(path)}"]
    if operation.get("security") != []:
        lines.append('-H "Authorization: Bearer $TOLLKEEPER_KEY"')
    if any(each["name"] == "Tollkeeper-User" for each in operation["parameters"]):
        lines.append("-H 'Tollkeeper-User: alice@example.com'")
    if "requestBody" in operation:
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        example: Any = next((each["value"] for each in examples.values()), None)
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(example)}'"]
    return " \\\n  ".join(lines)


def _filled(path: str) -> str:
    return path.replace("{reference}", "req-123").replace("{session}", "session-123").replace("{key}", "OPENAI_KEY")


def _code(text: str) -> str:
    return f'<pre tabindex="0"><code>{html.escape(text)}</code></pre>'


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))
