"""A small log on disk, and a fitted model folder beside it."""

from pathlib import Path

import pytest

from edgewise.cli.main import main
from edgewise.testing.planted import planted_tastes


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planted tastes as CSV with times, so that every split works."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    frame = planted_tastes().train.to_frame()
    rows = frame.with_row_index("n").select(
        "user_id", "item_id", rating="value", timestamp=1_500_000_000 + 1000 * frame.with_row_index("n")["n"]
    )
    rows.write_csv(path)
    return path


@pytest.fixture(scope="session")
def items_file(log: Path) -> Path:
    path = log.parent / "items.csv"
    table = planted_tastes().train.item_table
    assert table is not None
    table.write_csv(path)
    return path


@pytest.fixture(scope="session")
def model_folder(log: Path, items_file: Path) -> Path:
    folder = log.parent / "model"
    assert (
        main(["fit", "--data", str(log), "--items", str(items_file), "--model", "item-knn", "--out", str(folder)]) == 0
    )
    return folder
