"""Runs historic logs through the engine: files in, alerts and dead letters out, as the worker would publish them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby, islice
from pathlib import Path, PurePath

import msgspec

from detector.adapters import AUTO, Adapter, RecordError, Rejection, choose
from detector.adapters.generic import Mapping, decoder
from detector.alert.alert import Alert
from detector.catalogue import Category
from detector.detectors import with_plugins
from detector.engine import Batch, DetectionShard, SequencedTriage
from detector.event import AccessEvent
from detector.settings import Settings
from detector.units import DAY_MS, TICK_MS
from streams.files.decode import events_in_order
from streams.files.framing import repeats_of
from streams.files.reader import FileRecord, SkippedFile, files_of, skipped_files
from streams.plugins import NO_PLUGINS, PluginError, Plugins, discover
from streams.replay.coverage import Coverage, HourCount
from streams.replay.parallel import ShardContext, ShardMessage, run
from streams.replay.read_share import ReadShare, day_of_record, too_little_read

__all__ = ["READ_SHARE", "DeadLetter", "Replay", "Summary", "UnmappedType", "Verdict"]


READ_SHARE = 0.98
"""Of how many records at least a verdict needs to have read."""
LETTERS_OF_A_KIND = 5
"""How many dead letters of one file are kept for one reason; one more says how many followed."""
SHOWN_FAULTS = 5
"""How many damaged files and lines a summary names."""
LETTER_KINDS = 20_000
"""How many files and reasons are kept apart."""
LETTER_BYTES = 65_536
NAMED_SKIPPED = 200
MOST_UNMAPPED, UNMAPPED_TEXT = 200, 80
"""How many types that are not mapped are kept apart, and how much of their names."""


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be read: what a dead letter holds."""

    position: str
    origin: str
    adapter: str
    reason: str
    detail: str
    record: bytes
    """Its first `LETTER_BYTES`; empty if the letter stands for several records."""
    record_bytes: int
    records: int = 1
    """How many records it stands for."""


class UnmappedType(msgspec.Struct, frozen=True):
    """A vendor's type of event that its adapter does not map, although its records say how many rows."""

    adapter: str
    name: str
    events: int
    rows: int


class Verdict(StrEnum):
    """What can be said after a replay."""

    INCIDENTS = "incidents"
    NOTHING = "nothing_stands_out"
    UNKNOWN = "cannot_be_said"
    """Too little was read."""


class Summary(msgspec.Struct):
    """The result of a replay."""

    verdict: Verdict = Verdict.UNKNOWN
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
    rows_taken: dict[str, int] = {}
    """By data category."""
    dead_letters: dict[str, int] = {}
    """By adapter and reason."""
    unknown: dict[str, int] = {}
    """Folder → records that no adapter recognises."""
    faults: tuple[str, ...] = ()
    """The first files and lines that are damaged or no text, with what is wrong."""
    skipped: tuple[SkippedFile, ...] = ()
    """Files that are no logs, the first `NAMED_SKIPPED`; they count nowhere."""
    not_understood: tuple[UnmappedType, ...] = ()
    """Types of event whose rows are counted though nobody knows what was done, those with the most rows first."""
    too_little_read: tuple[ReadShare, ...] = ()
    """The shares of records read that are too small for a verdict; empty if enough was read."""


class Options(msgspec.Struct, frozen=True):
    """What every process of a replay must know."""

    settings: Settings
    form: str = AUTO
    mappings: tuple[Mapping, ...] = ()
    until_ms: int | None = None
    plugins: dict[str, str] = {}
    """As `Plugins.versions`; each process finds the same ones."""


class ShardSummary(msgspec.Struct):
    """What one shard has seen by its end."""

    events: int = 0
    duplicates: int = 0
    identities: int = 0
    signals: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    rows_taken: dict[Category, int] = {}
    counts: list[HourCount] = []
    unmapped: list[UnmappedType] = []


def adapters_of(options: bytes) -> Sequence[Adapter]:
    """The adapters that an encoded `Options` asks for. Raises `ValueError` for an unknown format, and `PluginError`."""
    chosen = _options.decode(options)
    plugins = _plugins_of(chosen)
    return choose(chosen.form, [*(decoder(mapping) for mapping in chosen.mappings), *plugins.adapters])


def _plugins_of(options: Options) -> Plugins:
    """The plug-ins that the replay began with. Raises `PluginError` if they have been changed since."""
    plugins = discover() if options.plugins else NO_PLUGINS
    if plugins.versions != options.plugins:
        raise PluginError("the plug-ins have been changed while they were in use; start again")
    return plugins


