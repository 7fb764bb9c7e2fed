"""Prometheus's rules: what each must have, and its cases, run by Prometheus's own tool."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from tests.deploy.deployed import DEPLOY, METRICS, ROOT, alerts, anchors, read, recorded, rules, tool, unknown

PROMETHEUS = DEPLOY / "prometheus"
CASES = sorted(PROMETHEUS.glob("tests/*.yml"))
LINK = '{{ or $externalLabels.runbook "docs/runbook.md" }}'
"""How each link to the runbook begins: the address is set once, in Prometheus's configuration."""
CLOSE_SECONDS = 180
"""How near to one another lie a case in which an alert is silent and one in which it fires: else its wait is free."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """Of a duration as Prometheus writes it."""
    return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", duration))


def test_prometheus_reads_its_configuration_and_rules() -> None:
    """The configuration that is shipped names rules that exist, and all of it is valid."""
    done = subprocess.run(
        [tool("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list(PROMETHEUS.glob('rules/*.yml')))} rule files found" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.timeout(600)
def test_rules_do_what_their_cases_say(path: Path) -> None:
    """Prometheus's own tool finds each alert silent, firing and over when the cases say so, with these very words."""
    done = subprocess.run(
        [tool("promtool"), "test", "rules", str(path)], capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_before_it_fires_when_it_does_and_after() -> None:
    """Each but the dead man's switch is once expected silent, within three minutes firing, and later silent again."""
    seen: dict[str, list[list[tuple[int, bool]]]] = defaultdict(list)
    for path in CASES:
        for test in read(path)["tests"]:
            times: dict[str, set[tuple[int, bool]]] = defaultdict(set)
            for case in test.get("alert_rule_test", []):
                times[case["alertname"]].add((seconds(case["eval_time"]), bool(case.get("exp_alerts"))))
            for case in test.get("promql_expr_test", []):
                for name in re.findall(
                    r'^count\(ALERTS{alertname="(\w+)", alertstate="firing"}\)$', case["expr"]
                ):
                    times[name].add((seconds(case["eval_time"]), bool(case.get("exp_samples"))))
            for name, found in times.items():
                seen[name].append(sorted(found))
    assert set(seen) == set(alerts())
    for name, orders in seen.items():
        shown = ["".join(str(int(fires)) for _, fires in order) for order in orders]
        wanted = r"1" if name == "CrmwatchWatchdog" else r"01+0"
        assert any(re.search(wanted, order) for order in shown), f"{name}: {shown}"
        waits = [
            then - before
            for order in orders
            for (before, silent), (then, fires) in pairwise(order)
            if not silent and fires
        ]
        assert name == "CrmwatchWatchdog" or min(waits) <= CLOSE_SECONDS, f"{name}: {waits}"


def test_every_alert_is_shown_whole_where_it_fires() -> None:
    """Some case holds each alert's labels, and its words with everything filled in."""
    shown = {
        case["alertname"]: one["exp_annotations"]
        for path in CASES
        for test in read(path)["tests"]
        for case in test.get("alert_rule_test", [])
        for one in case.get("exp_alerts", [])
    }
    assert set(shown) == set(alerts())
    for name, words in shown.items():
        assert set(words) == {"summary", "description", "runbook_url"}
        assert not any("{{" in text for text in words.values()), name


def test_every_alert_says_what_to_do_and_how_urgent_it_is() -> None:
    """A severity and an area, a summary, a description, and a link to its section of the runbook, which is there."""
    there = anchors(ROOT / "docs" / "runbook.md")
    for name, alert in alerts().items():
        assert re.fullmatch(r"Crmwatch[A-Z0-9][A-Za-z0-9]+", name)
        assert alert["labels"]["severity"] in {"critical", "warning", "info", "none"}, name
        assert alert["labels"]["area"] in {"data", "source", "pipeline", "watch"}, name
        assert alert["labels"].get("follows") in {None, "worker", "no-worker", "pipeline"}, name
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert all(alert["annotations"].values()), name
        assert alert["annotations"]["runbook_url"] == f"{LINK}#{name.lower()}"
        assert name.lower() in there, f"the runbook has no section {name}"


def test_the_runbook_has_no_section_of_an_alert_that_does_not_exist() -> None:
    """And each section says what the alert means, what to look at and what to do."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (Crmwatch\w+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(sections) == set(alerts())
    for name, body in sections.items():
        for word in ("*Meaning.*", "*Look at.*", "*Do.*"):
            assert body.count(word) == 1, f"{name}: {word}"


def test_rules_name_only_metrics_that_exist() -> None:
    """What is exported or recorded, and nothing else."""
    for rule in rules():
        assert unknown(rule["expr"]) == set(), rule


def test_every_recorded_series_is_described() -> None:
    """And none that no rule makes."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("## Recorded series")[1]
    described = re.findall(r"^\| `(crmwatch:[\w:]+)` \| .*\| \S.* \|$", text, re.MULTILINE)
    assert len(described) == len(set(described))
    assert set(described) == recorded()


def test_labels_that_rules_select_exist() -> None:
    """Each label that a query compares or groups a metric of crmwatch by is one of that metric's."""
    labels = {metric.name: {*metric.labels, "job", "instance", "le"} for metric in METRICS}
    for rule in rules():
        for name, suffix, selected in re.findall(
            r"\bcrmwatch_(\w+?)(_bucket|_sum|_count)?\{([^}]*)\}", rule["expr"]
        ):
            known = labels.get(name) or labels[name + suffix]
            assert set(re.findall(r"(\w+)\s*[=!]", selected)) <= known, rule["expr"]


def test_what_a_rule_selects_by_is_a_word_that_is_used() -> None:
    """Severities, parts and reasons in the rules are those of the metrics."""
    text = "\n".join(rule["expr"] for rule in rules())
    assert set(re.findall(r'severity="(\w+)"', text)) <= {
        "critical",
        "high",
        "medium",
        "low",
        "informational",
    }
    assert set(re.findall(r'part="(\w+)"', text)) == {"own"}
    reasons = {word for found in re.findall(r'reason=~?"([\w|]+)"', text) for word in found.split("|")}
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    assert reasons
    assert reasons <= documented
