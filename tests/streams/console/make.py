"""Records of the topics, an index of them, and a console that serves it: for the console's tests."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
import uvicorn
from kafka.consumer.fetcher import ConsumerRecord

from detector.decision import Decision, DecisionSubject, Kind, encode
from detector.directory_entry import DirectoryEntry
from detector.identity.detect import Detection
from detector.published import ActivityRecord
from detector.published import encode as encode_published
from detector.settings import Settings
from streams.config import Config, ConsoleSettings
from streams.console.service import server_config
from streams.console.store.directory import ConsoleDirectory
from streams.console.store.follower import Follower
from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.console.web.audit import Audit
from streams.console.web.auth import Sessions
from streams.console.web.server import Console
from streams.kafka.messages import POSITIONS_HEADER
from streams.kafka.topics import TopicNames
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event
from tests.streams.report.make import body

TICK_MS = 600_000
NAMES = TopicNames()


def record(
    topic: str,
    value: bytes | None,
    offset: int = 0,
    key: bytes | None = None,
    headers: Sequence[tuple[str, bytes]] = (),
    partition: int = 0,
) -> Any:
    """A record as kafka-python gives it."""
    fields = {
        "topic": topic,
        "partition": partition,
        "leader_epoch": 0,
        "offset": offset,
        "timestamp": START_MS + offset,
        "timestamp_type": 0,
        "key": key,
        "value": value,
        "headers": list(headers),
    }
    return ConsumerRecord(**{name: fields.get(name) for name in ConsumerRecord._fields})


def alert(offset: int = 0, uid: str = "crmwatch-1", **changes: Any) -> Any:
    """An alert's record: `changes` to the top level of its body."""
    made = body(**changes)
    made["finding_info"] = made["finding_info"] | {"uid": uid}
    positions = msgspec.json.encode({"e-1": "salesforce_elf crm.access/0/7"})
    return record(
        NAMES.alerts, msgspec.json.encode(made), offset, uid.encode(), [(POSITIONS_HEADER, positions)]
    )


def decided(
    offset: int,
    kind: Kind,
    incident: str = "crmwatch-1",
    identity: str = "",
    *,
    time_ms: int | None = None,
    by: str = "ana",
    role: str = "analyst",
    reason: str = "",
    withdraws: str = "",
    **payload: Any,
) -> Any:
    """A decision's record, by default about the first incident and at that offset's minute."""
    decision = Decision(
        kind=kind,
        subject=DecisionSubject(incident=incident, identity=identity),
        by=by,
        role=role,
        time_ms=START_MS + 60_000 * offset if time_ms is None else time_ms,
        reason=reason,
        withdraws=withdraws,
        payload=payload,
    )
    return record(NAMES.feedback, encode(decision), offset, incident.encode())


def tick(
    offset: int, start_ms: int, rows: Mapping[str, int], events: Mapping[str, int], shard: int = 0
) -> Any:
    """The record of what a shard counted in a tick: rows by category, events by source."""
    counted = ActivityRecord(
        tenant="t",
        shard=shard,
        start_ms=start_ms,
        end_ms=start_ms + TICK_MS,
        rows=dict(rows),
        events=dict(events),
    )
    return record(NAMES.activity, encode_published(counted), offset, counted.key.encode())


def ticks(
    days: int, rows: Mapping[str, int], events: Mapping[str, int], until_ms: int = START_MS + 9 * DAY_MS
) -> list[Any]:
    """The same in each tick of so many days up to a time."""
    first_ms = until_ms - days * DAY_MS
    return [tick(number, first_ms + number * TICK_MS, rows, events) for number in range(144 * days)]


def identity_record(offset: int, actor: str = "u", days: int = 6, **fields: Any) -> Any:
    """An identity's record: active on so many days from nine to twelve."""
    detection = Detection(Settings(), {})
    for day in range(days):
        for hour in (9, 10, 11):
            at = START_MS + day * DAY_MS + hour * HOUR_MS
            usual = {"time_ms": at, "actor": actor, "rows": 50, "ip": "198.51.100.10"}
            detection.observe(event(day * 10 + hour, **(usual | fields)))
    known = detection.summary(f"t/{actor}")
    assert known is not None
    return record(NAMES.identities, encode_published(known), offset, known.id.encode())


def entry_record(offset: int, **fields: Any) -> Any:
    """An entry of the directory."""
    entry = DirectoryEntry(**fields)
    return record(NAMES.directory, msgspec.json.encode(entry), offset, entry.key.encode())


def index(path: Path, *records: Any, **settings: Any) -> Index:
    """An index of these records."""
    made = Index(path, NAMES, ConsoleSettings(**settings))
    made.apply(records)
    return made


def content(made: Index, *without: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that an index holds."""
    db = made.reader()
    tables = [
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    return {
        name: sorted((tuple(row) for row in db.execute(f"SELECT * FROM {name}")), key=repr)  # noqa: S608
        for name in tables
        if name not in without
    }


class Site:
    """A console that serves an index, without Kafka behind it; `audit` is its log."""

    def __init__(
        self, folder: Path, *records: Any, config: Config | None = None, port: int = 0, **settings: Any
    ) -> None:
        self.config = config or Config(console=ConsoleSettings(**settings))
        self.audit_file = folder / "audit.jsonl"
        self.freshness = Freshness()
        self.index = Index(folder / "index.sqlite", self.config.topics, self.config.console)
        self.index.apply(records)
        self.freshness.heard(0)
        follower = Follower(self.index, self.freshness, self.config)
        self.gate = Sessions(self.config.console)
        self._audit = Audit(self.audit_file)
        self.directory = ConsoleDirectory(self.index, self.config.directory)
        self.console = Console(
            self.config, self.index, self.freshness, follower, self.gate, self._audit, self.directory
        )
        self._server = uvicorn.Server(server_config(self.console.app, self.config.console, self.gate))
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.console.stop()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        self.index.close()
        self._audit.close()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def learn(self, *records: Any) -> None:
        """What the follower would do with these."""
        self.index.apply(records)
        self.freshness.read({(one.topic, one.partition): one.offset + 1 for one in records}, shown=True)

    def audit(self) -> list[dict[str, Any]]:
        """The audit log's lines."""
        return [msgspec.json.decode(line) for line in self.audit_file.read_bytes().splitlines()]


class Answer(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    headers: dict[str, str]
    text: str


class Client:
    """Speaks HTTP to a site and keeps its cookies, as a browser does."""

    def __init__(self, site: Site, **headers: str) -> None:
        self._site = site
        self.headers = headers
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, **form: str) -> Answer:
        """Send a form, with what shows that it is the site's own."""
        if "csrf" not in form:
            found = re.search(r'name="csrf" value="([^"]+)"', self.get("/incidents/crmwatch-1").text)
            form["csrf"] = found[1] if found else ""
        return self._ask("POST", path, urlencode(form), {})

    def _ask(self, method: str, path: str, form: str | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in (self.headers | dict(headers)).items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, form, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8")
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                for cookie in SimpleCookie(value).values():
                    self.cookies[cookie.key] = cookie.value
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
