"""A refit ends with a whole new version that answers, or with the old one; it knows the log, and nobody who was erased."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise import model_folder
from edgewise.errors import ConfigError, ModelFolderError, StoreBusyError
from edgewise.models import build, load
from edgewise.recommender import Recommender
from edgewise.refit import RefitSettings, Refitted, refit
from edgewise.refit.refit import _alone
from edgewise.store import Event, SqliteStore, StoredItem, StoreFolder
from edgewise.testing.planted import ITEMS_PER_GROUP, planted_ratings, planted_tastes

T0 = 1_700_000_000_000


def event(number: int, user: str, item: int | str, kind: str = "view", value: float = 1.0) -> Event:
    return Event(f"e{number}", user, str(item), type=kind, timestamp=T0 + number, value=value)


def met_by_all(start: int = 0) -> list[Event]:
    """Let every user of the planted data meet the item that was held back, and a newcomer of each group three items."""
    withheld = planted_tastes().withheld
    events = [event(start + n, user, item) for n, (user, item) in enumerate(withheld.items())]
    for group in range(4):
        for place in range(3):
            item = 1000 + group * ITEMS_PER_GROUP + place
            events.append(event(start + 100 + 3 * group + place, f"new{group}", item))
    return events


def a_day() -> list[Event]:
    """Let every user meet four known items again, and then the one that was held back: the newest fifth."""
    seen = planted_tastes().train.to_frame().group_by("user_id", maintain_order=True).head(4)
    again = [event(n, user, item) for n, (user, item) in enumerate(seen.select("user_id", "item_id").iter_rows())]
    return [*again, *met_by_all(start=1000)[:60]]


def current(folder: StoreFolder) -> Recommender:
    version = folder.models.current
    assert version is not None
    return load(folder.models.path(version))


def about(folder: StoreFolder, version: str | None) -> dict[str, object]:
    assert version is not None
    return model_folder.read_about(folder.models.path(version))


def test_the_new_version_knows_what_the_log_says(folder: StoreFolder, store: SqliteStore) -> None:
    before = folder.models.current
    store.append([*met_by_all(), event(500, "u000", "brand-new"), event(501, "u004", "brand-new")])
    done = refit(folder, store, RefitSettings())
    assert (done.is_current, done.previous, done.version) == (True, before, folder.models.current)
    assert done.version != before
    assert (done.n_new_users, done.n_new_items, done.n_new_events) == (4, 1, 74)
    model = current(folder)
    assert model.name == "item-knn"
    assert model.catalogue.seen.nnz == planted_tastes().train.interactions.nnz + 60 + 12 + 2
    assert model.catalogue.items.is_text, "one of them is no number"
    [listed] = model.recommend(["new0"], 5)
    assert all(int(item) < 1000 + ITEMS_PER_GROUP for item, _ in listed)
    told = about(folder, done.version)
    assert told["log_seq"] == store.last_seq == 74
    assert told["store_id"] == folder.id
    assert told["previous"] == before


def test_without_news_there_is_nothing_to_do(folder: StoreFolder, store: SqliteStore) -> None:
    done = refit(folder, store, RefitSettings())
    assert (done.version, done.is_current) == (None, False)
    store.append(met_by_all())
    first = refit(folder, store, RefitSettings()).version
    assert first is not None
    assert refit(folder, store, RefitSettings()).version is None
    assert refit(folder, store, RefitSettings(full=True)).version is not None
    assert refit(folder, store, RefitSettings(settings={"n_neighbours": 20})).version is not None
    assert current(folder).config.n_neighbours == 20
    assert refit(folder, store, RefitSettings(settings={"n_neighbours": 20})).version is None, "settings are kept"


def test_night_after_night_is_as_all_at_once(
    folder: StoreFolder, store: SqliteStore, tmp_path: Path, fitted: Path
) -> None:
    at_once = StoreFolder.open(tmp_path / "other")
    at_once.models.swap(at_once.models.add(fitted))
    others = at_once.events()
    events = [
        *met_by_all(),
        event(500, "u000", 1000, "unlike"),
        event(600, "u001", 1000, "like"),
        event(601, "u001", 1000, "unlike"),
    ]
    others.append(events)
    for night in np.array_split(np.arange(len(events)), 4):
        store.append([events[place] for place in night])
        refit(folder, store, RefitSettings())
    refit(at_once, others, RefitSettings())
    others.close()
    one, other = current(folder), current(at_once)
    assert one.catalogue.fingerprint == other.catalogue.fingerprint
    assert (one.catalogue.strengths != other.catalogue.strengths).nnz == 0


def test_events_erased_or_taken_back_after_a_refit_are_gone_with_the_next(
    folder: StoreFolder, store: SqliteStore
) -> None:
    store.append([event(1, "new", 1000), event(2, "new", 1001), event(3, "u000", 1043, "like"), event(4, "new", 1002)])
    refit(folder, store, RefitSettings())
    store.erase_events("new", "1001")
    store.append([event(5, "u000", 1043, "unlike")])
    refit(folder, store, RefitSettings())
    catalogue = current(folder).catalogue
    seen = catalogue.seen[catalogue.users.index_of(["new", "u000"])]
    assert catalogue.items.ids_at(seen.indices[: seen.indptr[1]].astype(np.int64)).to_list() == [1000, 1002]
    assert 1043 not in catalogue.items.ids_at(seen.indices[seen.indptr[1] :].astype(np.int64)).to_list()


def files_with(folder: Path, text: str) -> list[str]:
    """Return the files of a folder that have a text in them, Parquet read."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            found.append(path.name)
        if path.suffix == ".parquet" and text in str(pl.read_parquet(path).to_dict(as_series=False)):
            found.append(path.name)
    return found


