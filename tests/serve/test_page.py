"""The page in a real browser: look somebody up, send an event, see the list change, walk the graph; with a key, on a phone, in the dark."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.models import build
from tests.needs import lacking
from tests.serve.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("page")]

HOSTILE = "<img src=x onerror='window.pwned = 1'>"
TITLES = {
    1: HOSTILE,
    2: "红楼梦（脂砚斋重评石头记）",
    3: "ألف ليلة وليلة",
    4: "A title that goes on and on without ever coming to the point " * 6,
    5: None,
    6: "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 4,
}
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or not importlib.util.find_spec("playwright"):
        lacking("Chromium or playwright is not installed; apt-get install chromium, pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model of two tastes with all kinds of titles: users of text, one of whom met nearly everything."""
    rng = np.random.default_rng(0)
    pairs = [(f"u{user}", int(item)) for user in range(40) for item in 1 + user % 2 + 2 * rng.permutation(30)[:12]]
    pairs += [("<b>all</b>", item) for item in range(1, 56)] + [("a/b c?#%", 1), ("a/b c?#%", 2)]
    events = pl.DataFrame(sorted(set(pairs)), schema=["user_id", "item_id"], orient="row")
    numbers = list(range(1, 62))
    titles = [TITLES.get(item, f"Book {item}") for item in numbers]
    items = pl.DataFrame({"item_id": numbers, "title": titles, "genres": ["Drama|</script>"] * 61})
    folder = tmp_path_factory.mktemp("page") / "model"
    build("item-knn").fit(Dataset.from_frame(events, items=items)).save(folder, metrics={"recall@20": 0.25})
    return folder


