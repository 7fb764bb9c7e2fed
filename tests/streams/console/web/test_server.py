from __future__ import annotations

import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.decision import Kind
from streams.config import Config, ConsoleSettings, WorkerSettings
from streams.console.web.auth import REREAD_SECONDS
from streams.console.web.sign_in import HEADERS
from tests.detector.make import START_MS
from tests.streams.console.make import Client, Site, alert, decided, identity_record, ticks
from tests.streams.locale.english import english_in
from tests.streams.report.make import body
from tests.streams.report.test_page import spoilt

PAGES = (
    "/",
    "/search?q=t%2F",
    "/sources",
    "/mutes",
    "/identity?id=t%2Fu",
    "/incidents/crmwatch-1",
    "/incidents/none",
    "/admin",
    "/nothing",
)
GIVEN = "the-token-of-{}-and-nobody-else"


def records(word: str = "plain") -> list[Any]:
    """Records with one word in every field that a log or an operator gives."""
    hostile = spoilt(word).told[0].history.finding
    found = body()
    found["finding_info"] |= {"title": word, "desc": word, "types": [word]}
    found["finding_info"]["attacks"][0]["sub_technique"] = {"uid": word, "name": word}
    found["evidences"][0] |= {
        "actor": {"user": {"uid": word, "name": word}, "app_uid": word},
        "api": {"operation": word},
        "src_endpoint": {"ip": word},
        "http_request": {"user_agent": word},
    }
    found["evidences"][0]["data"]["objects"] = [word]
    found["resources"][0]["name"] = word
    found["remediation"]["desc"] = word
    found["metadata"]["tenant_uid"] = word
    found["unmapped"]["crmwatch"] |= {"identity": f"t/{word}", "network": word, "names": {word: word}}
    found["observables"] = []
    found["anomaly_analyses"][0]["analysis_targets"] = [{"type": "source", "name": f"t/{word}"}]
    assert hostile.title == word
    other = dict(found["evidences"][0], uid="e-2", actor={"user": {"uid": f"{word}2"}})
    person = {"kind": Kind.ASSIGN, "assignee": word, "by": word, "reason": word}
    return [
        alert(0, **found),
        alert(1, "crmwatch-2", **(found | {"evidences": [other]})),
        decided(0, **person),
        decided(1, Kind.BREACH, by=word, reason=word),
        decided(2, Kind.STEP, by=word, reason=word, step_id=word, done=True),
        *ticks(6, {"contact": 5, word: 2}, {f"elf/{word}": 3}),
        identity_record(0),
        identity_record(1, f"{word}", actor_name=word, user_agent=word, app=word, objects=(word,)),
    ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A console that is open to this machine, with an incident and all else."""
    config = Config(worker=WorkerSettings(bootstrap="127.0.0.1:1"))  # nothing is there
    with Site(tmp_path, *records(), config=config) as running:
        yield running


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Site]:
    """A console with tokens for each role."""
    path = tmp_path / "tokens"
    lines = [f"{role}-person {role} {GIVEN.format(role)}" for role in ("viewer", "analyst", "admin")]
    path.write_text("\n".join(lines), encoding="utf-8")
    config = Config(
        worker=WorkerSettings(bootstrap="127.0.0.1:1"), console=ConsoleSettings(tokens_file=str(path))
    )
    with Site(tmp_path, *records(), config=config) as running:
        yield running


def signed_in(site: Site, role: str) -> Client:
    """Somebody with a role."""
    client = Client(site)
    answer = client.post("/sign-in", csrf="", token=GIVEN.format(role))
    assert answer.status == 303
    return client


class Census(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags[tag, tuple(sorted(name for name, _ in attrs))] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]


# --- what every answer is


def test_every_page_is_guarded_by_its_headers(site: Site) -> None:
    """Pages, errors and files forbid whatever is not ours, and nothing that a page holds needs more."""
    client = Client(site)
    for path in (*PAGES, "/static/console.js", "/static/console.css", "/?table=incidents&as=csv", "/sign-in"):
        answer = client.get(path)
        assert answer.status in (200, 404), path
        if path != "/nothing":
            assert {
                name.lower(): value for name, value in HEADERS.items()
            }.items() <= answer.headers.items(), path
        if answer.headers["content-type"].startswith("text/html"):
            census = Census(answer.text)
            names = {name for _, name, _ in census.attributes}
            assert not [name for name in names if name == "style" or name.startswith("on")]
            assert not {"style", "iframe", "object", "base", "meta-refresh"} & {tag for tag, _ in census.tags}
            loaded = [value for tag, name, value in census.attributes if (tag, name) in LOADS]
            assert loaded
            assert all(value.startswith("/static/") for value in loaded)
            assert answer.headers["cache-control"] == "no-store"
            assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http" not in client.get("/static/console.css").text


LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("source", "src"), ("image", "href")}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/search?since=0001-01-01&until=9999-12-31", 200),
        ("/search?since=9999-12-31&until=0001-01-01", 200),
        (f"/search?until={'9' * 5_000}", 200),
        ("/search?" + "&".join(f"x{number}=1" for number in range(40)), 400),
        (f"/search?q={'9' * 9_000}", 400),
    ],
)
def test_an_address_that_asks_too_much_gets_an_answer(site: Site, path: str, status: int) -> None:
    """The last and first days, numbers of thousands of digits and dozens of fields: a page, or a sentence why not."""
    answer = Client(site).get(path)
    assert answer.status == status
    assert ("too many fields" in answer.text) == (status == 400)


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(site: Site) -> None:
    """HttpOnly and SameSite=Strict; language and theme likewise."""
    client = Client(site)
    answer = client.get("/")
    assert re.fullmatch(
        r"crmwatch_session=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", answer.headers["set-cookie"]
    )
    assert "set-cookie" not in client.get("/").headers
    chosen = client.get("/?lang=fr")
    assert "HttpOnly" in chosen.headers["set-cookie"]
    assert '<html lang="fr"' in chosen.text
    assert '<html lang="fr"' in client.get("/sources").text
    client.get("/?theme=dark")
    assert 'data-theme="dark"' in client.get("/").text
    assert '<html lang="en"' in Client(site).get("/?lang=xx&theme=xx").text


def test_only_its_own_name_is_answered_to(site: Site) -> None:
    """A name that somebody else's page has been made to lead here by is refused, for pages and the feed."""
    for host in (
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::1",
        "",
    ):
        for path in ("/", "/events"):
            assert Client(site).get(path, host=host).status in (400, 421), host
    for host in ("localhost", "127.0.0.1:9", "[::1]:80", "LOCALHOST:1"):
        assert Client(site).get("/", host=host).status == 200, host


def test_it_answers_to_the_names_that_are_set(tmp_path: Path) -> None:
    """And to no others."""
    with Site(tmp_path, names=("soc.example",)) as running:
        assert Client(running).get("/", host="SOC.example:8321").status == 200
        assert Client(running).get("/", host="soc.example.evil").status == 421


# --- what an attacker writes


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'><svg/onload=alert(1)>",
        "</title></script></style></textarea><b>x",
        '" onmouseover="alert(1)" style="x"',
        "javascript:alert(1)//",
        "{{ 7*7 }}{% raw %}",
        "{n}{time}{0}{name.__class__}",
        "a/b?c=d&e=f#g%2F..%00",
        "\u202e\u2066\x00\x1b[2J",
    ],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_that_a_log_says_becomes_part_of_a_page(tmp_path: Path, attack: str, language: str) -> None:
    """With a hostile word in every field each page has the same elements and attributes as with a plain one."""
    found = []
    for name, word in (("plain", "plain"), ("hostile", attack)):
        folder = tmp_path / name
        folder.mkdir()
        with Site(folder, *records(word)) as running:
            client = Client(running, accept_language=language)
            found.append([client.get(path) for path in (*PAGES, "/search")])
    for path, plain, hostile in zip((*PAGES, "search"), *found, strict=True):
        assert plain.status == hostile.status, path
        ours, theirs = Census(plain.text), Census(hostile.text)
        assert theirs.tags == ours.tags, path
        for _, attribute, value in theirs.attributes:
            if attribute in ("href", "src", "action"):
                assert value.startswith(("/", "#", "https://attack.mitre.org/")), value
                assert not value.startswith("//"), value
        assert not {"\u202e", "\u2066", "\x00", "\x1b"} & set(hostile.text), path


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_french_says_nothing_in_english(site: Site, path: str) -> None:
    """Neither of its own nor in what an alert says."""
    page = Client(site, accept_language="fr").get(path).text
    assert '<html lang="fr"' in page
    assert english_in(page) == {}


