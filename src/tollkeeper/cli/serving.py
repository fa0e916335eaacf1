"""``tollkeeper serve``."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Whole, not_empty, speak
from tollkeeper.cli.house import settings_of
from tollkeeper.settings import Settings

__all__ = ["Host", "Port", "Workers", "serve", "where"]


Host = Annotated[
    str | None, Parameter(help="Address to listen on, 127.0.0.1 if nothing else is set.", converter=not_empty)
]
Port = Annotated[
    int | None,
    Whole,
    Parameter(
        help="Port to listen on, 8080 if nothing else is set; 0 takes a free one.",
        validator=validators.Number(gte=0, lte=65_535),
    ),
]
Workers = Annotated[
    int | None,
    Whole,
    Parameter(help="Processes that serve, 1 if nothing else is set.", validator=validators.Number(gte=1, lte=64)),
]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    common: Common = DEFAULTS,
) -> None:
    """Serve until stopped by Ctrl-C or SIGTERM.

    The database is the embedded PostgreSQL in the data directory, unless TOLLKEEPER_DATABASE_URL names another. All
    settings are TOLLKEEPER_* in the environment; options go before them.
    """
    from tollkeeper import serving  # noqa: PLC0415 - a web server takes a second to load

    settings = settings_of(common, host=host, port=port, workers=workers)

    first: list[str] = []

    def ready(url: str) -> None:
        document = {"url": url, **_place(settings), "firstOperatorUrl": first[0] if first else None}
        text = where(settings, url) + "".join(f"\n\nNobody is operator yet. Become it, once: {each}" for each in first)
        speak(Answer(document, text), as_json=common.json)

    serving.run(settings, ready=ready, welcome=first.append)


def where(settings: Settings, url: str) -> str:
    """Say what is served where, and how to get in."""
    data, database = Path(settings.data).resolve(), ", with PostgreSQL as TOLLKEEPER_DATABASE_URL says"
    options = f"--data {shlex.quote(settings.data)}"
    return "\n".join(
        [
            f"tollkeeper serves {url}",
            f"  data      {data}{database if settings.database_url else ''}",
            f"  sign in   {_command()} user link EMAIL {options}",
            f"  API key   {_command()} key create --service NAME {options}",
            "  stop      Ctrl-C",
        ]
    )


def _command() -> str:
    """Call ourselves as we were called, or by name where that is enough."""
    called = sys.argv[0]
    return "tollkeeper" if shutil.which("tollkeeper") == called else shlex.quote(called)


def _place(settings: Settings) -> dict[str, str]:
    return {"data": str(Path(settings.data).resolve()), "database": "external" if settings.database_url else "embedded"}
