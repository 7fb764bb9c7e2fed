"""The Kubernetes files conform to Kubernetes's schemas, and everything they name exists."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

from tests.deploy.deployed import DEPLOY, ROOT, read, refused, rules, served, unknown, variables

FOLDER = DEPLOY / "kubernetes"
SCHEMA = "1.34"
CUSTOM = {"Kustomization", "ServiceMonitor", "PrometheusRule"}
"""Kinds that Kubernetes itself does not define."""


def resources() -> Iterator[tuple[Path, Any]]:
    """Each resource and its file."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if "kind" in document:
                yield path, document


def of_kind(kind: str) -> list[Any]:
    """All resources of one kind."""
    return [document for _, document in resources() if document["kind"] == kind]


def pods() -> list[tuple[str, Any]]:
    """Each pod template, with the kind of its owner."""
    kinds = ("Job", "StatefulSet", "Deployment")
    return [(one["kind"], one["spec"]["template"]) for kind in kinds for one in of_kind(kind)]


@pytest.mark.parametrize(
    "document",
    [document for _, document in resources() if document["kind"] not in CUSTOM],
    ids=lambda document: f"{document['kind']}-{document['metadata']['name']}",
)
def test_a_resource_is_what_kubernetes_asks_for(document: Any) -> None:
    """Each resource conforms strictly to the schema of its kind: an unknown key is an error."""
    kubernetes_validate.validate(document, SCHEMA, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document | {"specs": {}}, SCHEMA, strict=True)


def test_the_list_holds_all_that_every_cluster_can_take() -> None:
    """The kustomization names existing files and omits only those with special requirements."""
    named = set(read(FOLDER / "kustomization.yaml")["resources"])
    there = {path.name for path in FOLDER.glob("*.yaml")}
    assert there - named == {
        "kustomization.yaml",
        "monitoring.yaml",
        "rules.yaml",
        "scaling.yaml",
        "adapter.yaml",
    }
    assert named <= there


def test_pods_run_without_root_and_write_on_nothing() -> None:
    """Pods run without root, capabilities or a cluster token, with a read-only root file system and bounded memory."""
    assert len(pods()) == 3
    for _, template in pods():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert container["resources"]["requests"]
            assert all("sizeLimit" in one["emptyDir"] for one in spec["volumes"] if "emptyDir" in one)
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_services_of_the_cluster_are_not_taken_for_settings() -> None:
    """Service links are off: their variables start like our settings, and a worker would refuse them."""
    assert refused(["worker"], {"CRMWATCH_SERVICE_HOST": "10.0.0.1"}) is not None
    for _, template in pods():
        assert template["spec"]["enableServiceLinks"] is False


def test_commands_settings_and_probes_exist() -> None:
    """Each container starts an existing command with existing settings; probes request paths that it serves."""
    [shared] = of_kind("ConfigMap")
    for _, template in pods():
        [container] = template["spec"]["containers"]
        own = {one["name"]: one.get("value", "name") for one in container.get("env", [])}
        environment = shared["data"] | own
        assert set(environment) <= variables()
        files = {key for key in environment if key.endswith("_FILE")}
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        for key in files:
            assert any(environment[key].startswith(f"{mount}/") for mount in mounts), key
        arguments = container["args"]
        assert (
            refused(arguments, {key: environment[key] for key in set(environment) - files - _secrets()})
            is None
        )
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["path"] in served()[arguments[0]]
                assert container[probe]["httpGet"]["port"] in ports


