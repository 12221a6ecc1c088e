"""The page in a real browser: no errors, no sideways scrolling, switches that switch, a map that draws, hostile text inert."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgewise.models import MODELS, model_class
from edgewise.report import write_report
from tests.report.example import example, hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PROBE = "window.pwned = 1"
HOSTILE = f"</script></title><img src=x onerror='{PROBE}'><svg onload='{PROBE}'>\"><script>{PROBE}</script>"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    missing = "Chromium" if chromium is None else None if importlib.util.find_spec("playwright") else "playwright"
    if missing:
        message = f"{missing} is not installed; apt-get install chromium, pip install playwright"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(example(n_map=1500), path)
    return path


@pytest.fixture
def page(browser: "Browser", report: Path) -> "Iterator[Page]":
    with_errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US", color_scheme="light")
    opened = context.new_page()
    opened.on("console", lambda message: with_errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: with_errors.append(str(error)))
    opened.on(
        "request", lambda request: with_errors.append(request.url) if not request.url.startswith("file:") else None
    )
    opened.goto(report.as_uri())
    yield opened
    context.close()
    assert with_errors == []


def test_the_page_opens_without_errors_or_requests(page: "Page") -> None:
    assert page.title() == "MovieLens latest-small: 11 recommenders compared"
    assert page.locator("main > section").count() == 10


@pytest.mark.parametrize("width", [360, 768, 1024])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_screen_scrolls_sideways(page: "Page", report: Path, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{report.as_uri()}#lang={language}")
    page.reload()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_name_of_a_model_breaks_inside_a_word_on_a_phone(page: "Page") -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    words = sorted({word for name in MODELS for word in model_class(name).title.split() if "-" not in word})
    broken = page.evaluate(
        """words => {
            const cell = document.querySelector("table.models tbody .clip"), text = document.createRange();
            return words.filter(word => {
                cell.textContent = word;
                text.selectNodeContents(cell);
                return text.getClientRects().length > 1;
            });
        }""",
        words,
    )
    assert broken == []


def test_labels_in_the_scatter_do_not_overlap_as_drawn(page: "Page") -> None:
    boxes = page.evaluate(
        "[...document.querySelectorAll('#cost .wide svg .name')].map((e) => { const b = e.getBoundingClientRect();"
        " return [b.left, b.top + 3, b.right, b.bottom - 3]; })"
    )
    assert len(boxes) >= 10
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_the_language_switch_changes_texts_attributes_and_title(page: "Page") -> None:
    assert page.locator("#pairs h2").inner_text().endswith("Who beats whom")
    page.locator("#language").click()
    assert page.locator("#pairs h2").inner_text().endswith("两两比较")
    assert page.locator("#map-find").get_attribute("placeholder") == "查找物品……"
    assert "推荐模型的比较" in page.title()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.reload()
    assert page.locator("#pairs h2").inner_text().endswith("两两比较"), "the choice is remembered"
    page.locator("#language").click()
    assert page.locator("#map-find").get_attribute("placeholder") == "Find an item …"


def test_chinese_readers_get_chinese_first(browser: "Browser", report: Path) -> None:
    context = browser.new_context(locale="zh-CN")
    opened = context.new_page()
    opened.goto(report.as_uri())
    assert "并列第一" in opened.locator("h1").inner_text()
    context.close()


def test_the_theme_follows_the_system_and_the_switch(page: "Page") -> None:
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert light != dark
    page.locator("#theme").click()
    assert page.evaluate(background) == light


def test_the_map_draws_zooms_and_hides_categories(page: "Page") -> None:
    canvas = page.locator("#map-canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_selector("#map-canvas[data-drawn]")
    drawn = (
        "(() => { const c = document.getElementById('map-canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )
    whole = page.evaluate(drawn)
    assert whole > 2000
    page.locator("button.category").first.click()
    page.wait_for_timeout(100)
    assert page.evaluate(drawn) < whole
    assert page.locator("button.category").first.get_attribute("aria-pressed") == "false"
    page.locator("[data-zoom=in]").click()
    page.locator("[data-zoom=in]").click()
    page.wait_for_timeout(100)
    assert page.evaluate(drawn) != whole


def test_finding_an_item_and_pointing_at_the_map_name_it(page: "Page") -> None:
    page.locator("#map-find").fill("Spirited Away")
    assert re.fullmatch(r"\d+ found", page.locator("#map-found").inner_text())
    canvas = page.locator("#map-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for dx in range(0, 200, 4):
        page.mouse.move(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2)
        if page.locator("#tip").is_visible():
            break
    assert "interactions" in page.locator("#tip").inner_text()


def test_the_table_sorts_by_what_is_clicked(page: "Page") -> None:
    names = page.locator("table.models tbody tr:not(.failed) th .clip")
    assert names.first.inner_text() == "LightGCN"
    page.locator("table.models thead button", has_text="Fit").click()
    page.locator("table.models thead button", has_text="Fit").click()
    assert names.first.inner_text() == "Popularity"
    assert page.locator("table.models tbody tr").last.get_attribute("class") == "failed"
    page.locator("table.models thead button", has_text="Model").click()
    assert names.first.inner_text() == "ALS"


def test_tabs_show_one_user_at_a_time_and_take_the_keyboard(page: "Page") -> None:
    assert page.locator(".sample:visible").count() == 1
    page.locator("#tab-0").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tab-1").get_attribute("aria-selected") == "true"
    assert page.locator("#sample-1").is_visible()


def test_a_tip_appears_for_pointer_and_keyboard(page: "Page") -> None:
    page.locator("table.pairs td.ahead").first.hover()
    assert "NDCG@20" in page.locator("#tip").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_print_shows_every_user_and_no_switches(page: "Page") -> None:
    page.emulate_media(media="print")
    assert page.locator(".sample:visible").count() == 3
    assert not page.locator(".bar").first.is_visible()


@pytest.mark.parametrize("policy", [True, False], ids=["as written", "without the content security policy"])
def test_hostile_texts_do_nothing(browser: "Browser", tmp_path: Path, *, policy: bool) -> None:
    path = tmp_path / "hostile.html"
    write_report(hostile(HOSTILE), path)
    if not policy:
        without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
        path.write_text(without, encoding="utf-8")
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-US")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(path.as_uri())
    opened.locator("#language").click()
    opened.locator("#map-find").fill("script")
    opened.locator("#map-canvas").hover()
    for cell in ("table.models td.metric", "table.pairs td.ahead"):
        opened.locator(cell).first.hover()
    opened.wait_for_timeout(200)
    assert opened.evaluate("window.pwned") is None
    assert opened.locator("img").count() == 0
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    assert errors == []
    context.close()


def test_without_scripts_the_figures_are_still_there(browser: "Browser", report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(report.as_uri())
    assert "LightGCN" in opened.locator("h1").inner_text()
    assert opened.locator("noscript").inner_text().startswith("Scripts are off")
    context.close()
