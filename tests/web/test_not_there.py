"""What is not there says so in a page of its own, and offers nothing that cannot help."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.web.visitors import Visitor

_HEADINGS = """(() => {
  window.headings = [];
  new MutationObserver(() => {
    const said = document.querySelector("h1")?.innerText;
    if (said && said !== headings.at(-1)) headings.push(said);
  }).observe(document, { childList: true, subtree: true, characterData: true });
})()"""
_NOBODY = "01a223ee-dbaf-727a-8c4c-9e40209f82c9"


@pytest.mark.parametrize(
    ("place", "heading", "back", "to"),
    [
        ("/admin/users/nope", "User", "To all users", "/admin/users"),
        (f"/admin/users/{_NOBODY}", "User", "To all users", "/admin/users"),
        (f"/admin/users/{_NOBODY}/plan", "User", "To all users", "/admin/users"),
        ("/admin/webhooks/nope", "Webhook", "To all webhooks", "/admin/webhooks"),
        (f"/admin/webhooks/{_NOBODY}", "Webhook", "To all webhooks", "/admin/webhooks"),
        ("/sessions/nope", "nope", "To all sessions", "/sessions"),
    ],
)
async def test_what_is_not_there_says_so_and_leads_back(
    operator: Visitor, place: str, heading: str, back: str, to: str
) -> None:
    await operator.open(place)
    await expect(operator.page.get_by_role("heading", level=1)).to_have_text(heading)
    await operator.page.get_by_role("heading", name="There is no such").wait_for()
    await expect(operator.page.get_by_role("button", name="Try again")).to_have_count(0)
    await operator.page.get_by_role("link", name=back).click()
    await operator.page.wait_for_url(f"**{to}")


async def test_a_request_that_is_not_there_leads_back_to_the_list(operator: Visitor) -> None:
    await operator.open("/requests?open=nope")
    drawer = operator.page.get_by_role("dialog", name="Request")
    await drawer.get_by_role("heading", name="There is no such request").wait_for()
    await expect(drawer.get_by_role("button", name="Try again")).to_have_count(0)
    await drawer.get_by_role("button", name="To the list").click()
    await drawer.wait_for(state="hidden")


@pytest.mark.parametrize("place", ["/nope", "/nope/deeper", "/admin/nope", "/settings/nope"])
async def test_where_nothing_is_the_navigation_stays_and_one_goes_on_to_the_overview(
    operator: Visitor, place: str
) -> None:
    assert await operator.go(place) == 404
    await operator.settled()
    await expect(operator.page.get_by_role("heading", level=1)).to_have_text("Not found")
    await operator.page.get_by_role("heading", name="There is nothing here").wait_for()
    await operator.page.get_by_role("link", name="Requests", exact=True).wait_for()
    await operator.page.get_by_role("link", name="To the overview").click()
    await operator.at_dashboard()


@pytest.mark.parametrize("place", ["/admin/nope", "/admin/users/nope/deeper", "/admin/system"])
async def test_who_is_no_operator_hears_at_every_address_of_operators_that_it_is_theirs(
    ada: Visitor, operator: Visitor, place: str
) -> None:
    for visitor, heading in ((ada, "For operators"), (operator, "System" if place.endswith("system") else "Not found")):
        await visitor.context.add_init_script(_HEADINGS)
        await visitor.go(place)
        await visitor.settled()
        # From the first paint on: nothing is said that is taken back.
        assert await visitor.page.evaluate("headings") == [heading]


async def test_what_only_begins_like_an_address_of_operators_is_not_theirs(ada: Visitor) -> None:
    assert await ada.go("/administration") == 404
    await ada.settled()
    await expect(ada.page.get_by_role("heading", level=1)).to_have_text("Not found")


async def test_who_is_signed_in_nowhere_hears_of_nothing_without_the_app(visitor: Visitor) -> None:
    assert await visitor.go("/nope") == 404
    await expect(visitor.page.get_by_role("navigation")).to_have_count(0)


async def test_a_model_that_is_not_there_leads_back_to_the_list(operator: Visitor) -> None:
    await operator.open("/admin/models?open=nope")
    drawer = operator.page.get_by_role("dialog", name="Model")
    await drawer.get_by_role("heading", name="There is no such model").wait_for()
    await drawer.get_by_role("button", name="To the list").click()
    await drawer.wait_for(state="hidden")


@pytest.mark.parametrize("link", ["/sign-in/zzz", f"/sign-in/{'z' * 43}", "/sign-in/email/zzz"])
async def test_a_link_that_is_none_is_told_as_one_that_is_over(visitor: Visitor, link: str) -> None:
    await visitor.go(link)
    if "email" not in link:
        await visitor.page.get_by_role("button", name="Sign in").click()
    await visitor.page.get_by_role("heading", name="This link no longer works").wait_for()
