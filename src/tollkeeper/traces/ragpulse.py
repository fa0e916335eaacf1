"""RAGPulse: a week of questions to a university's assistant (https://github.com/flashserve/RAGPulse, MIT).

``timestamp`` is seconds since the start, as text; one pair of rows is out of order. ``hash_ids`` tells what the prompt
was made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, cast

from tollkeeper.traces.reading import PastRequest, Row, Source, json_rows


def read(source: Source, starting_at: datetime) -> Iterator[PastRequest]:
    """Read in the file's order. The category is what the prompt was enriched with; model and failures are not told."""
    return map(partial(_request, starting_at), json_rows(source))


def _request(starting_at: datetime, row: Row) -> PastRequest:
    return PastRequest(
        row=row.number,
        fingerprint=row.fingerprint,
        started_at=row.after(starting_at, "timestamp"),
        status="completed",
        input_tokens=row.count("input_length"),
        output_tokens=row.count("output_length"),
        session_id=row.text("session_id"),
        category=_category(row),
    )


def _category(row: Row) -> str:
    parts = row.values.get("hash_ids")
    if not isinstance(parts, dict):
        raise row.faulty("hash_ids", "must be an object")
    given = cast("dict[str, Any]", parts)
    enriched = [name for key, name in (("passages_ids", "passages"), ("web_search", "web search")) if given.get(key)]
    return " and ".join(enriched) or "question only"
