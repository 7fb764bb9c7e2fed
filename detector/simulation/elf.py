"""Acts as Salesforce EventLogFile rows: one CSV file per event type and hour.

The log shows descriptions and the states of bulk jobs. It does not show how many rows a list view had, and of
a count only that there was one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from detector.event import ActorKind, Operation
from detector.simulation.actions import Interface, JobState, Login, SimulatedAction
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["HEADERS", "ORGANISATION", "Elf", "record_id", "user_id"]

ORGANISATION = "00D4R000001kSky"
_COMMON = """
    EVENT_TYPE TIMESTAMP REQUEST_ID ORGANIZATION_ID USER_ID RUN_TIME CPU_TIME URI SESSION_KEY LOGIN_KEY
    USER_TYPE REQUEST_STATUS DB_TOTAL_TIME
"""
_OWN = {
    "API": """
        API_TYPE API_VERSION CLIENT_NAME METHOD_NAME ENTITY_NAME ROWS_PROCESSED REQUEST_SIZE RESPONSE_SIZE
        EXCEPTION_MESSAGE
    """,
    "AuraRequest": "ACTION_MESSAGE USER_AGENT",
    "BulkApi2": "JOB_ID JOB_STATUS ENTITY_TYPE OPERATION_TYPE RECORDS_PROCESSED RECORDS_FAILED RESULT_SIZE_MB",
    "ContentTransfer": "TRANSACTION_TYPE DOCUMENT_ID FILE_TYPE SIZE_BYTES",
    "LightningPageView": "USER_AGENT PAGE_ENTITY_ID PAGE_ENTITY_TYPE PAGE_URL",
    "Login": "BROWSER_TYPE LOGIN_STATUS LOGIN_TYPE TLS_PROTOCOL SOURCE_IP USER_NAME",
    "LoginAs": "DELEGATED_USER_NAME",
    "Report": "ENTITY_NAME ORIGIN DISPLAY_TYPE ROW_COUNT AVERAGE_ROW_SIZE NUMBER_COLUMNS REPORT_ID",
    "ReportExport": "CLIENT_INFO REPORT_DESCRIPTION",
    "RestApi": """
        CLIENT_NAME CONNECTED_APP_ID ENTITY_NAME METHOD MEDIA_TYPE NUMBER_FIELDS ROWS_PROCESSED
        RESPONSE_SIZE STATUS_CODE USER_AGENT
    """,
    "Search": "NUM_RESULTS PREFIXES_SEARCHED SEARCH_QUERY",
    "UniqueQuery": "QUERY_TYPE QUERY_IDENTIFIER SQL_ID",
    "URI": "USER_AGENT",
}
_LAST = "TIMESTAMP_DERIVED USER_ID_DERIVED CLIENT_IP URI_ID_DERIVED"
HEADERS = {
    name: ",".join(f'"{column}"' for column in f"{_COMMON} {own} {_LAST}".split())
    for name, own in _OWN.items()
}
"""Each event type's header line."""
_PREFIXES = {
    "Account": "001",
    "Case": "500",
    "Contact": "003",
    "ContentDocument": "069",
    "Knowledge__kav": "ka0",
    "Lead": "00Q",
    "Loyalty__c": "a01",
    "Opportunity": "006",
    "Task": "00T",
    "User": "005",
}


def user_id(account: Login) -> str:
    """An account's id, in 15 characters."""
    return f"0054R{account.number:010d}"


def record_id(kind: str, number: int) -> str:
    """A record's id, in 15 characters."""
    return f"{_PREFIXES.get(kind, 'a00')}4R{number:010d}"


