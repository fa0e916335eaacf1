"""Texts that would be code if a page let them: shown as what they are, wherever somebody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.async_api import Browser, StorageState, expect

from tests.faults.nodes import Site, connected
from tests.web.visitors import Served, Visitor, visiting

_KINDS: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "data/nasty_texts.json").read_text())
_TEXTS = [text for kind in _KINDS.values() for text in kind]
# All that the features of a plan may be, and as the pages of plans write them.
_FEATURES = [text for text in _TEXTS if text.isprintable()]
_FEATURES_SHOWN = [text.replace("_", " ") for text in _FEATURES]
_SOME = [text for kind in _KINDS.values() for text in kind[:2]]
_ONES = [kind[0] for kind in _KINDS.values()]
# Tests are not to be long, whatever else the machine does.
_PARTS = 4
_USER = "'+alert`1`+'{{alert`1`}}${alert`1`}&#60b@example.com"
_USERS_NAME = "</script><img src=x onerror=__xss()>"
_OPERATOR = "operator@example.com"
_TALK = "talk"
_NAMED = """UPDATE accounts SET name = $2, note = $2 WHERE id = (SELECT id FROM users WHERE email = $1)"""

# Nothing in the app is any of these; what it draws as SVG stands in its own buttons, charts and links.
_RUNS = (
    ":is(main, [role=dialog]) :is(script, iframe, img, object, embed, base, link, meta, math, video, audio, marquee,"
    " template, noscript, svg :is(script, image, use, animate, set, foreignObject, a)), form[action], [onerror]"
)
_MARKDOWN = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "hr", "li", "ol", "p", "pre", "section", "span"),
    *("strong", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
# Goes from address to address inside the page, as its own links do, which is many times faster than by calls from here.
_WALK = """async (places) => {
  const until = (holds) => new Promise((resolve, reject) => {
    const began = Date.now();
    const look = () => {
      const found = holds();
      if (found) resolve(found);
      else if (Date.now() - began > 20000) reject(new Error(`not there: ${location.href}`));
      else setTimeout(look, 5);
    };
    look();
  });
  const told = [];
  for (const { path, within, part, says } of places) {
    history.pushState(null, "", path);
    const shown = await until(() => {
      const whole = document.querySelector(within);
      const parts = [...(whole?.querySelectorAll(part) ?? [])];
      return parts.some((each) => each.textContent === says) && !whole.querySelector("[aria-busy]") && whole;
    });
    for (const choice of shown.querySelectorAll("input[value=text]")) choice.click();
    const texts = [shown.textContent + [...shown.querySelectorAll("textarea")].map(({ value }) => value).join()];
    for (const choice of shown.querySelectorAll("input[value=markdown]")) choice.click();
    const formatted = [...shown.querySelectorAll("[class*=markdown] *")];
    told.push({
      text: texts.join(), made: [...new Set(formatted.map(({ localName }) => localName))],
      leadsTo: [...shown.querySelectorAll("a[href]")].map(({ protocol }) => protocol),
    });
  }
  return told;
}"""

# A list says that it is loading a moment after it was told to go on, and its last part takes the button away.
_UNFOLD = r"""async () => {
  const began = Date.now();
  const folds = () => [...document.querySelectorAll("main button")]
    .filter(({ textContent }) => /^Show (all|more|\d+ more)/.test(textContent));
  for (let left = folds(); left.length > 0; left = folds()) {
    if (Date.now() - began > 20000) throw new Error(`still folded: ${left.map(({ textContent }) => textContent)}`);
    left.find((fold) => !fold.hasAttribute("data-loading"))?.click();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


@pytest.fixture(scope="module")
async def nasty(open_dir: Path) -> AsyncGenerator[Served]:
    """A service in which everything that can be said is said with these texts."""
    site = Site(open_dir / "web-nasty")
    try:
        node = await site.start()
        made = await site.run("key", "create", "--service", "web")
        plans = site.data.with_name("web-nasty-plans.toml")
        plans.write_text(f"[plans.nasty]\nrank = 1000\nfeatures = {json.dumps(_FEATURES, ensure_ascii=False)}\n")
        await site.run("plan", "apply", plans, "--yes")
        await site.run("user", "add", _USER, "--plan", "nasty", "--name", _USERS_NAME)
        await site.run("user", "add", _OPERATOR, "--name", _TEXTS[0])
        await site.run("user", "set", _OPERATOR, "--admin")
        served = Served(site, f"http://localhost:{node.port}", made["key"])
        await _say_everything(served)
        yield served
    finally:
        await site.close()


async def _say_everything(served: Served) -> None:
    """In every field of a request, as sessions of their own and as one talk; as variables; as users with notes."""
    items: list[dict[str, Any]] = []
    for number, text in enumerate(_TEXTS):
        told = {"prompt": text, "response": text, "errorMessage": text, "status": "failed"}
        names = dict.fromkeys(("model", "category", "requestType", "sessionId"), text)
        items += [
            {"user": _USER, **told, **names, "metadata": {text: text}},
            {"user": _USER, **told, "sessionId": _TALK},
            {"user": _email(number), **told, "model": text},
        ]
    items.append({"user": _USER, "status": "completed", "prompt": "Harmless", "response": "**Bold**"})
    await served.record(items)
    variables = [{"key": f"V{n}", "value": text, "description": text} for n, text in enumerate(_TEXTS)]
    await served.call("PUT", "/api/user/variables", user=_USER, says={"variables": variables})
    async with connected(served.site, "owner") as owner:
        await owner.executemany(_NAMED, [(_email(number), text) for number, text in enumerate(_TEXTS)])


def _email(number: int) -> str:
    return f"nasty-{number}@example.com"


@pytest.fixture(scope="module")
async def users_browser(chromium: Browser, nasty: Served) -> StorageState:
    """What the browser of their user keeps."""
    async with visiting(chromium, nasty) as visitor:
        await visitor.sign_in(_USER)
        return await visitor.context.storage_state()


@pytest.fixture
async def user(chromium: Browser, nasty: Served, users_browser: StorageState) -> AsyncGenerator[Visitor]:
    """Their user; nothing may happen to them."""
    async with visiting(chromium, nasty, signed_in=users_browser) as visitor:
        yield visitor
        await _is_unharmed(visitor)


@pytest.fixture(scope="module")
async def operators_browser(chromium: Browser, nasty: Served) -> StorageState:
    """What the browser of an operator keeps."""
    async with visiting(chromium, nasty) as visitor:
        await visitor.sign_in(_OPERATOR)
        return await visitor.context.storage_state()


@pytest.fixture
async def operator(chromium: Browser, nasty: Served, operators_browser: StorageState) -> AsyncGenerator[Visitor]:
    """Who looks at all of it; nothing may happen to them either."""
    async with visiting(chromium, nasty, signed_in=operators_browser) as visitor:
        yield visitor
        await _is_unharmed(visitor)


async def _is_unharmed(visitor: Visitor) -> None:
    assert await visitor.page.locator(_RUNS).count() == 0
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _shows_all(visitor: Visitor, texts: list[str]) -> None:
    """Unfold what is folded, and find every text; nothing of them has become an element."""
    page = visitor.page
    await page.evaluate(_UNFOLD)
    shown = await page.locator("main").evaluate("(main) => main.textContent")
    assert [text for text in texts if text not in shown] == []
    assert await page.locator(_RUNS).count() == 0


async def test_what_would_run_is_told(visitor: Visitor) -> None:
    await visitor.sign_in(await visitor.served.newcomer())
    for number, code in enumerate(
        (
            "() => document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=__xss()>')",
            "() => document.body.insertAdjacentHTML('beforeend', '<p style=color:red>x</p>')",
            "() => document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/>')",
            "() => __xss()",
            "() => alert(1)",
        )
    ):
        await visitor.page.evaluate(code)
        async with asyncio.timeout(20):
            while len(visitor.troubles) <= number:
                await visitor.page.wait_for_timeout(50)
    assert any("script-src-attr" in told for told in visitor.troubles)
    assert {"error: foreign code has run", "dialog: 1"} <= set(visitor.troubles)


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/requests", _TEXTS),
        ("/sessions", _TEXTS),
        (f"/sessions/{_TALK}", _TEXTS),
        ("/plan", _FEATURES_SHOWN),
    ],
)
async def test_pages_of_a_user_show_them_as_text(user: Visitor, path: str, texts: list[str]) -> None:
    await user.open(path)
    await _shows_all(user, texts)


