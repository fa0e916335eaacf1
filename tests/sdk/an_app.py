"""An app that serves its users whatever happens, until it is killed: ``an_app.py URL KEY JOURNAL TOLD USER``.

It writes the id of each request that has ended, once the client says so, as a line to ``TOLD``.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from tollkeeper_client import Tollkeeper

_THREADS = 8


def _serve(tollkeeper: Tollkeeper, told: int, user: str) -> None:
    while True:
        with tollkeeper.track("four", user=user) as request:
            time.sleep(0.005)
            request.complete("yes", tokens_input=3, tokens_output=4)
        os.write(told, f"{request.id}\n".encode())


def main(url: str, key: str, journal: str, told: str, user: str) -> None:
    """Serve."""
    tollkeeper = Tollkeeper(url, key, journal=journal, when_unavailable="open", patience=0.2, timeout=2.0)
    file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(_THREADS):
        threading.Thread(target=_serve, args=(tollkeeper, file, user)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
