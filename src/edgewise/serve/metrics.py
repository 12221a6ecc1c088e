"""What Prometheus reads at /metrics."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from edgewise.serve.recent import Recent

_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "edgewise_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._request_s = Histogram(
            "edgewise_request_seconds",
            "From a request's first byte to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stage_s = Histogram(
            "edgewise_stage_seconds",
            "Time in each stage of a list.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._answers = Counter(
            "edgewise_answers", "Lists, by the source of the first item.", ["source"], registry=self.registry
        )
        self.events = Counter("edgewise_events", "Events that came over HTTP.", ["outcome"], registry=self.registry)
        self.applied = Counter(
            "edgewise_events_applied", "Entries of the log that changed what is known of users.", registry=self.registry
        )
        self.refused = Counter(
            "edgewise_refused", "Requests refused before they reached a route.", ["reason"], registry=self.registry
        )
        self._gauges: dict[str, Gauge] = {}
        # What a label stands for is looked up once: doing so for every stage of every list takes longer than counting.
        self._requests_of = cache(lambda method, route, status: self._requests.labels(method, route, str(status)))
        self._request_s_of = cache(self._request_s.labels)
        self._stage_s_of = cache(self._stage_s.labels)
        self._answers_of = cache(self._answers.labels)
        self.recent = Recent()

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show what a function returns whenever somebody reads the metrics."""
        gauge = self._gauges[name] = Gauge(f"edgewise_{name}", text, registry=self.registry)
        gauge.set_function(value)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.recent.count_request(route, method, status, seconds)
        self._requests_of(method, route, status).inc()
        self._request_s_of(route).observe(seconds)

    def count_applied(self, n: int) -> None:
        """Count entries of the log that answers know from now on."""
        self.applied.inc(n)
        self.recent.count_events(n)

    def count_list(self, source: str, stages_ms: dict[str, float]) -> None:
        """Count a list and the time that each stage took."""
        self._answers_of(source).inc()
        for stage, ms in stages_ms.items():
            self._stage_s_of(stage).observe(ms / 1000)

    def text(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self.registry)
