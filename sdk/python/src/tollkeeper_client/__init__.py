"""Tracks the chat requests of an app with tollkeeper: asks before, tells after, and loses nothing in between."""

from tollkeeper_client.client import AsyncTollkeeper, AsyncTracked, Tollkeeper, Tracked
from tollkeeper_client.errors import LimitReached, Refused, TollkeeperError, Unavailable

__all__ = [
    "AsyncTollkeeper",
    "AsyncTracked",
    "LimitReached",
    "Refused",
    "Tollkeeper",
    "TollkeeperError",
    "Tracked",
    "Unavailable",
]
