from __future__ import annotations

import tempfile
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.files import external_sort as runs
from streams.files.external_sort import BLOCK_ITEMS, RunFile, Sorter, arrange, merged

Item = tuple[int, int, str]
KEY = (itemgetter(0), itemgetter(1), itemgetter(2))
ITEMS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.text("ab", max_size=2)), max_size=40)


def blocks(items: list[Item], size: int) -> Iterator[list[Item]]:
    """A sorted list in pieces."""
    return (items[at : at + size] for at in range(0, len(items), size))


@given(ITEMS)
def test_a_list_is_arranged_as_by_the_whole_key(items: list[Item]) -> None:
    """Asking the later parts of a key only where it matters gives the order of the whole key."""
    arranged = list(items)
    arrange(arranged, KEY)
    assert arranged == sorted(items)


def test_what_differs_early_is_not_looked_at_closely() -> None:
    """A later part of the key is asked only for items that the earlier ones leave equal."""
    asked: list[Item] = []

    def last(item: Item) -> str:
        asked.append(item)
        return item[2]

    items = [(2, 0, "b"), (1, 0, "x"), (2, 0, "a"), (2, 1, "y")]
    arrange(items, (itemgetter(0), itemgetter(1), last))
    assert items == [(1, 0, "x"), (2, 0, "a"), (2, 0, "b"), (2, 1, "y")]
    assert set(asked) == {(2, 0, "a"), (2, 0, "b")}


@pytest.mark.slow
@given(st.lists(ITEMS, max_size=5), st.integers(1, 7))
def test_a_merge_is_the_order_of_all(lists: list[list[Item]], size: int) -> None:
    """Sorted runs, in whatever pieces, come out as one, though many items are alike."""
    given_runs = [blocks(sorted(items), size) for items in lists]
    found = [item for block in merged(given_runs, KEY) for item in block]
    assert found == sorted(item for items in lists for item in items)


@pytest.mark.slow
@given(st.lists(ITEMS, min_size=1, max_size=5), st.integers(1, 4))
def test_a_sorter_gives_back_what_was_put_away(lists: list[list[Item]], size: int) -> None:
    """What is put away and what is still in memory come out in one order, once each."""
    with pytest.MonkeyPatch.context() as patch, Sorter[Item](Item, KEY) as sorter:
        patch.setattr(runs, "BLOCK_ITEMS", size)
        for items in lists[:-1]:
            if items:
                sorter.put_away(list(items))
        found = [item for block in sorter.merged(list(lists[-1])) for item in block]
    assert found == sorted(item for items in lists for item in items)


def test_a_merge_holds_a_block_of_each_run() -> None:
    """However long the runs, no more than a block of each has been taken when the first items come out."""
    taken = [0, 0, 0]

    def run(number: int) -> Iterator[list[Item]]:
        for at in range(100):
            taken[number] += 1
            yield [(3 * at + number, 0, "")]

    merge = merged([run(0), run(1), run(2)], KEY)
    assert next(merge) == [(0, 0, "")]
    assert taken == [1, 1, 1]
    assert [item[0] for block in merge for item in block] == list(range(1, 300))


def test_a_run_can_be_read_from_elsewhere() -> None:
    """A run's blocks are read by their place in the file, however large the items are."""
    store = RunFile[Item](Item, KEY)
    with tempfile.TemporaryFile() as file:
        small = store.write([(number, 0, "") for number in range(2 * BLOCK_ITEMS)], file)
        large = store.write([(number, 0, "x" * 50_000) for number in range(10)], file)
        file.seek(0)
        read = list(store.blocks(file.fileno(), large))
        assert [item for block in read for item in block] == [
            (number, 0, "x" * 50_000) for number in range(10)
        ]
        assert max(len(block) for block in read) * 50_000 <= runs.BLOCK_BYTES
        assert [len(block) for block in store.blocks(file.fileno(), small)] == [BLOCK_ITEMS, BLOCK_ITEMS]
        assert file.tell() == 0


def test_a_sorter_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file has no name while it sorts, so that nothing stays however it ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sorter[Item](Item, KEY) as sorter:
        sorter.put_away([(1, 2, "a")])
        assert list(tmp_path.iterdir()) == []
        assert [item for block in sorter.merged([]) for item in block] == [(1, 2, "a")]
