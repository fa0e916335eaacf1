"""Mooncake: requests to Kimi (https://github.com/kvcache-ai/Mooncake, Apache-2.0, FAST 2025).

``timestamp`` is milliseconds since the start. Each of ``hash_ids`` stands for 512 tokens of the prompt with all that
goes before them, so a block that came before is a prefix that a cache could have kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast

from tollkeeper.traces.reading import PastRequest, Row, Source, json_rows

TOKENS_PER_BLOCK: Final = 512


def read(source: Source, starting_at: datetime) -> Iterator[PastRequest]:
    """Read with the cached tokens that an endless cache, empty at the start, would have had: an upper bound.

    The trace does not tell what was in the cache; it names neither model nor session nor failures.
    """
    return map(partial(_request, starting_at, set[int]()), json_rows(source))


def _request(starting_at: datetime, seen: set[int], row: Row) -> PastRequest:
    input_tokens, output_tokens = row.count("input_length"), row.count("output_length")
    started_at = row.later(starting_at, "timestamp", timedelta(milliseconds=row.count("timestamp")))
    blocks = _blocks(row)
    known = next((place for place, block in enumerate(blocks) if block not in seen), len(blocks))
    seen.update(blocks)
    return PastRequest(
        row=row.number,
        fingerprint=row.fingerprint,
        started_at=started_at,
        status="completed",
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=min(known * TOKENS_PER_BLOCK, input_tokens),
    )


def _blocks(row: Row) -> list[int]:
    blocks = row.values.get("hash_ids")
    if not isinstance(blocks, list) or not all(isinstance(block, int) for block in cast("list[Any]", blocks)):
        raise row.faulty("hash_ids", "must be a list of whole numbers")
    return cast("list[int]", blocks)
