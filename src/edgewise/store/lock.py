"""One server at a time on a store folder, and what the locks of stores in servers need."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from edgewise.errors import EdgewiseError, StoreBusyError, StoreError
from edgewise.files import atomic_write

_LOCK, _HOLDER = "lock", "lock.pid"


@contextlib.contextmanager
def store_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a store folder; the system lets go of it when the process ends, however it ends.

    Raises:
        StoreBusyError: if another process (or another part of this one) holds it; the text names its process id.
        StoreError: if the folder cannot be written.
    """
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreBusyError(
            f"{folder} is served by process {_holder(folder)} already, and one server at a time may. Stop that one, or serve another folder."
        ) from None
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be locked: {error.strerror or error}. Check that it exists and can be written."
        ) from error
    try:
        atomic_write(folder / _HOLDER, f"{os.getpid()}\n")
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    """Read who holds the lock; it may be about to write that down, or about to go."""
    with contextlib.suppress(OSError):
        text = (folder / _HOLDER).read_text(encoding="utf-8", errors="replace").strip()
        if text.isdigit():
            return text
    return "(unknown)"


def this_process() -> str:
    """Tell others who holds a lock."""
    return f"process {os.getpid()} on {socket.gethostname()}"


@contextlib.contextmanager
def repeated(act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Do something again and again in a thread, until the block ends; errors of ours are left to the next time."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(every_s):
            with contextlib.suppress(EdgewiseError):
                act()

    thread = threading.Thread(target=run, name="edgewise-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
