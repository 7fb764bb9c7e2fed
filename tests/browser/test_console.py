"""The console in a real Chromium: live, by keyboard, without its feed, under attack, and for everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from detector.decision import Kind
from streams.config import Config, ConsoleSettings, WorkerSettings
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan
from tests.browser.probes import ATTACKS, CONTRAST, OUTSIDE
from tests.streams.console.make import Site, alert, decided, identity_record, ticks
from tests.streams.console.pages.test_incident import alerts
from tests.streams.console.test_live import Running, produce, until
from tests.streams.console.web.test_server import GIVEN, records

WIDTHS = (400, 1100, 1600, 3840)
SECONDS = 1000
PAGES = (
    "/",
    "/incidents/crmwatch-1",
    "/identity?id=t%2Fu",
    "/sources",
    "/mutes",
    "/search",
    "/admin",
    "/nothing-here",
)
BEYOND = OUTSIDE.replace(".skip'", ".skip, .unseen'").replace(
    "box.width &&", "box.width && found.checkVisibility() &&"
)
SERIOUS = ("serious", "critical")


def everything() -> list[Any]:
    """A theft in three alerts, a lesser incident, days of ticks, profiles."""
    lesser = alert(
        7, "crmwatch-2", severity_id=2, risk_score=20, finding_info={"title": "New hour of activity for v"}
    )
    return [
        *alerts(),
        lesser,
        *ticks(6, {"contact": 5, "payment": 1}, {"elf/query": 9}),
        identity_record(0),
        identity_record(1, "v"),
    ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A console with all of it, and no Kafka behind it."""
    with Site(tmp_path, *everything()) as running:
        yield running


@pytest.fixture
def live(kafka: Broker, names: TopicNames, tmp_path: Path) -> Iterator[Running]:
    """A console that follows a real Kafka with all of it."""
    assert ensure(kafka.bootstrap, plan(1, 1, names)) == []
    produce(kafka, names, *everything())
    console = ConsoleSettings(audit_file=str(tmp_path / "audit.jsonl"))
    config = Config(worker=WorkerSettings(bootstrap=kafka.bootstrap), topics=names, console=console)
    running = Running(config, tmp_path / "index.sqlite")
    until(lambda: running.service.freshness.feed.caught_up)
    yield running
    running.stop()


def opened(
    chromium: Browser, site: Site | Running, path: str = "/", width: int = 1100, **context: Any
) -> Page:
    """A page in a window of its own."""
    page = chromium.new_context(
        viewport={"width": width, "height": 900}, base_url=site.address, **context
    ).new_page()
    page.goto(path)
    return page


# --- live


def test_the_board_turns_without_a_reload(chromium: Browser, tmp_path: Path) -> None:
    """From calm to act when the theft is told of, with its incident first, and back to calm when it is closed."""
    with Site(tmp_path, *ticks(6, {"contact": 5}, {"elf/query": 9})) as site:
        page = opened(chromium, site)
        word = page.locator("#state-h")
        expect(word).to_have_text("Calm")
        page.evaluate("window.same = true")
        site.learn(alert(1))
        expect(word).to_have_text("Act", timeout=5 * SECONDS)
        expect(page.locator("a.jump").first).to_have_text("Unusually large bulk export by “sync”")
        expect(page.locator(".reasons")).to_have_text("1 serious incident not acknowledged")
        site.learn(decided(1, Kind.DISPOSITION, reason="a test"))
        expect(word).to_have_text("Calm", timeout=5 * SECONDS)
        assert page.evaluate("window.same") is True


