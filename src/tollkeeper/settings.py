"""Every setting: what it is called in the environment, what it is without being set, and what it means.

Read at the top only, and passed down as values. The page ``docs/configuration.md`` is made from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from tollkeeper.accounts.networks import network_in
from tollkeeper.accounts.users import domain_of
from tollkeeper.errors import Misconfigured
from tollkeeper.metering.tracking import own_patterns
from tollkeeper.metering.tracking.texts import POLICIES

PREFIX: Final = "TOLLKEEPER_"

_TRUTH: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_HIGHEST_PORT: Final = 65_535
_SHORTEST_TOKEN: Final = 16
_MOST_LIVE: Final = 2
# This month and the last one are always kept.
_FEWEST_DAYS: Final = 62
_TOGETHER: Final = (
    ("smtp_url", "mail_from"),
    ("github_client_id", "github_client_secret"),
    ("stripe_secret_key", "stripe_webhook_secrets"),
)


def _setting(
    meaning: str, read: Callable[[str], Any], *, default: Any, shown: str | None = None, secret: bool = False
) -> Any:
    """Describe one setting; ``read`` raises ``ValueError`` with what would be right."""
    return field(default=default, repr=not secret, metadata={"meaning": meaning, "read": read, "shown": shown})


def _text(text: str) -> str:
    return text


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError("must be true or false")
    return _TRUTH[text.lower()]


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not low <= seconds <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return seconds

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text.lower()

    return read


def _database_url(text: str) -> str:
    if not text.startswith(("postgres://", "postgresql://")):
        raise ValueError("must begin with postgresql://")
    return text


def _token(text: str) -> str:
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"must have at least {_SHORTEST_TOKEN} printable ASCII characters and no space")
    return text


def _tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(_token(each.strip()) for each in text.split(","))
    if len(tokens) > _MOST_LIVE:
        raise ValueError(f"must be at most {_MOST_LIVE}, parted by a comma")
    return tokens


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", text) or not _leads_somewhere(text):
        raise ValueError("must be `https://HOST` in lower case, with a port if need be and without a path")
    return text


def _leads_somewhere(url: str) -> bool:
    """Whether there can be such a host and port."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _smtp_url(text: str) -> str:
    if not re.fullmatch(r"smtps?://[^/?#]+/*", text, re.IGNORECASE) or not _leads_somewhere(text):
        raise ValueError("must be `smtps://USER:PASSWORD@HOST` or `smtp://USER:PASSWORD@HOST`, with a port if need be")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", text):
        raise ValueError("must be an e-mail address")
    return text


def _sign_up(text: str) -> str:
    if text.lower() in {"open", "invited"}:
        return text.lower()
    with suppress(ValueError):
        domains = [domain_of(each.strip()).lower() for each in text.split(",") if each.strip()]
        if domains and all("." in each for each in domains):
            return ",".join(domains)
    raise ValueError("must be `open`, `invited`, or domains such as example.com, parted by commas")


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(network_in(each.strip())) for each in text.split(",") if each.strip())
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8, parted by commas") from None


