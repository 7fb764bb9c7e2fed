from __future__ import annotations

import json
import re
import threading
import time
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detector.adapters import ADAPTERS, RecordError, decode
from detector.adapters.rejection import Rejection
from detector.catalogue import Category
from detector.decision import Kind
from detector.decision_index import DecisionIndex
from detector.detectors import BUILT_IN
from detector.engine import Engine
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin
from detector.identity.detect import Detection
from detector.mute import MUTING, mutes
from detector.response.clock import Deadline
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.simulation import Theft, World, records
from detector.triage.risk import Severity
from detector.triage.triage import Triage
from streams.worker.metric_definitions import METRICS
from streams.worker.metrics import OPENING, Metrics
from tests.detector.make import DAY_MS, decision, event

START_MS = 1_772_409_600_000
HOUR_MS = 3_600_000
SETTINGS = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(alert_risk=5, least_risk=5, certain_risk=5, support_surprise=0.2),
)


def exported(registry: CollectorRegistry) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """What a scrape shows: metric → labels → value."""
    text = generate_latest(registry).decode()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.fixture(scope="module")
def busy() -> tuple[CollectorRegistry, Metrics, Engine]:
    """Metrics of a process that has seen a small world, garbage and lag."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    engine = Engine(SETTINGS)
    metrics.watch_detection(0, engine.detection)
    metrics.watch_triage(0, engine.triage)
    world = World(seed=2, start_ms=START_MS, hours=24 * 5, people=6, integrations=2)
    for _, record in records(world, Theft(start_ms=START_MS + 99 * HOUR_MS)):
        event = decode(record, "x")
        metrics.events([event], [event.time_ms + 90_000])
        for alert in engine.observe(event):
            metrics.alert(alert)
            metrics.delay(alert.time_ms, alert.time_ms + 90_000, alert.time_ms + 90_700)
    engine.observe(event)
    metrics.count_detection(0)
    detection = Detection(SETTINGS, {})
    for _, record in records(world):
        for signal in detection.observe(decode(record, "x")):
            metrics.signal(signal)
    metrics.dead_letter(RecordError("", "x", Rejection.UNKNOWN_FORMAT, "from 192.0.2.77 by eve@example.com"))
    metrics.dead_letter(RecordError("salesforce_elf", "x", Rejection.BAD_TIME, "?"))
    for number, at in enumerate(("0201", "0309", "0202")):
        detection.observe(decode(row(at, f"r{number}"), "x"))
    metrics.watch_detection(1, detection)
    metrics.lag = {("crm.access", 0): 7, ("crm.access", 1): 0}
    metrics.deadlines = {
        "crmwatch-0a": Deadline(START_MS + 500, None),
        "eve@example.com": Deadline(START_MS, START_MS),
    }
    now_ms = round(time.time() * 1000)
    muting = [decision(Kind.MUTE, now_ms - DAY_MS, identity=f"t/{n}", until_ms=now_ms + DAY_MS) for n in "ab"]
    over = decision(Kind.EXPECTED, now_ms - DAY_MS, identity="t/c", until_ms=now_ms - HOUR_MS)
    metrics.mutes = mutes(DecisionIndex([*muting, over]))
    for total in (2, 3):
        metrics.dropped_decisions(total)
    metrics.read("crm.access", 3, 700)
    metrics.dropped_records("crm.access", 2)
    metrics.unread = {"crm.access": 1}
    metrics.step("detect", 0.003)
    metrics.restored("detect", 4.0)
    metrics.watch("detect", 0, {b"key": b"value"})
    return registry, metrics, engine


@pytest.mark.slow
def test_every_metric_is_exported_as_defined(busy: tuple[CollectorRegistry, Metrics, Engine]) -> None:
    """Each with its type, its meaning and exactly its labels, and no other beside them."""
    registry, _, _ = busy
    found = exported(registry)
    for metric in METRICS:
        samples = found.pop(f"crmwatch_{metric.name}{'_count' if metric.type == 'histogram' else ''}")
        assert {tuple(name for name, _ in labels) for labels in samples} == {tuple(sorted(metric.labels))}
        if metric.type == "histogram":
            assert len(found.pop(f"crmwatch_{metric.name}_bucket")) <= 11 * len(samples)
            assert found.pop(f"crmwatch_{metric.name}_sum").keys() == samples.keys()
    assert found == {}
    text = generate_latest(registry).decode()
    for metric in METRICS:
        assert f"# TYPE crmwatch_{metric.name} {metric.type}\n" in text
        assert f"# HELP crmwatch_{metric.name} {metric.meaning}\n" in text
        assert (metric.type == "counter") == metric.name.endswith("_total")


@pytest.mark.slow
def test_the_figures_are_the_engines(busy: tuple[CollectorRegistry, Metrics, Engine]) -> None:
    """What is counted is what the engine saw: events, rows, signals, alerts, incidents, profiles, lag."""
    registry, metrics, engine = busy
    found = exported(registry)
    rows = sum(engine.detection.rows_taken.values())
    assert sum(found["crmwatch_rows_taken_total"].values()) > rows > 0
    assert sum(found["crmwatch_events_total"].values()) > 1000
    assert found["crmwatch_duplicate_events_total"] == {(): 1.0}
    assert found["crmwatch_dropped_decisions_total"] == {(): 3.0}
    assert found["crmwatch_mutes"] == {(("kind", "mute"),): 2.0, (("kind", "expected"),): 0.0}
    assert found["crmwatch_dead_letters_total"] == {
        (("reason", "unknown_format"), ("source", "none")): 1.0,
        (("reason", "bad_time"), ("source", "salesforce_elf")): 1.0,
    }
    published = [incident for incident in engine.triage.open_incidents if incident.published]
    assert published
    assert sum(found["crmwatch_incidents_open"].values()) == len(published)
    assert 0 < found["crmwatch_risk_max"][()] <= 100
    assert sum(found["crmwatch_profiles"].values()) == 2 * engine.detection.live
    assert found["crmwatch_late_events_total"] == {(("source", "salesforce_elf"),): 3.0}
    assert found["crmwatch_source_lag_seconds"] == {(("source", "salesforce_elf"),): 90.0}
    assert found["crmwatch_records_read_total"] == {(("topic", "crm.access"),): 3.0}
    assert found["crmwatch_bytes_read_total"] == {(("topic", "crm.access"),): 700.0}
    deadlines = found["crmwatch_notification_deadline_timestamp_seconds"]
    assert deadlines == {(("awareness", "missing"), ("incident", "crmwatch-0a")): START_MS / 1000 + 0.5}
    lag = found["crmwatch_consumer_lag"]
    assert lag == {
        (("partition", "0"), ("topic", "crm.access")): 7,
        (("partition", "1"), ("topic", "crm.access")): 0,
    }
    assert found["crmwatch_last_progress_timestamp_seconds"] == {(): metrics.committed_at}
    assert found["crmwatch_build_info"] == {(("version", version("crmwatch")),): 1.0}
    [(_, newest)] = found["crmwatch_source_last_event_timestamp_seconds"].items()
    assert 0 <= START_MS / 1000 + 5 * 86400 - newest < 3600


def test_the_first_alert_s_delay_is_an_increase() -> None:
    """Both parts of the detection delay are exported as zero before there is any alert."""
    registry = CollectorRegistry()
    Metrics(registry)
    counts = exported(registry)["crmwatch_detection_delay_seconds_count"]
    assert {dict(labels)["part"]: value for labels, value in counts.items()} == {
        "source": 0.0,
        "pipeline": 0.0,
    }


@pytest.mark.slow
def test_an_alert_is_an_increase_from_the_first_on() -> None:
    """Every severity and detector that an alert may be of is exported as zero before there is any."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    before = exported(registry)["crmwatch_alerts_total"]
    assert set(before.values()) == {0.0}
    assert {dict(labels)["severity"] for labels in before} == {level.name.lower() for level in Severity}
    assert {dict(labels)["detector"] for labels in before} == {*OPENING}
    engine = Engine(SETTINGS)
    count = 0
    world = World(seed=2, start_ms=START_MS, hours=24 * 5, people=6, integrations=2)
    for _, record in records(world, Theft(start_ms=START_MS + 99 * HOUR_MS)):
        for alert in engine.observe(decode(record, "x")):
            metrics.alert(alert)
            count += 1
    after = exported(registry)["crmwatch_alerts_total"]
    assert before.keys() == after.keys()
    assert sum(after.values()) == count > 0