def detect_shard(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """Detection over a shard's events: a message for each tick that is over, and at the end what has been seen."""
    options = _options.decode(shard.options)
    until_ms = options.until_ms
    detect = DetectionShard(options.settings, shard.number, with_plugins(_plugins_of(options).detectors))
    coverage = Coverage()
    unmapped: dict[tuple[str, str], list[int]] = {}
    seen = ShardSummary()
    name = str(shard.number)
    tick = -1
    for event in events:
        if until_ms is not None and event.time_ms >= until_ms:
            break
        if seen.first_ms is None:
            seen.first_ms = event.time_ms
        seen.events += 1
        seen.last_ms = event.time_ms
        coverage.observe(event)
        if event.unmapped_type is not None:
            _count_unmapped(unmapped, event)
        batches = detect.observe(event)
        for batch in batches:
            yield _message(batch, name)
        if not batches and event.time_ms // TICK_MS > tick + 1:
            tick = event.time_ms // TICK_MS
            yield ShardMessage((tick - 1) * TICK_MS, "", b"")  # others need not wait
    end_ms = shard.last_ms if shard.last_ms is not None else 0
    if until_ms is not None:
        end_ms = min(end_ms, until_ms)
    for batch in detect.finish(end_ms):
        yield _message(batch, name)
    detection = detect.detection
    seen.duplicates = detection.duplicates
    seen.identities = len(detect.profiles())
    seen.signals = detect.signals
    rows: Counter[Category] = Counter()
    for (_, category), count in detection.rows_taken.items():
        rows[category] += count
    seen.rows_taken = dict(rows)
    seen.counts = coverage.counts()
    seen.unmapped = [UnmappedType(*what, *counts) for what, counts in unmapped.items()]
    yield ShardMessage(LAST_MS, name, msgspec.msgpack.encode(seen))


def _count_unmapped(unmapped: dict[tuple[str, str], list[int]], event: AccessEvent) -> None:
    what = event.origin.adapter, (event.unmapped_type or "")[:UNMAPPED_TEXT]
    if what not in unmapped and len(unmapped) >= MOST_UNMAPPED:
        what = event.origin.adapter, "*"
    counts = unmapped.setdefault(what, [0, 0])
    counts[0] += 1
    counts[1] += event.rows or 0


def _message(batch: Batch, name: str) -> ShardMessage:
    return ShardMessage(batch.tick * TICK_MS, name, msgspec.msgpack.encode(batch))


LAST_MS = 1 << 61
"""After every event's time: the message with a shard's summary."""
_options = msgspec.msgpack.Decoder(Options)
_batch = msgspec.msgpack.Decoder(Batch)


class Replay:
    """One run of the engine over files; iterate `alerts`, then read `summary` and `coverage`.

    `outputs` are files that this run writes: they are not read, should they lie among the paths. `form` and
    `mappings` say who reads the records, as for `detector.adapters.choose`; the adapters of `plugins` are asked after
    the mappings, their detectors run beside the built-in ones. What happened from `until_ms` on is
    left out; alerts from before `since_ms` are not told, but what lies before is learned from. Several `workers`
    are as many processes, and give the same alerts.
    """

    def __init__(
        self,
        paths: Sequence[str],
        settings: Settings,
        now_ms: int,
        on_letter: Callable[[DeadLetter], None] = lambda letter: None,
        on_record: Callable[[int], None] = lambda records: None,
        outputs: Iterable[Path] = (),
        *,
        form: str = AUTO,
        mappings: tuple[Mapping, ...] = (),
        plugins: Plugins = NO_PLUGINS,
        since_ms: int | None = None,
        until_ms: int | None = None,
        workers: int = 1,
        read_share: float = READ_SHARE,
    ) -> None:
        self._paths = paths
        self._outputs = {path.resolve() for path in outputs}
        self._now_ms = now_ms
        self._on_letter = on_letter
        self._on_record = on_record
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._workers = workers
        self._options = msgspec.msgpack.encode(Options(settings, form, mappings, until_ms, plugins.versions))
        self._triage = SequencedTriage(settings, with_plugins(plugins.detectors))
        self._by_adapter: Counter[str] = Counter()
        self._read_share = read_share
        self._letters: Counter[str] = Counter()
        self._unread_of: Counter[str] = Counter()
        self._unread_on: Counter[int] = Counter()
        self._kinds: dict[tuple[str, str, Rejection], list[int]] = {}  # letters kept, and records beyond
        self._unknown: Counter[str] = Counter()
        self._faults: list[str] = []
        self._rows: Counter[str] = Counter()
        self._unmapped: dict[tuple[str, str], UnmappedType] = {}
        self._summary = Summary()
        self.coverage = Coverage()
        """Which events there were, by adapter, operation and hour."""

    def alerts(self) -> Iterator[Alert]:
        """The alerts that follow from the events in event-time order.

        Raises `ReadError` for a bad path, `streams.replay.parallel.ShardError` for what goes wrong in another process.
        """
        try:
            yield from self._alerts()
        finally:
            self._repeats()

    def _alerts(self) -> Iterator[Alert]:
        self._summary.skipped = tuple(islice(skipped_files(self._paths), NAMED_SKIPPED))
        messages = run(
            self._files(),
            self._workers,
            detect_shard,
            self._options,
            adapters=adapters_of,
            arrived_ms=self._now_ms,
            on_unread=self._letter,
            on_progress=self._progress,
        )
        for time_ms, group in groupby(messages, key=lambda message: message.time_ms):
            if time_ms == LAST_MS:
                for message in group:
                    self._add(msgspec.msgpack.decode(message.body, type=ShardSummary))
            else:
                yield from self._counted(
                    self._triage.assess(_batch.decode(message.body) for message in group)
                )
        self._summary.records = max(self._summary.records, self._summary.events + sum(self._letters.values()))
        last_ms = self._summary.last_ms
        if last_ms is not None:
            yield from self._counted(self._triage.finish(last_ms))
        self._on_record(self._summary.records)

    def events(self) -> Iterator[AccessEvent]:
        """The same events once more, in event-time order. Raises `ReadError` as `alerts` does."""
        for event in events_in_order(
            self._files(),
            on_unread=lambda raw, error: None,
            adapters=adapters_of(self._options),
            arrived_ms=self._now_ms,
        ):
            if self._until_ms is not None and event.time_ms >= self._until_ms:
                return
            yield event

    def summary(self) -> Summary:
        """The result so far."""
        summary = self._summary
        summary.adapters = dict(self._by_adapter.most_common())
        summary.rows_taken = dict(self._rows.most_common())
        summary.dead_letters = dict(self._letters.most_common())
        summary.unknown = dict(sorted(self._unknown.items()))
        summary.faults = tuple(self._faults)
        unmapped = sorted(self._unmapped.values(), key=lambda one: (-one.rows, one.adapter, one.name))
        summary.not_understood = tuple(unmapped)
        unread = self._unread_of.total()
        summary.too_little_read = too_little_read(
            max(summary.records, summary.events + unread),
            unread,
            {name: count - self._unread_of.get(name, 0) for name, count in self._by_adapter.items()},
            self._unread_of,
            {} if self.coverage.uncharted else self.coverage.days,  # else days seem empty that were not
            self._unread_on,
            self._read_share,
        )
        if summary.too_little_read or not summary.events:
            summary.verdict = Verdict.UNKNOWN
        else:
            summary.verdict = Verdict.INCIDENTS if summary.alerts else Verdict.NOTHING
        return summary

    def _files(self) -> list[str]:
        files = [file for path in self._paths for file in files_of(path)]
        return [file for file in files if file == "-" or Path(file).resolve() not in self._outputs]

    def _progress(self, records: int, events: int) -> None:
        self._summary.records = max(records, self._summary.records)
        self._on_record(events or records)

    def _add(self, seen: ShardSummary) -> None:
        """Add what a shard has seen."""
        summary = self._summary
        summary.events += seen.events
        summary.duplicates += seen.duplicates
        summary.identities += seen.identities
        summary.signals += seen.signals
        if seen.first_ms is not None and seen.last_ms is not None:
            summary.first_ms = min(
                seen.first_ms, seen.first_ms if summary.first_ms is None else summary.first_ms
            )
            summary.last_ms = max(seen.last_ms, seen.last_ms if summary.last_ms is None else summary.last_ms)
        for category, rows in seen.rows_taken.items():
            self._rows[category.value] += rows
        for count in seen.counts:
            self._by_adapter[count.adapter] += count.events
        self.coverage.add(seen.counts)
        for one in seen.unmapped:
            what = one.adapter, one.name
            known = self._unmapped.get(what, UnmappedType(*what, 0, 0))
            self._unmapped[what] = UnmappedType(*what, known.events + one.events, known.rows + one.rows)

    def _counted(self, alerts: list[Alert]) -> list[Alert]:
        if self._since_ms is not None:
            alerts = [alert for alert in alerts if alert.time_ms >= self._since_ms]
        self._summary.alerts += len(alerts)
        return alerts

    def _letter(self, raw: FileRecord, error: RecordError) -> None:
        adapter = error.adapter
        records = repeats_of(raw.fault)
        self._letters[f"{adapter or 'no adapter'}: {error.reason}"] += records
        day = day_of_record(raw.record, raw.source, self._now_ms)
        if self._until_ms is None or day is None or day * DAY_MS < self._until_ms:
            self._unread_of[adapter] += records
            if day is not None:
                self._unread_on[day] += records
        if adapter:
            self._by_adapter[adapter] += records
        elif error.reason is Rejection.UNKNOWN_FORMAT:
            self._unknown[str(PurePath(raw.source).parent)] += records
        elif len(self._faults) < SHOWN_FAULTS:
            self._faults.append(f"{raw.position}: {error.detail}")
        kind = raw.source, adapter, error.reason
        if kind not in self._kinds and len(self._kinds) >= LETTER_KINDS:
            kind = "", adapter, error.reason
        counts = self._kinds.setdefault(kind, [0, 0])
        if counts[0] >= LETTERS_OF_A_KIND:
            counts[1] += records
        else:
            counts[0] += 1
            record = raw.record
            self._on_letter(
                DeadLetter(
                    raw.position,
                    error.position,
                    adapter,
                    error.reason,
                    error.detail,
                    record[:LETTER_BYTES],
                    len(record),
                    records,
                )
            )

    def _repeats(self) -> None:
        """Say how many dead letters followed those that were kept."""
        for (source, adapter, reason), (_, more) in self._kinds.items():
            if more:
                detail = f"{more:,} more record{'s' * (more != 1)} for the same reason"
                self._on_letter(DeadLetter(source, source, adapter, reason, detail, b"", 0, more))
        self._kinds.clear()
