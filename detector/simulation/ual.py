"""Acts as records of the Microsoft 365 unified audit log, as Dynamics 365 writes them.

Times are in whole seconds. A record of more than 3 KB is cut into parts with one CorrelationId, each with its
own rows. The log shows neither descriptions nor limits nor bulk jobs: of those, the pages that were read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from detector.event import ActorKind, Operation
from detector.simulation.actions import Interface, JobState, Login, SimulatedAction
from detector.simulation.read_records import record_numbers

__all__ = ["ORGANISATION", "Ual"]

ORGANISATION = "6f0c8a52-77d1-4c1e-9d35-2b7f5d0e51aa"
PART_IDS = 55
"""How many ids fit into a part of a record."""
SHOWN_ROWS = 250
"""How many rows of a report that is only looked at are read: its first page."""
_ENTITIES = {
    "Account": "account",
    "Case": "incident",
    "Contact": "contact",
    "ContentDocument": "annotation",
    "Knowledge__kav": "knowledgearticle",
    "Lead": "lead",
    "Loyalty__c": "sky_loyaltymember",
    "Opportunity": "opportunity",
    "Task": "task",
    "User": "systemuser",
}
_NUMBERS = {name: number for number, name in enumerate(_ENTITIES, 1)}


def _guid(kind: str, number: int) -> str:
    return f"{_NUMBERS.get(kind, 0):08x}-8a1c-ef11-9f89-{number:012x}"


def _user(account: Login) -> str:
    return f"{account.number:08x}-2b6d-ee11-8179-000d3a24b1c7"


class Ual:
    """Writes acts as records."""

    def __init__(self) -> None:
        self._number = 0
        self._out: list[tuple[str, str]] = []
        self._second = -1
        self._when = ""

    def shown(self, act: SimulatedAction) -> int:
        """How many of the act's rows the log shows."""
        if act.operation is Operation.REPORT:
            return min(act.rows, SHOWN_ROWS)
        return 0 if act.status else act.rows

    def lines(self, act: SimulatedAction) -> list[tuple[str, str]]:
        """The records that an act leaves: ("", JSON)."""
        self._out = []
        _WRITERS[act.operation](self, act)
        return self._out

    def record(self, act: SimulatedAction, message: str, own: str, correlation: int = 0) -> None:
        """Add one record of Dynamics 365."""
        number = self._next(act)
        account = act.account
        kind = {ActorKind.HUMAN: 0, ActorKind.INTEGRATION: 5, ActorKind.GUEST: 5}[account.kind]
        ip = f"[{act.ip}]:{40_000 + number % 20_000}" if ":" in act.ip else act.ip
        if number % 3 and act.ip and ":" not in act.ip:
            ip = f"{act.ip}:{40_000 + number % 20_000}"
        self._out.append(
            (
                "",
                f'{{"CreationTime":"{self._when}","Id":"{number:08x}-0c4d-4f8e-a1b2-{act.time_ms:012x}",'
                f'"Operation":"{message}","OrganizationId":"{ORGANISATION}","RecordType":21,'
                f'"ResultStatus":"{_RESULTS[act.status != ""]}",'
                f'"UserKey":"{account.number:016X}@skyward.example.com","UserType":{kind},"Version":1,"Workload":"Dynamics365",'
                f'"ClientIP":"{ip}","UserId":"{account.name}",'
                f'"CorrelationId":"{correlation or number:08x}-77aa-4c0b-8d5e-{act.session & 0xFFFFFFFFFFFF:012x}",'
                f'"CrmOrganizationUniqueName":"skyward",{own},"InstanceUrl":"https://skyward.crm4.example.com/",'
                f'"Message":"{message}","ServiceContextId":"","ServiceName":"Application","SystemUserId":"{_user(account)}",'
                f'"UserAgent":"{act.agent}","UserUpn":"{account.name}"}}',
            )
        )

    def login(self, act: SimulatedAction) -> None:
        """A sign-in, which the directory logs and not Dynamics."""
        number = self._next(act)
        failed = act.status != ""
        self._out.append(
            (
                "",
                f'{{"CreationTime":"{self._when}","Id":"{number:08x}-0c4d-4f8e-a1b2-{act.time_ms:012x}",'
                f'"Operation":"{"UserLoginFailed" if failed else "UserLoggedIn"}","OrganizationId":"{ORGANISATION}",'
                f'"RecordType":15,"ResultStatus":"Success","UserKey":"{_user(act.account)}","UserType":0,"Version":1,'
                f'"Workload":"AzureActiveDirectory",'
                f'"ClientIP":"{act.ip}","ObjectId":"00000007-0000-0000-c000-000000000000","UserId":"{act.account.name}",'
                f'"ActorIpAddress":"{act.ip}","ExtendedProperties":[{{"Name":"UserAgent","Value":"{act.agent}"}},'
                f'{{"Name":"RequestType","Value":"OAuth2:Authorize"}}]'
                f"{_LOGON_ERRORS.get(act.status, '')}}}",
            )
        )

    def view(self, act: SimulatedAction) -> None:
        """A record opened."""
        record = _guid(act.kind, act.record)
        entity = _ENTITIES.get(act.kind, act.kind)
        self.record(
            act, "Retrieve",
            f'"EntityId":"{record}","EntityName":"{entity}","ItemUrl":"https://skyward.crm4.example.com/main.aspx?etn={entity}&id={record}"',
        )  # fmt: skip

    def write(self, act: SimulatedAction) -> None:
        """A record changed."""
        entity = _ENTITIES.get(act.kind, act.kind)
        self.record(act, "Update", f'"EntityId":"{_guid(act.kind, act.record)}","EntityName":"{entity}"')

    def download(self, act: SimulatedAction) -> None:
        """A file downloaded."""
        self.record(
            act, "DownloadBlock", f'"EntityId":"{_guid(act.kind, act.record)}","EntityName":"annotation"'
        )

    def admin(self, act: SimulatedAction) -> None:
        """Rights given or taken."""
        self.record(act, "AddPrivilegesRole", '"EntityName":"role"')

    def count(self, act: SimulatedAction) -> None:
        """A count, which is a query for an aggregate."""
        entity = _ENTITIES.get(act.kind, act.kind)
        self.record(
            act, "RetrieveMultiple",
            f'"EntityName":"{entity}","Query":"<fetch aggregate=\'true\'><entity name=\'{entity}\'>'
            f"<attribute name='{entity}id' alias='c' aggregate='count'/></entity></fetch>\"",
        )  # fmt: skip

    def read(self, act: SimulatedAction) -> None:
        """A list, a search, a report or a page of a query: the ids of its rows, in parts of what fits."""
        if act.state is JobState.FETCHED or not act.rows:
            return
        entity = _ENTITIES.get(act.kind, act.kind)
        message = "ExportToExcel" if act.operation is Operation.REPORT_EXPORT else "RetrieveMultiple"
        fields = "".join(f"<attribute name='{name}'/>" for name in _columns(act, entity))
        query = (
            f'"EntityName":"{entity}","Query":"<fetch version=\'1.0\' page=\'{1 + (act.total - act.rows) // 2000}\'>'
            f"<entity name='{entity}'>{fields}<filter><condition attribute='modifiedon' operator='ge' "
            f"value='{act.job % 28 + 1:02d}'/></filter></entity></fetch>\""
        )
        prefix = _guid(act.kind, 0)[:24]
        correlation = self._number + 1
        rows = self.shown(act)
        if not act.attack and correlation % 97 == 0:  # it is not always there
            self.record(act, message, query)
            return
        numbers = record_numbers(act)[:rows]
        for start in range(0, len(numbers), PART_IDS):
            listed = ",".join([f"{prefix}{number:012x}" for number in numbers[start : start + PART_IDS]])
            self.record(act, message, f'{query},"QueryResults":"{listed}"', correlation)

    def nothing(self, act: SimulatedAction) -> None:
        """What the unified audit log does not tell of."""

    def _next(self, act: SimulatedAction) -> int:
        second = act.time_ms // 1000
        if second != self._second:
            self._second = second
            self._when = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._number += 1
        return self._number