def test_only_crossings_count_as_signals() -> None:
    """That a window has closed is no signal to anybody but triage."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    detection = Detection(SETTINGS, {})
    kinds = []
    for _, record in records(World(seed=2, start_ms=START_MS, hours=40, people=3, integrations=1)):
        for signal in detection.observe(decode(record, "x")):
            metrics.signal(signal)
            kinds.append(signal.kind.value)
    assert "closed" in kinds
    assert sum(exported(registry)["crmwatch_signals_total"].values()) == kinds.count("crossed") > 0


def test_no_label_names_a_person_an_address_or_an_app(
    busy: tuple[CollectorRegistry, Metrics, Engine],
) -> None:
    """Every label's value is from a closed vocabulary, however many identities there are."""
    words = (
        {
            *ADAPTERS,
            "none",
            "source",
            "pipeline",
            "detect",
            "unknown_format",
            "bad_time",
            version("crmwatch"),
            "crm.access",
            "0",
            "1",
            "missing",
            "crmwatch-0a",  # an incident's name, of a breach alone
        }
        | {operation.value for operation in Operation}
        | {category.value for category in Category}
        | {severity.name.lower() for severity in Severity}
        | {kind.value for kind in MUTING}
        | {kind.value for kind in ActorKind}
        | {*OPENING}
    )
    registry, _, _ = busy
    for samples in exported(registry).values():
        for labels in samples:
            assert {value for name, value in labels if name != "le"} <= words
    assert not re.search(
        r"0054R|192\.0\.2|198\.51|203\.0\.113|skyward|example\.com", generate_latest(registry).decode()
    )


