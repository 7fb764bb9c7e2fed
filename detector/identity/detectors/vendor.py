"""The vendor's own findings (Salesforce Shield, Microsoft Sentinel): passed through as signals.

What a vendor's models found counts as evidence of its own kind. It seldom opens an incident alone; with
anything else it does.
"""

from __future__ import annotations

import msgspec

from detector.event import Operation
from detector.identity.observation import ClosedDay, Observation
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence

__all__ = ["DETECTOR", "Vendor", "VendorState"]

SCORE = 3.0
"""What a vendor's finding counts for, in -log10 of a probability."""


class VendorState(msgspec.Struct, array_like=True):
    """The day on which a finding was last passed on, and how many were that day."""

    day: int = -1
    findings: int = 0


class Vendor:
    """One signal for the first finding of a day, and for each doubling."""

    name = "vendor"
    State = VendorState
    operations = frozenset({Operation.VENDOR_FINDING})

    def observe(
        self, state: VendorState, access: Observation, settings: DetectionSettings
    ) -> list[Signal] | None:
        """Pass a vendor's finding on."""
        if access.day != state.day:
            state.day, state.findings = access.day, 0
        state.findings += 1
        if state.findings & (state.findings - 1):
            return None
        time_ms = access.event.time_ms
        return [
            Signal(
                kind=SignalKind.CROSSED,
                detector=self.name,
                time_ms=time_ms,
                day=access.day,
                first_ms=time_ms,
                last_ms=time_ms,
                channel=Operation.VENDOR_FINDING,
                score=SCORE,
                facts={"findings": float(state.findings)},
                evidence=evidence(access.event, 0),
            )
        ]

    def close(self, state: VendorState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
        """Nothing is learned."""
        return []

    def drop(self, state: VendorState, day: int) -> None:
        """Nothing is kept by day."""

    def shrink(self, state: VendorState) -> bool:
        """There is little to give up."""
        return False


DETECTOR = Vendor()
