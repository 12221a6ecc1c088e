"""A store with a model of planted tastes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgewise.models import build
from edgewise.store import SqliteStore, StoreFolder
from edgewise.testing.planted import planted_tastes


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an item-knn of planted tastes: users u000 to u059, items 1000 to 1043."""
    folder = tmp_path_factory.mktemp("refit") / "model"
    build("item-knn").fit(planted_tastes().train).save(folder)
    return folder


@pytest.fixture
def folder(fitted: Path, tmp_path: Path) -> StoreFolder:
    """Give a store that answers with it."""
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(fitted))
    return folder


@pytest.fixture
def store(folder: StoreFolder) -> Iterator[SqliteStore]:
    """Give its events."""
    store = folder.events()
    yield store
    store.close()


@pytest.fixture(scope="session")
def model(fitted: Path) -> Path:
    """Give the same folder, by the name that tests of the server use."""
    return fitted
