"""The queries that programs ask, with ``:since`` in place of a literal."""

from __future__ import annotations

__all__ = ["FIELDS", "select"]

FIELDS = {
    "Account": "Id, Name, Phone, BillingCity",
    "Case": "Id, CaseNumber, Subject, Status, ContactId",
    "Contact": "Id, Name, Email, Phone",
    "Lead": "Id, Name, Email, Company",
    "Loyalty__c": "Id, Number__c, Tier__c, Points__c",
    "Opportunity": "Id, Name, Amount, StageName",
    "Task": "Id, Subject, WhoId, Status",
}
"""The fields usually queried, by kind of record."""


def select(kind: str, more: str = "", *, all_of_it: bool = False) -> str:
    """A query for changed or all records, with a further condition or limit.

    >>> select("Task", " LIMIT 20", all_of_it=True)
    'SELECT Id, Subject, WhoId, Status FROM Task LIMIT 20'
    """
    changed = "" if all_of_it else " WHERE LastModifiedDate >= :since"
    return " ".join(("SELECT", FIELDS.get(kind, "Id, Name"), "FROM", kind)) + changed + more
