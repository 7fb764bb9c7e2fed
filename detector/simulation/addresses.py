"""Where traffic comes from. All addresses lie in ranges that nobody owns.

Offices are in the documentation networks, homes and visitors in 100.64.0.0/10 and 2001:db8::/32, mobiles,
hosts and VPNs in 198.18.0.0/15.
"""

from __future__ import annotations

from random import Random

from detector.simulation.distributions import stream

__all__ = ["home_ip", "host_ip", "mobile_ip", "office_ip", "visitor_ip", "vpn_ip"]


def office_ip(office: int, desk: int, moved: bool = False) -> str:
    """One of an office's few addresses; `moved` after it has got others."""
    if moved:
        return f"198.18.{250 - office}.{10 + desk % 2}"
    return f"{('203.0.113', '198.51.100')[office % 2]}.{16 * (office // 2 + 1) + desk % 3}"


def home_ip(person: int, lease: int) -> str:
    """Somebody's address at home; another lease is another address of the same provider."""
    provider = person % 23
    place = stream(0, "home", person, lease).randrange(1 << 14)
    if provider % 8 == 5:
        return f"2001:db8:{provider:x}:{1 + place:x}::{1 + person % 200:x}"
    return f"100.{64 + provider}.{place >> 6}.{1 + place % 61 * 4}"


def mobile_ip(random: Random) -> str:
    """A mobile network, a hotel, a train."""
    return f"198.18.{random.randrange(128)}.{random.randrange(1, 255)}"


def host_ip(number: int) -> str:
    """A machine in a data centre."""
    return f"198.18.{128 + number % 100}.{7 + number % 200}"


def vpn_ip(random: Random) -> str:
    """An exit of a commercial VPN, or a rented machine, that nobody in the company uses."""
    return f"198.19.{random.randrange(128)}.{random.randrange(1, 255)}"


def visitor_ip(random: Random) -> str:
    """A visitor of a public site."""
    return f"100.{96 + random.randrange(32)}.{random.randrange(256)}.{random.randrange(1, 255)}"
