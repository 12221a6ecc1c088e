"""Items that came after training: in the lists within moments, without training, and gone when they are erased."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.serve.service import Service
from edgewise.store import Event, StoredItem, StoreFolder
from edgewise.testing.planted import planted_tastes


@contextmanager
def serving(folder: Path, model: Path | None = None) -> Iterator[Service]:
    store_folder = StoreFolder.open(folder / "store")
    if model is not None:
        store_folder.models.swap(store_folder.models.add(model))
    store = store_folder.events()
    service = Service(store, store_folder.models, follow_s=0.01)
    service.start()
    yield service
    service.close()
    store.close()


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds."""
    until = time.monotonic() + 30
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def views(item: str, users: list[str]) -> list[Event]:
    return [Event(f"{item}-{user}", user, item, type="view", timestamp=1) for user in users]


def of_group(group: int) -> list[str]:
    return [f"u{user:03d}" for user in range(60) if user % 4 == group]


def test_an_item_is_placed_by_its_first_users_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    model = build("lightgcn", {"embedding_dim": 16, "epochs": 60}).fit(planted_tastes().train)
    model.save(tmp_path / "model")
    *first, other = of_group(2)
    with serving(tmp_path, tmp_path / "model") as service:
        assert not service.knows_item("5000")
        service.accept(views("5000", first))
        assert soon(lambda: service.knows_item("5000"))
        assert "5000" in service.recommend(other, 5).ids, "those of the same taste get it"
        assert "5000" not in service.recommend(of_group(0)[0], 10).ids, "others do not"
        assert "5000" not in service.recommend(first[0], 60).ids, "who met it has seen it"
        alike = service.similar_items("5000", 5).ids
        assert sum(1022 <= int(item) < 1033 for item in alike) >= 4
        known = service.recommend(other, 20)
    with serving(tmp_path) as service:
        assert service.recommend(other, 20).ids == known.ids
        service.erase_item("5000")
        assert "5000" not in service.recommend(other, 60).ids
        service.accept(views("5001", first[:3]))
        assert soon(lambda: service.knows_item("5001"))
        assert not service.knows_item("5000"), "what was erased does not come back with another"


def test_an_item_is_placed_by_what_is_told_of_it(tmp_path: Path) -> None:
    planted = planted_tastes()
    table = pl.DataFrame(
        {
            "item_id": list(planted.groups),
            "genres": [f"kind{group}|all" for group in planted.groups.values()],
            "price": [float(group) for group in planted.groups.values()],
        }
    )
    data = Dataset.from_frame(planted.train.to_frame().select("user_id", "item_id"), items=table)
    build("content").fit(data).save(tmp_path / "model")
    with serving(tmp_path, tmp_path / "model") as service:
        told = [
            StoredItem("6000", labels={"genres": "kind1|all", "price": "1.0"}),
            StoredItem("6001", categories=("kind3", "all")),
            StoredItem("6002", labels={"colour": {"deep": ["red"]}}),
            StoredItem("no number", labels={"genres": "kind1"}),
        ]
        service.put_items(told)
        assert soon(lambda: service.knows_item("6000") and service.knows_item("6001"))
        assert "6000" in service.recommend(of_group(1)[0], 5).ids
        assert "6001" in service.recommend(of_group(3)[0], 5).ids
        assert not service.knows_item("6002"), "of which nothing is told that the model knows"
        assert service.recommend(of_group(1)[0], 10, category="kind1").ids.count("6000") == 1
        service.put_items([StoredItem("6000", is_hidden=True, labels=told[0].labels)])
        assert "6000" not in service.recommend(of_group(1)[0], 44).ids


def test_a_model_that_takes_no_new_items_goes_on_as_it_is(model: Path, tmp_path: Path) -> None:
    with serving(tmp_path, model) as service:
        before = service.recommend("u000", 10).ids
        service.accept(views("5000", of_group(0)[1:]))
        time.sleep(0.1)
        assert not service.knows_item("5000")
        assert service.recommend("u000", 10).ids == before
