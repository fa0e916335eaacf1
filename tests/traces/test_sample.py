from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from tollkeeper.metering.prices.price_file import own_rates
from tollkeeper.metering.pricing import rates_for
from tollkeeper.traces.sample import SAMPLE_NOTE, SAMPLE_PRICES, sample, sample_users

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


def test_the_sample_ends_now_in_the_order_of_time_and_has_what_the_note_says() -> None:
    given = sample(NOW)
    starts = [each.request.started_at for each in given]
    assert starts == sorted(starts)
    assert max(each.request.started_at + timedelta(milliseconds=each.request.duration_ms or 0) for each in given) == NOW
    texts = [each.request for each in given if each.request.prompt]
    campus = [each.request for each in given if each.email == "alan@example.com"]
    students = [each.request for each in given if not each.request.model]
    assert (len(texts), len(campus), len(students), len(given)) == (419, 400, 1107, 1926)
    assert sum(request.status == "failed" for request in campus) == 17
    assert len({request.session_id for request in students}) == 156
    for fact in ("419 calls", "55 days", "400 requests", "17 of them", "1,107 questions", "156 longest"):
        assert fact in SAMPLE_NOTE


def test_everybody_keeps_within_their_plan_and_has_requests_left() -> None:
    plans = {user.email: user.plan for user in sample_users()}
    assert set(plans.values()) == {"free", "pro", "enterprise"}
    days: defaultdict[str, Counter[object]] = defaultdict(Counter)
    for email, plan, request in sample(NOW):
        assert plans[email] == plan
        days[email][request.started_at.date()] += 1
    assert days.keys() == plans.keys()
    for email, counts in days.items():
        assert plans[email] == "enterprise" or max(counts.values()) < {"free": 10, "pro": 50}[plans[email]]
        assert plans[email] == "enterprise" or sum(counts.values()) < {"free": 100, "pro": 1000}[plans[email]]


def test_a_conversation_belongs_to_one_user() -> None:
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for email, _, request in sample(NOW):
        if request.session_id:
            owners[request.session_id].add(email)
    assert all(len(emails) == 1 for emails in owners.values())


def test_most_models_have_a_price_and_the_one_that_only_a_trace_calls_so_is_in_the_price_file() -> None:
    models = Counter(each.request.model for each in sample(NOW) if each.request.model)
    unpriced = {model: count for model, count in models.items() if rates_for(model, NOW) is None}
    assert unpriced == {"ChatGPT": 320, "davinci-002": 7, "davinci:2023-07-21-v2": 20}
    (own,) = own_rates(SAMPLE_PRICES)
    listed = rates_for("gpt-3.5-turbo", NOW)
    assert listed
    assert (own.model, own.rates.input, own.rates.output) == ("ChatGPT", listed.input, listed.output)


def test_the_same_instant_gives_the_same_sample() -> None:
    assert sample(NOW) == sample(NOW)
