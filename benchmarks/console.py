"""How soon a browser's board shows a theft, and how soon the console's pages are there.

    python benchmarks/console.py [--thefts 60] [--rate 20] [--seconds 200] [--incidents 10000] [--browsers 50]

A broker, a worker and a console as they are run, and Chromium. The worker learns some days of a company; then traffic
comes at a steady rate, with thefts of tokens in it, some hundred times as fast as in such a company.

- *alone*: from the append of a record (the broker's `LogAppendTime`) until the board names the incident, whose first
  alert quotes that record as its newest evidence. Seen by a client that follows `/events` and then asks for `/` as
  `console.js` does, and by a `MutationObserver` in a tab of Chromium.
- *crowded*: the same with so many open incidents in the index before, which are alerts of the first part under other
  names, and so many browsers that look at the board: three tabs of Chromium, and clients for the others. The figures
  are of each theft in each of them. Also how long each of their looks at the board took.
- *paint*: first paint and first contentful paint of board, incident, identity and search in Chromium after a cold
  start of each page, by its own clock, with the crowd still there; medians of the loads.

Traffic and Chromium have to share the machine with what is measured. It takes about ten minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from kafka import KafkaProducer
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.crowd import Crowd
from benchmarks.feed import THIEVES_NETWORK, Keyed, fill, steadily, traffic
from benchmarks.latency import latencies, stamp
from benchmarks.peers.job import usage
from benchmarks.stream import LIMIT_SECONDS, PARTITIONS, names_of, settle
from detector.alert.ocsf import Activity
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from tests.chaos.pipeline import Pipeline

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WINDOW: Any = {"width": 1600, "height": 1000}
TABS = 3
"""So many of the browsers are tabs of Chromium: more of them would take the machine from what is measured."""
LAST_SECONDS = 15.0
"""For so long the boards are waited for when all alerts are there."""
BEFORE_RISK = 10
"""What the index holds before is of less risk, so that the board, which shows fifty, shows thefts."""
OPEN = re.compile(r'id="open-h">[^<]*<span class="count">([\d,]+)<')
OBSERVE = """() => {
    window.seen = {};
    const note = () => {
        for (const link of document.querySelectorAll("a.jump"))
            window.seen[decodeURIComponent(link.getAttribute("href").split("/")[2])] ??= Date.now();
    };
    note();
    new MutationObserver(note).observe(document.getElementById("main"),
        {subtree: true, childList: true, attributes: true, characterData: true});
}"""
PAINTS = "() => performance.getEntriesByType('paint').map(one => [one.name, one.startTime])"

Message = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""A record's key, value and headers."""


class Shown(msgspec.Struct, frozen=True):
    """How soon incidents were on boards."""

    ms: list[float]
    """From the append of a record to a board that names the incident."""
    never: int
    """How many of them a board never named."""

    def __str__(self) -> str:
        return spread(self.ms) + (f", {self.never} never" if self.never else "")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one part saw."""

    alerted_ms: list[int]
    """From the append of a record to the append of the alert."""
    clients: Shown
    tabs: Shown
    looks_ms: list[float]
    """How long it took a client to get the board."""
    share: float
    """How much of a core the console took while traffic came."""
    most_lag: int
    paints: dict[str, tuple[float, float]]
    """First paint and first contentful paint by page, in ms."""
    alerts: list[Any]


def main() -> None:
    """Measure all three."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--thefts", type=int, default=60)
    options.add_argument("--rate", type=float, default=20.0)
    options.add_argument("--seconds", type=float, default=200.0)
    options.add_argument("--people", type=int, default=300)
    options.add_argument("--days", type=int, default=8, help="so many are learned from before")
    options.add_argument("--incidents", type=int, default=10_000)
    options.add_argument("--browsers", type=int, default=50)
    options.add_argument("--loads", type=int, default=9, help="of each page, for the paints")
    chosen = options.parse_args()
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("no Chromium is installed (Debian: apt-get install chromium)")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries on topics that have just been made
    began = time.monotonic()
    past, present = traffic(chosen.days, int(chosen.rate * chosen.seconds), chosen.thefts, chosen.people)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Broker(folder / "kafka", heap_mb=1024))
        chromium = stack.enter_context(sync_playwright()).chromium.launch(executable_path=path)
        stack.callback(chromium.close)
        settle(broker.bootstrap)
        run = Run(broker.bootstrap, folder, chromium, past, present, chosen.rate)
        alone = run.measure("alone", (), browsers=2, loads=0)
        show(f"alone: a client and a tab, {chosen.rate:,.0f} records a second", alone)
        before = list(renamed(alone.alerts, chosen.incidents))
        crowded = run.measure("crowded", before, browsers=chosen.browsers, loads=chosen.loads)
        show(f"crowded: {chosen.incidents:,} incidents, {chosen.browsers} browsers", crowded)
    print(f"\n{time.monotonic() - began:.0f} s in all")


