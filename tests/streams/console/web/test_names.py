"""Names beside ids on the console's pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.detector.make import START_MS
from tests.streams.console.make import Client, Site, alert, entry_record, identity_record


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A console with an incident of ``t/u``, another identity, and a directory that knows the first."""
    known = {"owner": "Mia Lund", "department": "Sales", "mail": "anna@example.com", "site": "Lyon"}
    away = {"absent_from_ms": START_MS, "absent_until_ms": START_MS + 86_400_000}
    records = [
        alert(
            0, unmapped={"crmwatch": {"identity": "t/u", "names": {"u": "Anna Berg", "0H4": "Post Office"}}}
        ),
        identity_record(0),
        identity_record(1, "v"),
        entry_record(0, id="u", name="Anna <b>Berg</b>", **known, **away),
        entry_record(1, id="w", name="Cara"),
    ]
    with Site(tmp_path, *records) as running:
        yield running


def test_an_identitys_page_says_who_it_is(site: Site) -> None:
    """Name, owner, department, mail, site and absence, escaped; of one that it does not know nothing of the kind."""
    client = Client(site)
    page = client.get("/identity?id=t%2Fu").text
    for text in (
        "Anna &lt;b&gt;Berg&lt;/b&gt;",
        "Mia Lund",
        "Sales",
        "anna@example.com",
        "Lyon",
        "Away until",
    ):
        assert text in page
    assert "<b>Berg" not in page
    assert "Owner" not in client.get("/identity?id=t%2Fv").text


def test_an_incidents_page_names_its_identity_and_owner(site: Site) -> None:
    """Beside the id; the files of its tables have the name, too."""
    client = Client(site)
    page = client.get("/incidents/crmwatch-1").text
    assert "Anna &lt;b&gt;Berg&lt;/b&gt;" in page
    assert "Mia Lund" in page
    assert "Post Office" in page


@pytest.mark.parametrize("text", ["anna", "ANNA@example.com", "berg"])
def test_an_identity_is_found_by_its_name_in_the_directory(site: Site, text: str) -> None:
    """Its table has the name, and the incident is found by the name that its alert bears."""
    client = Client(site)
    found = json.loads(client.get(f"/search?q={text}&as=json&table=identities").text)
    assert [(row["identity"], row["name"]) for row in found["rows"]] == [("t/u", "Anna <b>Berg</b>")]
    incidents = json.loads(client.get(f"/search?q={text}&as=json&table=incidents").text)
    assert [row["uid"] for row in incidents["rows"]] == (["crmwatch-1"] if "@" not in text else [])


def test_a_name_that_only_records_carry_is_shown_as_well(tmp_path: Path) -> None:
    """Beside the identity of an incident that the directory does not know."""
    records = [
        alert(0, unmapped={"crmwatch": {"identity": "t/u"}}),
        identity_record(0, actor_name="dora@example.com"),
    ]
    with Site(tmp_path, *records) as site:
        client = Client(site)
        assert "dora@example.com" in client.get("/incidents/crmwatch-1").text
        table = json.loads(client.get("/search?q=dora&as=json&table=incidents").text)
        assert {row["named"] for row in table["rows"]} <= {"dora@example.com"}
