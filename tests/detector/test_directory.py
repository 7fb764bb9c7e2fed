"""Who is who: lookups by id, mail address and name, and the accounts that settings mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.actor_pattern import matches
from detector.adapters.values import normalise_actor
from detector.directory import LEAST_PEERS, NOBODY, Directory, directory_of, peers_of
from detector.directory_entry import (
    MAX_ALIASES,
    MAX_FIELD_BYTES,
    MAX_NETWORKS,
    DirectoryEntry,
    DirectoryKind,
    tidy,
)
from detector.event import ActorKind
from detector.settings import DetectionSettings

ANNA = DirectoryEntry(
    id="0055g00000AnnaB",
    name="Anna Berg",
    mail="Anna.Berg@example.com",
    aliases=("aberg",),
    department="Sales",
)
SYNC = DirectoryEntry(
    id="0055g00000SyncA", name="Mail Sync", owner="Anna Berg", kind=DirectoryKind.INTEGRATION,
    networks=("198.51.100.0/24",),
)  # fmt: skip
APP = DirectoryEntry(
    id="0H4x", name="Post Office", supplier="Quill", kind=DirectoryKind.APP, networks=("203.0.113.9",)
)
BOOK = Directory([ANNA, SYNC, APP])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("0055g00000AnnaB", ANNA),
        ("0055g00000AnnaBAAZ", ANNA),
        ("0055g00000aNNAB", None),
        ("anna.berg@EXAMPLE.com", ANNA),
        (" anna  BERG ", ANNA),
        ("ABERG", ANNA),
        ("0h4X", APP),
        ("", None),
        ("berg", None),
    ],
)
def test_an_entry_is_found_by_id_mail_alias_or_name(asked: str, found: DirectoryEntry | None) -> None:
    """Case and blanks do not matter, the length of a Salesforce id neither, but the case of its letters does."""
    assert BOOK.find(asked, "t") is found


def test_what_two_entries_share_is_nobodys() -> None:
    """A shared name or mail address finds neither of them, while an id goes before any of these."""
    other = DirectoryEntry(id="9", name="anna berg", mail="anna.berg@example.com")
    named = DirectoryEntry(id="aberg", name="Alf Berg")
    book = Directory([ANNA, other, named])
    assert (book.find("Anna Berg"), book.find("anna.berg@example.com")) == (None, None)
    assert (book.find("aberg"), book.find("9")) == (named, other)


def test_the_tenant_tells_accounts_of_one_name_apart() -> None:
    """An entry of ``tenant/account`` goes before one of the account alone, and holds in its tenant only."""
    here, anywhere = DirectoryEntry(id="Here/7", name="A"), DirectoryEntry(id="7", name="B")
    book = Directory([here, anywhere])
    assert (book.find("7", "here"), book.find("7", "there"), book.find("7")) == (here, anywhere, anywhere)
    assert Directory([here]).find("7", "there") is None


def test_the_last_of_several_entries_with_one_id_counts() -> None:
    """Whatever the case of the id, and in either length of a Salesforce id."""
    later = DirectoryEntry(id="0055g00000AnnaBAAZ", name="Anna Lund")
    book = Directory([ANNA, later])
    assert list(book) == [later]
    assert (book.name("0055g00000AnnaB"), book.find("anna berg"), len(book)) == ("Anna Lund", None, 1)


def test_no_directory_knows_nobody() -> None:
    """It is empty, and made once."""
    assert (bool(NOBODY), NOBODY.find("x"), NOBODY.name("x"), NOBODY.networks("x", "y")) == (
        False,
        None,
        "",
        (),
    )
    assert directory_of(()) is NOBODY
    entries = (ANNA, SYNC)
    assert directory_of(entries) is directory_of(entries)
    assert list(directory_of((APP,))) == [APP]


terms = st.text(st.characters(codec="utf-8"), max_size=40).map(tidy).filter(bool)


@settings(max_examples=20)
@given(
    st.lists(st.tuples(terms, terms, terms), max_size=12, unique_by=lambda row: DirectoryEntry(id=row[0]).key)
)
def test_whoever_has_an_id_is_found_by_it(rows: list[tuple[str, str, str]]) -> None:
    """By the id as it stands and as identities are spelt, whatever names and addresses others have; the order of the
    entries does not matter."""
    entries = [DirectoryEntry(id=name, name=other, mail=mail) for name, other, mail in rows]
    book, turned = Directory(entries), Directory(entries[::-1])
    for entry in entries:
        assert book.find(entry.id) is entry
        assert turned.find(entry.name) is book.find(entry.name)
        if entry.id.isascii():
            assert Directory([entry]).find(normalise_actor(entry.id)) is entry


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("0055g00000AnnaBAAZ", True), ("0055g00000AnnaB", True), ("0055g*", True), ("Anna Berg", True),
        ("anna b*", True), ("ANNA.BERG@example.com", True), ("aberg", True), ("*@example.com", True),
        ("login-name", True), ("0055G*", False), ("Anna", False), ("0055g00000aNNAB", False), ("Mail Sync", False),
    ],
)  # fmt: skip
def test_a_setting_means_an_account_by_id_name_or_mail(pattern: str, meant: bool) -> None:
    """An id as it is written, a name or a mail address in any case, and the name that its records carry."""
    assert matches(pattern, BOOK.known_as("0055g00000AnnaBAAZ", "t", "Login-Name")) is meant


def test_a_name_with_a_patterns_letters_is_also_itself() -> None:
    """Square brackets in a name need no escape."""
    assert matches("Sync [EU]", ("u", "sync [eu]"))


def test_nobody_takes_anothers_exceptions_by_renaming_himself() -> None:
    """A recorded name that the directory gives to another entry does not count; one that it does not know does."""
    assert BOOK.known_as("u", "t", "Mail Sync") == ("u",)
    assert BOOK.known_as("u", "t", "Somebody") == ("u", "Somebody")
    assert BOOK.known_as("0055g00000SyncA", "t", "mail sync")[-1] == "mail sync"


def test_a_group_of_peers_comes_from_the_settings_then_the_directory_then_the_kind() -> None:
    """A peer group counts however small, a department from so many people on; a setting goes before both."""
    few = [DirectoryEntry(id=f"a{n}", department="Sales") for n in range(LEAST_PEERS - 1)]
    many = [DirectoryEntry(id=f"b{n}", department="Care") for n in range(LEAST_PEERS)]
    book = Directory([*few, *many, DirectoryEntry(id="c", department="Care", peer_group="Night")])
    chosen = DetectionSettings(peers={"chosen": ("b1",)})

    def group(actor: str) -> str:
        return peers_of(chosen, actor, ActorKind.HUMAN, tenant="t", directory=book)

    assert [group(actor) for actor in ("a1", "b0", "b1", "c", "x")] == [
        "human", "Care", "chosen", "Night", "human",
    ]  # fmt: skip


def test_networks_are_an_accounts_own_or_its_apps() -> None:
    """Both, and nobody else's."""
    assert BOOK.networks("0055g00000SyncA", "post office") == ("198.51.100.0/24", "203.0.113.9")
    assert BOOK.networks("u", None) == ()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"id": ""}, "an entry needs an id"),
        ({"name": "é" * (MAX_FIELD_BYTES // 2 + 1)}, "name has more than 256 bytes"),
        ({"owner": "a\nb"}, "owner holds control characters"),
        ({"owner": "a\u202eb"}, "owner holds control characters"),
        ({"aliases": ("x",) * (MAX_ALIASES + 1)}, "more than 16 aliases"),
        ({"networks": ("192.0.2.0/24",) * (MAX_NETWORKS + 1)}, "more than 64 networks"),
        ({"networks": ("here",)}, "networks: not an address"),
        ({"absent_from_ms": 2, "absent_until_ms": 2}, "absent_from must be before"),
    ],
)
def test_an_entry_is_bounded(fields: dict[str, object], wrong: str) -> None:
    """What is too large, would write on a terminal or contradicts itself is refused, wherever it comes from."""
    with pytest.raises(ValueError, match=wrong):
        DirectoryEntry(**({"id": "x"} | fields))  # type: ignore[arg-type]


def test_somebody_is_away_for_all_of_a_time_or_is_not() -> None:
    """An open end is no end, and without either nothing is said."""
    both = DirectoryEntry(id="x", absent_from_ms=10, absent_until_ms=20)
    assert [both.absent(*span) for span in ((10, 19), (9, 12), (15, 20))] == [True, False, False]
    assert DirectoryEntry(id="x", absent_from_ms=10).absent(11, 1 << 60)
    assert DirectoryEntry(id="x", absent_until_ms=20).absent(0, 19)
    assert not ANNA.absent(0, 1)


def test_the_kind_of_an_app_is_an_integrations() -> None:
    """And without a kind none is said."""
    assert [entry.actor_kind for entry in (APP, SYNC, ANNA)] == [
        ActorKind.INTEGRATION,
        ActorKind.INTEGRATION,
        None,
    ]
