"""What tests of several parts share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real data sets kept beside the checkout; they may not be copied into it."""


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the path of a file of the shared data sets; without it the test is skipped, in CI it fails."""

    def find(name: str) -> Path:
        path = _SHARED / name
        if not path.is_file():
            reason = f"the data set {name} is not at {_SHARED}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find
