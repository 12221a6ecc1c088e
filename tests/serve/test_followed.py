"""A model that was refitted from the log has its beginning in it: what comes after counts, once, whichever version answers."""

import contextlib
import gc
import random
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgewise.errors import StoreError
from edgewise.models import build
from edgewise.refit import RefitSettings, refit
from edgewise.serve.followed import Followed
from edgewise.serve.service import Service
from edgewise.store import Erased, Event, SqliteStore, StoreFolder
from edgewise.store.event import subject_of
from edgewise.testing.planted import planted_tastes
from tests.serve.test_service import replayed

USERS = ["u000", "u001", "new", "newer"]


@pytest.fixture
def store(folder: StoreFolder) -> Iterator[SqliteStore]:
    store = folder.events()
    yield store
    store.close()


@pytest.fixture
def service(folder: StoreFolder, store: SqliteStore) -> Iterator[Service]:
    service = Service(store, folder.models, follow_s=60)
    service.start()
    yield service
    service.close()


def event(number: int, user: str, item: int, kind: str = "view") -> Event:
    return Event(f"e{number}", user, str(item), type=kind, timestamp=1_700_000_000_000 + number)


def refitted(folder: StoreFolder, **settings: object) -> str:
    """Refit as another process does, with a store of its own."""
    store = folder.events()
    done = refit(folder, store, RefitSettings(full=True, force=True, keep=20, **settings))  # type: ignore[arg-type]
    store.close()
    assert done.version is not None
    return done.version


def seen_by(service: Service, store: SqliteStore, user: str) -> set[str]:
    """Tell what a user has met, worked out from the model's matrix and the log alone."""
    serving = service.serving
    covered = service.models.covered(serving.version, store)
    counts: dict[tuple[str, str], int] = {}
    met: set[str] = set()
    users = serving.model.catalogue.users.ids.to_list()
    if user in users:
        row = serving.model.catalogue.seen[[users.index(user)]]
        met = {serving.item_ids[place] for place in row.indices.tolist()}
    for _, entry in store.since(covered, 100_000):
        if isinstance(entry, Erased):
            if entry.kind == "user" and entry.subject == subject_of(user):
                met, counts = set(), {}
            continue
        if entry.user_id == user and entry.item_id is not None:
            kind = {"unlike": "like"}.get(entry.type, entry.type)
            key = (entry.item_id, kind)
            counts[key] = counts.get(key, 0) + (-1 if entry.type == "unlike" else 1)
    return met | {item for (item, _), n in counts.items() if n > 0}


def listed(service: Service, user: str) -> set[str]:
    return set(service.recommend(user, 100).ids)


def shown(service: Service) -> set[str]:
    counts = service.serving.model.catalogue.item_counts
    return {service.serving.item_ids[place] for place in np.flatnonzero(counts)}