def _counts(registry: CollectorRegistry) -> dict[str, float]:
    found = exported(registry)
    names = ("rows_taken_total", "duplicate_events_total", "late_events_total", "redelivered_events_total")
    names += ("dropped_signals_total",)
    return {name: sum(found.get(f"crmwatch_{name}", {}).values()) for name in names}


def _profiles(registry: CollectorRegistry) -> dict[str, float]:
    return {kind: count for ((_, kind),), count in exported(registry)["crmwatch_profiles"].items()}


def row(time: str, request: str) -> bytes:
    """An event log row of ten contacts at a day and hour of March 2026."""
    columns = {"EVENT_TYPE": "RestApi", "ORGANIZATION_ID": "00D4R000001kSky", "USER_ID": "0054R0000000001"}
    columns |= {"METHOD": "GET", "ROWS_PROCESSED": "10", "ENTITY_NAME": "Contact"}
    return json.dumps(columns | {"TIMESTAMP": f"202603{time}0000.000", "REQUEST_ID": request}).encode()


def _fed() -> Detection:
    detection = Detection(SETTINGS, {})
    _feed(detection)
    return detection


def _feed(detection: Detection) -> None:
    for number, at in enumerate(("0201", "0309", "0202", "0202")):
        detection.observe(decode(row(at, f"r{min(number, 2)}"), "x"), offset=number)
    detection.observe(decode(row("0202", "r2"), "x"), offset=3)


