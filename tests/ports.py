"""Ports for what tests serve and must name before it is there."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Find one on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