def test_an_erased_user_is_in_no_file_of_the_new_version_and_old_ones_are_named(
    folder: StoreFolder, store: SqliteStore
) -> None:
    store.append([event(1, "gone-for-good", 1000), event(2, "gone-for-good", 1001), event(3, "u000", 1040)])
    first = refit(folder, store, RefitSettings()).version
    store.erase_user("gone-for-good")
    store.erase_user("u007")
    assert first is not None
    assert files_with(folder.models.path(first), "gone-for-good")
    done = refit(folder, store, RefitSettings())
    assert done.version is not None
    assert done.n_erased == 1, "of the base; the other one's events are gone from the log"
    for user in ("gone-for-good", "u007"):
        assert not files_with(folder.models.path(done.version), user)
    assert done.holding_erased == {done.previous: 2} | dict.fromkeys(folder.models.versions()[:1], 1)
    again = refit(folder, store, RefitSettings(keep=1))
    assert again.version is None
    assert again.holding_erased == {}
    assert len(again.removed) == 2
    assert not files_with(folder.path, "gone-for-good")


def test_so_many_versions_are_kept_and_the_current_one_always(folder: StoreFolder, store: SqliteStore) -> None:
    first = folder.models.current
    versions = []
    for night in range(4):
        store.append([event(night, "new", 1000 + night)])
        versions.append(refit(folder, store, RefitSettings(keep=2)).version)
    assert set(folder.models.versions()) == set(versions[-2:])
    assert first is not None
    with pytest.raises(Exception, match="there is no version"):
        folder.models.path(first)


def test_a_removed_version_is_known_as_such(folder: StoreFolder, store: SqliteStore, fitted: Path) -> None:
    assert not folder.models.was_removed(fitted)
    store.append([event(1, "new", 1000)])
    refit(folder, store, RefitSettings(keep=1))
    assert folder.models.was_removed(fitted)


def test_a_model_that_is_significantly_worse_is_kept_and_does_not_answer(
    folder: StoreFolder, store: SqliteStore
) -> None:
    before = folder.models.current
    store.append(a_day())
    done = refit(folder, store, RefitSettings(model="popularity"))
    assert done.check is not None
    assert done.check.is_worse
    assert done.check.new[0] < done.check.current[0]
    assert done.check.high < 0
    assert (done.is_current, folder.models.current) == (False, before)
    assert "worse" in done.why_not
    assert done.version in folder.models.versions()
    forced = refit(folder, store, RefitSettings(model="popularity", force=True))
    assert (forced.is_current, folder.models.current) == (True, forced.version)


