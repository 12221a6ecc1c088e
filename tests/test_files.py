"""Files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from edgewise.errors import DataError
from edgewise.files import atomic_directory, atomic_write, write_json


def ours(path: Path) -> bool:
    return (path / "mine").exists()


def test_a_file_is_replaced_whole_and_no_temporary_stays(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file.txt"
    atomic_write(path, "old")
    atomic_write(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.usefixtures("tmp_path")
def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which stands for a full disk")
def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    atomic_write(path, "old")

    def full(path: Path, content: bytes) -> None:  # noqa: ARG001
        with Path("/dev/full").open("wb") as file:
            file.write(content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"cannot write .*file.txt: No space left on device. Nothing was changed"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "model", may_replace=ours) as folder:
        (folder / "mine").write_text("1")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "mine").read_text() == "1"
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_of_ours_is_replaced_and_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    for content in ("1", "2"):
        with atomic_directory(tmp_path / "model", may_replace=ours) as folder:
            (folder / "mine").write_text(content)
    with pytest.raises(RuntimeError, match="boom"), atomic_directory(tmp_path / "model", may_replace=ours) as folder:
        (folder / "mine").write_text("3")
        raise RuntimeError("boom")
    assert (tmp_path / "model" / "mine").read_text() == "2"
    assert os.listdir(tmp_path) == ["model"]


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with (
        pytest.raises(DataError, match=r"photos exists and is not a folder that edgewise wrote; it was left alone"),
        atomic_directory(tmp_path / "photos", may_replace=ours),
    ):
        pass
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "meow"
