from __future__ import annotations

import re
from pathlib import Path

import pytest

import detector.adapters
from detector.adapters import ADAPTERS, AUTO, Adapter, RecordError, choose, decode, recognise
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

ELF = b'{"EVENT_TYPE":"Login","TIMESTAMP":"20250321100439.747","ORGANIZATION_ID":"00D1","USER_ID":"0051"}'
UAL = (
    b'{"CreationTime":"2026-03-03T09:00:00","Id":"a","RecordType":15,"Operation":"UserLoggedIn",'
    b'"UserId":"ann@skyward.example.com"}'
)


def echo(name: str) -> Adapter:
    """An adapter that takes every record for its own and says who it is."""

    def event(record: bytes, position: str) -> AccessEvent:
        origin = RecordOrigin(name, position)
        human, other = ActorKind.HUMAN, Operation.OTHER
        return AccessEvent(1_772_528_477_000, "e", "t", "a", human, other, origin=origin)

    return Adapter(name=name, sign="anything at all", recognises=bool, event=event)


def test_every_adapter_is_found_under_its_name() -> None:
    """Every module that defines an adapter is in the registry, none twice, and says how it recognises its records."""
    folder = Path(detector.adapters.__file__).parent
    defining = [
        path for path in folder.rglob("*.py") if re.search(r"^ADAPTER\b", path.read_text(), re.MULTILINE)
    ]
    assert len(ADAPTERS) == len(defining) >= 8
    for name, adapter in ADAPTERS.items():
        assert isinstance(adapter, Adapter)
        assert adapter.name == name != AUTO
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)
        assert adapter.sign
        assert adapter.page_keys


def test_a_record_is_read_by_the_adapter_that_recognises_it() -> None:
    """And one that none recognises is refused for that reason."""
    assert decode(ELF, "a:1").origin == RecordOrigin("salesforce_elf", "a:1")
    assert decode(UAL, "a:2").origin == RecordOrigin("dynamics_ual", "a:2")
    assert recognise(b"{}") is None
    with pytest.raises(RecordError) as caught:
        decode(b"{}", "a:3")
    assert (caught.value.adapter, caught.value.reason) == ("", "unknown_format")


def test_an_adapter_alone_has_been_chosen() -> None:
    """It reads what it would not recognise, or refuses it in its own name."""
    [elf] = choose("salesforce_elf")
    bare = ELF.replace(b'"TIMESTAMP"', b'"TIMESTAMP_DERIVED"').replace(
        b"20250321100439.747", b"2025-03-21T10:04:39Z"
    )
    assert not elf.recognises(bare)
    assert decode(bare, "a:1", [elf]).origin.adapter == "salesforce_elf"
    with pytest.raises(RecordError) as caught:
        decode(UAL, "a:2", [elf])
    assert (caught.value.adapter, caught.value.reason) == ("salesforce_elf", "missing_field")


def test_auto_is_every_adapter_and_an_operators_own_come_first() -> None:
    """What an operator has described takes the record from one that is built in; the others stay."""
    own = echo("crm")
    assert choose(AUTO) == tuple(ADAPTERS.values())
    assert all(choose(name) == (adapter,) for name, adapter in ADAPTERS.items())
    assert choose(AUTO, [own]) == (own, *ADAPTERS.values())
    assert decode(ELF, "a:1", choose(AUTO, [own])).origin.adapter == "crm"
    assert choose("crm", [own]) == (own,)


def test_an_operators_own_may_replace_one_that_is_built_in() -> None:
    """Under its name only the operator's is left."""
    own = echo("salesforce_elf")
    assert choose("salesforce_elf", [own]) == (own,)
    assert choose(AUTO, [own]) == (
        own,
        *(adapter for name, adapter in ADAPTERS.items() if name != "salesforce_elf"),
    )


def test_a_format_that_there_is_not_is_named_with_the_closest() -> None:
    """Or with all of them, where none is close."""
    with pytest.raises(ValueError, match=r"^there is no format autp; did you mean auto\?$"):
        choose("autp")
    with pytest.raises(
        ValueError, match=r"^there is no format xyzzy; there are auto, .*salesforce_rtem.*, mine$"
    ):
        choose("xyzzy", [echo("mine")])


def test_every_format_is_described() -> None:
    """In the list of how each is recognised, and in a section of its own."""
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `(\w+)`$", page, flags=re.MULTILINE)) == set(ADAPTERS)
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == set(ADAPTERS)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"hello", "no adapter recognises text that begins with 'hello'"),
        ("é".encode() * 100, f"no adapter recognises text that begins with {'é' * 60!r}"),
        ("\x1b[31m\u202e".encode(), "no adapter recognises text that begins with '\\x1b[31m\\u202e'"),
        (b'{"when": 1, "who": {"x": 2}}', "no adapter recognises an object with the keys when, who"),
        (
            b'{"records": [{}, {}]}',
            "no adapter recognises an object whose records is a list; each record must come by itself",
        ),
        (b" ", "no adapter recognises an empty record"),
        (b"a\xff" * 1000, "no adapter recognises 2,000 bytes that are no text in UTF-8"),
    ],
)
def test_an_unknown_record_is_quoted_only_if_it_is_text(record: bytes, said: str) -> None:
    """Its first bytes tell what it is; of anything else that it is no text."""
    with pytest.raises(RecordError) as caught:
        decode(record, "f:1")
    assert (caught.value.reason, caught.value.detail) == ("unknown_format", said)
