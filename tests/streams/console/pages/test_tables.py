from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from streams.console.pages.tables import Column, ColumnKind, Table, as_csv, as_json

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "|cmd",
    "%0A=1",
    "＝1",
    "\x00=1",
)


def table(*values: object) -> Table:
    """One column of text with these values."""
    return Table("t", "T", (Column("a", "A"),), tuple((value,) for value in values))


def cells(text: str) -> list[str]:
    """The column's cells, without its head."""
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]


def test_no_cell_begins_a_formula() -> None:
    """Whatever text begins with what a spreadsheet obeys, also behind blanks, gets an apostrophe before it."""
    found = cells(as_csv(table(*FORMULAS)))
    assert len(found) == len(FORMULAS)
    assert all(cell.startswith(("'", "\ufffd")) for cell in found)


@given(st.text())
def test_any_text_is_one_inert_cell(text: str) -> None:
    """No text makes a second cell or row, and none begins with what a formula does."""
    found = cells(as_csv(table(text, "end")))
    assert len(found) == 2
    assert found[1] == "end"
    assert not found[0].lstrip().startswith(("=", "+", "-", "@"))


def test_numbers_and_times_stay_what_they_are() -> None:
    """A negative number is no formula; times are UTC; what is unknown is empty, and null in JSON."""
    columns = (Column("n", "N", ColumnKind.NUMBER), Column("t", "T", ColumnKind.TIME), Column("x", "X"))
    made = Table("t", "T", columns, ((-5, 0, None), (None, None, ["a", "b"])), more=3)
    rows = list(csv.reader(io.StringIO(as_csv(made))))
    assert rows == [["n", "t", "x"], ["-5", "1970-01-01T00:00:00Z", ""], ["", "", "a b"]]
    assert json.loads(as_json(made)) == {
        "table": "t",
        "rows": [{"n": -5, "t": 0, "x": None}, {"n": None, "t": None, "x": ["a", "b"]}],
        "more": 3,
    }
