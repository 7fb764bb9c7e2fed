"""An event's traits as they are compared and remembered: its network, its program without a version, checksums."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from zlib import crc32

__all__ = ["MAX_TEXT", "SORTS", "YOUNG_DAYS", "agent_family", "checksum", "network"]

SORTS = ("network", "agent", "app", "country", "operation", "object", "query")
"""The sorts of trait; a checksum depends on a sort's place here."""
MAX_TEXT = 64
"""How many bytes of a trait are kept."""
YOUNG_DAYS = 5
"""How long a new trait stays young."""


def checksum(sort: int, value: str) -> int:
    """What a value of a sort (its place in `SORTS`) is remembered as."""
    return crc32(value.encode("utf-8", "surrogatepass"), sort + 1)


@lru_cache(maxsize=16_384)
def network(ip: str) -> str:
    """The network that an address belongs to: /24 of IPv4, /48 of IPv6; other text as it is.

    >>> network("203.0.113.77"), network("2001:db8:1:2::7"), network("Salesforce.com IP")
    ('203.0.113.0/24', '2001:db8:1::/48', 'Salesforce.com IP')
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return ip[:MAX_TEXT]
    if address.version == 4:
        return f"{ip.rpartition('.')[0]}.0/24"
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return network(str(mapped))
    prefix = ip_address(int(address) >> 80 << 80)
    return f"{prefix}/48"


_BROWSERS = (
    ("headless", "headless browser"),
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("firefox", "Firefox"),
    ("chrome", "Chrome"),
    ("safari", "Safari"),
    ("trident", "Internet Explorer"),
)
_SYSTEMS = ("iphone", "ipad", "android", "windows", "mac os", "cros", "linux")
_VERSION = re.compile(r"[/ _-]?v?\d[\w.+-]*|\(.*?\)")


@lru_cache(maxsize=16_384)
def agent_family(agent: str) -> str:
    """A user agent without its version: an upgrade is nothing new.

    >>> agent_family("python-requests/2.32.4"), agent_family("Python/3.11 aiohttp/3.12.15")
    ('python-requests', 'Python aiohttp')
    >>> agent_family("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36")
    'Chrome on windows'
    """
    text = agent[:256]
    lower = text.lower()
    if lower.startswith("mozilla/"):
        browser = next((name for mark, name in _BROWSERS if mark in lower), "browser")
        return f"{browser} on {next((mark for mark in _SYSTEMS if mark in lower), 'other')}"
    family = " ".join(_VERSION.sub(" ", text).split())
    return family[:MAX_TEXT] or text[:MAX_TEXT]
