"""Addresses and networks as numbers: what an indicator names, and what an event's address is looked up by."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address

__all__ = ["ADDRESS_BITS", "LEAST_BITS", "Prefix", "address_of", "prefix_of"]

Prefix = tuple[int, int, int]
"""The IP version, how many bits are given, and these bits as a number."""
ADDRESS_BITS = {4: 32, 6: 128}
LEAST_BITS = {4: 8, 6: 16}
"""A wider network says nothing about who is in it."""
MAPPED = 0xFFFF
"""What stands before the 32 bits of an IPv4 address that is written as an IPv6 one."""
_OCTETS = {str(number): number for number in range(256)}
_LENGTHS = {str(number): number for number in range(129)}


def prefix_of(text: str) -> Prefix | None:
    """The network or address that a text names; ``None`` for any other text.

    Raises `ValueError` for a network that is too wide, or one with bits beyond its prefix.

    >>> prefix_of("192.0.2.0/24") == (4, 24, 0xC00002), prefix_of("::ffff:192.0.2.7") == prefix_of("192.0.2.7")
    (True, True)
    """
    head, slash, tail = text.partition("/")
    address = _address(head)
    if address is None:
        return None
    version, number = address
    if not slash:
        return version, ADDRESS_BITS[version], number
    bits = _LENGTHS.get(tail, -1) - (96 if version == 4 and ":" in head else 0)
    if not 0 <= bits <= ADDRESS_BITS[version]:
        return None  # an agent such as ``1.2.3.4/x``
    if bits < LEAST_BITS[version]:
        raise ValueError(f"the network {text} is wider than a /{LEAST_BITS[version]}: name parts of it")
    rest = ADDRESS_BITS[version] - bits
    if number >> rest << rest != number:
        raise ValueError(f"{text} has bits beyond its /{tail}: leave them 0, or leave /{tail} out")
    return version, bits, number >> rest


def _address(text: str) -> tuple[int, int] | None:
    try:
        if ":" not in text:
            a, b, c, d = map(_OCTETS.__getitem__, text.split("."))
            return 4, a << 24 | b << 16 | c << 8 | d
        six = IPv6Address(text)
    except (KeyError, ValueError):
        return None
    if six.scope_id is not None:
        return None
    number = int(six)
    return (4, number & 0xFFFF_FFFF) if number >> 32 == MAPPED else (6, number)


address_of = lru_cache(maxsize=16_384)(_address)
"""An address's version and number; ``None`` for any other text."""
