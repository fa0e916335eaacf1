"""``tollkeeper user invite``: who may sign up, where, and who is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Serving, Told, Tollkeeper
from tests.mailbox import mailbox


def test_somebody_is_invited_to_the_running_service(serving: Serving, told: Callable[..., Told]) -> None:
    done = told("user", "invite", "guest@example.com")
    assert (done.code, done.out) == (0, f"guest@example.com may sign up at {serving.url}\n")
    assert "No mail was sent: tell them." in done.err
    invited = serving.tollkeeper.json("user", "invite", "Guest@example.com", "--plan", "pro")
    assert (invited["address"], invited["plan"], invited["status"]) == ("Guest@example.com", "pro", "open")
    assert (invited["url"], invited["mailed"]) == (serving.url, False)
    assert invited["expiresAt"].endswith("Z")


def test_who_cannot_be_invited_is_told_so(tollkeeper: Tollkeeper, a_user: Callable[[str], str]) -> None:
    for words, status in (([a_user("member")], 409), (["x@example.com", "--plan", "none"], 404), (["x"], 422)):
        assert tollkeeper.json("user", "invite", *words, code=1)["status"] == status


async def test_with_a_mail_server_an_invitation_is_mailed(serving: Serving) -> None:
    async with mailbox() as box:
        settings = {"TOLLKEEPER_SMTP_URL": box.url, "TOLLKEEPER_MAIL_FROM": "no-reply@usage.example"}
        done = await asyncio.to_thread(serving.tollkeeper.run, "user", "invite", "mailed@example.com", **settings)
        assert (done.returncode, "A mail tells them so." in done.stderr) == (0, True), done.stderr
        assert serving.url in (await box.next("mailed@example.com")).part("plain")
        box.refuses = "550 no such user"
        done = await asyncio.to_thread(serving.tollkeeper.run, "user", "invite", "full@example.com", **settings)
        assert (done.returncode, done.stdout) == (1, "")
        assert "full@example.com is invited, but the mail server refuses" in done.stderr


def test_where_nothing_runs_the_settings_say_where_people_go(tmp_path: Path) -> None:
    """What a service that was killed has left behind is not believed."""
    quiet = Tollkeeper(tmp_path / "quiet")
    quiet.json("migrate")
    assert quiet.json("user", "invite", "guest@example.com")["url"] == "http://localhost:8080"
    (quiet.data / "served-at").write_text("http://localhost:1")
    assert quiet.json("user", "invite", "guest@example.com")["url"] == "http://localhost:8080"
    public = quiet.run("user", "invite", "guest@example.com", TOLLKEEPER_PUBLIC_URL="https://usage.example")
    assert public.stdout == "guest@example.com may sign up at https://usage.example\n"
