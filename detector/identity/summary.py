"""An identity's profile as it is published: what its detectors have learned, without their states."""

from __future__ import annotations

from detector.identity.profile import Profile
from detector.published import IdentityRecord

__all__ = ["summary"]


def summary(profile: Profile) -> IdentityRecord:
    """The record of the identity as its profile knows it now."""
    volume, novelty = profile.states.volume, profile.states.novelty
    return IdentityRecord(
        id=f"{profile.tenant}/{profile.actor}",
        tenant=profile.tenant,
        actor=profile.actor,
        name=profile.actor_name,
        kind=profile.actor_kind,
        first_ms=profile.first_ms,
        last_ms=profile.clock_ms,
        known_days=profile.known_days,
        active_hours=tuple(novelty.hours),
        weekdays=volume.weekdays(),
        usual=volume.usual(),
        new=novelty.new_traits(),
        last_used=novelty.last_used(),
    )
