"""What operators do in the browser, and what comes of it for those whom it concerns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.faults.nodes import connected
from tests.web.visitors import OPERATORS_PAGES, Served, Visitor, visiting

_CROWD = "crowd.example"
_MANY = 60
_CELLS = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
_NONE = "\N{EN DASH}"
# After whatever was found before.
_FOUND = """INSERT INTO verifications (at, seconds, differences, unreadable)
            SELECT greatest(tk_now(), max(v.at) + interval '1 ms'), 0.8, $1, $2 FROM verifications AS v"""


@pytest.fixture(scope="module")
async def crowd(served: Served) -> list[str]:
    """More users than one page of the list has; each has used something else."""
    emails = [f"user-{number:02}@{_CROWD}" for number in range(_MANY)]
    await served.record([
        {
            "user": email, "prompt": "Hello", "model": "gpt-4o-mini", "status": "failed" if part else "completed",
            "tokensInput": 100 * (number * 7 % _MANY), "tokensOutput": 1,
        }
        for number, email in enumerate(emails)
        for part in range(1 + number % 3)
    ])  # fmt: skip
    return emails


@pytest.fixture(scope="module")
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _start(served: Served, email: str, **says: Any) -> int:
    """Start a request as an app does; gives the status."""
    headers = {"Authorization": f"Bearer {served.key}", "Tollkeeper-User": email}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{served.url}/api/chat/track", json={"prompt": "Hello"} | says) as answer,
    ):
        return answer.status


async def _one(operator: Visitor, email: str) -> Any:
    """The user as the API shows them."""
    (found,) = (await operator.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    return found


async def _look_at(operator: Visitor, email: str) -> Any:
    """Open a user's page; gives the user."""
    user = await _one(operator, email)
    await operator.open(f"/admin/users/{user['id']}")
    assert await operator.page.get_by_role("heading", level=1).inner_text() == email
    return user


def _rows(operator: Visitor) -> Locator:
    return operator.page.locator("main tbody tr")


async def _lists(operator: Visitor, emails: list[str]) -> None:
    await expect(operator.page.locator("main tbody a")).to_have_text(emails)


@pytest.mark.parametrize("sort", ["email", "requests", "tokensUsed", "cost", "lastActiveAt", "createdAt"])
async def test_users_are_searched_sorted_and_paged(operator: Visitor, crowd: list[str], sort: str) -> None:
    headings = {
        "email": "User", "requests": "All requests", "tokensUsed": "Tokens", "cost": "Cost",
        "lastActiveAt": "Last active", "createdAt": "Since",
    }  # fmt: skip
    await operator.open("/admin/users")
    await operator.page.get_by_label("Search by address or name").fill(_CROWD.upper())
    await operator.page.wait_for_url(f"**/admin/users?q={_CROWD.upper()}")
    for turn in range(2):
        heading = operator.page.get_by_role("columnheader", name=headings[sort])
        if turn or sort != "createdAt":
            await heading.get_by_role("button").click()
        order = await heading.get_attribute("aria-sort")
        asked = {
            "q": _CROWD,
            "sort": sort,
            "limit": 200,
            "order": {"ascending": "asc", "descending": "desc"}[order or ""],
        }
        users = (await operator.fetch(f"/api/admin/users?{urlencode(asked)}"))["items"]
        assert {each["email"] for each in users} == set(crowd)
        keys = [
            each[{"requests": "totalRequests", "tokensUsed": "totalTokensUsed", "cost": "totalCost"}.get(sort, sort)]
            for each in users
        ]
        assert keys == sorted(keys, reverse=asked["order"] == "desc")
        await _lists(operator, [each["email"] for each in users[:50]])
        await operator.page.get_by_role("button", name="Show more").click()
        await _lists(operator, [each["email"] for each in users])


async def test_the_list_of_users_shows_what_the_api_says(operator: Visitor, crowd: list[str]) -> None:
    email = crowd[23]
    await operator.open(f"/admin/users?q={email}")
    await _lists(operator, [email])
    user = await _one(operator, email)
    (cells,) = await _rows(operator).evaluate_all(_CELLS)
    assert cells[:5] == [
        email,
        "Free",
        f"{user['requestsThisMonth']} / {user['monthlyLimit']}",
        f"{user['totalRequests']}",
        "12.3K",
    ]
    assert (user["totalRequests"], user["totalTokensUsed"]) == (3, 3 * (100 * (23 * 7 % _MANY) + 1))


