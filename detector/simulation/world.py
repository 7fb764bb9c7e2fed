"""A small airline's CRM as Salesforce EventLogFile rows: people on shifts, integrations, and one theft.

The same seed gives the same rows. Numbers of rows are log-normal, as they are in real logs; nights and
weekends are quiet. The theft follows the public accounts of August 2025 (UNC6395): a stolen integration token
used from a new host by a script, which counts, samples, and then takes everything by a bulk query whose job
it deletes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import msgspec

from detector.units import HOUR_MS

__all__ = ["Theft", "World", "accounts", "records"]

ORGANISATION = "00D4R000001kSky"

_BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
_THIEF_AGENT = "python-requests/2.32.4"
_THIEF_IP = "192.0.2.77"
_OBJECTS = ("Case", "Contact", "Account", "EmailMessage", "Loyalty__c")


class Theft(msgspec.Struct, frozen=True):
    """A stolen integration token, used from `start_ms` on."""

    start_ms: int
    rows: int = 60_000
    integration: int = 0
    """Which integration's token it was."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate."""

    seed: int
    start_ms: int
    hours: int
    people: int = 120
    integrations: int = 6


class _Person(msgspec.Struct, frozen=True):
    user: str
    ip: str
    shift: int
    busy: float
    analyst: bool


def records(world: World, theft: Theft | None = None) -> Iterator[tuple[int, bytes]]:
    """The world's rows in the order of their time: (event time in ms, one row as JSON).

    >>> world = World(seed=1, start_ms=1_772_409_600_000, hours=24, people=4, integrations=1)
    >>> len(list(records(world))) == len(list(records(world))) > 50
    True
    """
    random = Random(world.seed)  # noqa: S311 - a simulation, not a secret
    people = [_person(random, number) for number in range(world.people)]
    stolen = sorted(_theft_rows(world, theft), key=lambda row: row[0]) if theft is not None else []
    for hour in range(world.hours):
        start = world.start_ms + hour * HOUR_MS
        rows: list[tuple[int, dict[str, str]]] = []
        for person in people:
            rows += _person_hour(random, person, start)
        for number in range(world.integrations):
            rows += _integration_hour(random, world, number, start)
        while stolen and stolen[0][0] < start + HOUR_MS:
            rows.append(stolen.pop(0))
        rows.sort(key=lambda row: row[0])
        for time_ms, row in rows:
            yield time_ms, msgspec.json.encode(row)


def accounts(world: World) -> tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]:
    """The users' ids, and each integration's id with its app's name and its address."""
    people = tuple(_user(number) for number in range(world.people))
    programs = []
    for number in range(world.integrations):
        user, ip, _ = _integration(number)
        programs.append((user, f"skyward-sync-{number + 1}", ip))
    return people, tuple(programs)


def _user(number: int) -> str:
    return f"0054R{number:010d}"


def _person(random: Random, number: int) -> _Person:
    return _Person(
        user=_user(number),
        ip=f"203.0.113.{1 + number % 20}",
        shift=random.choice((5, 6, 8, 13)),
        busy=random.lognormvariate(2.0, 0.5),
        analyst=number % 12 == 0,
    )


def _person_hour(random: Random, person: _Person, start_ms: int) -> list[tuple[int, dict[str, str]]]:
    now = datetime.fromtimestamp(start_ms / 1000, UTC)
    working = 0 <= now.hour - person.shift < 9 and (now.weekday() < 5 or person.shift == 6)
    if not working:
        return []
    rows = []
    if now.hour == person.shift:
        rows.append(
            _row(random, start_ms, "Login", person.user, SOURCE_IP=person.ip, LOGIN_STATUS="LOGIN_NO_ERROR",
                 BROWSER_TYPE=_BROWSER, LOGIN_TYPE="Application")
        )  # fmt: skip
    for _ in range(_poisson(random, person.busy)):
        kind = random.choice(("Case", "Case", "Contact", "Account"))
        rows.append(
            _row(random, start_ms, "LightningPageView", person.user, CLIENT_IP=person.ip, USER_AGENT=_BROWSER,
                 PAGE_ENTITY_TYPE=kind, PAGE_ENTITY_ID=f"500{random.randrange(10**12):012d}",
                 PAGE_URL=f"/lightning/r/{kind}/view")
        )  # fmt: skip
    for _ in range(_poisson(random, 0.5 if person.analyst else 0.12)):
        size = _heavy(random, 6.2 if person.analyst else 3.8, 0.8)
        rows.append(
            _row(random, start_ms, "Report", person.user, CLIENT_IP=person.ip, ROW_COUNT=str(size),
                 AVERAGE_ROW_SIZE="180", NUMBER_COLUMNS="9", ENTITY_NAME=random.choice(_OBJECTS),
                 ORIGIN="ReportRun")
        )  # fmt: skip
    return rows


