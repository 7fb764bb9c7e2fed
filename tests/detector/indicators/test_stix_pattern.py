from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.indicators.stix_pattern import MAX_CHARACTERS, PatternError, read_pattern

A, B, C = "198.51.100.7", "198.51.100.8", "198.51.100.9"
ONE, TWO = f"ipv4-addr:value = '{A}'", f"ipv4-addr:value = '{B}'"


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        (f"[{ONE}]", [A]),
        (f"[{ONE} OR {TWO}]", [A, B]),
        (f"[{ONE}] OR [{TWO}]", [A, B]),
        (f"([{ONE}] OR [{TWO}]) OR [ipv4-addr:value = '{C}']", [A, B, C]),
        (f"[({ONE} OR {TWO}) OR ipv4-addr:value='{C}']", [A, B, C]),
        (f"[{ONE} AND {TWO}]", [A, B]),
        (f"[{ONE}] AND [{TWO}]", [A, B]),
        (f"[ipv4-addr:value IN ('{A}', '{B}')]", [A, B]),
        ("[ipv4-addr:value in ('192.0.2.7')]", ["192.0.2.7"]),
        ("[ipv4-addr:value ISSUBSET '192.0.2.0/24' OR ipv6-addr:value = '::7']", ["192.0.2.0/24", "::7"]),
        (f"[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '{A}']", [A]),
        (f"[network-traffic:src_ref.value = '{A}' OR network-traffic:dst_ref.value = '{B}']", [A, B]),
        (f"[network-traffic:dst_ref.value = '{A}' AND network-traffic:dst_port = 443]", [A]),
        (f"[network-traffic:protocols[*] = 'tcp' AND network-traffic:dst_ref.value = '{A}']", [A]),
        (f"[domain-name:value = 'x.example' AND domain-name:resolves_to_refs[*].value = '{A}']", [A]),
        ("[software:name = 'Data \\'Loader']", ["Data 'Loader"]),
        ("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'bot/1.0']", ["bot/1.0"]),
        ("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'[0] = 'bot/1.0']", ["bot/1.0"]),
        (f"[{ONE}] WITHIN 600 SECONDS", [A]),
        (f"\n[ {ONE}\n\tOR {TWO} ]", [A, B]),
    ],
)  # fmt: skip
def test_a_pattern_comes_down_to_its_values(pattern: str, values: list[str]) -> None:
    """OR, IN and ANDs of addresses give each value once; a connection's port, protocol and type are left out."""
    found = read_pattern(pattern)
    assert [value for value, _ in found.values] == values
    assert found.left_out == ()


def test_an_alternative_that_cannot_be_looked_up_is_named() -> None:
    """The addresses of an OR are taken, and its other alternatives are named."""
    found = read_pattern(f"[{ONE} OR domain-name:value = 'x.example'] OR [file:hashes.'SHA-256' = 'ab']")
    assert found.values == ((A, "address"),)
    assert found.left_out == ("domain-name:value", "file:hashes.'SHA-256'")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (f"[{ONE} AND software:name = 'x']", "several conditions"),
        (f"[{ONE} AND url:value = 'http://x/']", "several conditions"),
        (f"[{ONE}] AND [file:name = 'x']", "several conditions"),
        (f"[{ONE}] FOLLOWEDBY [{TWO}]", "a sequence"),
        (f"[{ONE}] REPEATS 5 TIMES", "REPEATS"),
        (f"[{ONE}] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'", "START"),
        (f"[NOT {ONE}]", "NOT"),
        (f"[ipv4-addr:value NOT = '{A}']", "NOT ="),
        (f"[ipv4-addr:value != '{A}']", "!="),
        ("[ipv4-addr:value LIKE '198.51.100.%']", "LIKE"),
        ("[network-traffic:dst_port = 443]", "only describes a connection"),
        ("[file:hashes.MD5 = 'ab']", "file:hashes.MD5"),
        ("", "ends too early"),
        ("[ipv4-addr:value = '1", "not valid at"),
        (f"[{ONE}] trailing", "not valid at 'trailing'"),
        ("(" * 100_000, f"{MAX_CHARACTERS:,} is the most"),
        ("[" + "(" * 1_000 + ONE, "nested deeper than 32"),
        ("[rule x {}]", "not valid"),
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_looked_up_says_why(pattern: str, why: str) -> None:
    """Several conditions, negations, sequences, other things than addresses, and text that is no pattern."""
    with pytest.raises(PatternError, match=r"^it ") as refused:
        read_pattern(pattern)
    assert why in str(refused.value)


@given(
    st.lists(
        st.sampled_from(["[", "]", "(", ")", "AND", "OR", "NOT", "IN", "=", ",", ONE, "'x'", "REPEATS", "a:b", "5"]),
        max_size=30,
    ).map(" ".join)
)  # fmt: skip
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    """No text crashes the reader, and values come only out of a pattern that has one."""
    with suppress(PatternError):
        assert read_pattern(pattern).values
