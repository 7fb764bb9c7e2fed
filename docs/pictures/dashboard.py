"""Draws the picture of Grafana's SOC dashboard: ``python docs/pictures/dashboard.py`` (some ten minutes).

Needs the extra ``dev``, and on PATH Prometheus, promtool, Alertmanager and a Chromium. Grafana does not run: `panels`
draws the panels of ``deploy/grafana/dashboards/soc.json`` from a real Prometheus's answers to their queries; it
evaluates the shipped rules and scrapes two real workers each second.

The workers read two weeks of a simulated airline and a theft up to now, which is then confirmed as a breach. Prometheus
cannot scrape last week, so the script reads the workers' metrics every few minutes of traffic and imports them as
scraped at the traffic's time; promtool evaluates the recording rules for that time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import panels
import yaml  # type: ignore[import-untyped, unused-ignore]
from console import free_port
from kafka import KafkaConsumer, KafkaProducer  # type: ignore[import-untyped, unused-ignore]
from panels import Answer, Span
from playwright.sync_api import sync_playwright
from prometheus_client.parser import text_string_to_metric_families

from detector.adapters import decode
from detector.decision import Decision, DecisionSubject, Kind, encode
from detector.simulation.world import Theft, World, records
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan

HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "deploy"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
LEARNED = 15 * DAY
SCRAPED = 7 * DAY + 10 * HOUR
"""The baseline needs the last seven days, for each of the hours shown."""
SHOWN = 6 * HOUR
COARSE, FINE = 30 * MINUTE, 2 * MINUTE
"""Scrape intervals before and in the time shown."""
THEFT_BEFORE = 42 * MINUTE
LIVE_SECONDS = 330
"""How long the rules then run live: an alert must hold for up to five minutes."""
PATIENCE_SECONDS = 120
FIRST = "crmwatch:rows_taken:increase1h"
"""Another rule uses this series, so it is evaluated first."""
VARIABLES = {"$__rate_interval": "8m", "$__range": "6h"}


def main() -> None:
    """Two weeks, a theft, and the dashboard as it stands then."""
    with tempfile.TemporaryDirectory(prefix="crmwatch-dashboard-") as name, Broker() as broker:
        folder = Path(name)
        names = TopicNames()
        ensure(broker.bootstrap, plan(4, 1, names))
        at = ["worker", "--bootstrap", broker.bootstrap, "--keyed", "--metrics-port"]
        ports = [free_port(), free_port()]
        workers = [Child([*at, str(port)], folder / f"worker-{port}.log") for port in ports]
        try:
            end = _feed(broker.bootstrap, names.access, ports, folder / "scraped.txt")
            _confirm(broker.bootstrap, names)
            with _prometheus(folder, ports, end) as ask:
                picture = _draw(ask)
        finally:
            for worker in workers:
                worker.stop()
        (folder / "dashboard.html").write_text(picture, encoding="utf-8")
        _photograph(folder / "dashboard.html", HERE / "dashboard.png")


# --- the workers, and what they would have been scraped for


def _feed(bootstrap: str, topic: str, ports: list[int], scraped: Path) -> float:
    """Publish everything up to now, and write down what is scraped meanwhile; when the last of it was."""
    now = time.time()
    start_ms = int((now - LEARNED) // HOUR * HOUR * 1000)
    hours = int(LEARNED // HOUR) + 2
    world = World(seed=3, start_ms=start_ms, hours=hours, people=60, integrations=5)
    rows = records(world, Theft(start_ms=int((now - THEFT_BEFORE) * 1000)))
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    _until(lambda: all(_text(port) for port in ports))
    published = 0
    due = (now - SCRAPED) // COARSE * COARSE
    with scraped.open("w", encoding="utf-8") as file:
        for time_ms, row in rows:
            while time_ms / 1000 >= due:
                producer.flush()
                _scrape(ports, topic, published, due, file.write)
                due += COARSE if due < now - SHOWN - 2 * HOUR else FINE
                if due > time.time() - 15:
                    break
            if due > time.time() - 15:
                break
            producer.send(topic, value=row, key=decode(row, "picture").identity.encode())
            published += 1
        file.write("# EOF\n")
    producer.close()
    return due - FINE


def _confirm(bootstrap: str, names: TopicNames) -> None:
    """Decide, as an operator would, that the gravest incident is a breach: its clock begins."""
    consumer: Any = KafkaConsumer(
        names.alerts, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    gravest = max((json.loads(message.value) for message in consumer), key=lambda told: told["risk_score"])
    consumer.close()
    uid = gravest["finding_info"]["uid"]
    breach = Decision(
        kind=Kind.BREACH,
        subject=DecisionSubject(incident=uid),
        time_ms=time.time_ns() // 1_000_000,
        by="ana",
    )
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(names.feedback, key=uid.encode(), value=encode(breach))
    producer.flush()
    producer.close()


def _scrape(ports: list[int], topic: str, published: int, at: float, write: Callable[[str], Any]) -> None:
    """Wait until all that is published has been worked off; write down what is served, as served at a time."""

    def worked_off() -> bool:
        samples = [sample for port in ports for sample in _samples(_text(port))]
        read = [one for one in samples if one.name == "crmwatch_records_read_total"]
        return sum(float(one.value) for one in read if one.labels["topic"] == topic) >= published

    _until(worked_off)
    time.sleep(0.25)  # triage is a step behind
    for port in ports:
        here = {"job": "crmwatch", "instance": f"127.0.0.1:{port}"}
        write(f"up{_labels(here)} 1 {at:.0f}\n")
        for sample in _samples(_text(port)):
            # Neither processes nor what is of this moment only, such as what waits.
            if sample.name.startswith("crmwatch_") and "_seconds" not in sample.name:
                write(f"{sample.name}{_labels({**sample.labels, **here})} {sample.value} {at:.0f}\n")


def _text(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _samples(text: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


def _until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        if time.monotonic() > end:
            raise SystemExit("the workers do not come along")
        time.sleep(0.05)


# --- Prometheus


@contextmanager
def _prometheus(folder: Path, ports: list[int], end: float) -> Iterator[Callable[..., Any]]:
    """One that knows what was written down, with the shipped rules; it scrapes the workers for a while longer."""
    port, manager = free_port(), free_port()
    data = folder / "data"
    _configure(folder, ports, manager)
    _promtool("tsdb", "create-blocks-from", "openmetrics", str(folder / "scraped.txt"), str(data))
    # It cannot record what follows from what it is just recording: hence two runs.
    for rules in ("first.yml", "second.yml"):
        with _running(folder, port):
            _promtool(
                "tsdb", "create-blocks-from", "rules", f"--start={end - SCRAPED:.0f}", f"--end={end:.0f}",
                "--eval-interval=60s", f"--url=http://127.0.0.1:{port}", f"--output-dir={data}", str(folder / rules),
            )  # fmt: skip
    with _alertmanager(folder, manager), _running(folder, port):
        time.sleep(LIVE_SECONDS)
        yield lambda path, **parameters: _asked(port, path, parameters)


def _configure(folder: Path, ports: list[int], manager: int) -> None:
    """The shipped files, but with our addresses, and each second."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    addresses = {"crmwatch": ports, "alertmanager": [manager]}
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in addresses]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in addresses[job["job_name"]]]}]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "rules").mkdir()
    recorded: dict[bool, list[Any]] = {True: [], False: []}
    for path in DEPLOY.glob("prometheus/rules/*.yml"):
        rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                if "rows_taken" in rule.get("record", ""):
                    recorded[rule["record"] == FIRST].append(rule)
        (folder / "rules" / path.name).write_text(yaml.safe_dump(rules), encoding="utf-8")
    for name, first in (("first.yml", True), ("second.yml", False)):
        group = {"name": "past", "interval": "1m", "rules": recorded[first]}
        (folder / name).write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")


