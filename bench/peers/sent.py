"""Running the sender."""

from __future__ import annotations

import sys

import msgspec

from bench.peers.sender import Sending, Sent
from bench.programs import output_of


async def send(sending: Sending) -> Sent:
    """Send in a process of its own."""
    told = await output_of(
        sys.executable, "-m", "bench.peers.sender", given=msgspec.json.encode(sending), patience=sending.seconds + 120
    )
    return msgspec.json.decode(told, type=Sent)
