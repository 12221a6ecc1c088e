"""Versions of a model are whole, and the one that answers changes in one step."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise import model_folder
from edgewise.errors import ModelFolderError, StoreError
from edgewise.store import Event, ModelRegistry, StoreFolder
from edgewise.store.coverage import coverage


def model(place: Path, number: int = 0, size: int = 3) -> Path:
    """Write a model folder; `number` makes it another one."""
    about = {"model": "popularity", "config": {}, "seed": number, "n_users": 0, "n_items": 0, "data_fingerprint": ""}
    rest: dict[str, object] = {"metrics": {}, "curve": [], "notes": []}
    arrays = {"a": np.full(size, number, dtype=np.float32)}
    model_folder.write(
        place, about | rest, arrays, {"items": pl.DataFrame({"item_id": [1]})}, {"run.toml": "seed = 0\n"}
    )
    return place


def test_a_model_is_copied_whole_and_answers_after_the_swap(tmp_path: Path) -> None:
    registry, source = ModelRegistry(tmp_path / "store"), model(tmp_path / "model")
    assert registry.versions() == []
    version = registry.add(source)
    assert registry.current is None
    registry.swap(version)
    assert registry.versions() == [version]
    assert ModelRegistry(tmp_path / "store").current == version
    copy = registry.path(version)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["current", "models"]


def test_the_same_model_is_one_version_and_others_are_their_own(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "store")
    one = registry.add(model(tmp_path / "one", 1))
    assert registry.add(shutil.copytree(tmp_path / "one", tmp_path / "copy")) == one
    two = registry.add(model(tmp_path / "two", 2))
    assert registry.versions() == [one, two]
    assert len(registry.versions()) == 2


def test_versions_sort_by_the_time_of_fitting(tmp_path: Path) -> None:
    registry, versions = ModelRegistry(tmp_path / "store"), []
    for number, created in enumerate(
        ["2026-01-02T00:30:00+01:00", "2026-01-01T23:40:00+00:00", "2026-01-02T00:00:00+00:00"]
    ):
        place = model(tmp_path / str(number), number)
        about = json.loads((place / "model.json").read_text())
        (place / "model.json").write_text(json.dumps(about | {"created_at": created}))
        versions.append(registry.add(place))
    assert registry.versions() == versions
    assert versions[0].startswith("20260101T233000Z-")


def test_files_that_the_model_does_not_name_stay_behind(tmp_path: Path) -> None:
    registry, source = ModelRegistry(tmp_path / "store"), model(tmp_path / "model")
    (source / "notes.txt").write_text("mine")
    assert not (registry.path(registry.add(source)) / "notes.txt").exists()


def test_a_damaged_model_is_neither_added_nor_swapped_to(tmp_path: Path) -> None:
    registry, source = ModelRegistry(tmp_path / "store"), model(tmp_path / "model")
    good, other = registry.add(source), registry.add(model(tmp_path / "other", 5))
    registry.swap(good)
    for place in (source, registry.path(other)):
        (place / "arrays.safetensors").write_bytes(b"x")
    with pytest.raises(ModelFolderError, match="SHA-256 differs"):
        registry.add(source)
    with pytest.raises(ModelFolderError, match="SHA-256 differs"):
        registry.swap(other)
    with pytest.raises(ModelFolderError, match=r"has no model\.json"):
        registry.add(tmp_path)
    assert registry.current == good
    assert len(registry.versions()) == 2
    assert sorted(path.name for path in (tmp_path / "store/models").iterdir()) == sorted(registry.versions())


def test_the_current_model_is_not_removed_others_are(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "store")
    one, two = (registry.add(model(tmp_path / str(number), number)) for number in range(2))
    registry.swap(one)
    with pytest.raises(StoreError, match=f"{one} is the model that answers; swap to another"):
        registry.remove(one)
    registry.remove(two)
    assert registry.versions() == [one]
    assert sorted(path.name for path in (tmp_path / "store/models").iterdir()) == [one]


@pytest.mark.parametrize("name", ["", "..", "../../etc", "20260101T000000Z-000000000000", "x" * 1000, "a\x00b"])
def test_a_name_that_is_no_version_is_refused(name: str, tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "store")
    version = registry.add(model(tmp_path / "model"))
    for use in (registry.path, registry.swap, registry.remove):
        with pytest.raises(StoreError, match=f"there is no version .*; there are {version}"):
            use(name)
    (tmp_path / "store/current").write_text(name)
    with pytest.raises(StoreError, match=f"current names .*; there are {version}. Write the name of one into it"):
        _ = registry.current


WORK = """
import sys
from pathlib import Path
from edgewise.store import Event, ModelRegistry, StoreFolder
from edgewise.store.coverage import coverage
registry, sources = ModelRegistry(Path(sys.argv[1])), [Path(name) for name in sys.argv[2:]]
print("ready", flush=True)
while True:
    for source in sources:
        registry.swap(registry.add(source))
        for version in registry.versions():
            if version != registry.current:
                registry.remove(version)
