from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.indicators import IndicatorsError, parse
from detector.settings import DetectionSettings, Indicator

MARCH_MS = 1_772_323_200_000  # 2026-03-01
JULY_MS = 1_782_864_000_000  # 2026-07-01


def stix(*patterns: str, **fields: Any) -> bytes:
    """A bundle with an indicator for each pattern, and things that are none."""
    objects: list[dict[str, Any]] = [{"type": "identity", "id": "identity--1", "name": "a team"}]
    for number, pattern in enumerate(patterns):
        objects.append(
            {"type": "indicator", "id": f"indicator--{number}", "pattern": pattern, "pattern_type": "stix"}
            | fields
        )
    return msgspec.json.encode({"type": "bundle", "id": "bundle--1", "objects": objects})


def misp(*attributes: dict[str, Any], wrapped: bool = False) -> bytes:
    """An event with these attributes, the last of them in an object."""
    event = {
        "Event": {
            "info": "hosts of August",
            "Attribute": list(attributes[:-1]),
            "Object": [{"name": "network", "Attribute": list(attributes[-1:])}],
        }
    }
    return msgspec.json.encode({"response": [event]} if wrapped else event)


def test_stix_says_what_from_when_until_when_and_how_sure() -> None:
    """Addresses, networks, agents and software, alone or joined by OR; confidence becomes the score."""
    data = stix(
        "[ipv4-addr:value = '198.51.100.7'] OR [ipv6-addr:value = '2001:db8::7']",
        "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
        "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'it\\'s a bot/1.0']",
        "[ software:name = 'Data Loader' ]",
        name="hosts",
        valid_from="2026-03-01T00:00:00Z",
        valid_until="2026-07-01T00:00:00.000Z",
        confidence=50,
    )
    found = parse(data)
    assert found.passed_over == ()
    assert found.indicators == dict.fromkeys(
        ["198.51.100.7", "2001:db8::7", "192.0.2.0/24", "it's a bot/1.0", "Data Loader"],
        Indicator(name="hosts", score=2.5, from_ms=MARCH_MS, until_ms=JULY_MS),
    )
    DetectionSettings(indicators=found.indicators)


@pytest.mark.parametrize(
    ("pattern", "fields", "why"),
    [
        ("[ipv4-addr:value = '192.0.2.7' AND software:name = 'x']", {}, "nothing is looked up"),
        ("[file:hashes.MD5 = 'abc']", {}, "nothing is looked up"),
        ("[ipv4-addr:value = '192.0.2.7'] FOLLOWEDBY [software:name = 'x']", {}, "nothing is looked up"),
        ("[ipv4-addr:value != '192.0.2.7']", {}, "nothing is looked up"),
        ("", {}, "nothing is looked up"),
        ("rule x {}", {"pattern_type": "yara"}, "nothing is looked up"),
        ("[ipv4-addr:value = '192.0.2.7']", {"revoked": True}, "revoked"),
        ("[ipv4-addr:value = '192.0.2.7']", {"valid_from": "yesterday"}, "is not a time"),
        ("[ipv4-addr:value = '10.0.0.0/7']", {}, "wider than a /8"),
        (
            "[ipv4-addr:value = '192.0.2.7']",
            {"valid_from": "2026-07-01T00:00:00Z", "valid_until": "2026-03-01T00:00:00Z"},
            "must be before",
        ),
    ],
)
def test_what_cannot_be_looked_up_is_named(pattern: str, fields: dict[str, Any], why: str) -> None:
    """A pattern of several conditions, another language, a bad time or a huge network: passed over, with the reason."""
    found = parse(stix(pattern, "[ipv4-addr:value = '203.0.113.9']", **fields))
    assert any(why in sentence and "indicator--0" in sentence for sentence in found.passed_over)
    assert "192.0.2.7" not in found.indicators