def test_hostile_names_lead_to_their_own_pages(tmp_path: Path) -> None:
    """Whatever an identity is called, its link leads to it, and an incident whose name is odd is found by its link."""
    word = "a/b?c=d&e=f#g%2F..\"'<"
    with Site(tmp_path, *records(word), alert(9, f"crmwatch-{word}")) as running:
        client = Client(running)
        page = client.get("/search")
        links = {value for tag, name, value in Census(page.text).attributes if (tag, name) == ("a", "href")}
        ours = [link for link in links if link.startswith(("/identity", "/incidents/"))]
        assert len(ours) >= 4
        for link in ours:
            assert client.get(link).status == 200, link


# --- who may what


def test_a_form_that_is_not_ours_changes_nothing(site: Site) -> None:
    """Without the session's own token, with another's, from another site, or without a session."""
    client = Client(site)
    other = Client(site)
    client.get("/")
    theirs = re.search(r'name="csrf" value="([^"]+)"', other.get("/admin").text)
    assert theirs
    for given in ("", "x", theirs[1]):
        assert client.post("/incidents/crmwatch-1", csrf=given, action="acknowledge").status == 403
    ours = re.search(r'name="csrf" value="([^"]+)"', client.get("/admin").text)
    assert ours
    client.headers["sec-fetch-site"] = "cross-site"
    assert client.post("/incidents/crmwatch-1", csrf=ours[1], action="acknowledge").status == 403
    client.cookies.clear()
    client.headers.clear()
    assert client.post("/incidents/crmwatch-1", csrf=ours[1], action="acknowledge").status == 403
    refused = [line for line in site.audit() if line["audit"] == "refused"]
    assert len(refused) == 5
    assert not [line for line in site.audit() if line["audit"].startswith("decision")]


