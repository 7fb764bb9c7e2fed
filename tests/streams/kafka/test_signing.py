from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detector.errors import Rejection
from streams.config import ConfigError, load
from streams.kafka.signing import (
    SIGNATURE_HEADER,
    UNSIGNED,
    SignatureError,
    Signatures,
    SigningError,
    SigningSettings,
    Unsigned,
    signatures,
)

OURS = b"0123456789abcdef0123456789abcdef"
NEXT = b"fedcba9876543210fedcba9876543210"


def message(
    headers: list[tuple[str, bytes]], topic: str = "t", key: bytes | None = b"k", value: bytes | None = b"v"
) -> Any:
    """A message as a client gives it."""
    return SimpleNamespace(topic=topic, key=key, value=value, headers=headers)


def reason(signer: Signatures, record: Any) -> Rejection:
    """Why a message is not believed."""
    with pytest.raises(SignatureError) as caught:
        signer.check(record)
    return caught.value.reason


def test_the_signed_bytes_are_those_of_the_documentation() -> None:
    """The header is the HMAC-SHA256 of version, topic, and the netstrings of key and value, ``-,`` for what lacks."""
    ours = Signatures([OURS])
    for value, text in ((b"v", b"1:v,"), (b"", b"0:,"), (None, b"-,")):
        signed = b"crmwatch-signature-1\nt\n1:k," + text
        expected = hmac.new(OURS, signed, hashlib.sha256).hexdigest().encode()
        assert ours.headers("t", b"k", value) == [(SIGNATURE_HEADER, expected)]
    assert UNSIGNED.headers("t", b"k", b"v") == []


def test_a_signature_holds_for_nothing_else() -> None:
    """Another topic, key or value, a missing value, another key of ours or two signatures are not believed."""
    ours = Signatures([OURS], Unsigned.REFUSE)
    [header] = ours.headers("t", b"k", b"v")
    assert ours.check(message([header])) == 0
    others = (
        message([header], topic="u"),
        message([header], key=b"kk"),
        message([header], key=None),
        message([header], value=b"w"),
        message([header], value=None),
        message([header, header]),
        message([(SIGNATURE_HEADER, b"")]),
        message(Signatures([NEXT]).headers("t", b"k", b"v")),
    )
    assert {reason(ours, other) for other in others} == {Rejection.BAD_SIGNATURE}


def test_what_is_not_signed_is_refused_or_accepted_as_set() -> None:
    """Unsigned messages are refused by name or believed, a wrong signature is refused either way; without a key all are
    believed."""
    refusing, accepting = Signatures([OURS], Unsigned.REFUSE), Signatures([OURS], Unsigned.ACCEPT)
    wrong = message([(SIGNATURE_HEADER, b"00")])
    assert reason(refusing, message([])) is Rejection.UNSIGNED
    assert accepting.check(message([])) is None
    assert reason(accepting, wrong) is Rejection.BAD_SIGNATURE
    assert UNSIGNED.check(message([])) is UNSIGNED.check(wrong) is None


def test_two_keys_are_believed_and_the_first_signs() -> None:
    """While keys are changed, messages of both are believed, and tell which one signed."""
    both = Signatures([NEXT, OURS], Unsigned.REFUSE)
    assert both.check(message(Signatures([OURS]).headers("t", b"k", b"v"))) == 1
    assert both.check(message(both.headers("t", b"k", b"v"))) == 0
    assert both.headers("t", b"k", b"v") == Signatures([NEXT]).headers("t", b"k", b"v")


def test_a_key_alone_makes_unsigned_messages_refused(tmp_path: Path) -> None:
    """With a key in a file or in the environment the default is to refuse; without one it is to accept."""
    file = tmp_path / "key"
    file.write_bytes(OURS + b"\n")
    for settings in (SigningSettings(key_file=str(file)), SigningSettings(key=OURS.decode())):
        ours = signatures(settings)
        assert reason(ours, message([])) is Rejection.UNSIGNED
        assert ours.headers("t", b"k", b"v") == Signatures([OURS]).headers("t", b"k", b"v")
    lenient = signatures(SigningSettings(key_file=str(file), unsigned=Unsigned.ACCEPT))
    assert lenient.check(message([])) is None
    assert signatures(SigningSettings()).check(message([])) is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"key": "short"}, "CRMWATCH_SIGNING_KEY: a key has 32 to 4,096 bytes"),
        ({"key_file": "/nowhere/key"}, "signing.key_file: /nowhere/key cannot be read"),
        ({"key_file": "/nowhere/key", "key": OURS.decode()}, "are both set: which of them holds?"),
        ({"previous_key": OURS.decode()}, "but not signing.key_file, which signs"),
        ({"unsigned": Unsigned.REFUSE}, "without signing.key_file nothing can be signed"),
    ],
)
def test_keys_that_cannot_be_used_are_named(settings: Any, told: str) -> None:
    """A key that is too short, missing, doubled or without the one it stands beside is told of by its setting, and no
    message holds a key."""
    with pytest.raises(SigningError) as caught:
        signatures(SigningSettings(**settings))
    assert told in str(caught.value)
    assert OURS.decode() not in str(caught.value)


def test_a_key_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """Whoever may write the file decides who signs."""
    file = tmp_path / "key"
    file.write_bytes(OURS)
    file.chmod(0o666)
    with pytest.raises(SigningError, match="everybody may write to it"):
        signatures(SigningSettings(key_file=str(file)))


def test_keys_are_never_shown(tmp_path: Path) -> None:
    """A settings file that holds a key is refused without it, and neither the settings nor the policy that an index
    keeps shows one."""
    file = tmp_path / "crmwatch.toml"
    file.write_text(f'[signing]\nkey = "{OURS.decode()}"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert "signing.key is not allowed in this file: set signing.key_file" in str(caught.value)
    config = load(
        None, {"CRMWATCH_SIGNING_KEY": OURS.decode(), "CRMWATCH_SIGNING_PREVIOUS_KEY": NEXT.decode()}
    )
    shown = repr(config) + str(caught.value) + signatures(config.signing).policy
    assert OURS.decode() not in shown
    assert NEXT.decode() not in shown
    assert "key='(hidden)'" in repr(config.signing)
    assert signatures(config.signing).policy != Signatures([NEXT, OURS], Unsigned.REFUSE).policy
