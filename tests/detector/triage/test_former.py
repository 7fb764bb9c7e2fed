from __future__ import annotations

import msgspec

from detector.triage.triage import DESK_VERSION, Desk
from tests.detector.make import (
    DAY_MS,
)
from tests.detector.triage.triages import NOON_MS, SETTINGS, Store, anew, body, crossed, told

# Of one known, one whose published incident is open, and one whose incident nobody has been told of: as the release
# that judged windows of an hour stored them.
FORMER = {
    b"ct|20514|human|volume|query|3600000": "9601cd100fce0101e0e101cd3021810001",
    b"st/calm": "930107c0",
    b"st/odd": """
        930105dc0015a174a36f6464a568756d616ec0cf0000019cabd92260cf0000019cabd83800cf0000019cabd92260cf0000019cabd9226081
        a6766f6c756d659ca6766f6c756d65a57175657279ce0036ee80cf0000019cabd83800cf0000019cabd92260cd012ccb404aa6e5935b75b8
        cb4072d87ec7e77de5cb40004155fbbe4a071400c39196a57175657279a6766f6c756d65ce0036ee80cf0000019cabd83800cd012c81a443
        617365cd012c808000919ca3652d35cf0000019cabd84b88a57175657279cd012c91a443617365c0c0c0c0c0a474657374a56c6f673a3580
        8080000000c2""",
    b"st/thief": """
        930104dc0015a174a57468696566a568756d616ea3416461cf0000019cabd92260cf0000019cabd83800cf0000019cac1010e0cf0000019c
        ac1010e082a6766f6c756d659ca6766f6c756d65a57175657279ce05265c00cf0000019cabd83800cf0000019cabd92260cd36b0cb404b5c
        9f1ba961d5cb4073570ba5092814cb40140000000000001400c3a66578706f72749ca66578706f7274a57175657279ce0036ee80cf000001
        9cac0f2680cf0000019cac1010e0cd1f40cb404aa6e5935b75b8cb4072d87ec7e77de5cb40140000000000001400c39496a57175657279a6
        766f6c756d65ce0036ee80cf0000019cabd83800cd138881a443617365cd138896a57175657279a6766f6c756d65ce0036ee80cf0000019c
        ac0f2680cd232882a443617365cd1770a7436f6e74616374cd0bb896a57175657279a6766f6c756d65ce05265c00cf0000019cabd83800cd
        36b082a443617365cd2af8a7436f6e74616374cd0bb896a57175657279a66578706f7274ce0036ee80cf0000019cac0f2680cd1f4081a443
        617365cd1f40808000939ca3652d31cf0000019cabd83be8a57175657279cd138891a443617365c0c0c0c0c0a474657374a56c6f673a319c
        a3652d32cf0000019cabd83fd0a57175657279cd232891a443617365c0c0c0c0c0a474657374a56c6f673a329ca3652d34cf0000019cabd8
        47a0a57175657279cd1f4091a443617365c0c0c0c0c0a474657374a56c6f673a3480808003cd36b005c2""",
}
FORMER_UID = "crmwatch-afb1b39ab8a2875e1833918e"


def former() -> tuple[Desk, Store]:
    """A desk that has taken such a store over."""
    store = {key: bytes.fromhex(value) for key, value in FORMER.items()}
    desk = Desk(SETTINGS, store)
    desk.restore(list(store))
    return desk, store


def test_version_1_is_not_judged_again() -> None:
    """Whoever has been judged up to a signal stays so; the next signal is judged."""
    desk, _ = former()
    for actor, sequence in (("calm", 7), ("odd", 5), ("thief", 4)):
        assert desk.judge(crossed(sequence, 10**6, 30, actor=actor)) == []
    assert desk.skipped == 3
    assert told(desk.judge(crossed(8, 5_000, actor="calm"))) == [("CREATE", 5_000)]


def test_a_published_incident_of_version_1_goes_on() -> None:
    """Under its name, with its rows, reasons and evidence: it grows, and it closes; what nobody was told of is gone."""
    desk, _ = former()
    (incident,) = desk.open_incidents
    assert (incident.actor, incident.actor_name) == ("thief", "Ada")
    assert desk.judge(crossed(5, 2_000, actor="thief", actor_name="Ada")) == []
    (grown,) = desk.judge(crossed(6, 30_000, 1, actor="thief", actor_name="Ada"))
    (over,) = desk.advance(NOON_MS + 3 * DAY_MS)
    assert told([grown, over]) == [("UPDATE", 30_000), ("CLOSE", 30_000)]
    assert {grown.uid, over.uid} == {FORMER_UID}
    assert [one["uid"] for one in body(grown)["evidences"]] == ["e-1", "e-2", "e-4", "e-5", "e-6"]


def test_a_published_incident_of_version_1_closes_as_it_was() -> None:
    """If nothing more is heard, it is closed with what it had: 14,000 rows, 11,000 of them cases."""
    desk, _ = former()
    (over,) = desk.advance(NOON_MS + 3 * DAY_MS)
    assert (told([over]), over.uid) == ([("CLOSE", 14_000)], FORMER_UID)
    assert over.sentence.startswith(
        "The user “Ada” (thief) took out 14,000 rows (Case 11,000, Contact 3,000) by API query"
    )
    assert body(over)["finding_info"]["types"] == ["export", "volume"]


def test_version_1_is_stored_anew() -> None:
    """Its cells are deleted, its incidents stored as this release has them; taken over again, nothing has changed."""
    desk, store = former()
    assert {key: None for key in store if key.startswith(b"c")}.items() <= desk.changes().items()
    again = anew(desk, store)
    assert not [key for key in store if key.startswith(b"c")]
    assert msgspec.msgpack.decode(store[b"st/thief"])[0] == DESK_VERSION
    assert again.open_incidents == desk.open_incidents
    assert again.changes() == {}