def test_an_action_that_does_not_arrive_says_so(site: Site) -> None:
    """Without Kafka nothing is decided, the page says it, and the audit log has who wanted what."""
    client = Client(site)
    client.get("/")
    answer = client.post("/incidents/crmwatch-1", action="disposition", reason="over")
    assert answer.status == 400
    assert "nothing was decided" in answer.text
    [line] = [line for line in site.audit() if line["audit"] == "decision_failed"]
    assert (line["incident"], line["kind"], line["payload"], line["reason"], line["role"]) == (
        "crmwatch-1",
        "disposition",
        {"outcome": "closed"},
        "over",
        "admin",
    )
    assert client.post("/incidents/none", action="acknowledge").status == 404
    assert "say why" in client.post("/incidents/crmwatch-1", action="disposition").text


def test_roles_bound_what_somebody_sees_and_does(guarded: Site) -> None:
    """A viewer looks, an analyst decides and reads records, an admin administers; what is refused is noted."""
    statuses = {}
    for role in ("viewer", "analyst", "admin"):
        client = signed_in(guarded, role)
        page = client.get("/incidents/crmwatch-1")
        statuses[role] = (
            page.status,
            "/record?" in page.text,
            'id="actions"' in page.text,
            client.get("/record?incident=crmwatch-1&event=e-1").status,
            client.get("/admin").status,
            client.post("/incidents/crmwatch-1", action="acknowledge").status,
            client.post("/admin", action="nothing").status,
        )
    assert statuses == {  # 400: let through, but there is no Kafka
        "viewer": (200, False, False, 403, 403, 403, 403),
        "analyst": (200, True, True, 400, 403, 400, 403),
        "admin": (200, True, True, 400, 200, 400, 400),
    }
    refused = [(line["who"], line["path"]) for line in guarded.audit() if line["audit"] == "refused"]
    assert refused == [
        ("viewer-person", "/record"),
        ("viewer-person", "/admin"),
        ("viewer-person", "/incidents/crmwatch-1"),
        ("viewer-person", "/admin"),
        ("analyst-person", "/admin"),
        ("analyst-person", "/admin"),
    ]
    reads = [line for line in guarded.audit() if line["audit"] == "record_read"]
    assert [(line["who"], line["event"]) for line in reads] == [
        ("analyst-person", "e-1"),
        ("admin-person", "e-1"),
    ]


