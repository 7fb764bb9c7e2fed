"""One entry of the directory: a person, a service account or an app, and what is said of it.

An entry comes from the operator's own files or topic, not from a log. It is bounded all the same: a file of somebody
else's making must not fill a worker's memory, or write on a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import ip_network

import msgspec

from detector.event import ActorKind

__all__ = [
    "MAX_ALIASES",
    "MAX_ENTRY_BYTES",
    "MAX_FIELD_BYTES",
    "MAX_NETWORKS",
    "DirectoryEntry",
    "DirectoryKind",
    "account_key",
    "folded",
    "short_id",
    "tidy",
]

MAX_FIELD_BYTES = 256
"""The most bytes of one field, in UTF-8."""
MAX_ALIASES = 16
MAX_NETWORKS = 64
MAX_ENTRY_BYTES = 16 * 1024
"""The most bytes of an entry's record in the topic."""
SHORT_ID, LONG_ID = 15, 18
"""The characters of a Salesforce id, without and with the suffix that survives systems which ignore case."""


class DirectoryKind(StrEnum):
    """What an entry is: the kinds of actor, and an app, which acts through accounts."""

    HUMAN = "human"
    INTEGRATION = "integration"
    GUEST = "guest"
    APP = "app"


class DirectoryEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person, a service account or an app.

    >>> DirectoryEntry(id="0055g00000AnnaB", name="Anna Berg", mail="anna@example.com").terms
    ('0055g00000AnnaB', 'anna@example.com', 'Anna Berg')
    """

    id: str
    """The account as the logs name it, alone or as ``tenant/account``; of an app, the app as the logs name it."""
    name: str = ""
    mail: str = ""
    aliases: tuple[str, ...] = ()
    """Other ids of the same account: a login name, an id in another system."""
    owner: str = ""
    """Who answers for it: a person's manager, an integration's owner."""
    department: str = ""
    kind: DirectoryKind | None = None
    site: str = ""
    peer_group: str = ""
    """Who it is compared with; without one, its department."""
    supplier: str = ""
    networks: tuple[str, ...] = ()
    """The networks that are said to be its own."""
    absent_from_ms: int | None = None
    absent_until_ms: int | None = None
    """When it is said to be away, in milliseconds since 1970 UTC."""

    def __post_init__(self) -> None:
        """Raises ValueError for an entry that is too large, names nobody or contradicts itself."""
        if not self.id:
            raise ValueError("an entry needs an id, a mail address or a name")
        if len(self.aliases) > MAX_ALIASES:
            raise ValueError(f"more than {MAX_ALIASES} aliases")
        if len(self.networks) > MAX_NETWORKS:
            raise ValueError(f"more than {MAX_NETWORKS} networks")
        for field, text in self._texts():
            if len(text.encode("utf-8", "replace")) > MAX_FIELD_BYTES:
                raise ValueError(f"{field} has more than {MAX_FIELD_BYTES} bytes")
            if tidy(text) != text:
                raise ValueError(f"{field} holds control characters or stray blanks")
        for network in self.networks:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError("networks: not an address or a network") from None
        since_ms, until_ms = self.absent_from_ms, self.absent_until_ms
        if since_ms is not None and until_ms is not None and since_ms >= until_ms:
            raise ValueError("absent_from must be before absent_until")

    @property
    def key(self) -> str:
        """What tells it from others: two entries with one key are the same."""
        return short_id(self.id) or account_key(self.id)

    @property
    def actor_kind(self) -> ActorKind | None:
        """The kind of actor that it says the account is; ``None`` if it does not say."""
        if self.kind is None:
            return None
        return ActorKind.INTEGRATION if self.kind is DirectoryKind.APP else ActorKind(self.kind.value)

    @property
    def terms(self) -> tuple[str, ...]:
        """All that it can be named by."""
        return tuple(dict.fromkeys(term for term in (self.id, *self.aliases, self.mail, self.name) if term))

    def absent(self, first_ms: int, last_ms: int) -> bool:
        """Whether it is said to be away during all of a time.

        >>> DirectoryEntry(id="a", absent_from_ms=10, absent_until_ms=20).absent(12, 15)
        True
        """
        since_ms, until_ms = self.absent_from_ms, self.absent_until_ms
        if since_ms is None and until_ms is None:
            return False
        return (since_ms is None or since_ms <= first_ms) and (until_ms is None or last_ms < until_ms)

    def _texts(self) -> Iterator[tuple[str, str]]:
        for field in ("id", "name", "mail", "owner", "department", "site", "peer_group", "supplier"):
            yield field, getattr(self, field)
        yield from (("aliases", alias) for alias in self.aliases)
        yield from (("networks", network) for network in self.networks)


def tidy(text: str) -> str:
    """Text on one line, blanks folded, without what a terminal or a page would obey.

    >>> tidy(" Anna\\tBerg\\u202e ")
    'Anna Berg�'
    """
    if text.isprintable():  # nearly always
        return " ".join(text.split())
    return " ".join(
        "".join(
            "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter
            for letter in " ".join(text.split())
        ).split()
    )


def folded(text: str) -> str:
    """Text to compare: in lower case, blanks folded."""
    return " ".join(text.split()).lower()


def account_key(text: str) -> str:
    """A term as identities spell accounts (`detector.adapters.values.normalise_actor`)."""
    return folded(text)[:256].replace("/", "%2f")


def short_id(text: str) -> str:
    """What a Salesforce id has in both of its lengths, marked as such; empty for anything else.

    >>> short_id("0055g00000AnnaBAAZ") == short_id("0055g00000AnnaB") != short_id("0055g00000AnnaC")
    True
    """
    if len(text) not in (SHORT_ID, LONG_ID) or not (
        text.isascii() and text.isalnum() and text[0].isdecimal()
    ):
        return ""
    return f"\x00{text[:SHORT_ID]}"