def show(name: str, found: Found) -> None:
    """Say it."""
    print(f"\n{name}")
    print(f"  {len(found.alerted_ms)} incidents; most lag {found.most_lag:,} records")
    print(f"  until the alert     {spread(found.alerted_ms)}")
    print(f"  until clients       {found.clients}")
    print(f"  until Chromium      {found.tabs}")
    print(f"  a look at the board {spread(found.looks_ms)}, {len(found.looks_ms):,} looks")
    print(f"  the console took {found.share:.0%} of a core")
    for page, (first, contentful) in found.paints.items():
        print(f"  {page:9} first paint {first:,.0f} ms, first contentful paint {contentful:,.0f} ms")


def spread(ms: Sequence[float]) -> str:
    """Median, 95th percentile and the most, in a line."""
    if not ms:
        return "none"
    ordered = sorted(ms)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"p50 {statistics.median(ordered):,.0f} ms, p95 {p95:,.0f} ms, most {ordered[-1]:,.0f} ms"


class Run(msgspec.Struct, frozen=True):
    """What both parts share."""

    bootstrap: str
    folder: Path
    chromium: Browser
    past: Sequence[Keyed]
    present: Sequence[Keyed]
    rate: float

    def measure(self, prefix: str, before: Sequence[Message], *, browsers: int, loads: int) -> Found:
        """One part, with topics, a worker and a console of its own; `before` are alerts that are there already."""
        names = names_of(prefix, f"{prefix}-access")
        own = self.folder / prefix
        own.mkdir()
        known = {key for key, _, _ in before}
        stamp(self.bootstrap, names)
        sections = {"console": {"port": 0, "audit_file": str(own / "audit.jsonl"), "per_person": 300}}
        with Pipeline(self.bootstrap, names, own, PARTITIONS, {"keyed": True}, sections) as pipeline:
            pipeline.start_worker()
            with ThreadPoolExecutor(1) as aside:  # this thread runs Playwright's loop
                aside.submit(fill, self.bootstrap, names.access, PARTITIONS, self.past).result()
            pipeline.wait(lambda: pipeline.committed(names.access) >= len(self.past), LIMIT_SECONDS)
            pipeline.wait(lambda: not any(pipeline.lag().values()), LIMIT_SECONDS)
            _send(self.bootstrap, names.alerts, before)
            with _console(own) as (console, address):
                _look_until(address, len(before))
                tabs = [_tab(self.chromium, address) for _ in range(min(TABS, browsers - 1))]
                with Crowd(address, browsers - len(tabs)) as crowd:
                    before_seconds, began = usage(console.pid).cpu_seconds, time.monotonic()
                    most_lag = self._come(pipeline)
                    share = (usage(console.pid).cpu_seconds - before_seconds) / (time.monotonic() - began)
                    alerts = pipeline.read(names.alerts)
                    thefts = firsts(
                        [alert for alert in alerts if alert.key not in known], pipeline.read(names.access)
                    )
                    if not thefts:
                        raise RuntimeError("no alert of a theft was published")
                    seen = _seen(set(thefts), crowd, tabs)
                    paints = _paints(self.chromium, address, alerts, next(iter(thefts)), loads)
                for tab in tabs:
                    tab.context.close()
        return Found(
            alerted_ms=[alerted_ms - caused_ms for caused_ms, alerted_ms in thefts.values()],
            clients=shown(thefts, crowd.seen),
            tabs=shown(thefts, seen),
            looks_ms=crowd.looks_ms,
            share=share,
            most_lag=most_lag,
            paints=paints,
            alerts=alerts,
        )

    def _come(self, pipeline: Pipeline) -> int:
        """Let the traffic come, until all that follows from it is committed; the most lag while it came."""
        access, total = pipeline.names.access, len(self.past) + len(self.present)
        feeding = threading.Thread(
            target=steadily, args=(self.bootstrap, access, PARTITIONS, self.present, self.rate)
        )
        feeding.start()
        most_lag = 0
        while feeding.is_alive():
            feeding.join(1.0)
            most_lag = max(most_lag, pipeline.lag()[access])
        pipeline.wait(lambda: pipeline.committed(access) >= total, LIMIT_SECONDS)
        pipeline.wait(lambda: not any(pipeline.lag().values()), LIMIT_SECONDS)
        return most_lag


@contextmanager
def _console(folder: Path) -> Iterator[tuple[Child, str]]:
    """A console with the settings in a folder; its process and address."""
    log = folder / "console.log"
    settings, index = str(folder / "crmwatch.toml"), str(folder / "index.sqlite")
    child = Child(["console", "--settings", settings, "--index", index], log)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while (told := re.search(r"http://[\d.:]+", log.read_text())) is None:
            if child.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the console did not start: {log.read_text()}")
            time.sleep(0.1)
        yield child, told[0]
    finally:
        child.stop()