def _refusing() -> Triage:
    triage = Triage(SETTINGS, {}, BUILT_IN.explanations)
    triage.refused = 1
    return triage


def test_counts_survive_a_shard_that_is_replaced_or_let_go() -> None:
    """A counter never falls, and counts each thing once, when a partition comes back or goes to another worker;
    gauges forget it.
    """
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    one = {"rows_taken_total": 30.0, "duplicate_events_total": 1.0, "late_events_total": 1.0}
    one |= {"redelivered_events_total": 1.0, "dropped_signals_total": 0.0}
    metrics.watch_detection(3, _fed())
    assert _counts(registry) == one
    metrics.watch_detection(3, Detection(SETTINGS, {}))
    assert _counts(registry) == one
    metrics.watch_detection(4, _fed())
    metrics.watch_triage(4, _refusing())
    one["dropped_signals_total"] = 1.0
    metrics.watch_triage(4, _refusing())
    assert _counts(registry) == {name: 2 * count for name, count in one.items()}
    kinds = {kind.value: 0.0 for kind in ActorKind}
    assert _profiles(registry) == kinds | {"integration": 1.0}
    metrics.lag = {("crm.access", 0): 7}
    metrics.watch_none()
    metrics.count_detection(4)
    metrics.count_triage(4)
    assert _counts(registry) == {name: 2 * count for name, count in one.items()}
    assert _profiles(registry) == kinds
    assert "crmwatch_consumer_lag" not in exported(registry)
    detection = Detection(SETTINGS, {})
    metrics.watch_detection(4, detection)
    _feed(detection)
    for _ in range(2):
        metrics.count_detection(4)
    metrics.watch_triage(4, _refusing())
    metrics.count_triage(4)
    assert _counts(registry) == {name: 3 * count for name, count in one.items()}


def test_an_open_incident_that_is_anothers_now_is_not_shown(
    busy: tuple[CollectorRegistry, Metrics, Engine],
) -> None:
    """When partitions are revoked, two workers must not both show the same incident."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.watch_triage(0, busy[2].triage)
    assert sum(exported(registry)["crmwatch_incidents_open"].values()) > 0
    metrics.watch_none()
    assert sum(exported(registry)["crmwatch_incidents_open"].values()) == 0
    assert exported(registry)["crmwatch_risk_max"] == {(): 0.0}


def test_scraping_while_counting_does_no_harm() -> None:
    """A scrape comes from another thread: it never fails, and a counter never falls."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    fed = [_fed() for _ in range(200)]
    problems: list[BaseException] = []
    stop = threading.Event()

    def scrape() -> None:
        before = 0.0
        try:
            while not stop.is_set():
                rows = _counts(registry)["rows_taken_total"]
                assert rows >= before
                before = rows
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            problems.append(error)

    thread = threading.Thread(target=scrape)
    thread.start()
    for number, detection in enumerate(fed):
        metrics.watch_detection(number % 5, detection)
        metrics.dead_letter(RecordError(f"a{number}", "x", f"r{number}", "?"))
        if number % 50 == 49:
            metrics.watch_none()
    stop.set()
    thread.join(30)
    assert problems == []
    assert _counts(registry)["rows_taken_total"] == 200 * 30


def test_two_processes_metrics_do_not_mix() -> None:
    """Each counts into the registry it was given and no other."""
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).dead_letter(RecordError("", "x", Rejection.MALFORMED, "?"))
    Metrics(second)
    assert exported(first)["crmwatch_dead_letters_total"]
    assert "crmwatch_dead_letters_total" not in exported(second)


def _event(adapter: str, time_ms: int, operation: Operation = Operation.QUERY) -> AccessEvent:
    return event(1, time_ms=time_ms, operation=operation, origin=RecordOrigin(adapter, "x:1"))


