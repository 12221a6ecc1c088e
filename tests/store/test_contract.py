"""The stores keep the contract."""

from pathlib import Path

import pytest

from edgewise.store import SqliteStore
from edgewise.testing.store_contract import CHECKS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sqlite(check: Check, tmp_path: Path) -> None:
    check(lambda: SqliteStore(tmp_path / "events.db"))
