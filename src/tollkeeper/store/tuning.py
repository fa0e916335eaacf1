"""The settings that the embedded PostgreSQL is started with, sized to the machine and its disk."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from tollkeeper.store.room import MIB

_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
# Of commands, each two.
_CLIENTS_BESIDE: Final = 40

# On the command line, so that nothing written into the cluster can weaken them.
_FIXED: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "huge_pages": "try",
    "jit": "off",
    "random_page_cost": "1.1",
    "checkpoint_timeout": "15min",
    # wal_compression stays off: the wheel is built without lz4, and whole pages are logged only after a checkpoint.
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The few hot rows change all the time: clean up after them often, a little at a time.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    # Told as what it is, before the service's lock_timeout of a second ends the wait.
    "deadlock_timeout": "500ms",
    # A client that is gone shall not hold locks until its statement ends.
    "client_connection_check_interval": "2s",
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # DETAIL lines quote rows, and rows hold what people wrote.
    "log_error_verbosity": "terse",
}


def server_settings(memory_bytes: int, disk_bytes: int) -> dict[str, str]:
    """Settings for a server that shares a machine of so much memory, and so large a disk, with the service itself."""
    mib = memory_bytes // MIB
    log_mib = _between(64, disk_bytes // MIB // 8, 4096)
    return _FIXED | {
        "max_connections": f"{most_clients(0)}",
        "max_wal_size": f"{log_mib}MB",
        "min_wal_size": f"{min(log_mib, 256)}MB",
        "shared_buffers": f"{_between(128, mib // 8, 2048)}MB",
        "effective_cache_size": f"{max(256, mib // 2)}MB",
        "work_mem": f"{_between(4, mib // 512, 32)}MB",
        "maintenance_work_mem": f"{_between(64, mib // 32, 512)}MB",
    }


def most_clients(of_a_node: int) -> int:
    """Say how many may connect, where a node takes so many: two, as one takes the place of another, and commands."""
    return _between(100, 2 * of_a_node + _CLIENTS_BESIDE, 5000)


def memory_bytes() -> int:
    """Memory of the machine, or of the container or the limit on each process (``ulimit -v``) if that is less."""
    least = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        least = min(least, int(_CONTAINER_LIMIT.read_text(encoding="ascii")))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return least if limit == resource.RLIM_INFINITY else min(least, limit)


def _between(low: int, wanted: int, high: int) -> int:
    return max(low, min(wanted, high))
