"""Limits on what one caller may send: requests a second, and the depth of JSON."""

import time
from collections import OrderedDict

import numba
import numpy as np

_MAX_CALLERS = 10_000


class RateLimit:
    """A bucket of tokens for each caller: it fills at a steady rate, and a request takes one.

    Args:
        per_s: requests a second, 0 for no limit. burst: the size of a bucket.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, now: float | None = None) -> float:
        """Take a token; returns 0 where there was one, else the seconds until there is."""
        if not self._per_s:
            return 0.0
        now = time.monotonic() if now is None else now
        tokens, at = self._buckets.get(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._per_s
        self._buckets[caller] = (tokens - 1.0 if wait == 0.0 else tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MAX_CALLERS:
            self._buckets.popitem(last=False)
        return wait


def is_deeper(body: bytes, depth: int) -> bool:
    """Tell whether lists and objects in JSON are nested deeper than `depth`; brackets in texts do not count.

    >>> is_deeper(b'[[["["]]]', 3), is_deeper(b'[[["["]]]', 2)
    (False, True)
    """
    return bool(_deepest(np.frombuffer(body, dtype=np.uint8)) > depth)


@numba.njit(cache=True, nogil=True)
def _deepest(body):  # type: ignore[no-untyped-def]
    """Count how deep brackets are nested: uint8 [n]. A regular expression would hold up all other threads for a large body."""
    depth, most, is_text, is_escaped = 0, 0, False, False
    for letter in body:
        if is_text:
            if is_escaped:
                is_escaped = False
            elif letter == 0x5C:  # a backslash
                is_escaped = True
            elif letter == 0x22:  # a quotation mark
                is_text = False
        elif letter == 0x22:
            is_text = True
        elif letter in (0x5B, 0x7B):
            depth += 1
            most = max(most, depth)
        elif letter in (0x5D, 0x7D):
            depth -= 1
    return most
