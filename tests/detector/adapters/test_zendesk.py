from __future__ import annotations

import json

import pytest

from detector.adapters import RecordError
from detector.adapters.zendesk import ADAPTER
from detector.event import AccessEvent, ActorKind, Operation


def audit(**fields: object) -> dict[str, object]:
    """An entry of the audit log."""
    entry: dict[str, object] = {
        "id": 71, "action": "update", "actor_id": 8117, "actor_name": "Anna Berg", "source_id": 12,
        "source_type": "ticket", "change_description": "", "ip_address": "198.51.100.23",
        "created_at": "2026-03-03T09:14:17Z",
    }  # fmt: skip
    return entry | fields


def access(path: str = "/api/v2/tickets/12.json", method: str = "GET", **fields: object) -> dict[str, object]:
    """An entry of the access log."""
    entry: dict[str, object] = {
        "id": "01JM", "timestamp": "2026-03-03T09:14:17Z", "user_id": 8117, "ip_address": "198.51.100.23",
        "method": method, "url": path, "status": 200, "graphql": None, "authorization_type": "session",
        "referer": "https://skyward.zendesk.example/agent", "client": "Mozilla/5.0", "bytes_sent": 512,
    }  # fmt: skip
    return entry | fields


def decode(record: object) -> AccessEvent:
    """The event of an entry."""
    return ADAPTER.decode(json.dumps(record).encode(), "a.json:1")


@pytest.mark.parametrize(
    ("action", "thing", "operation"),
    [
        ("login", "user", Operation.LOGIN),
        ("exported", "ticket", Operation.BULK_EXPORT),
        ("exported", "user", Operation.BULK_EXPORT),
        ("exported", "view", Operation.REPORT_EXPORT),
        ("create", "ticket", Operation.WRITE),
        ("destroy", "Zendesk::Ticket", Operation.WRITE),
        ("update", "UserIdentity", Operation.WRITE),
        ("update", "rule", Operation.ADMIN),
        ("create", "api_token", Operation.ADMIN),
        ("something new", "ticket", Operation.OTHER),
    ],
)
def test_the_audit_log_tells_what_was_done_to_what(action: str, thing: str, operation: Operation) -> None:
    """Changes to customers' things are writes, to the account's own set-up admin; nothing has a row count."""
    found = decode(audit(action=action, source_type=thing))
    assert (found.operation, found.rows, found.bytes_out) == (operation, None, None)


def test_a_sign_in_that_failed_says_so_in_words() -> None:
    """There is no field for it."""
    assert decode(audit(action="login", change_description="Sign-in failed for …")).status == "failed"
    found = decode(audit(action="login", change_description="Signed in"))
    assert (found.status, found.objects, found.record_ids) == ("success", (), ())


@pytest.mark.parametrize(
    ("method", "path", "operation", "objects", "rows"),
    [
        ("GET", "/api/v2/tickets/12.json", Operation.RECORD_VIEW, ("ticket",), 1),
        ("GET", "/api/v2/tickets/12/comments.json", Operation.LIST_VIEW, ("comment",), None),
        ("GET", "/api/v2/users/show_many.json?ids=1,2,3", Operation.QUERY, ("zendesk:user",), 3),
        ("GET", "/api/v2/users/show_many.json?ids=1%2C2", Operation.QUERY, ("zendesk:user",), 2),
        ("GET", "/api/v2/users/show_many.json?external_ids=a,b", Operation.QUERY, ("zendesk:user",), None),
        ("GET", "/api/v2/incremental/users/cursor", Operation.BULK_EXPORT, ("zendesk:user",), None),
        ("GET", "/api/v2/search/export.json?filter[type]=ticket", Operation.BULK_EXPORT, (), None),
        ("GET", "/api/v2/search/count.json", Operation.COUNT, (), None),
        ("GET", "/api/v2/search.json?query=x", Operation.SEARCH, (), None),
        ("GET", "/attachments/token/abc/?name=a.pdf", Operation.FILE_DOWNLOAD, ("attachment",), 1),
        ("GET", "/rules/7.csv", Operation.REPORT_EXPORT, (), None),
        ("POST", "/api/v2/tickets.json", Operation.WRITE, ("ticket",), None),
        ("POST", "/api/v2/roles.json", Operation.ADMIN, (), None),
        ("POST", "/graphql", Operation.QUERY, (), None),
        ("POST", "/access/login", Operation.LOGIN, (), None),
        ("GET", "/api/v2/locales.json", Operation.OTHER, (), None),
    ],
)
def test_the_access_log_is_read_by_method_and_path(
    method: str, path: str, operation: Operation, objects: tuple[str, ...], rows: int | None
) -> None:
    """A path with one id is one row, a list of ids as many, any other list unknown; sizes are given."""
    found = decode(access(path, method))
    assert (found.operation, found.objects, found.rows) == (operation, objects, rows)
    assert found.bytes_out == 512


def test_what_was_refused_let_nothing_out() -> None:
    """A status of 4xx or 5xx means no rows."""
    found = decode(access(status=403))
    assert (found.rows, found.status) == (0, "403")
    assert decode(access(status="200")).status == "success"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, ActorKind.HUMAN),
        ({"authorization_type": "bearer"}, ActorKind.HUMAN),
        ({"authorization_type": "bearer", "referer": None}, ActorKind.INTEGRATION),
        ({"authorization_type": "basic", "referer": ""}, ActorKind.INTEGRATION),
        ({"authorization_type": "anonymous"}, ActorKind.GUEST),
        ({"user_id": -1}, ActorKind.INTEGRATION),
    ],
)
def test_a_token_without_a_page_is_a_programs(fields: dict[str, object], kind: ActorKind) -> None:
    """The agents' own pages use tokens too, but say where they come from."""
    assert decode(access() | fields).actor_kind is kind


def test_both_logs_know_one_person_by_one_id() -> None:
    """A number in one, a text in the other, and the same identity."""
    assert decode(audit()).identity == decode(access(user_id="8117")).identity == "zendesk/8117"


def test_a_graphql_request_has_a_name_and_no_text() -> None:
    """Its text may hold what was looked for."""
    asked = {"operation_name": "Ticket", "query": 'query { ticket(id: "secret") }'}
    found = decode(access("/graphql", "POST", graphql=asked))
    assert found.query_shape == "Ticket"
    assert "secret" not in repr(found)
    assert decode(access("/graphql", "POST", graphql="odd")).query_shape is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (audit(created_at=None), "missing_field"),
        (audit(created_at="then"), "bad_time"),
        (audit(actor_id=None, actor_name=None), "missing_field"),
        (access(bytes_sent="much"), "bad_value"),
        (audit(source_type=[]), "bad_value"),
        ([], "bad_value"),
    ],
)
def test_what_cannot_stand_is_refused_with_its_reason(record: object, reason: str) -> None:
    """And with this adapter's name."""
    with pytest.raises(RecordError) as caught:
        decode(record)
    assert (caught.value.adapter, caught.value.reason) == ("zendesk", reason)


def test_a_url_that_cannot_be_parsed_is_malformed() -> None:
    """Brackets that do not match end no run."""
    with pytest.raises(RecordError) as caught:
        decode(access("https://[oops/"))
    assert caught.value.reason == "malformed"
