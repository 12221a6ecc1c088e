"""What a test needs and a machine may lack: it is skipped there with the reason, and fails in CI."""

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """End a test for want of something."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
