"""Looks up which indicator an event matches: by its address in networks of any size, by its program, by its app.

A table for each prefix length in use holds the networks of that length, by their bits. A look-up asks the tables from
the longest to the shortest: at most 25 for an IPv4 address and 113 for an IPv6 one, however many networks there are.
One more indicator, or one fewer, changes one table, and no table is ever built anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.event import AccessEvent
from detector.prefix import ADDRESS_BITS, Prefix, address_of, prefix_of
from detector.settings import Indicator
from detector.trait import agent_family

__all__ = ["MAX_INDICATORS", "IndicatorIndex"]

MAX_INDICATORS = 1_000_000
"""How many are kept."""
MAX_TEXT = 256 * 1024 * 1024
"""How many characters their values and names have together."""


class IndicatorIndex:
    """Indicators by what they name.

    >>> index = IndicatorIndex({"192.0.2.0/24": Indicator(name="a hosting company")})
    >>> len(index), index.known("192.0.2.0/24").name
    (1, 'a hosting company')
    """

    def __init__(self, indicators: Mapping[str, Indicator] | None = None) -> None:
        """Raises `ValueError` for a value that no event can match."""
        self._texts: dict[str, Indicator] = {}
        self._networks: dict[int, dict[int, dict[int, Indicator]]] = {4: {}, 6: {}}
        self._lengths: dict[int, list[tuple[int, dict[int, Indicator]]]] = {4: [], 6: []}
        self._count = 0
        self._characters = 0
        for value, indicator in (indicators or {}).items():
            self.put(value, indicator)

    def __len__(self) -> int:
        return self._count

    def put(self, value: str, indicator: Indicator) -> bool:
        """Take an indicator in, in place of another with its value; False if there is no room for one more.

        Raises `ValueError` for a value that no event can match.
        """
        if not value:
            raise ValueError("an indicator without a value")
        prefix = prefix_of(value)
        before = self._at(value, prefix)
        grown = len(indicator.name) - (-len(value) if before is None else len(before.name))
        if (before is None and self._count >= MAX_INDICATORS) or self._characters + grown > MAX_TEXT:
            return False
        if prefix is None:
            self._texts[value] = indicator
        else:
            version, bits, number = prefix
            tables = self._networks[version]
            if bits not in tables:
                tables[bits] = {}
                self._sort(version)
            tables[bits][number] = indicator
        self._count += before is None
        self._characters += grown
        return True

    def withdraw(self, value: str) -> None:
        """Forget an indicator, if it is known. Raises `ValueError` for a value that no event can match."""
        prefix = prefix_of(value)
        known = self._at(value, prefix)
        if known is None:
            return
        self._count -= 1
        self._characters -= len(known.name) + len(value)
        if prefix is None:
            del self._texts[value]
            return
        version, bits, number = prefix
        tables = self._networks[version]
        del tables[bits][number]
        if not tables[bits]:
            del tables[bits]
            self._sort(version)

    def known(self, value: str) -> Indicator | None:
        """The indicator with just this value. Raises `ValueError` for a value that no event can match."""
        return self._at(value, prefix_of(value))

    def find(self, event: AccessEvent) -> Indicator | None:
        """What an event matches at its time: of its address the smallest network, else its program or app."""
        if not self._count:
            return None
        time_ms = event.time_ms
        if event.ip is not None and (address := address_of(event.ip)) is not None:
            version, number = address
            for bits, table in self._lengths[version]:
                found = table.get(number >> (ADDRESS_BITS[version] - bits))
                if found is not None and found.valid_at(time_ms):
                    return found
        texts = self._texts
        if texts:
            agent = event.user_agent
            for value in (event.ip, agent, event.app, None if agent is None else agent_family(agent)):
                found = None if value is None else texts.get(value)
                if found is not None and found.valid_at(time_ms):
                    return found
        return None

    def _at(self, value: str, prefix: Prefix | None) -> Indicator | None:
        if prefix is None:
            return self._texts.get(value)
        version, bits, number = prefix
        table = self._networks[version].get(bits)
        return None if table is None else table.get(number)

    def _sort(self, version: int) -> None:
        self._lengths[version] = sorted(self._networks[version].items(), reverse=True)
