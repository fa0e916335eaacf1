"""What the routes run on, put together by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tollkeeper.accounts.mails.postman import Postman
from tollkeeper.accounts.networks import Network
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.sign_in.github import GitHub
from tollkeeper.accounts.sign_in.signing_up import SignUp
from tollkeeper.capacity import MOST_BYTES_OF_TEXTS
from tollkeeper.http.siblings import Siblings
from tollkeeper.http.turns import Turns
from tollkeeper.metering.admin.nodes import Node, Pulse
from tollkeeper.metering.plans.changes import Shop
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.texts import TextPolicy
from tollkeeper.selling.buying import SHOP
from tollkeeper.store.database import Database
from tollkeeper.store.room import Room
from tollkeeper.webhooks.endpoints import Webhooks

if TYPE_CHECKING:
    from tollkeeper.selling.stripe_api import Stripe


@dataclass(slots=True)
class Readiness:
    """Whether this process takes new work. One that stops says so first, and closes connections politely."""

    is_stopping: bool = False


@dataclass(slots=True)
class Held:
    """How many connections of clients this process holds at most, and now; how many were turned away since it began."""

    most: int = 2**20
    open: int = 0
    turned_away: int = 0


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of the application and what the settings say about its outside.

    ``patient``: the same database for what may take minutes, as a rebuild of a long history, on connections of its own,
    so that it keeps nobody from the other.
    ``turns``: the same database for what looks at much and is asked by many, as searches, a few statements at a time.
    ``texts``: the same database for lists with whole texts, on a share of its connections.
    ``insecure_cookies``: served over plain HTTP on an address that browsers do not take for secure.
    ``trusted_proxies``: whose ``X-Forwarded-For`` counts.
    ``public_url``: where people reach the service, never taken from a request, whose sender may lie about it.
    ``metrics_token``: opens ``/metrics``, beside keys and loopback.
    ``is_embedded``: whether the database came along; ``room``: on its disk, if so.
    ``postman``: has mails delivered behind the scenes; ``has_mail``: by a mail server, else to the console.
    ``sign_up``: who may have an account that has none.
    ``github``: how people sign in by it, where that is set up; ``stripe``: where they buy plans, likewise.
    ``keep_rows_days``, ``keep_text_days``: how long requests and their texts are kept; ``None``: for ever.
    ``text_policy``: what is kept of texts, whatever plans say.
    ``webhooks``: what sending them needs.
    ``siblings``: the other processes that serve the same port, if there are any.
    ``held``: the connections of clients. ``most_bytes_of_bodies``: of those that are on their way.
    """

    database: Database
    patient: Database
    turns: Turns
    texts: Turns
    ledger: Ledger
    sealer: Sealer
    pepper: bytes
    version: str
    node: Node
    pulse: Pulse
    postman: Postman
    webhooks: Webhooks
    sign_up: SignUp
    github: GitHub | None = None
    stripe: Stripe | None = None
    has_mail: bool = False
    is_embedded: bool = False
    room: Room | None = None
    keep_rows_days: int | None = None
    keep_text_days: int | None = None
    text_policy: TextPolicy = "all"
    insecure_cookies: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    metrics_token: str | None = None
    public_url: str = "http://localhost"
    readiness: Readiness = field(default_factory=Readiness)
    held: Held = field(default_factory=Held)
    siblings: Siblings | None = None
    most_bytes_of_bodies: int = MOST_BYTES_OF_TEXTS

    @property
    def shop(self) -> Shop | None:
        """Where plans are bought, if they are."""
        return None if self.stripe is None else SHOP
