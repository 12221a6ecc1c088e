"""Items that came after training: in the lists within moments, without training, and gone when they are erased."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.pipeline.recommend import Pipeline, PipelineConfig
from edgewise.serve.service import Service
from edgewise.store import Event, SqliteStore, StoredItem, StoreFolder
from edgewise.store.coverage import coverage
from edgewise.testing.planted import planted_tastes


@contextmanager
def serving(folder: Path, model: Path | None = None, pipeline: PipelineConfig | None = None) -> Iterator[Service]:
    store_folder = StoreFolder.open(folder / "store")
    if model is not None:
        store_folder.models.swap(store_folder.models.add(model))
    store = store_folder.events()
    service = Service(store, store_folder.models, pipeline, follow_s=0.01)
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


@pytest.mark.parametrize("what", ["user", "events"])
def test_a_new_item_moves_when_somebody_who_met_it_is_forgotten(what: str, tmp_path: Path) -> None:
    build("als").fit(planted_tastes().train).save(tmp_path / "model")
    gone, *others = of_group(2)[:4]

    def place(service: Service) -> list[float]:
        serving = service.serving
        items = serving.model.rankable_items
        assert items is not None
        return [float(number) for number in items[serving.item_index["5000"]]]

    with serving(tmp_path, tmp_path / "model") as service:
        service.accept(views("5000", [gone, *others]))
        assert soon(lambda: service.knows_item("5000"))
        before = place(service)
        service.erase_user(gone) if what == "user" else service.erase_events(gone, "5000")
        assert soon(lambda: place(service) != before)
        after = place(service)
    with serving(tmp_path) as service:
        assert place(service) == after


def test_a_rule_obeys_what_is_told_of_items(tmp_path: Path) -> None:
    planted = planted_tastes()
    table = pl.DataFrame(
        {"item_id": list(planted.groups), "stock": [0 if item == 1001 else 5 for item in planted.groups]}
    )
    data = Dataset.from_frame(planted.train.to_frame().select("user_id", "item_id"), items=table)
    build("als").fit(data).save(tmp_path / "model")
    config = PipelineConfig(rule="stock > 0", hidden=("9001",))

    def shown(service: Service) -> set[str]:
        return set(service.recommend("stranger", 50).ids)

    day = 1_717_143_960_000
    with serving(tmp_path, tmp_path / "model", config) as service:
        assert {"1000", "1001"} & shown(service) == {"1000"}
        service.put_items([StoredItem("1000", labels={"stock": 0}), StoredItem("1001", labels={"stock": "3"})])
        assert {"1000", "1001"} & shown(service) == {"1001"}
        service.patch_item("1000", {"labels": {"stock": 2}})
        assert {"1000", "1001"} & shown(service) == {"1000", "1001"}
        service.patch_item("1001", {"labels": {"stock": 0}})
        told = {"8000": {"stock": 1}, "8001": {"stock": 0}, "8002": None, "9001": {"stock": 1}}
        service.put_items([StoredItem(item, labels=labels, timestamp=day) for item, labels in told.items()])
        assert service.latest(10).ids == ["8000"], "of those that the model cannot place yet"
        service.accept(views("8001", of_group(0)[1:6]))
        service.accept(views("8000", of_group(0)[1:6]))
        assert soon(lambda: service.knows_item("8000") and service.knows_item("8001"))
        assert {"8000", "8001", "1000", "1001"} & shown(service) == {"8000", "1000"}
    with serving(tmp_path, None, config) as service:
        assert {"8000", "8001", "1000", "1001"} & shown(service) == {"8000", "1000"}
        service.erase_item("1001")
        service.put_items([StoredItem("1001")])
        assert "1001" not in shown(service), "as training knew it"


def test_a_model_that_takes_no_new_items_goes_on_as_it_is(model: Path, tmp_path: Path) -> None:
    with serving(tmp_path, model) as service:
        before = service.recommend("u000", 10).ids
        service.accept(views("5000", of_group(0)[1:]))
        time.sleep(0.1)
        assert not service.knows_item("5000")
        assert service.recommend("u000", 10).ids == before


def test_what_cannot_be_read_as_a_column_of_the_model_keeps_nobody_from_answering(tmp_path: Path) -> None:
    """A Boolean, a date, a moment and a time of the items' table, told as text, right and wrong."""
    planted = planted_tastes()
    n = len(planted.groups)
    table = pl.DataFrame(
        {
            "item_id": list(planted.groups),
            "genres": [f"kind{group}" for group in planted.groups.values()],
            "adult": [bool(group % 2) for group in planted.groups.values()],
            "day": [date(2024, 1, 1 + place % 28) for place in range(n)],
            "at": [datetime(2024, 1, 1, place % 24) for place in range(n)],  # noqa: DTZ001 - as tables have it
        }
    )
    data = Dataset.from_frame(planted.train.to_frame().select("user_id", "item_id"), items=table)
    build("content").fit(data).save(tmp_path / "model")
    with serving(tmp_path, tmp_path / "model") as service:
        right = {"genres": "kind1", "adult": "true", "day": "2024-03-01", "at": "2024-03-01 10:00:00"}
        wrong = {"genres": ["kind1"], "adult": "perhaps", "day": "soon", "at": {"never": 1}}
        service.put_items([StoredItem("6000", labels=right), StoredItem("6001", labels=wrong)])
        assert soon(lambda: service.knows_item("6000") and service.knows_item("6001"))
        assert {"6000", "6001"} <= set(service.recommend(of_group(1)[0], 5).ids)
    with serving(tmp_path) as service:
        assert service.knows_item("6001")