def test_without_a_token_nothing_is_shown(guarded: Site) -> None:
    """Every page leads to the sign-in and back, the feed and files say 401; a wrong token is noted."""
    client = Client(guarded)
    for path in PAGES[:-1]:
        answer = client.get(path)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/sign-in?to=%2F")
        assert "set-cookie" not in answer.headers
    assert client.get("/events").status == 401
    assert client.get("/?table=incidents&as=csv").status == 401
    assert client.post("/incidents/crmwatch-1", csrf="", action="acknowledge").status == 401
    assert client.post("/sign-in", csrf="", token="wrong").status == 401  # noqa: S106
    assert client.cookies == {}
    assert [line["audit"] for line in guarded.audit()] == ["sign_in_refused"]
    answer = client.post("/sign-in", csrf="", token=GIVEN.format("viewer"), to="/sources")
    assert (answer.status, answer.headers["location"]) == (303, "/sources")
    assert client.get("/sources").status == 200
    assert client.post("/sign-out").status == 303
    assert client.get("/").status == 303


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(guarded: Site, to: str) -> None:
    """An address of somebody else's is replaced by the board's."""
    answer = Client(guarded).post("/sign-in", csrf="", token=GIVEN.format("viewer"), to=to)
    assert answer.headers["location"] == "/"
    assert "evil" not in Client(guarded).get(f"/sign-in?to={to.strip()}".replace("\n", "%0A")).text


