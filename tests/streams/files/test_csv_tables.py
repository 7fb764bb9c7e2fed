from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.files.csv_table import table_of, w3c_table
from streams.files.decode import FilePart, decoded
from streams.files.reader import decode_raw, read

ACCOUNT = {"ORGANIZATION_ID": "00D5g000004SkyW", "USER_ID": "0055g0000AgAnna"}


def table(kind: str, hour: int, rows: int, **columns: str) -> str:
    """The file of an hour of Salesforce's event log, quoted as it writes it."""
    header = ["EVENT_TYPE", "TIMESTAMP", "REQUEST_ID", *ACCOUNT, *columns]
    lines = [header]
    for row in range(rows):
        when = f"20260302{hour:02d}{row // 60:02d}{row % 60:02d}.000"
        lines.append([kind, when, f"{kind}{hour}r{row}", *ACCOUNT.values(), *columns.values()])
    return "".join(",".join(f'"{field}"' for field in line) + "\n" for line in lines)


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a file, each as what its header makes of it."""
    return [json.loads(raw.record) for raw in read([str(path)])]


@pytest.mark.parametrize("rows", [1, 5, 150])
@pytest.mark.parametrize("mark", ["", "\ufeff", "\n", "sep=,\n", "#TYPE Selected.Row\n"])
def test_a_further_header_opens_a_table(rows: int, mark: str, tmp_path: Path) -> None:
    """Concatenated hours are read each under its own header: the same one, another of its width or of another width."""
    hours = [
        table("API", 1, rows, METHOD_NAME="query", ROWS_PROCESSED="7"),
        table("API", 2, rows, METHOD_NAME="query", ROWS_PROCESSED="7"),
        table("API", 3, rows, ROWS_PROCESSED="7", METHOD_NAME="query"),
        table("URI", 4, rows, URI="/a", REFERRER_URI="/b"),
        table("Login", 5, rows, LOGIN_STATUS="ok"),
        table("API", 6, rows, METHOD_NAME="query", ROWS_PROCESSED="7", ENTITY_NAME="Contact"),
    ]
    path = tmp_path / "day.csv"
    path.write_text(mark.join(hours), newline="")
    expected = []
    for number, hour in enumerate(hours):
        alone = tmp_path / f"{number}.csv"
        alone.write_text(hour)
        expected += rows_of(alone)
    assert rows_of(path) == expected
    found = [event for some in decoded(FilePart(str(path))) for event in some.events]
    assert found == [decode_raw(raw) for raw in read([str(path)])]
    assert len(found) == 6 * rows


@pytest.mark.parametrize(
    "row",
    [
        "API,20260302090000.000,query",
        "API,query,",
        "API,query",
        "API,API,query",
        "API,query,Contact2026",
        "API",
    ],
)
def test_a_row_is_no_header(row: str, tmp_path: Path) -> None:
    """A row that says when it was, has a gap or says one thing twice is none, though its cells read like names."""
    path = tmp_path / "a.csv"
    path.write_text(f"kind,what,when\n{row}\nURI,get,2026\n")
    assert len(rows_of(path)) == 2
    assert rows_of(path)[1] == {"kind": "URI", "what": "get", "when": "2026"}


@pytest.mark.parametrize(
    ("header", "names", "delimiter"),
    [
        ("a,b", ["a", "b"], ","),
        ("a;b;c", ["a", "b", "c"], ";"),
        ("a\tb", ["a", "b"], "\t"),
        ("a|b", ["a", "b"], "|"),
        ('"a";"b"', ["a", "b"], ";"),
        ("TimeGenerated [UTC],Type", ["TimeGenerated [UTC]", "Type"], ","),
        ('"@timestamp","user.name"', ["@timestamp", "user.name"], ","),
        ("Créé le;Utilisateur", ["Créé le", "Utilisateur"], ";"),
        (",a,b", ["column_0", "a", "b"], ","),
        ("a, b, c,,", ["a", "b", "c"], ","),
    ],
)
def test_a_header_tells_its_delimiter(header: str, names: list[str], delimiter: str) -> None:
    """Names in any dialect open a table, without their marks and blanks."""
    found = table_of(b"\xef\xbb\xbf" + header.encode() + b"\r")
    assert found is not None
    assert (found.names, found.delimiter) == (names, delimiter)


@pytest.mark.parametrize(
    "line",
    [
        b'203.0.113.7 - anna [21/Mar/2025:10:00:00 +0000] "GET /a,b HTTP/1.1" 200 12',
        b"Mar  2 09:00:00 web1 app: user bob, action login",
        b"2026-03-02T09:00:00Z,INFO,started",
        b"API,20260302090000.000,query",
        b"text",
        b"",
        b"a,b\xff",
        b"a,,b",
    ],
)
def test_a_line_that_says_something_is_no_header(line: bytes) -> None:
    """Lines with times, numbers and gaps are not taken for names."""
    assert table_of(line) is None


def test_a_w3c_log_is_a_table(tmp_path: Path) -> None:
    """The lines of IIS are rows under their ``#Fields`` line, and another such line changes the columns."""
    path = tmp_path / "u_ex.log"
    path.write_text(
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
        '#Fields: date time c-ip cs-username\n2026-03-02 09:00:00 198.51.100.7 mia\n2026-03-02 09:00:01 ::1 "x\n'
        "#Software: Microsoft Internet Information Services 10.0\n#Date: 2026-03-02 10:00:00\n"
        "#Fields: date time cs-username c-ip\n2026-03-02 10:00:00 mia 198.51.100.7\n"
    )
    first = {"date": "2026-03-02", "time": "09:00:00", "c-ip": "198.51.100.7", "cs-username": "mia"}
    assert rows_of(path) == [
        first,
        first | {"time": "09:00:01", "c-ip": "::1", "cs-username": '"x'},
        first | {"time": "10:00:00"},
    ]
    found = w3c_table(b"#Fields: date time", b"2026-03-02\t09:00:00")
    assert found is not None
    assert found.delimiter == "\t"


