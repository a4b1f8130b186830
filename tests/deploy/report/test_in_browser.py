"""The page in a real browser: it draws what the report says, and complains about nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.report import html_page
from tests.deploy.report import documents
from tests.deploy.report.browser import NAMES, Browser, executable
from tests.deploy.report.documents import at

RENDERED = "[...document.querySelectorAll('figure')].map((figure) => figure.id + ' ' + figure.dataset.rendered)"
# how many different colours each canvas shows
CANVASES = """[...document.querySelectorAll('canvas')].map((canvas) => {
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(pixels).size;
})"""
PICTURES = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join()"
SHOWN = "document.querySelector('#course output').textContent"
TIPS = "[...document.querySelectorAll('.tip:not([hidden])')].map((tip) => tip.innerText).join()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = executable()
    if program is None:
        missing = f"no browser: none of {', '.join(NAMES)} is on the path"
        if os.environ.get("EYEHAND_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    found = Browser(program, tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("page"), documents.report(), documents.series())


def written(folder: Path, report: dict[str, Any], series: dict[str, Any], title: str = "run") -> Path:
    path = folder / "report.html"
    path.write_text(html_page(report, series, title), encoding="utf-8")
    return path


def middle(browser: Browser, selector: str, across: float = 0.5, down: float = 0.5) -> tuple[float, float]:
    """Where a part of an element is in the window, once it was scrolled to."""
    browser.evaluate(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    browser.settle()
    box = browser.evaluate(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
    return box["left"] + across * box["width"], box["top"] + down * box["height"]


@pytest.mark.parametrize(
    ("width", "media"),
    [(1280, {}), (1280, {"prefers_color_scheme": "dark"}), (390, {}), (360, {"prefers_color_scheme": "dark"})],
)
def test_it_draws_in_every_window(browser: Browser, page: Path, width: int, media: dict[str, str]) -> None:
    browser.open(page, width, **media)
    assert browser.evaluate(RENDERED) == ["ccdf yes", "course yes"]
    colours = browser.evaluate(CANVASES)
    assert len(colours) == 3
    assert min(colours) > 8
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    asked = [address for address in browser.requests if not address.startswith("data:")]
    assert asked == [page.resolve().as_uri()]


def test_what_the_browser_shows_is_the_report(browser: Browser, page: Path) -> None:
    browser.open(page)
    read = (
        "[...document.querySelectorAll('[data-key]')].map((cell) => [cell.dataset.key, JSON.parse(cell.dataset.value)])"
    )
    figures = browser.evaluate(read)
    assert len(figures) > 200
    report, series = documents.report(), documents.series()
    for key, value in figures:
        assert at(series if key.startswith("worst.") else report, key) == value, key
    p99 = "document.querySelector('td[data-key=\"stages.detect.p99_ms\"]').innerText"
    assert browser.evaluate(p99) == "12.00"


def test_the_scheme_of_the_system_is_followed_at_once(browser: Browser, page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(page)
    light, bright = browser.evaluate(PICTURES), browser.evaluate(ground)
    browser.look(1280, prefers_color_scheme="dark")
    browser.settle()
    assert browser.evaluate(ground) != bright
    assert browser.evaluate(PICTURES) != light


def test_a_narrower_window_gets_narrower_plots(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.look(500)
    browser.settle()
    assert browser.evaluate("Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.clientWidth))") < 500
    assert len(browser.evaluate(CANVASES)) == 3


def test_a_curve_can_be_hidden(browser: Browser, page: Path) -> None:
    browser.open(page)
    before = browser.evaluate(PICTURES)
    browser.evaluate("document.querySelector('#ccdf .keys button').click()")
    browser.settle()
    assert browser.evaluate("document.querySelector('#ccdf .keys button').ariaPressed") == "false"
    assert browser.evaluate(PICTURES) != before


def test_the_timeline_is_zoomed_by_dragging_and_by_buttons(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.evaluate(SHOWN).startswith("0.00 s to 10.00 s.")
    x, y = middle(browser, "#course .u-over", 0.25)
    end, _ = middle(browser, "#course .u-over", 0.75)
    browser.mouse("mouseMoved", x, y)
    browser.mouse("mousePressed", x, y, 1)
    browser.mouse("mouseMoved", end, y, 1)
    browser.mouse("mouseReleased", end, y)
    assert browser.evaluate(SHOWN)[:7] in ("2.49 s ", "2.50 s ", "2.51 s ")
    browser.evaluate("document.querySelector('[aria-label=\"closer\"]').click()")
    assert browser.evaluate(SHOWN)[:4] in ("3.74", "3.75", "3.76")
    browser.evaluate("document.querySelector('[aria-label=\"whole run\"]').click()")
    assert browser.evaluate(SHOWN).startswith("0.00 s to 10.00 s.")


@pytest.mark.parametrize(
    ("link", "shown"), [("#ladder a[data-from]", "1.250 s to 1.750 s."), ("#worst a", "1.750 s to 2.321 s.")]
)
def test_a_moment_that_is_named_can_be_seen(browser: Browser, page: Path, link: str, shown: str) -> None:
    browser.open(page)
    browser.evaluate(f"document.querySelector('{link}').click()")
    assert browser.evaluate(SHOWN).startswith(shown)


@pytest.mark.parametrize(
    ("plot", "across", "down", "told"),
    [
        ("#ccdf .u-over", 0.5, 0.5, "took at least"),
        ("#course .u-over", 0.2, 0.5, "71.25 of 57 ms"),
        ("#course .u-over", 0.45, 0.5, "control loop\nhold"),
        ("#course > div:last-child .u-over", 0.65, 0.05, "4 here"),
        ("#course > div:last-child .u-over", 0.25, 0.95, "too many misses"),
    ],
)
def test_values_are_told_at_the_pointer(
    browser: Browser, page: Path, plot: str, across: float, down: float, told: str
) -> None:
    browser.open(page)
    x, y = middle(browser, plot, across, down)
    browser.mouse("mouseMoved", x - 3, y)
    browser.mouse("mouseMoved", x, y)
    assert told in browser.evaluate(TIPS).replace("\n\n", "\n")


def test_paper_is_white(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.open(page, prefers_color_scheme="dark")
    browser.evaluate(
        "addEventListener('beforeprint', () => { window.onPaper = getComputedStyle(document.documentElement)"
        ".getPropertyValue('--card').trim(); })"
    )
    browser.print(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert browser.evaluate("window.onPaper") == "#ffffff"
    assert not browser.evaluate("document.documentElement.dataset.paper")
    assert browser.complaints == []


def test_tables_need_no_script(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page, drawn=False)
        nodes = browser.call("DOMSnapshot.captureSnapshot", computedStyles=[])["strings"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "This plot needs JavaScript. The percentiles are in the table above." in nodes
    assert "Contract orin_agx broken" in nodes
    assert "12.00" in nodes


def test_what_has_nothing_to_draw_says_so(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, documents.quiet_report(), documents.quiet_series()))
    assert browser.evaluate(RENDERED) == ["ccdf empty", "course empty"]
    assert "Nothing was measured." in browser.evaluate("document.body.innerText")
    assert browser.complaints == []


def test_hostile_names_stay_text(browser: Browser, tmp_path: Path) -> None:
    report, series = documents.hostile(documents.report()), documents.hostile(documents.series())
    browser.open(written(tmp_path, report, series, documents.HOSTILE))
    x, y = middle(browser, "#course > div:last-child .u-over", 0.25, 0.95)
    browser.mouse("mouseMoved", x, y)
    assert documents.HOSTILE in browser.evaluate(TIPS)
    assert browser.evaluate("document.title").startswith(documents.HOSTILE)
    assert browser.evaluate("[document.images.length, 'hacked' in window]") == [0, False]
    assert browser.evaluate(RENDERED) == ["ccdf yes", "course yes"]
    assert browser.complaints == []
