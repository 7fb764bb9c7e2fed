"""A run's report in a real Chromium: nothing breaks out, nothing is loaded, everybody can read it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from streams.report.page import Report, render
from tests.browser.probes import ATTACKS, CENSUS, CONTRAST, OUTSIDE
from tests.streams.report.make import alert, everyday, incidents, report, stolen
from tests.streams.report.test_page import spoilt

WIDTHS = (400, 768, 1100, 1600)
SCHEMES = ("light", "dark")


def opened(chromium: Browser, folder: Path, text: str, width: int = 1100, **context: Any) -> Page:
    """A page in a window of its own, which closes after the test."""
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    page = chromium.new_context(viewport={"width": width, "height": 900}, **context).new_page()
    page.goto(path.as_uri())
    return page


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def theft() -> Report:
    """A report with several incidents, an unreadable record and everything else that there is to show."""
    found = incidents(
        alert(),
        *(alert(uid=f"i-{level}", severity_id=level, risk_score=10 * level) for level in range(1, 6)),
    )
    made = spoilt("plain")
    return report(everyday() + stolen(), found, letters=(), settings=made.settings)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_breaks_out(chromium: Browser, tmp_path: Path, attack: str) -> None:
    """Even without the page's policy no script in a log's text runs, and no element or attribute is added."""
    expected = opened(chromium, tmp_path, render(spoilt("plain")), bypass_csp=True).evaluate(CENSUS)
    page = opened(chromium, tmp_path, render(spoilt(attack)), bypass_csp=True)
    page.mouse.move(200, 200)
    page.wait_for_timeout(50)
    assert page.evaluate("window.owned") is None
    assert Counter(page.evaluate(CENSUS)) == Counter(expected)
    assert page.title() == "1 incident – crmwatch report"
    assert page.frames == [page.main_frame]


def test_the_policy_stops_what_would_break_out(chromium: Browser, tmp_path: Path) -> None:
    """Were there a script, a handler, a frame or a picture from elsewhere in the page, it would do nothing."""
    attack = "".join(
        (
            "<script>window.owned = 1</script><img src='data:,' onerror='window.owned = 1'>",
            "<iframe src='https://example.com/'></iframe><img src='https://example.com/x.png'>",
        )
    )
    text = render(theft()).replace("</main>", f"{attack}</main>")
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    page = chromium.new_context().new_page()
    refused: dict[str, str | None] = {}
    page.on("requestfailed", lambda request: refused.update({request.url: request.failure}))
    page.goto(path.as_uri())
    page.wait_for_timeout(50)
    assert page.evaluate("window.owned") is None
    assert page.frames[1].url != "https://example.com/"
    assert refused["https://example.com/x.png"] == "csp"


def test_the_page_asks_for_nothing(chromium: Browser, tmp_path: Path) -> None:
    """It is one file: opening it loads that and complains of nothing."""
    path = tmp_path / "report.html"
    path.write_text(render(theft()), encoding="utf-8")
    page = chromium.new_context().new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert said == []


@pytest.mark.parametrize(
    "word", ["plain", "x" * 4000, "客" * 300, "a b" * 200], ids=["plain", "x", "客", "a b"]
)
def test_the_page_fits_its_window(chromium: Browser, tmp_path: Path, word: str) -> None:
    """From a telephone's width to a wide screen's, whatever the log's texts, nothing scrolls sideways but tables."""
    page = opened(chromium, tmp_path, render(spoilt(word) if word != "plain" else theft()))
    unfold(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE, width) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_can_read_it(chromium: Browser, tmp_path: Path, scheme: Any) -> None:
    """Every text has a contrast of 4.5 to what is behind it, in light and in dark, as WCAG's AA asks."""
    page = opened(chromium, tmp_path, render(theft()), color_scheme=scheme)
    unfold(page)
    seen, poor = page.evaluate(CONTRAST)
    assert seen > 500
    assert poor == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(251, 250, 247)") is (scheme == "light")


def test_charts_and_tables_have_names(chromium: Browser, tmp_path: Path) -> None:
    """Who does not see them hears what they are: pictures by their text, tables by their captions."""
    page = opened(chromium, tmp_path, render(theft()))
    pictures = page.get_by_role("img")
    names = [picture.get_attribute("aria-labelledby") for picture in pictures.all()]
    assert len(names) > 6
    heard = page.get_by_role("img", name="Rows taken, cumulative: 6,020 between")
    assert heard.count() == 3  # of the incidents that are unfolded
    assert page.get_by_role("img", name="Events by day and hour.").count() == 1
    assert page.get_by_role("table", name="Events quoted by the alert").count() == 3
    assert page.get_by_role("heading", level=1).count() == 1


def test_it_works_without_scripts(chromium: Browser, tmp_path: Path) -> None:
    """Steps can be ticked and what is folded can be unfolded."""
    page = opened(chromium, tmp_path, render(theft()), java_script_enabled=False)
    step = page.get_by_role("checkbox", name="Ask the integration's owner").first
    assert not step.is_checked()
    step.check()
    assert step.is_checked()
    settings = page.get_by_text("All settings", exact=True)
    table = page.get_by_role("table", name="Settings used")
    assert not table.is_visible()
    settings.click()
    assert table.is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_of_it_is_printed(chromium: Browser, tmp_path: Path, scheme: Any) -> None:
    """On white, what is folded unfolded, and nothing cut off by a table that would scroll."""
    page = opened(chromium, tmp_path, render(theft()), width=700, color_scheme=scheme)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 30, 35)"
    heights = page.evaluate(
        "[...document.querySelectorAll('details:not([open]) table')].map(one => one.getBoundingClientRect().height)"
    )
    assert len(heights) > 3
    assert min(heights) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
