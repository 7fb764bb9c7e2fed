from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import msgspec
import pytest

from detector.adapters import RecordError
from detector.event import AccessEvent
from streams.files.decode import events_in_order
from streams.files.reader import FileRecord, ReadError
from streams.kafka.messages import partition_of
from streams.replay import parallel as shards
from streams.replay.parallel import ShardError, ShardMessage, ShardWork, run
from tests.streams.replay import shard_work

USERS = [f"0055g00000User{number}" for number in range(7)]


def elf(chance: random.Random) -> dict[str, str]:
    """An event log row; few different ones, so that some are the same and some of one time."""
    return {
        "EVENT_TYPE": "API",
        "TIMESTAMP": f"2025032014{chance.randrange(60):02d}{chance.randrange(20):02d}.5",
        "REQUEST_ID": f"r{chance.randrange(50)}",
        "ORGANIZATION_ID": "00D5g000004SkyW",
        "USER_ID": chance.choice(USERS),
        "METHOD_NAME": "query",
        "ROWS_PROCESSED": "7",
    }


def write(folder: Path, records: int, *, seed: int = 7) -> list[str]:
    """Some files: small and large, JSON and CSV, compressed and not, with bad records in them."""
    chance = random.Random(seed)
    rows = [elf(chance) for _ in range(records)]
    rows += rows[:20]
    lines = [json.dumps(row) for row in rows]
    third = len(rows) // 3
    (folder / "a.jsonl").write_text("\n".join([*lines[:third], "{broken", "{}", ""]))
    (folder / "b.jsonl.gz").write_bytes(
        gzip.compress("\n".join([*lines[third : 2 * third], "what?"]).encode())
    )
    table = [list(rows[0]), *(list(row.values()) for row in rows[2 * third :]), ["x"]]
    (folder / "c.csv").write_text("\n".join(",".join(f'"{field}"' for field in row) for row in table) + "\n")
    (folder / "d.jsonl").write_text("\n".join(lines[:5]))
    return [str(folder / name) for name in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.jsonl")]


Unread = list[tuple[FileRecord, str]]


def ran(
    paths: list[str], count: int, work: ShardWork, options: bytes = b"", arrived_ms: int | None = None
) -> tuple[list[ShardMessage], Unread]:
    """Everything that comes out."""
    unread: Unread = []
    said = list(
        run(
            paths,
            count,
            work,
            options,
            arrived_ms=arrived_ms,
            on_unread=lambda raw, error: unread.append((raw, str(error))),
        )
    )
    return said, unread


def children() -> set[str]:
    """This process's own children, dead ones that nobody has waited for included."""
    return {
        child
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
    }


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """However a test ends, it has left no process behind; a broker for other tests may run beside it."""
    resource_tracker.ensure_running()  # Python's own: one a process, and it ends when the process does
    before = children()
    yield
    assert children() <= before


@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are cut into parts for several processes even if they are small."""
    monkeypatch.setattr(shards, "SPLIT_BYTES", 1_000)


@pytest.mark.slow
def test_it_does_not_matter_how_many_there_are(tmp_path: Path, cut_small: None) -> None:
    """Messages and unread records are the same, byte for byte, for any number of shards and order of the files."""
    paths = write(tmp_path, 9_000)
    known, unread = ran(paths, 1, shard_work.count)
    assert len(known) == 9_025
    assert [raw.position.rpartition("/")[2] for raw, _ in unread] == [
        "a.jsonl:3007", "a.jsonl:3008", "b.jsonl.gz:3007", "c.csv:3010",
    ]  # fmt: skip
    assert [(said.time_ms, said.key) for said in known] == sorted((said.time_ms, said.key) for said in known)
    shuffled = random.Random(1)
    for count in (1, 2, 3):
        shuffled.shuffle(paths)
        assert ran(paths, count, shard_work.count) == (known, unread)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_a_shard_has_its_events_in_order(tmp_path: Path, count: int) -> None:
    """Each identity's events go to its shard alone, in the order of a single replay; all know the whole time."""
    paths = write(tmp_path, 500)
    known = list(events_in_order(paths, on_unread=lambda raw, error: None))
    said, _ = ran(paths, count, shard_work.echo, b"options")
    ends = [msgspec.msgpack.decode(one.body) for one in said if one.key.startswith("~")]
    assert ends == [[known[0].time_ms, known[-1].time_ms, b"options"]] * count
    events = [
        msgspec.msgpack.decode(one.body, type=AccessEvent) for one in said if not one.key.startswith("~")
    ]
    by_identity: dict[str, list[AccessEvent]] = {}
    for event in known:
        by_identity.setdefault(event.identity, []).append(event)
    assert len(by_identity) == len(USERS)
    for name, of_identity in by_identity.items():
        assert [event for event in events if event.identity == name] == of_identity
    assert len({partition_of(name, 3) for name in by_identity}) > 1


@pytest.mark.slow
def test_one_that_says_much_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One shard's many messages come through while another says nothing, or only how far it is."""
    monkeypatch.setattr(shards, "HELD_BYTES", 100_000)
    paths = write(tmp_path, 300)
    for options in (b"", b"watermarks"):
        said, _ = ran(paths, 2, shard_work.loud_and_silent, options)
        bodies = [one.body.rstrip(b".") for one in said]
        assert sorted(bodies[-2:]) == [b"end", b"end"]
        assert bodies[:-2] == [b"%d" % number for number in range(len(bodies) - 2)]
        assert len(bodies) > 50
        assert all(one.body for one in said)


def test_what_is_from_the_future_is_not_believed(tmp_path: Path) -> None:
    """An event well ahead of its arrival is an unread record, and no shard's last."""
    paths = write(tmp_path, 300)
    known = list(events_in_order(paths, on_unread=lambda raw, error: None))
    arrived_ms = known[100].time_ms - 600_000
    for count in (1, 2):
        said, unread = ran(paths, count, shard_work.echo, arrived_ms=arrived_ms)
        believed = [event for event in known if event.time_ms <= known[100].time_ms]
        assert sum(not one.key.startswith("~") for one in said) == len(believed)
        assert msgspec.msgpack.decode(said[-1].body)[1] == believed[-1].time_ms
        assert sum(": future: " in error for _, error in unread) == len(known) - len(believed)


def test_without_events_nothing_is_said(tmp_path: Path) -> None:
    """Files without an event give no message, and shards that know of no time."""
    (tmp_path / "a.jsonl").write_text("{}\n")
    for count in (1, 2):
        said, unread = ran([str(tmp_path / "a.jsonl")], count, shard_work.echo)
        assert said == []
        assert len(unread) == 1


@pytest.mark.slow
def test_adapters_are_chosen_in_each_process(tmp_path: Path) -> None:
    """What reads the records is found out from the options, in every process."""
    (tmp_path / "a.jsonl").write_text("{}\n")
    for options, reason in ((b"elf", "missing_field"), (b"", "unknown_format")):
        for count in (1, 2):
            unread: list[RecordError] = []
            said = run(
                [str(tmp_path / "a.jsonl")],
                count,
                shard_work.echo,
                options,
                adapters=shard_work.elf_alone,
                on_unread=lambda raw, error, unread=unread: unread.append(error),  # type: ignore[misc]
            )
            assert list(said) == []
            assert [error.reason for error in unread] == [reason]


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    """Progress says in the end how many records there were and how many events have been applied."""
    paths = write(tmp_path, 300)
    for count in (1, 2):
        told: list[tuple[int, int]] = []
        said = run(
            paths,
            count,
            shard_work.count,
            on_unread=lambda raw, error: None,
            on_progress=lambda records, events, told=told: told.append((records, events)),  # type: ignore[misc]
        )
        assert len(list(said)) == 325
        assert told[-1] == (329, 325)
        assert told == sorted(told)


@pytest.mark.slow
def test_standard_input_and_pipes_are_read_once(tmp_path: Path) -> None:
    """What only this process can read is read here, and shared out like everything else."""
    lines = [json.dumps(elf(random.Random(number))) for number in range(50)]
    os.mkfifo(tmp_path / "pipe")
    code = (
        "import sys; from streams.replay.parallel import run; from tests.streams.replay import shard_work\n"
        "said = run(sys.argv[2:], int(sys.argv[1]), shard_work.count, on_unread=print)\n"
        "for one in said: print(one.time_ms, one.body.decode())"
    )
    told = []
    for count in ("1", "2"):
        feeder = threading.Thread(target=(tmp_path / "pipe").write_text, args=("\n".join(lines[25:]),))
        feeder.start()
        out = subprocess.run(
            [sys.executable, "-c", code, count, "-", str(tmp_path / "pipe")],
            input="\n".join(lines[:25]), capture_output=True, text=True, timeout=60, check=True, env=environment(),
        )  # fmt: skip
        feeder.join()
        told.append(out.stdout.splitlines())
    assert told[0] == told[1]
    assert len(told[0]) == 50


def environment() -> dict[str, str]:
    """An environment in which our own modules are found."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (b"raise", r"shard [12]: ValueError: no such thing"),
        (b"back", r"shard [12]: ValueError: a message of \d+ ms after one of \d+ ms"),
        (b"exit", r"shard [12]: its process ended with exit code 1: enough"),
        (b"kill", r"shard [12]: its process was killed by signal 9"),
    ],
)
def test_what_goes_wrong_elsewhere_is_told_here(tmp_path: Path, options: bytes, told: str) -> None:
    """Whatever ends a process early is one line here, and the end of the others."""
    paths = write(tmp_path, 300)
    with pytest.raises(ShardError, match=f"^{told}$"):
        ran(paths, 2, shard_work.fail, options)


def test_adapters_that_cannot_be_had_are_told(tmp_path: Path) -> None:
    """An error before anything is read comes out like any other."""
    paths = write(tmp_path, 30)
    said = run(
        paths, 2, shard_work.echo, b"none", adapters=shard_work.no_adapters, on_unread=lambda raw, error: None
    )
    with pytest.raises((ShardError, LookupError), match="none"):
        list(said)


def test_a_file_that_cannot_be_opened_is_told_as_ever(tmp_path: Path, cut_small: None) -> None:
    """A path that names nothing is refused at once, and a file that another process cannot open in its turn."""
    paths = write(tmp_path, 300)
    with pytest.raises(ReadError, match="no such file"):
        run([*paths, str(tmp_path / "missing")], 2, shard_work.echo, on_unread=lambda raw, error: None)
    (tmp_path / "e.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    stubbed = tmp_path / "stubs"
    stubbed.mkdir()
    (stubbed / "zstandard.py").write_text("raise ImportError")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(stubbed))
        with pytest.raises(ReadError, match=r"e\.zst: Zstandard needs the extra"):
            ran([str(tmp_path / "e.zst"), *paths], 2, shard_work.echo)


def test_only_a_function_that_can_be_passed_can_work(tmp_path: Path) -> None:
    """A function that another process cannot import is refused at once."""
    with pytest.raises(ValueError, match="cannot be passed to another process"):
        run([str(tmp_path)], 2, lambda shard, events: iter(()), on_unread=lambda raw, error: None)


def test_one_may_stop_listening(tmp_path: Path) -> None:
    """When the messages are not wanted any more, the processes end."""
    paths = write(tmp_path, 300)
    said = run(paths, 2, shard_work.count, on_unread=lambda raw, error: None)
    next(said)
    said.close()  # type: ignore[attr-defined] # it is a generator; `nobody_is_left` looks for the processes


def appeared(folder: Path, number: int) -> list[int]:
    """Process ids, once there are so many."""
    for _ in range(1_200):
        found = [int(path.name) for path in folder.iterdir()]
        if len(found) == number:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found} only")


def alive(process: int) -> bool:
    """Whether there is such a process, after a while in which it may end."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


LINGERING = """\
import sys
from streams.replay.parallel import run
from tests.streams.replay import shard_work
for one in run([sys.argv[1]], 2, shard_work.linger, sys.argv[2].encode(), on_unread=print):
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_this_one(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C, which a terminal sends to all, and whatever else ends this process, ends the others, quietly."""
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs", 300)
    (tmp_path / "ids").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", LINGERING, str(tmp_path / "logs"), str(tmp_path / "ids")],
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    ids = appeared(tmp_path / "ids", 2)
    if how is signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert not any(alive(one) for one in ids)
    said = errors.decode().strip().splitlines()
    assert (said[-1:] == ["KeyboardInterrupt"]) is (how is signal.SIGINT)
    assert sum("Traceback" in line for line in said) == (how is signal.SIGINT)