def test_tokens_cannot_be_guessed_quickly(guarded: Site) -> None:
    """After ten wrong ones in a minute an address has to wait; the right one gets in: others may share the address."""
    client = Client(guarded)
    statuses = [client.post("/sign-in", csrf="", token=f"guess-{n}").status for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert client.post("/sign-in", csrf="", token=GIVEN.format("admin")).status == 303
    audited = Counter(line["audit"] for line in guarded.audit())
    assert audited == {"sign_in_refused": 10, "sign_in": 1}


def test_a_program_reads_with_its_token(guarded: Site) -> None:
    """In the header, and only to read."""
    program = Client(guarded, authorization=f"Bearer {GIVEN.format('admin')}")
    answer = program.get("/?table=incidents&as=json")
    assert [row["uid"] for row in json.loads(answer.text)["rows"]] == ["crmwatch-1", "crmwatch-2"]
    for _ in range(15):
        program.cookies.clear()
        assert program.get("/?table=incidents&as=json").status == 200
    program.cookies.clear()
    assert program.post("/incidents/crmwatch-1", csrf="", action="acknowledge").status == 401
    assert Client(guarded, authorization="Bearer wrong").get("/?table=incidents&as=json").status == 401
    assert guarded.audit()[-1]["audit"] == "token_refused"


@pytest.mark.slow
def test_requests_with_a_token_begin_no_session(guarded: Site) -> None:
    """However many there are, also when they are refused as too many: whoever is signed in stays so."""
    admin = signed_in(guarded, "admin")
    program = Client(guarded, authorization=f"Bearer {GIVEN.format('viewer')}")
    statuses = Counter(program.get("/nothing").status for _ in range(620))
    assert set(statuses) <= {404, 429}
    assert not program.cookies
    assert [session.person.name for session in guarded.gate.sessions()] == ["admin-person"]
    assert admin.get("/").status == 200


def test_one_person_holds_so_many_feeds(guarded: Site) -> None:
    """One more is refused for now, and others still get theirs."""
    viewer, analyst = signed_in(guarded, "viewer"), signed_in(guarded, "analyst")
    feeds = [connected(guarded, viewer) for _ in range(guarded.config.console.per_person)]
    try:
        assert {feed.getresponse().status for feed in feeds} == {200}
        refused, other = connected(guarded, viewer), connected(guarded, analyst)
        feeds += [refused, other]
        assert refused.getresponse().status == 503
        assert other.getresponse().status == 200
    finally:
        for feed in feeds:
            feed.close()


def connected(site: Site, client: Client) -> http.client.HTTPConnection:
    """A connection on which somebody's feed has been asked for."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection.request("GET", "/events", headers={"accept": "text/event-stream", "cookie": cookie})
    return connection


@pytest.mark.slow
def test_a_token_that_is_taken_away_ends_its_sessions(guarded: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within half a minute, live pages included, and one whose role changes gets the new one; an unreadable
    file changes nothing."""
    viewer, admin = signed_in(guarded, "viewer"), signed_in(guarded, "admin")
    path = Path(str(guarded.config.console.tokens_file))
    text = path.read_text(encoding="utf-8")
    monkeypatch.setattr("streams.console.web.auth.REREAD_SECONDS", 0.0)
    path.write_text("nonsense", encoding="utf-8")
    assert viewer.get("/").status == 200
    live = connected(guarded, viewer)
    feed = live.getresponse()
    lines = [line for line in text.splitlines() if not line.startswith("viewer")]
    path.write_text("\n".join(lines).replace("admin-person admin", "admin-person analyst"), encoding="utf-8")
    assert feed.read().startswith(b"retry: 2000")  # to its end
    live.close()
    assert viewer.get("/").status == 303
    assert admin.get("/admin").status == 303
    assert signed_in(guarded, "admin").get("/admin").status == 403
    assert REREAD_SECONDS <= 30


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        (b"",),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n",),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GE"),
    ],
)
def test_a_request_that_is_never_finished_is_given_up(
    site: Site, sent: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed after some seconds, also when it stood open for one that was answered."""
    monkeypatch.setattr("streams.console.web.protocol.HEAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        for number, part in enumerate(sent):
            if number:
                assert connection.recv(65_536).startswith(b"HTTP/1.1 503")
            connection.sendall(part)
        while connection.recv(65_536):
            pass
    assert Client(site).get("/live").status == 503  # nothing follows Kafka here, but it answers


def test_a_form_that_is_never_finished_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as empty after some seconds."""
    monkeypatch.setattr("streams.console.web.sign_in.FORM_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(b"POST /admin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\naction=")
        assert b" 403 " in connection.recv(65_536).partition(b"\r\n")[0]


def test_a_link_from_elsewhere_finds_the_session(guarded: Site) -> None:
    """A strict cookie does not come with it: our own page leads to the same address once, then the sign-in is shown."""
    answer = Client(guarded, sec_fetch_site="cross-site").get("/incidents/crmwatch-1?x=1")
    assert answer.status == 200
    assert 'content="0; url=/incidents/crmwatch-1?x=1&amp;from=link"' in answer.text
    again = Client(guarded, sec_fetch_site="cross-site").get("/incidents/crmwatch-1?x=1&from=link")
    assert again.status == 303


@pytest.mark.parametrize("path", ["//evil.example/x", "//evil.example"])
def test_a_link_from_elsewhere_leads_nowhere_else(guarded: Site, path: str) -> None:
    """Who comes with a path that is somebody else's address is led to the board."""
    answer = Client(guarded, sec_fetch_site="cross-site").get(path)
    assert 'content="0; url=/?from=link"' in answer.text
    assert "evil" not in answer.text
    assert "evil" not in Client(guarded).get(path).headers["location"]


def test_a_proxy_says_who_somebody_is(tmp_path: Path) -> None:
    """Its headers are believed, a session ends when they say somebody else, and without them nobody comes in."""
    with Site(tmp_path, *records(), proxies=("127.0.0.1",)) as running:
        client = Client(running)
        assert client.get("/").status == 403
        ana = {"X-Forwarded-User": "ana", "X-Forwarded-Role": "viewer"}
        answer = client.get("/", **ana)
        assert "ana" in answer.text
        assert "secure" in answer.headers["set-cookie"].lower()
        assert client.get("/admin", **ana).status == 403
        assert client.get("/admin", **(ana | {"X-Forwarded-Role": "admin"})).status == 200
        assert client.get("/admin", **ana).status == 403
        assert client.get("/").status == 403
        for twice in ("X-Forwarded-User", "X-Forwarded-Role"):
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
            connection.putrequest("GET", "/admin")
            for name, value in (*ana.items(), (twice, "admin")):
                connection.putheader(name, value)
            connection.endheaders()
            assert connection.getresponse().status == 403
            connection.close()
    other = tmp_path / "other"
    other.mkdir()
    with Site(other, proxies=("192.0.2.9",)) as running:
        assert Client(running, **ana).get("/").status == 403


def test_an_admin_ends_a_session(guarded: Site) -> None:
    """Its browser is signed out."""
    viewer, admin = signed_in(guarded, "viewer"), signed_in(guarded, "admin")
    names = re.findall(r'name="session" value="([^"]+)"', admin.get("/admin").text)
    assert len(names) == 2
    assert admin.post("/admin", action="end", session=names[0]).status == 303
    assert viewer.get("/").status == 303
    assert admin.get("/").status == 200


# --- what it serves


def test_every_table_can_be_had_as_a_file(site: Site) -> None:
    """Each that a page shows, as CSV and JSON with the same rows, and it is noted who took it; others are not there."""
    client = Client(site)
    names = {
        "/": ["incidents", "outflow", "sources"],
        "/sources": ["sources", "unreadable"],
        "/mutes": ["mutes"],
    }
    names |= {
        "/search?q=u": ["incidents", "identities"],
        "/identity?id=t%2Fu": ["takes", "seen", "incidents"],
    }
    names["/incidents/crmwatch-1"] = ["taken", "origins", "others", "evidence", "attack", "history"]
    for path, tables in names.items():
        mark = "&" if "?" in path else "?"
        for name in tables:
            text = client.get(f"{path}{mark}table={name}&as=csv")
            data = client.get(f"{path}{mark}table={name}&as=json")
            assert text.status == data.status == 200
            assert text.headers["content-disposition"] == f'attachment; filename="crmwatch-{name}.csv"'
            assert text.text.startswith("\ufeff")
            assert len(text.text.splitlines()) >= len(json.loads(data.text)["rows"]) + 1
        assert client.get(f"{path}{mark}table=nothing&as=csv").status == 404
        assert client.get(f"{path}{mark}table={tables[0]}&as=exe").status == 404
    exports = [line for line in site.audit() if line["audit"] == "export"]
    assert len(exports) == 2 * sum(map(len, names.values()))
    assert all(line["who"] for line in exports)


@pytest.mark.slow
def test_the_feed_says_when_something_has_changed(site: Site) -> None:
    """At once how it stands, then each change; it ends with its session."""
    client = Client(site)
    client.get("/")
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request(
        "GET", "/events", headers={"cookie": f"crmwatch_session={client.cookies['crmwatch_session']}"}
    )
    answer = connection.getresponse()
    assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"

    def told() -> dict[str, Any]:
        for line in iter(answer.readline, b""):
            if line.startswith(b"data: "):
                found: dict[str, Any] = msgspec.json.decode(line[6:])
                return found
        return {}

    first = told()
    assert (first["lost"], first["caught_up"]) == (None, True)
    site.learn(alert(5, "crmwatch-5"))
    assert told()["generation"] == first["generation"] + 1
    site.freshness.lost("gone")
    assert told()["lost"] is not None
    site.gate.end(client.cookies["crmwatch_session"])
    site.freshness.heard(0)
    while told():
        pass
    connection.close()


def test_the_board_changes_with_the_index(site: Site) -> None:
    """A new incident is on it at the next look; one that was closed is not."""
    client = Client(site)
    assert "crmwatch-7" not in client.get("/").text
    site.learn(alert(7, "crmwatch-7"))
    assert "/incidents/crmwatch-7" in client.get("/").text
    site.learn(decided(9, Kind.DISPOSITION, incident="crmwatch-7", time_ms=START_MS, reason="x"))
    assert "/incidents/crmwatch-7" not in client.get("/").text
    assert 'class="state act"' in client.get("/").text


def test_a_search_finds_by_each_field(site: Site) -> None:
    """By part of a user, an address or its network, an app or program, the incident's own name, and by time."""
    client = Client(site)
    site.learn(
        alert(8, "crmwatch-8", evidences=[{**body()["evidences"][0], "uid": "e-8"}]),
        decided(9, Kind.ACKNOWLEDGE),
    )

    def found(query: str) -> set[str]:
        rows = json.loads(client.get(f"/search?table=incidents&as=json&{query}").text)["rows"]
        return {row["uid"] for row in rows}

    assert found("address=192.0.2.7") == {"crmwatch-8"}
    assert found("app=PYTHON-req") == {"crmwatch-8"}
    assert found("user=sync") == {"crmwatch-8"}
    assert found("q=crmwatch-8") == {"crmwatch-8"}
    assert found("q=0h4") == {"crmwatch-8"}
    assert found("user=nobody") == set()
    assert found("address=%25") == set()
    assert found("since=2026-03-11&until=2026-03-11&open=yes") == {"crmwatch-1", "crmwatch-2", "crmwatch-8"}
    assert found("since=2026-03-12") == set()
    assert found("until=2026-03-10") == set()
    assert found("since=nonsense") == found("")