@pytest.fixture(scope="module")
def server(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("open")
    server = Server(shop, folder / "store", folder / "log").wait()
    yield server
    server.stop()


Opened = Callable[..., "Page"]


@contextmanager
def opening(browser: "Browser", port: int, allowed: tuple[str, ...] = ()) -> Iterator[Opened]:
    """Open pages; at the end nothing was asked of another place, and nothing went wrong but what the test allows."""
    wrong: list[str] = []
    base = f"http://127.0.0.1:{port}"
    contexts = []

    def open_(place: str = "/", *, width: int = 1280, scheme: str = "light", locale: str = "en-US") -> "Page":
        context = browser.new_context(
            viewport={"width": width, "height": 850},
            locale=locale,
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(base) else None)
        page.goto(base + place)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [text for text in wrong if not any(part in text for part in allowed)] == []


@pytest.fixture
def opened(browser: "Browser", server: Server) -> Iterator[Opened]:
    with opening(browser, server.port) as open_:
        yield open_


def expecting(locator: "Locator") -> Any:
    """Say what becomes true within a moment."""
    from playwright.sync_api import expect

    return expect(locator)


def titles(page: "Page") -> list[str]:
    return page.locator(".entry .title").all_inner_texts()


def no_overflow(page: "Page") -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_search_a_user_send_an_event_and_the_list_changes(opened: Opened, width: int, scheme: str) -> None:
    page = opened(width=width, scheme=scheme)
    page.locator(".starts a").first.wait_for()
    assert no_overflow(page)
    user = f"u{LOOKS.index((width, scheme))}"
    page.locator("#search input").fill(user)
    page.locator("#search [role=option]", has_text=f"User {user}").first.click()
    page.locator(".entry").first.wait_for()
    assert page.locator("h1").inner_text() == f"User {user}"
    before = titles(page)
    assert len(before) == 10
    page.locator(".entry .reason").first.wait_for()
    page.locator(".entry button.send").nth(1).click()
    page.locator(".toast").wait_for()
    after = titles(page)
    assert before[1] not in after, "what was met is not recommended again"
    assert "Like stored" in page.locator(".toast").inner_text()
    assert page.locator(".entry .mark").count() >= 1
    expecting(page.locator(".node.event")).to_have_count(1)
    assert page.locator(".history li:not(.heading)").first.inner_text().startswith(before[1])
    assert no_overflow(page)
    page.locator(".undo").click()
    page.get_by_text("Taken back").wait_for()
    assert titles(page) == before
    expecting(page.locator(".node.event")).to_have_count(0)
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(18, 21, 24)") is (scheme == "dark")


def test_another_item_can_be_found_and_sent_as_another_kind_of_event(opened: Opened) -> None:
    page = opened("/#/user/u10")
    page.locator(".entry").first.wait_for()
    page.select_option("#event-type", "purchase")
    assert page.locator("button.send").first.inner_text() == "Purchase"
    field = page.locator(".send-other input")
    field.fill("book 60")
    page.locator(".send-other [role=option]").first.wait_for()
    field.press("Enter")
    page.keyboard.press("Enter")
    page.locator(".toast").wait_for()
    assert "Purchase stored" in page.locator(".toast").inner_text()
    expecting(page.locator(".history li:not(.heading)").first).to_contain_text("Purchase")


def test_of_an_event_that_was_there_before_only_the_new_one_is_taken_back(opened: Opened, server: Server) -> None:
    server.ask("POST", "/v1/events", {"user_id": "twice", "item_id": "10", "type": "like", "event_id": "first"})
    page = opened("/#/user/twice")
    page.locator(".entry").first.wait_for()
    page.locator(".send-other input").fill("10")
    page.locator(".send-other [role=option]").first.click()
    page.locator(".send-other button").click()
    page.locator(".undo").click()
    page.get_by_text("Taken back").wait_for()
    kinds = [event["type"] for event in server.ask("GET", "/v1/users/twice/export")[1]["events"]]
    assert sorted(kinds) == ["like", "like", "unlike"]


def test_a_long_history_is_shown_part_by_part(opened: Opened, server: Server) -> None:
    events = [
        {"user_id": "busy", "item_id": str(1 + place % 61), "type": "view", "event_id": f"busy-{place}"}
        for place in range(500)
    ]
    server.ask("POST", "/v1/events", events)
    page = opened("/#/user/busy", width=390)
    rows = page.locator(".history li:not(.heading)")
    rows.first.wait_for()
    assert rows.count() == 60
    while page.locator(".more").is_visible():
        before = rows.count()
        page.locator(".more").click()
        expecting(rows).not_to_have_count(before)
    assert rows.count() == 500
    assert no_overflow(page)


def test_somebody_new_gets_what_is_popular_and_then_what_the_model_says(opened: Opened) -> None:
    page = opened()
    page.locator("#search input").fill("brand new")
    page.get_by_text("Open “brand new” as a new user").click()
    page.locator(".entry").first.wait_for()
    assert "does not know this user" in page.locator(".listed .note").inner_text()
    assert "No history." in page.locator(".past").inner_text()
    page.locator(".entry button.send").first.click()
    page.get_by_text("from the model").wait_for()
    assert not page.locator(".listed .note").is_visible()


def test_texts_of_the_data_are_never_markup_and_long_ones_have_room(opened: Opened) -> None:
    for width in (390, 1280):
        page = opened("/#/user/%3Cb%3Eall%3C%2Fb%3E", width=width)
        page.locator(".history li").nth(10).wait_for()
        assert page.locator("h1").inner_text() == "User <b>all</b>"
        assert page.locator(".history").get_by_text(HOSTILE).count() == 1
        assert page.locator(".history").get_by_text("ألف ليلة وليلة").count() == 1
        assert no_overflow(page)
        for item in (1, 3, 4, 5, 6):
            page.goto(page.url.partition("#")[0] + f"#/item/{item}")
            page.locator(f'.node.centre[data-key="item:{item}"]').wait_for()
            assert page.locator("h1").inner_text() == (TITLES[item] or "Item 5").strip()
            assert no_overflow(page)
        page.locator("#search input").fill("<img")
        page.locator("#search [role=option]").first.wait_for()
        assert page.evaluate("window.pwned") is None
        assert page.locator("main img").count() == 0
        page.goto(page.url.partition("#")[0] + "#/user/a%2Fb%20c%3F%23%25")
        page.get_by_role("heading", name="User a/b c?#%").wait_for()


def test_the_graph_is_walked_by_clicks_and_back_by_its_trail(opened: Opened) -> None:
    page = opened("/#/user/u20")
    page.locator(".node.person").first.wait_for()
    person = page.locator(".node.person").first
    key = person.get_attribute("data-key")
    person.click()
    page.locator(f'.node.centre[data-key="{key}"]').wait_for()
    item = page.locator(".node.listed").nth(2)
    at = item.get_attribute("data-key")
    item.click()
    page.locator(f'.node.centre[data-key="{at}"]').wait_for()
    assert page.locator(".node.like").count() == 8
    assert page.locator(".trail > *").count() == 3
    assert page.locator("h1").inner_text() == "User u20", "the rest of the page stays"
    page.locator(".trail button").first.click()
    page.locator('.node.centre[data-key="user:u20"]').wait_for()
    page.locator(".node.met").first.click()
    page.locator(".node.item.centre").wait_for()
    page.locator(".trail a.here").click()
    page.locator(".listed h2", has_text="Most like it").wait_for()


def test_the_keyboard_reaches_everything(opened: Opened) -> None:
    page = opened("/")
    page.locator(".starts a").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "combobox"
    page.keyboard.type("u2")
    page.locator("#search [role=option][aria-selected=true]").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.locator(".node.person").first.wait_for()
    assert page.locator("h1").inner_text() == "User u2"
    page.locator(".node.centre").focus()
    active = "document.activeElement.dataset.key"
    page.keyboard.press("ArrowRight")
    assert page.locator(f'.node[data-key="{page.evaluate(active)}"]').get_attribute("tabindex") == "0"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    reached = page.evaluate(active)
    assert reached.startswith("item:"), "what is recommended stands on the right"
    page.keyboard.press("ArrowDown")
    below = page.evaluate(active)
    assert below != reached
    page.keyboard.press("Enter")
    page.locator(f'.node.centre[data-key="{below}"]').wait_for()
    expecting(page.locator(".node.centre")).to_be_focused()
    page.keyboard.press("Backspace")
    expecting(page.locator('.node.centre[data-key="user:u2"]')).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement.querySelector('.target')).strokeWidth")
    assert outline == "2px", "where the keyboard is can be seen"
    page.locator("#language").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_everything_that_can_be_pressed_has_a_name(opened: Opened) -> None:
    page = opened("/#/user/u3")
    page.locator(".entry .reason").first.wait_for()
    page.locator(".node.person").first.wait_for()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, a, input, select, [role=button], [tabindex=\"0\"], svg[role]')]"
        ".filter((e) => e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.getAttribute('aria-labelledby')))"
        ".map((e) => e.outerHTML)"
    )
    assert unnamed == []
    assert page.locator("main h1").count() == 1
    label = page.locator(".node.listed").first.get_attribute("aria-label")
    assert label is not None
    assert "recommended, number 1, met by" in label
    assert page.locator(".node[tabindex='0']").count() == 1


