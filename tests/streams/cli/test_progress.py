from __future__ import annotations

import pytest

from streams.cli import progress as module
from streams.cli.progress import LINE_SECONDS, progress


def test_without_a_terminal_a_line_is_printed_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every ten seconds the newest text on standard error, and nothing of what is over sooner."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with progress("reading …") as show:
        show("1,000 records")
        now += LINE_SECONDS - 0.1
        show("2,000 records")
        assert capsys.readouterr() == ("", "")
        now += 0.1
        show("3,000 records")
        show("4,000 records")
        now += LINE_SECONDS
        show("5,000 records")
    found = capsys.readouterr()
    assert found.err == "reading … 3,000 records (10 s)\nreading … 5,000 records (20 s)\n"
    assert found.out == ""
