"""Buying plans, and managing what was bought, as callers see it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.http.conftest import Heard, Person, Site
from tests.http.providers import plan_of
from tests.shop import NOW, FakeStripe, checkout, signed

from .conftest import ORIGIN, about, sent, told


async def bought(site: Site, person: Person, **says: Any) -> Heard:
    return await site.call("POST", "/api/user/plan/checkout", by=person.by_cookie, says={"plan": "pro"} | says)


async def test_a_plan_is_bought_moved_cancelled_and_ended(site: Site, stripe: FakeStripe, ana: Person) -> None:
    """From the checkout to the end, as Stripe tells of it."""
    refused = await site.call("PUT", "/api/user/plan", by=ana.by_cookie, says={"plan": "pro"})
    assert refused.is_problem(403, "not-self-service")
    assert refused.json["checkout"] == "/api/user/plan/checkout"
    heard = await bought(site, ana, billingCycle="yearly")
    assert (heard.status, heard.json["url"]) == (200, "https://checkout.stripe.com/c/pay/cs_test_1")
    ((path, asked),) = stripe.asked
    assert path == "/v1/checkout/sessions"
    assert asked == {
        "mode": "subscription",
        "line_items[0][price]": "price_pro_yearly",
        "line_items[0][quantity]": "1",
        "client_reference_id": str(ana.id),
        "metadata[tollkeeper_user]": str(ana.id),
        "subscription_data[metadata][tollkeeper_user]": str(ana.id),
        "success_url": f"{ORIGIN}/plan",
        "cancel_url": f"{ORIGIN}/plan",
        "customer_email": ana.email,
    }
    assert await told(site, checkout(customer=f"cus_{ana.id}", client_reference_id=str(ana.id))) == "done"
    assert await told(site, about(ana, price="price_pro_yearly")) == "done"
    own = await plan_of(site, ana)
    assert (own["name"], own["billingCycle"], own["expiresAt"]) == ("pro", "yearly", None)
    # Who pays at Stripe changes it there: here it would be paid for all the same.
    for says in ({"plan": "free"}, {"plan": "basic"}):
        refused = await site.call("PUT", "/api/user/plan", by=ana.by_cookie, says=says)
        assert refused.is_problem(403, "not-self-service")
        assert refused.json["portal"] == "/api/user/plan/portal"
    assert (await bought(site, ana)).is_problem(409, "contradiction")
    portal = await site.call("POST", "/api/user/plan/portal", by=ana.by_cookie)
    assert (portal.status, portal.json["url"]) == (200, "https://billing.stripe.com/p/session/test_1")
    assert stripe.asked[-1] == (
        "/v1/billing_portal/sessions",
        {"customer": f"cus_{ana.id}", "return_url": f"{ORIGIN}/plan"},
    )
    soon = int(time.time()) + 86_400
    ending = about(ana, "updated", at=NOW + 9, cancel_at_period_end=True, period_end=soon, price="price_pro_yearly")
    assert await told(site, ending) == "done"
    assert (await plan_of(site, ana))["expiresAt"] is not None
    assert await told(site, about(ana, "deleted", at=NOW + 99, price="price_pro_yearly")) == "done"
    assert (await plan_of(site, ana))["name"] == "free"
    # Somebody whom Stripe knows buys as the same customer.
    assert (await bought(site, ana, trial=True)).status == 200
    assert stripe.asked[-1][1]["customer"] == f"cus_{ana.id}"
    assert stripe.asked[-1][1]["subscription_data[trial_period_days]"] == "7"
    assert "customer_email" not in stripe.asked[-1][1]


@pytest.mark.parametrize(
    ("says", "status", "slug"),
    [
        ({"plan": "nowhere"}, 404, "not-found"),
        ({"plan": "unsold"}, 409, "not-for-sale"),
        ({"plan": "basic", "billingCycle": "yearly"}, 409, "not-for-sale"),
        ({"plan": "basic", "trial": True}, 422, "invalid"),
        ({"plan": "pro", "billingCycle": "weekly"}, 422, "invalid"),
        ({"plan": "pro", "price": "price_mine"}, 422, "invalid"),
    ],
)
async def test_what_is_not_sold_is_refused_before_stripe_is_asked(
    site: Site, stripe: FakeStripe, ana: Person, *, says: dict[str, Any], status: int, slug: str
) -> None:
    assert (await bought(site, ana, **says)).is_problem(status, slug)
    assert stripe.asked == []


async def test_a_trial_is_had_once_and_nothing_is_managed_that_was_never_bought(site: Site, ana: Person) -> None:
    heard = await site.call("POST", "/api/user/plan/portal", by=ana.by_cookie)
    assert heard.is_problem(409, "contradiction")
    await told(site, about(ana, status="trialing"))
    assert (await plan_of(site, ana))["isTrial"] is True
    await told(site, about(ana, "deleted", at=NOW + 9))
    assert (await bought(site, ana, trial=True)).is_problem(409, "contradiction")


async def test_the_portal_is_that_of_the_customer_who_pays(site: Site, stripe: FakeStripe, ana: Person) -> None:
    """Two checkouts at once make two customers."""
    for number, (name, kind) in enumerate((("pays", "created"), ("paid", "created"), ("paid", "deleted"))):
        mine = {"customer": f"cus_{ana.id}_{name}", "id": f"sub_{ana.id}_{name}"}
        await told(site, about(ana, kind, at=NOW + number, **mine))
    assert (await site.call("POST", "/api/user/plan/portal", by=ana.by_cookie)).status == 200
    assert stripe.asked[-1][1]["customer"] == f"cus_{ana.id}_pays"


@pytest.mark.parametrize("mood", ["fails", "limits", "talks nonsense", "says little", "says much", "packs", "sends on"])
async def test_a_stripe_that_is_not_well_is_503(site: Site, stripe: FakeStripe, ana: Person, mood: str) -> None:
    stripe.mood = mood
    heard = await bought(site, ana)
    assert heard.is_problem(503, "unavailable")
    assert heard.headers["Retry-After"] == "10"


async def test_a_stripe_that_hangs_is_503_after_five_seconds_and_holds_up_nobody(
    site: Site, stripe: FakeStripe, ana: Person
) -> None:
    stripe.mood = "hangs"
    began = time.monotonic()
    buying = asyncio.create_task(bought(site, ana))
    await stripe.is_asked.wait()
    await plan_of(site, ana)
    assert not buying.done()
    assert (await buying).is_problem(503, "unavailable")
    assert 4.5 < time.monotonic() - began < 15


async def test_what_stripe_refuses_is_told_to_the_operator(
    site: Site, stripe: FakeStripe, ana: Person, caplog: pytest.LogCaptureFixture
) -> None:
    stripe.mood = "refuses"
    assert (await bought(site, ana)).is_problem(409, "not-for-sale")
    assert "resource_missing" in caplog.text
    # What it says may repeat somebody's address.
    assert "ana@example.com" not in caplog.text


async def test_who_is_not_known_at_stripe_or_not_by_this_address_buys_all_the_same(
    site: Site, stripe: FakeStripe, ana: Person
) -> None:
    """As after the operator has deleted a customer there, or has gone from test mode to live mode."""
    stripe.mood = "knows nobody"
    assert (await bought(site, ana)).status == 200
    await told(site, checkout(customer=f"cus_{ana.id}", client_reference_id=str(ana.id)))
    assert (await bought(site, ana)).status == 200
    assert [{"customer", "customer_email"} & set(said) for _, said in stripe.asked] == [
        {"customer_email"}, set(), {"customer"}, set(),
    ]  # fmt: skip
    assert stripe.asked[-1][1]["client_reference_id"] == str(ana.id)


async def test_without_stripe_nothing_is_sold_and_the_answer_says_so(service: Site, alice: Person) -> None:
    for path, says in (("/api/user/plan/checkout", {"plan": "pro"}), ("/api/user/plan/portal", None)):
        heard = await service.call("POST", path, by=alice.by_cookie, says=says)
        assert heard.is_problem(409, "not-for-sale")
        assert "not set up Stripe" in heard.json["detail"]
    assert (await sent(service, *signed(checkout()))).is_problem(409, "not-for-sale")
    refused = await service.call(
        "PUT", "/api/user/plan", by=(await service.person("free")).by_cookie, says={"plan": "pro"}
    )
    assert "checkout" not in refused.json
    listed = (await service.call("GET", "/api/plans", by=alice.by_key)).json["plans"]
    assert listed
    assert all(each["checkoutCycles"] == [] for each in listed)
    assert (await service.call("GET", "/api/user/plan", by=alice.by_key)).json["subscription"] is None


async def test_what_is_sold_is_for_operators_to_see_and_ones_own_to_take_along(site: Site, ana: Person) -> None:
    operator = await site.operator()
    listed = (await site.call("GET", "/api/admin/plans", by=operator.by_cookie)).json["plans"]
    pro = next(each for each in listed if each["name"] == "pro")
    assert (pro["stripePriceMonthly"], pro["stripePriceYearly"]) == ("price_pro_monthly", "price_pro_yearly")
    shown = (await site.call("GET", "/api/plans", by=ana.by_key)).body
    assert b"stripe" not in shown


async def test_plans_say_how_they_are_bought_and_ones_own_what_became_of_it(site: Site, ana: Person) -> None:
    async def bought_by(by: dict[str, str], at: str = "/api/user/plan") -> str | None:
        return (await site.call("GET", at, by=by)).json["subscription"]

    listed = (await site.call("GET", "/api/plans", by=ana.by_key)).json["plans"]
    cycles = {each["name"]: each["checkoutCycles"] for each in listed}
    assert (cycles["basic"], cycles["pro"], cycles["unsold"]) == (["monthly"], ["monthly", "yearly"], [])
    assert await bought_by(ana.by_key) is None
    await told(site, checkout(customer=f"cus_{ana.id}", client_reference_id=str(ana.id)))
    await told(site, about(ana, status="incomplete"))
    # It has not been paid for yet.
    assert await bought_by(ana.by_key) is None
    for later, (kind, status, expected) in enumerate(
        (
            ("created", "trialing", "running"),
            ("updated", "past_due", "running"),
            ("updated", "unpaid", "running"),
            ("deleted", "canceled", "ended"),
        )
    ):
        await told(site, about(ana, kind, at=NOW + 1 + later, status=status))
        assert await bought_by(ana.by_key) == expected
    await told(site, about(ana, id=f"sub_{ana.id}_2", at=NOW + 9))
    assert await bought_by(ana.by_key) == "running"
    operator = await site.operator()
    assert await bought_by(operator.by_cookie, f"/api/admin/users/{ana.id}/plan") == "running"
    assert await bought_by(operator.by_cookie) is None