def _look_until(address: str, incidents: int) -> None:
    """Ask for the board until it counts so many open incidents."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - our own
            if counted(answer.read().decode()) >= incidents:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the board does not count {incidents} incidents")
        time.sleep(0.5)


def counted(page: str) -> int:
    """How many incidents are open, as a board says it; -1 if it says nothing."""
    found = OPEN.search(page)
    return -1 if found is None else int(found[1].replace(",", ""))


def _tab(chromium: Browser, address: str) -> Page:
    """The board in a window of its own."""
    page = chromium.new_context(viewport=WINDOW).new_page()
    page.goto(address)
    page.evaluate(OBSERVE)
    return page


def _seen(wanted: set[str], crowd: Crowd, tabs: Sequence[Page]) -> list[dict[str, float]]:
    """Wait a while for all to have seen all; what the tabs saw."""
    deadline = time.monotonic() + LAST_SECONDS
    while True:
        seen: list[dict[str, float]] = [tab.evaluate("window.seen") for tab in tabs]
        if all(wanted <= each.keys() for each in (*crowd.seen, *seen)) or time.monotonic() > deadline:
            return seen
        time.sleep(0.5)


def _paints(
    chromium: Browser, address: str, alerts: Sequence[Any], uid: str, loads: int
) -> dict[str, tuple[float, float]]:
    """First paint and first contentful paint, medians of so many loads, each in a window that has seen nothing."""
    if not loads:
        return {}
    own = next(_body(alert)["unmapped"]["crmwatch"] for alert in alerts if alert.key.decode() == uid)
    pages = {
        "board": "/",
        "incident": f"/incidents/{quote(uid, safe='')}",
        "identity": f"/identity?{urlencode({'id': own['identity']})}",
        "search": "/search?q=10.",
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
    for _ in range(loads):
        for name, path in pages.items():
            context = chromium.new_context(viewport=WINDOW)
            page = context.new_page()
            answer = page.goto(address + path)
            if answer is None or not answer.ok:
                raise RuntimeError(f"{path} was not answered")
            while len(told := dict(page.evaluate(PAINTS))) < 2:
                page.wait_for_timeout(50)
            found[name].append((told["first-paint"], told["first-contentful-paint"]))
            context.close()
    return {
        name: (statistics.median(first for first, _ in each), statistics.median(full for _, full in each))
        for name, each in found.items()
    }


def firsts(alerts: Sequence[Any], access: Sequence[Any]) -> dict[str, tuple[int, int]]:
    """Of each incident about a theft: when its newest stolen record was appended, and when its first alert was."""
    appended: dict[int, list[int]] = {}
    thieves = set()
    for record in access:
        times = appended.setdefault(record.partition, [])
        assert record.offset == len(times), "records are missing"
        times.append(record.timestamp)
        if THIEVES_NETWORK in record.value:
            thieves.add((record.partition, record.offset))
    by_incident: dict[bytes, list[Any]] = {}
    for alert in alerts:
        by_incident.setdefault(alert.key, []).append(alert)
    found = {}
    for key, each in by_incident.items():
        for latency_ms in latencies(each, appended, thieves):
            alerted_ms = min(alert.timestamp for alert in each)
            found[key.decode()] = alerted_ms - latency_ms, alerted_ms
    return found


def shown(firsts: Mapping[str, tuple[int, int]], seen: Sequence[Mapping[str, float]]) -> Shown:
    """How soon each of several boards named each incident."""
    pairs = [(caused_ms, each.get(uid)) for uid, (caused_ms, _) in firsts.items() for each in seen]
    return Shown(
        [named_ms - caused_ms for caused_ms, named_ms in pairs if named_ms is not None],
        sum(named_ms is None for _, named_ms in pairs),
    )


def renamed(alerts: Sequence[Any], count: int) -> Iterator[Message]:
    """So many open incidents of lesser risk: these alerts under other names, of other identities and addresses."""
    bodies = [(_body(alert), alert.headers) for alert in alerts]
    models = [(body, headers) for body, headers in bodies if body["activity_id"] != Activity.CLOSE]
    for number, (body, headers) in enumerate(islice(cycle(models), count)):
        uid = f"crmwatch-before-{number}"
        lesser = {"activity_id": 1, "severity_id": 2, "risk_score": number % BEFORE_RISK}
        value = msgspec.json.encode(body | lesser | {"finding_info": body["finding_info"] | {"uid": uid}})
        actor = body["unmapped"]["crmwatch"].get("identity", "").rpartition("/")[2].encode()
        for before in (b'"', b"/") if actor else ():  # as a field, and in a tenant's identity
            value = value.replace(before + actor + b'"', before + b'before-%d"' % number)
        address = b"10.%d.%d." % (number // 250, number % 250)
        yield uid.encode(), value.replace(THIEVES_NETWORK, address), headers


def _body(alert: Any) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(alert.value)
    return body


def _send(bootstrap: str, topic: str, messages: Iterable[Message]) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    for key, value, headers in messages:
        producer.send(topic, key=key, value=value, headers=headers)
    producer.flush()
    producer.close()


if __name__ == "__main__":
    main()
