"""The database's clock, which only the owner can set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

SET = """
CREATE OR REPLACE FUNCTION tk_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT timestamptz '{at}' $$
"""


async def set_clock(owner: Any, at: datetime) -> None:
    """Let it be that instant from now on."""
    await owner.execute(SET.format(at=at.isoformat()))
