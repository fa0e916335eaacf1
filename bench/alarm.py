"""Instants told to an event loop punctually: its own timers round to milliseconds, and a start takes no longer."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from typing import Protocol


class Ring(Protocol):
    """What is called with instants that have come."""

    def __call__(self, instants: list[float], *, last: bool) -> None:
        """``last`` tells that no other will come."""
        ...


class Alarm:
    """A thread sleeps from instant to instant (of ``time.perf_counter``) and wakes the loop at each."""

    def __init__(self, instants: list[float], ring: Ring) -> None:
        self._instants = deque(instants)
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)  # noqa: FBT003 - that is how a socket is told
        self._loop.add_reader(self._inside, self._woken)
        threading.Thread(target=self._sleep, args=(list(instants),), daemon=True).start()

    def _sleep(self, instants: list[float]) -> None:
        for instant in instants:
            while (left := instant - time.perf_counter()) > 0:
                time.sleep(left)
            self._outside.send(b"!")
        if not instants:
            self._outside.send(b"!")

    def _woken(self) -> None:
        self._inside.recv(4096)
        now = time.perf_counter()
        come: list[float] = []
        while self._instants and self._instants[0] <= now:
            come.append(self._instants.popleft())
        if not self._instants:
            self._loop.remove_reader(self._inside)
            self._inside.close()
        self._ring(come, last=not self._instants)
