"""Grafana's files conform to its published schema, and everything they name exists."""

from __future__ import annotations

import functools
import json
import re
import types
import typing
import warnings
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.alerting import ContactPoint, NotificationPolicy, Query, Rule
from grafana_foundation_sdk.models.expr import TypeThreshold

from tests.deploy.deployed import DEPLOY, EXPORTED, METRICS, ROOT, anchors, read, rules, unknown

with warnings.catch_warnings():
    # The SDK prefers the second schema, which Grafana 13 does not yet read from provisioned files.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models.dashboard import Dashboard

GRAFANA = DEPLOY / "grafana"
DASHBOARDS = sorted(GRAFANA.glob("dashboards/*.json"))
PROVISIONING = GRAFANA / "provisioning"

register_default_plugins()


def dashboard(path: Path) -> Any:
    """A dashboard's JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def queries(board: Any) -> Iterator[tuple[str, str]]:
    """Each query of a dashboard, with the panel's title."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def grafana_rules() -> list[Any]:
    """Grafana's own alert rules."""
    return [
        rule for group in read(PROVISIONING / "alerting" / "rules.yml")["groups"] for rule in group["rules"]
    ]


def lost(given: Any, kept: Any, where: str = "") -> Iterator[str]:
    """Keys unknown to the schema: they are lost after reading and writing."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key not in kept:
                yield f"{where}.{key}"
            else:
                yield from lost(value, kept[key], f"{where}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(value, other, f"{where}[{number}]")
    elif given != kept:
        yield f"{where}: {given!r}"


def misfits(value: Any, hint: Any, where: str) -> Iterator[str]:
    """Values that do not have their field's type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [list(misfits(value, one, where)) for one in inner]
        if all(found):
            yield from min(found, key=len)
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{where}: {value!r} is none of {inner}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no list"
        else:
            for number, one in enumerate(value):
                yield from misfits(one, inner[0], f"{where}[{number}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no table"
        else:
            for key, one in value.items():
                yield from misfits(one, inner[1], f"{where}.{key}")
    elif isinstance(hint, type) and issubclass(hint, Enum):
        if value not in [one.value for one in hint]:
            yield f"{where}: {value!r} is no {hint.__name__}"
    elif hint in (int, float, str, bool):
        wanted = (int, float) if hint is float else hint
        if not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool):
            yield f"{where}: {value!r} is no {hint.__name__}"
    elif hint is type(None):
        if value is not None:
            yield f"{where}: {value!r} is not empty"
    elif type(value).__module__.startswith("grafana_foundation_sdk"):
        for name, kind in _hints(value.__class__).items():
            if hasattr(value, name):
                yield from misfits(getattr(value, name), kind, f"{where}.{name}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def faults(kind: Any, given: Any) -> list[str]:
    """Deviations from Grafana's schema for this kind."""
    read_in = kind.from_json(given)
    kept = json.loads(JSONEncoder().encode(read_in))
    return [*lost(given, kept), *misfits(read_in, kind, "")]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_fits_grafanas_schema(path: Path) -> None:
    """Every key is known, every value has its type, ids are unique, and no panels overlap."""
    board = dashboard(path)
    assert faults(Dashboard, board) == []
    assert board["schemaVersion"] >= 42
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_schema_finds_what_is_wrong() -> None:
    """The check finds an unknown key, a value outside its choices, and a number in place of text."""
    board = dashboard(DASHBOARDS[0])
    for path, value in (
        (("panels", 0, "options", "colour"), "red"),
        (("panels", 0, "options", "colorMode"), "loud"),
        (("panels", 0, "fieldConfig", "defaults", "unit"), 4),
        (("panels", 0, "targets", 0, "query"), "up"),
        (("refresh",), 30),
    ):
        broken = json.loads(json.dumps(board))
        place: Any = broken
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert faults(Dashboard, broken), path


def test_dashboards_are_those_that_were_planned_and_their_ids_are_their_names() -> None:
    """There are four dashboards with fixed ids, so that links work wherever they are installed."""
    assert {path.stem: dashboard(path)["uid"] for path in DASHBOARDS} == {
        name: f"crmwatch-{name}" for name in ("incident", "pipeline", "soc", "sources")
    }


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_name_only_what_exists_and_say_what_they_show(path: Path) -> None:
    """Queries name only existing metrics, recorded series and variables; each panel with a query has a description."""
    board = dashboard(path)
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for title, expression in queries(board):
        assert unknown(expression) == set(), title
        used = set(re.findall(r"\$\{?(\w+)", expression))
        assert used <= variables | {"__rate_interval", "__range"}, title
    for variable in board["templating"]["list"]:
        assert unknown(variable.get("definition", "")) == set()
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_overrides_by_pattern_match_a_legend(path: Path) -> None:
    """Each override that selects series by a regular expression matches a legend of its panel."""
    for panel in dashboard(path)["panels"]:
        legends = [target.get("legendFormat", "") for target in panel.get("targets", [])]
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            if override["matcher"]["id"] == "byRegexp":
                pattern = override["matcher"]["options"].strip("/")
                assert any(re.search(pattern, legend) for legend in legends), panel["title"]


def test_every_metric_is_shown_somewhere() -> None:
    """Every exported metric is used by a dashboard or a rule."""
    text = "\n".join(
        [expression for path in DASHBOARDS for _, expression in queries(dashboard(path))]
        + [rule["expr"] for rule in rules()]
    )
    shown = set(re.findall(r"\bcrmwatch_\w+", text)) & EXPORTED
    for metric in METRICS:
        assert any(name.startswith(f"crmwatch_{metric.name}") for name in shown), metric.name


def test_alert_rules_fit_grafanas_schema() -> None:
    """Rules, queries, conditions, contact points and the policy hold only keys that Grafana knows."""
    files = {path.stem: read(path) for path in PROVISIONING.glob("alerting/*.yml")}
    assert set(files) == {"contact", "rules"}
    for rule in grafana_rules():
        assert faults(Rule, rule) == [], rule["title"]
        assert len(rule["uid"]) <= 40
        for query in rule["data"]:
            assert faults(Query, query) == [], rule["title"]
        [model] = [query["model"] for query in rule["data"] if query["refId"] == rule["condition"]]
        assert faults(TypeThreshold, model) == [], rule["title"]
        assert model["expression"] in {query["refId"] for query in rule["data"]}
    for point in files["contact"]["contactPoints"]:
        for receiver in point["receivers"]:
            assert faults(ContactPoint, receiver) == []
    names = {point["name"] for point in files["contact"]["contactPoints"]}
    for policy in files["contact"]["policies"]:
        assert (
            faults(NotificationPolicy, {key: value for key, value in policy.items() if key != "orgId"}) == []
        )
        assert policy["receiver"] in names


def test_alert_rules_name_only_what_exists() -> None:
    """Alert rules name existing metrics, data sources and sections of the runbook."""
    sources = {
        source["uid"] for source in read(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    }
    there = anchors(ROOT / "docs" / "runbook.md")
    for rule in grafana_rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "${RUNBOOK_URL}", "Grafana fills it in from its environment"
        assert anchor in there, anchor
        assert {"severity", "area"} == set(rule["labels"])
        for query in rule["data"]:
            assert query["datasourceUid"] in sources | {"__expr__"}
            assert unknown(query["model"].get("expr", "")) == set()


def test_dashboards_are_provisioned_from_where_they_are_mounted() -> None:
    """The provider's folder is the one where the Compose file mounts the dashboards."""
    [provider] = read(PROVISIONING / "dashboards" / "crmwatch.yml")["providers"]
    mounts = read(ROOT / "docker-compose.yml")["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