def test_a_column_of_records_is_a_table(tmp_path: Path) -> None:
    """A CSV file with the column of records alone has rows, too."""
    path = tmp_path / "a.csv"
    path.write_text('"AuditData"\r\n"{""Id"":""1""}"\r\n"{""Id"":""2""}"\r\n')
    assert rows_of(path) == [{"AuditData": '{"Id":"1"}'}, {"AuditData": '{"Id":"2"}'}]


def test_a_row_that_starts_with_a_hash_is_a_row(tmp_path: Path) -> None:
    """Only the lines that programs write before a header are passed over."""
    path = tmp_path / "a.csv"
    path.write_text("id,when\n#1,20260302\n#2,20260302\n")
    assert [row["id"] for row in rows_of(path)] == ["#1", "#2"]


def test_rows_longer_than_their_header_are_still_marked(tmp_path: Path) -> None:
    """Blank fields behind the last column are dropped; others are not, and the row says so."""
    path = tmp_path / "a.csv"
    path.write_text("a,b,\n2026,2,\n2026,2\n2026,2,,\n2026,2,x\n")
    whole = {"a": "2026", "b": "2"}
    assert rows_of(path) == [whole, whole, whole, whole | {"": {"columns": 3, "expected": 2}}]


def test_quotes_may_be_escaped_with_backslashes(tmp_path: Path) -> None:
    """A row whose quotes are escaped so is read, if its fields then match the header; another is still a fault."""
    path = tmp_path / "a.csv"
    path.write_text('when,raw\n2026,"{\\"a\\": \\"b, c\\"}"\n2026,"{""a"": 1}"\n2026,"x\\" y","z"\n')
    found = list(read([str(path)]))
    assert [json.loads(raw.record)["raw"] for raw in found[:2]] == ['{"a": "b, c"}', '{"a": 1}']
    assert found[2].fault


def test_lines_may_end_as_on_old_macs(tmp_path: Path) -> None:
    """A file with carriage returns alone is read line by line."""
    path = tmp_path / "a.csv"
    path.write_text("when,who\r2026,mia\r2026,zoë\r", newline="")
    assert rows_of(path) == [{"when": "2026", "who": "mia"}, {"when": "2026", "who": "zoë"}]
    assert [raw.position for raw in read([str(path)])] == [f"{path}:2", f"{path}:3"]


def test_names_may_be_in_windows_text(tmp_path: Path) -> None:
    """A header in Windows-1252 opens a table, too."""
    path = tmp_path / "a.csv"
    path.write_bytes("Créé le;Employé\n2026;Zoë\n".encode("cp1252"))
    assert rows_of(path) == [{"Créé le": "2026", "Employé": "Zoë"}]
