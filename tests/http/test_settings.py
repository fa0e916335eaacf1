"""Settings: read strictly, told in full."""

from __future__ import annotations

import dataclasses

import pytest

from tollkeeper.errors import Misconfigured
from tollkeeper.settings import Settings, as_markdown


def test_without_an_environment_the_defaults_hold() -> None:
    assert Settings.of({}) == Settings() == Settings.of({"PATH": "/bin", "TOLLKEEPERS": "x", "TOLLKEEPER_PORT": ""})
    assert (Settings().host, Settings().port, Settings().workers) == ("127.0.0.1", 8080, 1)


def test_the_environment_is_read_and_a_command_line_goes_before_it() -> None:
    environment = {
        "TOLLKEEPER_PORT": "9000",
        "TOLLKEEPER_INSECURE_COOKIES": "Yes",
        "TOLLKEEPER_TRUSTED_PROXIES": "::ffff:10.0.0.0/104, ::1",
        "TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "10.0.0.0/8",
        "TOLLKEEPER_PENDING_SECONDS": "1.5",
    }
    settings = Settings.of(environment, port=None, workers=3)
    assert (settings.port, settings.workers, settings.insecure_cookies) == (9000, 3, True)
    assert (settings.trusted_proxies, settings.pending_seconds) == (("10.0.0.0/8", "::1/128"), 1.5)
    assert settings.webhook_allow_networks == ("10.0.0.0/8",)
    assert Settings.of(environment, port=1).port == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "80 80"),
        ("PORT", "-1"),
        ("WORKERS", "0"),
        ("INSECURE_COOKIES", "perhaps"),
        ("TRUSTED_PROXIES", "everyone"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("PENDING_SECONDS", "nan"),
        ("PENDING_SECONDS", "inf"),
        ("METRICS_TOKEN", "short"),
        ("METRICS_TOKEN", "a secret with spaces"),
        ("DATABASE_URL", "mysql://secret@db"),
        ("PUBLIC_URL", "http://[::::]"),
        ("PUBLIC_URL", "https://example.com:65536"),
        ("GITHUB_URL", "https://example.com:0"),
        ("SMTP_URL", "smtps://user:[secret]@example.com"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_an_unfit_value_stops_the_start_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"TOLLKEEPER_{name} must ") as refused:
        Settings.of({f"TOLLKEEPER_{name}": value})
    assert value not in refused.value.detail
    assert "secret" not in refused.value.detail


def test_what_goes_together_is_missed_where_it_is_missing_alone() -> None:
    one = {"TOLLKEEPER_SMTP_URL": "smtp://localhost"}
    with pytest.raises(Misconfigured, match="SMTP_URL and TOLLKEEPER_MAIL_FROM go together"):
        Settings.of(one)
    with pytest.raises(Misconfigured) as refused:
        Settings.of(one | {"TOLLKEEPER_MAIL_FROM": "nobody"})
    assert "go together" not in refused.value.detail


def test_unknown_settings_stop_the_start_all_named_at_once() -> None:
    with pytest.raises(Misconfigured) as refused:
        Settings.of({"TOLLKEEPER_PROT": "1", "TOLLKEEPER_HOSTS": "x", "TOLLKEEPER_PORT": "no"})
    assert all(name in refused.value.detail for name in ("TOLLKEEPER_PROT", "TOLLKEEPER_HOSTS", "TOLLKEEPER_PORT"))


def test_the_page_tells_every_setting() -> None:
    page = as_markdown()
    for each in dataclasses.fields(Settings):
        assert f"| `TOLLKEEPER_{each.name.upper()}` |" in page
    assert page.endswith("\n")
    assert "None" not in page
