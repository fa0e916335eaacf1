"""Azure LLM inference traces of 2023 and 2024 (https://github.com/Azure/AzurePublicDataset, CC-BY 4.0, ISCA 2024).

Times name no zone and are UTC. Their seventh digit, a tenth of a microsecond, is cut off, so that no request moves into
the next second. The 2024 files write ``+00:00`` behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from tollkeeper.traces.reading import PastRequest, Row, Source, Table

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)?", re.ASCII)
_DIGITS_OF_A_MICROSECOND: Final = 6


def read(source: Source, starting_at: datetime) -> Iterator[PastRequest]:  # noqa: ARG001
    """Read times as they are; the trace names neither model nor session nor failures."""
    return map(_request, Table(source, "TIMESTAMP", "ContextTokens", "GeneratedTokens").rows())


def _request(row: Row) -> PastRequest:
    return PastRequest(
        row=row.number,
        fingerprint=row.fingerprint,
        started_at=_instant(row),
        status="completed",
        input_tokens=row.count("ContextTokens"),
        output_tokens=row.count("GeneratedTokens"),
    )


def _instant(row: Row) -> datetime:
    found = _TIME.fullmatch(row.values["TIMESTAMP"])
    if found:
        day, time, fraction = found.groups("0")
        microseconds = fraction[:_DIGITS_OF_A_MICROSECOND].ljust(_DIGITS_OF_A_MICROSECOND, "0")
        try:
            return datetime.fromisoformat(f"{day}T{time}.{microseconds}").replace(tzinfo=UTC)
        except ValueError:
            pass
    raise row.faulty("TIMESTAMP", "must be a time like 2023-11-16 18:15:46.6805900")
