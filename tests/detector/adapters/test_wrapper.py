"""A record comes out of whatever wraps it as it would come by itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import lru_cache

import msgspec
import pytest

from detector.adapters import AUTO, RecordError, choose, decode
from detector.adapters.wrapper import MAX_DEPTH, MAX_PARTS
from detector.event import AccessEvent
from tests.detector.adapters.test_adapter_laws import ASKED, EVERY, records

Wrap = Callable[[str], object]


def value(record: str) -> object:
    """A record as the JSON that it is, or as text."""
    return json.loads(record) if record[:1] == "{" else record


OBJECTS: dict[str, Wrap] = {
    "splunk": lambda record: {"preview": False, "offset": 0, "result": {"_raw": record, "host": "h"}},
    "splunk fields": lambda record: {"preview": False, "offset": 0, "result": value(record)},
    "splunk collector": lambda record: {"time": 1772442000, "sourcetype": "x", "event": value(record)},
    "elastic": lambda record: {"_index": "i", "_id": "0", "_source": {"event": {"original": record}}},
    "elastic flat": lambda record: {"@timestamp": "x", "event.original": record, "message": "read"},
    "elastic source": lambda record: {"_index": "i", "_source": value(record)},
    "beats": lambda record: {"@timestamp": "x", "message": record, "agent": {"type": "filebeat"}},
    "cloudevents": lambda record: {"specversion": "1.0", "type": "t", "source": "s", "data": value(record)},
    "cloudevents base64": lambda record: {
        "specversion": "1.0", "data_base64": base64.b64encode(record.encode()).decode()
    },
    "eventbridge": lambda record: {"version": "0", "detail-type": "x", "detail": value(record)},
    "docker": lambda record: {"log": record + "\n", "stream": "stdout", "time": "2026-03-02T09:00:00Z"},
    "journal": lambda record: {"MESSAGE": record, "_HOSTNAME": "web1", "PRIORITY": "6"},
    "cloudwatch": lambda record: {"id": "1", "timestamp": 1772442000000, "message": record},
    "kcat": lambda record: {"topic": "crm", "partition": 0, "offset": 0, "key": None, "payload": record},
    "rest proxy": lambda record: {"topic": "crm", "key": None, "value": value(record), "offset": 1},
    "connect": lambda record: {"schema": {"type": "struct"}, "payload": value(record)},
    "new relic": lambda record: {"message": "row 0", "attributes": value(record), "timestamp": 1},
    "stackdriver": lambda record: {"insertId": "1", "jsonPayload": value(record), "resource": {"type": "x"}},
    "graylog": lambda record: {"version": "1.1", "host": "h", "short_message": "x", "full_message": record},
    "queue": lambda record: {"MessageId": "1", "Body": json.dumps({"Type": "Notification", "Message": record})},
    "journal bytes": lambda record: {"MESSAGE": list(record.encode()), "PRIORITY": "6"},
    "list of one": lambda record: {"fields": {"event.original": [record]}},
    "twice": lambda record: {"message": json.dumps(record)},
    "thrice": lambda record: {"log": json.dumps({"message": json.dumps({"message": record})})},
}  # fmt: skip
LINES: dict[str, Callable[[str], str]] = {
    "container": lambda line: f"2026-03-02T09:00:00.000000000Z stdout F {line}",
    "container zone": lambda line: f"2026-03-02T09:00:00.000000000+01:00 stderr F {line}",
    "syslog": lambda line: f"<190>Mar  2 09:00:00 web1 nginx: {line}",
    "syslog pid": lambda line: f"<190>Mar 12 09:00:00 web1 nginx[812]: {line}",
    "syslog no host": lambda line: f"<190>Mar  2 09:00:00 nginx: {line}",
    "syslog iso": lambda line: f"<13>2026-03-02T09:00:00.123456+01:00 web1 crm[7]: {line}",
    "syslog new": lambda line: f"<190>1 2026-03-02T09:00:00.003Z web1.example.com nginx 812 ID47 - {line}",
    "syslog data": lambda line: f'<190>1 2026-03-02T09:00:00Z web1 nginx - - [x@1 a="b]" c="d"] \ufeff{line}',
    "journal": lambda line: f"Mar 02 09:00:00 web1 nginx[812]: {line}",
    "journal iso": lambda line: f"2026-03-02T09:00:00+0000 web1 nginx[812]: {line}",
    "journal full": lambda line: f"Mon 2026-03-02 09:00:00 UTC web1 nginx[812]: {line}",
    "journal monotonic": lambda line: f"[ 1234.567890] web1 nginx[812]: {line}",
    "pod": lambda line: f"[pod/crm-5d8f/nginx] {line}",
    "compose": lambda line: f"crm-web-1  | {line}",
    "coloured compose": lambda line: f"\x1b[36mcrm-web-1  |\x1b[0m {line}",
    "labels": lambda line: f'2026-03-02T09:00:00Z {{app="nginx", pod="crm"}} {line}',
    "time": lambda line: f"2026-03-02T09:00:00.000Z {line}",
    "epoch": lambda line: f"1772442000.123 {line}",
    "docker of a container's": lambda line: json.dumps({"log": f"2026-03-02T09:00:00Z stdout F {line}\n"}),
    "syslog of docker": lambda line: f"<190>Mar  2 09:00:00 web1 docker/ab12[7]: {json.dumps({'log': line})}",
}


def outcome(record: bytes) -> AccessEvent | tuple[str, str]:
    """The event of a record, or which adapter refuses it and why."""
    try:
        return decode(record, "x:1", ASKED)
    except RecordError as error:
        return error.adapter, error.reason


@lru_cache
def plain(name: str) -> list[tuple[str, AccessEvent]]:
    """An adapter's samples that are read as they are, and their events."""
    told = [(raw.record, outcome(raw.record)) for raw in records(name) if not raw.fault]
    return [(record.decode(), event) for record, event in told if isinstance(event, AccessEvent)]


