from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import RecordError
from detector.adapters.combined_log import ADAPTER
from detector.event import AccessEvent, ActorKind, Operation


def line(
    request: str = "GET /contacts/42 HTTP/1.1",
    status: object = 200,
    size: object = 2326,
    user: str = "anna",
    ip: str = "198.51.100.23",
    agent: str = "Mozilla/5.0 (X11)",
    when: str = "03/Mar/2026:10:14:36 +0100",
    before: str = "",
    after: str = "",
) -> bytes:
    """A line of the combined log."""
    return f'{before}{ip} - {user} [{when}] "{request}" {status} {size} "-" "{agent}"{after}'.encode()


def decode(record: bytes) -> AccessEvent:
    """The event of a line."""
    assert ADAPTER.recognises(record)
    return ADAPTER.decode(record, "access.log:1")


def refusal(record: bytes) -> RecordError:
    """Why a line is refused."""
    with pytest.raises(RecordError) as caught:
        ADAPTER.decode(record, "access.log:1")
    return caught.value


@pytest.mark.parametrize(
    ("request_", "operation", "objects", "rows"),
    [
        ("GET /contacts/42", Operation.RECORD_VIEW, ("contact",), 1),
        ("GET /contacts", Operation.LIST_VIEW, ("contact",), None),
        ("GET /api/v1/Contact/5f3a9c0b1d2e3f4a5", Operation.RECORD_VIEW, ("contact",), 1),
        ("GET /index.php?module=Contacts&view=Detail&record=17", Operation.RECORD_VIEW, ("contact",), 1),
        ("GET /index.php?module=Sprockets&action=DetailView&record=17", Operation.RECORD_VIEW, (), 1),
        ("GET /index.php?module=Accounts&action=index", Operation.LIST_VIEW, ("account",), None),
        ("POST /index.php?entryPoint=export&module=Leads", Operation.REPORT_EXPORT, ("lead",), None),
        ("GET /files/contacts.csv", Operation.REPORT_EXPORT, ("contact",), None),
        ("GET /web/export/xlsx?model=res.partner", Operation.REPORT_EXPORT, ("contact",), None),
        ("GET /contacts%2Fexport", Operation.REPORT_EXPORT, ("contact",), None),
        ("GET /download/9", Operation.FILE_DOWNLOAD, (), 1),
        ("GET /index.php?entryPoint=download&id=9", Operation.FILE_DOWNLOAD, (), 1),
        ("GET /documents/9/passport.pdf", Operation.FILE_DOWNLOAD, ("document",), 1),
        ("GET /attachments/9/passport.png", Operation.FILE_DOWNLOAD, ("attachment",), 1),
        ("GET /static/logo.png", Operation.OTHER, (), None),
        ("GET /search?q=passport", Operation.SEARCH, (), None),
        ("GET /tickets?query=passport", Operation.SEARCH, ("ticket",), None),
        ("POST /web/dataset/call_kw/res.partner/web_search_read", Operation.LIST_VIEW, ("contact",), None),
        ("POST /login", Operation.LOGIN, (), None),
        ("POST /oauth/token", Operation.LOGIN, (), None),
        ("GET /reports/7", Operation.REPORT, (), None),
        ("PUT /contacts/42", Operation.WRITE, ("contact",), None),
        ("DELETE /contacts/42", Operation.WRITE, ("contact",), None),
        ("POST /admin/settings", Operation.ADMIN, (), None),
        ("GET /", Operation.OTHER, (), None),
        ("GET https://crm.example.com/contacts/42", Operation.RECORD_VIEW, ("contact",), 1),
    ],
)
def test_method_and_path_say_what_was_done(
    request_: str, operation: Operation, objects: tuple[str, ...], rows: int | None
) -> None:
    """A page of one record is one row; what a list or an export held is unknown, but its bytes are not."""
    found = decode(line(f"{request_} HTTP/1.1"))
    assert (found.operation, found.objects, found.rows) == (operation, objects, rows)
    assert found.bytes_out == 2326


@pytest.mark.parametrize(
    ("status", "rows", "said"),
    [(200, 1, "success"), (206, 1, "success"), (302, 0, "success"), (403, 0, "403"), (500, 0, "500")],
)
def test_only_what_was_answered_in_full_has_left(status: int, rows: int, said: str) -> None:
    """A redirect and an error show no record."""
    found = decode(line(status=status))
    assert (found.rows, found.status) == (rows, said)
    assert decode(line("HEAD /contacts/42 HTTP/1.1")).rows == 0


def test_nobody_is_the_sites_guest() -> None:
    """One identity a site; who was refused is only who somebody said to be."""
    guest = decode(line(user="-", before="crm.skyward.example.com:443 "))
    assert (guest.identity, guest.actor_kind) == ("crm.skyward.example.com/guest", ActorKind.GUEST)
    assert decode(line(user="-")).identity == "web/guest"
    assert decode(line(user='""')).identity == "web/guest"
    assert decode(line(user="root", status=401)).identity == "web/guest"
    assert decode(line(user="Anna")).identity == "web/anna"
    assert decode(line(user="anna/x")).identity == "web/anna%2fx"


def test_a_name_with_a_blank_is_no_virtual_host() -> None:
    """Only what has a letter in it, and an address behind it, is a host."""
    found = decode(line(user="anna berg"))
    assert (found.tenant, found.actor, found.ip) == ("web", "anna berg", "198.51.100.23")
    found = decode(line(user="anna berg", ip="desk-17.example.com"))
    assert (found.tenant, found.actor, found.ip) == ("web", "anna berg", None)