def test_events_before_and_after_a_refit_are_seen_once_with_either_version(
    service: Service, folder: StoreFolder, store: SqliteStore
) -> None:
    old = service.serving.version
    service.accept(
        [event(1, "u000", 1043, "like"), event(2, "new", 1000), event(3, "new", 1001), event(4, "u001", 1040)]
    )
    before = {user: listed(service, user) for user in USERS}
    version = refitted(folder)
    service.accept([event(5, "u000", 1042), event(6, "new", 1002), event(7, "u001", 1040, "unlike")])
    service.swap(version)
    assert service.serving.followed.covered == 4
    assert service.seq == 7
    for user in USERS:
        assert not listed(service, user) & seen_by(service, store, user)
    assert {"1043", "1042"} <= seen_by(service, store, "u000")
    assert {"1000", "1001", "1002"} == seen_by(service, store, "new")
    assert listed(service, "new") == shown(service) - seen_by(service, store, "new")
    assert service.serving.pipeline.users.known("new").before is not None, "the refit knows the newcomer"
    now = {user: (found.ids, [found.source]) for user, found in ((user, service.recommend(user, 44)) for user in USERS)}
    assert now == replayed(folder)
    service.swap(old)
    assert service.serving.followed.covered == 0
    assert listed(service, "new") == before["new"] - {"1002"}
    assert listed(service, "u000") == before["u000"] - {"1042"}
    service.accept([event(8, "u000", 1041)])
    assert "1041" not in listed(service, "u000")
    assert {
        user: (found.ids, [found.source]) for user, found in ((user, service.recommend(user, 44)) for user in USERS)
    } == replayed(folder)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_mixture_of_events_erasures_refits_and_swaps_the_state_equals_a_replay(
    seed: int, service: Service, folder: StoreFolder, store: SqliteStore
) -> None:
    rng = random.Random(seed)
    for place in range(70):
        user, item = rng.choice(USERS), 1000 + rng.randrange(44)
        match rng.randrange(14):
            case 0:
                service.erase_events(user, str(item))
            case 1 if rng.random() < 0.3:
                service.erase_user(user)
            case 2 if rng.random() < 0.3:
                service.erase_item(str(item))
            case 3 | 4 if rng.random() < 0.5:
                refitted(folder)
                current = folder.models.current
                assert current is not None
                service.swap(current)
            case 5:
                service.swap(rng.choice(folder.models.versions()))
            case _:
                sent = event(place % 60, user, item, rng.choice(["like", "view", "unlike"]))
                at = rng.choice([sent.timestamp, service.clock.now()])  # old ones of erased users are left out
                service.accept([replace(sent, timestamp=at)])
    now = {user: service.recommend(user, 44) for user in USERS}
    assert {user: (found.ids, [found.source]) for user, found in now.items()} == replayed(folder)
    for user in USERS:
        assert not listed(service, user) & seen_by(service, store, user)


def test_an_erasure_is_forgotten_by_a_model_that_learned_it_and_remembered_by_an_older_one(
    service: Service, folder: StoreFolder, store: SqliteStore
) -> None:
    old = service.serving.version
    service.erase_user("u000")
    assert not service.knows_user("u000")
    now = service.clock.now()
    service.accept([replace(event(number, "u000", 999 + number), timestamp=now) for number in (1, 2)])
    service.swap(refitted(folder))
    assert service.knows_user("u000"), "who came back is learned like anybody"
    assert seen_by(service, store, "u000") == {"1000", "1001"}
    assert listed(service, "u000") == shown(service) - {"1000", "1001"}
    service.swap(old)
    assert not service.knows_user("u000"), "what the old one knows is still erased"
    assert service.serving.pipeline.users.known("u000", since_training_alone=True).seen.size == 2


def test_erasing_what_a_model_has_learned_leaves_what_came_later(service: Service, folder: StoreFolder) -> None:
    service.accept([event(1, "new", 1000), event(2, "new", 1001)])
    service.swap(refitted(folder))
    service.accept([event(3, "new", 1002), event(4, "new", 1003)])
    service.erase_events("new", "1000")
    service.erase_events("new", "1003")
    live = service.serving.followed.live
    assert live.items_of("new") == (["1002"], [])
    assert live.version("new") > 0


