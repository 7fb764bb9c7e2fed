"""Who is who: looks entries up by id, by mail address or by name, and says which settings mean whom.

A lookup ignores case and blanks, as `detector.adapters.values.normalise_actor` does; a Salesforce id is the same in 15
and in 18 characters. A mail address or a name that two entries share is nobody's: showing the wrong owner is worse than
showing none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from detector.actor_pattern import matches
from detector.directory_entry import SHORT_ID, DirectoryEntry, account_key, folded, short_id
from detector.event import ActorKind
from detector.settings import DetectionSettings

__all__ = ["LEAST_PEERS", "NOBODY", "Directory", "directory_of", "peers_of"]

LEAST_PEERS = 10
"""A department of fewer people is no group of peers; a peer group that is named as one always is."""


class Directory:
    """Entries by what they can be named by; of several with one id the last counts.

    >>> anna = DirectoryEntry(id="0055g00000AnnaB", name="Anna Berg", mail="anna@example.com")
    >>> directory = Directory([anna])
    >>> [directory.find(text) is anna for text in ("0055g00000AnnaBAAZ", "ANNA@example.com", "anna  berg", "anna")]
    [True, True, True, False]
    """

    def __init__(self, entries: Iterable[DirectoryEntry] = ()) -> None:
        self._entries = {entry.key: entry for entry in entries}
        self._index: dict[str, DirectoryEntry | None] | None = None
        self._departments: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[DirectoryEntry]:
        return iter(self._entries.values())

    def find(self, account: str, tenant: str = "") -> DirectoryEntry | None:
        """The entry of an account or an app; `tenant` tells accounts of one name apart."""
        if not self._entries or not account:
            return None
        index = self._index if self._index is not None else self._build()
        keys = [account_key(account), short_id(account)]
        if tenant:
            keys.insert(0, f"{account_key(tenant)}/{account_key(account)}")
        return next((entry for key in keys if (entry := index.get(key)) is not None), None)

    def name(self, account: str, tenant: str = "") -> str:
        """The name of an account or an app; empty if none is known."""
        entry = self.find(account, tenant)
        return "" if entry is None else entry.name

    def known_as(self, account: str, tenant: str = "", recorded: str | None = None) -> tuple[str, ...]:
        """All that a setting may call an account: its id, its entry's terms, and the name that its records carry.

        A recorded name that the directory gives to somebody else is left out: it is the log's word, and a user who
        can rename himself must not get another's exceptions by it.
        """
        entry = self.find(account, tenant)
        terms = [account]
        if entry is not None:  # a Salesforce id differs from another by the case of a letter
            terms += [term for term in entry.terms if not short_id(term)]
        if recorded and self.find(recorded) in (None, entry):
            terms.append(recorded)
        return tuple(terms)

    def networks(self, account: str, app: str | None, tenant: str = "") -> tuple[str, ...]:
        """The networks that are said to be an account's, or those of the app that it acts through."""
        entries = (self.find(account, tenant), self.find(app or "", tenant))
        return tuple(network for entry in entries if entry is not None for network in entry.networks)

    def peers(self, entry: DirectoryEntry) -> str:
        """The group that an entry is compared with; empty if it names none that is large enough."""
        if entry.peer_group:
            return entry.peer_group
        if self._index is None:
            self._build()
        return entry.department if self._departments[entry.department] >= LEAST_PEERS else ""

    def _build(self) -> dict[str, DirectoryEntry | None]:
        """Build the index when it is first asked for; ids come before mail addresses, and these before names."""
        index: dict[str, DirectoryEntry | None] = {}
        entries = list(self._entries.values())
        for entry in entries:
            index.update(dict.fromkeys(_certain(entry), entry))
        for attribute in ("aliases", "mail", "name"):
            own: dict[str, DirectoryEntry | None] = {}
            for entry in entries:
                found = getattr(entry, attribute)
                for term in (found,) if isinstance(found, str) else found:
                    key = account_key(term)
                    own[key] = entry if own.get(key, entry) is entry else None
            for key, named in own.items():
                if key:
                    index.setdefault(key, named)
        self._departments = Counter(entry.department for entry in entries if entry.department)
        self._index = index
        return index


NOBODY = Directory()
"""The directory of those who have none."""


_recent: list[tuple[tuple[DirectoryEntry, ...], Directory]] = []


def directory_of(entries: tuple[DirectoryEntry, ...]) -> Directory:
    """The directory of these entries, built once for all partitions of a process: the last two are remembered."""
    if not entries:
        return NOBODY
    found = next((directory for known, directory in _recent if known is entries), None)
    if found is None:
        found = Directory(entries)
        _recent[:] = [*_recent[-1:], (entries, found)]
    return found


def peers_of(
    settings: DetectionSettings,
    actor: str,
    actor_kind: ActorKind,
    *,
    tenant: str = "",
    recorded: str | None = None,
    directory: Directory = NOBODY,
) -> str:
    """The group that an actor is compared with: the first of the settings that matches, its entry's, or its kind.

    >>> peers_of(DetectionSettings(peers={"analysts": ("0057*",)}), "00571", ActorKind.HUMAN)
    'analysts'
    """
    if settings.peers:
        terms = directory.known_as(actor, tenant, recorded)
        for group, patterns in settings.peers.items():
            if any(matches(pattern, terms) for pattern in patterns):
                return group
    entry = directory.find(actor, tenant)
    return (directory.peers(entry) if entry is not None else "") or actor_kind.value


def _certain(entry: DirectoryEntry) -> Iterator[str]:
    """The keys that are an entry's alone; an id of 15 characters is one only in its own case."""
    for term in (entry.id, *entry.aliases):
        short = short_id(term)
        if short:
            yield short
    if len(entry.id) != SHORT_ID or not short_id(entry.id):
        yield account_key(entry.id)
        yield folded(entry.id)  # as tenant/account
