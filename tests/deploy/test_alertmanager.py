"""Who is notified of what: the shipped configuration, checked with amtool and run in a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.deployed import DEPLOY, alerts, read, tool
from tests.deploy.receivers import Received, wait_for

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
RECEIVERS = {
    "CrmwatchWatchdog": "heartbeat",
    "CrmwatchCriticalIncidentOpen": "soc-on-call",
    "CrmwatchRowsTakenHigh": "soc",
    "CrmwatchNoWorker": "operations-on-call",
    "CrmwatchSourceLate": "operations",
    "CrmwatchDeadLetters": "nobody",
}
DISTINCT = ("instance", "category", "incident", "source", "topic")
"""The labels that distinguish two alerts of one name."""
Told = tuple[str, dict[str, str]]
INHIBITED: dict[str, tuple[Told, list[Told], list[Told]]] = {
    "no worker": (
        ("CrmwatchNoWorker", {}),
        [
            ("CrmwatchWorkerDown", {"instance": "a"}),
            ("CrmwatchWorkerRestarting", {"instance": "a"}),
            ("CrmwatchLagGrowing", {"topic": "crm.access"}),
            ("CrmwatchProcessingStalled", {"instance": "a"}),
            ("CrmwatchRecoveryStuck", {"instance": "a"}),
            ("CrmwatchDetectionSlow", {}),
            ("CrmwatchErrorBudgetBurnsFast", {}),
            ("CrmwatchErrorBudgetBurnsSlowly", {}),
            ("CrmwatchSourceSilent", {"source": "zendesk"}),
            ("CrmwatchSourceSilentLong", {"source": "zendesk"}),
        ],
        [("CrmwatchSourceLate", {"source": "zendesk"}), ("CrmwatchCriticalIncidentOpen", {})],
    ),
    "one worker of two": (
        ("CrmwatchWorkerDown", {"instance": "a"}),
        [
            ("CrmwatchLagGrowing", {"topic": "crm.access"}),
            ("CrmwatchDetectionSlow", {}),
            ("CrmwatchErrorBudgetBurnsSlowly", {}),
            ("CrmwatchRecoveryStuck", {"instance": "a"}),
        ],
        [
            ("CrmwatchProcessingStalled", {"instance": "b"}),
            ("CrmwatchRecoveryStuck", {"instance": "b"}),
            ("CrmwatchWorkerRestarting", {"instance": "b"}),
            ("CrmwatchErrorBudgetBurnsFast", {}),
            ("CrmwatchSourceSilent", {"source": "zendesk"}),
            ("CrmwatchCriticalIncidentOpen", {}),
        ],
    ),
    "far more rows than more rows": (
        ("CrmwatchRowsTakenVeryHigh", {"category": "contact"}),
        [("CrmwatchRowsTakenHigh", {"category": "contact"})],
        [("CrmwatchRowsTakenHigh", {"category": "payment"})],
    ),
    "a deadline that has passed": (
        ("CrmwatchBreachClockExpired", {"incident": "1"}),
        [
            ("CrmwatchBreachClockBelow24h", {"incident": "1"}),
            ("CrmwatchBreachClockBelow6h", {"incident": "1"}),
        ],
        [("CrmwatchBreachClockBelow24h", {"incident": "2"})],
    ),
    "the nearer deadline": (
        ("CrmwatchBreachClockBelow6h", {"incident": "1"}),
        [("CrmwatchBreachClockBelow24h", {"incident": "1"})],
        [("CrmwatchBreachClockBelow24h", {"incident": "2"})],
    ),
    "a changed schema": (
        ("CrmwatchSourceSchemaChanged", {"source": "zendesk"}),
        [("CrmwatchDeadLetters", {"source": "zendesk"})],
        [("CrmwatchDeadLetters", {"source": "hubspot"})],
    ),
    "the faster burn": (
        ("CrmwatchErrorBudgetBurnsFast", {}),
        [("CrmwatchErrorBudgetBurnsSlowly", {})],
        [("CrmwatchLagGrowing", {"topic": "crm.access"})],
    ),
}
"""By case: the cause, the alerts suppressed while it fires, and those that are not."""


def test_the_configuration_is_valid_and_its_templates_are_found() -> None:
    """amtool accepts the file, and each template in use is defined."""
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
    """Severity and area route critical data alerts to the SOC on call, others to operations, and info to nobody."""
    labels = [f"{key}={value}" for key, value in alerts()[name]["labels"].items()]
    command = [tool("amtool"), "config", "routes", "test", f"--config.file={CONFIG}"]
    done = subprocess.run(
        [*command, f"alertname={name}", *labels], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [RECEIVERS[name]], done.stderr


def test_inhibition_names_alerts_that_exist() -> None:
    """Both sides of each rule match some alert, and one lost worker of several suppresses no other critical alert."""
    for rule in read(CONFIG)["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            assert any(_matches(alert, rule[side]) for alert in _labelled()), rule
    followers = {
        follows: {alert["alertname"] for alert in _labelled() if alert.get("follows") == follows}
        for follows in ("worker", "no-worker", "pipeline")
    }
    assert followers == {
        "worker": {"CrmwatchLagGrowing", "CrmwatchDetectionSlow", "CrmwatchErrorBudgetBurnsSlowly"},
        "no-worker": {
            "CrmwatchWorkerRestarting",
            "CrmwatchProcessingStalled",
            "CrmwatchRecoveryStuck",
            "CrmwatchErrorBudgetBurnsFast",
        },
        "pipeline": {"CrmwatchSourceSilent", "CrmwatchSourceSilentLong"},
    }
    assert {alerts()[name]["labels"]["severity"] for name in followers["worker"]} == {"warning"}


def test_no_secret_is_in_the_files() -> None:
    """Passwords, tokens and Slack's address are read from separate files."""
    config = read(CONFIG)
    text = CONFIG.read_text(encoding="utf-8")
    for key in ("smtp_auth_password_file", "slack_api_url_file"):
        assert config["global"][key].startswith("/run/secrets/")
    for word in ("smtp_auth_password:", "slack_api_url:", "auth_password:", "credentials:", "api_url:"):
        assert word not in text


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_receiver_is_notified_on_all_its_channels_and_nobody_else_is(
    alertmanager: str, received: Received, tmp_path: Path
) -> None:
    """Mail, Slack and webhook carry summary, severity, start and runbook link, and later the end; info is silent."""
    log = tmp_path / "alertmanager.log"
    _send(alertmanager, [firing(name) for name in RECEIVERS])
    wait_for(lambda: len(received.mails) >= 4 and len(received.to("/slack")) >= 2, log)
    wait_for(lambda: len(received.to("/crmwatch")) >= 2 and received.to("/heartbeat"), log)
    time.sleep(3)  # longer than every group_wait here: nothing else may arrive
    said = {name: alerts()[name]["annotations"]["summary"] for name in RECEIVERS}
    assert sorted((mail["To"], mail["Subject"]) for mail in received.mails) == [
        ("operations@example.org", f"[CRITICAL] {said['CrmwatchNoWorker']}"),
        ("operations@example.org", f"[WARNING] {said['CrmwatchSourceLate']}"),
        ("soc@example.org", f"[CRITICAL] {said['CrmwatchCriticalIncidentOpen']}"),
        ("soc@example.org", f"[WARNING] {said['CrmwatchRowsTakenHigh']}"),
    ]
    shown = {body["attachments"][0]["title"]: body["attachments"][0] for body in received.to("/slack")}
    assert set(shown) == {
        f"[CRITICAL] {said['CrmwatchCriticalIncidentOpen']}",
        f"[WARNING] {said['CrmwatchRowsTakenHigh']}",
    }
    on_call = sorted(_names(body) for body in received.to("/crmwatch"))
    assert on_call == [["CrmwatchCriticalIncidentOpen"], ["CrmwatchNoWorker"]]
    assert {name for body in received.to("/heartbeat") for name in _names(body)} == {"CrmwatchWatchdog"}

    incident = firing("CrmwatchCriticalIncidentOpen")
    description, link = incident["annotations"]["description"], incident["annotations"]["runbook_url"]
    attachment = shown[f"[CRITICAL] {said['CrmwatchCriticalIncidentOpen']}"]
    assert attachment["color"] == "danger"
    assert description in attachment["text"]
    assert link in attachment["text"]
    [mail] = [mail for mail in received.mails if "A critical incident" in mail["Subject"]]
    for kind in ("plain", "html"):
        body = mail.get_body((kind,)).get_content()
        assert description in body
        assert "2026-03-02 03:00 UTC" in body
        assert "<no value>" not in body
        assert (link if kind == "plain" else f'<a href="{link}">') in body

    _send(alertmanager, [incident | {"endsAt": "2026-03-02T04:00:00Z"}])
    wait_for(lambda: len(received.mails) == 5 and len(received.to("/slack")) == 3, log)
    wait_for(lambda: len(received.to("/crmwatch")) == 3, log)
    over = f"[RESOLVED] {said['CrmwatchCriticalIncidentOpen']}"
    assert received.mails[-1]["Subject"] == over
    assert "Over since 2026-03-02 04:00 UTC" in received.mails[-1].get_body(("html",)).get_content()
    [attachment] = received.to("/slack")[-1]["attachments"]
    assert (attachment["title"], attachment["color"]) == (over, "good")
    assert received.to("/crmwatch")[-1]["status"] == "resolved"