async def _shows_the_largest(visitor: Visitor, path: str, analytics: str) -> None:
    """An overview names as many models as its analytics have groups."""
    await visitor.open(path)
    groups = (await visitor.fetch(f"{analytics}?groupBy=model"))["groups"]
    models = [each["key"] for each in groups if each["key"] in _TEXTS]
    assert len(models) >= 48
    await _shows_all(visitor, models)


async def test_the_overview_of_a_user_shows_them_as_text(user: Visitor) -> None:
    await _shows_the_largest(user, "/", "/api/user/analytics")


async def test_what_a_user_is_called_is_text(user: Visitor) -> None:
    await user.open("/settings")
    assert await user.page.get_by_label("Name").input_value() == _USERS_NAME
    told = await user.named()
    assert _USER in told
    assert _USERS_NAME in told


async def test_variables_are_text_in_the_list_and_where_they_are_edited(user: Visitor) -> None:
    await user.open("/variables")
    await _shows_all(user, _TEXTS)
    await user.page.get_by_role("button", name=".env").click()
    await user.page.get_by_role("menuitem", name="Edit all as text").click()
    written = await user.page.get_by_label("Variables as text").input_value()
    assert len(written) > sum(map(len, _TEXTS))


@pytest.mark.parametrize("part", range(_PARTS))
async def test_a_request_shows_them_as_text_and_as_markdown(user: Visitor, part: int) -> None:
    items: list[Any] = []
    page = await user.served.call("GET", "/api/chat/requests?limit=200", user=_USER)
    while items.extend(page["items"]) or page["nextCursor"]:
        path = f"/api/chat/requests?limit=200&cursor={page['nextCursor']}"
        page = await user.served.call("GET", path, user=_USER)
    (harmless,) = [each["id"] for each in items if each["prompt"] == "Harmless"]
    await user.open(f"/requests?open={harmless}")
    await user.page.get_by_role("dialog").locator("strong", has_text="Bold").wait_for()

    mine = [each for each in items if each["model"] is not None][part::_PARTS]
    assert len({each["prompt"] for each in mine}) == len(_TEXTS) // _PARTS
    shown = await user.page.evaluate(
        _WALK,
        [
            {"path": f"/requests?open={each['id']}", "within": "[role=dialog]", "part": "code", "says": each["id"]}
            for each in mine
        ],
    )
    for each, seen in zip(mine, shown, strict=True):
        # Prompt, response, error, model, session, type and category.
        assert seen["text"].count(each["prompt"]) >= 7, each["prompt"]
        assert set(seen["made"]) <= _MARKDOWN, each["prompt"]
        assert set(seen["leadsTo"]) <= {"http:", "https:", "mailto:"}, each["prompt"]


