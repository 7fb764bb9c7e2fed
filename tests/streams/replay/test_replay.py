from __future__ import annotations

import functools
import json
from pathlib import Path
from random import Random

import pytest

from detector.adapters import decode
from detector.engine import Engine
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.simulation import Theft, World, records
from streams.files.reader import ReadError
from streams.files.skipped import SkippedFile
from streams.replay.replay import DeadLetter, Replay, Summary, Verdict

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
HOUR_MS = 3_600_000
NOW_MS = START_MS + 100 * 24 * HOUR_MS
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(
        alert_risk=0, least_risk=0, certain_risk=0, support_surprise=0.2, quiet_seconds=26 * 3600
    ),
)


@functools.cache
def world() -> tuple[bytes, ...]:
    """Five days of a small company, with a theft."""
    small = World(seed=4, start_ms=START_MS, hours=24 * 5, people=6, integrations=2)
    return tuple(record for _, record in records(small, Theft(start_ms=START_MS + 75 * HOUR_MS)))


def write(folder: Path, files: dict[str, list[bytes]]) -> None:
    """JSON lines."""
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\n".join(lines) + b"\n")


def run(
    *paths: Path | str, now_ms: int = NOW_MS, outputs: tuple[Path, ...] = ()
) -> tuple[list[bytes], Summary, list[DeadLetter]]:
    """Alerts, summary and dead letters of a replay."""
    letters: list[DeadLetter] = []
    replay = Replay([str(path) for path in paths], TALKATIVE, now_ms, letters.append, outputs=outputs)
    alerts = [alert.body for alert in replay.alerts()]
    return alerts, replay.summary(), letters


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The world in one file."""
    write(tmp_path, {"one.jsonl": list(world())})
    return tmp_path / "one.jsonl"


@pytest.mark.slow
def test_the_alerts_are_the_engines(one: Path) -> None:
    """The same as of the events in order, with a watermark at the last of them in the end."""
    events = sorted(
        (decode(record, "x") for record in world()), key=lambda event: (event.time_ms, event.event_id)
    )
    engine = Engine(TALKATIVE)
    expected = [alert.body for event in events for alert in engine.observe(event)]
    expected += [alert.body for alert in engine.finish(events[-1].time_ms)]
    alerts, summary, letters = run(one)
    assert len(alerts) > 20
    assert alerts == expected
    assert letters == []
    assert summary.alerts == len(alerts)
    assert (summary.records, summary.events) == (len(world()), len(world()))
    assert (summary.first_ms, summary.last_ms) == (events[0].time_ms, events[-1].time_ms)
    assert summary.identities == len({event.identity for event in events})
    assert summary.signals == engine.signals > 0
    assert sum(summary.rows_taken.values()) == sum(engine.detection.rows_taken.values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_neither_order_nor_cut_matters(one: Path, seed: int, tmp_path: Path) -> None:
    """One file or many, in whatever order the records and the paths are: the same alerts, byte for byte."""
    random = Random(seed)
    lines = list(world())
    random.shuffle(lines)
    names = [f"{name}.jsonl" for name in "abcdefg"]
    files: dict[str, list[bytes]] = {name: [] for name in names}
    for line in lines:
        files[random.choice(names)].append(line)
    write(tmp_path / "many", files)
    random.shuffle(names)
    expected, expected_summary, _ = run(one)
    for paths in ([tmp_path / "many"], [tmp_path / "many" / name for name in names]):
        alerts, summary, _ = run(*paths)
        assert alerts == expected
        assert summary == expected_summary


@pytest.mark.slow
def test_what_was_delivered_twice_counts_once(one: Path, tmp_path: Path) -> None:
    """The same records again, in another file, change the number of duplicates and nothing else."""
    write(tmp_path, {"again.jsonl": list(world()[:500])})
    expected, summary, _ = run(one)
    alerts, doubled, _ = run(one, tmp_path / "again.jsonl")
    assert alerts == expected
    assert doubled.duplicates - summary.duplicates == 500
    assert doubled.rows_taken == summary.rows_taken


@pytest.mark.slow
def test_what_cannot_be_read_is_kept_and_counted(one: Path, tmp_path: Path) -> None:
    """Garbage, a record that is too large and one from the future cost only themselves."""
    future = world()[0].replace(b"202603", b"209903").replace(b"2026-03", b"2099-03")
    bad = {
        "logs/bad.jsonl": [b'{"a":1}', future, b'{"a":"' + b"x" * 1_000_001 + b'"}'],
        "odd/x.txt": [b"\x1b[31m"],
    }
    write(tmp_path, bad)
    expected, _, _ = run(one)
    alerts, summary, letters = run(one, tmp_path / "logs", tmp_path / "odd")
    assert alerts == expected
    where = str(tmp_path / "logs" / "bad.jsonl")
    assert [
        (letter.position, letter.adapter, letter.reason) for letter in letters if letter.reason != "future"
    ] == [
        (f"{where}:1", "", "unknown_format"),
        (f"{where}:3", "", "too_large"),
        (str(tmp_path / "odd" / "x.txt:1"), "", "unknown_format"),
    ]
    [late] = [letter for letter in letters if letter.reason == "future"]
    assert (late.position, late.origin, late.adapter) == (f"{where}:2", f"{where}:2", "salesforce_elf")
    assert late.record == future
    assert late.record_bytes == len(future)
    assert summary.dead_letters == {
        "no adapter: unknown_format": 2, "no adapter: too_large": 1, "salesforce_elf: future": 1,
    }  # fmt: skip
    assert summary.unknown == {str(tmp_path / "logs"): 1, str(tmp_path / "odd"): 1}
    assert summary.faults[0].startswith(f"{where}:3: ")
    assert summary.records == len(world()) + 4
    assert summary.events == len(world())


def test_now_decides_what_is_from_the_future(one: Path) -> None:
    """Ten minutes ahead of now is believed, a millisecond more is not."""
    [record] = world()[:1]
    time_ms = decode(record, "x").time_ms
    write(one.parent, {"single.jsonl": [record]})
    single = one.parent / "single.jsonl"
    assert run(single, now_ms=time_ms - 600_000)[1].events == 1
    _, summary, letters = run(single, now_ms=time_ms - 600_001)
    assert summary.events == 0
    assert (summary.first_ms, summary.last_ms) == (None, None)
    assert letters[0].reason == "future"


@pytest.mark.slow
def test_what_a_replay_writes_is_not_read(one: Path, tmp_path: Path) -> None:
    """Its outputs may lie in the folder that it reads: they would be read while they are written."""
    expected, summary, _ = run(one)
    output = tmp_path / "alerts.jsonl"
    output.write_bytes(b"an earlier alert\n")
    alerts, beside, letters = run(tmp_path, outputs=(output,))
    assert alerts == expected
    assert beside == summary
    assert letters == []
    assert run(tmp_path)[1].dead_letters == {"no adapter: unknown_format": 1}


@pytest.mark.slow
def test_progress_is_told(one: Path) -> None:
    """While reading and while applying, forward in each, and at the end with the number of records."""
    told: list[int] = []
    replay = Replay([str(one)], TALKATIVE, NOW_MS, on_record=told.append)
    list(replay.alerts())
    count = len(world())
    assert len(told) > 3
    assert told[-1] == count
    assert all(0 < number <= count for number in told)


def test_a_path_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    """`ReadError` with the path."""
    with pytest.raises(ReadError, match="missing: no such file or folder"):
        run(tmp_path / "missing")


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    """An empty file is no error: it is named, and nothing can be said of it."""
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert run(path) == (
        [],
        Summary(verdict=Verdict.UNKNOWN, skipped=(SkippedFile(str(path), "it is empty"),)),
        [],
    )


@pytest.mark.slow
def test_alerts_say_where_their_records_lie(one: Path) -> None:
    """Every event quoted as evidence has its file and line beside the alert, not in it."""
    replay = Replay([str(one)], TALKATIVE, NOW_MS)
    lines = world()
    for alert in replay.alerts():
        quoted = [event["uid"] for event in json.loads(alert.body)["evidences"]]
        assert sorted(alert.positions) == sorted(quoted)
        assert str(one).encode() not in alert.body
        for uid, place in alert.positions.items():
            adapter, position = place.split(" ", 1)
            path, line = position.rsplit(":", 1)
            assert (adapter, path) == ("salesforce_elf", str(one))
            assert decode(lines[int(line) - 1], "x").event_id == uid


@pytest.mark.slow
def test_what_is_told_and_read_can_be_limited_in_time(tmp_path: Path) -> None:
    """Alerts from before `since_ms` are kept back though learned from; events from `until_ms` on are left out."""
    log = tmp_path / "log.jsonl"
    small = World(seed=3, start_ms=START_MS, hours=200, people=40, integrations=4)
    theft = Theft(start_ms=START_MS + 190 * 3_600_000)
    log.write_bytes(b"\n".join(record for _, record in records(small, theft)))
    told = [alert.body for alert in Replay([str(log)], Settings(), NOW_MS).alerts()]
    since = [alert.body for alert in Replay([str(log)], Settings(), NOW_MS, since_ms=theft.start_ms).alerts()]
    assert 0 < len(since) < len(told)
    assert since == told[-len(since) :]
    run = Replay([str(log)], Settings(), NOW_MS, until_ms=theft.start_ms)
    until = [alert.body for alert in run.alerts()]
    assert until[:-1] == told[: len(until) - 1]
    last_ms = run.summary().last_ms
    assert last_ms is not None
    assert last_ms < theft.start_ms
    assert all(event.time_ms < theft.start_ms for event in run.events())


@pytest.mark.slow
def test_several_processes_say_the_same(one: Path, tmp_path: Path) -> None:
    """The same alerts in the same order, the same summary, letters and coverage, from one, two or three."""
    lines = one.read_bytes().splitlines(keepends=True)
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(7):  # in other files, too
        (folder / f"{number}.jsonl").write_bytes(b"".join(lines[number::7]) + b"not a record\n")
    seen = []
    for workers in (1, 2, 3):
        letters: list[DeadLetter] = []
        replay = Replay([str(folder)], TALKATIVE, NOW_MS, letters.append, workers=workers)
        alerts = [alert.body for alert in replay.alerts()]
        seen.append((alerts, replay.summary(), letters, sorted(map(str, replay.coverage.counts()))))
    assert seen[0][0]
    assert len(seen[0][2]) == 7
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    single = Replay([str(one)], TALKATIVE, NOW_MS)
    assert [alert.body for alert in single.alerts()] == seen[0][0]
