"""Errors that no route answers: of a connection that brings no HTTP, keeps us waiting, or is one too many."""

from __future__ import annotations

import random

from tollkeeper.errors import TollkeeperError
from tollkeeper.http.call import CLOSE, Header
from tollkeeper.http.front import GUARDS
from tollkeeper.http.problems import PROBLEM, document, headers_of


def refusal(error: TollkeeperError, path: str = "") -> tuple[list[Header], bytes]:
    """Write headers and body of the last answer of a connection."""
    trace_id = f"{random.getrandbits(128):032x}"
    body = document(error, path, trace_id)
    length = (b"content-length", b"%d" % len(body))
    own = [header for header in headers_of(error) if header != CLOSE]
    return [PROBLEM, length, CLOSE, *own, (b"x-trace-id", trace_id.encode()), *GUARDS], body
