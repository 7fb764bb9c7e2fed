"""Loads the settings once at start-up: one TOML file, then ``CRMWATCH_…`` from the environment, then flags.

An error names an unknown key with the closest existing one, and a bad value with where it was set.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec

from detector.adapters import AUTO, Adapter, choose
from detector.adapters.generic import Mapping as SourceMapping
from detector.adapters.generic import decoder
from detector.directory_entry import DirectoryEntry
from detector.directory_file import MOST_ENTRIES
from detector.errors import CrmwatchError
from detector.settings import DetectionSettings, Settings, TriageSettings
from streams.kafka.connection import KafkaSettings, fault
from streams.kafka.signing import SigningSettings
from streams.kafka.topics import Retention, TopicNames
from streams.log import LogFormat

__all__ = [
    "Config",
    "ConfigError",
    "ConsoleSettings",
    "DirectorySettings",
    "SourceSettings",
    "WorkerSettings",
    "load",
]

PREFIX = "CRMWATCH_"

Seconds = Annotated[float, msgspec.Meta(gt=0, lt=1e9)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class ConfigError(CrmwatchError, ValueError):
    """An invalid setting; the message names it and where it was set."""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the worker process."""

    bootstrap: str = "127.0.0.1:9092"
    """The brokers: ``host:port``, several separated by commas."""
    keyed: bool = False
    """Whether the access topic is keyed by identity, as `crmwatch publish` does. Then nothing is buffered for
    ordering."""
    merge_events: Annotated[int, msgspec.Meta(ge=0)] = 200_000
    """How many events a shard buffers for ordering before it processes the oldest early; each takes 1 KB."""
    idle_seconds: Seconds = 4.0
    """After this long without a record, with the brokers answering all the while, other partitions do not wait for a
    partition read to its end. Not less than records to different partitions may be delayed against one another."""
    hold_seconds: Seconds = 120.0
    """How long a decision waits for the population's days to be complete before it is taken provisionally."""
    save_seconds: Seconds = 1.0
    """How often state is saved, and at most how much work is repeated after a crash."""
    session_seconds: Seconds = 10.0
    """Kafka's session timeout: after this long without a heartbeat another worker takes over."""
    patience_seconds: Seconds = 60.0
    """The watchdog stops the process when there is work and nothing has been committed for this long."""
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 9464
    """The address of /metrics, /live and /ready; port 0 picks a free one."""
    start: str = "earliest"
    """Where a group that has read nothing yet starts in the access topics: ``earliest``, ``latest``, or a time with
    its zone, such as ``2026-03-01T00:00:00Z``, which selects records that arrived from then on."""
    instance: str | None = None
    """A stable name (Kafka's static membership): with it, a restart moves no partitions."""
    accept_plugins: bool = False
    """Whether to take over state that was written with other detectors or plug-ins, or other versions of these. What
    a missing detector had learned is lost."""
    log_format: LogFormat = LogFormat.AUTO
    """``json``, ``text``, or ``auto``: text to a terminal and JSON to anything else."""


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records come from, and how to read records that no built-in adapter reads."""

    topics: dict[str, str] = {}
    """Access topics to read beside `topics.access`, each with the format of its records or ``auto``."""
    mappings: tuple[SourceMapping, ...] = ()
    """How to read each of them: ``[[sources.mappings]]``, with the fields of `detector.adapters.generic.Mapping`."""
    read_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.98
    """Of how many records a replay must have read at least, in all, of each format and of each day, to say that
    nothing stands out."""


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the web console: where it listens, who may sign in, and how much it keeps."""

    host: str = "127.0.0.1"
    """The address it listens on. Any but this machine's needs `tokens_file` or `proxies`."""
    port: Port = 8321
    """Port 0 picks a free one."""
    names: tuple[str, ...] = ()
    """Host names under which browsers reach it, beside this machine's own; requests for others are refused."""
    tokens_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """Who may sign in: each line has a name, a role and a token."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of the proxies that authenticate users and pass their names on."""
    user_header: str = "X-Forwarded-User"
    role_header: str = "X-Forwarded-Role"
    """The headers with the user's name and role."""
    cert_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    key_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """The console's own certificate and key (PEM)."""
    allow_unencrypted: bool = False
    """Whether other machines may send tokens without TLS and without a TLS proxy."""
    audit_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """The audit log of who did what; without it, standard error."""
    per_person: Annotated[int, msgspec.Meta(ge=1, le=300)] = 20
    """How many sessions, and how many live pages, one person may hold."""
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    """How long incidents and decisions are kept, counted back from the newest event."""
    incidents: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 20_000
    """The most incidents kept; those that ended longest ago are dropped first."""


class DirectorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the directory: who is who."""

    files: tuple[str, ...] = ()
    """CSV or JSON files of people, service accounts and apps; of several entries with one id the last file's holds."""
    most_entries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = MOST_ENTRIES
    """The most entries, of all files and the topic together."""
    reload_seconds: Seconds = 10.0
    """How often workers and the console look whether a file has changed."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings."""

    detection: DetectionSettings = DetectionSettings()
    triage: TriageSettings = TriageSettings()
    worker: WorkerSettings = WorkerSettings()
    kafka: KafkaSettings = KafkaSettings()
    signing: SigningSettings = SigningSettings()
    sources: SourceSettings = SourceSettings()
    topics: TopicNames = TopicNames()
    retention: Retention = Retention()
    console: ConsoleSettings = ConsoleSettings()
    directory: DirectorySettings = DirectorySettings()

    @property
    def access_topics(self) -> dict[str, str]:
        """The access topics in order, each with its format."""
        others = {topic: form for topic, form in self.sources.topics.items() if topic != self.topics.access}
        return {self.topics.access: AUTO} | others

    def adapters(self, form: str = AUTO, plugins: Sequence[Adapter] = ()) -> tuple[Adapter, ...]:
        """The adapters of a format: the operator's mappings, then plug-ins, then the built-in ones.

        Raises `ValueError` for an unknown format.
        """
        return choose(form, [*self.own_adapters, *plugins])

    @property
    def own_adapters(self) -> list[Adapter]:
        """The adapters of the operator's mappings."""
        return [decoder(mapping) for mapping in self.sources.mappings]

    @property
    def detector(self) -> Settings:
        """The settings of the detector, without the directory."""
        return self.detector_with(())

    def detector_with(self, entries: tuple[DirectoryEntry, ...]) -> Settings:
        """The settings of the detector, with the entries of the directory's files."""
        return Settings(detection=self.detection, triage=self.triage, directory=entries)


def load(
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    formats: Collection[str] = (),
) -> Config:
    """Build the settings; `flags` maps ``section.key`` to a value, or ``None`` if not given.

    An environment variable is ``CRMWATCH_SECTION_KEY``. `formats` are the names of those that plug-ins read. Raises
    `ConfigError`.

    >>> load(None, {"CRMWATCH_TRIAGE_ALERT_RISK": "60"}, {"worker.bootstrap": None}).triage.alert_risk
    60
    """
    values: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    if file is not None:
        found = _read(file)
        _check(found, str(file))
        for section, secret in _SECRETS:  # such files are copied, shown and committed
            if secret in found.get(section, {}):
                raise ConfigError(
                    f"{file}: {section}.{secret} is not allowed in this file: set {section}.{secret}_file, "
                    f"or {PREFIX}{section.upper()}_{secret.upper()} in the environment"
                )
        for section, keys in found.items():
            for key, value in keys.items():
                values[section][key] = _of_file(section, key, value, f"{file}: {section}.{key}")
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX):
            section, key = _variable(name)
            values[section][key] = _converted(section, key, text, f"environment: {name}", strict=False)
    for path, value in (flags or {}).items():
        if value is not None:
            section, key = path.split(".")
            values[section][key] = _converted(section, key, value, f"--{key.replace('_', '-')}")
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:  # a conflict between values
        raise ConfigError(f"{file or 'settings'}: {str(error).partition(' - at ')[0]}") from error
    try:
        for form in config.access_topics.values():
            if form not in formats:
                config.adapters(form)
    except ValueError as error:
        raise ConfigError(f"{file or 'settings'}: sources.topics: {error}") from error
    wrong = fault(config.worker.bootstrap, config.kafka)
    if wrong:
        raise ConfigError(f"{file or 'settings'}: {wrong}")
    return config


