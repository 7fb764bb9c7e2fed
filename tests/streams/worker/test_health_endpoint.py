from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from streams.worker.health_endpoint import Endpoint


class Health:
    """What the checks say."""

    live: str | None = None
    ready: str | None = "state is being recovered"


@pytest.fixture
def health() -> Health:
    """Alive, not ready."""
    return Health()


@pytest.fixture
def endpoint(health: Health) -> Iterator[Endpoint]:
    """One that serves on a free port of this machine."""
    registry = CollectorRegistry()
    Gauge("crmwatch_test", "A figure.", registry=registry).set(3)
    endpoint = Endpoint("127.0.0.1", 0, registry, live=lambda: health.live, ready=lambda: health.ready)
    endpoint.start()
    yield endpoint
    endpoint.stop()


def get(endpoint: Endpoint, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_prometheus_text(endpoint: Endpoint) -> None:
    """What is in the registry given, in Prometheus's own format."""
    status, kind, body = get(endpoint, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "crmwatch_test 3.0\n" in body
    assert "python_info" not in body


def test_ready_names_the_plug_ins() -> None:
    """Each with its distribution and version, ready or not; `/live` says nothing of them."""
    plugins = {"adapter toy_crm": "toy-crm 1.0", "detector toy": "toy 2"}
    reasons = [None, "starting"]
    endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), lambda: None, lambda: reasons.pop(0), plugins)
    endpoint.start()
    lines = "adapter toy_crm: toy-crm 1.0\ndetector toy: toy 2\n"
    assert [get(endpoint, "/ready")[::2] for _ in range(2)] == [
        (200, "ok\n" + lines),
        (503, "starting\n" + lines),
    ]
    assert get(endpoint, "/live")[2] == "ok\n"
    endpoint.stop()


def test_live_and_ready_are_told_apart(endpoint: Endpoint, health: Health) -> None:
    """200 with ok, or 503 with the reason; each asked anew every time."""
    assert get(endpoint, "/live") == (200, "text/plain; charset=utf-8", "ok\n")
    assert get(endpoint, "/ready") == (503, "text/plain; charset=utf-8", "state is being recovered\n")
    health.live, health.ready = "the event loop has not run for 61 s", None
    assert get(endpoint, "/live")[::2] == (503, "the event loop has not run for 61 s\n")
    assert get(endpoint, "/ready")[::2] == (200, "ok\n")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/table", "/metrics/", "/live/../metrics", "/%0d%0aX:y"])
def test_there_is_nothing_else(endpoint: Endpoint, path: str) -> None:
    """Any other path is not found, and the answer names those there are."""
    assert get(endpoint, path)[::2] == (404, "/metrics, /live, /ready\n")


def test_a_silent_client_keeps_nobody_waiting(endpoint: Endpoint) -> None:
    """Each connection has a thread of its own."""
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=10):
        assert get(endpoint, "/live")[0] == 200


def test_it_stops_answering_when_stopped() -> None:
    """The port is free again, also of one that was never started."""
    for started in (True, False):
        endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), live=lambda: None, ready=lambda: None)
        if started:
            endpoint.start()
        endpoint.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", endpoint.port), timeout=10)


def test_a_port_that_is_taken_is_an_error(endpoint: Endpoint) -> None:
    """It raises at once, before anything else has begun."""
    with pytest.raises(OSError, match="in use"):
        Endpoint("127.0.0.1", endpoint.port, CollectorRegistry(), live=lambda: None, ready=lambda: None)


def test_no_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, asking for this machine's name would delay the start by many seconds."""
    monkeypatch.setattr(socket, "getfqdn", lambda *_: pytest.fail("asked for a name"))
    Endpoint("127.0.0.1", 0, CollectorRegistry(), live=lambda: None, ready=lambda: None).stop()
