"""What a piece of work cost: seconds, and the highest resident memory while it ran."""

import resource
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Measured:
    """Measure a block: `with Measured() as cost: …`, then `cost.seconds` and `cost.peak_rss_mb` (10^6 bytes).

    On Linux the kernel's high-water mark is reset first, so that the peak is the block's own; elsewhere it is the
    process's so far.
    """

    seconds: float = 0.0
    peak_rss_mb: float = 0.0

    def __enter__(self) -> Self:
        _reset_peak()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self.peak_rss_mb = peak_rss_mb()


def peak_rss_mb() -> float:
    """Return the highest resident memory of this process since the last reset, in MB of 10^6 bytes."""
    try:
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _reset_peak() -> None:
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is then the process's so far
        return