@contextmanager
def _running(folder: Path, port: int) -> Iterator[None]:
    """Prometheus on a port."""
    command = [
        _tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--query.lookback-delta={COARSE + MINUTE}s",  # for the scrapes that are so far apart
    ]
    with _process(command, folder, port):
        yield


@contextmanager
def _alertmanager(folder: Path, port: int) -> Iterator[None]:
    """One that takes everything and tells nobody."""
    told = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    command = [
        _tool("alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _process(command, folder, port):
        yield


@contextmanager
def _process(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """A process until it is no longer needed, from when it is ready."""
    with (folder / "processes.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until(lambda: _answers(port))
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _tool(*names: str) -> str:
    """A program by the first of its names that is on PATH."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise SystemExit(f"there is no {names[0]} on this machine")
    return found


def _asked(port: int, path: str, parameters: dict[str, Any]) -> Any:
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())["data"]["result"]


def _promtool(*arguments: str) -> None:
    subprocess.run([_tool("promtool"), *arguments], check=True, stdout=subprocess.DEVNULL)


# --- the picture


def _draw(ask: Callable[..., Any]) -> str:
    now = time.time()
    end = now // MINUTE * MINUTE
    span = Span(end - SHOWN, end, MINUTE)

    def panel(query: str, instant: bool) -> list[Answer]:
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        if instant:
            return [
                Answer(one["metric"], [(float(one["value"][0]), float(one["value"][1]))])
                for one in ask("query", query=query, time=now)
            ]
        found = ask("query_range", query=query, start=span.start, end=span.end, step=span.step)
        return [Answer(one["metric"], [(float(t), float(v)) for t, v in one["values"]]) for one in found]

    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "soc.json").read_text(encoding="utf-8"))
    return panels.page(dashboard, panel, span)


def _photograph(page_file: Path, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        context = browser.new_context(
            viewport={"width": panels.WIDTH, "height": 900}, device_scale_factor=1.5
        )
        page = context.new_page()
        page.goto(page_file.as_uri())
        page.screenshot(path=picture, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
