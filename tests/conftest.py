"""What tests of several parts share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.needs import lacking

_SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real data sets kept beside the checkout; they may not be copied into it."""


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the path of a file of the shared data sets; without it the test is skipped, in CI it fails."""

    def find(name: str) -> Path:
        path = _SHARED / name
        if not path.is_file():
            lacking(f"the data set {name} is not at {_SHARED}")
        return path

    return find


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name cases of bytes by their length: packed bytes hold the time, and processes that collect tests side by side must agree."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