def test_an_item_to_which_the_rule_cannot_be_applied_is_hidden_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = planted_tastes()
    n = len(planted.groups)
    table = pl.DataFrame(
        {
            "item_id": list(planted.groups),
            "day": [date(2024, 1, 1 + place % 28) for place in range(n)],
            "kinds": [["a", "b"]] * n,
            "stock": [1.0] * n,
        }
    )
    data = Dataset.from_frame(planted.train.to_frame().select("user_id", "item_id"), items=table)
    build("item-knn").fit(data).save(tmp_path / "model")
    config = PipelineConfig(rule='stock > 0 and "a" in kinds')
    lets_through = Pipeline.lets_through

    def failing(self: Pipeline, told: Sequence[StoredItem]) -> list[bool]:
        if "1002" in [item.item_id for item in told]:
            raise pl.exceptions.ComputeError("odd")
        return lets_through(self, told)

    monkeypatch.setattr(Pipeline, "lets_through", failing)
    odd = {"day": ["soon", {}], "kinds": {"a": None}, "stock": [[1]]}
    told = [StoredItem("1000", labels={"kinds": ["b"]}), StoredItem("1001", labels=odd), StoredItem("1002", labels=odd)]
    with serving(tmp_path, tmp_path / "model", config) as service:
        service.put_items(told)
        shown = set(service.recommend("stranger", 44).ids)
        assert {"1000", "1001", "1002"} & shown == {"1001"}
    with serving(tmp_path, None, config) as service:
        assert set(service.recommend("stranger", 44).ids) == shown


def test_who_met_a_new_item_counts_once_and_moves_by_it(tmp_path: Path) -> None:
    build("lightgcn", {"embedding_dim": 16, "epochs": 40}).fit(planted_tastes().train).save(tmp_path / "model")
    with serving(tmp_path, tmp_path / "model") as service:
        asked = of_group(0)[0]
        before = service.recommend(asked, 44)
        users = of_group(2)[:8]
        service.accept(views("5000", users))
        assert soon(lambda: service.knows_item("5000"))
        popular = service.popular(50)
        assert dict(zip(popular.ids, popular.scores, strict=True))["5000"] == 8
        service.accept(views("5000", [asked]))
        assert soon(lambda: dict(zip((found := service.popular(50)).ids, found.scores, strict=True))["5000"] == 9)
        known = service.serving.pipeline.users.known(asked)
        assert known.before is not None
        assert known.now.history.nnz == known.before.history.nnz + 1
        after = service.recommend(asked, 44)
        scores = dict(zip(before.ids, before.scores, strict=True))
        assert any(scores.get(item, score) != score for item, score in zip(after.ids, after.scores, strict=True))