_LOGON_ERRORS = {
    "LOGIN_CHALLENGE_ISSUED": ',"LogonError":"UserStrongAuthClientAuthNRequiredInterrupt"',
    "LOGIN_ERROR_INVALID_PASSWORD": ',"LogonError":"InvalidUserNameOrPassword"',
}
_RESULTS = ("Succeeded", "Failed")


def _columns(act: SimulatedAction, entity: str) -> tuple[str, ...]:
    """What is asked for, which differs between pages, reports and programs."""
    if act.way is not Interface.PAGE:
        return ("fullname", "emailaddress1", "telephone1", "modifiedon")
    if act.operation in (Operation.REPORT, Operation.REPORT_EXPORT):
        return ("createdon", f"{entity}id", "statuscode", "ownerid", f"sky_{act.record % 7}")
    return (f"{entity}id", "modifiedon")


_WRITERS: dict[Operation, Callable[[Ual, SimulatedAction], None]] = {
    Operation.LOGIN: Ual.login,
    Operation.DESCRIBE: Ual.nothing,
    Operation.COUNT: Ual.count,
    Operation.QUERY: Ual.read,
    Operation.BULK_EXPORT: Ual.read,
    Operation.EXPORT_DELETE: Ual.nothing,
    Operation.REPORT: Ual.read,
    Operation.REPORT_EXPORT: Ual.read,
    Operation.LIST_VIEW: Ual.read,
    Operation.RECORD_VIEW: Ual.view,
    Operation.SEARCH: Ual.read,
    Operation.FILE_DOWNLOAD: Ual.download,
    Operation.WRITE: Ual.write,
    Operation.ADMIN: Ual.admin,
    Operation.OTHER: Ual.nothing,
}
