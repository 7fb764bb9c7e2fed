"""Reads STIX patterns: which values can be looked up so that finding one of them is finding the pattern.

OR and IN give several values. In an AND, conditions that only describe the connection (its port, protocol, the kind of
address) are left out; every other condition that events cannot be asked for makes the AND unusable.

Source: https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html (section 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from detector.errors import CrmwatchError

__all__ = ["PatternError", "PatternValues", "read_pattern"]

MAX_CHARACTERS = 65_536
MAX_DEPTH = 32

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>[tbhTBH]?'(?:[^'\\]|\\.)*')
    |(?P<path>[A-Za-z][\w-]{0,250}+:(?:[\w-]+|'(?:[^'\\]|\\.)*'|\.|\[(?:\d+|\*)\])+)
    |(?P<mark>!=|<>|<=|>=|==|[=<>()\[\],])
    |(?P<word>[A-Za-z]+|-?\d+(?:\.\d+)?))""",
    re.VERBOSE,
)
_COMPARISONS = {
    "=",
    "==",
    "!=",
    "<>",
    "<",
    ">",
    "<=",
    ">=",
    "IN",
    "LIKE",
    "MATCHES",
    "ISSUBSET",
    "ISSUPERSET",
}
_ADDRESS = re.compile(
    r"(?:ipv[46]-addr:value|network-traffic:(?:src|dst)_ref\.value|domain-name:resolves_to_refs\[[\d*]+\]\.value)"
)
_APP = re.compile(r"software:name")
_AGENT = re.compile(r".*\.'user-agent'(?:\[[\d*]+\])?|.*[:.]user_agent", re.IGNORECASE)
_CONNECTION = re.compile(
    r"network-traffic:(?:(?:src|dst)_ref\.type|(?:src|dst)_port|protocols\[[\d*]+\]|is_active|start|end)"
)
_NAME = re.compile(r"domain-name:value")

_Kind = Literal["address", "app", "agent"]


class PatternError(CrmwatchError, ValueError):
    """A pattern that cannot be looked up; the message says why of "it"."""

    def __init__(self, reason: str, what: str = "STIX pattern that is not valid") -> None:
        """`what` names the kind of pattern in few words."""
        super().__init__(reason)
        self.what = what


class PatternValues(msgspec.Struct, frozen=True):
    """What finding a pattern comes down to."""

    values: tuple[tuple[str, _Kind], ...]
    """Any one of these is a match."""
    left_out: tuple[str, ...] = ()
    """Alternatives that cannot be looked up, each named in few words."""


class _Part(msgspec.Struct, frozen=True):
    """A part of a pattern: what it can be looked up by, or what is in the way."""

    values: tuple[tuple[str, _Kind], ...] = ()
    left_out: tuple[str, ...] = ()
    connection: bool = False
    """It only describes a connection."""
    named: bool = False
    """It is a name, or an address that a name resolves to."""


def read_pattern(pattern: str) -> PatternValues:
    """The values of a pattern. Raises `PatternError` if there is none to look up.

    >>> read_pattern("[ipv4-addr:value IN ('192.0.2.7', '192.0.2.8') OR domain-name:value = 'x.example']")
    PatternValues(values=(('192.0.2.7', 'address'), ('192.0.2.8', 'address')), left_out=('domain-name:value',))
    """
    if len(pattern) > MAX_CHARACTERS:
        raise PatternError(f"it has {len(pattern):,} characters; {MAX_CHARACTERS:,} is the most")
    reader = _Reader(pattern)
    part = reader.observations(0)
    reader.expect("")
    if not part.values:
        raise _unusable(part)
    return PatternValues(tuple(dict.fromkeys(part.values)), tuple(dict.fromkeys(part.left_out)))