@pytest.mark.parametrize("wrapper", [*OBJECTS, *LINES])
def test_a_wrapped_record_is_the_same_event(wrapper: str) -> None:
    """Every sample of every adapter, in every wrapper, is the event that it is by itself, with its id."""
    for name in EVERY:
        assert plain(name)
        for text, known in plain(name):
            if wrapper == "cloudevents base64" and text[:1] != "{":
                continue
            whole = OBJECTS[wrapper](text) if wrapper in OBJECTS else LINES[wrapper](text)
            record = whole if isinstance(whole, str) else json.dumps(whole, ensure_ascii=False)
            assert outcome(record.encode()) == known, record


@pytest.mark.parametrize(
    "spell",
    [
        lambda key: f"{key} [UTC]" if "Time" in key else key,
        lambda key: f" {key} ",
        lambda key: f"\ufeff{key}",
        lambda key: f"o365.audit.{key}",
    ],
)
def test_decorated_keys_are_the_vendors(spell: Callable[[str], str]) -> None:
    """Blanks and marks around names, a zone behind them and the path before them do not change the event."""
    for text, known in plain("dynamics_ual"):
        record = {spell(key): item for key, item in json.loads(text).items()}
        if known.origin.adapter == "dynamics_ual" and "AuditData" not in text and "auditData" not in text:
            assert outcome(json.dumps(record).encode()) == known


def test_the_zone_of_a_column_is_that_of_its_values() -> None:
    """A time under a column that names another zone is that zone's; one that nobody knows is refused."""
    row = {
        "OfficeWorkload": "OneDrive",
        "Operation": "FileDownloaded",
        "UserId": "a",
        "OfficeId": "i",
        "RecordType": "6",
    }
    whens = {
        "TimeGenerated [UTC]": "3/2/2026, 9:00:00.000 AM",
        "TimeGenerated [Pacific Standard Time]": "3/2/2026, 1:00:00.000 AM",
        "TimeGenerated [UTC+01:00]": "3/2/2026, 10:00:00.000 AM",
    }
    found = [outcome(json.dumps(row | {key: text}).encode()) for key, text in whens.items()]
    assert [event.time_ms for event in found if isinstance(event, AccessEvent)] == [1772442000000] * 3
    odd = json.dumps(row | {"TimeGenerated [Local Time]": "3/2/2026, 9:00:00 AM"}).encode()
    assert outcome(odd) == ("dynamics_ual", "bad_time")


