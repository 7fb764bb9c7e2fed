"""The networks of the simulated internet with their operators and kinds, as an operator's own list might have them."""

from __future__ import annotations

import csv
import io
from enum import StrEnum

import msgspec

__all__ = ["NETWORKS", "Network", "NetworkKind", "networks_csv"]


class NetworkKind(StrEnum):
    """What a network is mostly used for."""

    OFFICE = "office"
    HOME = "home"
    MOBILE = "mobile"
    HOSTING = "hosting"
    VPN = "vpn"
    TOR = "tor"


class Network(msgspec.Struct, frozen=True):
    """A network, by its prefix."""

    prefix: str
    asn: int
    """A number for documentation or private use."""
    name: str
    kind: NetworkKind


NETWORKS: tuple[Network, ...] = (
    Network("203.0.113.0/24", 64_496, "Skyward Offices", NetworkKind.OFFICE),
    Network("198.51.100.0/24", 64_497, "Skyward Offices", NetworkKind.OFFICE),
    Network("198.18.240.0/20", 64_498, "Skyward Offices", NetworkKind.OFFICE),
    *(
        Network(f"198.18.{carrier * 16}.0/20", 64_510 + carrier, f"Carrier {carrier + 1}", NetworkKind.MOBILE)
        for carrier in range(8)
    ),
    Network("198.18.128.0/18", 65_000, "Harbour Cloud", NetworkKind.HOSTING),
    Network("198.18.192.0/19", 65_001, "Granite Hosting", NetworkKind.HOSTING),
    Network("198.18.224.0/20", 65_002, "Granite Hosting", NetworkKind.HOSTING),
    *(
        Network(f"198.19.{part * 32}.0/19", 65_010 + part, f"Veil VPN {part + 1}", NetworkKind.VPN)
        for part in range(4)
    ),
    Network("198.19.128.0/19", 65_020, "Onion Exits", NetworkKind.TOR),
    Network("198.19.192.0/18", 65_003, "Dune Servers", NetworkKind.HOSTING),
    *(
        Network(
            f"100.{64 + provider}.0.0/16", 64_600 + provider, f"Provider {provider + 1}", NetworkKind.HOME
        )
        for provider in range(64)
    ),
    *(
        Network(
            f"2001:db8:{provider:x}::/48", 64_600 + provider, f"Provider {provider + 1}", NetworkKind.HOME
        )
        for provider in range(23)
        if provider % 8 == 5
    ),
)
"""All networks that addresses come from; none overlaps another."""


def networks_csv() -> str:
    """The networks as CSV: network, asn, name, kind."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("network", "asn", "name", "kind"))
    table.writerows((one.prefix, one.asn, one.name, one.kind.value) for one in NETWORKS)
    return text.getvalue()
