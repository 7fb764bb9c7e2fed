"""Who is told of what: the shipped configuration, checked by Alertmanager's tool and run by a real Alertmanager."""

from __future__ import annotations

import json
import socketserver
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

from tests.deploy.deployed import DEPLOY, alerts, free_port, read, tool

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
RECEIVERS = {
    "CrmwatchWatchdog": "heartbeat",
    "CrmwatchCriticalIncidentOpen": "soc-on-call",
    "CrmwatchRowsLeavingHigh": "soc",
    "CrmwatchNoWorker": "operations-on-call",
    "CrmwatchSourceSilent": "operations",
    "CrmwatchDeadLetters": "nobody",
}


class Received:
    """What has come by HTTP (path and JSON) and by mail, to servers on this machine that take everything."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.mails: list[Any] = []
        received = self

        class Http(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Smtp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(line)
                        received.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), Http),
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp),
        ]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.http_port, self.smtp_port = (int(server.server_address[1]) for server in self._servers)

    def to(self, path: str) -> list[Any]:
        """What was posted to a path."""
        return [body for where, body in self.posts if where == path]

    def close(self) -> None:
        """Stop the servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def received() -> Iterator[Received]:
    """Receivers for one test."""
    found = Received()
    yield found
    found.close()


@pytest.fixture
def alertmanager(received: Received, tmp_path: Path) -> Iterator[str]:
    """The address of a real Alertmanager with the shipped configuration, but our addresses and less patience."""
    program = tool("alertmanager", "prometheus-alertmanager")
    config = _ours(read(CONFIG), received, tmp_path)
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={path}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(f"{address}/-/ready"), tmp_path / "alertmanager.log")
        yield address
    finally:
        process.terminate()
        process.wait(20)


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
    _wait(lambda: any(_names(body) == {"CrmwatchNoWorker"} for body in received.to("/crmwatch")), log)
    names = [
        "CrmwatchCriticalIncidentOpen", "CrmwatchLagGrowing", "CrmwatchWorkerDown", "CrmwatchSourceSilent",
        "CrmwatchDeadLetters", "CrmwatchWatchdog",
    ]  # fmt: skip
    _send(alertmanager, names)
    _wait(
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


def _ours(config: dict[str, Any], received: Received, folder: Path) -> dict[str, Any]:
    """The shipped configuration with receivers of this test's."""
    base = f"http://127.0.0.1:{received.http_port}"
    (folder / "slack").write_text(f"{base}/slack", encoding="utf-8")
    (folder / "token").write_text("t", encoding="utf-8")
    config["global"] |= {
        "smtp_smarthost": f"127.0.0.1:{received.smtp_port}",
        "smtp_require_tls": False,
        "slack_api_url_file": str(folder / "slack"),
    }
    del config["global"]["smtp_auth_username"], config["global"]["smtp_auth_password_file"]
    config["templates"] = [str(CONFIG.parent / "templates" / "*.tmpl")]
    for route in [config["route"], *config["route"]["routes"]]:
        route |= {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs", []):
            hook["url"] = base + ("/heartbeat" if "heartbeat" in hook["url"] else "/crmwatch")
            if "http_config" in hook:
                hook["http_config"]["authorization"]["credentials_file"] = str(folder / "token")
    return config


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


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of our own
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(what: Callable[[], Any], log: Path) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        time.sleep(0.1)
