"""How a request's counts of tokens hang together, whoever tells them."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["faults", "third"]


def third(used: int | None, into: int | None, out: int | None) -> tuple[int | None, int | None, int | None]:
    """Give what was used in all, what went in and what came out, of which the third follows from two.

    What contradicts itself stays as it is: see ``faults``.
    """
    if used is None:
        used = None if into is None and out is None else (into or 0) + (out or 0)
    elif into is None and out is not None and out <= used:
        into = used - out
    elif out is None and into is not None and into <= used:
        out = used - into
    return used, into, out


def faults(
    used: int | None,
    into: int | None,
    out: int | None,
    *,
    cached: int | None,
    cache_write: int | None,
    reasoning: int | None,
) -> Iterator[tuple[str, str]]:
    """Name what cannot be, by the field as it is sent, and why: a whole unlike its parts, or a part larger than it."""
    if used is not None and into is not None and out is not None and used != into + out:
        yield "tokensUsed", "must be tokensInput + tokensOutput"
    elif used is not None and max(into or 0, out or 0) > used:
        yield "tokensUsed", "must not be less than tokensInput or tokensOutput"
    if (cached or 0) + (cache_write or 0) > (into or 0):
        yield "tokensCached" if cached else "tokensCacheWrite", "is a part of tokensInput, and more than all of it"
    if (reasoning or 0) > (out or 0):
        yield "tokensReasoning", "is a part of tokensOutput, and more than all of it"
