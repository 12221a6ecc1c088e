"""Work that leaves processors to others."""

import os
import sys
import threading

import pytest

from edgewise.threads import standing_back


def test_work_stands_back_and_who_asked_for_it_does_not() -> None:
    def place() -> tuple[int, int]:
        return threading.get_ident(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here, before = place()
    there, behind = standing_back(place)
    assert there != here
    assert place() == (here, before)
    if sys.platform == "linux":
        assert behind == 10 or before > 10


def test_what_goes_wrong_in_it_goes_wrong_where_it_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        standing_back(lambda: 1 // 0)
