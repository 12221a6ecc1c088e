"""Numbers, shares and times as the reports of this package write them."""

import numpy as np


def count(number: int, noun: str) -> str:
    """Say how many of something.

    >>> count(1, "user"), count(2_500, "user")
    ('1 user', '2,500 users')
    """
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def share(part: int, whole: int) -> str:
    """Say a share in per cent, never rounding something to nothing or to all.

    >>> share(1, 3), share(1, 100_000), share(99_999, 100_000), share(0, 0)
    ('33.3 %', 'below 0.1 %', 'above 99.9 %', '0.0 %')
    """
    value = 100 * part / whole if whole else 0.0
    if 0 < value < 0.1:
        return "below 0.1 %"
    return "above 99.9 %" if 99.9 < value < 100 else f"{value:.1f} %"


def time_text(timestamp: int) -> str:
    """Write UTC milliseconds since 1970 as ISO 8601, or as the number where the year is beyond four digits.

    >>> time_text(1_260_759_144_000), time_text(10**18)
    ('2009-12-14T02:52:24Z', '1000000000000000000 ms since 1970')
    """
    if not -62_000_000_000_000 < timestamp < 253_402_300_800_000:
        return f"{timestamp} ms since 1970"
    return str(np.datetime64(timestamp, "ms").astype("datetime64[s]")) + "Z"
