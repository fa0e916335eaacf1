"""How much one process takes on: connections by the descriptors that it may have, bodies by the memory."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

TURNED_AWAY: Final = 8
"""So many are told at the same time that there are too many; whoever comes then waits until one of them is gone."""
PATIENT_CONNECTIONS: Final = 3
"""To the database. More than one: a rebuild may take minutes, and operators should not wait for it."""
JOBS_CONNECTIONS: Final = 3
MOST_BYTES_OF_TEXTS: Final = 256 * 2**20

# Twenty are open all the time: what the loop, the log, the port and its locks take. The others are for what comes and
# goes: looking up names, mails, webhooks, Stripe and GitHub, files of the disk's reserve and of PostgreSQL.
_OWN: Final = 28
# More than any process serves; a kernel may allow billions.
_ENOUGH: Final = 2**20
_FEWEST_CONNECTIONS: Final = 4
# Partitions are made, what is old is pruned, and the numbers are proved by connections of the owner's.
_OWNERS_CONNECTIONS: Final = 3
_FEW_CORES: Final = 2
# The largest batch, alone.
_FEWEST_BYTES: Final = 64 * 2**20


def descriptors() -> int:
    """Raise how many descriptors this process may have to what it may raise them to, and say how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where the kernel has a limit of its own, it stays as it is.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def most_connections(descriptors: int, *, of_database: int) -> int:
    """Say how many clients' connections leave enough for the database's, for what else is opened, and to turn away."""
    return max(_FEWEST_CONNECTIONS, descriptors - of_database - _OWN - TURNED_AWAY)


def connections_to_database(of_callers: int, cores: int) -> int:
    """Say how many connections to the database one process may have."""
    return of_callers + PATIENT_CONNECTIONS + most_at_once(cores) + JOBS_CONNECTIONS + _OWNERS_CONNECTIONS


def most_at_once(cores: int) -> int:
    """Say how many statements that look at much may run at a time, and leave a core to those that track."""
    return 1 if cores <= _FEW_CORES else 2


def most_bytes_of_texts(memory: int) -> int:
    """Say how much memory may be held by bodies on their way; as much again by what waits in each of two lanes."""
    return max(_FEWEST_BYTES, min(MOST_BYTES_OF_TEXTS, memory // 8))