def test_a_model_that_is_no_worse_answers_and_the_figures_are_kept_with_it(
    folder: StoreFolder, store: SqliteStore
) -> None:
    store.append(a_day())
    done = refit(folder, store, RefitSettings(model="ease"))
    assert done.check is not None
    assert not done.check.is_worse
    assert done.check.n_users >= 10
    assert done.is_current
    metrics = about(folder, done.version)["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["check"]["metric"] == "ndcg@10"
    json.dumps(metrics)


def test_too_few_events_to_tell_swap_and_say_so(folder: StoreFolder, store: SqliteStore) -> None:
    store.append([event(n, "u000", 1011 + n) for n in range(30)])  # all of one user
    done = refit(folder, store, RefitSettings(model="popularity"))
    assert done.check is None
    assert "too few of the users in the newest 6 events" in done.no_check
    assert done.is_current


def test_kinds_of_events_that_nobody_knows_count_like_others(folder: StoreFolder, store: SqliteStore) -> None:
    store.append([event(n, "swiper", 1000 + n, "swipe") for n in range(3)])
    assert refit(folder, store, RefitSettings()).n_new_users == 1


def test_a_model_that_was_made_current_meanwhile_stays(
    folder: StoreFolder, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("ease").fit(planted_tastes().train).save(tmp_path / "ease")
    other = folder.models.add(tmp_path / "ease")
    store.append([event(1, "new", 1000)])
    fit = Recommender.fit

    def swapping(self: Recommender, *given: object, **named: object) -> Recommender:
        folder.models.swap(other)
        return fit(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Recommender, "fit", swapping)
    done = refit(folder, store, RefitSettings())
    assert not done.is_current
    assert "meanwhile" in done.why_not
    assert folder.models.current == other


def test_who_is_erased_while_it_is_fitted_is_named_and_gone_with_the_next(
    folder: StoreFolder, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([event(1, "u003", 1000)])
    fit = Recommender.fit

    def erasing(self: Recommender, *given: object, **named: object) -> Recommender:
        store.erase_user("u003")
        return fit(self, *given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Recommender, "fit", erasing)
        done = refit(folder, store, RefitSettings())
    assert done.version is not None
    assert done.holding_erased[done.version] == 1
    assert "u003" in current(folder).catalogue.users.ids
    done = refit(folder, store, RefitSettings(keep=1))
    assert done.n_erased == 1
    assert done.holding_erased == {}
    assert "u003" not in current(folder).catalogue.users.ids


def test_one_refit_at_a_time(folder: StoreFolder, store: SqliteStore) -> None:
    with _alone(folder.path), pytest.raises(StoreBusyError, match="another refit"):
        refit(folder, store, RefitSettings())


def test_a_served_store_can_be_refitted(folder: StoreFolder, store: SqliteStore) -> None:
    store.append([event(1, "new", 1000)])
    with folder.lock():
        assert refit(folder, store, RefitSettings()).is_current


@pytest.mark.parametrize("file", ["arrays.safetensors", "model.json", "users.parquet"])
def test_a_damaged_current_model_is_told_and_can_be_done_without(
    file: str, folder: StoreFolder, store: SqliteStore
) -> None:
    version = folder.models.current
    assert version is not None
    path = folder.models.path(version) / file
    path.write_bytes(path.read_bytes()[:-20])
    store.append([event(1, "new", 1000)])
    with pytest.raises(ModelFolderError, match="--data LOG --model NAME"):
        refit(folder, store, RefitSettings())
    assert folder.models.versions() == [version]
    done = refit(folder, store, RefitSettings(model="item-knn", data=planted_tastes().train))
    assert done.is_current
    assert any("cannot be used" in line for line in done.notes)
    assert current(folder).catalogue.seen.nnz == planted_tastes().train.interactions.nnz + 1


def test_a_store_without_a_model_is_refused_or_fitted_from_a_log(tmp_path: Path) -> None:
    folder = StoreFolder.open(tmp_path / "store")
    store = folder.events()
    with pytest.raises(ConfigError, match="no model to refit"):
        refit(folder, store, RefitSettings())
    store.append(met_by_all())
    assert refit(folder, store, RefitSettings(model="item-knn")).is_current, "the log alone is enough"
    assert current(folder).catalogue.seen.nnz == 72
    store.close()


def test_a_model_of_another_store_has_learned_nothing_of_this_log(
    folder: StoreFolder, store: SqliteStore, tmp_path: Path
) -> None:
    store.append(met_by_all())
    done = refit(folder, store, RefitSettings())
    assert done.version is not None
    other = StoreFolder.open(tmp_path / "elsewhere")
    log = other.events()
    log.append([event(n, "somebody", 1000 + n) for n in range(80)])
    version = other.models.add(folder.models.path(done.version))
    other.models.swap(version)
    assert folder.models.covered(done.version, store) == 72
    assert other.models.covered(version, log) == 0
    again = refit(other, log, RefitSettings())
    assert again.n_new_events == 80
    assert current(other).catalogue.seen.nnz == current(folder).catalogue.seen.nnz + 44 + 36
    log.close()


def test_a_log_that_was_set_back_is_another_log(folder: StoreFolder, store: SqliteStore) -> None:
    store.append(met_by_all())
    done = refit(folder, store, RefitSettings())
    assert done.version is not None
    store.close()
    for file in folder.path.glob("events.db*"):
        file.unlink()
    store = folder.events()
    store.append([event(n, "somebody", 1000) for n in range(72)])
    assert folder.models.covered(done.version, store) == 0
    store.close()


def test_hidden_items_stay_known(folder: StoreFolder, store: SqliteStore) -> None:
    store.put_items([StoredItem("1000", is_hidden=True)])
    store.append([event(1, "new", 1000)])
    refit(folder, store, RefitSettings())
    assert 1000 in current(folder).catalogue.items.ids.to_list()


@pytest.fixture(scope="module")
def lightgcn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lightgcn") / "model"
    build("lightgcn", {"embedding_dim": 16, "epochs": 40}).fit(planted_tastes().train).save(place)
    return place


@pytest.fixture
def trained(lightgcn: Path, tmp_path: Path) -> Iterator[tuple[StoreFolder, SqliteStore]]:
    folder = StoreFolder.open(tmp_path / "trained")
    folder.models.swap(folder.models.add(lightgcn))
    store = folder.events()
    yield folder, store
    store.close()


def hits(model: Recommender, users: list[str]) -> float:
    """Return the share of the best three that are of the user's group."""
    listed = [
        item // ITEMS_PER_GROUP for ranked in model.recommend(users, 3) for item in [int(i) - 1000 for i, _ in ranked]
    ]
    wanted = np.repeat([int(user[-1]) if user.startswith("new") else int(user[1:]) % 4 for user in users], 3)
    return float(np.mean(np.array(listed) == wanted)) if len(listed) == wanted.size else 0.0


def test_a_trained_model_starts_from_the_current_one_and_finds_newcomers_tastes(
    trained: tuple[StoreFolder, SqliteStore],
) -> None:
    folder, store = trained
    store.append(met_by_all())
    done = refit(folder, store, RefitSettings())
    assert done.is_incremental
    model = current(folder)
    assert len(model.record.curve) == 10, "a quarter of the passes"
    assert model.config.epochs == 40, "and the settings as they were"
    assert hits(model, ["new0", "new1", "new2", "new3"]) > 0.8
    full = refit(folder, store, RefitSettings(full=True))
    assert (full.is_incremental, full.why_full) == (False, "--full")
    assert len(current(folder).record.curve) == 40


def test_five_nights_do_not_drift_away(trained: tuple[StoreFolder, SqliteStore]) -> None:
    folder, store = trained
    events = met_by_all()
    for night in range(5):
        store.append(events[night::5])
        assert refit(folder, store, RefitSettings()).is_incremental
    nightly = current(folder)
    refit(folder, store, RefitSettings(full=True))
    users = [f"new{group}" for group in range(4)]
    assert hits(nightly, users) >= hits(current(folder), users) - 0.1
    lengths = [np.linalg.norm(model.items, axis=1).mean() for model in (nightly, current(folder))]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.5)


def test_the_same_refit_twice_gives_the_same_numbers(
    trained: tuple[StoreFolder, SqliteStore], lightgcn: Path, tmp_path: Path
) -> None:
    folder, store = trained
    store.append(met_by_all())
    refit(folder, store, RefitSettings())
    twin = StoreFolder.open(tmp_path / "twin")
    twin.models.swap(twin.models.add(lightgcn))
    other = twin.events()
    other.append(met_by_all())
    refit(twin, other, RefitSettings())
    other.close()
    np.testing.assert_array_equal(current(folder).items, current(twin).items)


def test_other_settings_or_a_folder_without_parameters_start_from_nothing(
    trained: tuple[StoreFolder, SqliteStore], tmp_path: Path
) -> None:
    folder, store = trained
    store.append([event(1, "new", 1000)])
    done = refit(folder, store, RefitSettings(settings={"embedding_dim": 8, "epochs": 3}))
    assert "embedding_dim" in done.why_full
    current(folder).save(tmp_path / "bare")  # loaded to answer, so without what training needs
    folder.models.swap(folder.models.add(tmp_path / "bare"))
    store.append([event(2, "new", 1001)])
    assert "nothing to start from" in refit(folder, store, RefitSettings()).why_full


def test_models_of_ratings_are_compared_by_their_errors(tmp_path: Path) -> None:
    planted = planted_ratings()
    frame = planted.train.to_frame()
    build("mf", {"embedding_dim": 4, "epochs": 5}).fit(planted.train).save(tmp_path / "mf")
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(tmp_path / "mf"))
    store = folder.events()
    again = [
        event(n, row[0], row[1], value=row[2])
        for n, row in enumerate(frame.select("user_id", "item_id", "value").iter_rows())
    ]
    store.append(again)
    done: Refitted = refit(folder, store, RefitSettings())
    store.close()
    assert done.check is not None
    assert done.check.metric == "rmse"
    assert done.is_incremental
