"""A store folder is made, found again, or refused in words."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgewise.errors import StoreError
from edgewise.files import write_json
from edgewise.store import StoreFolder, folder
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


OPEN = """
import sys, time
from pathlib import Path
from edgewise.store import Event, StoreFolder

time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
folder = StoreFolder.open(Path(sys.argv[1]))
store_id = folder.id
store = folder.events()
store.append([Event(f"e{sys.argv[3]}", "u", "i", timestamp=1)])
store.close()
sys.stdout.write(store_id)
"""


def test_a_store_that_several_processes_make_at_once_is_one(tmp_path: Path) -> None:
    path = tmp_path / "store"
    command = [sys.executable, "-c", OPEN, str(path), str(time.time() + 2)]
    running = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(4)]
    told = [process.communicate(timeout=60)[0] for process in running]
    assert told == [StoreFolder.open(path).id] * 4
    store = StoreFolder.open(path).events()
    assert store.last_seq == 4
    store.close()


def test_a_store_that_another_process_made_in_between_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def late(path: Path, value: object) -> None:
        if not made:  # another is quicker: it makes the whole store between the look and the writing
            made.append("")
            made[0] = StoreFolder.open(tmp_path).id
        write_json(path, value)

    monkeypatch.setattr(folder, "write_json", late)
    assert StoreFolder.open(tmp_path).id == made[0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.json"]