def _of_file(section: str, key: str, value: Any, where: str) -> Any:
    """A value from the file; errors in a table or a list of tables name the place in it."""
    kind = _SECTIONS[section][key]
    arguments = get_args(kind)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _item(arguments[1], one, f'{where}."{name}"') for name, one in value.items()}
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_item(arguments[0], one, f"{where}[{number}]") for number, one in enumerate(value))
    return _converted(section, key, value, where)


def _item(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        names = [field.name for field in msgspec.structs.fields(kind)]
        for name in value:
            if name not in names:
                raise ConfigError(f"{where}: there is no setting {name}{_closest(name, names)}")
        _check_words(kind, value, where)
        value = {name: _in_ms(one, f"{where}.{name}") for name, one in value.items()}
        converted = _convert(kind, value, where)
        _check_tables(value, msgspec.to_builtins(converted), where)
        return converted
    return _convert(kind, value, where)


def _check_words(kind: Any, value: Mapping[str, Any], where: str) -> None:
    """Raises `ConfigError` for a word in a table of words that is none of its vocabulary's."""
    for field in msgspec.structs.fields(kind):
        table, arguments = value.get(field.name), get_args(field.type)
        if get_origin(field.type) is not dict or not isinstance(table, dict):
            continue
        vocabulary = arguments[1]
        if not (isinstance(vocabulary, type) and issubclass(vocabulary, StrEnum)):
            continue
        for word, ours in table.items():
            if ours not in [*vocabulary]:
                hint = _closest(str(ours), vocabulary) or f"; there are {', '.join(vocabulary)}"
                raise ConfigError(f"{where}.{field.name}.{word}: there is no {ours}{hint}")


def _check_tables(value: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Raises `ConfigError` for a name in a table within a table that nothing was made of."""
    for name, inner in value.items():
        table = known.get(name)
        if isinstance(inner, dict) and isinstance(table, dict):
            for key in inner:
                if key not in table:
                    raise ConfigError(f"{where}.{name}: there is no setting {key}{_closest(key, table)}")


def _in_ms(value: Any, where: str) -> Any:
    """A TOML time, or a TOML date as its start in UTC, in milliseconds since 1970.

    Also within nested tables.
    """
    if isinstance(value, dict):
        return {name: _in_ms(one, f"{where}.{name}") for name, one in value.items()}
    if not where.endswith("_ms") or not isinstance(value, date):
        return value
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.tzinfo is None:
        raise ConfigError(f"{where}: a time needs its zone, as in {value.isoformat()}Z")
    return round(value.timestamp() * 1000)


def _converted(section: str, key: str, value: Any, where: str, *, strict: bool = True) -> Any:
    return _convert(_SECTIONS[section][key], value, where, strict=strict)


def _convert(kind: Any, value: Any, where: str, *, strict: bool = True) -> Any:
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value not in [*kind]:
        raise ConfigError(f"{where}: this is one of {', '.join(kind)}, not {value}")
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise ConfigError(f"{where}{path.rstrip('`')}: {problem[:1].lower()}{problem[1:]}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error


def _check(values: Mapping[str, Any], where: str) -> None:
    for section, keys in values.items():
        if section not in _SECTIONS:
            raise ConfigError(f"{where}: there is no section [{section}]{_closest(section, _SECTIONS)}")
        if not isinstance(keys, dict):
            raise ConfigError(f"{where}: [{section}] must be a section")
        for key in keys:
            if key not in _SECTIONS[section]:
                raise ConfigError(
                    f"{where}: there is no setting {section}.{key}{_closest(key, _SECTIONS[section])}"
                )


def _variable(name: str) -> tuple[str, str]:
    section, _, key = name.removeprefix(PREFIX).lower().partition("_")
    if section in _SECTIONS and key in _SECTIONS[section]:
        return section, key
    every = [f"{PREFIX}{section}_{key}".upper() for section, keys in _SECTIONS.items() for key in keys]
    raise ConfigError(f"environment: there is no setting {name}{_closest(name, every)}")


def _closest(word: str, words: Any) -> str:
    found = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {found[0]}?" if found else ""


_SECTIONS = {
    section.name: {field.name: field.type for field in msgspec.structs.fields(section.type)}
    for section in msgspec.structs.fields(Config)
}
"""Section → key → type."""
_SECRETS = (("kafka", "password"), ("signing", "key"), ("signing", "previous_key"))
"""Section and key of what only the environment or a file of its own may hold."""
