"""A model folder is whole, or refused in words; reading it runs no code."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewise.errors import DataError, ModelFolderError
from edgewise.models import build, load
from edgewise.testing.planted import planted_tastes


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    build("popularity").fit(planted_tastes().train).save(
        folder, metrics={"ndcg@20": 0.5}, run_config="[model]\nname = 'popularity'\n"
    )
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    copy.mkdir()
    for file in saved.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def test_the_folder_says_what_made_it(folder: Path) -> None:
    found = about(folder)
    assert found["format"] == 1
    assert found["model"] == "popularity"
    assert found["metrics"] == {"ndcg@20": 0.5}
    assert set(found["files"]) == set(os.listdir(folder)) - {"model.json"}
    assert (folder / "run.toml").read_text().startswith("[model]")


@pytest.mark.parametrize("name", ["arrays.safetensors", "users.parquet", "items.parquet"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"lacks {name}; the folder was cut short"):
        load(folder)


@pytest.mark.parametrize("name", ["arrays.safetensors", "users.parquet", "items.parquet"])
def test_a_cut_or_changed_part_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for changed in (content[: len(content) // 2], b"", content[:-1] + bytes([content[-1] ^ 1])):
        (folder / name).write_bytes(changed)
        with pytest.raises(ModelFolderError, match=rf"{name} is not the file that was saved"):
            load(folder)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "[" * 100_000, '{"format": 99}', "\0\1"])
def test_a_model_json_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelFolderError, match=r"model.json (cannot be read as JSON|has format)"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2; this version of edgewise reads format 1"),
        ({"files": {"../../etc/passwd": "0"}}, r"names the file '\.\./\.\./etc/passwd', which is not a plain name"),
        ({"config": "x"}, "'config' is missing or not a dict"),
        ({"seed": None}, "'seed' is missing or not a int"),
        ({"n_users": 7}, "7 users"),
    ],
)
def test_a_hostile_or_foreign_model_json_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    (folder / "model.json").write_text(json.dumps(about(folder) | change))
    with pytest.raises(ModelFolderError, match=message):
        load(folder)


def test_arrays_that_do_not_fit_the_ids_are_refused(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from edgewise.files import sha256_of

    arrays = load_file(folder / "arrays.safetensors")
    arrays["counts"] = arrays["counts"][:-1].copy()
    save_file(arrays, folder / "arrays.safetensors")
    found = about(folder)
    found["files"]["arrays.safetensors"] = sha256_of(folder / "arrays.safetensors")
    (folder / "model.json").write_text(json.dumps(found))
    with pytest.raises(ModelFolderError, match="do not fit together"):
        load(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="is not a folder; expected a model folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelFolderError, match=r"has no model.json"):
        load(tmp_path)


def test_a_model_of_another_name_is_refused(folder: Path) -> None:
    from edgewise.errors import UnknownNameError

    (folder / "model.json").write_text(json.dumps(about(folder) | {"model": "os.system"}))
    with pytest.raises(UnknownNameError, match=r"there is no model 'os.system'; there are popularity"):
        load(folder)


def test_saving_over_a_model_replaces_it_and_over_anything_else_does_not(folder: Path, tmp_path: Path) -> None:
    model = load(folder)
    model.save(folder)
    assert load(folder).recommend(["u000"], 3).to_frame().height == 3
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    with pytest.raises(DataError, match="it was left alone"):
        model.save(tmp_path / "notes")
    assert os.listdir(tmp_path / "notes") == ["diary.txt"]


def test_numbers_survive_to_the_bit(folder: Path) -> None:
    original = build("popularity").fit(planted_tastes().train)
    np.testing.assert_array_equal(load(folder).score(["u000"], [1000, 1001]), original.score(["u000"], [1000, 1001]))
