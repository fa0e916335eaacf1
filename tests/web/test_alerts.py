"""Alerts in the browser: what one was told, what is new of it, and what one wants to be told of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import Browser, Locator, Route, expect

from tests.faults.nodes import connected
from tests.web.hands import address_of, button
from tests.web.visitors import Served, Visitor, visiting

_UNSEEN = "/api/user/alerts?limit=1"


async def _ask(served: Served, email: str, times: int, **says: Any) -> None:
    """Track some requests of a user, as an app does."""
    for _ in range(times):
        await served.call("POST", "/api/chat/track", user=email, says={"prompt": "Hello"} | says)


def _entry(visitor: Visitor, name: str) -> Locator:
    """What leads to one's alerts."""
    return visitor.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True)


def _rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("list", name="Alerts").get_by_role("listitem")


def _row(visitor: Visitor, text: str) -> Locator:
    return _rows(visitor).filter(has_text=text)


async def _none_unseen(visitor: Visitor) -> None:
    await visitor.page.wait_for_function("async (path) => (await (await fetch(path)).json()).unseen === 0", arg=_UNSEEN)


async def test_what_is_new_is_counted_told_and_then_seen(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await ada.open("/alerts")
    await expect(ada.page.get_by_role("heading", name="Nothing to tell yet")).to_be_visible()
    await expect(ada.page.get_by_role("main")).to_contain_text("when 50%, 80%, or 100% of a limit is used")

    await ada.open("/plan")
    await ada.live()
    await _ask(served, email, 8)
    await expect(_entry(ada, "Alerts 2 unseen")).to_be_visible()
    assert (await ada.fetch(_UNSEEN))["unseen"] == 2

    await ada.follow(_entry(ada, "Alerts 2 unseen"))
    eighty = _row(ada, "80% of your daily requests are used")
    today = datetime.now(UTC)
    told = f"8 of 10 on the plan Free. The day ends at midnight, after {today:%b} {today.day}."
    await expect(eighty).to_contain_text(told)
    await expect(_rows(ada)).to_have_count(2)
    await expect(_rows(ada).get_by_text("New", exact=True)).to_have_count(2)
    await expect(_entry(ada, "Alerts")).to_be_visible()
    assert (await ada.fetch(_UNSEEN))["unseen"] == 0

    # What comes while one looks is seen at once, and new until one leaves.
    await _ask(served, email, 2)
    await expect(_row(ada, "You have reached your limit: daily requests")).to_contain_text(
        "Until then requests beyond it are refused."
    )
    await _none_unseen(ada)
    await expect(_rows(ada).get_by_text("New", exact=True)).to_have_count(3)
    await ada.open("/alerts")
    await expect(_rows(ada)).to_have_count(3)
    await expect(_rows(ada).get_by_text("New", exact=True)).to_have_count(0)
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_what_came_at_once_of_one_limit_is_one_alert_the_strongest(
    served: Served, ada: Visitor, operator: Visitor
) -> None:
    email = await address_of(ada)
    one = {"user": email, "prompt": "Hello", "model": "gpt-4o", "status": "completed", "tokensInput": 10}
    await served.record([one] * 10)
    assert (await ada.fetch(_UNSEEN))["unseen"] == 3
    await ada.open("/alerts")
    await expect(_rows(ada)).to_have_count(1)
    await expect(_rows(ada)).to_contain_text("You have reached your limit: daily requests New")
    await expect(_rows(ada)).to_contain_text("50% and 80% were passed at once.")
    await _none_unseen(ada)

    # Where the strongest is not looked for, it does not stand for the others.
    await operator.open("/admin/alerts?kind=limit.threshold")
    await expect(_row(operator, email)).to_have_count(1)
    await expect(_row(operator, email)).to_contain_text("80% of the daily requests are used")
    await expect(_row(operator, email)).to_contain_text("50% was passed at once.")
    assert (ada.troubles, operator.troubles) == ([], [])


async def test_a_change_of_plan_and_a_model_without_a_price_are_told(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await _ask(served, email, 1, model="of-our-own", requestId="first")
    ended = {"requestId": "first", "status": "completed", "tokensInput": 10, "tokensOutput": 5}
    await served.call("PUT", "/api/chat/track", user=email, says=ended)
    await served.site.run("user", "set", email, "--plan", "pro")

    # Those of other kinds were not shown, so they stay unseen.
    await ada.open("/alerts?kind=plan.changed")
    await expect(_row(ada, "Your plan changed from Free to Pro")).to_contain_text("on.")
    await expect(_rows(ada)).to_have_count(1)
    await expect(_entry(ada, "Alerts 2 unseen")).to_be_visible()

    kind = ada.page.get_by_role("combobox", name="Kind")
    await kind.click()
    await ada.page.get_by_role("option", name="Limit reached").click()
    await ada.page.wait_for_url("**/alerts?kind=limit.reached")
    await expect(ada.page.get_by_role("heading", name="Nothing of the kind was told")).to_be_visible()
    await ada.page.go_back()
    await expect(_rows(ada)).to_have_count(1)
    await ada.open("/alerts")
    await expect(_row(ada, "The model of-our-own has no price")).to_contain_text("it is not free")
    await expect(_entry(ada, "Alerts")).to_be_visible()
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_a_day_that_costs_far_more_than_usual_is_told(served: Served, ada: Visitor) -> None:
    email, now = await address_of(ada), datetime.now(UTC)
    one = {"user": email, "prompt": "Hello", "model": "gpt-4o", "status": "completed", "tokensInput": 100_000}
    before = [one | {"completedAt": (now - timedelta(days=days)).isoformat()} for days in range(1, 9)]
    await served.record(before)
    # What is usual is looked up as a day begins.
    async with connected(served.site) as owner:
        await owner.execute(
            "UPDATE usage AS k SET unusual_at_nanos = tk_unusual_at(k.user_id, k.day_on, k.month_cost_nanos)"
            " FROM users AS u WHERE u.id = k.user_id AND u.email = $1",
            email,
        )
    await served.record([one | {"tokensInput": 4_000_000}])
    await ada.open("/alerts")
    told = _row(ada, f"You spent more than usual on {now:%b} {now.day}")
    await expect(told).to_contain_text("It was $10.00 by then. On days on which you spend at all it is about $0.25.")
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_operators_see_what_everybody_was_told_and_who_it_is_about(served: Served, operator: Visitor) -> None:
    email = await served.newcomer()
    await _ask(served, email, 5)
    await operator.open("/admin/alerts?kind=limit.threshold")
    row = _row(operator, email)
    await expect(row).to_contain_text("50% of the daily requests are used")
    await operator.follow(row.get_by_role("link", name=email))
    await expect(operator.page.get_by_role("heading", level=1)).to_have_text(email)
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_an_operator_who_acts_as_a_user_leaves_their_alerts_unseen(served: Served, operator: Visitor) -> None:
    email = await served.newcomer()
    await _ask(served, email, 5)
    async with connected(served.site) as owner:
        user = await owner.fetchval("SELECT u.id FROM users AS u WHERE u.email = $1", email)
    await operator.open(f"/admin/users/{user}")
    await button(operator, "Act as …").click()
    await button(operator.page.get_by_role("dialog"), "Act as them").click()
    await operator.page.get_by_role("region", name="Acting as somebody else").wait_for()
    await operator.open("/alerts")
    await expect(_row(operator, "50% of your daily requests are used")).to_contain_text("New")
    await expect(_entry(operator, "Alerts 1 unseen")).to_be_visible()
    assert (await operator.fetch(_UNSEEN))["unseen"] == 1
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_on_a_phone_the_menu_says_that_something_is_unseen(chromium: Browser, served: Served) -> None:
    email = await served.newcomer()
    await _ask(served, email, 5)
    async with visiting(chromium, served, width=390) as visitor:
        await visitor.sign_in(email)
        await visitor.page.get_by_role("button", name="Menu, alerts: 1 unseen").click()
        await visitor.page.get_by_role("dialog").get_by_role("link", name="Alerts 1 unseen").click()
        await expect(_row(visitor, "50% of your daily requests are used")).to_be_visible()
        await expect(visitor.page.get_by_role("button", name="Menu", exact=True)).to_be_visible()
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_one_chooses_at_which_percentages_one_is_warned(served: Served, ada: Visitor) -> None:
    await ada.open("/settings")
    as_planned = ada.page.get_by_role("checkbox", name="As the plan says: 50%, 80%, 100%")
    await expect(as_planned).to_be_checked()
    await as_planned.uncheck()
    own, save = ada.page.get_by_role("textbox", name="At these percentages"), button(ada, "Save changes")
    await expect(own).to_have_value("50, 80, 100")
    for typed, fault in (
        ("20, 101", "“101” is no whole number from 1 to 100."),
        ("2.5", "“2.5” is no whole number from 1 to 100."),
        ("1 2 3 4 5 6 7 8 9 10 11", "These are more than 10."),
    ):
        await own.fill(typed)
        await expect(own).to_have_accessible_description(re.compile(re.escape(fault)))
        await save.click()
    assert (await ada.fetch("/api/user/settings"))["settings"]["warnAt"] is None

    await own.fill("90 %, 20")
    await save.click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    await expect(own).to_have_value("20, 90")
    await _ask(served, await address_of(ada), 3)
    await ada.open("/alerts")
    await expect(_rows(ada)).to_have_count(1)
    await expect(_rows(ada)).to_contain_text("20% of your daily requests are used")

    await ada.open("/settings")
    await as_planned.check()
    await save.click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    assert (await ada.fetch("/api/user/settings"))["settings"]["warnAt"] is None
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_what_the_service_says_of_percentages_stands_at_their_field(ada: Visitor) -> None:
    async def spoil(route: Route) -> None:
        await route.continue_(post_data={"warnAt": [50, 101]})

    await ada.open("/settings")
    await ada.page.route("**/api/user/settings", spoil, times=1)
    await ada.page.get_by_role("checkbox", name="As the plan says").uncheck()
    await button(ada, "Save changes").click()
    own = ada.page.get_by_role("textbox", name="At these percentages")
    await expect(own).to_have_attribute("aria-invalid", "true")
    assert all("status of 4" in each for each in ada.troubles), ada.troubles


async def test_each_kind_of_mail_is_switched_for_itself(ada: Visitor) -> None:
    await ada.open("/settings")
    for name in ("About limits and spend", "About the plan", "About security"):
        await expect(ada.page.get_by_role("switch", name=name)).to_be_checked()
    await ada.page.get_by_role("switch", name="About limits and spend").uncheck()
    await ada.page.get_by_role("switch", name="About security").uncheck()
    await button(ada, "Save changes").click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    kept = (await ada.fetch("/api/user/settings"))["settings"]["emailAlerts"]
    assert kept == {"limits": False, "plan": True, "security": False}
    assert (ada.troubles, ada.elsewhere) == ([], [])