def test_reasons_open_with_bars_and_what_they_are_worth(opened: Opened) -> None:
    page = opened("/#/user/u4")
    page.locator(".entry .reason").first.wait_for()
    opener = page.locator(".opener").first
    opener.click()
    panel = page.locator(".why").first
    assert panel.locator(".bars li").count() >= 1
    assert "of whom the same is known" in panel.inner_text()
    assert page.locator(".opener").first.get_attribute("aria-expanded") == "true"
    page.locator(".opener").first.click()
    assert not panel.is_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_language_changes_at_once_and_is_remembered(opened: Opened, width: int) -> None:
    page = opened("/#/user/u5", width=width)
    page.locator(".entry .reason").first.wait_for()
    page.locator(".node.person").first.wait_for()
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "用户 u5"
    assert page.locator(".listed h2").inner_text() == "推荐"
    assert page.locator("button.send").first.inner_text() == "点赞"
    assert page.locator(".node.centre .label").text_content() == "用户 u5"
    assert page.title() == "用户 u5 · Edgewise"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert no_overflow(page)
    left = page.evaluate(
        "document.body.innerText.match(/Recommended|History|Around|because|Search|Like|strength|met by/g)"
    )
    assert left is None
    page.reload()
    page.get_by_text("历史", exact=True).wait_for()
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "User u5"


