from __future__ import annotations

import pytest

from detector.engine import Engine
from detector.keyed_state import KeyedState, KeyedStates, Prefix, apply_changes
from detector.settings import Settings
from tests.detector.make import closed, event


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
    assert state.changes() == {b"tkept": b"a,b", b"tdropped": None, b"tback": b"c"}
    assert (state.dirty, state.gone("dropped"), state.gone("back")) == (3, True, False)
    state.saved()
    assert (state.changes(), state.dirty, state.gone("dropped")) == ({}, 0, False)


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
    apply_changes(store, saved.changes())
    saved.saved()
    assert (saved.dirty, saved.changes()) == (0, {})
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
    keys = engine.triage.changes()
    assert {key[:1] for key in keys} >= {Prefix.CELL, Prefix.STATE}
    assert {key[:1] for key in keys} <= {bytes(prefix) for prefix in Prefix}
