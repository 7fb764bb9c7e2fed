"""The names of closed vocabularies, as messages."""

from __future__ import annotations

from detector.catalogue import Category
from detector.event import ActorKind, Operation
from streams.locale.translator import gettext_noop

__all__ = ["ACTOR_KINDS", "CATEGORIES", "OPERATIONS", "SEVERITIES"]

SEVERITIES = (
    gettext_noop("unknown"),
    gettext_noop("informational"),
    gettext_noop("low"),
    gettext_noop("medium"),
    gettext_noop("high"),
    gettext_noop("critical"),
)
"""By OCSF's `severity_id`."""

CATEGORIES = {
    Category.CONTACT: gettext_noop("contact data"),
    Category.CUSTOMER_SERVICE: gettext_noop("customer-service content"),
    Category.IDENTITY_DOCUMENTS: gettext_noop("identity documents"),
    Category.PAYMENT: gettext_noop("payment data"),
    Category.CREDENTIALS: gettext_noop("credentials"),
    Category.LOYALTY: gettext_noop("loyalty accounts"),
    Category.HEALTH: gettext_noop("health data"),
    Category.INTERNAL: gettext_noop("internal company data"),
    Category.UNCLASSIFIED: gettext_noop("data not in the catalogue"),
}
OPERATIONS = {
    Operation.LOGIN: gettext_noop("logins"),
    Operation.DESCRIBE: gettext_noop("object descriptions"),
    Operation.COUNT: gettext_noop("counts"),
    Operation.QUERY: gettext_noop("API queries"),
    Operation.BULK_EXPORT: gettext_noop("bulk exports"),
    Operation.REPORT: gettext_noop("reports"),
    Operation.REPORT_EXPORT: gettext_noop("report exports"),
    Operation.LIST_VIEW: gettext_noop("list views"),
    Operation.RECORD_VIEW: gettext_noop("record views"),
    Operation.SEARCH: gettext_noop("searches"),
    Operation.FILE_DOWNLOAD: gettext_noop("file downloads"),
    Operation.EXPORT_DELETE: gettext_noop("deleted exports"),
    Operation.WRITE: gettext_noop("writes"),
    Operation.ADMIN: gettext_noop("administration"),
    Operation.VENDOR_FINDING: gettext_noop("vendor findings"),
    Operation.OTHER: gettext_noop("other accesses"),
}
ACTOR_KINDS = {
    ActorKind.HUMAN: gettext_noop("person"),
    ActorKind.INTEGRATION: gettext_noop("integration"),
    ActorKind.GUEST: gettext_noop("guest"),
}