async def test_users_are_narrowed_to_a_plan_and_a_state(operator: Visitor, crowd: list[str]) -> None:
    page = operator.page
    await operator.open(f"/admin/users?q={_CROWD}")
    await page.get_by_role("combobox", name="Plan").click()
    await page.get_by_role("option", name="Enterprise").click()
    await page.get_by_role("heading", name="Nobody matches").wait_for()
    await page.get_by_role("combobox", name="Plan").click()
    await page.get_by_role("option", name="Free").click()
    await page.get_by_role("combobox", name="State").click()
    await page.get_by_role("option", name="Active").click()
    await page.wait_for_url(f"**/admin/users?q={_CROWD}&plan=free&isActive=true")
    await expect(_rows(operator)).to_have_count(50)
    assert len(crowd) > 50


async def test_another_plan_decides_the_users_very_next_start(operator: Visitor, served: Served) -> None:
    email = await served.newcomer()
    assert [await _start(served, email) for _ in range(11)] == [201] * 10 + [429]
    await _look_at(operator, email)
    await operator.follow(operator.page.get_by_role("link", name="Plan and exceptions"))
    await operator.page.get_by_role("button", name="Change plan").click()
    await operator.page.get_by_role("combobox", name="Plan", exact=True).click()
    await operator.page.get_by_role("option", name="Pro").click()
    dialog = operator.page.get_by_role("dialog", name="Change the plan")
    await dialog.get_by_text("They have Pro from now on, for $20 a month.").wait_for()
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(operator.page.get_by_role("region", name="Plan", exact=True)).to_contain_text("of 50")
    assert (await _one(operator, email))["plan"] == "pro"
    assert await _start(served, email) == 201


async def test_who_is_switched_off_is_refused_until_switched_on(operator: Visitor, served: Served) -> None:
    email = await served.newcomer()
    page = operator.page
    await _look_at(operator, email)
    for act, status in (("Switch off", 403), ("Switch on", 201)):
        await page.get_by_role("button", name=f"{act} …").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Cancel").click()
        await dialog.wait_for(state="hidden")
        await page.get_by_role("button", name=f"{act} …").click()
        await dialog.get_by_role("button", name=act).click()
        await dialog.wait_for(state="hidden")
        assert await _start(served, email) == status
        assert await page.locator("main").get_by_text("switched off", exact=True).count() == (status == 403)


async def test_a_note_is_kept_for_operators_alone(operator: Visitor, served: Served) -> None:
    email = await served.newcomer()
    await _look_at(operator, email)
    save = operator.page.get_by_role("button", name="Save")
    for note in ("Asked twice for <b>more</b>.\nCall on Monday.", ""):
        await operator.page.get_by_role("textbox", name="Note").fill(note)
        async with operator.page.expect_response(lambda answer: answer.request.method == "PUT"):
            await save.click()
        await operator.page.reload()
        await operator.settled()
        assert await operator.page.get_by_role("textbox", name="Note").input_value() == note
        assert (await _one(operator, email))["note"] == (note or None)
        if note:
            for path in ("/api/user/dashboard", "/api/user/settings", "/api/user/plan"):
                assert "Monday" not in str(await served.call("GET", path, user=email))


async def test_a_users_page_shows_what_the_user_sees(operator: Visitor, served: Served, crowd: list[str]) -> None:
    email = crowd[5]
    user = await _look_at(operator, email)
    own = await served.call("GET", "/api/user/dashboard", user=email)
    assert await operator.fetch(f"/api/admin/users/{user['id']}/dashboard") == own
    meters = operator.page.get_by_role("region", name="Limits").locator("meter")
    await expect(meters).to_have_count(2)
    assert await meters.evaluate_all("(all) => all.map((each) => each.value)") == [
        own["limits"]["dailyUsed"],
        own["limits"]["monthlyUsed"],
    ]
    await operator.page.get_by_role("combobox", name="Status").click()
    await operator.page.get_by_role("option", name="Failed").click()
    await expect(_rows(operator)).to_have_count(2)
    await operator.page.get_by_role("button", name="Download").click()
    link = operator.page.get_by_role("menuitem", name="JSON lines")
    address = f"{served.url}{await link.get_attribute('href')}"
    theirs = await served.call("GET", "/api/chat/requests?status=failed", user=email)
    assert len((await (await operator.context.request.get(address)).text()).splitlines()) == len(theirs["items"]) == 2


async def _model(operator: Visitor, name: str) -> Any:
    (found,) = [each for each in (await operator.fetch("/api/admin/models"))["items"] if each["model"] == name]
    return found