@pytest.mark.slow
@pytest.mark.parametrize("case", INHIBITED)
@pytest.mark.timeout(120)
def test_the_consequences_of_a_firing_alert_are_suppressed(
    case: str, alertmanager: str, received: Received, tmp_path: Path
) -> None:
    """While a cause fires, exactly its consequences are suppressed, for the same source, incident or worker only."""
    cause, silent, heard = INHIBITED[case]
    now = {
        "startsAt": datetime.now(UTC).isoformat()
    }  # an alert older than its group_wait would notify at once
    _send(alertmanager, [firing(name, **labels) | now for name, labels in [cause, *silent, *heard]])
    wait_for(lambda: len(_state(alertmanager)) == 1 + len(silent) + len(heard), tmp_path / "alertmanager.log")
    assert _state(alertmanager) == {
        **{_key(*one): "active" for one in [cause, *heard]},
        **{_key(*one): "suppressed" for one in silent},
    }
    critical = {
        _key(name, labels)
        for name, labels in [cause, *heard]
        if alerts()[name]["labels"]["severity"] == "critical"
    }
    told = lambda: {  # noqa: E731 - asked again and again
        _key(alert["labels"]["alertname"], {key: alert["labels"].get(key, "") for key in DISTINCT})
        for body in received.to("/crmwatch")
        for alert in body["alerts"]
    }
    wait_for(lambda: critical <= told(), tmp_path / "alertmanager.log")
    time.sleep(2)
    assert told() == critical


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_hostile_text_stays_text(alertmanager: str, received: Received, tmp_path: Path) -> None:
    """Labels and annotations create no element, link or header in a mail, and mention nobody in Slack."""
    script = "<script>alert(1)</script>"
    evil = f'</title></p>{script}<img src=x onerror="alert(2)">" <!channel> <https://evil.example|here> &'
    hostile = {
        "labels": {
            "alertname": evil,
            "severity": "critical",
            "area": "data",
            "category": evil,
            "incident": evil,
        },
        "annotations": {
            "summary": f"{evil}\r\nBcc: evil@example.org\r\n\r\nbody",
            "description": evil + "{{ .ExternalURL }}",
            "runbook_url": "javascript:alert(3)",
        },
        "startsAt": "2026-03-02T03:00:00Z",
        "generatorURL": "javascript:alert(4)",
    }
    _send(alertmanager, [hostile])
    log = tmp_path / "alertmanager.log"
    wait_for(lambda: received.mails and received.to("/slack") and received.to("/crmwatch"), log)
    [mail] = received.mails
    assert mail["Bcc"] is None
    assert mail["To"] == "soc@example.org"
    page = Elements()
    page.feed(mail.get_body(("html",)).get_content())
    assert page.names == {
        "html", "head", "meta", "title", "body", "h1", "p", "table", "tr", "th", "td", "a",
    }  # fmt: skip
    assert page.attributes == {"lang", "charset", "style", "scope", "href"}
    assert all(link.startswith(("http://", "#")) for link in page.links), page.links
    assert page.text.count(script) == 3  # in the title, the heading and the description
    [attachment] = received.to("/slack")[0]["attachments"]
    for words in (attachment["title"], attachment["text"], attachment["fallback"]):
        assert "<" not in words
        assert "&lt;!channel&gt;" in words
    [alert] = received.to("/crmwatch")[0]["alerts"]
    assert alert["labels"]["category"] == evil  # JSON needs nothing more


class Elements(HTMLParser):
    """Which elements, attributes and links a page has, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def firing(name: str, **labels: str) -> dict[str, Any]:
    """An alert as Prometheus sends it, with the labels and annotations of its rule."""
    link = {"runbook_url": f"https://runbook.example.org/#{name.lower()}"}
    return {
        "labels": {"alertname": name, **alerts()[name]["labels"], **labels},
        "annotations": alerts()[name]["annotations"] | link,
        "startsAt": "2026-03-02T03:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
    }


def _send(address: str, told: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(  # noqa: S310 - a loopback address of our own
        f"{address}/api/v2/alerts", json.dumps(told).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


def _state(address: str) -> dict[tuple[str, ...], str]:
    """The state of each alert in Alertmanager, active or suppressed."""
    with urllib.request.urlopen(f"{address}/api/v2/alerts", timeout=10) as answer:  # noqa: S310
        found = json.loads(answer.read())
    return {_key(one["labels"]["alertname"], one["labels"]): one["status"]["state"] for one in found}


def _key(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    return (name, *(labels.get(key, "") for key in DISTINCT))


def _names(body: Any) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in body["alerts"])


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