def test_a_theft_is_taken_through_to_its_end(chromium: Browser, live: Running, tmp_path: Path) -> None:
    """Acknowledge, assign, confirm, clock, steps, close, notify: each is shown, and kept with who and why."""
    page = opened(chromium, live)
    expect(page.locator("#state-h")).to_have_text("Act")
    page.locator("a.jump").first.click()
    expect(page.locator("svg.tall")).to_be_visible()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".said-done")).to_contain_text("Done")
    page.locator("#actions summary", has_text="Assign").click()
    page.get_by_label("To", exact=True).fill("bo")
    page.get_by_role("button", name="Assign").click()
    expect(page.locator("#headline .over")).to_contain_text("bo")
    page.locator("#actions summary", has_text="Confirm as a breach").click()
    page.get_by_role("button", name="Confirm as a breach").click()
    expect(page.locator("#headline .clock .left")).to_have_text(re.compile("71h 59m left|72h left"))
    page.goto("/")
    expect(page.locator(".clocks a")).to_have_text("Unusually large bulk export by “sync”")
    expect(page.locator("#state-h")).to_have_text("Act")
    page.locator(".clocks a").click()
    step = page.get_by_role("button", name="Ask the integration's owner")
    expect(step).to_have_attribute("aria-pressed", "false")
    step.click()
    expect(page.get_by_role("button", name="Ask the integration's owner")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.locator("#actions summary", has_text="Close the incident").click()
    page.locator("#actions details[open]", has_text="Close the incident").get_by_label("Why").fill(
        "tokens are revoked"
    )
    page.get_by_role("button", name="Close the incident").click()
    expect(page.locator("#actions")).to_contain_text("This incident is closed")
    page.goto("/")
    expect(page.locator("#state-h")).to_have_text("Act")
    expect(page.locator(".reasons")).to_have_text("1 breach is not yet notified to the authority")
    page.locator(".clocks a").click()
    page.locator("#actions summary", has_text="Authority notified").click()
    page.get_by_label("How").fill("told the authority at 14:20")
    page.get_by_role("button", name="Authority notified").click()
    expect(page.locator("#headline .over")).to_contain_text("authority notified")
    expect(page.locator("#headline .clock")).to_have_count(0)
    history = page.locator("table.history")
    for words in (
        "told the authority at 14:20",
        "tokens are revoked",
        "breach",
        "→ bo",
        "step done",
        "acknowledged",
    ):
        expect(history).to_contain_text(words)
    page.goto("/")
    expect(page.locator(".clocks")).to_have_count(0)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines if line["audit"] == "decision"] == [
        "acknowledge", "assign", "breach", "step", "disposition", "notified",
    ]  # fmt: skip


def test_what_is_typed_survives_an_update(chromium: Browser, site: Site) -> None:
    """The story beside it changes; the form that somebody fills in, and where the focus is, do not."""
    page = opened(chromium, site, "/incidents/crmwatch-1")
    page.locator("#actions summary", has_text="Close the incident").click()
    why = page.locator("#actions details[open]", has_text="Close the incident").get_by_label("Why")
    why.fill("half a sent")
    site.learn(decided(3, Kind.ASSIGN, assignee="somebody else"))
    expect(page.locator("#headline .over")).to_contain_text("somebody else", timeout=5 * SECONDS)
    expect(why).to_have_value("half a sent")
    expect(why).to_be_focused()


def test_it_says_when_the_feed_is_lost_and_when_it_is_back(chromium: Browser, tmp_path: Path) -> None:
    """Without the console the page says since when and fades; a console started anew is taken up by itself."""
    with Site(tmp_path, *everything()) as site:
        page = opened(chromium, site)
        feed = page.locator("#feed")
        expect(feed).to_have_text("Live")
        port = site.port
    expect(feed).to_have_text(
        re.compile(r"Feed lost since \d\d:\d\d:\d\d UTC: this page is frozen"), timeout=20 * SECONDS
    )
    assert page.evaluate("document.body.dataset.stale") == "yes"
    assert feed.get_attribute("role") == "status"
    expect(page.locator("#state-h")).to_have_text("Act")
    meanwhile = alert(9, "crmwatch-9", risk_score=99)
    (tmp_path / "again").mkdir()
    with Site(tmp_path / "again", *everything(), meanwhile, port=port):
        expect(page.locator("a.jump").first).to_have_attribute(
            "href", "/incidents/crmwatch-9", timeout=30 * SECONDS
        )
        expect(feed).to_have_text("Live", timeout=10 * SECONDS)
        assert page.evaluate("document.body.dataset.stale") is None


def test_a_page_that_could_not_be_had_is_asked_for_again(chromium: Browser, tmp_path: Path) -> None:
    """While the server has errors the board says that it may be old, and it turns with the first answer after."""
    with Site(tmp_path, *ticks(6, {"contact": 5}, {"elf/query": 9})) as site:
        page = opened(chromium, site)
        expect(page.locator("#feed .said")).to_contain_text("Live")
        page.route("**/", lambda route: route.fulfill(status=500))
        site.learn(alert(1))
        expect(page.locator("#feed")).to_have_attribute("data-lost", "yes", timeout=5 * SECONDS)
        expect(page.locator("#state-h")).to_have_text("Calm")
        page.unroute("**/")
        expect(page.locator("#state-h")).to_have_text("Act", timeout=10 * SECONDS)
        expect(page.locator("#feed .said")).to_contain_text("Live")
        assert page.locator("#feed").get_attribute("data-lost") is None


def test_an_update_renews_words_beside_elements(chromium: Browser, tmp_path: Path) -> None:
    """What stands beside an element that stays the same is renewed as well."""
    with Site(tmp_path, *ticks(6, {"contact": 5}, {"elf/query": 9})) as site:
        page = opened(chromium, site)
        heading = page.locator("#open-h")
        heading.evaluate("heading => { heading.firstChild.data = 'Old words '; }")
        site.learn(*ticks(7, {"contact": 6}, {"elf/query": 9}))
        expect(heading).to_have_text("Open incidents 0", timeout=5 * SECONDS)


def test_it_says_when_kafka_is_lost(chromium: Browser, site: Site) -> None:
    """The board is blind unless there is something to act on, and every page has it above."""
    page = opened(chromium, site)
    site.freshness.lost("gone")
    expect(page.locator("#feed")).to_contain_text("Kafka has not answered since", timeout=5 * SECONDS)
    expect(page.locator(".reasons")).to_contain_text("Kafka does not answer")
    expect(page.locator("#state-h")).to_have_text("Act")
    site.learn(decided(0, Kind.DISPOSITION, reason="x"))
    expect(page.locator("#state-h")).to_have_text("Blind", timeout=5 * SECONDS)
    site.freshness.heard(0)
    expect(page.locator("#state-h")).to_have_text("Look", timeout=5 * SECONDS)


# --- the keyboard


