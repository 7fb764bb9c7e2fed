"""The Compose file and the image: against the specification, and what they name against what there is."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose

from streams import __version__
from streams.config import ConsoleSettings
from streams.console.web.auth import Role, Sessions, User, read_tokens
from tests.deploy.deployed import ROOT, read, refused, served, tool, variables

COMPOSE: dict[str, Any] = read(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)


def test_it_is_what_the_compose_specification_asks_for() -> None:
    """Every key and value is one of the specification's; what is not is refused, so that this says something."""
    PyCompose.from_json(json.dumps(COMPOSE))
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["kafka"]["reed_only"] = True
    with pytest.raises(ValueError, match="reed_only"):
        PyCompose.from_json(json.dumps(broken))


def test_everything_that_is_wanted_is_there() -> None:
    """Kafka and its topics, two workers that keep their names, the console, and what watches them."""
    assert set(SERVICES) == {
        "kafka", "topics", "worker-1", "worker-2", "console", "prometheus", "alertmanager", "grafana",
    }  # fmt: skip
    names = [SERVICES[name]["environment"]["CRMWATCH_WORKER_INSTANCE"] for name in ("worker-1", "worker-2")]
    assert names == ["worker-1", "worker-2"]
    assert OURS == ["console", "topics", "worker-1", "worker-2"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    """A pinned image, no root, nothing to write on but what is named, no capabilities, and a check of its health."""
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service)
    assert service["logging"] == {"driver": "local"}, "the default fills the disk"
    assert all("size=" in one for one in service["tmpfs"]), "a tmpfs is memory"
    if name != "topics":  # it ends
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_what_it_mounts_and_names_exists() -> None:
    """Files are mounted read-only; volumes, secrets, networks and services that are named are there, and used."""
    used: dict[str, set[str]] = {"volumes": set(), "secrets": set(), "networks": set()}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert mode == ["ro"]
            else:
                used["volumes"].add(source)
        used["secrets"] |= set(service.get("secrets", []))
        used["networks"] |= set(service["networks"])
        assert set(service.get("depends_on", [])) <= set(SERVICES), name
    assert {key: set(COMPOSE[key]) for key in used} == used


def test_grafana_can_send_its_own_mail() -> None:
    """By the same mail server and account as Alertmanager, never unencrypted; its contact point is a mail."""
    grafana = SERVICES["grafana"]["environment"]
    told = read(ROOT / "deploy" / "alertmanager" / "alertmanager.yml")["global"]
    assert grafana["GF_SMTP_ENABLED"] == "true"
    assert grafana["GF_SMTP_HOST"] == told["smtp_smarthost"]
    assert grafana["GF_SMTP_USER"] == told["smtp_auth_username"]
    assert grafana["GF_SMTP_FROM_ADDRESS"] == told["smtp_from"]
    assert grafana["GF_SMTP_PASSWORD__FILE"] == told["smtp_auth_password_file"]
    assert grafana["GF_SMTP_STARTTLS_POLICY"] == "MandatoryStartTLS"
    [point] = read(ROOT / "deploy/grafana/provisioning/alerting/contact.yml")["contactPoints"]
    assert [receiver["type"] for receiver in point["receivers"]] == ["email"]