def test_a_worker_keeps_its_name() -> None:
    """Static membership uses the pod's name, which a replacement in a StatefulSet keeps."""
    [workers] = of_kind("StatefulSet")
    [container] = workers["spec"]["template"]["spec"]["containers"]
    instance = next(one for one in container["env"] if one["name"] == "CRMWATCH_WORKER_INSTANCE")
    assert instance["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert workers["spec"]["serviceName"] in {one["metadata"]["name"] for one in of_kind("Service")}


@pytest.mark.slow
def test_selectors_find_what_they_are_for() -> None:
    """Services, budgets, policies and monitors each select pods or a Service; named ports exist."""
    labels = [template["metadata"]["labels"] for _, template in pods()]
    ports = {
        port["name"]
        for _, template in pods()
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    for service in of_kind("Service"):
        assert any(service["spec"]["selector"].items() <= one.items() for one in labels)
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for one in of_kind(kind):
            assert any(one["spec"][key]["matchLabels"].items() <= label.items() for label in labels)
    jobs = {job["job_name"] for job in read(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]}
    for monitor in of_kind("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        [watched] = [one for one in of_kind("Service") if wanted <= one["metadata"]["labels"].items()]
        name = watched["metadata"]["name"]
        assert name in jobs, "the rules' job is called after the Service"
        assert name == monitor["metadata"]["name"]
        [endpoint] = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in watched["spec"]["ports"]}
        command = "worker" if name == "crmwatch" else "console"
        assert endpoint["path"] in served()[command]
        assert endpoint.get("scheme", "http") == ("https" if endpoint["port"] == "https" else "http")
    assert len(of_kind("ServiceMonitor")) == 2


def test_the_network_lets_through_what_is_needed() -> None:
    """Policies allow DNS, the configured brokers, and Prometheus and users on the pods' ports; nothing else."""
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}
    [names, brokers] = policies["crmwatch"]["egress"]
    assert {(port["protocol"], port["port"]) for port in names["ports"]} == {("UDP", 53), ("TCP", 53)}
    host, _, port = of_kind("ConfigMap")[0]["data"]["CRMWATCH_WORKER_BOOTSTRAP"].partition(":")
    assert [one["port"] for one in brokers["ports"]] == [int(port)]
    assert _namespaces(brokers["to"]) == [host.split(".")[1]]
    assert set(policies["crmwatch"]["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policies["crmwatch"]
    for _, template in pods():
        assert (
            policies["crmwatch"]["podSelector"]["matchLabels"].items()
            <= template["metadata"]["labels"].items()
        )
        component = template["metadata"]["labels"]["app.kubernetes.io/component"]
        [container] = template["spec"]["containers"]
        open_ports = [port["containerPort"] for port in container.get("ports", [])]
        policy = policies.get(f"crmwatch-{component}")
        assert (policy is not None) is bool(open_ports)
        if policy is not None:
            assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
            [rule] = policy["ingress"]
            assert [port["port"] for port in rule["ports"]] == open_ports
            assert "monitoring" in _namespaces(rule["from"]), "Prometheus scrapes it"


def _namespaces(peers: list[Any]) -> list[str]:
    return [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in peers]


def test_workers_are_scaled_by_what_waits_and_never_beyond_the_partitions() -> None:
    """The scaler uses the adapter's metric, the adapter a worker's, and the maximum is the number of partitions."""
    [scaler] = of_kind("HorizontalPodAutoscaler")
    [rule] = read(FOLDER / "adapter.yaml")["rules"]["external"]
    assert scaler["spec"]["metrics"][0]["external"]["metric"]["name"] == rule["name"]["as"]
    assert unknown(re.sub(r"<<.*?>>", "", rule["metricsQuery"]) + rule["seriesQuery"]) == set()
    [job] = of_kind("Job")
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert scaler["spec"]["maxReplicas"] == int(arguments[arguments.index("--partitions") + 1])
    [workers] = of_kind("StatefulSet")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (workers["kind"], workers["metadata"]["name"])


def test_the_operators_rules_are_the_rules() -> None:
    """The Prometheus operator's resource holds the same groups; ``CRMWATCH_ACCEPT_SAMPLES=1`` writes it."""
    groups = [
        group for path in sorted(DEPLOY.glob("prometheus/rules/*.yml")) for group in read(path)["groups"]
    ]
    wanted = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "crmwatch", "labels": {"app.kubernetes.io/name": "crmwatch"}},
        "spec": {"groups": groups},
    }
    path = FOLDER / "rules.yaml"
    if os.environ.get("CRMWATCH_ACCEPT_SAMPLES"):
        head = "# Written from deploy/prometheus/rules by a test (CRMWATCH_ACCEPT_SAMPLES=1).\n"
        path.write_text(head + yaml.safe_dump(wanted, sort_keys=False, width=118), encoding="utf-8")
        pytest.skip("the resource has been written anew")
    assert read(path) == wanted
    assert sum(len(group["rules"]) for group in groups) == len(rules())


def test_every_secret_that_is_mounted_is_told_of() -> None:
    """The installation page says how to create each Secret."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for _, template in pods():
        for volume in template["spec"]["volumes"]:
            if "secret" in volume:
                assert f"secret generic {volume['secret']['secretName']} " in text or (
                    f"secret tls {volume['secret']['secretName']} " in text
                )


def _secrets() -> set[str]:
    """Settings that need files mounted by the cluster."""
    return {"CRMWATCH_KAFKA_PROTOCOL", "CRMWATCH_KAFKA_USERNAME", "CRMWATCH_KAFKA_SASL_MECHANISM"}
