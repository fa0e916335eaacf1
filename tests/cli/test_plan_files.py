"""A file of plans, as the operator who wrote it reads about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Told

ALL = """
[plans.worded]
rank = 77
monthly_requests = 12_000
monthly_cost_cents = 0.5
features = ["chat", "code"]
rollover_percent = 50
warn_at = [50, 90]
price_per_month = 900
trial_days = 14
self_service = true
retain_text_days = 30
stripe_price_monthly = "price_1Q"
[plans.worded.entitlements]
beta = true
projects = 3000
regions = ["eu", "us"]
"""
WORDED = """\
worded is new
  rank: 77
  daily_requests: unlimited
  monthly_requests: 12,000
  max_tokens_per_request: unlimited
  monthly_tokens: unlimited
  requests_per_minute: unlimited
  concurrent_requests: unlimited
  monthly_cost_cents: 0.5 cents
  features: chat, code
  entitlements: beta yes; projects 3,000; regions eu, us
  period: calendar
  rollover_percent: 50%
  refund: trusted
  on_unavailable: closed
  warn_at: 50%, 90%
  price_per_month: 900 cents
  price_per_year: not sold
  currency: usd
  billing_cycle: monthly
  trial_days: 14 days
  self_service: yes
  text_policy: all
  retain_text_days: 30 days
  stripe_price_monthly: price_1Q
  stripe_price_yearly: not sold
"""


def test_a_new_plan_is_told_in_words(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(ALL)
    assert told("plan", "apply", file).out.startswith(WORDED)


def test_what_a_plan_was_is_told_in_words_too(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text("[plans.sold]\nrank = 78\nprice_per_month = 900\nprice_per_year = 9000\ncurrency = 'eur'\n")
    assert told("plan", "apply", file, "--yes").code == 0
    listed = told("plan", "list").out
    assert "900 eur cents monthly or 9,000 eur cents yearly" in listed
    assert "nothing" in next(line for line in listed.splitlines() if line.startswith("free"))
    file.write_text("[plans.sold]\nrank = 78\nbilling_cycle = 'yearly'\nprice_per_month = 800\nfeatures = []\n")
    changes = told("plan", "apply", file, "--yes").out
    assert "price_per_year: 9,000 cents -> not sold" in changes
    assert "features: everything -> none" in changes
    assert "9,600 usd cents yearly" in told("plan", "list").out


def test_all_faults_of_a_file_are_told_at_once(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(
        "[plan.lost]\nrank = 1\n"
        "[plans.one]\nrank = 81\ndailyRequests = 3\nmonthly_tokens = 1.5\ncurrency = 'euro'\n"
        "[plans.one.entitlements]\nregions = [1]\nbeta = 'yes'\n"
        "[plans.two]\nrank = 82\nstripe_price_monthly = 'price_1'\n"
        "[plans.three]\nrank = 82\nstripe_price_yearly = 'price_1'\n"
        "[plans.Four]\nself_service = 1\n"
    )
    places = [
        "plan",
        "plans.one.dailyRequests",
        "plans.one.monthly_tokens",
        "plans.one.entitlements.regions",
        "plans.one.entitlements.beta",
        "plans.one.currency",
        "plans.Four",
        "plans.three.rank",
        "plans.three.stripe_price_yearly",
    ]
    _tells_all(told, ("plan", "apply", file), places)


def _tells_all(told: Callable[..., Told], words: tuple[str, str, Path], places: list[str]) -> None:
    """A command on a file tells its faults, each by its place, as a document and as lines."""
    *_, file = words
    problem = told(*words, "--json").json
    assert (problem["file"], [each["field"] for each in problem["errors"]]) == (str(file), places)
    first, *others = told(*words).err.splitlines()
    assert first == f"tollkeeper: {file}: {len(places)} faults"
    assert [line.split(": ")[0] for line in others] == [f"  {place}" for place in places]


def test_faults_against_the_catalogue_are_told_at_once_too(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    ranks = {plan["name"]: plan["rank"] for plan in told("plan", "list", "--json").json["items"]}
    file.write_text(f"[plans.one]\nrank = {ranks['free']}\n[plans.two]\nrank = {ranks['pro']}\n")
    problem = told("plan", "apply", file, "--json").json
    assert [each["field"] for each in problem["errors"]] == ["plans.one.rank", "plans.two.rank"]


def test_all_faults_of_a_file_of_prices_are_told_at_once(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(
        "[plans.lost]\n[price.lost]\n"
        "[prices]\nflat = 3\n"
        "[prices.'']\ninput = 1\n"
        "[prices.one]\ncache_read = 'much'\ncolour = 2\neffective_from = 'now'\n"
        "[[prices.two]]\ninput = 1\n"
        "[[prices.two]]\ninput = -1\noutput = 1001\n"
        "[[prices.two]]\ninput = 2\n"
    )
    places = [
        "plans",
        "price",
        'prices."flat"',
        'prices.""',
        'prices."one".colour',
        'prices."one"',
        'prices."one".cache_read',
        'prices."one".effective_from',
        'prices."two"[1].input',
        'prices."two"[1].output',
        'prices."two"[2].effective_from',
    ]
    _tells_all(told, ("price", "set", file), places)


def test_one_fault_stands_on_one_line_with_its_file(told: Callable[..., Told], tmp_path: Path) -> None:
    plans, prices = tmp_path / "plans.toml", tmp_path / "prices.toml"
    plans.write_text("[plans.one]\nrank = true\n")
    prices.write_text("[prices.one]\ninput = 'much'\n")
    assert told("plan", "apply", plans).err.startswith(f"tollkeeper: {plans}: plans.one.rank: must be a whole number")
    assert told("price", "set", prices).err == f'tollkeeper: {prices}: prices."one".input: must be a number of USD\n'