async def test_an_own_price_changes_past_costs_by_what_its_preview_says(operator: Visitor, served: Served) -> None:
    model, email = "our-own-model", await served.newcomer()
    told = {"user": email, "prompt": "Hello", "model": model, "status": "completed"}
    await served.record([{**told, "tokensInput": 40_000 * n, "tokensOutput": 10_000} for n in range(1, 4)])
    page = operator.page
    await operator.open("/admin/models?price=none")
    (row,) = await page.locator("main tbody tr", has_text=model).evaluate_all(_CELLS)
    assert row[1:7] == ["no price", _NONE, "3", "3", "270K", _NONE]
    await page.get_by_role("link", name=model).click()
    drawer = page.get_by_role("dialog")
    await drawer.get_by_role("button", name="Preview").click()
    await drawer.get_by_text("0 of 3 requests would change.").wait_for()
    unknown = await drawer.locator("table tbody tr").evaluate_all(_CELLS)
    assert unknown == [["Cost", _NONE, _NONE, _NONE], ["Without a price", "3", "3", "0"]]

    await drawer.get_by_label("Input").fill("2.50")
    await drawer.get_by_label("Output").fill("10")
    await drawer.get_by_role("button", name="Set", exact=True).click()
    await drawer.get_by_text("Set. It counts for new requests.").wait_for()
    assert (await _model(operator, model))["unpriced"] == 3
    await drawer.get_by_role("button", name="Preview").click()
    await drawer.get_by_text("3 of 3 requests would change.").wait_for()
    preview = await drawer.locator("table tbody tr").evaluate_all(_CELLS)
    # 240,000 tokens in and 30,000 out.
    assert preview == [["Cost", _NONE, "$0.90", _NONE], ["Without a price", "3", "0", "-3"]]
    assert (await _model(operator, model))["cost"] == 0

    await drawer.get_by_role("button", name="Price 3 requests anew").click()
    await drawer.get_by_text("Done: 3 of 3 requests have changed.").wait_for()
    assert await drawer.locator("table tbody tr").evaluate_all(_CELLS) == preview
    seen = await _model(operator, model)
    assert (seen["cost"], seen["unpriced"], seen["priceSource"]) == (90, 0, "own")
    assert (await served.call("GET", "/api/user/dashboard", user=email))["metrics"]["totalCost"] == 90

    await expect(drawer.get_by_role("listitem")).to_contain_text("for all time")
    await drawer.get_by_role("button", name="Take away").click()
    asks = page.get_by_role("dialog", name="Take away the price that holds for all time?")
    await asks.get_by_role("button", name="Take away").click()
    await drawer.get_by_text("None: the public list counts").wait_for()
    await drawer.get_by_role("button", name="Preview").click()
    await drawer.get_by_role("button", name="Price 3 requests anew").click()
    await drawer.get_by_text("Done: 3 of 3 requests have changed.").wait_for()
    assert ((await _model(operator, model))["cost"], (await _model(operator, model))["unpriced"]) == (0, 3)


async def test_a_price_that_is_none_is_told_at_its_field(operator: Visitor, served: Served) -> None:
    await served.record([{"user": await served.newcomer(), "prompt": "x", "model": "odd", "status": "completed"}])
    await operator.open("/admin/models?open=odd")
    drawer = operator.page.get_by_role("dialog")
    await drawer.get_by_label("Input").fill("-1")
    await drawer.get_by_label("Output").fill("much")
    await drawer.get_by_role("button", name="Set", exact=True).click()
    await expect(drawer.locator("[aria-invalid=true]")).to_have_count(2)
    # The browser itself notes the refusal.
    assert all("status of 422" in each for each in operator.troubles)
    operator.troubles.clear()


async def test_models_are_shown_by_where_their_price_comes_from(operator: Visitor, crowd: list[str]) -> None:
    assert crowd
    await operator.open("/admin/models")
    said = (await operator.fetch("/api/admin/models"))["items"]
    for choice, source in (("All", None), ("Without a price", "none"), ("Public list", "list")):
        await operator.page.get_by_role("radiogroup", name="Which models").get_by_text(choice, exact=True).click()
        wanted = [each["model"] for each in said if source in {None, each["priceSource"]}]
        assert len(wanted) > 0
        await expect(_rows(operator)).to_have_count(len(wanted))
        cells = await _rows(operator).evaluate_all(_CELLS)
        shown = ["No" if model == "unknown" else model.split()[0] for model in wanted]
        assert [row[0].split()[0] for row in cells] == shown
        assert [int(row[4].replace(",", "")) for row in cells] == [
            each["unpriced"] for each in said if source in {None, each["priceSource"]}
        ]