"""


@pytest.mark.parametrize("n_rounds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_leaves_whole_models_and_a_current_one(n_rounds: int, tmp_path: Path) -> None:
    folder, moments = tmp_path / "store", random.Random(0)
    sources = [str(model(tmp_path / str(number), number, size=200_000)) for number in range(3)]
    registry = ModelRegistry(folder)
    registry.swap(registry.add(Path(sources[0])))
    for _ in range(n_rounds):
        with subprocess.Popen(
            [sys.executable, "-c", WORK, str(folder), *sources], stdout=subprocess.PIPE, text=True
        ) as worker:
            try:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
                time.sleep(moments.uniform(0, 0.3))
                assert worker.poll() is None
            finally:
                worker.kill()
        assert registry.current in registry.versions()
        for version in registry.versions():
            model_folder.check(registry.path(version))


def test_a_moved_model_is_there_at_once_and_its_folder_gone(tmp_path: Path) -> None:
    registry, source = ModelRegistry(tmp_path), model(tmp_path / "work")
    version = registry.add(source, move=True)
    assert registry.versions() == [version]
    assert not source.exists()
    model_folder.check(registry.path(version))


def test_what_was_removed_is_remembered(tmp_path: Path) -> None:
    registry, sources = ModelRegistry(tmp_path / "store"), [model(tmp_path / f"{n}", n) for n in range(3)]
    versions = [registry.add(source) for source in sources]
    registry.swap(versions[2])
    registry.remove(versions[0])
    registry.remove(versions[1])
    again = ModelRegistry(tmp_path / "store")
    assert [again.was_removed(source) for source in sources] == [True, True, False]


def covering(place: Path, **told: object) -> Path:
    model(place)
    about = json.loads((place / "model.json").read_text())
    (place / "model.json").write_text(json.dumps(about | told))
    return place


def test_what_a_model_has_learned_of_a_log_counts_for_that_log_alone(tmp_path: Path) -> None:
    folder = StoreFolder.open(tmp_path / "store")
    store, registry = folder.events(), folder.models
    store.append([Event(f"e{n}", "u", "i", timestamp=n) for n in range(5)])
    told = coverage(folder.id, store, 3)
    wrong = [
        {},
        told | {"store_id": "another"},
        told | {"log_seq": 6},
        told | {"log_seq": -1},
        told | {"log_seq": True},
        told | {"log_seq": "3"},
        told | {"log_mark": "something else was there"},
    ]
    for number, about in enumerate(wrong):
        assert registry.covered(registry.add(covering(tmp_path / f"wrong{number}", **about)), store) == 0, about
    version = registry.add(covering(tmp_path / "right", **told))
    assert registry.covered(version, store) == 3
    store.erase_events("u", "i")
    assert registry.covered(version, store) == 3, "the entry was erased since"
    assert ModelRegistry(folder.path).covered(version, store) == 0, "nobody said which store it is"
    store.close()


def test_a_store_without_an_id_has_one_that_stays(tmp_path: Path) -> None:
    folder = StoreFolder.open(tmp_path / "store")
    assert folder.id == StoreFolder.open(tmp_path / "store").id
    assert folder.id != StoreFolder.open(tmp_path / "other").id
    about = json.loads((folder.path / "store.json").read_text())
    del about["id"]
    (folder.path / "store.json").write_text(json.dumps(about))
    assert len(folder.id) == 32
    assert folder.id == StoreFolder.open(tmp_path / "store").id
