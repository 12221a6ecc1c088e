"""[service]: how the server behaves towards those who ask it; how lists are made is [serve]."""

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from edgewise.config import Settings


class ServiceConfig(Settings):
    """[service]: limits and times of the HTTP server."""

    n_threads: PositiveInt = 2  # lists made at once; more than there are processors makes each slower and none faster
    max_waiting: PositiveInt = 256  # requests that may wait for a thread; what comes on top is answered with 503
    max_connections: PositiveInt = 1000  # open at once; the ones on top are answered with 503
    max_events_waiting: PositiveInt = (
        20_000  # events that may wait for the disk; what comes on top is answered with 503
    )
    max_body_bytes: PositiveInt = 8_388_608
    max_depth: PositiveInt = 32  # of lists and objects in a body
    max_n: PositiveInt = 1000  # the longest list and page
    rate_per_s: NonNegativeFloat = 5000.0  # requests of one address, on average; 0: as many as it likes
    rate_burst: PositiveInt = 10_000  # and at once
    head_timeout_s: PositiveFloat = 10.0  # for the head of a request to arrive, from when a connection is made
    body_timeout_s: PositiveFloat = 15.0  # for a body to arrive
    answer_timeout_s: PositiveFloat = 30.0  # for an answer to be made
    grace_s: PositiveFloat = 30.0  # for requests under way to finish when the server is stopped
    follow_s: PositiveFloat = 0.05  # how often to look for events that another process wrote into the store
    log_requests: bool = False  # a line for each request; without it, for those that fail