def _unusable(part: _Part) -> PatternError:
    named = [name[:60] for name in dict.fromkeys(part.left_out)]
    if not named:
        return PatternError("it only describes a connection", "STIX pattern without an address")
    asked = ", ".join(named[:4]) + (" and more" if len(named) > 4 else "")
    return PatternError(f"it asks for {asked}", f"STIX pattern by {named[0]}")


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._tokens = list(_tokens(pattern))
        self._next = 0

    def observations(self, depth: int, *, inside: bool = False) -> _Part:
        """Terms joined by AND and OR, and by FOLLOWEDBY outside of brackets; AND binds more closely than OR."""
        if depth > MAX_DEPTH:
            raise PatternError(f"it is nested deeper than {MAX_DEPTH}")
        alternatives = [self._sequence(depth, inside=inside)]
        while self._take("OR"):
            alternatives.append(self._sequence(depth, inside=inside))
        return _either(alternatives)

    def expect(self, mark: str) -> None:
        """Take this token. Raises `PatternError` if it is another; an empty one is the pattern's end."""
        if not self._take(mark):
            found = self._peek()
            raise PatternError(f"it is not valid at {found[:40]!r}" if found else "it ends too early")

    def _sequence(self, depth: int, *, inside: bool) -> _Part:
        parts = [self._term(depth, inside=inside)]
        ordered = False
        while (both := self._take("AND")) or (not inside and self._take("FOLLOWEDBY")):
            ordered |= not both
            parts.append(self._term(depth, inside=inside))
        if ordered:
            return _Part(left_out=("a sequence (FOLLOWEDBY)",))
        return _both(parts) if len(parts) > 1 else parts[0]

    def _term(self, depth: int, *, inside: bool) -> _Part:
        if self._take("("):
            part = self.observations(depth + 1, inside=inside)
            self.expect(")")
        elif inside:
            return self._comparison()
        else:
            self.expect("[")
            part = self.observations(depth + 1, inside=True)
            self.expect("]")
        return part if inside else self._qualified(part)

    def _qualified(self, part: _Part) -> _Part:
        while (word := self._peek().upper()) in ("WITHIN", "REPEATS", "START"):
            self._next += 4 if word == "START" else 3
            if word != "WITHIN":
                part = _Part(left_out=(f"a pattern with {word}",))
        return part

    def _comparison(self) -> _Part:
        path = self._advance()
        if path.upper() in ("NOT", "EXISTS"):
            self._advance()
            return self._negated(path)
        if ":" not in path or path.startswith("'"):
            raise PatternError(f"it is not valid at {path[:40]!r}")
        negated = self._take("NOT")
        operator = self._advance().upper()
        if operator not in _COMPARISONS:
            raise PatternError(f"it is not valid at {operator[:40]!r}")
        values = self._set() if operator == "IN" else [_text(self._advance())]
        if _CONNECTION.fullmatch(path):
            return _Part(connection=True)
        equal = operator in ("=", "==", "IN")
        if _ADDRESS.fullmatch(path) and (equal or operator == "ISSUBSET") and not negated:
            return _Part(tuple((value, "address") for value in values), named=path.startswith("domain-name"))
        if equal and not negated and (_APP.fullmatch(path) or _AGENT.fullmatch(path)):
            kind: _Kind = "app" if _APP.fullmatch(path) else "agent"
            return _Part(tuple((value, kind) for value in values))
        usual = equal and not negated
        name = path if usual else f"{path} {'NOT ' if negated else ''}{operator}"
        return _Part(left_out=(name,), named=usual and _NAME.fullmatch(path) is not None)

    def _negated(self, word: str) -> _Part:
        while self._peek() not in ("", "AND", "OR", ")", "]"):
            self._next += 1
        return _Part(left_out=(f"a pattern with {word.upper()}",))

    def _set(self) -> list[str]:
        self.expect("(")
        values = [_text(self._advance())]
        while self._take(","):
            values.append(_text(self._advance()))
        self.expect(")")
        return values

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, mark: str) -> bool:
        found = self._peek()
        if (found.upper() if found.isalpha() else found) != mark:
            return False
        self._next += 1
        return True

    def _advance(self) -> str:
        found = self._peek()
        if not found:
            raise PatternError("it ends too early")
        self._next += 1
        return found


def _either(parts: list[_Part]) -> _Part:
    """What is left out of an alternative does not hinder the others."""
    if len(parts) == 1:
        return parts[0]
    loose = [part for part in parts if part.connection]
    return _Part(
        tuple(value for part in parts for value in part.values),
        tuple(name for part in parts for name in part.left_out)
        + (("a connection without an address",) if loose and len(loose) < len(parts) else ()),
        connection=len(loose) == len(parts),
        named=all(part.named for part in parts),
    )


def _both(parts: list[_Part]) -> _Part:
    """An AND is looked up by its addresses, if all else in it only describes the connection."""
    telling = [part for part in parts if not part.connection]
    if not telling:
        return _Part(connection=True)
    if all(part.named for part in telling):  # a name beside the address that it resolves to
        telling = [part for part in telling if part.values] or telling
    if len(telling) == 1:
        return telling[0]
    left_out = tuple(name for part in telling for name in part.left_out)
    kinds = {kind for part in telling for _, kind in part.values}
    if left_out or kinds != {"address"}:
        return _Part(
            left_out=("several conditions at once" + (f" ({', '.join(left_out)})" if left_out else ""),)
        )
    return _Part(tuple(value for part in telling for value in part.values))


def _tokens(pattern: str) -> Iterator[str]:
    end = 0
    pattern = pattern.strip()
    while end < len(pattern):
        found = _TOKEN.match(pattern, end)
        if found is None or found.end() == end:
            raise PatternError(f"it is not valid at {pattern[end : end + 40]!r}")
        end = found.end()
        yield found[found.lastgroup or 0].strip()


def _text(token: str) -> str:
    """What a constant stands for."""
    if not token.endswith("'"):
        return token
    return re.sub(r"\\(.)", r"\1", token[token.index("'") + 1 : -1])
