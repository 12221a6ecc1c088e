"""Limits on what one caller may send: requests a second, and the depth of JSON."""

import re
import time
from collections import OrderedDict

import numpy as np

_MAX_CALLERS = 10_000
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_OPEN, _CLOSE = np.frombuffer(b"[{", dtype=np.uint8), np.frombuffer(b"]}", dtype=np.uint8)


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
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    kinds = np.frombuffer(_TEXT.sub(b"", body), dtype=np.uint8)
    steps = np.isin(kinds, _OPEN).astype(np.int32) - np.isin(kinds, _CLOSE)
    return bool(np.cumsum(steps).max(initial=0) > depth)
