"""Tells the type of a real-time event that has lost its envelope, by the fields that only its type has.

A record queried into a CSV, written by a connector or taken out of its message says nowhere what it is. Each type
has fields of its own (``LoginUrl``, ``ListViewId``, ``RowsReturned``); a record with those of one type is of that
type. A table of several types has the columns of all of them: there, the columns that a row fills decide. A record
that only has what all types have is of no type: to guess would hide what it says.

See https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/sforce_api_objects_monitoring.htm
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["OWN_FIELDS", "is_type_name", "type_in_position", "type_of"]

# A finding first, as it repeats the fields of what it was found in; then the most specific type.
_OWN: dict[str, str] = {
    "SessionHijackingEvent": """
        CurrentIp CurrentPlatform CurrentScreen CurrentUserAgent CurrentWindow PreviousIp PreviousPlatform
        PreviousScreen PreviousUserAgent PreviousWindow
    """,
    "GuestUserAnomalyEvent": "RequestedEntities SoqlCommands TotalControllerEvents",
    "CredentialStuffingEvent": "AcceptLanguage",
    "ReportAnomalyEvent": "Report",
    "FileEvent": """
        CanDownloadPdf ContentSize ContentVersionId FileAction FileSource IsLatestVersion VersionId VersionNumber
    """,
    "PermissionSetEvent": """
        HasExternalUsers ImpactedUserIds ParentIdList ParentNameList PermissionExpiration PermissionList
        PermissionType UserCount
    """,
    "LoginAsEvent": "DelegatedOrganizationId DelegatedUsername LoginAsCategory TargetUrl",
    "IdentityVerificationEvent": "VerificationMethod",
    "IdentityProviderEvent": "HasLogoutUrl IdentityUsed SamlEntityUrl SsoType",
    "LoginEvent": """
        AuthMethodReference AuthServiceId CipherSuite ClientVersion LoginLatitude LoginLongitude LoginSubType
        LoginType LoginUrl TlsProtocol
    """,
    "ListViewEvent": "FilterCriteria ListViewId OrderBy",
    "ReportEvent": """
        DashboardId DashboardName DisplayedFieldEntities ExportFileFormat Format GroupedColumnHeaders IsScheduled
        ReportId
    """,
    "LightningUriEvent": """
        ConnectionType DeviceModel DevicePlatform DeviceSessionId EffectivePageTime PageStartTime PageUrl
        PreviousPageAppName PreviousPageEntityId PreviousPageEntityType PreviousPageUrl SdkAppType SdkVersion
    """,
    "ApiEvent": "ConnectedAppId ElapsedTime RowsReturned",
}  # fmt: skip
_TYPES = {field: name for name, fields in _OWN.items() for field in fields.split()}
OWN_FIELDS = (
    *_TYPES, "AdditionalInfo", "CreatedDate", "DeveloperName", "FileName", "FileType", "RequestIdentifier",
    "SecurityEventData", "Summary", "Uri",
)  # fmt: skip
"""The fields that tell a type, beside those that are read anyway."""
_ORDER = {name: place for place, name in enumerate(_OWN)}
_LOGIN_TOO = frozenset({"LoginAsEvent", "LoginEvent", "CredentialStuffingEvent", "IdentityVerificationEvent"})
"""Types that have ``LoginType`` or ``LoginUrl``, of which only `LoginEvent` has no further fields."""
_FINDING = frozenset({"Score", "SecurityEventData", "Summary"})
_API_WORDS = frozenset({"query", "queryall", "querymore", "retrieve", "count", "search", "describe"})


def type_of(keys: Collection[str], filled: Collection[str], operation: str) -> str | None:
    """The type of a payload by its keys, those with a value, and what its ``Operation`` says.

    >>> type_of(["EventDate", "UserId", "LoginUrl"], ["EventDate", "UserId"], "")
    'LoginEvent'
    >>> type_of(["EventDate", "UserId", "SourceIp"], ["EventDate", "UserId", "SourceIp"], "") is None
    True
    """
    finding = not _FINDING.isdisjoint(keys) and "Score" in keys
    named = {_TYPES[key] for key in keys if key in _TYPES}
    if len(named) > 1 and not named <= _LOGIN_TOO:  # a table of several types
        finding = finding and "Score" in filled
        named = {_TYPES[key] for key in filled if key in _TYPES}
        keys = filled
    if finding:
        return _finding(keys, named)
    if named:
        return min(named, key=_ORDER.__getitem__)
    return _by_shared(frozenset(filled), operation) or _by_shared(frozenset(keys), operation)


def _finding(keys: Collection[str], named: set[str]) -> str:
    """Which finding a record with a score is; one that has nothing else is about a login."""
    findings = [name for name in _OWN if name.endswith(("AnomalyEvent", "HijackingEvent", "StuffingEvent"))]
    for name in findings:
        if name in named:
            return name
    if "LoginUrl" in keys or "LoginType" in keys:
        return "CredentialStuffingEvent"
    api = {"Operation", "QueriedEntities", "RequestIdentifier", "RowsProcessed", "Uri"}
    return "LoginAnomalyEvent" if api.isdisjoint(keys) else "ApiAnomalyEvent"


def _by_shared(keys: frozenset[str], operation: str) -> str | None:
    """The type by fields that several types share, and by the words of ``Operation``."""
    word = operation[:80].lower()
    if word.startswith("report"):
        return "ReportEvent"
    if word in _API_WORDS and ("QueriedEntities" in keys or "RowsProcessed" in keys or "Query" in keys):
        return "ApiEvent"
    if "Query" in keys:
        return "ApiEvent" if "Operation" in keys or "QueriedEntities" in keys else "BulkApiResultEvent"
    if {"ApiType", "RequestIdentifier"} & keys and "QueriedEntities" in keys:
        return "ApiEvent"
    if "RecordId" in keys:
        return "UriEvent"
    if "DeveloperName" in keys and "QueriedEntities" in keys:
        return "ListViewEvent"
    if {"FileName", "FileType", "DocumentId"} & keys:
        return "FileEvent"
    return None


_NAME = re.compile(r"[A-Z][A-Za-z0-9]{1,60}Event")
_IN_POSITION = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Za-z0-9]{1,60}?Event)(?:Stream|Store)?(?![A-Za-z0-9])")


def is_type_name(name: str) -> bool:
    """Whether a word is spelled as the vendor spells its types."""
    return _NAME.fullmatch(name) is not None


def type_in_position(position: str, known: Collection[str]) -> str | None:
    """The type that a file's or topic's name says, where it says exactly one.

    >>> type_in_position("logs/2026-03/LogoutEvent.csv:7", {"LogoutEvent"})
    'LogoutEvent'
    """
    found = {name for name in _IN_POSITION.findall(position[-400:]) if name in known}
    return found.pop() if len(found) == 1 else None
