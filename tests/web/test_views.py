"""What a view shows stands in its address, and what is shown is told whole: names, costs, texts, terms."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, StorageState, expect

from tests.web.hands import address_of
from tests.web.visitors import Served, Visitor, visiting

_NONE = "\N{EN DASH}"
_NAMES = (".", "..", "~..", "...", "a/b", "50%", "%2e", "?q=1#x")
_LONG = "All of it. " * 300 + "The very end."


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served) -> StorageState:
    """What the browser of an operator keeps, with conversations of all names and of all costs."""
    email = await served.operator()

    async def track(session: str, **says: Any) -> None:
        start = {"prompt": f"Asked in {session}", "model": says.pop("model", "of-our-own"), "sessionId": session}
        answer = await served.call("POST", "/api/chat/track", user=email, says=start)
        finish = {"requestId": answer["requestId"], "status": "completed", "tokensInput": 10, "tokensOutput": 5} | says
        await served.call("PUT", "/api/chat/track", user=email, says=finish)

    for name in _NAMES:
        await track(name)
    await track("free", model="gives-away", cost=0)
    await track("long", response=_LONG)
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        return await visitor.context.storage_state()


@pytest.fixture
async def operator(chromium: Browser, served: Served, signed_in: StorageState) -> AsyncGenerator[Visitor]:
    """Their browser."""
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("path", ["/", "/admin"])
async def test_what_charts_are_about_stands_in_the_address_and_back_undoes_it(operator: Visitor, path: str) -> None:
    await operator.open(path)
    choice = operator.page.get_by_role("radiogroup", name="What is counted")
    await choice.get_by_text("Cost", exact=True).click()
    await operator.page.wait_for_url(f"**{path}?measure=cost")
    await operator.page.get_by_role("region", name="By model cost").wait_for()
    await operator.open(f"{path}?days=7&measure=tokensUsed")
    assert await choice.get_by_role("radio", name="Tokens").is_checked()
    await choice.get_by_text("Requests", exact=True).click()
    await operator.page.wait_for_url(f"**{path}?days=7")
    await operator.page.go_back()
    await operator.page.wait_for_url(f"**{path}?days=7&measure=tokensUsed")
    await expect(choice.get_by_role("radio", name="Tokens")).to_be_checked()


async def test_by_what_top_users_are_ordered_stands_in_the_address_and_back_undoes_it(operator: Visitor) -> None:
    await operator.open("/admin")
    by = operator.page.get_by_role("combobox", name="By what")
    await by.click()
    await operator.page.get_by_role("option", name="Mean time").click()
    await operator.page.wait_for_url("**/admin?by=averageDuration")
    await operator.page.go_back()
    await operator.page.wait_for_url("**/admin")
    await expect(by).to_have_value("Requests")
    await operator.open("/admin?by=cost")
    assert await by.input_value() == "Cost"


@pytest.mark.parametrize("path", ["/requests", "/admin/models"])
async def test_what_was_looked_at_beside_a_list_is_no_step_of_the_history(operator: Visitor, path: str) -> None:
    page, beside = operator.page, operator.page.get_by_role("dialog")
    await operator.open("/plan")
    await operator.follow(page.get_by_role("navigation", name="Main").locator(f"a[href='{path}']"))
    begun = int(await page.evaluate("history.length"))
    for which in range(2):
        await page.locator("tbody tr a").nth(which).click()
        await page.wait_for_url(f"**{path}?open=*")
        await beside.wait_for()
        await page.keyboard.press("Escape")
        await page.wait_for_url(f"**{path}")
        await beside.wait_for(state="hidden")
    assert await page.evaluate("history.length") <= begun + 1
    await page.go_back()
    await page.wait_for_url("**/plan")


@pytest.mark.parametrize("path", ["/requests", "/admin/models"])
async def test_what_an_address_has_opened_is_closed_where_it_stands(operator: Visitor, path: str) -> None:
    page, beside = operator.page, operator.page.get_by_role("dialog")
    await operator.open(path)
    await page.locator("tbody tr a").first.click()
    await page.wait_for_url(f"**{path}?open=*")
    opened = page.url.removeprefix(operator.served.url)
    await operator.open("/plan")
    await operator.open(opened)
    await beside.get_by_role("button", name="Close the").click()
    await page.wait_for_url(f"**{path}")
    await beside.wait_for(state="hidden")
    await page.go_back()
    await page.wait_for_url("**/plan")


@pytest.mark.parametrize(
    "path",
    [
        "/?days=0&measure=toString",
        "/admin?by=constructor",
        "/sessions?order=up",
        "/admin/models?price=high",
        "/requests?from-a=mail",
        "/admin/users?from-a=mail",
        "/admin/activity?from-a=mail",
        "/alerts?kind=constructor",
        "/admin/alerts?kind=limit",
    ],
)
async def test_what_an_address_says_amiss_is_passed_over(operator: Visitor, path: str) -> None:
    await operator.open(path)
    assert await operator.page.get_by_role("main").get_by_role("alert").count() == 0


async def test_a_users_requests_are_listed_whatever_their_usage_is_looked_at_by(operator: Visitor) -> None:
    await operator.open(f"{await operator.looked_at()}?days=7&measure=cost&model=gives-away")
    await expect(operator.page.get_by_role("region", name="Requests").locator("tbody tr")).to_have_count(1)


async def test_the_order_of_sessions_stands_in_the_address(operator: Visitor) -> None:
    await operator.open("/sessions")
    first = operator.page.locator("main tbody tr").first
    await expect(first).to_contain_text("long")
    await operator.page.get_by_text("Oldest first").click()
    await operator.page.wait_for_url("**/sessions?order=asc")
    await expect(first.locator("a")).to_have_text(_NAMES[0])
    await operator.page.go_back()
    await expect(first).to_contain_text("long")


@pytest.mark.parametrize("name", _NAMES)
async def test_a_session_has_its_page_whatever_it_is_called(operator: Visitor, name: str) -> None:
    await operator.open("/sessions")
    await operator.follow(operator.page.get_by_role("main").get_by_role("link", name=name, exact=True))
    for _ in ("by its link", "and by its address"):
        await operator.page.get_by_text(f"Asked in {name}", exact=True).wait_for()
        assert await operator.page.get_by_role("heading", level=1).inner_text() == name
        await operator.page.reload()
        await operator.settled()


async def test_what_costs_nothing_is_told_from_what_nobody_knows(operator: Visitor) -> None:
    await operator.open("/sessions")
    rows = operator.page.locator("main tbody tr")
    assert await rows.filter(has_text="free").locator("td").nth(4).inner_text() == "$0.00"
    assert await rows.filter(has_text="long").locator("td").nth(4).inner_text() == _NONE
    await operator.open("/?measure=cost")
    models = operator.page.get_by_role("region", name="By model cost").get_by_role("listitem")
    assert [(await each.inner_text()).split("\n") for each in await models.all()] == [
        ["of-our-own", _NONE],
        ["gives-away", "$0.00"],
    ]


_EXACT = {"NUMBER": "12345678901234567890", "LARGE": "1.50e300", "JSON": '{"id":12345678901234567890,"f":1.10}'}


async def test_numbers_keep_their_digits(operator: Visitor, served: Served) -> None:
    kinds = {key: "json" if key == "JSON" else "number" for key in _EXACT}
    page, me = operator.page, operator.page.get_by_role("main")
    await operator.open("/variables")
    email = await address_of(operator)
    for key, value in _EXACT.items():
        await served.call(
            "POST", "/api/user/variables", user=email, says={"key": key, "value": value, "type": kinds[key]}
        )
    await page.reload()
    for key, value in _EXACT.items():
        await me.get_by_role("button", name=f"Edit {key}:").click()
        form = page.get_by_role("form", name=f"Edit {key}")
        await expect(form.get_by_label("Value")).to_have_value(value)
        await form.get_by_label("Description").fill("described")
        await form.get_by_role("button", name="Save").click()
        await expect(form).to_have_count(0)
    kept = await (await page.request.get(f"{served.url}/api/user/variables?format=env")).text()
    assert all(value in kept.replace("\\", "") for value in _EXACT.values()), kept


async def test_what_is_called_as_what_has_no_name_elsewhere_keeps_its_name(
    ada: Visitor, operator: Visitor, served: Served
) -> None:
    asked = {"user": await address_of(ada), "status": "completed"}
    named = asked | {"prompt": "Named", "model": "uncategorized", "category": "unknown"}
    await served.record([named, asked | {"prompt": "Nameless"}])
    await ada.open("/?days=7")
    kinds = {"model": ("uncategorized", "No model named"), "category": ("unknown", "No category")}
    for kind, names in kinds.items():
        groups = ada.page.get_by_role("region", name=f"By {kind}").get_by_role("listitem")
        for name in names:
            await expect(groups.filter(has_text=name)).to_have_count(1)
    for kind, key, name in (
        ("model", "uncategorized", "uncategorized"),
        ("model", "unknown", "No model named"),
        ("category", "unknown", "unknown"),
        ("category", "uncategorized", "No category"),
    ):
        await ada.open(f"/requests?{kind}={key}")
        await expect(ada.page.get_by_role("combobox", name=kind.title())).to_have_value(name)
    for prompt, category in (("Named", "unknown"), ("Nameless", "No category")):
        await ada.open("/requests")
        await ada.page.get_by_role("link", name=prompt, exact=True).click()
        fact = ada.page.get_by_role("dialog").locator("dl > div").filter(has_text="Category")
        await expect(fact.locator("dd")).to_have_text(category)
    await operator.open("/admin/models")
    for model in ("uncategorized", "No model named"):
        await operator.page.locator("main").get_by_role("link", name=model, exact=True).click()
        await expect(operator.page.get_by_role("dialog").get_by_role("heading", name=model)).to_be_visible()
        await operator.page.keyboard.press("Escape")
        await expect(operator.page.get_by_role("dialog")).to_have_count(0)
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_a_text_that_is_empty_is_told_from_one_that_is_not_kept(ada: Visitor, served: Served) -> None:
    email = await address_of(ada)
    for prompt, response in (("", {"response": ""}), ("No answer", {})):
        start = {"prompt": prompt, "sessionId": "few-words"}
        made = await served.call("POST", "/api/chat/track", user=email, says=start)
        finish = {"requestId": made["requestId"], "status": "completed"} | response
        await served.call("PUT", "/api/chat/track", user=email, says=finish)
    for path in ("/", "/requests"):
        await ada.open(path)
        await ada.page.locator("main tbody").get_by_role("link", name="Empty", exact=True).click()
        texts = ada.page.get_by_role("dialog").locator("section")
        for title in ("Prompt", "Response"):
            await expect(texts.filter(has=ada.page.get_by_role("heading", name=title))).to_contain_text("Empty.")
    await ada.open("/requests")
    await ada.page.get_by_role("link", name="No answer", exact=True).click()
    await ada.page.get_by_role("dialog").get_by_text("No response is kept.").wait_for()
    await ada.open("/sessions/few-words")
    exchanges = ada.page.locator("main li")
    await expect(exchanges.filter(has_text="No answer").get_by_text("No response is kept.")).to_have_count(1)
    await expect(exchanges.get_by_text("Empty.", exact=True)).to_have_count(2)
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_a_theme_that_is_tried_stays_until_it_is_saved(ada: Visitor) -> None:
    await ada.open("/settings")
    # Each scheme that the page has from now on.
    await ada.page.evaluate("""() => {
      const root = document.documentElement;
      window.schemes = [];
      new MutationObserver(() => window.schemes.push(root.dataset.mantineColorScheme))
        .observe(root, {attributeFilter: ["data-mantine-color-scheme"]});
    }""")
    await ada.page.get_by_role("radiogroup", name="Theme").get_by_text("Dark").click()
    await expect(ada.page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    await ada.page.get_by_role("button", name="Save changes").click()
    await ada.page.get_by_text("Saved.").wait_for()
    assert set(await ada.page.evaluate("() => window.schemes")) == {"dark"}


async def test_nearly_all_is_not_written_as_all(operator: Visitor, served: Served) -> None:
    email = await served.user("free")
    asked = {"user": email, "prompt": "Hello", "startedAt": datetime.now(UTC).isoformat()}
    await served.record([asked | {"status": status} for status in ["failed", *["completed"] * 2_999]])
    await operator.open("/admin/users")
    (user,) = (await operator.fetch(f"/api/admin/users?q={email}"))["items"]
    await operator.open(f"/admin/users/{user['id']}")
    rate = operator.page.locator("dl > div").filter(has_text="Success rate").first
    await expect(rate).to_contain_text("99.9%")


async def test_a_newest_request_opens_whole(operator: Visitor) -> None:
    await operator.open("/")
    (recent,) = [
        each
        for each in (await operator.fetch("/api/user/dashboard"))["recentRequests"]
        if each["prompt"] == "Asked in long"
    ]
    assert recent["response"] == _LONG[:200]
    await operator.page.get_by_role("link", name="Asked in long").click()
    drawer = operator.page.get_by_role("dialog")
    await drawer.get_by_text(_LONG).wait_for()


async def test_the_plan_says_what_is_kept_of_texts(operator: Visitor) -> None:
    await operator.open("/plan")
    await operator.page.get_by_text(
        "Prompts and responses are kept as they are, as long as the requests.", exact=True
    ).wait_for()
    rows = operator.page.get_by_role("region", name="Comparison of all plans").get_by_role("row")
    kept = rows.filter(has_text="Prompts and responses").locator("td")
    assert set(await kept.all_inner_texts()) == {"Kept as they are"}