def test_an_item_that_is_put_again_after_it_was_erased_is_there_after_a_restart_too(tmp_path: Path) -> None:
    build("lightgcn", {"embedding_dim": 16, "epochs": 40}).fit(planted_tastes().train).save(tmp_path / "model")
    *first, other = of_group(2)
    with serving(tmp_path, tmp_path / "model") as service:
        service.accept(views("5000", first[:6]))
        assert soon(lambda: service.knows_item("5000"))
        service.erase_item("5000")
        assert not service.knows_item("5000")
        service.put_items([StoredItem("5000", categories=("new",))])
        assert soon(lambda: "5000" not in service.serving.item_index), "those who had met it are forgotten"
        assert "5000" not in service.recommend(other, 60).ids
    with serving(tmp_path) as service:
        service.accept([Event(f"again-{user}", user, "5000", type="like", timestamp=2) for user in first])
        assert soon(lambda: service.knows_item("5000"))
        assert "5000" in service.recommend(other, 5).ids


def test_the_follower_goes_on_whatever_happens(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, model) as service:
        with monkeypatch.context() as broken:
            broken.setattr(service, "_let_in", lambda: 1 / 0)
            time.sleep(0.05)
        beside = StoreFolder.open(tmp_path / "store").events()
        beside.append([Event("e", "somebody", "1000", type="view", timestamp=1)])
        beside.close()
        assert soon(lambda: service.seq == 1)


class Asked(SqliteStore):
    """Writes down of which items it was asked who met them."""

    asked: ClassVar[list[str]] = []

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        self.asked.append(item_id)
        return super().of_item(item_id, limit)


@contextmanager
def watched(folder: Path, pipeline: PipelineConfig | None = None) -> Iterator[Service]:
    """Serve `folder` with a follower that does nothing by itself."""
    store_folder = StoreFolder.open(folder / "store")
    store = Asked(store_folder.path / "events.db")
    service = Service(store, store_folder.models, pipeline, follow_s=3600)
    service.start()
    store.asked.clear()
    yield service
    service.close()
    store.close()


SMALL: dict[str, dict[str, Any]] = {
    "graphsage": {"embedding_dim": 8, "encoder": {"hidden_dim": 8}, "epochs": 3},
    "lightgcn": {"embedding_dim": 16, "epochs": 3},
}


def let_in(service: Service) -> None:
    """Do what the follower does from time to time."""
    service._let_in_at = 0.0
    service._let_in()


def with_attributes(folder: Path, name: str) -> None:
    """Put a model that reads attributes of items into the store of a folder."""
    planted = planted_tastes()
    kinds = [f"kind{group}|all" for group in planted.groups.values()]
    table = pl.DataFrame({"item_id": list(planted.groups), "genres": kinds, "price": [1.0] * len(kinds)})
    data = Dataset.from_frame(planted.train.to_frame().select("user_id", "item_id"), items=table)
    build(name, SMALL.get(name, {})).fit(data).save(folder / "model")
    models = StoreFolder.open(folder / "store").models
    models.swap(models.add(folder / "model"))


def test_of_the_others_nothing_is_read_again_when_one_item_changes(tmp_path: Path) -> None:
    with_attributes(tmp_path, "als")
    with watched(tmp_path) as service:
        for item in range(5000, 5005):
            service.accept(views(str(item), of_group(item % 4)[:5]))
        let_in(service)
        asked = Asked.asked
        assert sorted(asked) == ["5000", "5001", "5002", "5003", "5004"]
        asked.clear()
        service.accept(views("5002", of_group(1)[6:8]))
        service.put_items([StoredItem("5003", categories=("kind1",))])
        let_in(service)
        assert sorted(asked) == ["5002", "5003"]
        asked.clear()
        service.erase_user(of_group(0)[0])  # who met one of them
        let_in(service)
        assert sorted(asked) == ["5000", "5004"]
        asked.clear()
        service.erase_user(of_group(3)[9])
        let_in(service)
        assert asked == []


