"""The last minute: rates, quantiles, what is left out and forgotten."""

import pytest

from edgewise.serve.recent import KINDS, Recent


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_rates_and_quantiles_of_whole_seconds(clock: Clock) -> None:
    recent = Recent(clock)
    for _ in range(99):
        recent.count_request("/v1/recommend/{user_id}", "GET", 200, 0.010)
    recent.count_request("/v1/events", "POST", 503, 1.0)
    recent.count_events(7)
    clock.now = 1002.0
    figures = recent.figures()
    assert (figures["window_s"], figures["requests_per_s"], figures["events_per_s"], figures["failed"]) == (
        2,
        50,
        3.5,
        1,
    )
    assert 10 <= figures["latency_ms"]["p50"] <= 11.2, "a bucket is 12 % wide"
    assert 10 <= figures["latency_ms"]["p99"] <= 11.2, "99 of 100 are no longer than this"
    assert 1000 <= figures["kinds"]["event"]["p50"] <= 1120
    assert figures["kinds"]["list"]["per_s"] == 49.5
    assert [row["requests"] for row in figures["series"]] == [100, 0]
    assert figures["series"][1] == {"requests": 0, "events": 0, "p50": None, "p99": None}


def test_the_second_that_is_not_over_is_left_out_and_old_ones_are_forgotten(clock: Clock) -> None:
    recent = Recent(clock)
    recent.count_request("/v1/search", "GET", 200, 0.001)
    assert recent.figures()["requests_per_s"] == 0
    clock.now = 1001.0
    assert recent.figures()["requests_per_s"] == 1
    clock.now = 1061.5
    recent.count_events(1)
    figures = recent.figures()
    assert (figures["window_s"], figures["requests_per_s"], len(figures["series"])) == (60, 0, 60)
    assert len(recent._seconds) == 1


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-4, 3600.0])
def test_times_beyond_all_buckets_are_counted_in_the_outermost(clock: Clock, seconds: float) -> None:
    recent = Recent(clock)
    recent.count_request("/api/item/{item_id}", "GET", 200, seconds)
    clock.now = 1001.0
    p50 = recent.figures()["latency_ms"]["p50"]
    assert 0.1 <= p50 < 40_000
    assert set(recent.figures()["kinds"]) == set(KINDS)


@pytest.mark.parametrize(
    "route", ["/", "/page/{name}", "/metrics", "/v1/stats", "/v1/about", "/api/health/ready", "(none)"]
)
def test_looking_at_the_server_does_not_count(clock: Clock, route: str) -> None:
    recent = Recent(clock)
    recent.count_request(route, "GET", 200, 0.1)
    clock.now = 1001.0
    assert recent.figures()["requests_per_s"] == 0
