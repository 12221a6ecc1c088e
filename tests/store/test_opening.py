"""[store] is read, and what is wrong with it told without a password."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import ConfigError, MissingExtraError, StoreBusyError, StoreError
from edgewise.run_config import read_config
from edgewise.store import (
    DeadLetter,
    Event,
    Offset,
    SqliteStore,
    StoreConfig,
    StoredItem,
    StoredUser,
    StoreFolder,
    open_events,
)


@pytest.fixture
def folder(tmp_path: Path) -> StoreFolder:
    return StoreFolder.open(tmp_path / "store")


def test_without_settings_events_are_in_the_folder(folder: StoreFolder) -> None:
    store = open_events(folder, None, {})
    assert isinstance(store, SqliteStore)
    assert store.path == folder.path / "events.db"
    with store.lock():
        pass
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@db/shop",
        "redis://:s3cret@cache:6379/0",
        "postgresql://me:s3/cret@db/shop",
        "postgresql://db/shop?password=s3cret",
        "host=db password=s3cret",
    ],
)
def test_a_password_in_the_configuration_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"url: it has a password; put the address into EDGEWISE_STORE_URL") as error:
        read_config(None, [f"store.url={url}"])
    assert "s3cret" not in str(error.value)
    assert "cret@" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["postgresql://me@db:5432/shop", "redis://cache:6379/0", "sqlite", "unix:///run/redis.sock"]
)
def test_an_address_without_a_password_is_taken(url: str) -> None:
    assert read_config(None, [f"store.url={url}"]).store.url == url


def test_a_name_is_one_of_letters_digits_and_underscores() -> None:
    with pytest.raises(ConfigError, match="name = 'x; DROP SCHEMA y'"):
        read_config(None, ["store.name=x; DROP SCHEMA y"])


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:s3cret@db/shop",
        "s3cret",
        "postgresql://me:s3cret@db:port/shop?nonsense=1",
        "redis://:s3cret@db:port/0",
    ],
)
def test_an_address_of_another_kind_is_refused_and_not_shown(url: str, folder: StoreFolder) -> None:
    with pytest.raises((ConfigError, StoreError)) as error:
        open_events(folder, None, {"EDGEWISE_STORE_URL": url})
    assert "s3cret" not in str(error.value)
    assert "address of the store" in str(error.value)


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@127.0.0.1:1/shop", "redis://:s3cret@127.0.0.1:1/0"])
def test_a_server_that_is_not_there_is_told(url: str, folder: StoreFolder) -> None:
    with pytest.raises(StoreBusyError, match=r"127\.0\.0\.1.* cannot be reached") as error:
        open_events(folder, None, {"EDGEWISE_STORE_URL": url})
    assert "s3cret" not in str(error.value)


def test_events_in_the_folder_are_not_passed_over(folder: StoreFolder) -> None:
    elsewhere = StoreConfig(url="postgresql://127.0.0.1:1/shop")
    folder.events().close()
    with pytest.raises(StoreBusyError, match="cannot be reached"):  # what is empty is not missed
        open_events(folder, elsewhere, {})
    store = folder.events()
    store.append([Event("e", "u", "i", timestamp=1)])
    with pytest.raises(StoreError, match=r"has events of its own \(events\.db\), which would not be read any more"):
        open_events(folder, elsewhere, {})
    store.erase_user("u")
    store.close()
    with pytest.raises(StoreError, match="has events of its own"):  # that somebody was erased must not be forgotten
        open_events(folder, elsewhere, {})


@pytest.mark.parametrize("what", ["user", "item", "offset", "dead letter"])
def test_what_else_is_in_the_folder_is_not_passed_over_either(what: str, folder: StoreFolder) -> None:
    store = folder.events()
    match what:
        case "user":
            store.put_users([StoredUser("u")])
        case "item":
            store.put_items([StoredItem("i")])
        case "offset":
            store.append([], offsets=[Offset("g", "t", 0, 1)])
        case _:
            store.append([], dead_letters=[DeadLetter("t/0/0", "why", b"", 1)])
    store.close()
    with pytest.raises(StoreError, match="has events of its own"):
        open_events(folder, StoreConfig(url="redis://127.0.0.1:1"), {})


def test_a_password_file_that_cannot_be_read_is_named(folder: StoreFolder, tmp_path: Path) -> None:
    settings = StoreConfig(url="redis://127.0.0.1:1", password_file=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"nowhere of .* cannot be read: No such file"):
        open_events(folder, settings, {})


@pytest.mark.parametrize(
    ("package", "extra", "url"), [("psycopg", "postgres", "postgresql://db"), ("redis", "redis", "redis://db")]
)
def test_a_missing_package_is_named_with_its_extra(
    package: str, extra: str, url: str, folder: StoreFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return whole(name, *arguments)

    for name in [name for name in sys.modules if name.startswith(("edgewise.store.postgres", "edgewise.store.redis"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        MissingExtraError, match=rf"needs {package}, which is not installed: pip install 'edgewise\[{extra}\]'"
    ):
        open_events(folder, StoreConfig(url=url), {})
