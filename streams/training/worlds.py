"""Simulated worlds for training: what detection says of one, and the candidates that triage makes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from detector.adapters import RecordError
from detector.detectors import BUILT_IN
from detector.engine import Batch, DetectionShard, SequencedTriage
from detector.settings import Settings
from detector.simulation import Format, Labels, Scenario, Simulation, read_labels
from detector.simulation.score import AttackIndex, ScoredAlert
from detector.simulation.training import CandidateTable
from detector.triage.assessor import Assessor, fade_of
from detector.triage.evidence import EvidenceModel, EvidenceTrees
from detector.triage.features import Features, vector
from detector.triage.incident import Incident, uid
from streams.files.reader import read_in_order

__all__ = ["Detected", "TrainingWorld", "candidates", "detect"]

_SETTINGS = Settings()
_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(Batch)


class TrainingWorld(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated world."""

    seed: int
    format: Format
    days: int = 35
    people: int | None = None
    """How many people there are; without it the seed says."""


class Detected(msgspec.Struct, frozen=True):
    """What detection said of a world, in a folder."""

    path: str
    end_ms: int
    """Event time of the last event."""


def detect(world: TrainingWorld, folder: Path) -> Detected:
    """Simulate a world, run detection over its logs, and keep the batches and the labels in a folder.

    Raises OSError.
    """
    base = folder / f"{world.format.value}-{world.seed}"
    simulation = Simulation(
        Scenario(seed=world.seed, format=world.format, days=world.days, people=world.people)
    )
    shard = DetectionShard(_SETTINGS)
    end_ms = 0
    with tempfile.TemporaryDirectory() as logs, base.with_suffix(".batches").open("wb") as out:
        for file in simulation.files():
            path = Path(logs) / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
        for _, event in read_in_order([logs]):
            if not isinstance(event, RecordError):
                end_ms = event.time_ms
                out.writelines(map(_framed, shard.observe(event)))
        out.writelines(map(_framed, shard.finish(end_ms)))
    base.with_suffix(".labels").write_bytes(msgspec.json.encode(simulation.labels()))
    return Detected(str(base), end_ms)


def candidates(detected: Detected, forest: EvidenceTrees) -> CandidateTable:
    """The states of a world's incidents at the moments when triage weighed them, publishing by a forest."""
    base = Path(detected.path)
    asked: list[tuple[str, ScoredAlert, tuple[float, ...]]] = []

    def note(incident: Incident, time_ms: int, found: Features) -> None:
        actors = incident.actors if incident.network else (incident.actor,)
        places = [event.ip for event in incident.evidence if event.ip is not None]
        name = uid(incident)
        state = ScoredAlert(
            name,
            time_ms,
            0.0,
            tuple(f"{incident.tenant}/{actor}" for actor in actors),
            (*places, *filter(None, (incident.network,))),
        )
        asked.append((name, state, vector(found)))

    fade = fade_of(_SETTINGS.triage)
    assessor = Assessor(EvidenceModel(forest), BUILT_IN.explanations, fade, asked=note)
    triage = SequencedTriage(_SETTINGS, assessor=assessor)
    for batch in _read(base.with_suffix(".batches")):
        triage.assess((batch,))
    triage.finish(detected.end_ms)
    labels = read_labels(base.with_suffix(".labels").read_bytes())
    return _table(labels, asked)


def _table(labels: Labels, asked: list[tuple[str, ScoredAlert, tuple[float, ...]]]) -> CandidateTable:
    truth = AttackIndex(labels)
    numbers: dict[str, int] = {}
    return CandidateTable(
        features=np.array([numbers_of for _, _, numbers_of in asked], dtype=np.float64),
        incident=np.array([numbers.setdefault(name, len(numbers)) for name, _, _ in asked], dtype=np.int64),
        theft=np.array([bool(truth.attacks(state)) for _, state, _ in asked], dtype=np.bool_),
    )


def _framed(batch: Batch) -> bytes:
    data = _encoder.encode(batch)
    return len(data).to_bytes(4, "little") + data


def _read(path: Path) -> Iterator[Batch]:
    with path.open("rb") as file:
        while head := file.read(4):
            yield _batches.decode(file.read(int.from_bytes(head, "little")))
