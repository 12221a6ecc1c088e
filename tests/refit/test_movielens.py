"""On MovieLens 100k: refits that start from the current model rank about as well as those from nothing, one night or five."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build, load
from edgewise.refit import RefitSettings, refit
from edgewise.store import Event, StoreFolder


@pytest.mark.parametrize(
    ("name", "nights"),
    [
        ("als", 1),
        ("item-knn", 5),
        pytest.param("als", 5, marks=pytest.mark.slow),
        pytest.param("lightgcn", 1, marks=pytest.mark.slow),
        pytest.param("lightgcn", 5, marks=pytest.mark.slow),
    ],
)
def test_incremental_refits_are_about_as_good_as_a_full_one(
    name: str, nights: int, shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    frame = Dataset.from_file(shared_data("ml-100k/u.data.gz")).to_frame()
    place = frame.select((pl.int_range(pl.len()).over("user_id") / pl.len().over("user_id")).alias("share"))["share"]
    old, test = Dataset.from_events(frame.filter(place < 0.8)), Dataset.from_events(frame.filter(place >= 0.9))
    news = frame.filter((place >= 0.8) & (place < 0.9)).sort("timestamp")
    settings = (
        {"embedding_dim": 32} if name == "lightgcn" else {"embedding_dim": 32, "iterations": 8} if name == "als" else {}
    )
    model = build(name, settings).fit(old)
    model.save(tmp_path / "model")
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(tmp_path / "model"))
    store = folder.events()
    for night in np.array_split(np.arange(news.height), nights):
        rows = news[night].iter_rows(named=True)
        store.append([Event(f"{row['user_id']} {row['item_id']}", str(row["user_id"]), str(row["item_id"]), value=row["value"], timestamp=row["timestamp"]) for row in rows])  # fmt: skip
        nightly = refit(folder, store, RefitSettings(force=True))
    full = refit(folder, store, RefitSettings(full=True, force=True))
    store.close()
    assert nightly.is_incremental == (name != "item-knn")
    found = []
    for done in (nightly, full):
        assert done.version is not None
        found.append(load(folder.models.path(done.version)))
    ndcg = [evaluate(one, test, k=10, auc=False, edges=False).overall["ndcg@10"] for one in found]
    assert ndcg[0] >= 0.94 * ndcg[1]
    assert found[0].catalogue.fingerprint == found[1].catalogue.fingerprint
