"""Signs what operators send, and checks it: decisions, indicators and the directory's entries.

A message's header `SIGNATURE_HEADER` holds the HMAC-SHA256, in hexadecimal, of these bytes::

    crmwatch-signature-1 LF topic LF netstring(key) netstring(value)

Key and value are the message's own bytes, exactly as Kafka holds them. A netstring is a length in decimal, a colon, the
bytes and a comma; what the message lacks (the value of one that withdraws) is ``-,``. So no two messages have the same
bytes, and a signature holds for one topic only. Whatever the value states is signed with it: who decided, in which
role, when.
"""

from __future__ import annotations

import hmac
import stat
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from detector.errors import CrmwatchError, Rejection

__all__ = [
    "SIGNATURE_HEADER",
    "UNSIGNED",
    "SignatureError",
    "Signatures",
    "SigningError",
    "SigningSettings",
    "Unsigned",
    "signatures",
]

SIGNATURE_HEADER = "crmwatch-signature"
LEAST_KEY = 32
"""Shorter keys can be guessed, in bytes."""
MOST_KEY = 4_096
HIDDEN = "(hidden)"

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Unsigned(StrEnum):
    """What happens to messages without a signature."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class SigningSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the signatures: the keys, and what happens to what is not signed."""

    key_file: Text | None = None
    """A file that holds only the key; it signs, and what it signed is believed."""
    previous_key_file: Text | None = None
    """A file that holds only another key; what it signed is believed, too, while keys are being changed."""
    key: Text | None = None
    previous_key: Text | None = None
    """The same keys; never shown; from the environment only."""
    unsigned: Unsigned | None = None
    """Whether messages without a signature are taken in. Without this setting: as long as there is no key."""

    def __repr__(self) -> str:
        return f"SigningSettings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            (name, HIDDEN if name in ("key", "previous_key") and value is not None else value)
            for name, value in msgspec.structs.asdict(self).items()
        ]


class SigningError(CrmwatchError, ValueError):
    """Why there are no keys as they are set; one sentence for a person."""


class SignatureError(CrmwatchError, ValueError):
    """A message that is not believed; `reason` is a code for counters."""

    def __init__(self, reason: Rejection, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Signatures:
    """Signs with the first key; believes what any of the keys signed.

    >>> from types import SimpleNamespace
    >>> ours = Signatures([b"k" * 32], Unsigned.REFUSE)
    >>> headers = ours.headers("crmwatch.feedback", b"crmwatch-1", b"{}")
    >>> message = SimpleNamespace(topic="crmwatch.feedback", key=b"crmwatch-1", value=b"{}", headers=headers)
    >>> ours.check(message)
    0
    """

    def __init__(self, keys: Sequence[bytes] = (), unsigned: Unsigned = Unsigned.ACCEPT) -> None:
        self._keys = tuple(hmac.new(key, digestmod="sha256") for key in keys)
        self._unsigned = unsigned

    @property
    def signs(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    @property
    def policy(self) -> str:
        """Names what is believed, without a key in it: another name means that other messages may be."""
        marks = (_digest(key, b"crmwatch-key-mark").decode()[:12] for key in self._keys)
        return " ".join((self._unsigned, *marks))

    def headers(self, topic: str, key: bytes | None, value: bytes | None) -> list[tuple[str, bytes]]:
        """The headers to send a message with: its signature, or none without a key."""
        if not self._keys:
            return []
        return [(SIGNATURE_HEADER, _signature(self._keys[0], topic, key, value))]

    def is_signed(self, record: Any) -> bool:
        """Whether a message bears a signature, whoever made it."""
        return any(name == SIGNATURE_HEADER for name, _ in record.headers or ())

    def check(self, record: Any) -> int | None:
        """Which key signed a message, from 0; ``None`` if it is believed without one. Raises `SignatureError`."""
        if not self._keys:
            return None
        given = [value for name, value in record.headers or () if name == SIGNATURE_HEADER]
        if not given:
            if self._unsigned is Unsigned.ACCEPT:
                return None
            raise SignatureError(Rejection.UNSIGNED, "it is not signed")
        if len(given) == 1:
            for number, key in enumerate(self._keys):
                expected = _signature(key, record.topic, record.key, record.value)
                if hmac.compare_digest(expected, given[0] or b""):
                    return number
        raise SignatureError(Rejection.BAD_SIGNATURE, "its signature is none of our keys'")


UNSIGNED = Signatures()
"""Without keys: nothing is signed, and everything is believed."""


def signatures(settings: SigningSettings) -> Signatures:
    """The signatures as they are set. Raises `SigningError`."""
    key = _key("key", settings.key, settings.key_file)
    previous = _key("previous_key", settings.previous_key, settings.previous_key_file)
    if key is None:
        if previous is not None:
            raise SigningError("signing.previous_key_file is set, but not signing.key_file, which signs")
        if settings.unsigned is Unsigned.REFUSE:
            raise SigningError(
                "signing.unsigned is refuse, but without signing.key_file nothing can be signed"
            )
        return UNSIGNED
    return Signatures([key] if previous is None else [key, previous], settings.unsigned or Unsigned.REFUSE)


def _signature(secret: hmac.HMAC, topic: str, key: bytes | None, value: bytes | None) -> bytes:
    signed = b"crmwatch-signature-1\n%b\n%b%b" % (topic.encode(), _netstring(key), _netstring(value))
    return _digest(secret, signed)


def _digest(secret: hmac.HMAC, data: bytes) -> bytes:
    mac = secret.copy()
    mac.update(data)
    return mac.hexdigest().encode()


def _netstring(data: bytes | None) -> bytes:
    return b"-," if data is None else b"%d:%b," % (len(data), data)


def _key(name: str, text: str | None, file: str | None) -> bytes | None:
    where = f"CRMWATCH_SIGNING_{name.upper()}"
    if file is None:
        key = None if text is None else text.strip().encode("utf-8", "surrogateescape")
    elif text is not None:
        raise SigningError(f"signing.{name}_file and {where} are both set: which of them holds?")
    else:
        where = f"signing.{name}_file: {file}"
        try:
            with Path(file).open("rb") as opened:
                key = opened.read(MOST_KEY + 1).strip()
            mode = Path(file).stat().st_mode
        except OSError as error:
            raise SigningError(f"{where} cannot be read: {error.strerror}") from error
        if mode & stat.S_IWOTH:
            raise SigningError(f"{where}: everybody may write to it")
    if key is not None and not LEAST_KEY <= len(key) <= MOST_KEY:
        raise SigningError(f"{where}: a key has {LEAST_KEY} to {MOST_KEY:,} bytes")
    return key