class Elf:
    """Writes acts as rows."""

    def __init__(self) -> None:
        self._number = 0
        self._hour = -1
        self._compact = self._iso = ""
        self._asked: set[tuple[int, int, str]] = set()
        self._out: list[tuple[str, str]] = []

    def shown(self, act: SimulatedAction) -> int:
        """How many of the act's rows the log shows."""
        if act.operation is Operation.LIST_VIEW or act.state is JobState.FETCHED:
            return 0
        return act.rows

    def lines(self, act: SimulatedAction) -> list[tuple[str, str]]:
        """The rows that an act leaves: (event type, CSV row)."""
        self._out = []
        _WRITERS[act.operation](self, act)
        return self._out

    def row(
        self, act: SimulatedAction, event_type: str, uri: str, status: str, own: str, uri_id: str = ""
    ) -> None:
        """Add a row: the columns that all types have, and in their midst the type's own."""
        time_ms = act.time_ms
        hour, rest = divmod(time_ms, HOUR_MS)
        if hour != self._hour:
            self._hour = hour
            when = datetime.fromtimestamp(hour * 3600, UTC)
            self._compact, self._iso = when.strftime("%Y%m%d%H"), when.strftime("%Y-%m-%dT%H")
        minute, rest = divmod(rest, MINUTE_MS)
        second, ms = divmod(rest, 1000)
        self._number += 1
        number = self._number
        account = act.account
        session = act.session
        kind = "Guest" if account.kind is ActorKind.GUEST else "Standard"
        user = f"0054R{account.number:010d}"
        self._out.append(
            (
                event_type,
                f'"{event_type}","{self._compact}{minute:02d}{second:02d}.{ms:03d}","4{number:011d}",'
                f'"{ORGANISATION}","{user}","{20 + number % 131}","{9 + number % 37}","{uri}",'
                f'"s{session:x}","l{session:x}","{kind}","{status}","{20_000_000 + number % 7919 * 911}",'
                f'{own},"{self._iso}:{minute:02d}:{second:02d}.{ms:03d}Z","{user}AAA",'
                f'"{act.ip or "Salesforce.com IP"}","{uri_id}"',
            )
        )

    def login(self, act: SimulatedAction) -> None:
        """A login, or an attempt."""
        how = "Application" if act.way is Interface.PAGE else "i"
        self.row(
            act, "Login", "/login", "",
            f'"{act.agent}","{act.status or "LOGIN_NO_ERROR"}","{how}","TLSv1.3","{act.ip}","{act.account.name}"',
        )  # fmt: skip

    def view(self, act: SimulatedAction) -> None:
        """A record opened: by a visitor through a page's calls, else as a page view."""
        record = record_id(act.kind, act.record)
        if act.account.kind is ActorKind.GUEST:
            self.row(
                act, "AuraRequest", "/s/sfsites/aura", act.status or "S", f'"ACTION$getRecord","{act.agent}"'
            )
        elif act.status:
            self.row(act, "URI", f"/{record}", act.status, f'"{act.agent}"')
        else:
            self.row(
                act, "LightningPageView", "/aura", "",
                f'"{act.agent}","{record}","{act.kind}","/lightning/r/{act.kind}/{record}/view"',
            )  # fmt: skip

    def list_view(self, act: SimulatedAction) -> None:
        """A list looked at; how long it was is not said."""
        self.row(
            act,
            "LightningPageView",
            "/aura",
            "",
            f'"{act.agent}","","{act.kind}","/lightning/o/{act.kind}/list"',
        )

    def search(self, act: SimulatedAction) -> None:
        """A search, with the number of its results."""
        self.row(act, "Search", "/search", "S", f'"{act.rows}","{_PREFIXES.get(act.kind, "")}",""')

    def write(self, act: SimulatedAction) -> None:
        """A record changed."""
        record = record_id(act.kind, act.record)
        if act.way is Interface.PAGE:
            self.row(act, "URI", f"/{record}/e", "S", f'"{act.agent}"', record)
        elif act.way is Interface.SOAP:
            self.api(act, "update", 1, 310)
        else:
            self.rest(act, "PATCH", f"/sobjects/{act.kind}/{record}", 1, 204)

    def admin(self, act: SimulatedAction) -> None:
        """An administrator acting as somebody else."""
        self.row(act, "LoginAs", "/servlet/servlet.su", "S", '"somebody@skyward.example.com"')

    def download(self, act: SimulatedAction) -> None:
        """A file downloaded."""
        how = "VersionDownloadAction" if act.way is Interface.PAGE else "VersionDownloadApi"
        document = record_id("ContentDocument", act.record)
        self.row(
            act, "ContentTransfer", "/sfc/download", "S", f'"{how}","{document}","PDF","{act.bytes_out}"'
        )

    def report(self, act: SimulatedAction) -> None:
        """A report run; one exported has a second row, which does not say how many rows it had."""
        report = f"00O4R{act.record:010d}"
        exported = act.operation is Operation.REPORT_EXPORT
        origin = "ReportExported" if exported else "ReportRunFromLightning"
        self.row(
            act, "Report", f"/{report}", "S", f'"{act.kind}","{origin}","D","{act.rows}","180","9","{report}"'
        )
        if exported:
            self.row(act, "ReportExport", f"/{report}?export=1&enc=UTF-8", "S", f'"{act.agent}",""')

    def describe(self, act: SimulatedAction) -> None:
        """What objects there are, or what one looks like."""
        self.rest(act, "GET", f"/sobjects/{act.kind}/describe" if act.kind else "/sobjects", 0)

    def other(self, act: SimulatedAction) -> None:
        """The limits."""
        self.rest(act, "GET", "/limits", 0)

    def query(self, act: SimulatedAction) -> None:
        """A query's page; the query itself is shown once a day for each account, as its shape."""
        more = act.total > act.rows
        if act.way is Interface.SOAP:
            self.api(act, "queryMore" if more else "query", act.rows, act.bytes_out)
        else:
            uri = f"/query/01g{act.job:012d}-{act.total - act.rows}" if more else "/query"
            self.rest(act, "GET", uri, act.rows)
        asked = (act.account.number, act.time_ms // DAY_MS, act.query)
        if asked not in self._asked:
            self._asked.add(asked)
            self.row(act, "UniqueQuery", "", "", f'"SOQL","{act.query}","{len(self._asked):x}"')

    def bulk(self, act: SimulatedAction) -> None:
        """A state of a bulk job; that its result was fetched is not shown."""
        if act.state is JobState.FETCHED:
            return
        self.row(
            act, "BulkApi2", "/services/data/v62.0/jobs/query", "",
            f'"750{act.job:012d}","{act.state}","{act.kind}","query","{act.total}","0","{act.total * 0.0004:.3f}"',
        )  # fmt: skip

    def rest(self, act: SimulatedAction, method: str, path: str, rows: int, status: int = 200) -> None:
        """A call of the REST API."""
        app = act.app
        self.row(
            act, "RestApi", f"/services/data/v62.0{path}", "",
            f'"{app.name if app else ""}","{f"0H44R{app.number:010d}" if app else ""}","{act.kind}","{method}","JSON",'
            f'"8","{rows}","{act.bytes_out or 300}","{status}","{act.agent}"',
        )  # fmt: skip

    def api(self, act: SimulatedAction, method: str, rows: int, size: int) -> None:
        """A call of the SOAP API."""
        name = act.app.name if act.app else act.agent
        self.row(
            act, "API", "Api", "", f'"P","62.0","{name}","{method}","{act.kind}","{rows}","310","{size}",""'
        )


_WRITERS: dict[Operation, Callable[[Elf, SimulatedAction], None]] = {
    Operation.LOGIN: Elf.login,
    Operation.DESCRIBE: Elf.describe,
    Operation.COUNT: Elf.query,
    Operation.QUERY: Elf.query,
    Operation.BULK_EXPORT: Elf.bulk,
    Operation.EXPORT_DELETE: Elf.bulk,
    Operation.REPORT: Elf.report,
    Operation.REPORT_EXPORT: Elf.report,
    Operation.LIST_VIEW: Elf.list_view,
    Operation.RECORD_VIEW: Elf.view,
    Operation.SEARCH: Elf.search,
    Operation.FILE_DOWNLOAD: Elf.download,
    Operation.WRITE: Elf.write,
    Operation.ADMIN: Elf.admin,
    Operation.OTHER: Elf.other,
}
