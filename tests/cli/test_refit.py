"""`edgewise refit`: settings of the current model are kept, what is said is what was done, and the exit code tells."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edgewise.cli.main import main
from edgewise.models import load
from edgewise.store import Event, SqliteStore, StoreFolder
from edgewise.testing.planted import planted_tastes


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    frame = planted_tastes().train.to_frame()
    frame.with_columns(type=pl.lit("like"), timestamp=pl.lit("2024-01-01T00:00:00Z")).write_csv(path)
    return path


@pytest.fixture
def folder(log: Path, tmp_path: Path) -> StoreFolder:
    out = str(tmp_path / "model")
    code = main(
        ["fit", "--data", str(log), "--model", "item-knn", "--out", out, "--set", "n_neighbours=17", "--set", "clean.types=['like']", "--json", str(tmp_path / "fit.json")]
    )  # fmt: skip
    assert code == 0
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(Path(out)))
    return folder


def append(folder: StoreFolder, *events: tuple[str, int, str]) -> None:
    store = folder.events()
    start = store.last_seq
    store.append(
        [
            Event(f"e{start + n}", user, str(item), type=kind, timestamp=1_710_000_000_000 + start + n)
            for n, (user, item, kind) in enumerate(events)
        ]
    )
    store.close()


def refitted(folder: StoreFolder, tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "done.json"
    code = main(["refit", str(folder.path), *arguments, "--json", str(out)])
    return code, json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}


def test_settings_and_cleaning_are_those_of_the_current_model(folder: StoreFolder, tmp_path: Path) -> None:
    append(folder, ("new", 1000, "like"), ("new", 1001, "view"), ("u000", 1043, "like"), ("u000", 1043, "unlike"))
    code, done = refitted(folder, tmp_path)
    assert (code, done["is_current"], done["is_incremental"]) == (0, True, False)
    assert done["why_full"] == "item-knn is not trained step by step"
    model = load(folder.models.path(done["version"]))
    assert model.config.n_neighbours == 17
    assert model.catalogue.seen[model.catalogue.users.index_of(["new"])].nnz == 1, "views do not count"
    append(folder, ("newer", 1000, "like"), ("newer", 1001, "view"))
    _, done = refitted(folder, tmp_path)
    again = load(folder.models.path(done["version"]))
    assert again.config.n_neighbours == 17
    assert again.catalogue.seen[again.catalogue.users.index_of(["newer"])].nnz == 1
    assert again.catalogue.seen.nnz == model.catalogue.seen.nnz + 1


def test_settings_can_be_changed_and_a_log_given(folder: StoreFolder, log: Path, tmp_path: Path) -> None:
    append(folder, ("u001", 1000, "view"))
    code, done = refitted(
        folder, tmp_path, "--data", str(log), "--set", "n_neighbours=5", "--set", "clean.types=['like', 'view']"
    )
    assert code == 0
    model = load(folder.models.path(done["version"]))
    assert model.config.n_neighbours == 5
    assert "n_neighbours = 5" in (folder.models.path(done["version"]) / "run.toml").read_text()
    code, done = refitted(folder, tmp_path, "--model", "ease", "--force")
    assert (code, done["model"]) == (0, "ease")
    append(folder, ("new", 1000, "like"))
    assert refitted(folder, tmp_path)[1]["model"] == "ease"


def test_what_is_worse_ends_with_3_and_says_so(
    folder: StoreFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = folder.models.current
    planted = planted_tastes()
    again = planted.train.to_frame().group_by("user_id", maintain_order=True).head(4).select("user_id", "item_id")
    append(
        folder, *[(*row, "like") for row in again.iter_rows()], *[(*pair, "like") for pair in planted.withheld.items()]
    )
    code, done = refitted(folder, tmp_path, "--model", "popularity")
    assert (code, done["is_current"]) == (3, False)
    assert folder.models.current == before
    assert main(["refit", str(folder.path), "--model", "popularity"]) == 3
    said = capsys.readouterr().out
    assert "ndcg@10 on the newest events, 60 users" in said
    assert "as it answers now" in said
    assert "does not answer: it is worse" in said
    assert main(["refit", str(folder.path), "--model", "popularity", "--force"]) == 0


def test_nothing_new_and_who_was_erased_are_told(
    folder: StoreFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refitted(folder, tmp_path)[1]["version"] is None
    store: SqliteStore = folder.events()
    store.erase_user("u007")
    store.close()
    assert main(["refit", str(folder.path)]) == 0
    said = capsys.readouterr().out
    assert "left out because they were erased: 1 users" in said
    assert f"edgewise refit {folder.path} --keep 1" in " ".join(said.split())
    assert main(["refit", str(folder.path), "--keep", "1"]) == 0
    said = capsys.readouterr().out
    assert "nothing to do" in said
    assert "removed: " in said
    assert "erased since" not in said


def test_what_is_no_store_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refit", str(tmp_path / "nowhere")]) == 2
    assert "is not a store" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    StoreFolder.open(tmp_path / "empty")
    assert main(["refit", str(tmp_path / "empty")]) == 2
    assert "no model to refit" in capsys.readouterr().err
