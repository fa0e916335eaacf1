"""``tollkeeper export``: everything that was recorded, on its way out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from cyclopts import Parameter

from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Misused, Unheard, counted, not_empty
from tollkeeper.cli.files import handed_on, target
from tollkeeper.cli.house import opened
from tollkeeper.errors import TollkeeperError
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking.records import ChatRequest
from tollkeeper.metering.upkeep import exporting
from tollkeeper.names import camel
from tollkeeper.spreadsheets import csv_rows
from tollkeeper.traces.own import ExportedRequest

__all__ = ["export"]

Form = Literal["jsonl", "csv", "json"]

_SECONDS: Final = 600.0
_encode = msgspec.json.Encoder(decimal_format="number").encode
_COLUMNS: Final = tuple(each.encode_name for each in msgspec.structs.fields(ExportedRequest))


async def export(
    *,
    user: Annotated[str | None, Parameter(help="Only the requests of this user.", converter=not_empty)] = None,
    format: Annotated[  # noqa: A002 - the word on the command line
        Literal["jsonl", "csv"], Parameter(help="CSV is for spreadsheets: no cell can act as a formula there.")
    ] = "jsonl",
    output: Annotated[Path | None, Parameter(help="Write to this file and not to standard output.")] = None,
    common: Common = DEFAULTS,
) -> Answer | None:
    """Write all requests with their texts, user by user, the oldest first, as they all stood at one instant.

    JSONL has all there is and can be imported again. A file is written whole or not at all, for your eyes only; with
    --json and without one, the requests are the items of the document.
    """
    form: Form = format
    if common.json and output is None:
        if format == "csv":
            raise Misused("--json and CSV cannot share standard output: give --output FILE")
        form = "json"
    written = 0
    async with opened(common, statement_seconds=_SECONDS) as house:
        user_id = None if user is None else await house.user_id(user)
        with target(output, told_as="--output") as file:
            await handed_on(file, _HEADS[form])
            try:
                async for email, page in exporting.export(house.database, user_id):
                    lines = _written(form, [exported(email, request) for request in page], is_first=written == 0)
                    await handed_on(file, lines)
                    written += len(page)
            except TollkeeperError as error:
                if form != "json":
                    raise
                # In the middle of a document there is no place for another.
                raise Unheard(f"the export broke off: {error.detail}") from error
            if form == "json":
                await handed_on(file, b'],"exported":%d}\n' % written)
    if output is None:
        return None
    return Answer({"exported": written, "file": str(output)}, f"{counted(written, 'request')} exported to {output}.")


def exported(email: str | None, request: ChatRequest) -> ExportedRequest:
    """Say a request as our own format does."""
    return ExportedRequest(
        user=email,
        id=str(request.id),
        request_id=request.client_id or str(request.id),
        session_id=request.session_id,
        prompt=request.prompt,
        response=request.response,
        model=request.model,
        request_type=request.request_type,
        category=request.category,
        complexity=cast("Any", request.complexity),
        status=cast("Any", request.status),
        error_message=request.error_message,
        error_code=request.error_code,
        late=request.late,
        refunded=request.refunded,
        tokens_used=request.tokens_used,
        tokens_input=request.tokens_input,
        tokens_output=request.tokens_output,
        tokens_cached=request.tokens_cached,
        tokens_cache_write=request.tokens_cache_write,
        tokens_reasoning=request.tokens_reasoning,
        cost=_cents(request.cost_nanos),
        cost_nanos=request.cost_nanos,
        cost_source=cast("Any", request.cost_source),
        reported_cost=_cents(request.reported_nanos),
        unit_prices=request.unit_prices and {camel(kind): price for kind, price in request.unit_prices.items()},
        duration=request.duration_ms,
        user_rating=request.rating,
        started_at=request.started_at,
        completed_at=request.completed_at,
        created_at=request.created_at,
        ip_address=request.ip_address,
        user_agent=request.user_agent,
        metadata=request.metadata,
    )


def _cents(nanos: int | None) -> Any:
    return None if nanos is None else cents_of(nanos)


def _written(form: Form, requests: list[ExportedRequest], *, is_first: bool) -> bytes:
    if form == "csv":
        return csv_rows(map(msgspec.structs.astuple, requests))
    if form == "json":
        return (b"" if is_first else b",") + b",".join(map(_encode, requests))
    return b"".join(_encode(request) + b"\n" for request in requests)


_HEADS: Final[dict[Form, bytes]] = {"jsonl": b"", "csv": csv_rows([_COLUMNS]), "json": b'{"items":['}
