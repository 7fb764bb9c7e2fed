"""Draws the console's pictures from a real run: ``python docs/pictures/console.py`` (needs a Chromium).

A broker, a worker and a console of its own; sixteen days of a simulated airline up to now, and a stolen token in the
last hour. What the pictures show was decided through the pages.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from playwright.sync_api import Browser, Page, expect, sync_playwright

from detector.adapters import decode
from detector.simulation.world import Theft, World, records
from detector.units import HOUR_MS
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan

HERE = Path(__file__).parent
DAYS = 16
WIDTH, HEIGHT = 1600, 1000
SECONDS = 1000
THIEF = "0054R9000000000QAA"


def main() -> None:
    """The board in the middle of a theft; then the incident, acknowledged, with a step taken."""
    os.environ["LOGNAME"] = "ana"  # who looks at it
    folder = Path(tempfile.mkdtemp(prefix="crmwatch-pictures-"))
    try:
        with Broker(folder / "kafka") as broker:
            port = free_port()
            at = ["--bootstrap", broker.bootstrap]
            names = TopicNames()
            ensure(broker.bootstrap, plan(2, 1, names))
            worker = Child(["worker", *at, "--keyed", "--metrics-port", "0"], folder / "worker.log")
            console = Child(["console", *at, "--port", str(port)], folder / "console.log")
            try:
                _publish(broker.bootstrap, names.access)
                _photograph(f"http://127.0.0.1:{port}")
            finally:
                console.stop()
                worker.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(bootstrap: str, topic: str) -> None:
    """As a log shipper would do it: what lies in Kafka is the record itself."""
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms // HOUR_MS * HOUR_MS - DAYS * 24 * HOUR_MS
    world = World(seed=3, start_ms=start_ms, hours=DAYS * 24 + 1, people=60, integrations=5)
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    for time_ms, row in records(world, Theft(start_ms=now_ms - 25 * 60_000)):
        if time_ms > now_ms:
            break
        producer.send(topic, value=row, key=decode(row, "picture").identity.encode())
    producer.flush()
    producer.close()


def _photograph(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = _window(browser, "light")
        _patiently(page, address)
        thief = page.locator("a.jump", has_text=THIEF)
        expect(thief).to_be_visible(timeout=120 * SECONDS)
        time.sleep(10)  # until the last hour has been told of
        page.screenshot(path=HERE / "console-board.png", clip=_down_to(page, ".board"))
        thief.click()
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_role("button", name=re.compile("Ask the integration's owner")).click()
        expect(page.locator(".steps .done")).to_have_count(1)
        page.goto(page.url.partition("?")[0])
        page.screenshot(
            path=HERE / "console-incident.png", clip=_down_to(page, ".columns.even"), full_page=True
        )
        page.locator("#actions summary", has_text="Confirm as a breach").click()
        page.get_by_role("button", name="Confirm as a breach").click()
        night = _window(browser, "dark")
        night.goto(address)
        night.screenshot(path=HERE / "console-night.png", clip=_down_to(night, ".board"))
        browser.close()


def _window(browser: Browser, scheme: Any) -> Page:
    return browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, locale="en"
    ).new_page()


def _patiently(page: Page, address: str) -> None:
    """Until the console listens."""
    for _ in range(60):
        try:
            page.goto(address)
        except Exception as error:  # Playwright has one kind for all
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            time.sleep(1)
        else:
            return
    raise SystemExit("the console did not start")


def _down_to(page: Page, last: str) -> Any:
    box = page.locator(last).first.bounding_box()
    assert box is not None
    return {"x": 0, "y": 0, "width": WIDTH, "height": min(box["y"] + box["height"] + 24, 1400)}


def free_port() -> int:
    """A port of this machine's that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
