from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.replay import PEERS, against_peers, made, timed


def test_a_file_has_so_many_records_in_the_order_of_their_time(tmp_path: Path) -> None:
    """A longer one begins with a shorter one."""
    short, long = made(tmp_path, 300, 20), made(tmp_path, 500, 20)
    lines = long.read_bytes().splitlines()
    assert len(lines) == 500
    assert short.read_bytes().splitlines() == lines[:300]
    times = [json.loads(line)["TIMESTAMP"] for line in lines]
    assert times == sorted(times)


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["loop", "trees"])
def test_a_peer_finds_a_theft(peer: str, tmp_path: Path) -> None:
    """The simple models are real ones: a user with a hundred small reports and a huge one is printed for that."""
    rows = [
        {"USER_ID": "u", "TIMESTAMP": f"202603021{number % 10}0000.000", "TIMESTAMP_DERIVED": f"t{number}",
         "ROW_COUNT": str(20 + number % 7)}
        for number in range(600)
    ]  # fmt: skip
    rows.append(rows[0] | {"TIMESTAMP_DERIVED": "theft", "ROW_COUNT": "5000000"})
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    ran = subprocess.run(
        [sys.executable, str(PEERS), peer, str(file)], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.splitlines()[-1] == "u theft 5000000"
    fewer = subprocess.run(
        [sys.executable, str(PEERS), peer, str(file), "600"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "theft" not in fewer.stdout


@pytest.mark.slow
def test_all_are_run_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each process ends well; rates, memory and all ratios are printed."""
    against_peers(tmp_path, 400, 100, 1, 20)
    printed = capsys.readouterr().out
    assert "crmwatch replay : json + z-score a user = " in printed
    assert "crmwatch replay : trees a user = " in printed
    assert "crmwatch replay : crmwatch, 2 workers = " in printed
    assert printed.count(" MB") == 4


def test_a_process_that_fails_is_no_measurement() -> None:
    """Its exit code is said instead."""
    with pytest.raises(RuntimeError, match="ended with 3"):
        timed([sys.executable, "-c", "raise SystemExit(3)"])
