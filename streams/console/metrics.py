"""The console's metrics: whether it follows Kafka and how much it is used, never who uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, make_asgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.console.store.directory import ConsoleDirectory
from streams.console.store.freshness import Freshness
from streams.console.web.auth import Sessions
from streams.worker.metric_definitions import Definition

__all__ = ["METRICS", "PATH", "MeteredApp"]

METRICS = (
    Definition("console_feed_lost", "gauge", (), "1 while the console cannot follow Kafka, else 0."),
    Definition(
        "console_lag_records",
        "gauge",
        (),
        "Records not yet in the index; absent while unknown.",
    ),
    Definition("console_connected_browsers", "gauge", (), "Browsers that receive live updates."),
    Definition("console_sessions", "gauge", (), "Open sessions."),
    Definition(
        "console_directory_refused_total",
        "counter",
        (),
        "Changed directory files that were wrong; the entries before stayed.",
    ),
    Definition(
        "console_failed_requests_total", "counter", ("status",), "Requests refused or failed, by HTTP status."
    ),
)
"""Every metric of the console; tests compare documentation, rules and dashboards with it."""

PATH, FEED = "/metrics", "/events"
REFUSED = 400


class MeteredApp:
    """Counts an application's requests and serves ``/metrics`` without sign-in: the metrics name nobody."""

    def __init__(
        self,
        app: ASGIApp,
        freshness: Freshness,
        gate: Sessions,
        directory: ConsoleDirectory | None = None,
    ) -> None:
        self._app = app
        self._freshness = freshness
        self._gate = gate
        self._directory = directory
        self._feeds = 0
        self._refused: Counter[int] = Counter()
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        self._exposition = make_asgi_app(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ``/metrics``, or pass the request on and count its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH:
            await self._exposition(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        following = False

        async def noting(message: Message) -> None:
            nonlocal following
            if message["type"] == "http.response.start":
                if message["status"] >= REFUSED:
                    self._refused[message["status"]] += 1
                elif scope["path"] == FEED:
                    following = True
                    self._feeds += 1
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._feeds -= following

    def collect(self) -> Iterable[Metric]:
        """The families of one scrape."""
        feed = self._freshness.feed
        values: dict[str, list[tuple[tuple[str, ...], float]]] = {
            "console_feed_lost": [((), float(feed.lost_ms is not None))],
            "console_lag_records": [] if feed.behind is None else [((), feed.behind)],
            "console_connected_browsers": [((), self._feeds)],
            "console_sessions": [((), len(self._gate.sessions()))],
            "console_directory_refused_total": [
                ((), 0 if self._directory is None else self._directory.refused)
            ],
            "console_failed_requests_total": [
                ((str(code),), count) for code, count in sorted(self._refused.items())
            ],
        }
        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        for metric in METRICS:
            family = kinds[metric.type](f"crmwatch_{metric.name}", metric.meaning, labels=metric.labels)
            for labels, value in values[metric.name]:
                family.add_metric(labels, value)
            yield family