@pytest.mark.parametrize("name", ["salesforce_elf", "salesforce_rtem", "dynamics_ual", "hubspot", "ocsf"])
def test_a_wrapped_record_that_is_broken_is_refused_for_what_is_wrong_with_it(name: str) -> None:
    """The reason given is that of the innermost record, and not that its wrapper lacks the vendor's keys."""
    broken = [(raw.record, known) for raw in records(name) if isinstance(known := outcome(raw.record), tuple)]
    checked = 0
    for record, known in broken:
        if known[0] != name or record[:1] != b"{" or known[1] == "malformed":
            continue
        for wrapper in ("splunk", "docker", "beats", "eventbridge"):
            assert outcome(json.dumps(OBJECTS[wrapper](record.decode())).encode()) == known, record
            checked += 1
    assert checked


def test_a_vendors_key_deep_inside_claims_nothing() -> None:
    """An object that only holds a vendor's key somewhere is of an unknown format, and its own keys are named."""
    record = {"kind": "ticket", "thread": {"notes": {"EventDate": 1, "CreationTime": "", "RecordType": 2}}}
    with pytest.raises(RecordError) as caught:
        decode(json.dumps(record).encode(), "x:1")
    assert (caught.value.adapter, caught.value.reason) == ("", "unknown_format")
    assert caught.value.detail == "no adapter recognises an object with the keys kind, thread"


@pytest.mark.parametrize(
    "line",
    [
        "web1 nginx 203.0.113.9 - mia {rest}",
        "app[7] 203.0.113.9 - mia {rest}",
        "2026-03-02 09h00 203.0.113.9 - mia {rest}",
        "some words 203.0.113.9 - mia {rest}",
        "x 203.0.113.9 - mia - 7 {rest}",
    ],
)
def test_text_before_a_line_is_never_taken_for_who_acted(line: str) -> None:
    """A prefix that no known collector writes makes the line unreadable, and the sentence says so."""
    rest = '[02/Mar/2026:09:00:00 +0000] "GET /api/v1/Contact/17 HTTP/1.1" 200 512 "-" "curl/8.4"'
    with pytest.raises(RecordError) as caught:
        decode(line.format(rest=rest).encode(), "x:1")
    assert caught.value.reason in ("malformed", "unknown_format")


def test_half_a_line_of_a_container_is_not_read() -> None:
    """A line that its runtime cut in two is refused, as its fields may be cut as well."""
    line = b'203.0.113.9 - mia [02/Mar/2026:09:00:00 +0000] "GET / HTTP/1.1" 200 51'
    with pytest.raises(RecordError):
        decode(b"2026-03-02T09:00:00.000000000Z stdout P " + line, "x:1")


def test_a_chosen_format_is_opened_too() -> None:
    """A record of the format that somebody named comes out of its wrapper, and its refusal is that format's."""
    record = next(
        raw.record for raw in records("dynamics_ual") if isinstance(outcome(raw.record), AccessEvent)
    )
    (adapter,) = choose("dynamics_ual")
    wrapped = json.dumps({"message": record.decode()}).encode()
    assert decode(wrapped, "x:1", (adapter,)) == decode(record, "x:1", choose(AUTO))
    with pytest.raises(RecordError) as caught:
        decode(b'{"message": "hello"}', "x:1", (adapter,))
    assert caught.value.adapter == "dynamics_ual"


def test_opening_is_bounded() -> None:
    """Neither depth nor breadth costs more than the bounds say, and what lies deeper is not read."""
    deep = plain("zendesk")[0][0]
    for _ in range(MAX_DEPTH):
        deep = json.dumps({"message": deep})
    assert isinstance(outcome(deep.encode()), AccessEvent)
    assert outcome(json.dumps({"message": deep}).encode()) == ("", "unknown_format")
    wide: object = 1
    for _ in range(5):
        wide = dict.fromkeys(("message", "event", "data", "log", "result", "payload"), wide)
    asked: list[bytes] = []
    spy = msgspec.structs.replace(EVERY["zendesk"], recognises=lambda part: bool(asked.append(part)))
    with pytest.raises(RecordError):
        decode(json.dumps(wide).encode(), "x:1", (spy, EVERY["hubspot"]))
    assert len(asked) <= 3 * MAX_PARTS + 1


@pytest.mark.parametrize(
    "record",
    [
        b'{"message": "' + b"[" * 50_000 + b'"}',
        b'{"message": {"a": ' * 500,
        b'"' * 10_000,
        b'{"data": "////////////////"}',
    ],
)
def test_odd_wrappers_are_refused(record: bytes) -> None:
    """Whatever a wrapper holds, it is a refusal and nothing else."""
    assert isinstance(outcome(record), tuple)