def test_who_was_erased_moves_a_new_item_also_where_the_model_has_learned_the_log(tmp_path: Path) -> None:
    with_attributes(tmp_path, "als")
    folder = StoreFolder.open(tmp_path / "store")
    store = folder.events()
    gone, *others = of_group(2)[:4]
    seq = store.append(views("5000", [gone, *others])).seq
    (version,) = folder.models.versions()
    about = folder.models.path(version) / "model.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | coverage(folder.id, store, seq)))
    store.close()
    with watched(tmp_path) as service:
        service.put_items([StoredItem("5000", categories=("kind1",))])
        let_in(service)
        before = service.recommend(others[0], 50)
        service.erase_user(gone)
        let_in(service)
        after = service.recommend(others[0], 50)
        assert after.scores != before.scores
    with watched(tmp_path) as service:
        assert service.recommend(others[0], 50).scores == after.scores


@pytest.mark.parametrize("name", ["als", "content", "graphsage", "lightgcn"])
@pytest.mark.parametrize("seed", range(2))
def test_after_any_mixture_of_changes_the_lists_are_those_of_a_fresh_start(
    name: str, seed: int, tmp_path: Path
) -> None:
    with_attributes(tmp_path, name)
    rng = random.Random(seed)
    users = [*(f"u{user:03d}" for user in range(0, 60, 5)), "new"]
    items = [*map(str, range(5000, 5012)), "1000", "no number"]

    def lists(service: Service) -> dict[str, tuple[list[str], list[float | None]]]:
        found = {user: service.recommend(user, 60) for user in (*users, "u001")}
        return {user: (one.ids, one.scores) for user, one in found.items()}

    with watched(tmp_path) as service:
        for place in range(60):
            user, item = rng.choice(users), rng.choice(items)
            match rng.randrange(12):
                case 0:
                    service.erase_item(item)
                case 1:
                    service.erase_events(user, item)
                case 2 if rng.random() < 0.5:
                    service.erase_user(user)
                case 3 | 4 | 5:
                    labels = {"genres": f"kind{rng.randrange(4)}", "price": rng.randrange(9)}
                    told = StoredItem(item, is_hidden=rng.random() < 0.1, labels=labels if rng.random() < 0.9 else None)
                    service.put_items([told])
                case _:
                    kind = rng.choice(["like", "view", "unlike"])
                    service.accept([Event(f"e{place}", user, item, type=kind, timestamp=service.clock.now())])
            if rng.random() < 0.5:
                let_in(service)
            if place % 30 == 29:
                let_in(service)
                now = lists(service)
                with watched(tmp_path) as fresh:
                    assert lists(fresh) == now


class Walked(dict[str, StoredItem]):
    """What is told of items; counts how often all of it is gone through."""

    n = 0

    def values(self) -> Any:
        self.n += 1
        return super().values()

    def __iter__(self) -> Iterator[str]:
        self.n += 1
        return super().__iter__()


@pytest.mark.parametrize("seed", range(2))
def test_what_is_told_of_one_item_is_obeyed_without_going_through_the_others(seed: int, tmp_path: Path) -> None:
    with_attributes(tmp_path, "als")
    rng = random.Random(seed)
    config = PipelineConfig(rule="price > 0", hidden=("1005",))
    with watched(tmp_path, config) as service:
        for place in range(60):
            item = str(rng.choice([*range(1000, 1010), 5000, 5001]))
            labels = rng.choice([None, {"price": 0}, {"price": 2}])
            match rng.randrange(8):
                case 0:
                    service.erase_item(item)
                case 1:
                    service.accept([Event(f"e{place}", "u001", item, timestamp=place)])
                    let_in(service)
                case 2:
                    service.patch_item(item, {"is_hidden": rng.random() < 0.5})
                case _:
                    told = service._items = Walked(service._items)
                    service.put_items([StoredItem(item, is_hidden=rng.random() < 0.2, labels=labels)])
                    assert told.n == 0
            now = service.serving.pipeline.may_be_shown
            service._show(service.serving)
            assert np.array_equal(service.serving.pipeline.may_be_shown, now)
