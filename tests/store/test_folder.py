"""A store folder is made, found again, or refused in words."""

from pathlib import Path

import pytest

from edgewise.errors import StoreError
from edgewise.store import StoreFolder
from edgewise.testing.store_contract import event


def test_a_folder_is_made_with_all_above_it_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "store"
    store = StoreFolder.open(path).events()
    store.append([event(1)])
    store.close()
    again = StoreFolder.open(path, create=False)
    store = again.events()
    assert store.last_seq == 1
    store.close()
    assert again.models.versions() == []
    assert sorted(file.name for file in path.iterdir()) == ["events.db", "store.json"]


def test_an_empty_folder_becomes_a_store(tmp_path: Path) -> None:
    assert StoreFolder.open(tmp_path).path == tmp_path
    assert (tmp_path / "store.json").is_file()


def test_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    for path in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(StoreError, match=r"is not a store; it was left alone\. Name another folder"):
            StoreFolder.open(path)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_nothing_is_made_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere is not a store: it has no store.json\. Name the folder that"):
        StoreFolder.open(tmp_path / "nowhere", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [('{"format": 2}', r"has format 2; this version of edgewise reads format 1"), ("[]", "has format None"), ("{", "is not JSON .* restore it")],
)  # fmt: skip
def test_another_format_is_not_guessed_at(said: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(said)
    with pytest.raises(StoreError, match=told):
        StoreFolder.open(tmp_path)