@pytest.mark.parametrize("wrapped", [False, True])
def test_misp_attributes_that_are_meant_for_detection(wrapped: bool) -> None:
    """Addresses with and without a port and agents are taken, from events and their objects; the rest is named."""
    data = misp(
        {"type": "ip-src", "value": "198.51.100.7", "to_ids": True, "uuid": "u-1"},
        {"type": "ip-dst|port", "value": "198.51.100.8|443", "first_seen": "2026-03-01T00:00:00+00:00"},
        {"type": "ip-src", "value": "198.51.100.9", "to_ids": False, "uuid": "u-2"},
        {"type": "md5", "value": "abc", "to_ids": True, "uuid": "u-3"},
        {"type": "user-agent", "value": "bot/1.0", "to_ids": True},
        wrapped=wrapped,
    )
    found = parse(data)
    name = "hosts of August"
    assert found.indicators == {
        "198.51.100.7": Indicator(name=name),
        "198.51.100.8": Indicator(name=name, from_ms=MARCH_MS),
        "bot/1.0": Indicator(name=name),
    }
    assert [sentence.partition(":")[0] for sentence in found.passed_over] == ["u-2", "u-3"]


def test_csv_has_a_column_value_and_what_else_is_known() -> None:
    """Columns in any order and case, a mark at the beginning, quotes; a bad line is named by its number."""
    lines = (
        b"Until,VALUE,score,name",
        b'2026-07-01,"a, b",4,mine',
        b",192.0.2.7,,",
        b",198.51.100.1,much,",
        b",,1,",
    )
    data = b"\xef\xbb\xbf" + b"\r\n".join(lines)
    found = parse(data, "my list")
    assert found.indicators == {
        "a, b": Indicator(name="mine", score=4.0, until_ms=JULY_MS),
        "192.0.2.7": Indicator(name="my list"),
    }
    assert [sentence.partition(":")[0] for sentence in found.passed_over] == ["line 4", "line 5"]


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        ("192.0.2.77/24", ["192.0.2.0/24"]),
        ("192.0.0.0/22", ["192.0.0.0/22"]),
        ("192.0.2.0/29", ["192.0.2.0/29"]),
        ("192.0.2.7/32", ["192.0.2.7"]),
        ("2001:db8::/40", ["2001:db8::/40"]),
        ("2001:db8:0:1::7/128", ["2001:db8:0:1::7"]),
        ("192.0.2.5-192.0.2.8", ["192.0.2.5", "192.0.2.6/31", "192.0.2.8"]),
    ],
)
def test_networks_are_listed_as_events_are_looked_up(value: str, listed: list[str]) -> None:
    """A network of any size is one indicator, a range the networks that it is made of; the settings take all of
    them."""
    found = parse(f"value\n{value}\n".encode())
    assert list(found.indicators) == listed
    DetectionSettings(indicators=found.indicators)


@pytest.mark.parametrize(
    "content",
    [
        {"objects": "INDICATORS", "more": False},
        {"type": "bundle", "objects": "INDICATORS"},
        "INDICATORS",
    ],
)
def test_stix_objects_are_read_from_every_envelope(content: Any) -> None:
    """A bundle, a TAXII envelope and a bare list hold the same indicator; an observable by itself is named."""
    objects = [
        {"type": "indicator", "id": "indicator--1", "pattern": "[ipv4-addr:value = '192.0.2.7']"},
        {"type": "ipv4-addr", "id": "ipv4-addr--1", "value": "192.0.2.8"},
    ]
    data = msgspec.json.encode(content).replace(b'"INDICATORS"', msgspec.json.encode(objects))
    found = parse(data)
    assert list(found.indicators) == ["192.0.2.7"]
    assert found.counts == {"ipv4-addr without an indicator": 1}


def test_an_envelope_with_further_pages_says_so() -> None:
    """`more` of a TAXII envelope means that the file is not all there is."""
    one = {"type": "indicator", "id": "indicator--1", "pattern": "[ipv4-addr:value = '192.0.2.7']"}
    found = parse(msgspec.json.encode({"objects": [one], "more": True, "next": "2"}))
    assert list(found.indicators) == ["192.0.2.7"]
    assert "fetch its next pages" in found.passed_over[0]


