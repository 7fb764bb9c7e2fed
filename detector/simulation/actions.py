"""Acts in the CRM, before a vendor's format writes them down.

A `SimulatedAction` knows more than any log shows; a writer (`elf`, `rtem`, `ual`) omits what its vendor omits.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

from detector.event import ActorKind, Operation

__all__ = ["ActionRecorder", "App", "Interface", "JobState", "Login", "SimulatedAction"]

PAGE_ROWS = 2_000
"""How many rows a page of an API query has at most."""


class Interface(IntEnum):
    """Through what the CRM was spoken to."""

    PAGE = 0
    """A browser."""
    REST = 1
    SOAP = 2
    BULK = 3


class JobState(StrEnum):
    """What a bulk job has come to."""

    CREATED = "UploadComplete"
    RUNNING = "InProgress"
    COMPLETE = "JobComplete"
    FETCHED = "fetched"
    """Its result was downloaded."""
    DELETED = "Deleted"


class Login(msgspec.Struct, frozen=True):
    """Who acts. The writers make the vendors' ids of `number`."""

    number: int
    name: str
    kind: ActorKind


class App(msgspec.Struct, frozen=True):
    """A connected app."""

    number: int
    name: str


class SimulatedAction(msgspec.Struct, gc=False):
    """One thing done; what does not apply is empty or zero."""

    time_ms: int
    account: Login
    operation: Operation
    kind: str
    """The kind of record, in Salesforce's names; empty for none."""
    rows: int
    """Rows that left by this act alone."""
    ip: str
    agent: str
    app: App | None
    session: int
    way: Interface
    attack: int = 0
    """The number of the attack that this is a part of; 0 for none."""
    record: int = 0
    """Which record (or report) it was, by number within its kind."""
    job: int = 0
    """The bulk job, report execution or paged query that this is a step of."""
    total: int = 0
    """Rows of that job so far."""
    bytes_out: int = 0
    status: str = ""
    """Why it failed; empty for success."""
    query: str = ""
    """SOQL with ``:since`` in place of a literal."""
    state: JobState | None = None
    scouting: bool = False
    """Whether an attacker looks around by it rather than takes."""


class ActionRecorder:
    """An account at one place with one browser or program: what it does becomes acts in a list."""

    __slots__ = ("account", "acts", "agent", "app", "attack", "ip", "jobs", "scouting", "session", "way")

    def __init__(
        self,
        acts: list[SimulatedAction],
        account: Login,
        ip: str,
        agent: str,
        session: int,
        way: Interface = Interface.PAGE,
        app: App | None = None,
        attack: int = 0,
    ) -> None:
        self.acts = acts
        self.account = account
        self.ip = ip
        self.agent = agent
        self.session = session
        self.way = way
        self.app = app
        self.attack = attack
        self.jobs = session * 1000
        self.scouting = False

    def login(self, time_ms: int, status: str = "") -> None:
        """Log in, or fail to."""
        self._do(time_ms, Operation.LOGIN, status=status)

    def view(self, time_ms: int, kind: str, record: int, status: str = "") -> None:
        """Open a record."""
        self._do(time_ms, Operation.RECORD_VIEW, kind, 0 if status else 1, record=record, status=status)

    def search(self, time_ms: int, kind: str, rows: int) -> None:
        """Look for records."""
        self._do(time_ms, Operation.SEARCH, kind, rows)

    def list_view(self, time_ms: int, kind: str, rows: int) -> None:
        """Look at a list of records."""
        self.jobs += 1
        self._do(time_ms, Operation.LIST_VIEW, kind, rows, job=self.jobs, total=rows)

    def write(self, time_ms: int, kind: str, record: int) -> None:
        """Change a record."""
        self._do(time_ms, Operation.WRITE, kind, record=record)

    def download(self, time_ms: int, record: int, bytes_out: int) -> None:
        """Download a file."""
        self._do(time_ms, Operation.FILE_DOWNLOAD, "ContentDocument", 1, record=record, bytes_out=bytes_out)

    def report(self, time_ms: int, kind: str, rows: int, report: int, *, export: bool = False) -> None:
        """Run a report, or export it."""
        self.jobs += 1
        operation = Operation.REPORT_EXPORT if export else Operation.REPORT
        size = rows * 180
        self._do(time_ms, operation, kind, rows, record=report, job=self.jobs, total=rows, bytes_out=size)

    def admin(self, time_ms: int) -> None:
        """Act as somebody else, as an administrator may."""
        self._do(time_ms, Operation.ADMIN)

    def describe(self, time_ms: int, kind: str = "") -> None:
        """Ask what objects there are, or what one looks like."""
        self._do(time_ms, Operation.DESCRIBE, kind, bytes_out=40_000)

    def limits(self, time_ms: int) -> None:
        """Ask how many calls are left."""
        self._do(time_ms, Operation.OTHER, bytes_out=2_100)

    def count(self, time_ms: int, kind: str) -> None:
        """Ask how many records there are: a number leaves, no row."""
        self._do(time_ms, Operation.COUNT, kind, query=" ".join(("SELECT COUNT() FROM", kind)), bytes_out=60)

    def query(self, time_ms: int, kind: str, rows: int, query: str, pause_ms: int = 900) -> int:
        """Query by API, page by page; returns when the last page came."""
        self.jobs += 1
        total = 0
        while True:
            page = min(PAGE_ROWS, rows - total)
            total += page
            self._do(
                time_ms, Operation.QUERY, kind, page, job=self.jobs, total=total, query=query,
                bytes_out=600 + page * 320,
            )  # fmt: skip
            if total >= rows:
                return time_ms
            time_ms += pause_ms + page % 7 * 40

    def bulk(
        self, time_ms: int, kind: str, rows: int, query: str, span_ms: int, *, delete_ms: int | None = None
    ) -> int:
        """A bulk job: created, under way, complete, fetched and perhaps deleted; returns when it was over."""
        self.jobs += 1
        job = self.jobs
        done = 0
        steps = (
            (JobState.CREATED, 0.0, 0.0),
            (JobState.RUNNING, 0.4, 0.38),
            (JobState.RUNNING, 0.75, 0.74),
            (JobState.COMPLETE, 1.0, 1.0),
            (JobState.FETCHED, 1.05, 1.0),
        )
        at = time_ms
        for state, when, share in steps:
            at = time_ms + int(span_ms * when)
            total = int(rows * share)
            self._do(
                at, Operation.BULK_EXPORT, kind, total - done, job=job, total=total, query=query,
                bytes_out=total * 400, state=state, way=Interface.BULK,
            )  # fmt: skip
            done = total
        if delete_ms is not None:
            at += delete_ms
            self._do(at, Operation.EXPORT_DELETE, kind, job=job, state=JobState.DELETED, way=Interface.BULK)
        return at

    def _do(
        self,
        time_ms: int,
        operation: Operation,
        kind: str = "",
        rows: int = 0,
        *,
        record: int = 0,
        job: int = 0,
        total: int = 0,
        bytes_out: int = 0,
        status: str = "",
        query: str = "",
        state: JobState | None = None,
        way: Interface | None = None,
    ) -> None:
        self.acts.append(
            SimulatedAction(
                time_ms, self.account, operation, kind, rows, self.ip, self.agent, self.app, self.session,
                self.way if way is None else way, self.attack, record, job, total, bytes_out, status, query,
                state, self.scouting,
            )
        )  # fmt: skip
