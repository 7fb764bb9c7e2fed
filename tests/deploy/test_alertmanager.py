"""Who is told of what: the shipped configuration, checked by Alertmanager's tool and run by a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.deployed import DEPLOY, alerts, read, tool
from tests.deploy.receivers import Received, wait_for

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
RECEIVERS = {
    "CrmwatchWatchdog": "heartbeat",
    "CrmwatchCriticalIncidentOpen": "soc-on-call",
    "CrmwatchRowsLeavingHigh": "soc",
    "CrmwatchNoWorker": "operations-on-call",
    "CrmwatchSourceSilent": "operations",
    "CrmwatchDeadLetters": "nobody",
}


def test_the_configuration_is_valid_and_its_templates_are_found() -> None:
    """Alertmanager's own tool accepts the file, and each template that is used is defined."""
    done = subprocess.run(
        [tool("amtool"), "check-config", str(CONFIG)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
    text = CONFIG.read_text(encoding="utf-8")
    defined = "\n".join(path.read_text(encoding="utf-8") for path in CONFIG.parent.glob("templates/*.tmpl"))
    for name in {part.split('"')[1] for part in text.split("{{ template ")[1:]}:
        assert f'{{{{ define "{name}"' in defined


@pytest.mark.parametrize("name", RECEIVERS)
def test_an_alert_reaches_whom_it_concerns(name: str) -> None:
    """By its severity and area, critical ones about data wake the SOC, others the operators; info wakes nobody."""
    labels = [f"{key}={value}" for key, value in alerts()[name]["labels"].items()]
    command = [tool("amtool"), "config", "routes", "test", f"--config.file={CONFIG}"]
    done = subprocess.run(
        [*command, f"alertname={name}", *labels], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [RECEIVERS[name]], done.stderr


def test_inhibition_names_alerts_that_exist() -> None:
    """Both sides of each rule match some alert, and what follows from a worker is silenced by a lost one."""
    for rule in read(CONFIG)["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            assert any(_matches(alert, rule[side]) for alert in _labelled()), rule
    followers = {alert["alertname"] for alert in _labelled() if alert.get("follows") == "worker"}
    assert followers == {
        "CrmwatchLagGrowing",
        "CrmwatchCommitsStopped",
        "CrmwatchRecoveryStuck",
        "CrmwatchDetectionSlow",
        "CrmwatchBudgetBurnsFast",
        "CrmwatchBudgetBurnsSlowly",
    }


def test_no_secret_is_in_the_files() -> None:
    """Passwords, tokens and Slack's address are read from files of their own."""
    config = read(CONFIG)
    text = CONFIG.read_text(encoding="utf-8")
    for key in ("smtp_auth_password_file", "slack_api_url_file"):
        assert config["global"][key].startswith("/run/secrets/")
    for word in ("smtp_auth_password:", "slack_api_url:", "auth_password:", "credentials:", "api_url:"):
        assert word not in text


@pytest.mark.timeout(120)
def test_a_critical_alert_arrives_by_mail_slack_and_webhook_and_what_follows_from_it_does_not(
    alertmanager: str, received: Received, tmp_path: Path
) -> None:
    """All say what, how bad and what to do; a lost worker silences what follows; the heartbeat beats; info is quiet."""
    log = tmp_path / "alertmanager.log"
    _send(alertmanager, ["CrmwatchNoWorker"])
    wait_for(lambda: any(_names(body) == {"CrmwatchNoWorker"} for body in received.to("/crmwatch")), log)
    names = [
        "CrmwatchCriticalIncidentOpen", "CrmwatchLagGrowing", "CrmwatchWorkerDown", "CrmwatchSourceSilent",
        "CrmwatchDeadLetters", "CrmwatchWatchdog",
    ]  # fmt: skip
    _send(alertmanager, names)
    wait_for(
        lambda: (
            received.to("/slack")
            and len(received.to("/crmwatch")) >= 2
            and len(received.mails) >= 2
            and received.to("/heartbeat")
        ),
        log,
    )
    time.sleep(3)  # longer than every group waits here: nothing else is to come
    incident = alerts()["CrmwatchCriticalIncidentOpen"]["annotations"]
    told = {name for body in received.to("/crmwatch") for name in _names(body)}
    assert told == {"CrmwatchNoWorker", "CrmwatchCriticalIncidentOpen"}
    assert {name for body in received.to("/heartbeat") for name in _names(body)} == {"CrmwatchWatchdog"}

    [slack] = received.to("/slack")
    [attachment] = slack["attachments"]
    assert attachment["color"] == "danger"
    assert attachment["title"] == f"[CRITICAL] {incident['summary']}"
    assert incident["description"] in attachment["text"]
    assert incident["runbook_url"] in attachment["text"]

    subjects = sorted(mail["Subject"] for mail in received.mails)
    assert subjects == [
        f"[CRITICAL] {incident['summary']}",
        f"[CRITICAL] {alerts()['CrmwatchNoWorker']['annotations']['summary']}",
    ]
    [mail] = [mail for mail in received.mails if mail["Subject"] == subjects[0]]
    assert mail["To"] == "soc@example.org"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,)).get_content()
        assert incident["description"] in body
        assert incident["runbook_url"] in body
        assert "2026-03-02 03:00 UTC" in body
        assert "<no value>" not in body


def _send(address: str, names: list[str]) -> None:
    """As Prometheus does, with the labels and annotations of the rules; they fire since the night."""
    body = [
        {
            "labels": {"alertname": name, **alerts()[name]["labels"]},
            "annotations": alerts()[name]["annotations"],
            "startsAt": "2026-03-02T03:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
        }
        for name in names
    ]
    request = urllib.request.Request(  # noqa: S310 - a loopback address of our own
        f"{address}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


def _names(body: Any) -> set[str]:
    return {alert["labels"]["alertname"] for alert in body["alerts"]}


def _labelled() -> list[dict[str, str]]:
    return [{"alertname": name, **alert["labels"]} for name, alert in alerts().items()]


def _matches(labels: dict[str, str], matchers: list[str]) -> bool:
    for matcher in matchers:
        label, operator, value = matcher.replace('"', "").split(" ")
        words = value.replace(".*", "").split("|")
        found = labels.get(label, "")
        if operator == "=~" and not any(found.startswith(word) for word in words):
            return False
        if operator == "=" and found != value:
            return False
    return True