async def test_the_system_page_tells_how_the_service_stands(operator: Visitor, served: Served) -> None:
    verified = await served.site.run("verify")
    assert verified["ok"]
    await operator.open("/admin/system")
    page = operator.page
    await page.get_by_text("Every number agrees").wait_for()
    said = await operator.fetch("/api/admin/system")
    terms = await page.locator("main dl > div").all_inner_texts()
    shown = {name: value for name, value, *_ in (text.split("\n") for text in terms)}
    assert shown["Version"] == said["version"]
    assert (shown["Nodes"], shown["Waiting"]) == ("1", "0")
    (node,) = await page.get_by_role("region", name="Nodes, as a table").locator("tbody tr").evaluate_all(_CELLS)
    assert node[:3] == [said["nodes"][0]["host"], str(said["nodes"][0]["pid"]), said["nodes"][0]["version"]]
    for title, rows in (("Partitions", said["partitions"]), ("Tables", said["tables"])):
        region = page.get_by_role("region", name=f"{title}, as a table")
        names = await region.locator("tbody tr td:first-child").all_inner_texts()
        assert names == [each["name"] for each in rows][:8]
        more = page.locator("section", has=region).get_by_role("button", name=re.compile("Show all"))
        if len(rows) > 8:
            await more.click()
            await expect(region.locator("tbody tr")).to_have_count(len(rows))


@pytest.mark.parametrize(
    ("differences", "unreadable", "told"),
    [
        (1, 0, ["1 number disagrees", "tollkeeper verify names each"]),
        (0, 1, ["1 user or month cannot be read", "restore the latest backup"]),
        (1_234, 12, ["1,234 numbers disagree", "12 users or months cannot be read"]),
    ],
)
async def test_the_system_page_tells_what_a_proof_found_amiss(
    operator: Visitor, served: Served, differences: int, unreadable: int, told: list[str]
) -> None:
    async with connected(served.site) as owner:
        await owner.execute(_FOUND, differences, unreadable)
        try:
            await operator.open("/admin/system")
            panel = operator.page.get_by_role("region", name="Last verification")
            for words in told:
                await expect(panel).to_contain_text(words)
            for words, many in (("disagree", differences), ("cannot be read", unreadable)):
                await expect(panel.get_by_text(words)).to_have_count(min(many, 1))
            await expect(panel).not_to_contain_text("Every number")
            assert await panel.evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")
        finally:
            await owner.execute("DELETE FROM verifications WHERE differences > 0 OR unreadable > 0")


async def test_nothing_of_one_user_is_shown_as_anothers(operator: Visitor, crowd: list[str]) -> None:
    first, second = [f"/admin/users/{(await _one(operator, crowd[number]))['id']}" for number in (1, 2)]
    page, go = operator.page, "(path) => history.pushState(null, '', path)"
    requests = page.locator("dl:has(dt:text('Success rate')) > div").first
    for path in (f"{first}?days=7", second):
        await operator.open("/admin/users")
        await page.evaluate(go, path)
        await expect(requests).to_be_visible()
    is_asked, may_come = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        is_asked.set()
        await may_come.wait()
        await route.fallback()

    await page.evaluate(go, f"{first}?days=7")
    await expect(page.get_by_role("heading", level=1)).to_have_text(crowd[1])
    await page.evaluate(go, second)
    await expect(page.get_by_role("heading", level=1)).to_have_text(crowd[2])
    await page.route("**/api/admin/analytics?*", hold)
    await page.evaluate(go, f"{first}?days=14")
    await is_asked.wait()
    await expect(page.get_by_role("heading", level=1)).to_have_text(crowd[1])
    shown = await page.locator("dl dd").all_inner_texts()
    may_come.set()
    assert set(shown) <= {"", "\N{EN DASH}"}
    await operator.settled()


async def test_who_is_no_operator_is_told_so_and_asks_for_nothing(ada: Visitor) -> None:
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    for path in (*OPERATORS_PAGES, "/admin/users/somebody", "/admin/users/somebody/plan", "/admin/webhooks/one"):
        await ada.open(path)
        await expect(ada.page.get_by_role("heading", name="This page is for operators")).to_be_visible()
        await expect(ada.page.get_by_role("main").get_by_role("alert")).to_have_count(0)
    assert [url for url in asked if "/api/admin" in url] == []
    await ada.follow(ada.page.get_by_role("link", name="To the overview"))
    await ada.at_dashboard()
    assert (ada.troubles, ada.elsewhere) == ([], [])
