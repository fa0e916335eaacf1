"""BurstGPT: requests to ChatGPT and GPT-4 on a campus (https://github.com/HPMLL/BurstGPT, CC-BY 4.0, KDD 2025).

``Timestamp`` is seconds since the midnight before the first day. Version 2 adds ``Session ID`` (blank for API calls)
and ``Elapsed time``, the seconds until the answer. A request without response tokens has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from tollkeeper.traces.reading import PastRequest, Row, Source, Table


def read(source: Source, starting_at: datetime) -> Iterator[PastRequest]:
    """Read version 1 or 2; the model keeps the name that the file gives it, the log type is the category."""
    table = Table(source, "Timestamp", "Model", "Request tokens", "Response tokens", "Log Type")
    return map(partial(_request, starting_at), table.rows())


def _request(starting_at: datetime, row: Row) -> PastRequest:
    input_tokens, output_tokens = row.count("Request tokens"), row.count("Response tokens")
    if row.values.get("Total tokens") and row.count("Total tokens") != input_tokens + output_tokens:
        raise row.faulty("Total tokens", "must be Request tokens + Response tokens")
    return PastRequest(
        row=row.number,
        fingerprint=row.fingerprint,
        started_at=row.after(starting_at, "Timestamp"),
        status="completed" if output_tokens else "failed",
        duration_ms=row.milliseconds("Elapsed time"),
        model=row.text("Model"),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        session_id=row.text("Session ID"),
        category=row.text("Log Type"),
    )
