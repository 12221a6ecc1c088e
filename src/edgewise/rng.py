"""Random numbers: one seed a run, one independent stream a purpose."""

import zlib

import numpy as np


def make_rng(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the generator for one purpose under one seed.

    Streams of different purposes are independent, so drawing more numbers for one thing never changes another.

    Args:
        seed: the run's seed, >= 0.
        purpose: what the numbers are for, such as "split" or ("negatives", epoch).

    >>> bool(make_rng(0, "split").random() == make_rng(0, "split").random())
    True
    >>> bool(make_rng(0, "split").random() == make_rng(0, "init").random())
    False
    """
    keys = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in purpose]
    return np.random.default_rng([seed, *keys])
