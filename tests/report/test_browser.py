"""The page in Chromium: nothing loaded, nothing complained of, no barrier that axe-core finds, no sideways scrolling.

tests/report/axe holds axe-core (Deque Systems, MPL-2.0), read into the page by the test alone.
"""

import json
import shutil
from pathlib import Path

import pytest

AXE = Path(__file__).parent / "axe" / "axe.min.js"
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-default-apps"),
)
OPEN = "document.querySelectorAll('details').forEach(each => { each.open = true })"
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def chromium():
    """A Chromium that is installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(chromium, short, tmp_path_factory):
    """The page opened in a window of a width and in light or dark, with what it asked for and complained of."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(short, encoding="utf-8")
    windows = []

    def show(width=1100, scheme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        windows.append(context)
        page, seen = context.new_page(), []
        page.on("request", lambda request: seen.append(request.url))
        page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.goto(file.as_uri())
        return page, [each for each in seen if each != file.as_uri()]

    yield show
    for each in windows:
        each.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page__has_no_barrier_that_axe_finds(shown, scheme):
    page, seen = shown(scheme=scheme)
    page.evaluate(OPEN)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = {"resultTypes": ["violations"], "rules": {"region": {"enabled": True}}}
    found = page.evaluate(f"axe.run(document, {json.dumps(rules)})")
    assert seen == []
    assert len(found["passes"]) > 20
    bad = [each for each in found["violations"] if each["impact"] in SERIOUS]
    assert not bad, [(each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"]) for each in bad]


def test_page__asks_for_nothing_under_its_own_policy(chromium, made, tmp_path):
    """With the policy in force: what it refuses is complained of on the console."""
    file = tmp_path / "report.html"
    file.write_text(made.page, encoding="utf-8")
    page, seen = chromium.new_page(), []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.goto(file.as_uri())
    page.close()
    assert seen == [file.as_uri()]


def test_page__does_not_scroll_sideways_on_a_telephone(shown):
    page, _ = shown(width=390)
    page.evaluate(OPEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_page__is_read_with_the_keyboard(shown):
    page, _ = shown()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#answer"
    page.evaluate("document.querySelector('#tables details summary').focus()")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#tables details').open")


def test_page__charts_hold_their_text(shown):
    """Letters of the browser's own font stay inside the picture."""
    page, _ = shown()
    out = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
             const box = svg.getBoundingClientRect()
             return [...svg.querySelectorAll('text')].filter(text => {
               const own = text.getBoundingClientRect()
               return Math.min(own.left - box.left, own.top - box.top) < -1
                 || Math.min(box.right - own.right, box.bottom - own.bottom) < -1
             }).map(text => text.textContent)
           })"""
    )
    assert out == []