def test_the_commands_on_the_page_make_every_secret(tmp_path: Path) -> None:
    """Run as they stand there, but for Docker, they make each file, readable by others, and a token that signs in."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    script = page.split("```sh\n")[1].split("```")[0]
    assert "docker compose up --build --detach" in script
    for name in ("prometheus", "alertmanager", "grafana", "secrets"):
        (tmp_path / "deploy" / name).mkdir(parents=True)
    done = subprocess.run(
        [tool("bash"), "-euo", "pipefail", "-c", script.replace("docker compose", ": docker compose")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for secret in COMPOSE["secrets"].values():
        assert (tmp_path / secret["file"]).stat().st_mode & 0o777 == 0o444
    for name in ("grafana-password", "grafana-key"):
        assert len((tmp_path / "deploy" / "secrets" / name).read_text().strip()) >= 32
    token = done.stdout.split("your token for the console: ")[1].strip()
    [person] = read_tokens(tmp_path / "deploy" / "secrets" / "console-tokens").values()
    assert person == User("ana", Role.ADMIN)
    gate = Sessions(ConsoleSettings(tokens_file=str(tmp_path / "deploy" / "secrets" / "console-tokens")))
    assert gate.of_token(token) == person
    assert "RUNBOOK_URL=https://" in (tmp_path / ".env").read_text(encoding="utf-8")


def test_there_is_no_default_password() -> None:
    """Each secret is a file that is not in the repository, and each that a service reads is given to it."""
    ignored = (ROOT / "deploy" / "secrets" / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}
    for name, service in SERVICES.items():
        text = json.dumps([service.get("environment", {}), service.get("command", [])])
        if name != "alertmanager":
            assert set(re.findall(r"/run/secrets/([\w-]+)", text)) == set(service.get("secrets", [])), name
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or "TOKEN" in key or "SECRET" in key:
                assert str(value).startswith("/run/secrets/"), key
    configured = (ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"/run/secrets/([\w-]+)", configured)) == set(SERVICES["alertmanager"]["secrets"])
    grafana = SERVICES["grafana"]["environment"]  # what it would otherwise have a well-known value for
    assert {"GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_SECURITY_SECRET_KEY__FILE"} <= set(grafana)


@pytest.mark.parametrize("name", OURS)
def test_our_commands_and_settings_exist(name: str) -> None:
    """Each starts a command that there is, with options and settings that there are."""
    service = SERVICES[name]
    assert refused(service["command"], service.get("environment", {})) is None
    assert refused([*service["command"], "--no-such-option"], {}) is not None
    assert {key for key in service.get("environment", {}) if key.startswith("CRMWATCH_")} <= variables()


def test_health_checks_ask_what_is_answered() -> None:
    """Each of ours asks a path that its command serves, on the port that it listens on."""
    for name in OURS:
        if "healthcheck" in SERVICES[name]:
            command = SERVICES[name]["command"][0]
            [(port, path)] = re.findall(
                r"127\.0\.0\.1:(\d+)(/\w+)", SERVICES[name]["healthcheck"]["test"][-1]
            )
            assert path in served()[command]
            assert port == {"worker": "9464", "console": "8321"}[command]


def test_links_to_the_runbook_begin_with_what_is_set_once() -> None:
    """Prometheus and Grafana both get the address from the one variable, and no alert carries it as a label."""
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["environment"]["RUNBOOK_URL"] == "${RUNBOOK_URL:-docs/runbook.md}"
    config = read(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    assert config["global"]["external_labels"] == {"runbook": "${RUNBOOK_URL}"}
    assert config["alerting"]["alert_relabel_configs"] == [{"action": "labeldrop", "regex": "runbook"}]
    assert "RUNBOOK_URL=" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_the_page_says_how_to_pin_every_image() -> None:
    """What it asks the digests of is every image that is not built here and the one that ours is built from."""
    [line] = re.findall(
        r"^for image in (.+); do$", (ROOT / "docs/deploy.md").read_text(encoding="utf-8"), re.M
    )
    based = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(line.split()) == {
        *based,
        *(service["image"] for service in SERVICES.values() if "build" not in service),
    }


def test_prometheus_scrapes_and_tells_what_is_there() -> None:
    """Its targets are services of the file with a network in common, on the ports that they listen on."""
    config = read(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    targets = [
        target
        for job in [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    ports = {
        "worker-1": "9464",
        "worker-2": "9464",
        "console": "8321",
        "alertmanager": "9093",
        "127.0.0.1": "9090",
    }
    for target in targets:
        host, port = target.split(":")
        assert ports[host] == port
        if host in SERVICES:
            assert set(SERVICES[host]["networks"]) & set(SERVICES["prometheus"]["networks"])
    sources = read(ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {source["url"] for source in sources} == {"http://prometheus:9090", "http://alertmanager:9093"}


def test_the_image_is_pinned_runs_without_root_and_copies_what_there_is() -> None:
    """Exact versions, dependencies by hash, a numeric user, and only files that the build may see."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert images
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image) for image in images)
    for line in lines:
        if "pip install" in line:
            assert re.search(r"--only-binary :all: --require-hashes -r |--no-index --no-deps ", line), line
    [user] = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user == SERVICES["worker-1"]["user"] == "10001:10001"
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    built_with = (ROOT / "deploy" / "build.lock").read_text(encoding="utf-8")
    for requirement in project["build-system"]["requires"]:
        name, least = requirement.split(">=")
        [version] = re.findall(rf"^{name}==([\d.]+) ", built_with, re.MULTILINE)
        assert [int(part) for part in version.split(".")] >= [int(part) for part in least.split(".")]
    [entry] = [line.removeprefix("ENTRYPOINT ") for line in lines if line.startswith("ENTRYPOINT ")]
    assert json.loads(entry)[0] in project["project"]["scripts"]
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    settings = dict(re.findall(r"(CRMWATCH_\w+)=(\S+)", "\n".join(lines)))
    [command] = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert refused(command, settings) is None
    assert SERVICES["worker-1"]["image"].endswith(f":{__version__}")