def test_a_start_reads_the_log_from_where_the_model_has_learned_it(
    folder: StoreFolder, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([event(n, f"x{n % 7}", 1000 + n % 44) for n in range(200)])
    refitted(folder)
    store.append([event(300, "new", 1000)])
    read: list[int] = []
    since = SqliteStore.since

    def counting(self: SqliteStore, seq: int, limit: int) -> list[object]:
        found = since(self, seq, limit)
        read.append(len(found))
        return found  # type: ignore[return-value]

    monkeypatch.setattr(SqliteStore, "since", counting)
    service = Service(store, folder.models, follow_s=60)
    service.start()
    assert sum(read) < 10
    assert service.seq == 201
    assert service.knows_user("x3")
    service.close()


def test_what_another_process_made_current_is_not_written_again(
    service: Service, folder: StoreFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = refitted(folder)
    monkeypatch.setattr(type(service.models), "swap", lambda *_: pytest.fail("the pointer is another's"))
    service._swap(version, points=False)
    assert service.serving.version == version


def test_what_is_taken_up_from_the_folder_gives_way_to_a_swap_that_came_in_between(
    service: Service, folder: StoreFolder, other_model: Path
) -> None:
    before = service.serving.version
    after = folder.models.add(other_model)
    service.swap(after)
    service._swap(before, points=False)  # by a follower that had read the pointer just before
    assert service.serving.version == after
    assert folder.models.current == after


def test_a_damaged_version_that_became_current_is_tried_once_and_another_is_taken_up(
    folder: StoreFolder, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    load_of = Service._load

    def counting(self: Service, version: str) -> object:
        tried.append(version)
        return load_of(self, version)

    monkeypatch.setattr(Service, "_load", counting)
    service = Service(store, folder.models, follow_s=0.01)
    service.start()
    old = service.serving.version
    store.append([event(1, "new", 1000)])
    bad = refitted(folder)
    until = time.monotonic() + 20
    while service.serving.version != bad and time.monotonic() < until:
        time.sleep(0.01)
    assert service.serving.version == bad
    service.swap(old)
    arrays = folder.models.path(bad) / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-8])
    (folder.path / "current").write_text(f"{bad}\n")
    time.sleep(0.3)
    assert service.serving.version == old
    assert tried.count(bad) == 2, "once whole, once damaged"
    folder.models.swap(old)
    good = refitted(folder, settings={"n_neighbours": 20})
    while service.serving.version != good and time.monotonic() < until:
        time.sleep(0.01)
    assert service.serving.version == good
    service.close()


def test_a_store_that_is_gone_for_a_moment_lets_nothing_be_counted_twice(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {subject_of("new"): "new"}
    followed = Followed(store, 0, names)
    store.append([event(1, "new", 1000, "like"), event(2, "new", 1001, "like")])
    followed.read()
    store.append([event(3, "other", 1002, "like"), event(4, "new", 1003, "like")])
    store.erase_events("new", "1000")
    with monkeypatch.context() as gone:
        gone.setattr(store, "of_user", lambda *_, **__: (_ for _ in ()).throw(StoreError("gone")))
        with pytest.raises(StoreError, match="gone"):
            followed.read()
    assert followed.read() == 1
    assert followed.seq == store.last_seq
    assert followed.live.items_of("new") == (["1001", "1003"], [])
    store.append([event(5, "other", 1002, "unlike")])
    followed.read()
    assert followed.live.items_of("other") == ([], []), "liked once, and taken back"
    assert not names


def test_what_was_read_of_a_long_log_is_left_alone_by_the_garbage_collector(store: SqliteStore) -> None:
    store.append([event(number, f"new{number % 1000}", 1000 + number % 44) for number in range(25_000)])
    gc.unfreeze()
    followed = Followed(store, 0, {})
    followed.read()
    try:
        assert gc.get_freeze_count() > 20_000, "a dictionary for each user and item"
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("name", ["item-knn", "als"])
def test_a_model_that_no_longer_answers_is_freed_without_the_garbage_collector(
    name: str, folder: StoreFolder, tmp_path: Path
) -> None:
    build(name).fit(planted_tastes(seed=1).train).save(tmp_path / "one")
    build(name).fit(planted_tastes(seed=2).train).save(tmp_path / "other")
    one, other = (folder.models.add(tmp_path / each) for each in ("one", "other"))
    folder.models.swap(one)
    with (
        contextlib.closing(folder.events()) as store,
        contextlib.closing(Service(store, folder.models, follow_s=60)) as service,
    ):
        gc.disable()
        try:
            service.start()
            service.recommend("u000", 3)
            service.similar_items("1000", 3)
            service.explain("u000", "1003", 3)
            model = weakref.ref(service.serving.model)
            service.swap(other)
            assert model() is None
        finally:
            gc.enable()
            gc.unfreeze()
