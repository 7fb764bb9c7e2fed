from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.indicators.value import ValueRefusedError, lookup_values, recognised


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        ("198[.]51[.]100[.]7", None, "198.51.100.7"),
        ("198.51.100[.]7", "ip-dst", "198.51.100.7"),
        ("198(dot)51{dot}100 dot 7", "ip-src", "198.51.100.7"),
        ("198 [.] 51 [.] 100 [.] 7", "IPv4", "198.51.100.7"),
        ("hxxp://198[.]51[.]100[.]7/mal.exe", None, "198.51.100.7"),
        ("hXXps[:]//user@198.51.100.7:8443/x?y=1", None, "198.51.100.7"),
        ("http://[2001:DB8::7]:8080/", None, "2001:db8::7"),
        ("198.51.100.7:443", None, "198.51.100.7"),
        ("198.51.100.7|443", "ip-dst|port", "198.51.100.7"),
        ("2001:db8::7|443", "ip-dst|port", "2001:db8::7"),
        ("[2001:db8::7]:443", "ip:port", "2001:db8::7"),
        ("198.51.100.7/payload", None, "198.51.100.7"),
        ("x.example|198.51.100.7", "domain|ip", "198.51.100.7"),
        ("2001:0DB8:0000::0007", None, "2001:db8::7"),
        ("::ffff:198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.0/24", "cidr", "198.51.100.0/24"),
        ("198.51.100[.]0/24", None, "198.51.100.0/24"),
        ("198.51.100.0-198.51.100.255", None, "198.51.100.0/24"),
        ("10.0.0.0/8", None, "10.0.0.0/8"),
        ("2001:db8::/29", "cidr", "2001:db8::/29"),
        ("python-requests", None, "python-requests"),
        ("Data Loader", "software", "Data Loader"),
        ("com.corp.sync", "app", "com.corp.sync"),
        ("Mozilla/5.0 (dot)", "user-agent", "Mozilla/5.0 (dot)"),
    ],
)
def test_a_value_is_refanged_and_looked_up(value: str, kind: str | None, found: str) -> None:
    """Defanged addresses, URLs, ports and ranges come out as events are looked up; agents and apps are unchanged."""
    assert list(lookup_values(value, kind)) == [found]


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", None, "md5"),
        ("a" * 64, None, "sha256"),
        ("evil[.]example", None, "domain"),
        ("mia@evil.example", None, "mail address"),
        ("hxxps://evil[.]example/x", None, "url"),
        ("evil.example", "domain", "domain"),
        ("hxxp://198[.]51[.]100[.]7/x", "url", "url"),
        ("198.51.100.999", None, "no address"),
        ("198.51.100", "ip-dst", "no address"),
        ("anything", "ip-src", "no address"),
        ("198.51.100.9-198.51.100.1", "ip", "no address"),
        ("::", "ip", "no host"),
        ("127.0.0.1", None, "no host"),
        ("10.0.0.0/7", None, "network too wide"),
        ("2000::/15", "cidr", "network too wide"),
        ("0.0.0.0-255.255.255.255", None, "network too wide"),
        ("x" * 1_001, "user-agent", "text too long"),
        ("  ", None, "an empty value"),
    ],
)
def test_what_is_no_lookup_value_says_what_it_is(value: str, kind: str | None, what: str) -> None:
    """Hashes, domains, addresses that are none and networks too wide are refused under a short name."""
    with pytest.raises(ValueRefusedError) as refused:
        list(lookup_values(value, kind))
    assert refused.value.what == what


@given(
    st.text() | st.text("0123456789abcdef.:/|-[]()hxtp @", max_size=60), st.sampled_from([None, "ip", "app"])
)
def test_any_value_is_taken_or_refused(value: str, kind: str | None) -> None:
    """No text crashes the reader, and no lookup value is empty."""
    with suppress(ValueRefusedError):
        assert all(lookup_values(value, kind))
    assert recognised(value)
