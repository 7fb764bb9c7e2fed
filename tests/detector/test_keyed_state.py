from __future__ import annotations

import pytest

from detector.engine import Engine
from detector.keyed_state import (
    SLICE_BYTES,
    SLICE_VALUES,
    Changes,
    KeyedState,
    KeyedStates,
    Prefix,
    apply_changes,
)
from detector.settings import Settings
from tests.detector.make import closed, event, whole


def texts(prefix: Prefix, kept: dict[str, str]) -> KeyedState[str]:
    """The state of some texts by name."""
    return KeyedState(prefix, str.encode, lambda name, data: kept.update({name: data.decode()}))


def test_changes_are_what_the_store_lacks() -> None:
    """A value is encoded when asked for, the last report of a name counts, and a save ends what is reported."""
    state = KeyedState[list[str]](Prefix.TENANT, lambda names: ",".join(names).encode(), lambda *_: None)
    names = ["a"]
    state.change("kept", names)
    names.append("b")
    state.change("dropped", names)
    state.drop("dropped")
    state.drop("back")
    state.change("back", ["c"])
    assert whole(state.changes()) == {b"tkept": b"a,b", b"tdropped": None, b"tback": b"c"}
    assert (state.dirty, state.gone("dropped"), state.gone("back")) == (3, True, False)
    state.saved(whole(state.changes()))
    assert (whole(state.changes()), state.dirty, state.gone("dropped")) == ({}, 0, False)


def test_a_save_comes_in_slices() -> None:
    """A slice ends with so many values or with so many bytes; nothing is missing, and each may be noted by itself."""
    state = KeyedState[str](Prefix.TENANT, str.encode, lambda *_: None)
    expected: Changes = {}
    for number in range(2 * SLICE_VALUES):
        state.drop(f"{number}")
        expected[f"t{number}".encode()] = None
    for number in range(2 * SLICE_VALUES, 2 * SLICE_VALUES + 3):
        state.change(f"{number}", "x" * SLICE_BYTES)
        expected[f"t{number}".encode()] = b"x" * SLICE_BYTES
    parts = list(state.changes())
    assert [len(part) for part in parts] == [SLICE_VALUES, SLICE_VALUES, 1, 1, 1]
    assert whole(parts) == expected
    for number, part in enumerate(parts):
        assert state.dirty == len(whole(parts[number:]))
        state.saved(part)
    assert (state.dirty, list(state.changes())) == (0, [])


def test_a_value_can_be_encoded_before_it_is_saved() -> None:
    """It counts as changed, is handed out again until it is saved, and a later change or drop replaces it."""
    state = KeyedState[list[str]](Prefix.TENANT, lambda names: ",".join(names).encode(), lambda *_: None)
    names = ["a"]
    for name in ("kept", "changed", "dropped"):
        state.change(name, names)
        state.pack(name)
    state.pack("unknown")
    names.append("b")
    assert (state.packed("kept"), state.packed("unknown"), state.dirty) == (b"a", None, 3)
    assert ("kept" in state, "unknown" in state) == (True, False)
    state.change("changed", names)
    state.drop("dropped")
    assert [state.packed(name) for name in ("changed", "dropped")] == [None, None]
    changes = whole(state.changes())
    assert changes == {b"tkept": b"a", b"tchanged": b"a,b", b"tdropped": None}
    state.saved(changes)
    assert (state.packed("kept"), "kept" in state, state.dirty) == (None, False, 0)


def test_several_kinds_share_one_store() -> None:
    """Each kind's values come back to their owner, whatever their names are."""
    tenants, tallies = {"a": "1", "s": "2"}, {"a": "3", "": "4"}
    both = [texts(Prefix.TENANT, {}), texts(Prefix.TALLY, {})]
    for state, values in zip(both, (tenants, tallies), strict=True):
        for name, value in values.items():
            state.change(name, value)
    store: dict[bytes, bytes] = {}
    saved = KeyedStates(*both)
    assert saved.dirty == 4
    for changes in saved.changes():
        apply_changes(store, changes)
        saved.saved(changes)
    assert (saved.dirty, whole(saved.changes())) == (0, {})
    restored: tuple[dict[str, str], dict[str, str]] = ({}, {})
    again = KeyedStates(texts(Prefix.TENANT, restored[0]), texts(Prefix.TALLY, restored[1]))
    for key, data in store.items():
        again.restore(key, data)
    assert restored == (tenants, tallies)
    with pytest.raises(ValueError, match="no known kind"):
        again.restore(b"x", b"")


def test_prefixes_tell_kinds_apart() -> None:
    """Each is one byte, no two are equal, and each value that triage stores has one of them."""
    assert len({bytes(prefix) for prefix in Prefix}) == len(Prefix)
    assert {len(prefix) for prefix in Prefix} == {1}
    engine = Engine(Settings())
    engine.observe(event())
    engine.triage.assess(closed())
    keys = whole(engine.triage.changes())
    assert {key[:1] for key in keys} >= {Prefix.CELL, Prefix.STATE}
    assert {key[:1] for key in keys} <= {bytes(prefix) for prefix in Prefix}
