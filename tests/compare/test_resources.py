"""Seconds and memory are the block's own."""

from pathlib import Path

import numpy as np
import pytest

from edgewise.compare.resources import Measured


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can reset the high-water mark")
def test_the_peak_is_the_blocks_own() -> None:
    with Measured() as large:
        block = np.ones(25_000_000)  # 200 MB
        del block
    with Measured() as small:
        pass
    assert large.peak_rss_mb > small.peak_rss_mb + 150
    assert large.seconds > 0
