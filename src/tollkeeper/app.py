"""The composition root: settings in, a running application out."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tollkeeper import jobs
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.mails.postman import Postman
from tollkeeper.accounts.secrets import keyring, masterkey
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.sign_in import first_operator
from tollkeeper.accounts.sign_in.github import GitHub
from tollkeeper.accounts.sign_in.signing_up import SignUp
from tollkeeper.capacity import (
    JOBS_CONNECTIONS,
    PATIENT_CONNECTIONS,
    connections_to_database,
    descriptors,
    most_at_once,
    most_bytes_of_texts,
    most_connections,
)
from tollkeeper.errors import Unavailable
from tollkeeper.http.backend import Backend, Held, Readiness
from tollkeeper.http.front import Front
from tollkeeper.http.routes import answering
from tollkeeper.http.siblings import Siblings
from tollkeeper.http.turns import MOST_WAITING, Turns
from tollkeeper.location import courier, located, master_keys, webhooks_of
from tollkeeper.metering.admin.nodes import Node, Pulse
from tollkeeper.metering.tracking.keeping import Keeping
from tollkeeper.metering.tracking.lane import Bounds
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database, refuse_old
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import migrate
from tollkeeper.store.partitions import ensure_partitions
from tollkeeper.store.tuning import memory_bytes

if TYPE_CHECKING:
    from tollkeeper.selling.stripe_api import Stripe

_PATIENT_SECONDS: Final = 300.0
_WIDE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Application:
    """What a server serves. ``readiness`` is told when it stops."""

    front: Front
    backend: Backend
    readiness: Readiness


@asynccontextmanager
async def prepared(settings: Settings) -> AsyncGenerator[Addresses]:
    """Have the database there, fit and migrated; the embedded one runs for as long as the block lasts."""
    async with located(settings) as addresses:
        await migrate(addresses.owner, addresses.service)
        with suppress(Unavailable):
            # What comes before its month's partition would stay in the default one. If it fails, its job tries again.
            await ensure_partitions(addresses.owner, ahead=jobs.AHEAD)
        async with Database.open(addresses.service, size=1, transaction_pooler=settings.transaction_pooler) as database:
            await refuse_old(database)
        yield addresses


@asynccontextmanager
async def running(
    settings: Settings, addresses: Addresses, siblings: Siblings | None = None
) -> AsyncGenerator[Application]:
    """Run the application on a prepared database; at the end, what waits in the lanes is decided first."""
    async with (
        opened(settings, addresses) as (database, ledger),
        _patient(settings, addresses) as patient,
        _wide(settings, addresses) as wide,
        Postman(courier(settings)) as postman,
    ):
        keys = await _master_keys(settings, database)
        sealer = Sealer(keys, reload=partial(master_keys, settings))
        readiness = Readiness()
        public_url = public_url_of(settings)
        backend = Backend(
            database=database,
            patient=patient,
            turns=Turns(wide, _at_once(), lambda: ledger.decided),
            texts=Turns(database, _at_once_of_texts(settings), lambda: 0, most_of_one=MOST_WAITING),
            ledger=ledger,
            sealer=sealer,
            pepper=masterkey.pepper_of(keys),
            version=version("tollkeeper"),
            node=Node(uuid4(), socket.gethostname(), os.getpid(), version("tollkeeper")),
            pulse=Pulse(),
            postman=postman,
            sign_up=SignUp.of(settings.sign_up),
            github=_github(settings, public_url),
            stripe=_stripe(settings, public_url),
            has_mail=settings.smtp_url is not None,
            is_embedded=settings.database_url is None,
            room=addresses.room,
            keep_rows_days=settings.retain_rows_days,
            keep_text_days=settings.retain_text_days,
            text_policy=settings.text_policy,
            insecure_cookies=settings.insecure_cookies,
            trusted_proxies=tuple(map(ip_network, settings.trusted_proxies)),
            metrics_token=settings.metrics_token,
            public_url=public_url,
            readiness=readiness,
            siblings=siblings,
            webhooks=webhooks_of(settings, keys, public_url),
            most_bytes_of_bodies=most_bytes_of_texts(memory_bytes()),
            held=Held(most_connections(descriptors(), of_database=_connections(settings))),
        )
        async with jobs.beating(database, backend.node, backend.pulse, sealer), answering(backend) as front:
            yield Application(front, backend, readiness)


async def first_operator_url(settings: Settings, addresses: Addresses) -> str | None:
    """Make the link by which somebody becomes the first operator; ``None`` where there is one."""
    async with Database.open(addresses.service, size=1, transaction_pooler=settings.transaction_pooler) as database:
        pepper = masterkey.pepper_of(await _master_keys(settings, database))
        token = await first_operator.make_link(database, pepper=pepper)
    return None if token is None else f"{public_url_of(settings)}/sign-in/first/{token}"


async def _master_keys(settings: Settings, database: Database) -> dict[int, bytes]:
    """Read the master keys, made where the database knows none yet; the database takes no other than its own."""
    keys = master_keys(settings, make=not await keyring.known(database))
    await keyring.admit(database, keys)
    return keys


def public_url_of(settings: Settings) -> str:
    """Say where people reach the service."""
    return settings.public_url or f"http://localhost:{settings.port}"


@asynccontextmanager
async def working(settings: Settings, addresses: Addresses) -> AsyncGenerator[None]:
    """Do what happens without a caller for as long as the block lasts."""
    async with (
        opened(settings, addresses, connections=JOBS_CONNECTIONS) as (database, ledger),
        jobs.at_work(
            database,
            ledger,
            owner_dsn=addresses.owner,
            sweep_seconds=settings.sweep_seconds,
            keep=jobs.Keep(settings.retain_rows_days, settings.retain_text_days),
            prove_every=timedelta(hours=settings.prove_hours) if settings.prove_hours else None,
            # Nobody asked for alerts on the console.
            post=None if settings.smtp_url is None else Post(courier(settings), public_url_of(settings)),
            webhooks=webhooks_of(settings, await _master_keys(settings, database), public_url_of(settings)),
        ),
    ):
        yield


@asynccontextmanager
async def opened(
    settings: Settings, addresses: Addresses, *, connections: int | None = None
) -> AsyncGenerator[tuple[Database, Ledger]]:
    """Open the database and the ledger on it."""
    async with (
        Database.open(
            addresses.service,
            size=connections or settings.database_connections,
            transaction_pooler=settings.transaction_pooler,
        ) as database,
        Ledger(
            database,
            pending_for=timedelta(seconds=settings.pending_seconds),
            bounds=Bounds(waiting_bytes=most_bytes_of_texts(memory_bytes())),
            keeping=Keeping.of(settings.text_policy, settings.redact_patterns),
        ) as ledger,
    ):
        yield database, ledger


def _github(settings: Settings, public_url: str) -> GitHub | None:
    if settings.github_client_id is None or settings.github_client_secret is None:
        return None
    return GitHub(settings.github_client_id, settings.github_client_secret, settings.github_url, public_url)


def _stripe(settings: Settings, public_url: str) -> Stripe | None:
    if settings.stripe_secret_key is None or settings.stripe_webhook_secrets is None:
        return None
    from tollkeeper.selling.stripe_api import Stripe  # noqa: PLC0415 - a large library, which most do without

    return Stripe(settings.stripe_secret_key, settings.stripe_webhook_secrets, settings.stripe_url, public_url)


def _connections(settings: Settings) -> int:
    return connections_to_database(settings.database_connections, os.cpu_count() or 1)


def _at_once() -> int:
    return most_at_once(os.cpu_count() or 1)


def _at_once_of_texts(settings: Settings) -> int:
    """Leave at least half of the connections, if there are two, to what is as hot and smaller."""
    return max(1, settings.database_connections // 2)


def _wide(settings: Settings, addresses: Addresses) -> AbstractAsyncContextManager[Database]:
    return Database.open(
        addresses.service,
        size=_at_once(),
        statement_timeout=_WIDE_SECONDS,
        transaction_pooler=settings.transaction_pooler,
    )


def _patient(settings: Settings, addresses: Addresses) -> AbstractAsyncContextManager[Database]:
    return Database.open(
        addresses.service,
        size=PATIENT_CONNECTIONS,
        statement_timeout=_PATIENT_SECONDS,
        transaction_pooler=settings.transaction_pooler,
    )
