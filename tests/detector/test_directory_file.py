"""The directory's files: CSV and JSON as people have them, bounded, and refused by a sentence that quotes nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.directory_entry import DirectoryEntry, DirectoryKind
from detector.directory_file import DirectoryFileError, parse_directory

TABLE = "id,name,mail,owner,department,kind\n0051,Anna Berg,anna@example.com,Mia Lund,Sales,person\n"
ANNA = DirectoryEntry(
    id="0051", name="Anna Berg", mail="anna@example.com", owner="Mia Lund", department="Sales",
    kind=DirectoryKind.HUMAN,
)  # fmt: skip
OBJECT = {
    "id": "0051", "name": "Anna Berg", "mail": "anna@example.com", "owner": "Mia Lund", "department": "Sales",
    "kind": "person",
}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode(),
        b"sep=;\n" + TABLE.replace(",", ";").encode(),
        TABLE.replace("\n", ",\n").encode(),
        TABLE.replace("id,name,mail,owner", "User ID,Display Name,E-Mail,Manager").encode(),
        (TABLE + "\n , , , , ,\n").encode(),
        json.dumps([OBJECT]).encode(),
        json.dumps(OBJECT).encode(),
        (json.dumps(OBJECT) + "\n\n").encode(),
        json.dumps(
            {"@odata.context": "x", "value": [OBJECT | {"owner": {"displayName": "Mia Lund"}}]}
        ).encode(),
    ],
)
def test_one_person_in_every_form(data: bytes) -> None:
    """CSV as spreadsheets save it and JSON as directories export it hold the same entry."""
    assert parse_directory(data) == (ANNA,)


@pytest.mark.parametrize(
    "data",
    [
        b"First Name [Required],Last Name [Required],Email Address [Required],Org Unit\nAnna,Berg,anna@x.io,/\n",
        b"Login,First Name,Last Name,Colour\nanna@x.io,Anna,Berg,red\n",
        b'"User ID","Full Name","Email","Profile"\n"anna@x.io","Anna Berg","anna@x.io","Standard"\n',
        b"userPrincipalName;displayName;mail;accountEnabled\nanna@x.io;Anna Berg;anna@x.io;True\n",
        json.dumps([{"profile": {"firstName": "Anna", "lastName": "Berg", "email": "anna@x.io"}}]).encode(),
        json.dumps(
            {
                "Resources": [
                    {"name": {"formatted": "Anna Berg"}, "emails": [{"value": "anna@x.io", "primary": True}]}
                ]
            }
        ).encode(),
    ],
    ids=["Workspace", "logins", "Salesforce", "Entra", "Okta", "SCIM"],
)
def test_exports_of_other_directories_are_read(data: bytes) -> None:
    """Whatever each calls its columns, and whether a name is one or two."""
    [entry] = parse_directory(data)
    assert (entry.name, entry.mail or entry.id, entry.id) == ("Anna Berg", "anna@x.io", "anna@x.io")


def test_windows_1252_is_read_as_spreadsheets_write_it() -> None:
    """A name with an umlaut survives."""
    [entry] = parse_directory("id,name\n7,Jörg Weiß\n".encode("cp1252"))
    assert entry.name == "Jörg Weiß"


def test_what_an_entry_can_hold() -> None:
    """Networks and aliases by blanks, commas or semicolons, days in UTC of which the last is included, and several ids
    of which the first of ours is the id."""
    [app, person] = parse_directory(
        b"userPrincipalName,id,name,supplier,networks,absent_from,absent_to\n"
        b'sync@x.io,0H4,Sync,Quill,"192.0.2.0/24; 2001:db8::/48",,\n'
        b"bo@x.io,,Bo,,,2026-03-02,2026-03-03\n"
    )
    assert app == DirectoryEntry(
        id="0H4",
        aliases=("sync@x.io",),
        name="Sync",
        supplier="Quill",
        networks=("192.0.2.0/24", "2001:db8::/48"),
    )
    assert person == DirectoryEntry(
        id="bo@x.io", name="Bo", absent_from_ms=1_772_409_600_000, absent_until_ms=1_772_582_400_000
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it has no entries"),
        (b"id,name\n", "it has no entries"),
        (b"colour,size\nred,1\n", "the header has no column id, mail or name"),
        (b"id,name\n1,A\n1,B\n", "line 3: the same id as in line 2"),
        (b"id,name\nAnn@x.io,A\nann@X.io,B\n", "line 3: the same id as in line 2"),
        (b"id,name\n1,A\n2\n", "line 3: 1 fields, where the header has 2"),
        (b"id,name\n1,A,secret\n", "line 2: 3 fields, where the header has 2"),
        (b"id,name,name\n1,A,B\n", "the header: two columns for name"),
        (b"id,kind\n1,secret\n", "line 2: kind is none of human, integration, guest, app"),
        (b"id,networks\n1,secret\n", "line 2: networks: not an address or a network"),
        (b"id,absent_from\n1,secret\n", "line 2: absent_from is not a day such as 2026-03-01"),
        (b"id,absent_from\n1,9999-99-99\n", "line 2: absent_from is not a day"),
        (b"id,absent_to\n1,9999-12-31\n", "line 2: absent_until is not a day"),
        (b"id,name\n1," + b"x" * 300 + b"\n", "line 2: name has more than 256 bytes"),
        (b'id,name\n1,"secret\n', "line 2: not CSV"),
        (b"id,name\n," + b"x" * 200_000 + b"\n", "line 2: not CSV"),
        (b"id,name\n,\n1,A\n,\xff\x81\n", "it is not text"),
        (b"[{", "not JSON"),
        (b'{"id": "1"}\n{"id": secret}\n', "line 2: not JSON"),
        (b"[1]", "entry 1: not an object"),
        (b'[{"id": ["secret"]}]', "entry 1: id is not text"),
        (b'[{"id": true}]', "entry 1: id is not text"),
        (b'[{"colour": "secret"}]', "entry 1: an entry needs an id"),
        (b"[" * 100_000, "not JSON"),
        (b"PK\x03\x04\x00\x00\x81", "it is not text"),
    ],
)
def test_what_is_wrong_is_said_by_its_line_and_quotes_nothing(data: bytes, sentence: str) -> None:
    """The whole file is refused, and the sentence may be logged: no cell of the file stands in it."""
    with pytest.raises(DirectoryFileError) as refused:
        parse_directory(data)
    assert str(refused.value).startswith(sentence)
    assert "secret" not in str(refused.value)


def test_a_file_holds_no_more_than_its_settings_say() -> None:
    """As many entries as allowed are read, one more refuses the file by its line."""
    data = b"id\n1\n2\n3\n"
    assert len(parse_directory(data, 3)) == 3
    with pytest.raises(DirectoryFileError, match=r"line 4: more than 2 entries \(directory.most_entries\)"):
        parse_directory(data, 2)


def test_control_characters_do_not_reach_an_entry() -> None:
    """What a terminal would obey, or what turns text around, is shown as a replacement."""
    [entry] = parse_directory("id,name\n1,A\x1b[31m\u202eB\tC\n".encode())
    assert entry.name == "A\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}B C"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_entries_or_a_sentence(data: bytes) -> None:
    """Nothing else is raised, whatever stands in a file."""
    with suppress(DirectoryFileError):
        assert parse_directory(b"id,name,networks,absent_from\n" + data)


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=9), max_size=3)
)
keys = st.sampled_from(("id", "name", "mail", "aliases", "networks", "kind", "absent_from", "x"))


@settings(max_examples=30)
@given(st.lists(st.dictionaries(keys, values, max_size=6), max_size=4))
def test_any_json_is_entries_or_a_sentence(objects: list[dict[str, Any]]) -> None:
    """Nothing else is raised, and what is read is bounded and tidy."""
    with suppress(DirectoryFileError):
        entries = parse_directory(json.dumps(objects).encode())
        assert len({entry.key for entry in entries}) == len(entries) == len(objects)