@pytest.mark.parametrize(
    "content",
    [
        "EVENT",
        ["EVENT"],
        {"Event": "EVENT"},
        [{"Event": "EVENT"}],
        {"response": [{"Event": "EVENT"}]},
        {"response": ["EVENT"]},
        {"response": {"Attribute": "ATTRIBUTES"}},
        "ATTRIBUTES",
    ],
)
def test_misp_is_read_with_and_without_its_wrappers(content: Any) -> None:
    """An event, a list, a response, attributes by themselves: the same addresses, and the same things named."""
    attributes = [
        {"type": "ip-dst", "category": "Network activity", "value": "198.51.100[.]7", "to_ids": True},
        {"type": "ip-dst", "category": "Network activity", "value": "198.51.100.8", "to_ids": "0"},
        {"type": "sha256", "category": "Payload delivery", "value": "ab", "to_ids": True},
    ]
    data = (
        msgspec.json.encode(content)
        .replace(b'"EVENT"', msgspec.json.encode({"info": "i", "Attribute": "ATTRIBUTES"}))
        .replace(b'"ATTRIBUTES"', msgspec.json.encode(attributes))
    )
    found = parse(data)
    assert list(found.indicators) == ["198.51.100.7"]
    assert found.counts == {"not meant for detection": 1, "sha256": 1}


@pytest.mark.parametrize(
    "text",
    [
        "uuid,type,value,to_ids\nu,ip-dst,198.51.100.7,1\nu,ip-dst,198.51.100.8,0\nu,md5,ab,1\n",
        "Indicator type,Indicator,Description\nIPv4,198.51.100.7,x\nFileHash-MD5,ab,\n",
        "ioc_value;ioc_type\n198.51.100.7:443;ip:port\nab;md5_hash\n",
        '# a feed\n# "seen","ioc_value","ioc_type"\n"2026-01","198.51.100.7:443","ip:port"\n"2026","ab","md5"\n',
        "ip_address\tcountry\n198.51.100[.]7\tFR\n",
        "malicious_ip,zip\n198.51.100.7,75001\n",
        "Seen,Attacker\n2026-01-01,198.51.100.7\n2026-01-02,198.51.100.7\n",
        "2026-01-01,198.51.100.7\n2026-01-02,198.51.100.7\n",
        "# blocklist\n\n198.51.100.7 # theirs\nmd5:ab\nevil.example\n",
        "198.51.100.7:443\r\n",
        "198.51.100.7\t10\t3\n",
        "hxxp://198[.]51[.]100[.]7/x\n; end\n",
        '{"value": "198.51.100.7", "type": "ip"}\n{"value": "ab", "type": "md5"}\n',
        '{"data": [{"ip": "198.51.100.7"}, {"ip": ""}]}',
        '["198.51.100.7", "evil.example"]',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_have_any_header_or_none(text: str, encoding: str) -> None:
    """Tables of any header and delimiter, and lists with remarks and ports, hold one address; nothing else is taken."""
    assert list(parse(text.encode(encoding)).indicators) == ["198.51.100.7"]


def test_all_that_is_passed_over_is_counted_and_the_first_are_named() -> None:
    """Ten thousand hashes are one count, and no more than a thousand sentences."""
    rows = "".join(f"{number:032x},md5\n" for number in range(10_000))
    found = parse(f"value,type\n198.51.100.7,ip\n{rows}".encode())
    assert list(found.indicators) == ["198.51.100.7"]
    assert found.counts == {"md5": 10_000}
    assert len(found.passed_over) == 1_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"evil.example\nother.example\n", "line 1: nothing is looked up by domain"),
        (b"<stix:STIX_Package>", "it is XML"),
        (b"PK\x03\x04\x00\x00", "it is not text"),
        (b'{"log": "x"}', "neither STIX 2"),
        (b"a,b\n1,2\n", "nor a list of addresses; line 1: 'a,b' is no address"),
    ],
)
def test_a_refusal_says_why(data: bytes, why: str) -> None:
    """It names the first entry that is in the way, or what the file is instead."""
    with pytest.raises(IndicatorsError) as refused:
        parse(data)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"{",
        b"[1, 2]",
        b'{"type": "indicator"}',
        b"status\nclean\n",
        b"[" * 100_000,
        b'a"\nb"',
    ],
)
def test_what_is_no_list_says_so(data: bytes) -> None:
    """Neither STIX, nor MISP, nor CSV with that column: one sentence, no traceback of a parser."""
    with pytest.raises(IndicatorsError):
        parse(data)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.sampled_from(["indicator", "bundle", "Event"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "objects", "pattern", "Event", "Attribute", "Object", "value", "response", "id"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """Whatever stands where in a JSON file, it is parsed or refused with a sentence, and what comes out can be set."""
    try:
        found = parse(msgspec.json.encode(value))
    except IndicatorsError:
        return
    for key in found.indicators:
        assert key
    DetectionSettings(indicators=found.indicators)