@pytest.mark.parametrize("part", range(_PARTS))
async def test_a_session_is_called_what_it_is_called(user: Visitor, part: int) -> None:
    texts = _TEXTS[part::_PARTS]
    await user.open("/sessions")
    shown = await user.page.evaluate(
        _WALK,
        [{"path": f"/sessions/{quote(text, safe='')}", "within": "main", "part": "h1", "says": text} for text in texts],
    )
    for text, seen in zip(texts, shown, strict=True):
        # The heading, prompt, response, error and model.
        assert seen["text"].count(text) >= 5, text
        assert set(seen["made"]) <= _MARKDOWN, text


async def test_filters_in_an_address_are_text(user: Visitor) -> None:
    await user.open("/requests")
    await user.page.get_by_role("combobox", name="Model").click()
    await expect(user.page.get_by_role("option").nth(len(_TEXTS) - 1)).to_be_attached()
    for text in _SOME:
        asked: dict[str, str] = dict.fromkeys(("q", "model", "category", "sessionId"), text)
        await user.page.evaluate("(path) => history.pushState(null, '', path)", f"/requests?{urlencode(asked)}")
        await user.page.wait_for_function(
            "(text) => document.querySelector('search input').value === text.trim()", arg=text.replace("\n", "")
        )


async def test_the_overview_of_operators_shows_them_as_text(operator: Visitor) -> None:
    await _shows_the_largest(operator, "/admin", "/api/admin/analytics")


@pytest.mark.parametrize(
    ("path", "texts"),
    [("/admin/users", _TEXTS), ("/admin/plans", _FEATURES_SHOWN), ("/admin/models", _TEXTS)],
)
async def test_pages_of_operators_show_them_as_text(operator: Visitor, path: str, texts: list[str]) -> None:
    await operator.open(path)
    await _shows_all(operator, texts)
    assert _TEXTS[0] in await operator.named()


async def test_a_user_and_the_note_on_them_are_text(operator: Visitor) -> None:
    async with connected(operator.served.site, "owner") as owner:
        rows = await owner.fetch("SELECT id, name FROM users WHERE name = ANY ($1)", _ONES)
    named = {row["name"]: row["id"] for row in rows}
    await operator.open("/admin/users")
    shown = await operator.page.evaluate(
        _WALK,
        [{"path": f"/admin/users/{named[text]}", "within": "main", "part": "h1", "says": text} for text in _ONES],
    )
    for text, seen in zip(_ONES, shown, strict=True):
        # The heading, the note and the newest request.
        assert seen["text"].count(text) >= 3, text


async def test_a_model_and_its_prices_are_text(operator: Visitor) -> None:
    await operator.open("/admin/models")
    shown = await operator.page.evaluate(
        _WALK,
        [
            {
                "path": f"/admin/models?{urlencode({'open': text})}",
                "within": "[role=dialog]",
                "part": "h2",
                "says": text,
            }
            for text in _SOME
        ],
    )
    assert len(shown) == len(_SOME)


async def test_nothing_in_an_address_is_run(visitor: Visitor) -> None:
    for text in _TEXTS[::6]:
        assert await visitor.go(f"/problems/{quote(text, safe='')}?{quote(text)}#{quote(text)}") in {200, 404}
        assert await visitor.page.locator("img, iframe, svg, object, embed, base, form").count() == 0
    told = [each for each in visitor.troubles if "status of 404" not in each]
    assert (told, visitor.elsewhere) == ([], [])
