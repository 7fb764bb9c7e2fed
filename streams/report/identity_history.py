"""An identity's past up to an event, to tell what was new about it."""

from __future__ import annotations

from detector.event import AccessEvent, Operation
from detector.identity.ledger import Ledger
from detector.units import DAY_MS

__all__ = ["IdentityHistory", "is_new"]

HISTORY_MS = DAY_MS
"""With less of an identity's past than this, nothing is called new."""
MOST_NETWORKS = 2_000


class IdentityHistory:
    """An identity's past up to an event."""

    __slots__ = ("addresses", "first_ms", "ledger", "networks", "operations")

    def __init__(self, first_ms: int) -> None:
        self.first_ms = first_ms
        self.ledger = Ledger()
        self.networks: dict[str, int] = {}
        self.addresses: dict[str, int] = {}
        self.operations: set[Operation] = set()

    def enter(self, event: AccessEvent, where: str) -> None:
        """Note an event, on that network."""
        ip = event.ip
        if ip is not None:
            if len(self.addresses) < MOST_NETWORKS:
                self.addresses.setdefault(ip, event.time_ms)
            if len(self.networks) < MOST_NETWORKS:
                self.networks.setdefault(where, event.time_ms)
        self.operations.add(event.operation)


def is_new(past: IdentityHistory, where: str, time_ms: int, since_ms: int) -> bool | None:
    """Whether a network is new to an identity since then; ``None`` if too little of its past is known."""
    if len(past.networks) >= MOST_NETWORKS and where not in past.networks:
        return None
    first_ms = past.networks.get(where, time_ms)
    if first_ms < since_ms:
        return False
    return True if first_ms - past.first_ms >= HISTORY_MS else None
