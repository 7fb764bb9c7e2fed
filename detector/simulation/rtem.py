"""Acts as Salesforce real-time events, in the vendor's three envelopes.

The log shows neither descriptions nor limits, searches, changes by API, nor the states of bulk jobs: of those,
the queries' batches and that a result was fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from detector.event import ActorKind, Operation
from detector.simulation.actions import Interface, JobState, SimulatedAction
from detector.simulation.elf import record_id
from detector.simulation.read_records import record_numbers
from detector.units import HOUR_MS, MINUTE_MS

__all__ = ["Rtem"]

MANY_ROWS = 20
"""Up to so many rows the ids returned are written into the event."""
CHUNK_ROWS = 2_000
_EPOCH_S = 1_767_225_600


class Rtem:
    """Writes acts as events."""

    def __init__(self) -> None:
        self._number = 0
        self._hour = -1
        self._iso = ""
        self._out: list[tuple[str, str]] = []

    def shown(self, act: SimulatedAction) -> int:
        """How many of the act's rows the log shows."""
        return 0 if act.operation is Operation.SEARCH else act.rows

    def lines(self, act: SimulatedAction) -> list[tuple[str, str]]:
        """The events that an act leaves: (event type, JSON)."""
        self._out = []
        _WRITERS[act.operation](self, act)
        return self._out

    def event(self, act: SimulatedAction, event_type: str, own: str, after_ms: int = 0) -> None:
        """Add an event: the common fields, the type's own, and the envelope that the type arrives in."""
        time_ms = act.time_ms + after_ms
        hour, rest = divmod(time_ms, HOUR_MS)
        if hour != self._hour:
            self._hour = hour
            self._iso = datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")
        minute, rest = divmod(rest, MINUTE_MS)
        second, ms = divmod(rest, 1000)
        when = f"{self._iso}:{minute:02d}:{second:02d}.{ms:03d}"
        self._number += 1
        number = self._number
        account = act.account
        guest = '"UserType":"Guest",' if account.kind is ActorKind.GUEST else ""
        envelope = _ENVELOPES.get(event_type, 0)
        zone = "+0000" if envelope == 1 else "Z"
        payload = (
            f'{{"CreatedDate":"{when}{zone}","EventDate":"{when}{zone}",'
            f'"EventIdentifier":"{number:08x}-51c1-4e0d-9a7b-{time_ms & 0xFFFFFFFFFFFF:012x}",{own},'
            f'"LoginKey":"l{act.session:x}","PolicyId":null,"PolicyOutcome":null,"EvaluationTime":0.0,'
            f'"SessionKey":"s{act.session:x}","SessionLevel":"STANDARD","SourceIp":"{act.ip or "Salesforce.com IP"}",'
            f'"UserId":"0054R{account.number:010d}AAA",{guest}"Username":"{account.name}"'
        )
        if envelope == 1:
            line = (
                f'{{"channel":"/event/{event_type}Stream","data":{{"event":{{"replayId":{number}}},'
                f'"payload":{payload}}},"schema":"x7"}}}}'
            )
        elif envelope == 2:
            line = (
                f'{{"topic":"/event/{event_type}Stream","replay_id":"{number:016x}","payload":{payload}}}}}'
            )
        else:
            line = (
                f'{payload},"attributes":{{"type":"{event_type}",'
                f'"url":"/services/data/v62.0/sobjects/{event_type}/0Jk4R{number:010d}AAA"}}}}'
            )
        self._out.append((event_type, line))

    def login(self, act: SimulatedAction) -> None:
        """A login, or an attempt."""
        page = act.way is Interface.PAGE
        self.event(
            act, "LoginEvent",
            f'"ApiType":{"null" if page else _quoted("REST API")},'
            f'"Application":"{act.app.name if act.app else "Browser"}",'
            f'"Browser":"{act.agent}","LoginType":"{"Application" if page else "Remote Access 2.0"}",'
            f'"Status":"{_LOGINS.get(act.status, "Success")}","TlsProtocol":"TLS 1.3"',
        )  # fmt: skip

    def view(self, act: SimulatedAction) -> None:
        """A record opened."""
        denied = act.status != ""
        record = "null" if denied else _quoted(record_id(act.kind, act.record))
        self.event(
            act, "LightningUriEvent",
            f'"Operation":"Read","OperationStatus":"{"Failure" if denied else "Success"}",'
            f'"QueriedEntities":"{act.kind}",'
            f'"RecordId":{record},"UserAgent":"{act.agent}"',
        )  # fmt: skip

    def write(self, act: SimulatedAction) -> None:
        """A record changed in the browser; changes by API are not shown."""
        if act.way is Interface.PAGE:
            self.event(
                act, "LightningUriEvent",
                f'"Operation":"Update","OperationStatus":"Success","QueriedEntities":"{act.kind}",'
                f'"RecordId":"{record_id(act.kind, act.record)}","UserAgent":"{act.agent}"',
            )  # fmt: skip

    def list_view(self, act: SimulatedAction) -> None:
        """A list looked at."""
        self.event(
            act, "ListViewEvent",
            f'"ExecutionIdentifier":"ex{act.job:x}","FilterCriteria":"[]","NumberOfColumns":7,'
            f'"QueriedEntities":"{act.kind}","RowsProcessed":{act.rows}.0,"Sequence":1,"UserAgent":"{act.agent}"',
        )  # fmt: skip

    def report(self, act: SimulatedAction) -> None:
        """A report, in chunks that each say how many rows there were so far."""
        exported = act.operation is Operation.REPORT_EXPORT
        operation = "ReportExported" if exported else "ReportRunFromLightning"
        chunks = min(4, 1 + act.rows // CHUNK_ROWS)
        for chunk in range(1, chunks + 1):
            self.event(
                act, "ReportEvent",
                f'"ExecutionIdentifier":"ex{act.job:x}","ExportFileFormat":{_quoted("CSV") if exported else "null"},'
                f'"IsScheduled":{"false" if act.ip else "true"},"NumberOfColumns":9,'
                f'"Operation":"{operation}","QueriedEntities":"{act.kind}",'
                f'"ReportId":"00O4R{act.record:010d}AAA",'
                f'"RowsProcessed":{act.rows * chunk // chunks}.0,"Sequence":{chunk}',
                chunk - 1,
            )  # fmt: skip

    def download(self, act: SimulatedAction) -> None:
        """A file downloaded."""
        self.event(
            act, "FileEvent",
            f'"ContentSize":{act.bytes_out}.0,"DocumentId":"{record_id("ContentDocument", act.record)}",'
            f'"FileAction":"{"UI_DOWNLOAD" if act.way is Interface.PAGE else "API_DOWNLOAD"}","FileName":"scan.pdf"',
        )  # fmt: skip

    def admin(self, act: SimulatedAction) -> None:
        """An administrator acting as somebody else."""
        self.event(act, "LoginAsEvent", '"DelegatedUsername":"somebody@skyward.example.com"')

    def query(self, act: SimulatedAction) -> None:
        """A query's page: with its own rows or, as older records have it, with the rows so far alone."""
        more = act.total > act.rows
        moment = _EPOCH_S + (act.job or act.time_ms) % 10_000_000
        since = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = act.query.replace(":since", since)
        returned = f'"RowsReturned":{act.rows},' if act.job % 3 or act.rows != act.total else ""
        app = act.app
        # The vendor leaves the app out where the token existed already.
        shown = app is not None and (act.session % 3 > 0 or app.number >= 60)
        records = "null"
        if act.operation is Operation.QUERY and 0 < act.rows <= MANY_ROWS and not more:
            listed = ",".join(
                f'{{\\"attributes\\":{{\\"type\\":\\"{act.kind}\\"}},'
                f'\\"Id\\":\\"{record_id(act.kind, number)}\\"}}'
                for number in record_numbers(act)
            )
            records = f'"{{\\"totalSize\\":{act.rows},\\"done\\":true,\\"records\\":[{listed}]}}"'
        api = {Interface.SOAP: "SOAP Partner", Interface.BULK: "Bulk API 2.0"}.get(act.way, "REST API")
        self.event(
            act, "ApiEvent",
            f'"ApiType":"{api}","ApiVersion":62.0,"Client":null,'
            f'"Application":"{app.name if app and shown else "N/A"}",'
            f'"ConnectedAppId":{_quoted(f"0H44R{app.number:010d}AAA") if app and shown else "null"},'
            f'"ElapsedTime":{80 + act.rows % 900},'
            f'"Operation":"{"QueryMore" if more else "Query"}","OperationStatus":"Success",'
            f'"QueriedEntities":"{act.kind}",'
            f'"Query":"{query}","Records":{records},"RowsProcessed":{act.total}.0,{returned}"UserAgent":"{act.agent}"',
        )  # fmt: skip

    def bulk(self, act: SimulatedAction) -> None:
        """What shows of a bulk job: the batches that had rows, and the result being fetched."""
        if act.state is JobState.FETCHED:
            self.event(
                act, "BulkApiResultEvent", f'"Query":"{act.query.replace(":since", "2026-01-01T00:00:00Z")}"'
            )
        elif act.rows:
            self.query(act)

    def nothing(self, act: SimulatedAction) -> None:
        """What real-time events do not tell of."""


def _quoted(text: str) -> str:
    return f'"{text}"'


_LOGINS = {
    "LOGIN_CHALLENGE_ISSUED": "Failed: Computer activation required",
    "LOGIN_ERROR_INVALID_PASSWORD": "Invalid Password",
}
_ENVELOPES = {"ApiEvent": 1, "BulkApiResultEvent": 1, "ReportEvent": 1, "ListViewEvent": 2, "FileEvent": 2}
"""1 is a streamed message, 2 a Pub/Sub record; the others are stored objects."""
_WRITERS: dict[Operation, Callable[[Rtem, SimulatedAction], None]] = {
    Operation.LOGIN: Rtem.login,
    Operation.DESCRIBE: Rtem.nothing,
    Operation.COUNT: Rtem.query,
    Operation.QUERY: Rtem.query,
    Operation.BULK_EXPORT: Rtem.bulk,
    Operation.EXPORT_DELETE: Rtem.nothing,
    Operation.REPORT: Rtem.report,
    Operation.REPORT_EXPORT: Rtem.report,
    Operation.LIST_VIEW: Rtem.list_view,
    Operation.RECORD_VIEW: Rtem.view,
    Operation.SEARCH: Rtem.nothing,
    Operation.FILE_DOWNLOAD: Rtem.download,
    Operation.WRITE: Rtem.write,
    Operation.ADMIN: Rtem.admin,
    Operation.OTHER: Rtem.nothing,
}
