"""Servers and models that several tests of the service share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgewise.models import build
from edgewise.store import StoreFolder
from edgewise.testing.planted import planted_tastes
from tests.serve.server import Server


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a model of planted tastes: users u000 to u059, items 1000 to 1043."""
    folder = tmp_path_factory.mktemp("served") / "model"
    build("item-knn").fit(planted_tastes().train).save(folder)
    return folder


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of another model of the same data."""
    folder = tmp_path_factory.mktemp("served") / "other"
    build("ease").fit(planted_tastes().train).save(folder)
    return folder


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> StoreFolder:
    """Give a store that answers with it."""
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(model))
    return folder


@pytest.fixture(scope="session")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a running server with a key; tests that use it keep to users and items of their own."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(model, folder / "store", folder / "log", key="k3y").wait()
    yield server
    server.stop()
