"""Where the settings say the database, the master keys and the mail server are, and where a running service is.

Light enough for every command.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from tollkeeper.accounts.secrets import masterkey
from tollkeeper.capacity import connections_to_database
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.tuning import most_clients
from tollkeeper.webhooks.endpoints import Webhooks
from tollkeeper.webhooks.guard import Guard

if TYPE_CHECKING:
    from tollkeeper.accounts.mails.courier import Courier

_NEAR: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SUBMISSION: Final = 587
_SUBMISSIONS: Final = 465


@asynccontextmanager
async def located(settings: Settings) -> AsyncGenerator[Addresses]:
    """Find the database: another's, or the one in the data directory, which is started unless it runs."""
    if settings.database_url is not None:
        owner = settings.owner_database_url or settings.database_url
        yield Addresses(settings.database_url, owner, admin=None)
        return
    of_a_node = settings.workers * connections_to_database(settings.database_connections, os.cpu_count() or 1)
    async with embedded_server(
        Path(settings.data), least_mib=settings.disk_reserve_mib, max_connections=str(most_clients(of_a_node))
    ) as addresses:
        yield addresses


@contextmanager
def told_where(settings: Settings, url: str) -> Generator[None]:
    """Let commands on the same data directory know where the service is, for as long as the block lasts.

    They are told nothing where there is no such directory; of several services on one they hear of the first.
    """
    with ExitStack() as held:
        with suppress(OSError):
            place = os.open(_place(settings), os.O_RDWR | os.O_CREAT, 0o600)
            file = held.enter_context(os.fdopen(place, "r+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate()
            file.write(url)
            file.flush()
        yield


def served_at(settings: Settings) -> str | None:
    """Say where the service on this data directory is; ``None`` if none runs, on this machine and as this user."""
    try:
        with _place(settings).open("r+") as file:
            try:
                # Held by the one that runs for as long as it does: what a killed one left behind says nothing.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or None
    except OSError:
        return None
    return None


def site_of(settings: Settings) -> str:
    """Where people reach the service: as the one that runs on this data directory says, or else the settings."""
    return served_at(settings) or settings.public_url or f"http://localhost:{settings.port}"


def forgotten_at(site: str, settings: Settings) -> str | None:
    """Say why browsers keep no sign-in where people reach the service; ``None`` if they do."""
    parts = urlsplit(site)
    if parts.scheme == "https" or settings.insecure_cookies or _is_this_machine(parts.hostname or ""):
        return None
    return (
        f"nobody can sign in at {site}: over plain HTTP browsers keep our cookies on localhost alone: set "
        "TOLLKEEPER_PUBLIC_URL to the https address of a proxy before the service, or TOLLKEEPER_INSECURE_COOKIES=true "
        "to let anyone on the way read sessions"
    )


def exposed_by(settings: Settings) -> str | None:
    """Say what it costs that browsers keep sign-ins over plain HTTP; ``None`` where they need not."""
    if not settings.insecure_cookies:
        return None
    return "TOLLKEEPER_INSECURE_COOKIES is on: sessions are sent in the clear, and whoever reads one is signed in"


def _is_this_machine(host: str) -> bool:
    """Whether browsers take a name or address for this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _place(settings: Settings) -> Path:
    return Path(settings.data) / "served-at"


def master_keys(settings: Settings, *, make: bool = False) -> dict[int, bytes]:
    """Read the master keys; without a setting they stand in the data directory, on demand made if they are not there.

    None may be made for a database that knows some already (``keyring.known``).
    """
    path = master_key_file(settings)
    if path is None:
        return masterkey.parse(settings.master_key or "", told_by="TOLLKEEPER_MASTER_KEY")
    if not make:
        return masterkey.load(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return masterkey.load_or_make(path)


def master_key_file(settings: Settings) -> Path | None:
    """Say where the master keys stand; nowhere if a key store hands them over."""
    return Path(settings.data) / "master.key" if settings.master_key is None else None


def webhooks_of(settings: Settings, keys: Mapping[int, bytes], public_url: str) -> Webhooks:
    """Say where webhooks may go, and what their secrets are derived from."""
    allowed = tuple(map(ip_network, settings.webhook_allow_networks))
    guard = Guard(allowed, own_host=urlsplit(public_url).hostname)
    return Webhooks(guard, masterkey.webhook_root_of(keys), f"tollkeeper/{version('tollkeeper')}")


def courier(settings: Settings) -> Courier:
    """Find who takes our mails away: an SMTP server, or this server's console."""
    from tollkeeper.accounts.mails.courier import Console, Smtp  # noqa: PLC0415 - few commands send mails

    if settings.smtp_url is None or settings.mail_from is None:
        return Console()
    parts = urlsplit(settings.smtp_url)
    is_near, is_tls = parts.hostname in _NEAR, parts.scheme == "smtps"
    return Smtp(
        host=parts.hostname or "localhost",
        port=parts.port or (_SUBMISSIONS if is_tls else _SUBMISSION),
        security="tls" if is_tls else "if-offered" if is_near else "starttls",
        sender=settings.mail_from,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )
