"""A night at the console: a theft comes through a real Kafka and a real worker, and is taken to its end in Chromium."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from detector.adapters import decode
from detector.alert.ocsf import Activity
from detector.event import AccessEvent
from detector.simulation import Theft, World, records
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, Records, in_order
from tests.streams.console.test_live import until

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAYS = 8
THIEF = "0054R9000000001"
"""Whose token is stolen."""
TAKES_MS = 11 * MINUTE_MS
"""From the thief's first record to the last."""
AHEAD_MS = 9 * MINUTE_MS
"""Records that are further ahead of their arrival are not believed."""
PATIENCE = 20_000
NOT_ACT = re.compile("Calm|Look")
NOTIFIED, WHY = "told at 02:40, reference 17", "token revoked, its owner told"


def between(events: Records, first_ms: int, last_ms: int) -> Records:
    """Those from a time up to before another."""
    return [
        (raw, event)
        for raw, event in events
        if isinstance(event, AccessEvent) and first_ms <= event.time_ms < last_ms
    ]


@contextmanager
def console(folder: Path) -> Iterator[str]:
    """A console's process with the pipeline's settings; its address."""
    log = folder / "console.log"
    index = str(folder / "index.sqlite")
    child = Child(["console", "--settings", str(folder / "crmwatch.toml"), "--index", index], log)

    def address() -> str:
        assert child.exit_code is None, log.read_text()
        told = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if told is None:
            return ""
        try:
            socket.create_connection(("127.0.0.1", int(told[1])), 5).close()
        except ConnectionRefusedError:  # it has a port and does not listen yet
            return ""
        return told[0]

    try:
        yield until(address)
        assert child.stop() == 0
    finally:
        child.kill()


def decide(page: Page, action: str, field: str = "", text: str = "") -> None:
    """Unfold an action of an incident, fill in its field if there is one to be filled in, and press its button."""
    page.locator("#actions summary", has_text=action).click()
    opened = page.locator("#actions details[open]", has_text=action)
    if field:
        opened.get_by_label(field).fill(text)
    opened.get_by_role("button", name=action).click()
    expect(page.locator(".said-done")).to_contain_text("Done", timeout=PATIENCE)


@pytest.mark.timeout(200)
def test_a_theft_is_seen_and_ended_in_one_night(
    chromium: Browser, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """A thief's records turn the board; the incident is confirmed, its clock runs, a step is taken, the authority told,
    the incident closed: the worker publishes that it is over and why, and the board has turned back, never reloaded."""
    now_ms = time.time_ns() // 1_000_000
    theft_ms = now_ms - TAKES_MS
    start_ms = now_ms // HOUR_MS * HOUR_MS - DAYS * 24 * HOUR_MS
    airline = World(seed=3, start_ms=start_ms, hours=DAYS * 24 + 2, people=20, integrations=6)
    events = in_order(records(airline, Theft(start_ms=theft_ms, integration=1)), decode)
    quiet = between(events, 0, theft_ms)
    settings, sections = {"keyed": True, "idle_seconds": 0.5}, {"console": {"port": 0}}
    with (
        Pipeline(kafka.bootstrap, names, tmp_path, 2, settings, sections) as pipeline,
        console(tmp_path) as address,
    ):
        pipeline.start_worker()
        pipeline.publish_keyed(quiet)
        pipeline.wait(lambda: pipeline.committed(names.access) == len(quiet), 90)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)

        def said() -> list[dict[str, Any]]:
            return [msgspec.json.decode(one.value) for one in pipeline.read(names.alerts) if one.key == uid]

        wall, page = (chromium.new_context(base_url=address, locale="en").new_page() for _ in range(2))
        for one in (wall, page):
            one.goto("/")
            expect(one.locator("#state-h")).to_have_text(NOT_ACT, timeout=PATIENCE)
            expect(one.locator("a.jump", has_text=THIEF)).to_have_count(0)
            one.evaluate("window.same = true")

        pipeline.publish_keyed(between(events, theft_ms, now_ms))
        for one in (wall, page):
            expect(one.locator("#state-h")).to_have_text("Act", timeout=PATIENCE)
            expect(one.locator("a.jump", has_text=THIEF)).to_have_count(1, timeout=PATIENCE)
        assert page.evaluate("window.same") is True
        page.locator("a.jump", has_text=THIEF).click()
        page.wait_for_url("**/incidents/*")
        uid = page.url.rpartition("/")[2].encode()

        decide(page, "Confirm as a breach")
        clock = page.locator("#headline .clock .left")
        expect(clock).to_have_text(re.compile("71h 59m left|72h left"))
        expect(wall.locator(".clocks a")).to_contain_text(THIEF, timeout=PATIENCE)
        step = page.locator(".steps .tick").first
        expect(step).to_have_attribute("aria-pressed", "false")
        step.click()
        expect(step).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
        decide(page, "Authority notified", "How", NOTIFIED)
        expect(clock).to_have_count(0)
        expect(wall.locator(".clocks")).to_have_count(0, timeout=PATIENCE)
        closed_ms = time.time_ns() // 1_000_000
        decide(page, "Close the incident", "Why", WHY)
        expect(page.locator("#actions")).to_contain_text("This incident is closed", timeout=PATIENCE)
        expect(wall.locator("a.jump", has_text=THIEF)).to_have_count(0, timeout=PATIENCE)

        assert said()[-1]["activity_id"] != Activity.CLOSE
        pipeline.publish_keyed(between(events, now_ms, closed_ms + AHEAD_MS))
        pipeline.wait(lambda: said()[-1]["activity_id"] == Activity.CLOSE, 60)
        assert said()[-1]["status_detail"] == f"closed: {WHY}"
        expect(wall.locator("#state-h")).to_have_text(NOT_ACT, timeout=PATIENCE)
        assert wall.evaluate("window.same") is True
        history = page.locator("table.history")
        for words in (WHY, NOTIFIED, "confirmed as a breach", "authority notified", "step done"):
            expect(history).to_contain_text(words, timeout=PATIENCE)
