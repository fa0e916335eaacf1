"""The operator's words. Each command is a function that gives an ``Answer``; here they are found, run and spoken."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from inspect import iscoroutinefunction
from typing import Any, Final, cast

from cyclopts import App, CycloptsError

from tollkeeper.cli.answers import Answer, Common, Misused, Unheard, complain, speak
from tollkeeper.cli.typed import as_typed, plainly
from tollkeeper.errors import Invalid, Misconfigured, TollkeeperError

__all__ = ["main"]

_BY_SIGNAL: Final = 128

_COMMANDS: Final = (
    ("serve", "serving:serve", "Serve until stopped."),
    ("demo", "demo:demo", "Serve with real requests of others as sample data."),
    ("migrate", "checking:migrate", "Bring the database to what this version needs."),
    ("user", "users:app", "Users: add, invite, list, show, set, link, delete."),
    ("plan", "plans:app", "Plans: list, apply, migrate, set, change, history."),
    ("override", "exceptions:overrides", "Other limits of one user for a time: add, list, end."),
    ("grant", "exceptions:grants", "What one user may use beyond the plan: add, list, end."),
    ("key", "keys:app", "API keys: create, list, revoke, rotate, pattern."),
    ("webhook", "webhooks:app", "Webhooks: add, list, test, rotate, secret, remove, deliveries, replay."),
    ("secrets", "secrets:app", "The master key: status, rotate."),
    ("price", "prices:app", "Your own prices of models: set, list, remove."),
    ("import", "importing:import_", "Book requests that were made elsewhere."),
    ("export", "exporting:export", "Write all requests as JSONL or CSV."),
    ("backup", "backups:backup", "Write everything into one file."),
    ("restore", "backups:restore", "Fill a new place from a backup."),
    ("verify", "checking:verify", "Recompute every derived number from the requests."),
    ("prune", "pruning:prune", "Drop old months of requests, and old texts."),
    ("scrub", "leaving:scrub", "Take what was deleted out of the database's files."),
    ("doctor", "doctor:doctor", "Look for what is wrong around the service."),
)


def main() -> None:
    """Run the command line of this process."""
    if sys.stdin is None:
        # What is opened next would be taken for it otherwise, and be closed by whoever closes that.
        os.open(os.devnull, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
    if sys.stdout is None:
        if sys.argv[1:2] != ["serve"]:  # which daemons start so
            sys.exit(complain(Unheard("standard output is closed: nobody would hear the answer"), as_json=False))
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run one command line; gives its exit code: 0, 1 for a failure, 2 for what is not understood."""
    try:
        return _run(words)
    except BrokenPipeError:
        # Whoever read what we write has seen enough.
        _write_no_more()
        return _BY_SIGNAL + signal.SIGPIPE
    except Unheard as error:
        _write_no_more()
        return complain(error, as_json=False)
    except KeyboardInterrupt:
        return _BY_SIGNAL + signal.SIGINT
    except asyncio.CancelledError:
        return _BY_SIGNAL + signal.SIGTERM


def _run(words: Sequence[str]) -> int:
    as_json = "--json" in words
    try:
        command, bound, _ = _program(words).parse_args(list(words), exit_on_error=False, print_error=False)
        common = bound.arguments.get("common")
        as_json = isinstance(common, Common) and common.json
        _refuse_what_is_no_text(bound.arguments)
        answer = _done(command, *bound.args, **bound.kwargs)
        return speak(answer, as_json=as_json) if isinstance(answer, Answer) else 0
    except (BrokenPipeError, Unheard):
        raise
    except (CycloptsError, TollkeeperError, OSError) as error:
        return complain(_told(error), as_json=as_json)


def _refuse_what_is_no_text(arguments: Mapping[str, object]) -> None:
    """Paths may be any bytes; ``Misused`` where text is none."""
    for given in arguments.values():
        for text in cast("list[object]", given) if isinstance(given, list) else [given]:
            if isinstance(text, str) and any("\ud800" <= each <= "\udfff" for each in text):
                raise Misused(f"{text} is not UTF-8")


def _write_no_more() -> None:
    """Keep Python from trying once more at its exit to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _program(words: Sequence[str]) -> App:
    """Know all commands, and load only the one that is called: that one says itself what it is."""
    program = App(
        name="tollkeeper",
        help="Records every chat request of your AI app, holds each user to their plan exactly, and shows both live.",
        version=f"tollkeeper {version('tollkeeper')}",
        help_format="markdown",
        help_epilogue="Each command takes `--data DIR` and `--json`, and tells more with `--help`.",
    )
    for place, (name, where, purpose) in enumerate(_COMMANDS):
        is_called = name in words
        program.command(f"tollkeeper.cli.{where}", name=name, help=None if is_called else purpose, sort_key=place)
    return program


def _done(command: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
    if iscoroutinefunction(command):
        return asyncio.run(_orderly(command(*args, **kwargs)))
    return command(*args, **kwargs)


async def _orderly(command: Coroutine[Any, Any, object]) -> object:
    """Let a command that is told to terminate end in good order: a server that it started is stopped again."""
    task = asyncio.ensure_future(command)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _told(error: CycloptsError | TollkeeperError | OSError) -> TollkeeperError:
    """Word an error for the operator."""
    if isinstance(error, TollkeeperError):
        return as_typed(error) if isinstance(error, Invalid) else error
    if isinstance(error, OSError):
        named = error.filename and error.strerror
        return Misconfigured(f"{error.filename}: {error.strerror}" if named else str(error))
    return Misused(plainly(error))