@pytest.mark.parametrize("ip", ["2001:db8:17::9", "[2001:db8:17::9]", "2001:DB8:17:0::9"])
def test_ipv6_is_an_address(ip: str) -> None:
    """With or without brackets, behind a host or not."""
    assert decode(line(ip=ip)).ip == "2001:db8:17::9"
    assert decode(line(ip=ip, before="crm.example.com ")).ip == "2001:db8:17::9"


@pytest.mark.parametrize(
    ("written", "agent"),
    [
        (r"a \"b\" c", 'a "b" c'),
        (r"a \x22b\x22", 'a "b"'),
        (r"back\\slash", r"back\slash"),
        (r"odd \q escape", r"odd \q escape"),
        ("-", None),
        ("", None),
        (r"\" 200 1 \"-\" \"fake", '" 200 1 "-" "fake'),
    ],
)
def test_escaped_quotes_do_not_end_a_field(written: str, agent: str | None) -> None:
    """Apache writes a backslash, nginx the byte's number; nobody writes other fields through an agent."""
    found = decode(line(agent=written))
    assert found.user_agent == agent
    assert found.bytes_out == 2326


def test_more_fields_may_follow_and_the_last_two_may_be_missing() -> None:
    """Forwarded addresses, which anybody can write, and durations are passed over; so is the common format."""
    found = decode(line(after=' "203.0.113.8, 10.0.0.1" 0.013'))
    assert (found.ip, found.user_agent) == ("198.51.100.23", "Mozilla/5.0 (X11)")
    short = decode(b'198.51.100.23 - - [03/Mar/2026:10:14:36 +0100] "GET / HTTP/1.0" 200 12')
    assert (short.user_agent, short.bytes_out) == (None, 12)


@pytest.mark.parametrize(
    ("when", "time_ms"),
    [
        ("03/Mar/2026:10:14:36 +0100", 1_772_529_276_000),
        ("03/Mar/2026:03:44:36 -0530", 1_772_529_276_000),
        ("03/Mar/2026:09:14:60 +0000", 1_772_529_300_000),
    ],
)
def test_times_are_utc_whatever_their_zone(when: str, time_ms: int) -> None:
    """Half hours and a leap second included."""
    assert decode(line(when=when)).time_ms == time_ms


@pytest.mark.parametrize(
    "when",
    ["31/Feb/2026:10:14:36 +0100", "03/Mar/2026:25:14:36 +0100", "03/Mar/2026:10:14:61 +0100",
     "03/Mer/2026:10:14:36 +0000", "01/Jan/0001:00:00:00 +0100", "03/Mar/1990:10:14:36 +0000"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(when: str) -> None:
    """Though the line looks like one."""
    assert refusal(line(when=when)).reason == "bad_time"


@pytest.mark.parametrize(
    ("size", "reason"), [("12kB", "bad_value"), ("9" * 30, "bad_value"), ("nan", "bad_value")]
)
def test_a_size_that_is_none_is_refused(size: str, reason: str) -> None:
    """Unlike a dash, which is an unknown one."""
    assert refusal(line(size=size)).reason == reason
    assert decode(line(size="-")).bytes_out is None


@pytest.mark.parametrize("request_", ["-", "", r"\x16\x03\x01\x02", "GET", "GET /a b c HTTP/1.1", "quit"])
def test_a_request_that_is_none_is_still_an_event(request_: str) -> None:
    """Scanners send all sorts."""
    assert decode(line(request_, status=400)).operation is Operation.OTHER


def test_many_parameters_hide_nothing() -> None:
    """What was asked is read, however much stands behind it."""
    target = "/index.php?module=Contacts&view=Detail&record=17&" + "&".join(f"p{n}={n}" for n in range(900))
    assert decode(line(f"GET {target} HTTP/1.1")).record_ids == ("17",)


def test_a_shape_has_no_ids_and_no_names_of_files() -> None:
    """Two records and two files of one kind have one shape."""
    first, second = (decode(line(f"GET /documents/{n}/a{n}.pdf HTTP/1.1")) for n in (1, 2))
    assert first.query_shape == second.query_shape == "GET /documents/?/?"


def test_equal_lines_are_one_event_and_others_are_not() -> None:
    """A line has no id of its own."""
    assert decode(line()).event_id == decode(line()).event_id
    assert decode(line()).event_id != decode(line(size=1)).event_id


@pytest.mark.parametrize(
    "record", [b"", b"{}", b"plain text", b"a,b,c", b'{"a": "1.2.3.4 - - [03/Mar/2026:10:14:36 +0100]"}']
)
def test_other_lines_are_not_claimed(record: bytes) -> None:
    """And refused as malformed if they are read all the same."""
    assert not ADAPTER.recognises(record)
    assert refusal(record).reason == "malformed"


@given(st.text(max_size=200), st.sampled_from(["GET", "POST", "PUT", "x"]))
def test_any_target_is_read(target: str, method: str) -> None:
    """Whatever stands in a request, quotes being escaped as the servers do, its line is an event."""
    escaped = target.encode("unicode_escape").decode().replace("\\", "\\\\").replace('"', '\\"')
    found = decode(line(f"{method} /{escaped} HTTP/1.1"))
    assert found.actor == "anna"
    assert found.bytes_out == 2326