def test_the_language_changes_while_the_graph_is_still_asked_for(opened: Opened) -> None:
    page = opened()
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/v1/neighbourhood/**", hold)
    page.goto(page.url.partition("#")[0] + "#/user/u6")
    page.locator(".entry").first.wait_for()
    page.locator("#language").click()
    page.set_viewport_size({"width": 700, "height": 850})
    assert page.locator("h1").inner_text() == "用户 u6"
    assert page.locator(".node").count() == 0
    held[0].continue_()
    page.locator(".node.person").first.wait_for()
    assert page.locator(".node.centre .label").text_content() == "用户 u6"


def test_chinese_readers_get_chinese_first(opened: Opened) -> None:
    page = opened(locale="zh-CN")
    page.get_by_text("从一个用户开始").wait_for()
    for place, text in (("#/models", "正在服务"), ("#/live", "每秒请求"), ("#/item/2", "最相似的物品")):
        page.goto(page.url.partition("#")[0] + place)
        page.get_by_text(text).first.wait_for()


def test_the_theme_follows_the_system_until_it_is_chosen(opened: Opened) -> None:
    page = opened()
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert light != dark
    page.locator("#theme").click()
    assert page.evaluate(background) == light
    page.reload()
    assert page.evaluate(background) == light


def test_the_last_minute_is_drawn(opened: Opened, server: Server) -> None:
    for _ in range(30):
        server.ask("GET", "/v1/recommend/u1")
    page = opened("/#/live", width=390)
    page.locator(".chart .stick").first.wait_for()
    assert page.locator(".chart").count() == 3
    assert no_overflow(page)
    assert float(page.locator(".strip dd").first.inner_text()) > 0
    assert "in the last minute" in str(page.locator(".chart").first.get_attribute("aria-label"))
    lists = page.locator("tbody tr").first.inner_text()
    assert lists.startswith("lists")
    assert "ms" in lists


def test_a_key_is_asked_for_kept_in_the_tab_and_tells_what_may_be_done(
    browser: "Browser", shop: Path, tmp_path: Path
) -> None:
    keys = {"EDGEWISE_API_KEYS": "read:r3ad,write:wr1te,admin:4dmin"}
    server = Server(shop, tmp_path / "store", tmp_path / "log", environment=keys)
    server.key = "4dmin"
    try:
        server.wait()
        with opening(browser, server.port, allowed=("401 (Unauthorized)",)) as open_:
            page = open_("/#/user/u1")
            page.locator("#given-key").wait_for()
            page.keyboard.type("wrong")
            page.keyboard.press("Enter")
            page.get_by_text("The server does not know this key.").wait_for()
            page.locator("#given-key").fill("r3ad")
            page.keyboard.press("Enter")
            page.locator(".entry").first.wait_for()
            assert page.locator("button.send").count() == 0, "a key that reads sends nothing"
            assert page.evaluate("sessionStorage.length") == 1
            assert page.evaluate("JSON.stringify(localStorage)").find("r3ad") < 0
            assert page.context.cookies() == []
            page.reload()
            page.locator(".entry").first.wait_for()
            page.goto(page.url.partition("#")[0] + "#/models")
            page.get_by_text("A key that may administer can swap models.").wait_for()
            assert page.locator("button", has_text="Let it answer").count() == 0

            admin = open_("/#/models")
            admin.locator("#given-key").fill("4dmin")
            admin.keyboard.press("Enter")
            admin.get_by_text("answers now").first.wait_for()
            assert admin.get_by_role("row", name="recall@20 0.25").count() == 1
    finally:
        server.stop()


def test_models_are_swapped_and_the_page_goes_on(
    browser: "Browser", shop: Path, other_model: Path, tmp_path: Path
) -> None:
    from edgewise.store import StoreFolder

    StoreFolder.open(tmp_path / "store").models.add(other_model)
    server = Server(shop, tmp_path / "store", tmp_path / "log").wait()
    try:
        with opening(browser, server.port) as open_:
            user = open_("/#/user/u1")
            user.locator(".entry").first.wait_for()
            page = open_("/#/models")
            page.get_by_text("answers now").first.wait_for()
            assert page.locator(".model").count() == 2
            page.locator("button", has_text="Let it answer").click()
            page.get_by_text("ease answers now.").wait_for()
            expecting(page.locator(".model.current h2")).to_have_text("ease")
            user.get_by_text("The model was swapped: ease answers now.").wait_for()
            user.get_by_text("does not know this user").first.wait_for()
    finally:
        server.stop()


def test_a_server_that_goes_away_is_missed_and_found_again(browser: "Browser", shop: Path, tmp_path: Path) -> None:
    server = Server(shop, tmp_path / "store", tmp_path / "log").wait()
    with opening(
        browser, server.port, allowed=("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "503 (Service Unavailable)")
    ) as open_:
        page = open_("/#/user/u1")
        page.locator(".entry").first.wait_for()
        server.stop()
        page.locator(".entry button.send").first.click()
        page.get_by_text("The server does not answer.").first.wait_for()
        page.get_by_text("Not stored").wait_for()
        again = Server(shop, tmp_path / "store", tmp_path / "log", arguments=("--port", str(server.port)))
        again.port = server.port
        try:
            again.wait()
            page.locator("#trouble").wait_for(state="hidden", timeout=20_000)
            page.locator(".toast .close").click()
            page.locator(".entry button.send").first.click()
            page.get_by_text("Like stored").wait_for()
        finally:
            again.stop()


def test_a_place_that_does_not_exist_says_so(opened: Opened) -> None:
    page = opened("/#/nowhere")
    page.get_by_text("There is no such page.").wait_for()
    page.locator("#to-live").click()
    page.get_by_text("Requests a second").first.wait_for()
