"""Where traffic comes from. All addresses lie in ranges that nobody owns.

Offices are in the documentation networks, homes and visitors in 100.64.0.0/10 and 2001:db8::/32, mobiles,
hosts, VPNs and Tor in 198.18.0.0/15. `networks` lists them with their operators.
"""

from __future__ import annotations

from random import Random

from detector.simulation.distributions import stream

__all__ = [
    "carrier_ip",
    "home_ip",
    "host_ip",
    "is_office",
    "mobile_ip",
    "office_ip",
    "rented_ip",
    "tor_ip",
    "visitor_ip",
    "vpn_ip",
]


def office_ip(office: int, desk: int, moved: bool = False) -> str:
    """One of an office's few addresses; `moved` after it has got others."""
    if moved:
        return f"198.18.{250 - office}.{10 + desk % 2}"
    return f"{('203.0.113', '198.51.100')[office % 2]}.{16 * (office // 2 + 1) + desk % 3}"


def is_office(ip: str) -> bool:
    """Whether an address is an office's.

    >>> is_office(office_ip(1, 5)), is_office(office_ip(2, 5, moved=True)), is_office("198.18.7.7")
    (True, True, False)
    """
    return ip.startswith(_OFFICES)


_OFFICES = ("203.0.113.", "198.51.100.", *(f"198.18.{250 - office}." for office in range(6)))


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


def carrier_ip(person: int, random: Random) -> str:
    """An address of somebody's own mobile carrier, of which there are eight."""
    return f"198.18.{person * 5 % 8 * 16 + random.randrange(16)}.{random.randrange(1, 255)}"


def tor_ip(random: Random) -> str:
    """An exit of Tor."""
    return f"198.19.{128 + random.randrange(32)}.{random.randrange(1, 255)}"


def rented_ip(random: Random) -> str:
    """A machine at a cloud provider that no integration of the company runs on."""
    return f"198.19.{192 + random.randrange(64)}.{random.randrange(1, 255)}"


def vpn_ip(random: Random) -> str:
    """An exit of a commercial VPN."""
    return f"198.19.{random.randrange(128)}.{random.randrange(1, 255)}"


def visitor_ip(random: Random) -> str:
    """A visitor of a public site."""
    return f"100.{96 + random.randrange(32)}.{random.randrange(256)}.{random.randrange(1, 255)}"
