"""What the last minute was like: requests and their times, and events, second by second."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgewise.types import Index

SECONDS = 60
"""How far back it goes."""

KINDS = ("list", "event", "other")
"""Requests are told apart by what they ask for: a list, to take an event, anything else."""

_LOWEST_S, _STEP, _N_BUCKETS = 1e-4, 1.12, 112
"""Times are counted in buckets, each 12 % wider than the one before: from 0.1 ms to 30 s."""

_EDGES_MS = _LOWEST_S * 1000 * _STEP ** np.arange(_N_BUCKETS)


@dataclass
class _Second:
    at: int
    times: dict[str, Index] = field(
        default_factory=lambda: {kind: np.zeros(_N_BUCKETS, dtype=np.int64) for kind in KINDS}
    )
    failed: int = 0
    events: int = 0


class Recent:
    """Figures of the last minute; may be told and asked from any thread.

    Args:
        now: seconds that never go back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._started = now()
        self._seconds: dict[int, _Second] = {}

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer; those that only look at the server itself do not count."""
        kind = kind_of(method, route)
        if kind is None:
            return
        bucket = min(_N_BUCKETS - 1, math.ceil(math.log(max(seconds, _LOWEST_S) / _LOWEST_S) / math.log(_STEP)))
        with self._lock:
            second = self._second()
            second.times[kind][bucket] += 1
            second.failed += status >= 500

    def count_events(self, n: int) -> None:
        """Count events that answers know from now on."""
        with self._lock:
            self._second().events += n

    def figures(self) -> dict[str, Any]:
        """Return rates a second, quantiles of times in milliseconds, and a row for each whole second, the oldest first.

        The second that is not over yet is left out. A quantile is the upper end of its bucket, at most 12 % too high; None
        where there was no request.
        """
        with self._lock:
            end = int(self._now())
            window = min(SECONDS, max(1, end - int(self._started)))
            empty = _Second(0)
            rows = [self._seconds.get(at, empty) for at in range(end - window, end)]
            times = {kind: np.array([row.times[kind] for row in rows]) for kind in KINDS}
            events, failed = [row.events for row in rows], sum(row.failed for row in rows)
        every: Index = np.sum([times[kind] for kind in KINDS], axis=0)  # [window, n_buckets]
        return {
            "window_s": window,
            "requests_per_s": round(float(every.sum()) / window, 3),
            "events_per_s": round(sum(events) / window, 3),
            "failed": failed,
            "latency_ms": _quantiles(every.sum(axis=0)),
            "kinds": {
                kind: {"per_s": round(float(found.sum()) / window, 3), **_quantiles(found.sum(axis=0))}
                for kind, found in times.items()
            },
            "series": [
                {"requests": int(row.sum()), "events": n, **_quantiles(row)}
                for row, n in zip(every, events, strict=True)
            ],
        }

    def _second(self) -> _Second:
        at = int(self._now())
        second = self._seconds.get(at)
        if second is None:
            for old in [old for old in self._seconds if old < at - SECONDS]:
                del self._seconds[old]
            second = self._seconds[at] = _Second(at)
        return second


def kind_of(method: str, route: str) -> str | None:
    """Tell what a request was for; None where it only looked at the server itself.

    >>> kind_of("GET", "/v1/recommend/{user_id}"), kind_of("POST", "/v1/events"), kind_of("GET", "/metrics")
    ('list', 'event', None)
    """
    if not route.startswith(("/v1/", "/api/")) or route.startswith(("/api/health", "/v1/stats", "/v1/about")):
        return None
    if "recommend" in route:
        return "list"
    if method in ("POST", "PUT") and route in ("/v1/events", "/api/feedback"):
        return "event"
    return "other"


def _quantiles(counts: Index) -> dict[str, float | None]:
    total = counts.cumsum()
    n = int(total[-1])
    return {
        name: round(float(_EDGES_MS[int(np.searchsorted(total, share * n, side="left"))]), 3) if n else None
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