def test_everything_is_done_by_keyboard(chromium: Browser, live: Running) -> None:
    """From the board to an incident, its actions, the search and back, with keys that can be turned off."""
    page = opened(chromium, live)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("a.jump").nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("a.jump").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/crmwatch-1")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Acknowledge")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".said-done")).to_contain_text("Done")
    page.wait_for_load_state()  # with its script, which hears the keys
    page.keyboard.press("/")
    expect(page.locator("#quick")).to_be_focused()
    page.keyboard.type("sync")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=sync")
    expect(page.locator("table.incidents tbody tr")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Use keyboard shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.wait_for_timeout(300)
    assert "/search" in page.url
    page.reload()
    page.keyboard.press("b")
    page.wait_for_timeout(300)
    assert "/search" in page.url


@pytest.mark.parametrize("path", PAGES[:-1])
def test_the_focus_reaches_all_that_can_be_pressed(chromium: Browser, site: Site, path: str) -> None:
    """Tab alone comes to every link, button and field that is shown, and the focus can be seen."""
    page = opened(chromium, site, path)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input, select, summary')]
            .filter(one => one.checkVisibility() && one.type !== 'hidden').length"""
    )
    seen = set()
    for _ in range(wanted + 40):
        page.keyboard.press("Tab")
        mark, outline = page.evaluate(
            """() => {
                const all = [...document.querySelectorAll('a[href], button, input, select, summary')];
                const at = document.activeElement;
                const inside = at.type === 'date'; // its parts show the focus themselves
                return [all.indexOf(at), inside ? 'inside' : getComputedStyle(at).outlineStyle];
            }"""
        )
        if mark >= 0:
            seen.add(mark)
            assert outline != "none"
    assert len(seen) >= wanted


# --- attackers


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_a_log_says_runs(chromium: Browser, tmp_path: Path, attack: str) -> None:
    """Neither when a page is loaded nor when it changes by itself, with scripts or without leave of the policy."""
    with Site(tmp_path, *records(attack)) as site:
        page = opened(chromium, site)
        said_by_policy: list[str] = []
        page.on(
            "console",
            lambda message: said_by_policy.append(message.text) if message.type == "error" else None,
        )
        outside: list[str] = []
        page.on(
            "request",
            lambda request: outside.append(request.url) if site.address not in request.url else None,
        )
        links = ["/", "/incidents/crmwatch-1", "/search", "/sources", "/identity?id=t%2Fu", "/admin"]
        links += [link.get_attribute("href") or "/" for link in page.locator("a.jump").all()]
        for link in links:
            page.goto(link)
            site.learn(
                alert(
                    50 + len(links),
                    "crmwatch-3",
                    finding_info={"title": attack, "desc": attack},
                    risk_score=3,
                )
            )
            page.wait_for_timeout(60)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert page.evaluate("window.owned") is None
        assert outside == []
        assert said_by_policy == []


def test_the_policy_stops_what_escaping_would_not(chromium: Browser, site: Site) -> None:
    """Even with a script put into the page, nothing runs and nothing is fetched from elsewhere."""
    page = opened(chromium, site)
    page.evaluate(
        """() => {
            document.body.insertAdjacentHTML('beforeend',
                '<img src="https://example.invalid/x" onerror="window.owned = 1"><style>body{display:none}</style>');
            const script = document.createElement('script');
            script.textContent = 'window.owned = 2';
            document.body.append(script);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.owned") is None
    assert page.evaluate("getComputedStyle(document.body).display") == "flex"


# --- roles


def test_what_a_role_may_not_do_is_not_offered(chromium: Browser, tmp_path: Path) -> None:
    """Somebody signs in with a token; a viewer sees no actions and no raw records, and is told so if they ask."""
    path = tmp_path / "tokens"
    path.write_text(
        "\n".join(f"{role}-person {role} {GIVEN.format(role)}" for role in ("viewer", "analyst")),
        encoding="utf-8",
    )
    config = Config(console=ConsoleSettings(tokens_file=str(path)))
    with Site(tmp_path, *everything(), config=config) as site:
        for role, actions in (("viewer", 0), ("analyst", 1)):
            page = opened(chromium, site, "/incidents/crmwatch-1")
            expect(page).to_have_url(re.compile("/sign-in"))
            page.get_by_label("Token").fill("wrong")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text("Unknown token.")
            page.get_by_label("Token").fill(GIVEN.format(role))
            page.keyboard.press("Enter")
            expect(page).to_have_url(re.compile("/incidents/crmwatch-1"))
            expect(page.locator("#actions")).to_have_count(actions)
            expect(page.locator("a.raw").first).to_have_count(actions)
            expect(page.locator("nav")).not_to_contain_text("Administration")
            page.goto("/admin")
            expect(page.locator("h1")).to_have_text("Your role does not allow this.")
            page.get_by_role("button", name="Sign out").click()
            expect(page).to_have_url(re.compile("/sign-in"))


def test_an_ended_session_is_said(chromium: Browser, tmp_path: Path) -> None:
    """A board on the wall whose session has ended does not go on looking calm."""
    path = tmp_path / "tokens"
    path.write_text(f"wall viewer {GIVEN.format('viewer')}", encoding="utf-8")
    with Site(tmp_path, config=Config(console=ConsoleSettings(tokens_file=str(path)))) as site:
        page = opened(chromium, site)
        page.get_by_label("Token").fill(GIVEN.format("viewer"))
        page.keyboard.press("Enter")
        expect(page.locator("#state-h")).to_have_text("Calm")
        for session in site.gate.sessions():
            site.gate.end(session.key)
        site.freshness.read({}, shown=True)
        expect(page.locator("#feed")).to_have_text(
            "You are signed out: reload the page", timeout=20 * SECONDS
        )
        assert page.evaluate("document.body.dataset.stale") == "yes"


# --- everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(chromium: Browser, site: Site, path: str, scheme: str) -> None:
    """On each page, in both schemes, narrow and wide, in both languages."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core is not installed (pip install axe-playwright-python)")
    script = (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    for width, language in ((400, "fr"), (1600, "en")):
        page = opened(chromium, site, path, width, color_scheme=scheme, locale=language, bypass_csp=True)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        page.add_script_tag(content=script)
        told = page.evaluate("axe.run()")
        bad = [
            (one["id"], one["impact"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in told["violations"]
            if one["impact"] in SERIOUS
        ]
        assert bad == []
        assert len(told["passes"]) > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(chromium: Browser, site: Site, scheme: str) -> None:
    """At least 4.5 to 1 on what lies behind it, of every state of the board and of each page."""
    page = opened(chromium, site, color_scheme=scheme)
    for path in PAGES:
        page.goto(path)
        seen, poor = page.evaluate(CONTRAST)
        assert seen > 5
        assert [text for text in poor if not text.startswith("Act")] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_any_width(chromium: Browser, site: Site, width: int) -> None:
    """From a telephone to a 4 K wall nothing lies outside the window but what can be scrolled by itself."""
    page = opened(chromium, site, width=width)
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(BEYOND, width) == [], path


def test_pages_work_without_scripts(chromium: Browser, live: Running) -> None:
    """Everything can be read and decided; only nothing changes by itself."""
    page = opened(chromium, live, java_script_enabled=False)
    expect(page.locator("#state-h")).to_have_text("Act")
    page.locator("a.jump").first.click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".said-done")).to_contain_text("Done")


def test_a_page_without_a_feed_renews_itself(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused a feed because there are too many, it says so, stays as it is loaded, and does not count as old."""
    monkeypatch.setattr("streams.console.web.live_pages.MOST_PAGES", 0)
    with Site(tmp_path, *everything()) as site:
        page = opened(chromium, site)
        page.evaluate("window.same = true")
        feed = page.locator("#feed")
        expect(feed).to_have_text(
            "Renewed every half minute: too many browsers are connected", timeout=20 * SECONDS
        )
        page.wait_for_timeout(2_000)
        assert page.evaluate("window.same") is True
        assert page.evaluate("document.body.dataset.stale") is None


def test_language_and_theme_are_kept(chromium: Browser, site: Site) -> None:
    """Chosen once, they hold on every page, whatever the browser asks for."""
    page = opened(chromium, site, locale="en", color_scheme="light")
    page.get_by_role("link", name="Français").click()
    page.get_by_role("link", name="sombre").click()
    page.goto("/")
    expect(page.locator("#state-h")).to_have_text("Agir")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(17, 20, 23)"
    page.goto("/incidents/crmwatch-1")
    expect(page.locator("h1")).to_have_text("“sync”\u202f: export en masse d’une taille inhabituelle")


def test_nothing_is_asked_of_anybody_else(chromium: Browser, site: Site) -> None:
    """A page loads its style, its script and its feed from the console, and no more."""
    page = chromium.new_context(base_url=site.address).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    page.wait_for_timeout(500)
    assert asked
    assert all(url.startswith(site.address) for url in asked)
    assert {url.removeprefix(site.address) for url in asked} >= {
        "/",
        "/static/console.css",
        "/static/console.js",
        "/events",
    }
