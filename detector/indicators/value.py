"""What an indicator's value is looked up by: defanged notations undone, validated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)

from detector.errors import CrmwatchError
from detector.prefix import LEAST_BITS

__all__ = ["ValueRefusedError", "lookup_values", "recognised", "refanged"]

MAX_TEXT = 1_000
"""The longest value, in characters."""

_ADDRESS = {
    "address", "cidr", "dstip", "ip", "ipaddress", "ipdst", "ipdstport", "ipport", "iprange", "ipsrc", "ipsrcport",
    "ipv4", "ipv4addr", "ipv4address", "ipv4cidr", "ipv4port", "ipv6", "ipv6addr", "ipv6address", "ipv6cidr",
    "ipv6port", "netblock", "network", "srcip", "subnet",
}  # fmt: skip
_RESOLVED = {"domainip", "hostnameip"}
"""A name and the address that it resolves to."""
_TEXT = {"agent", "app", "application", "appname", "httpuseragent", "software", "softwarename", "useragent"}

_BRACKETED = re.compile(
    r"\s{0,3}(?:[\[({<]\s{0,3}(?:\.|dot)\s{0,3}[\])}>]|\[\.|\.\]|\\\.)\s{0,3}|\s{1,3}dot\s{1,3}",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"^(?:h(?:xx|tt|\*\*|XX)p|fxp|meow)(s?)(?=\s*[\[(]?:)", re.IGNORECASE)
_URL = re.compile(r"^[a-z][a-z0-9+.-]{1,11}://(?:[^/?#@]*@)?(?P<host>\[[^\]]*\]|[^/?#:]*)", re.IGNORECASE)
_PORT = re.compile(
    r"^(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>\d+\.\d+\.\d+\.\d+))(?:\s*[:|,]\s*\d{1,5})?$", re.ASCII
)
_SIX_PORT = re.compile(r"^(?P<six>[0-9a-fA-F:.]+)\|\d{1,5}$", re.ASCII)
_PATH = re.compile(r"^(?P<four>\d+\.\d+\.\d+\.\d+)(?::\d{1,5})?/(?!\d{1,3}$)", re.ASCII)
_RANGE = re.compile(r"^([0-9a-fA-F.:]+)\s*-\s*([0-9a-fA-F.:]+)$", re.ASCII)
_DIGESTS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE | re.ASCII)
_EMAIL = re.compile(r"[^\s@/]+@[^\s@/]+\.[a-z]{2,}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:\*\.)?(?:[\w-]{1,63}\.)+[a-z]{2,63}\.?(?::\d{1,5})?", re.IGNORECASE)
_DIGITS_AND_DOTS = re.compile(r"[\d.]+(?:[:/|]\d+)?", re.ASCII)

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class ValueRefusedError(CrmwatchError, ValueError):
    """A value that cannot be looked up; the message says why."""

    def __init__(self, what: str, reason: str) -> None:
        """`what` names the kind of value in few words."""
        super().__init__(reason)
        self.what = what


def lookup_values(value: str, kind: str | None = None) -> Iterator[str]:
    """A value's lookup values: an address, a network, or the networks that a range of addresses is made of.

    `kind` is the source's word for it (``ip-dst|port``, ``IPv4``, ``user-agent``); without one, the value tells.
    Raises `ValueRefusedError`.

    >>> list(lookup_values("hxxp://198[.]51[.]100[.]7:8080/x"))
    ['198.51.100.7']
    >>> list(lookup_values("Data Loader", "app"))
    ['Data Loader']
    """
    value = value.strip()
    if not value:
        raise ValueRefusedError("an empty value", "it has no value")
    if len(value) > MAX_TEXT:
        raise ValueRefusedError(
            "text too long", f"it has {len(value):,} characters; {MAX_TEXT:,} is the most"
        )
    word = re.sub(r"[^a-z0-9]", "", (kind or "").lower())
    if kind and word in _TEXT:
        yield value
    elif kind and word in _RESOLVED:
        yield from _listed(_networks(value.rpartition("|")[2] if "|" in value else value))
    elif kind and word in _ADDRESS:
        yield from _listed(_networks(value))
    elif kind:
        raise ValueRefusedError(kind[:40], f"nothing is looked up by {kind[:40]}")
    else:
        yield from _untyped(value)


def _untyped(value: str) -> Iterator[str]:
    what = recognised(value)
    if what == "text":
        yield value
    elif what == "address":
        yield from _listed(_networks(value))
    else:
        advice = ", unless a column type calls it an app" if what == "domain" else ""
        raise ValueRefusedError(what, f"nothing is looked up by a {what}{advice}")


def recognised(value: str) -> str:
    """What a value without a type is: an address, something that is not looked up, or text.

    >>> recognised("192.0.2[.]7:443"), recognised("evil[.]example"), recognised("Data Loader")
    ('address', 'domain', 'text')
    """
    plain = refanged(value)
    if _HEX.fullmatch(plain) and len(plain) in _DIGESTS:
        return _DIGESTS[len(plain)]
    if _DIGITS_AND_DOTS.fullmatch(plain) and plain.count(".") == 3:
        return "address"
    if _EMAIL.fullmatch(plain):
        return "mail address"
    if _DOMAIN.fullmatch(plain):
        return "domain"
    try:
        _networks(plain)
    except ValueRefusedError as error:
        return "text" if error.what == "no address" else error.what
    return "address"


def refanged(value: str) -> str:
    """A value without the marks that keep people from clicking on it.

    >>> refanged("hxxps[:]//192[.]0(dot)2 dot 7/x"), refanged("192.0.2[.]7")
    ('https://192.0.2.7/x', '192.0.2.7')
    """
    plain = _BRACKETED.sub(".", value.strip().strip("\"'`,;").strip())
    plain = _SCHEME.sub(r"http\1", plain)
    return plain.replace("[:]", ":").replace("[://]", "://").replace("(:)", ":").replace("[/]", "/")


def _networks(value: str) -> list[_Network]:
    """The networks that a value names: an address is the smallest. Raises `ValueRefusedError`."""
    plain = refanged(value)
    if url := _URL.match(plain):
        host = url["host"]
        try:
            return [_one(ip_address(host.strip("[]")))]
        except ValueError:
            raise ValueRefusedError(
                "url", f"nothing is looked up by a URL without an address: {value[:80]!r}"
            ) from None
    if both := _RANGE.fullmatch(plain):
        try:
            first, last = ip_address(both[1]), ip_address(both[2])
            return list(summarize_address_range(first, last))
        except (ValueError, TypeError):
            raise ValueRefusedError("no address", f"{value[:80]!r} is no range of addresses") from None
    if found := _PORT.fullmatch(plain):
        plain = found["six"] or found["four"]
    elif found := (_SIX_PORT.fullmatch(plain) or _PATH.match(plain)):
        plain = found[1]
    try:
        network = ip_network(plain, strict=False)
    except ValueError:
        raise ValueRefusedError("no address", f"{value[:80]!r} is no address") from None
    return [_one(network.network_address)] if network.num_addresses == 1 else [network]


def _one(address: _Address) -> _Network:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = mapped or address
    if address.is_unspecified or address.is_loopback:
        raise ValueRefusedError("no host", f"{address} is no other host's address")
    return ip_network(address)


def _listed(networks: list[_Network]) -> Iterator[str]:
    for network in networks:
        if network.prefixlen < LEAST_BITS[network.version]:
            raise ValueRefusedError(
                "network too wide",
                f"the network {network} is wider than a /{LEAST_BITS[network.version]}; give parts of it",
            )
    for network in networks:
        yield str(network.network_address if network.prefixlen == network.max_prefixlen else network)
