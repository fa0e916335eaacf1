"""A pytest plugin (`-p tests.no_skips`) that fails a run in which anything was skipped: CI tests all or says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


def _skipped(config: pytest.Config) -> int:
    reporter: TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", ())) if reporter else 0


# Before the terminal's own hook, which writes the closing lines.
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a pass with skips into a failure."""
    if session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Say why the run failed."""
    if count := _skipped(config):
        terminalreporter.write_line(f"{count} skipped, and here nothing may be: install what they need.", red=True)