def test_a_batch_is_counted_as_its_events_are() -> None:
    """Each event under its own adapter and operation; the newest of each adapter says when and how late it came."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    batch = [
        _event("elf", 5_000),
        _event("hubspot", 9_000, Operation.LOGIN),
        _event("elf", 7_000),
        _event("elf", 6_000, Operation.LOGIN),
    ]
    metrics.events(batch, [15_000, 9_500, 17_500, 99_000])
    metrics.events([], [])
    metrics.events([_event("elf", 1_000)], [-1])
    found = exported(registry)
    assert found["crmwatch_events_total"] == {
        (("operation", "query"), ("source", "elf")): 3.0,
        (("operation", "login"), ("source", "elf")): 1.0,
        (("operation", "login"), ("source", "hubspot")): 1.0,
    }
    assert found["crmwatch_source_last_event_timestamp_seconds"] == {
        (("source", "elf"),): 7.0,
        (("source", "hubspot"),): 9.0,
    }
    assert found["crmwatch_source_lag_seconds"] == {(("source", "elf"),): 10.5, (("source", "hubspot"),): 0.5}


def test_a_delay_is_split_where_the_record_arrived() -> None:
    """What the source took and what crmwatch took are told apart; clocks that disagree make neither negative."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.delay(event_ms=10_000, arrived_ms=40_000, now_ms=41_500)
    metrics.delay(event_ms=10_000, arrived_ms=9_000, now_ms=8_000)
    found = exported(registry)
    assert found["crmwatch_detection_delay_seconds_sum"] == {
        (("part", "source"),): 30.0,
        (("part", "pipeline"),): 1.5,
    }
    assert found["crmwatch_detection_delay_seconds_count"] == {
        (("part", "source"),): 2.0,
        (("part", "pipeline"),): 2.0,
    }
    own = {
        dict(labels)["le"]: count
        for labels, count in found["crmwatch_detection_delay_seconds_bucket"].items()
        if ("part", "pipeline") in labels
    }
    assert (own["1.0"], own["2.0"], own["+Inf"]) == (1.0, 2.0, 2.0)


def test_what_shards_say_is_added_up_by_stage() -> None:
    """State and what is held are those of the shards that are here; what was taken early stays counted."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    state = {b"one": b"1234"}
    figures = metrics.watch("detect", 0, state)
    other = metrics.watch("detect", 1, {})
    triage = metrics.watch("triage", 0, {b"i": b"j"})
    changes: dict[bytes, bytes | None] = {b"one": None, b"two": b"56", b"three": None}
    figures.saving(state, changes)
    other.saving({}, {b"k": b"123456789"})
    figures.held, other.held, triage.held = 3, 4, 5
    metrics.watch_detection(0, Detection(SETTINGS, {}))
    metrics.watch_detection(1, Detection(SETTINGS, {}))
    metrics.count_detection(0, unordered=4)
    metrics.count_detection(0, unordered=10)
    metrics.count_detection(1, unordered=20)
    metrics.provisional(30)

    def said() -> dict[str, float]:
        found = exported(registry)
        names = (
            "buffered_events",
            "buffered_signals",
            "out_of_order_events_total",
            "provisional_signals_total",
        )
        return {name: found[f"crmwatch_{name}"][()] for name in names} | {
            f"{stage} bytes": size for ((_, stage),), size in found.get("crmwatch_state_bytes", {}).items()
        }

    assert said() == {
        "buffered_events": 7, "buffered_signals": 5, "out_of_order_events_total": 30, "provisional_signals_total": 30,
        "detect bytes": 15, "triage bytes": 2,
    }  # fmt: skip
    metrics.watch("detect", 1, {})
    metrics.watch_detection(1, Detection(SETTINGS, {}))
    metrics.count_detection(1, unordered=1)
    assert said()["out_of_order_events_total"] == 31
    metrics.watch_none()
    assert said() == {
        "buffered_events": 0, "buffered_signals": 0, "out_of_order_events_total": 31, "provisional_signals_total": 30,
    }  # fmt: skip
