from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector.event import ActorKind
from detector.published import (
    ActivityRecord,
    IdentityRecord,
    NewTrait,
    PublishedRecordError,
    UsualVolume,
    decode_activity,
    decode_identity,
    encode,
)

IDENTITY = IdentityRecord(
    id="t/u",
    tenant="t",
    actor="u",
    name="Ada",
    kind=ActorKind.HUMAN,
    first_ms=1,
    last_ms=2,
    known_days=3,
    active_hours=(1,) * 48,
    weekdays=((9, None),) * 7,
    usual=(UsualVolume(channel="all", counted="rows", days=3, usual_hour=4),),
    new=(NewTrait(what="network", value="192.0.2.0/24", first_ms=1),),
    last_used={"network": {4_294_967_295: 20_000}},
)
ACTIVITY = ActivityRecord(
    tenant="t", shard=3, start_ms=600_000, end_ms=1_200_000, rows={"contact": 5}, events={"elf/query": 2}
)


def test_records_come_back_as_they_were_written() -> None:
    """Both kinds of record, and what they do not know is left out of what they consist of."""
    assert decode_identity(encode(IDENTITY)) == IDENTITY
    assert decode_activity(encode(ACTIVITY)) == ACTIVITY
    body = json.loads(encode(IDENTITY))
    assert body["version"] == 1
    assert body["usual"] == [{"channel": "all", "counted": "rows", "days": 3, "usual_hour": 4}]
    assert body["last_used"] == {"network": {"4294967295": 20000}}


def test_a_ticks_key_names_its_tenant_time_and_shard() -> None:
    """So that what is sent again takes the place of what was sent before, and of nothing else."""
    assert ACTIVITY.key == "t|600000|3"


@pytest.mark.parametrize(("decode", "record"), [(decode_identity, IDENTITY), (decode_activity, ACTIVITY)])
def test_a_reader_passes_over_new_fields_and_refuses_another_version(decode: Any, record: Any) -> None:
    """Fields that a later release adds are ignored; a record of another version, or none at all, is refused."""
    body = json.loads(encode(record))
    assert decode(json.dumps(body | {"added_later": [1]}).encode()) == record
    with pytest.raises(PublishedRecordError, match="a record of version 2; this release reads 1"):
        decode(json.dumps(body | {"version": 2}).encode())
    for data in (b"", b"[]", b"{}", b"\xff", encode(record)[:-1]):
        with pytest.raises(PublishedRecordError, match="not a record of version 1"):
            decode(data)


@pytest.mark.parametrize("record", [IdentityRecord, ActivityRecord, UsualVolume, NewTrait])
def test_every_field_is_documented(record: Any) -> None:
    """The page on topics names each field of each published record."""
    page = Path(__file__).parents[2] / "docs" / "topics.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in record.__struct_fields__ if f"`{name}`" not in text] == []
