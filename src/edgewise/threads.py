"""How many threads the kernels use: one number, kept by numba and torch alike."""

import os


def n_cpus() -> int:
    """Return the number of processors this process may run on.

    >>> n_cpus() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
