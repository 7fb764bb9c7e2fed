"""Small worlds for the tests, each made once."""

from __future__ import annotations

import functools
import io

from detector.adapters import RecordError, decode
from detector.adapters.rejection import Rejection
from detector.event import AccessEvent
from detector.simulation import Format, Labels, LogFile, Scenario, Simulation
from streams.files.framing import frames

DAYS, PEOPLE = 20, 40


@functools.lru_cache(maxsize=2)
def world(
    log_format: Format, seed: int = 1, *, varied: bool = True
) -> tuple[Simulation, tuple[LogFile, ...], Labels]:
    """Some weeks of a smaller company: the simulation, its files and its labels."""
    simulation = Simulation(Scenario(seed=seed, format=log_format, days=DAYS, people=PEOPLE, varied=varied))
    return simulation, tuple(simulation.files()), simulation.labels()


class _Opened:
    """A file's bytes as a reader wants them."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read1(self, size: int, /) -> bytes:
        """The next bytes."""
        return self._file.read1(size)


def read(file: LogFile) -> list[AccessEvent | RecordError]:
    """What a file's records decode to."""
    found: list[AccessEvent | RecordError] = []
    for frame in frames(_Opened(file.data)):
        position = f"{file.path}:{frame.line}"
        try:
            if frame.fault:
                raise RecordError("", position, Rejection.MALFORMED, frame.fault)
            found.append(decode(frame.record, position))
        except RecordError as error:
            found.append(error)
    return found


@functools.lru_cache(maxsize=2)
def results(
    log_format: Format, seed: int = 1, *, varied: bool = True
) -> tuple[AccessEvent | RecordError, ...]:
    """What all of a world's records decode to, file by file."""
    return tuple(result for file in world(log_format, seed, varied=varied)[1] for result in read(file))


@functools.lru_cache(maxsize=2)
def decoded(log_format: Format, seed: int = 1, *, varied: bool = True) -> tuple[AccessEvent, ...]:
    """All events of a world that can be read, in the order of their times."""
    events = [
        result for result in results(log_format, seed, varied=varied) if not isinstance(result, RecordError)
    ]
    return tuple(sorted(events, key=lambda event: (event.time_ms, event.event_id)))