def _integration_hour(
    random: Random, world: World, number: int, start_ms: int
) -> list[tuple[int, dict[str, str]]]:
    user, ip, agent = _integration(number)
    kind = _OBJECTS[number % len(_OBJECTS)]
    rows = [
        _row(random, start_ms, "RestApi", user, CLIENT_IP=ip, USER_AGENT=agent, METHOD="GET",
             STATUS_CODE="200", ENTITY_NAME=kind, ROWS_PROCESSED=str(_heavy(random, 4.5 + number % 3, 0.5)),
             CONNECTED_APP_ID=f"0H44R{number:010d}", RESPONSE_SIZE=str(_heavy(random, 10, 0.5)))
        for _ in range(8 + number % 5)
    ]  # fmt: skip
    if datetime.fromtimestamp(start_ms / 1000, UTC).hour == 2 and number % 2 == 0:
        size = _heavy(random, 8.0 + number % 3, 0.25)
        rows += _bulk_job(
            random, start_ms + 600_000, user, ip, kind, size, f"7504R{random.randrange(10**10):010d}"
        )
    return rows


def _bulk_job(
    random: Random, start_ms: int, user: str, ip: str, kind: str, size: int, job: str
) -> list[tuple[int, dict[str, str]]]:
    states = (
        ("UploadComplete", 0),
        ("InProgress", size // 3),
        ("InProgress", 2 * size // 3),
        ("JobComplete", size),
    )
    return [
        _row(random, start_ms + step * 40_000, "BulkApi2", user, spread_ms=1000, CLIENT_IP=ip, JOB_ID=job,
             JOB_STATUS=state, ENTITY_TYPE=kind, OPERATION_TYPE="query", RECORDS_PROCESSED=str(done),
             RECORDS_FAILED="0", RESULT_SIZE_MB=str(round(done * 0.0004, 3)))
        for step, (state, done) in enumerate(states)
    ]  # fmt: skip


def _theft_rows(world: World, theft: Theft) -> list[tuple[int, dict[str, str]]]:
    random = Random(world.seed + 1)  # noqa: S311 - it must be the same again
    user, _, _ = _integration(theft.integration)
    begin = theft.start_ms
    rows = [
        _row(random, begin, "Login", user, spread_ms=500, SOURCE_IP=_THIEF_IP, LOGIN_STATUS="LOGIN_NO_ERROR",
             BROWSER_TYPE=_THIEF_AGENT, LOGIN_TYPE="i")
    ]  # fmt: skip
    for step, kind in enumerate(("Account", "Contact", "User", "Case")):
        rows.append(
            _row(random, begin + 20_000 * (step + 1), "RestApi", user, spread_ms=500, CLIENT_IP=_THIEF_IP,
                 USER_AGENT=_THIEF_AGENT, METHOD="GET", STATUS_CODE="200", ENTITY_NAME=kind,
                 ROWS_PROCESSED="20", RESPONSE_SIZE="9000")
        )  # fmt: skip
    for step, kind in enumerate(("Case", "Contact")):
        job = f"7504Rstolen{step:04d}"
        at = begin + 180_000 + step * 240_000
        rows += _bulk_job(random, at, user, _THIEF_IP, kind, (theft.rows + step) // 2, job)
        rows.append(
            _row(random, at + 226_000, "BulkApi2", user, spread_ms=500, CLIENT_IP=_THIEF_IP, JOB_ID=job,
                 JOB_STATUS="Deleted", ENTITY_TYPE=kind, OPERATION_TYPE="query")
        )  # fmt: skip
    return rows


def _integration(number: int) -> tuple[str, str, str]:
    return f"0054R9{number:09d}", f"198.51.100.{10 + number}", f"skyward-sync/{number + 1}.2"


def _row(
    random: Random, start_ms: int, event_type: str, user: str, *, spread_ms: int = HOUR_MS, **columns: str
) -> tuple[int, dict[str, str]]:
    time_ms = start_ms + random.randrange(spread_ms)
    stamp = datetime.fromtimestamp(time_ms / 1000, UTC)
    text = stamp.strftime("%Y%m%d%H%M%S") + f".{time_ms % 1000:03d}"
    row = {
        "EVENT_TYPE": event_type,
        "TIMESTAMP": text,
        "TIMESTAMP_DERIVED": stamp.strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ms % 1000:03d}Z",
        "REQUEST_ID": f"TID:{random.randrange(10**14):014d}",
        "ORGANIZATION_ID": ORGANISATION,
        "USER_ID": user,
        "USER_TYPE": "Standard",
        "RUN_TIME": str(random.randrange(20, 900)),
        "DB_TOTAL_TIME": str(random.randrange(10**6, 10**9)),
    }
    return time_ms, row | columns


def _poisson(random: Random, mean: float) -> int:
    """Arrivals within one unit of time (exponential gaps)."""
    count = 0
    left = random.expovariate(1.0)
    while left < mean:
        count += 1
        left += random.expovariate(1.0)
    return count


def _heavy(random: Random, mu: float, sigma: float) -> int:
    return 1 + int(random.lognormvariate(mu, sigma))
