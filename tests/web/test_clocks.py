"""Instants are shown by the clocks of the account's zone, and in English, whatever the browser has and speaks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, expect

from tests.web.hands import button, dialog, row_with
from tests.web.visitors import Served, Visitor, visiting

_ZONE = "America/Los_Angeles"
_HERE = ZoneInfo(_ZONE)


async def _used(served: Served, at: datetime) -> str:
    email = await served.user("pro", timezone=_ZONE)
    ended = {"status": "completed", "tokensInput": 1234, "tokensOutput": 0, "duration": 125_000}
    told = {"user": email, "prompt": "Hello", "model": "of-our-own", "sessionId": "talk"}
    await served.record([told | ended | {"startedAt": at.isoformat(), "completedAt": at.isoformat()}])
    return email


def _clock(at: datetime) -> str:
    return f"{at:%b} {at.day}, {(at.hour - 1) % 12 + 1}:{at:%M} {at:%p}"


async def test_instants_are_those_of_the_accounts_zone_and_name_it(chromium: Browser, served: Served) -> None:
    at = datetime.combine(datetime.now(_HERE) - timedelta(days=3), time(22, 15), _HERE)
    async with visiting(chromium, served, timezone_id="Asia/Tokyo") as visitor:
        await visitor.sign_in(await _used(served, at.astimezone(UTC)))
        await visitor.open("/requests")
        shown = visitor.page.locator("main tbody time")
        await expect(shown).to_have_text(_clock(at))
        assert str(await shown.get_attribute("title")).endswith(f"10:15:00 PM {at:%Z}")
        await visitor.open("/sessions/talk")
        await expect(visitor.page.locator("main time").first).to_have_text(_clock(at))
        # On which day of the chart it is, says the same zone.
        await visitor.open("/?days=7")
        await button(visitor, "Show as table: Usage over time").click()
        row = visitor.page.get_by_role("row").filter(has_text=f"{at:%a, %b} {at.day}")
        assert (await row.inner_text()).split("\t")[1] == "1"


async def test_a_last_day_is_over_when_it_is_over_in_the_accounts_zone(chromium: Browser, served: Served) -> None:
    last = datetime.now(_HERE).date() + timedelta(days=20)
    over = datetime.combine(last + timedelta(days=1), time(0), _HERE)
    async with visiting(chromium, served, timezone_id="Asia/Tokyo") as visitor:
        await visitor.sign_in(await served.user("pro", timezone=_ZONE))
        await visitor.open("/settings/keys")
        await button(visitor, "New key").click()
        form = dialog(visitor, "New API key")
        await form.get_by_role("textbox", name="Name").fill("until then")
        await form.get_by_role("combobox", name="Works for").click()
        await visitor.page.get_by_role("option", name="Until a date").click()
        await form.get_by_label("Last day").fill(last.isoformat())
        await button(form, "Create key").click()
        await button(dialog(visitor, "Key “until then”"), "Done").click()
        await expect(row_with(visitor, "until then")).to_contain_text(_through(last))
        (key,) = (await visitor.fetch("/api/account/keys"))["items"]
        assert datetime.fromisoformat(key["expiresAt"]) == over


def _through(day: date) -> str:
    return f"through {day:%b} {day.day}, {day.year}"


@pytest.mark.parametrize("what", ["grant", "override"])
async def test_what_is_excepted_until_a_last_day_holds_through_it(
    operator: Visitor, served: Served, *, what: str
) -> None:
    last = datetime.now(UTC).date() + timedelta(days=40)
    (found,) = (await operator.fetch(f"/api/admin/users?q={await served.newcomer()}"))["items"]
    await operator.open(f"/admin/users/{found['id']}/plan")
    await button(operator, "Grant units" if what == "grant" else "Override limits").click()
    form = operator.page.get_by_role("dialog")
    await form.get_by_label("How much" if what == "grant" else "Requests a day").first.fill("7")
    await form.get_by_label("Reason").fill("as agreed")
    await form.get_by_label("Last day").fill(last.isoformat())
    await button(form, "Grant" if what == "grant" else "Override").click()
    await expect(row_with(operator, "as agreed")).to_contain_text(_through(last))
    assert operator.troubles == []


async def test_the_log_tells_through_which_day_a_plan_was_given(operator: Visitor, served: Served) -> None:
    last, email = datetime.now(UTC).date() + timedelta(days=40), await served.newcomer()
    await served.site.run("plan", "set", email, "pro", "--until", (last + timedelta(days=1)).isoformat())
    await operator.open(f"/admin/activity?user={email}")
    await expect(row_with(operator, "Plan changed")).to_contain_text(f"to Pro {_through(last)}")
    assert operator.troubles == []


@pytest.mark.parametrize("language", ["de-DE", "ar-EG", "ja-JP", "fr-FR"])
async def test_a_page_speaks_english_in_every_browser(chromium: Browser, served: Served, language: str) -> None:
    email = await _used(served, datetime.now(UTC) - timedelta(days=2))
    read: dict[str, list[str]] = {}
    for locale in ("en-US", language):
        async with visiting(chromium, served, locale=locale) as visitor:
            await visitor.sign_in(email)
            read[locale] = [await _all_of(visitor, path) for path in ("/", "/requests", "/plan")]
    assert read[language] == read["en-US"]
    assert "2.1m" in read[language][0]
    assert "1,234" in read[language][1]


async def _all_of(visitor: Visitor, path: str) -> str:
    await visitor.open(path)
    main = visitor.page.locator("main")
    titles = await main.locator("[title]").evaluate_all("(all) => all.map(({ title }) => title)")
    return "\n".join([await main.inner_text(), *titles])
