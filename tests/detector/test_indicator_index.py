from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import indicator_index as module
from detector.indicator_index import IndicatorIndex
from detector.prefix import LEAST_BITS, prefix_of
from detector.settings import Indicator
from tests.detector.make import START_MS, event


def named(name: str, **fields: Any) -> Indicator:
    """An indicator."""
    return Indicator(name=name, **fields)


def found(index: IndicatorIndex, **fields: Any) -> str | None:
    """The name of what an event matches."""
    indicator = index.find(event(1, time_ms=START_MS, **fields))
    return None if indicator is None else indicator.name


def test_an_address_is_found_in_networks_of_any_size() -> None:
    """The smallest network that holds it counts, in either notation of an IPv4 address; others hold it no longer once
    they are withdrawn."""
    values = ("10.0.0.0/8", "10.1.0.0/17", "10.1.2.0/23", "10.1.2.3", "2001:db8::/29", "2001:db8:7::/64")
    index = IndicatorIndex({value: named(value) for value in values})
    assert len(index) == 6
    cases = {
        "10.1.2.3": "10.1.2.3",
        "::ffff:10.1.2.3": "10.1.2.3",
        "10.1.3.255": "10.1.2.0/23",
        "10.1.127.1": "10.1.0.0/17",
        "10.255.0.1": "10.0.0.0/8",
        "11.0.0.1": None,
        "2001:db8:7::9": "2001:db8:7::/64",
        "2001:dbf::1": "2001:db8::/29",
        "2001:dc0::1": None,
        "10.1.2": None,
        "Salesforce.com IP": None,
    }
    assert {ip: found(index, ip=ip) for ip in cases} == cases
    for value in ("10.1.2.3", "10.1.2.0/23", "10.1.0.0/17"):
        index.withdraw(value)
        index.withdraw(value)
    assert (found(index, ip="10.1.2.3"), len(index)) == ("10.0.0.0/8", 3)


def test_one_that_does_not_hold_leaves_room_for_one_that_does() -> None:
    """A wider network, a program or an app counts if the address's own indicator is over at the event's time."""
    index = IndicatorIndex({"192.0.2.7": named("over", until_ms=START_MS), "192.0.2.0/24": named("wider")})
    assert found(index, ip="192.0.2.7") == "wider"
    index.withdraw("192.0.2.0/24")
    index.put("curl", named("a program"))
    assert found(index, ip="192.0.2.7", user_agent="curl/8.1") == "a program"
    index.put("curl/8.1", named("one version", from_ms=START_MS + 1))
    assert found(index, ip="192.0.2.7", user_agent="curl/8.1") == "a program"


@pytest.mark.parametrize(
    "value", ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/15", "192.0.2.7/24", "2001:db8::7/64", ""]
)
def test_what_would_name_everybody_or_nobody_is_refused(value: str) -> None:
    """A network wider than /8 or /16, one with bits beyond its prefix, and no value at all."""
    index = IndicatorIndex()
    with pytest.raises(ValueError, match=r"wider than a /|bits beyond its /|without a value"):
        index.put(value, named("x"))
    assert len(index) == 0


def test_it_is_bounded_by_number_and_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer too many is refused, one that is known may change, and what is withdrawn makes room."""
    monkeypatch.setattr(module, "MAX_INDICATORS", 2)
    index = IndicatorIndex()
    assert [index.put(value, named("n")) for value in ("a", "192.0.2.0/28", "b")] == [True, True, False]
    assert index.put("a", named("m"))
    index.withdraw("192.0.2.0/28")
    assert index.put("b", named("n"))
    assert [index.known(value) for value in ("a", "b", "192.0.2.0/28")] == [named("m"), named("n"), None]
    monkeypatch.setattr(module, "MAX_TEXT", 10)
    assert not index.put("a", named("m" * 8))
    assert index.put("a", named("m" * 7))
    index.withdraw("a")
    assert index.put("c", named("m" * 7))


@st.composite
def networks(draw: st.DrawFn) -> str:
    """A network of a few neighbours, so that they lie in one another."""
    version = draw(st.sampled_from((4, 6)))
    first, width = (
        (int(ip_address("192.0.2.0")), 32) if version == 4 else (int(ip_address("2001:db8::")), 128)
    )
    bits = draw(st.integers(width - 12, width))
    number = first + draw(st.integers(0, 2**12 - 1))
    return str(ip_network((number, bits), strict=False))


@given(st.lists(networks(), max_size=12), st.lists(networks(), max_size=4), st.integers(0, 2**12 - 1))
def test_a_look_up_finds_what_a_search_of_all_finds(put: list[str], gone: list[str], offset: int) -> None:
    """For any networks put and withdrawn, and any address: the one of the longest prefix that contains it."""
    index = IndicatorIndex()
    for value in put:
        index.put(value, named(value))
    for value in gone:
        index.withdraw(value)
    left = {ip_network(value) for value in put} - {ip_network(value) for value in gone}
    assert len(index) == len(left)
    for base in ("192.0.2.0", "2001:db8::"):
        address = ip_address(base) + offset
        holding = [one for one in left if one.version == address.version and address in one]
        expected = max(holding, key=lambda one: one.prefixlen, default=None)
        name = found(index, ip=str(address))
        assert (None if name is None else ip_network(name)) == expected


@given(st.text(max_size=30) | st.text("0123456789abcdef:./", max_size=24))
def test_any_text_is_a_network_a_text_or_refused(text: str) -> None:
    """What is read as a network is one to Python too, and has the same bits."""
    try:
        prefix = prefix_of(text)
    except ValueError:
        return
    if prefix is not None:
        version, bits, number = prefix
        assert LEAST_BITS[version] <= bits
        network = ip_network(text)
        if network.version == version:
            assert (int(network.network_address) >> network.max_prefixlen - bits, network.prefixlen) == (
                number,
                bits,
            )
