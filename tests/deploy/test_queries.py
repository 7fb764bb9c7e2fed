"""Runs every query of every panel and rule against a real Prometheus that scrapes real workers under traffic."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]
from kafka import KafkaProducer

from detector.adapters import decode
from detector.decision import Kind
from detector.simulation import Theft, World, records
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, in_order
from tests.chaos.test_operators import send
from tests.deploy.deployed import DEPLOY, free_port, read, recorded, tool
from tests.deploy.receivers import Received, answers, wait_for
from tests.deploy.test_grafana import DASHBOARDS, dashboard, grafana_rules, queries
from tests.detector.make import decision

HOUR_MS = 3_600_000
RUNBOOK = "https://wiki.example.org/crmwatch/runbook"
DAY = "it needs a day of metrics"
WITHOUT = {
    "crmwatch:rows_taken:baseline1h": DAY,
    "crmwatch:rows_taken:increase1h / (1000 + 2 * crmwatch:rows_taken:baseline1h)": DAY,
    "max(crmwatch:rows_taken:increase1h / (1000 + 2 * crmwatch:rows_taken:baseline1h))": DAY,
    'crmwatch:events:expected1h{source=~"$source"}': DAY,
    "crmwatch:events:expected1h": DAY,
}
"""Queries without data in a run of minutes, and why."""
SENSITIVE = {
    "detection": {"bound_deviations": 0.3},
    "triage": {"alert_risk": 0, "least_risk": 0, "certain_risk": 0, "support_surprise": 0.2},
}


class Prometheus:
    """A real Prometheus with the shipped configuration, but test addresses and intervals of a second."""

    def __init__(self, workers: list[int], console: int, alertmanager: str, folder: Path) -> None:
        program = tool("prometheus")
        self.port = free_port()
        addresses = {
            "crmwatch": [f"127.0.0.1:{port}" for port in workers],
            "crmwatch-console": [f"127.0.0.1:{console}"],
            "prometheus": [f"127.0.0.1:{self.port}"],
            "alertmanager": [alertmanager.removeprefix("http://")],
        }
        config = read(DEPLOY / "prometheus" / "prometheus.yml")
        config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": addresses[job["job_name"]]}]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": addresses["alertmanager"]}]}]
        (folder / "rules").mkdir()
        for path in DEPLOY.glob("prometheus/rules/*.yml"):
            rules = read(path)
            for group in rules["groups"]:
                group["interval"] = "1s"
            (folder / "rules" / path.name).write_text(yaml.safe_dump(rules), encoding="utf-8")
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--rules.alert.resend-delay=2s",  # resends alerts sent before Alertmanager is discovered
                    "--enable-feature=expand-external-labels",  # always on from Prometheus 3
                ],
                env={**os.environ, "RUNBOOK_URL": RUNBOOK},
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/-/ready"), self.log)

    def ask(self, path: str, **parameters: Any) -> Any:
        """An answer of the HTTP API; an error fails the test."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = json.loads(answer.read())
        assert body["status"] == "success", body
        return body["data"]

    def numbers(self, query: str, since: float) -> list[float]:
        """The drawable values of a query from a time on, in Unix seconds."""
        found = self.ask("query_range", query=query, start=since, end=time.time(), step=2)["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if math.isfinite(value)]

    def stop(self) -> None:
        """Stop Prometheus."""
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture
def prometheus(
    kafka: Broker, names: TopicNames, alertmanager: str, tmp_path: Path
) -> Iterator[tuple[Prometheus, float]]:
    """A Prometheus that scraped two workers through nine days of a company's logs, a theft confirmed as a breach, and
    unreadable records."""
    tool("prometheus")
    ports = [free_port(), free_port(), free_port()]
    start_ms = (time.time_ns() // 1_000_000 // HOUR_MS - 9 * 24) * HOUR_MS
    world = World(seed=1, start_ms=start_ms, hours=9 * 24, people=20, integrations=3)
    found = in_order(records(world, Theft(start_ms=start_ms + (7 * 24 + 3) * HOUR_MS)), decode)
    older = in_order(
        records(World(seed=2, start_ms=start_ms, hours=12, people=20, integrations=3), None), decode
    )
    (tmp_path / "prometheus").mkdir()
    since = time.time()
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True}, SENSITIVE) as pipeline:
        pipeline.set("worker", "metrics_port", ports[0])
        first = pipeline.start_worker()
        arguments = ["console", "--settings", str(tmp_path / "crmwatch.toml"), "--port", str(ports[2])]
        console = Child(arguments, tmp_path / "console.log")
        running = Prometheus(ports[:2], ports[2], alertmanager, tmp_path / "prometheus")
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{ports[0]}/ready"), first.log)
            wait_for(lambda: answers(f"http://127.0.0.1:{ports[2]}/live"), console.log)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{ports[2]}/nothing", timeout=10)
            half = len(found) * 3 // 4
            pipeline.publish_keyed(found[:half])
            pipeline.wait(lambda: pipeline.committed(names.access) == half, 90)
            pipeline.set("worker", "metrics_port", ports[1])
            second = pipeline.start_worker()
            wait_for(lambda: answers(f"http://127.0.0.1:{ports[1]}/ready"), second.log)
            _unreadable(kafka.bootstrap, names.access)
            breach = decision(Kind.BREACH, time.time_ns() // 1_000_000, "crmwatch-0a")
            send(kafka.bootstrap, names.feedback, "crmwatch-0a", breach)
            pipeline.publish_keyed(found[half:])
            pipeline.publish_keyed(older)
            pipeline.wait(lambda: pipeline.committed(names.access) == len(found) + len(older) + 40, 90)
            pipeline.wait(lambda: not any(pipeline.lag().values()), 90)
            time.sleep(5)  # a few more scrapes and evaluations
            yield running, since
        finally:
            running.stop()
            console.kill()


@pytest.mark.timeout(480)
def test_every_query_of_every_panel_and_rule_has_data_and_none_errs(
    prometheus: tuple[Prometheus, float], received: Received
) -> None:
    """Exactly the listed queries have no data; the dead man's switch reaches the receiver."""
    running, since = prometheus
    asked = {expression for path in DASHBOARDS for _, expression in queries(dashboard(path))}
    asked |= {rule["data"][0]["model"]["expr"] for rule in grafana_rules()}
    asked |= recorded()
    empty = {query for query in asked if not running.numbers(_filled(query), since)}
    assert empty == {query for query in WITHOUT if query in asked}

    groups = running.ask("rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert [(rule["name"], rule.get("lastError")) for rule in evaluated if rule["health"] != "ok"] == []
    [watchdog] = [rule for rule in evaluated if rule["name"] == "CrmwatchWatchdog"]
    assert watchdog["state"] == "firing"
    wait_for(lambda: received.to("/heartbeat"), running.log)
    heard = {alert["labels"]["alertname"] for body in received.to("/heartbeat") for alert in body["alerts"]}
    assert heard == {"CrmwatchWatchdog"}
    for alert in (alert for body in received.to("/heartbeat") for alert in body["alerts"]):
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOK}#crmwatchwatchdog"
        assert "runbook" not in alert["labels"]

    for path in DASHBOARDS:
        for variable in dashboard(path)["templating"]["list"]:
            if variable["type"] == "query":
                [(metric, label)] = re.findall(r"label_values\((\w+), (\w+)\)", variable["definition"])
                assert running.ask(f"label/{label}/values", **{"match[]": metric}), variable["name"]


def _filled(query: str) -> str:
    """A query as Grafana sends it, with everything selected."""
    for name, value in {
        "$__rate_interval": "15s",
        "$__range": "5m",
        "$source": ".*",
        "$category": ".*",
    }.items():
        query = query.replace(name, value)
    return query


def _unreadable(bootstrap: str, topic: str) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(40):
        broken = b"no record at all" if number % 2 else b'{"EVENT_TYPE": "API", "TIMESTAMP": "never"}'
        producer.send(topic, value=broken, partition=number % 2)
    producer.flush()
    producer.close()
