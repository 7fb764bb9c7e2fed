"""Historic logs through the engine: files in, alerts and dead letters out, as the worker would say them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

import msgspec

from detector.adapters import Adapter, RecordError, believed
from detector.alert import Alert
from detector.engine import Engine
from detector.event import AccessEvent
from detector.settings import Settings
from streams.reader import EVERY_ADAPTER, Raw, read_in_order

__all__ = ["Letter", "Replay", "Summary"]


class Letter(msgspec.Struct, frozen=True):
    """A record that could not be read: what a dead letter holds."""

    position: str
    origin: str
    adapter: str
    reason: str
    detail: str
    record: bytes
    record_bytes: int


class Summary(msgspec.Struct):
    """What a replay came to."""

    records: int = 0
    events: int = 0
    duplicates: int = 0
    identities: int = 0
    signals: int = 0
    alerts: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    adapters: dict[str, int] = {}
    """Records by the adapter that knew their format, those it could not read included."""
    rows_left: dict[str, int] = {}
    """By data category."""
    dead_letters: dict[str, int] = {}
    """By adapter and reason."""
    unknown: dict[str, int] = {}
    """Folder → records that no adapter recognises."""


class Replay:
    """One run of the engine over files; iterate `alerts`, then read `summary`.

    `outputs` are files that this run writes: they are not read, should they lie among the paths. `adapters` are
    those that read the records, as for `detector.adapters.decode`. `on_event` is told of each event. What happened
    from `until_ms` on is left out; alerts from before `since_ms` are not told, but what lies before is learned from.
    """

    def __init__(
        self,
        paths: Sequence[str],
        settings: Settings,
        now_ms: int,
        on_letter: Callable[[Letter], None] = lambda letter: None,
        on_record: Callable[[int], None] = lambda records: None,
        outputs: Iterable[Path] = (),
        adapters: Sequence[Adapter] = EVERY_ADAPTER,
        on_event: Callable[[AccessEvent], None] | None = None,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> None:
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._paths = paths
        self._outputs = {path.resolve() for path in outputs}
        self._own: dict[str, bool] = {}
        self._now_ms = now_ms
        self._on_letter = on_letter
        self._on_record = on_record
        self._adapters = adapters
        self._on_event = on_event
        self._engine = Engine(settings)
        self._by_adapter: Counter[str] = Counter()
        self._letters: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._summary = Summary()

    def alerts(self) -> Iterator[Alert]:
        """The alerts that follow from the events in event-time order. Raises `ReadError` for a bad path."""
        summary = self._summary
        observe, on_event = self._engine.observe, self._on_event
        for raw, result in read_in_order(self._paths, adapters=self._adapters):
            if self._is_own(raw.source):
                continue
            summary.records += 1
            if not summary.records % 1000:
                self._on_record(summary.records)
            try:
                if isinstance(result, RecordError):
                    raise result
                event = believed(result, self._now_ms)
            except RecordError as error:
                self._letter(raw, error)
                continue
            if self._until_ms is not None and event.time_ms >= self._until_ms:
                continue
            summary.events += 1
            self._by_adapter[event.origin.adapter] += 1
            if summary.first_ms is None:
                summary.first_ms = event.time_ms
            summary.last_ms = event.time_ms
            if on_event is not None:
                on_event(event)
            yield from self._counted(observe(event))
        if summary.last_ms is not None:
            yield from self._counted(self._engine.finish(summary.last_ms))
        self._on_record(summary.records)

    def events(self) -> Iterator[AccessEvent]:
        """The same events once more, in the order of their time. Raises `ReadError` as `alerts` does."""
        for raw, result in read_in_order(self._paths, adapters=self._adapters):
            if isinstance(result, RecordError) or self._is_own(raw.source):
                continue
            try:
                event = believed(result, self._now_ms)
            except RecordError:
                continue
            if self._until_ms is None or event.time_ms < self._until_ms:
                yield event

    def summary(self) -> Summary:
        """How it stands."""
        detection = self._engine.detection
        rows: Counter[str] = Counter()
        for (_, category), count in detection.rows_left.items():
            rows[category.value] += count
        summary = self._summary
        summary.duplicates = detection.duplicates
        summary.identities = self._engine.identities
        summary.signals = self._engine.signals
        summary.adapters = dict(self._by_adapter.most_common())
        summary.rows_left = dict(rows.most_common())
        summary.dead_letters = dict(self._letters.most_common())
        summary.unknown = dict(sorted(self._unknown.items()))
        return summary

    def _is_own(self, source: str) -> bool:
        own = self._own.get(source)
        if own is None:
            own = self._own[source] = Path(source).resolve() in self._outputs
        return own

    def _counted(self, alerts: list[Alert]) -> list[Alert]:
        if self._since_ms is not None:
            alerts = [alert for alert in alerts if alert.time_ms >= self._since_ms]
        self._summary.alerts += len(alerts)
        return alerts

    def _letter(self, raw: Raw, error: RecordError) -> None:
        self._letters[f"{error.adapter or 'no adapter'}: {error.reason}"] += 1
        if error.adapter:
            self._by_adapter[error.adapter] += 1
        else:
            self._unknown[str(PurePath(raw.source).parent)] += 1
        self._on_letter(
            Letter(
                raw.position,
                error.position,
                error.adapter,
                error.reason,
                error.detail,
                raw.record,
                len(raw.record),
            )
        )
