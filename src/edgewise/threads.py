"""How many processors there are, and work that leaves them to others."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_LAST = 10
"""How far behind the others a thread stands, in the system's own measure from 0 to 19."""


def n_cpus() -> int:
    """Return the number of processors this process may run on.

    >>> n_cpus() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def standing_back(work: Callable[[], T]) -> T:
    """Call a function in a thread of its own that lets the others go first where processors are few, and wait for it.

    A thread may step back, and only a privileged one may step forward again; so it is one that ends with the work. Where the
    system knows no such order between threads (anything but Linux), it is a thread like the others.
    """
    done: Future[T] = Future()

    def run() -> None:
        if sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, name="edgewise-standing-back", daemon=True)
    thread.start()
    try:
        return done.result()
    finally:
        thread.join()
