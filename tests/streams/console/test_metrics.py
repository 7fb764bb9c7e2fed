from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.config import Config, ConsoleSettings, WorkerSettings
from streams.console.metrics import METRICS, MeteredApp
from streams.console.store.freshness import Freshness
from streams.console.web.auth import Sessions
from tests.streams.console.test_live import Running, until

GIVEN = "the-token-of-zenobia-and-of-nobody-else"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A console with a token, and without Kafka."""
    (tmp_path / "tokens").write_text(f"zenobia analyst {GIVEN}", encoding="utf-8")
    console = ConsoleSettings(
        tokens_file=str(tmp_path / "tokens"), audit_file=str(tmp_path / "audit"), names=("soc.example.org",)
    )
    config = Config(worker=WorkerSettings(bootstrap="127.0.0.1:1"), console=console)
    found = Running(config, tmp_path / "index.sqlite")
    yield found
    found.stop()


def scraped(running: Running) -> dict[str, float]:
    """Every series of the console's and its value."""
    status, headers, text = running.ask("GET", "/metrics")
    assert status == 200
    assert {name.lower(): value for name, value in headers.items()}["content-type"].startswith("text/plain;")
    assert "zenobia" not in text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("crmwatch_")]
    assert "process_resident_memory_bytes" in text
    return {name.removeprefix("crmwatch_console_"): float(value) for name, value in lines}


def test_a_scrape_says_how_much_it_is_used_and_nothing_of_anybody(running: Running) -> None:
    """Sessions, browsers that follow and refusals by status, whoever asks; never a person."""
    first = scraped(running)
    assert (first["sessions"], first["connected_browsers"]) == (0, 0)
    assert "failed_requests_total" not in " ".join(first)
    form = f"token={GIVEN}"
    _, headers, _ = running.ask("POST", "/sign-in", form)
    cookie = headers["set-cookie"].split(";")[0]
    assert running.ask("POST", "/sign-in", "token=a-guess")[0] == 401
    assert running.ask("GET", "/admin", cookie=cookie)[0] == 403
    assert running.ask("GET", "/nothing", cookie=cookie)[0] == 404

    following = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    following.request("GET", "/events", headers={"cookie": cookie})
    following.getresponse().read(10)
    assert running.ask("GET", "/events")[0] == 401
    found = scraped(running)
    assert (found["sessions"], found["connected_browsers"]) == (1, 1)
    refused = {name: value for name, value in found.items() if name.startswith("failed_requests_total")}
    assert refused == {
        'failed_requests_total{status="401"}': 2,
        'failed_requests_total{status="403"}': 1,
        'failed_requests_total{status="404"}': 1,
    }
    running.ask("POST", "/sign-out", f"csrf={csrf(running, cookie)}", cookie)
    following.close()
    until(lambda: scraped(running)["connected_browsers"] == 0)
    assert scraped(running)["sessions"] == 0


def test_a_scrape_says_whether_it_follows_kafka(tmp_path: Path) -> None:
    """How many records it is behind only while that is known, and that the feed is lost until it is found again."""
    freshness = Freshness()

    async def nothing(*_: object) -> None:
        """No application is asked for here."""

    watched = MeteredApp(nothing, freshness, Sessions(ConsoleSettings()))

    def value(name: str) -> list[float]:
        [family] = [one for one in watched.collect() if one.name == f"crmwatch_console_{name}"]
        return [sample.value for sample in family.samples]

    assert (value("feed_lost"), value("lag_records")) == ([0], [])
    freshness.lost("nobody is there")
    assert (value("feed_lost"), value("lag_records")) == ([1], [])
    freshness.heard(7)
    assert (value("feed_lost"), value("lag_records")) == ([0], [7])


def test_every_metric_is_exported_by_its_name(running: Running) -> None:
    """All that are defined, with the labels that are said; what is not known is absent."""
    assert running.ask("GET", "/nothing")[0] in (303, 421)
    text = running.ask("GET", "/metrics")[2]
    for metric in METRICS:
        name = f"crmwatch_{metric.name}".removesuffix("_total" if metric.type == "counter" else "")
        assert f"# TYPE {name}{'_total' if metric.type == 'counter' else ''} {metric.type}" in text


def csrf(running: Running, cookie: str) -> str:
    """What a form of this session holds."""
    page: str = running.ask("GET", "/", cookie=cookie)[2]
    return page.split('name="csrf" value="')[1].split('"')[0]