def _patterns(text: str) -> tuple[str, ...]:
    patterns = tuple(text.split())
    own_patterns.read(patterns)
    return patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided, or the defaults."""

    host: str = _setting("Address to listen on.", _text, default="127.0.0.1")
    port: int = _setting("Port to listen on; 0 takes any that is free.", _whole(0, _HIGHEST_PORT), default=8080)
    workers: int = _setting(
        "Processes that serve. More than one is of use on more than two cores.", _whole(1, 64), default=1
    )
    data: str = _setting(
        "Directory of the embedded PostgreSQL and of the master key; made if it is not there.",
        _text,
        default=".data/tollkeeper",
    )
    database_url: str | None = _setting(
        "PostgreSQL 15 or newer to use instead of the embedded one, as the role that serves.",
        _database_url,
        default=None,
        secret=True,
    )
    owner_database_url: str | None = _setting(
        "The same database as the role that migrates and makes partitions, over a direct connection.",
        _database_url,
        shown="as `TOLLKEEPER_DATABASE_URL`",
        default=None,
        secret=True,
    )
    disk_reserve_mib: int | None = _setting(
        "How much stays free on the disk of the embedded PostgreSQL: below it, new requests, batches, imports and"
        " variables are refused until there is room. 0 refuses nothing.",
        _whole(0, 2**24),
        shown="a twentieth of the disk, from 48 to 512",
        default=None,
    )
    database_connections: int = _setting(
        "Database connections of each process for its callers, at most. Long reads take up to 5 more, jobs 3.",
        _whole(2, 500),
        default=8,
    )
    transaction_pooler: bool = _setting(
        "Whether a transaction pooler (PgBouncer) stands before the database.", _truth, default=False
    )
    master_key: str | None = _setting(
        "Master keys as `VERSION:BASE64`, for a key store; instead of the file `master.key` in the data directory.",
        _text,
        default=None,
        secret=True,
    )
    pending_seconds: float = _setting(
        "How long a started request may stay unfinished before it expires.", _seconds(1, 86_400 * 7), default=900.0
    )
    sweep_seconds: float = _setting(
        "How often requests past their deadline are looked for.", _seconds(0.1, 3600), default=5.0
    )
    prove_hours: int = _setting(
        "How often a node proves every number from the requests ([more](operating.md#proving-the-numbers)). 0: never.",
        _whole(0, 8_760),
        default=24,
    )
    retain_rows_days: int | None = _setting(
        "How old a month of requests gets before it is dropped whole; its sums stay. Not set: for ever.",
        _whole(_FEWEST_DAYS, 36_500),
        default=None,
    )
    retain_text_days: int | None = _setting(
        "How old prompts, responses, error messages, metadata, addresses and user agents get before they are cleared. "
        "Not set: as old as their requests.",
        _whole(1, 36_500),
        default=None,
    )
    text_policy: Literal["all", "redacted", "none"] = _setting(
        "What is kept of prompts, responses, error messages and metadata: `all`, `redacted` (without keys, e-mail "
        "addresses and card numbers) or `none`. Plans may keep less ([more](privacy-of-texts.md)).",
        _one_of(*POLICIES),
        default="all",
    )
    redact_patterns: tuple[str, ...] = _setting(
        "What else is taken out of texts that are `redacted`: regular expressions, parted by spaces, which say how "
        "long all in them may be ([more](privacy-of-texts.md#patterns-of-your-own)).",
        _patterns,
        shown="none",
        default=(),
    )
    insecure_cookies: bool = _setting(
        "Allows sign-in over plain HTTP on addresses other than localhost: anyone on the way can read the session.",
        _truth,
        default=False,
    )
    public_url: str | None = _setting(
        "Where people reach the service, such as `https://usage.example.com`: links in mails, the way back from GitHub "
        "and passkeys are bound to it; with `https` browsers are told to come by TLS alone for a year. Not set: the "
        "address it listens on, which does for one machine.",
        _origin,
        default=None,
    )
    sign_up: str = _setting(
        "Who may sign up by showing that an e-mail address is theirs: `open` (everybody), `invited` (whom an operator "
        "invites), or domains such as `example.com,example.org` (those and whoever is invited).",
        _sign_up,
        default="invited",
    )
    smtp_url: str | None = _setting(
        "The server that takes our mail, as `smtps://USER:PASSWORD@HOST` (TLS from the start) or "
        "`smtp://USER:PASSWORD@HOST` (STARTTLS, which only one on this machine may lack). Not set: what would be "
        "mailed (codes to sign in with) is written to the server's console.",
        _smtp_url,
        default=None,
        secret=True,
    )
    mail_from: str | None = _setting(
        "The address that our mails come from; needed with `TOLLKEEPER_SMTP_URL`.", _address, default=None
    )
    github_client_id: str | None = _setting(
        "The client id of your OAuth app at GitHub, to offer signing in by it. Its callback address is "
        "`TOLLKEEPER_PUBLIC_URL` followed by `/sign-in/github/callback`.",
        _token,
        default=None,
    )
    github_client_secret: str | None = _setting("The secret of that OAuth app.", _token, default=None, secret=True)
    github_url: str = _setting(
        "Where GitHub is: another address for a GitHub Enterprise Server.", _origin, default="https://github.com"
    )
    stripe_secret_key: str | None = _setting(
        "The secret key of your account at Stripe, to sell plans there ([more](selling.md)).",
        _token,
        default=None,
        secret=True,
    )
    stripe_webhook_secrets: tuple[str, ...] | None = _setting(
        "What Stripe signs its events with: the secret of the webhook endpoint, or two parted by a comma while one "
        "takes the place of the other. Needed with `TOLLKEEPER_STRIPE_SECRET_KEY`.",
        _tokens,
        default=None,
        secret=True,
    )
    stripe_url: str = _setting("Where the API of Stripe is.", _origin, default="https://api.stripe.com")
    trusted_proxies: tuple[str, ...] = _setting(
        "Proxies whose `X-Forwarded-For` is believed: addresses or networks, parted by commas.",
        _networks,
        shown="none",
        default=(),
    )
    webhook_allow_networks: tuple[str, ...] = _setting(
        "Where webhooks may go beside the public Internet, and over plain HTTP too: addresses or networks of "
        "receivers at home such as `10.0.0.0/8`, parted by commas ([more](webhooks.md#where-webhooks-may-go)).",
        _networks,
        shown="none",
        default=(),
    )
    metrics_token: str | None = _setting(
        "A bearer token that opens `/metrics`, beside this machine itself and service keys.",
        _token,
        default=None,
        secret=True,
    )
    drain_seconds: float = _setting(
        "How long `/readyz` fails before a process told to terminate stops taking requests.",
        _seconds(0, 300),
        default=1.0,
    )
    finish_seconds: int = _setting(
        "How long requests in flight may take to finish at the end.", _whole(1, 300), default=10
    )
    log_level: str = _setting(
        "What is logged: `debug`, `info`, `warning`, `error`.",
        _one_of("debug", "info", "warning", "error"),
        default="info",
    )
    log_format: str = _setting("`text`, or `json` for one JSON object a line.", _one_of("text", "json"), default="text")

    @classmethod
    def of(cls, environment: Mapping[str, str], **given: Any) -> Settings:
        """Read the environment; what is ``given`` (by a command line) goes before it.

        ``Misconfigured`` names every setting that is unknown or unfit, without its value.
        """
        known = {_name(each.name): each for each in fields(cls)}
        wrong = [
            f"{name} is not a setting" for name in sorted(environment) if name.startswith(PREFIX) and name not in known
        ]
        values: dict[str, Any] = {}
        for name, each in known.items():
            if text := environment.get(name):
                try:
                    values[each.name] = each.metadata["read"](text)
                except ValueError as error:
                    wrong.append(f"{name} {error}")
        rows, texts = values.get("retain_rows_days"), values.get("retain_text_days")
        if rows is not None and texts is not None and texts > rows:
            wrong.append("TOLLKEEPER_RETAIN_TEXT_DAYS must not be more than TOLLKEEPER_RETAIN_ROWS_DAYS")
        wrong += [
            f"{_name(one)} and {_name(other)} go together: set both or none"
            for one, other in _TOGETHER
            if bool(environment.get(_name(one))) != bool(environment.get(_name(other)))
        ]
        if wrong:
            raise Misconfigured("; ".join(wrong))
        return cls(**values | {name: value for name, value in given.items() if value is not None})


def as_markdown() -> str:
    """Write the page of all settings."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield "Settings come from the environment. An unknown name that begins with `TOLLKEEPER_` stops the start, and so"
    yield "does a value that is not understood. Options of `tollkeeper serve` go before the environment."
    yield ""
    yield "| setting | default | meaning |"
    yield "|---|---|---|"
    for each in fields(Settings):
        yield f"| `{_name(each.name)}` | {_default(each)} | {each.metadata['meaning']} |"
    yield ""
    yield "This page is generated by `make docs`."


def _name(attribute: str) -> str:
    return PREFIX + attribute.upper()


def _default(each: Any) -> str:
    shown = cast("str | None", each.metadata["shown"])
    if shown is not None:
        return shown
    if each.default is None:
        return "not set"
    if isinstance(each.default, bool):
        return f"`{str(each.default).lower()}`"
    return f"`{each.default:g}`" if isinstance(each.default, float) else f"`{each.default}`"
