"""Telling later what could not be told at once: a thread that is there as long as its client."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import Final

import httpx2

from tollkeeper_client.errors import Refused
from tollkeeper_client.flows import Entry, tell
from tollkeeper_client.journal import Journal
from tollkeeper_client.wire import drive

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 15.0
# How often it looks for what other processes have left.
_ADOPT_SECONDS: Final = 10.0


class Deliverer:
    """Tells the service what waits in the journal, one by one, as soon as it can be reached."""

    def __init__(self, journal: Journal, client: httpx2.Client) -> None:
        self._journal = journal
        self._client = client
        self._is_closing = False
        self._tries: Counter[int] = Counter()
        self._beginning = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tollkeeper-client", daemon=True)

    def start(self) -> None:
        """Begin, if it has not begun."""
        with self._beginning:
            if self._thread.ident is None:
                self._thread.start()

    def flush(self, seconds: float) -> int:
        """Wait until nothing waits, or the time is over; says how many requests are still to be told."""
        until = time.monotonic() + seconds
        while (left := len(self._journal.waiting())) and (rest := until - time.monotonic()) > 0:
            with self._journal.changed:
                self._journal.changed.wait(min(rest, 0.1))
        return left

    def close(self) -> None:
        """Stop after what is being told now."""
        self._is_closing = True
        with self._journal.changed:
            self._journal.changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._is_closing:
            if self._tell_all():
                pause = _FIRST_PAUSE
                self._rest(_ADOPT_SECONDS, until_changed=True)
            else:
                if pause == _FIRST_PAUSE and not self._is_closing:
                    log.warning("requests that wait until the service takes them: %d", len(self._journal.waiting()))
                self._rest(pause, until_changed=False)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell_all(self) -> bool:
        """Tell all there is, also of those who are gone; false if nobody hears, or the journal cannot be used."""
        try:
            self._journal.adopt()
            # What was tried least comes first: what nobody ever hears holds up no other.
            in_turn = sorted(self._journal.waiting(), key=lambda one: self._tries[one[0]])
            return all(self._tell(number, entry) for number, entry in in_turn)
        except Exception:
            # What waits outlives whatever one try brings, such as a disk that is full.
            log.exception("what waits could not be told")
            return False

    def _tell(self, number: int, entry: Entry) -> bool:
        """Tell one; false if nobody hears."""
        if self._is_closing:
            return False
        self._tries[number] += 1
        try:
            if drive(tell(entry), self._client) is None:
                return False
        except Refused as error:
            if error.is_of_key:
                return False
            self._journal.reject(number, error.problem)
        else:
            self._journal.done(number)
        del self._tries[number]
        return True

    def _rest(self, seconds: float, *, until_changed: bool) -> None:
        until = time.monotonic() + seconds
        with self._journal.changed:
            while not self._is_closing and (rest := until - time.monotonic()) > 0:
                if until_changed and self._journal.has_waiting:
                    return
                self._journal.changed.wait(rest)
