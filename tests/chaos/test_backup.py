"""A cluster that is lost: what a backup brings to an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.adapters import decode
from detector.simulation import Theft, World, records
from streams.backup.archive import Archive
from streams.cli.main import app
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected, differences
from tests.chaos.faults import Supervisor
from tests.chaos.pipeline import Pipeline, Records, in_order

PARTITIONS = 2
HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday


@pytest.fixture(scope="module")
def world() -> Records:
    """Twelve days of a small company with a theft on the eighth night."""
    theft = Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS + 600_000)
    return in_order(records(World(seed=11, start_ms=START_MS, hours=24 * 12, people=25), theft), decode)


def invoke(command: str, file: Path, pipeline: Pipeline, *more: str) -> Result:
    """A command with the workers' settings."""
    arguments = [command, str(file), "--settings", str(pipeline.settings), *more]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_an_empty_cluster_goes_on_where_the_lost_one_was_killed(
    keyed: bool, kafka: Broker, names: TopicNames, tmp_path: Path, world: Records
) -> None:
    """Half of a world, workers killed in the midst of it, a backup, an empty broker, a restore, the other half: the
    alerts and the profiles are those of a replay of the whole."""
    expected = Expected.of(event for _, event in world)
    assert sum(b'"activity_name":"Create"' in body for body in expected.alerts) >= 2
    half = len(world) // 2
    file = tmp_path / "crmwatch.backup"
    settings = {"keyed": keyed, "session_seconds": 6.0, "save_seconds": 0.5}
    lost, found = tmp_path / "lost", tmp_path / "found"
    lost.mkdir()
    found.mkdir()
    with Pipeline(kafka.bootstrap, names, lost, PARTITIONS, settings) as pipeline:
        _publish(pipeline, world[:half], keyed)
        workers = [pipeline.start_worker(), pipeline.start_worker()]
        pipeline.wait(lambda: pipeline.committed(names.access) > 0, 60)
        for worker in workers:
            worker.kill()
        unread = half - pipeline.committed(names.access)
        assert unread > 0, "nothing was left to read when the workers were killed"
        result = invoke("backup", file, pipeline)
        assert result.exit_code == 0, result.output
        before = frozenset(message.value for message in pipeline.read(names.alerts))
    with Archive(file) as archive:
        purposes = [copy.topic for copy in archive.copies()]
    assert purposes.count(names.access) == unread
    assert purposes.count("events") + purposes.count("signals") > 0, "nothing was on its way"

    with (
        Broker() as empty,
        Pipeline(empty.bootstrap, names, found, PARTITIONS, settings) as pipeline,
    ):
        result = invoke("restore", file, pipeline)
        assert result.exit_code == 0, result.output
        assert frozenset(message.value for message in pipeline.read(names.alerts)) == before
        _publish(pipeline, world[half:], keyed)
        supervisor = Supervisor(pipeline, 2)
        left = unread + len(world) - half
        assert differences(pipeline, supervisor, expected, left, 0, 120) == []


def _publish(pipeline: Pipeline, world: Records, keyed: bool) -> None:
    if keyed:
        pipeline.publish_keyed(world)
    else:
        pipeline.publish_spread(world, seed=5)
