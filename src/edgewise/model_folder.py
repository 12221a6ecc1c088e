"""The model folder on disk: JSON, safetensors and Parquet, checked by size and SHA-256; reading it runs no code.

model.json           format number, model name, config, metrics, versions, and the SHA-256 of every other file
arrays.safetensors   the arrays; a CSR matrix as NAME.data, NAME.indices, NAME.indptr, NAME.shape
users.parquet        user_id and attributes, in index order
items.parquet        item_id and attributes, in index order
labels.parquet       what names mean in English and Chinese
start.safetensors    what a later fit starts from, in the same form; not read to answer
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.errors import ModelFolderError
from edgewise.files import as_os_error, atomic_directory, sha256_of, write_json

FORMAT = 1
"""The number of this layout; a folder of another number is refused, not guessed at."""

Arrays: TypeAlias = Mapping[str, NDArray[Any] | csr_array]

_START = "start.safetensors"

_CSR_PARTS = ("data", "indices", "indptr", "shape")


def is_model_folder(directory: Path) -> bool:
    """Whether a folder looks like one that `write` made, or the stump of one."""
    return (directory / "model.json").is_file()


def write(
    directory: Path,
    about: Mapping[str, Any],
    arrays: Arrays,
    tables: Mapping[str, pl.DataFrame],
    texts: Mapping[str, str],
    start: Arrays | None = None,
) -> None:
    """Write a model folder in one step: whole under a temporary name, flushed, then renamed.

    Args:
        directory: a new folder, an empty one, or a model folder to replace.
        about: what goes into model.json beside format, time and checksums.
        arrays: arrays and CSR matrices by name.
        tables: "users", "items" and, optionally, "labels".
        texts: further text files by name.
        start: what a later fit starts from.

    Raises:
        DataError: if it cannot be written or `directory` is something else; what was there stays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with atomic_directory(directory, may_replace=is_model_folder) as folder:
        try:
            save_file(_flat(arrays), folder / "arrays.safetensors")
            if start:
                save_file(_flat(start), folder / _START)
        except SafetensorError as error:  # in which what the system says is wrapped
            raise as_os_error(error) from error
        for name, table in tables.items():
            table.write_parquet(folder / f"{name}.parquet")
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / "model.json", {"format": FORMAT, "created_at": created_at, **about, "files": files})


def read_about(directory: Path) -> dict[str, Any]:
    """Read model.json alone.

    Raises:
        ModelFolderError: if it is missing, not JSON, of another format, or lacks a part.
    """
    path = directory / "model.json"
    if not directory.is_dir():
        raise ModelFolderError(
            f"{directory} is not a folder; expected a model folder, as `edgewise fit --out {directory}` writes it."
        )
    try:
        about = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelFolderError(
            f"{directory} has no model.json; it is not a model folder, or its writing was cut short. Fit the model again."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(
            f"{path} cannot be read as JSON ({error}); the folder is damaged. Fit the model again or restore a copy."
        ) from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        seen = about.get("format") if isinstance(about, dict) else type(about).__name__
        raise ModelFolderError(
            f"{path} has format {seen!r}; this version of edgewise reads format {FORMAT}. Fit the model again with this version."
        )
    expected = {
        "model": str,
        "config": dict,
        "seed": int,
        "n_users": int,
        "n_items": int,
        "data_fingerprint": str,
        "metrics": dict,
        "curve": list,
        "notes": list,
        "files": dict,
    }
    for key, kind in expected.items():
        if not isinstance(about.get(key), kind):
            raise ModelFolderError(
                f"{path}: {key!r} is missing or not a {kind.__name__}; the file was changed by hand or is damaged."
            )
    return about


def check(directory: Path) -> dict[str, Any]:
    """Read model.json and compare every other file with its SHA-256.

    Returns:
        What model.json says; its "files" are names and digests.

    Raises:
        ModelFolderError: if anything is missing or changed.
    """
    about = read_about(directory)
    _check_files(directory, about["files"])
    return about


def read_run_config(directory: Path) -> str:
    """Return the configuration kept in a folder, as TOML; "" where there is none."""
    path = directory / "run.toml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_start(directory: Path) -> dict[str, NDArray[Any] | csr_array]:
    """Return what a later fit starts from, checked by its SHA-256; nothing where the folder keeps nothing.

    Raises:
        ModelFolderError: if it is missing, changed or malformed.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    files = read_about(directory)["files"]
    if _START not in files:
        return {}
    _check_files(directory, {_START: files[_START]})
    try:
        return _unflat(load_file(directory / _START))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFolderError(f"{directory / _START} cannot be read: {error}. Fit the model again.") from error


def read(
    directory: Path, *, model: str, arrays: Sequence[str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any] | csr_array], dict[str, pl.DataFrame]]:
    """Read and check a whole model folder.

    Args:
        directory: the folder.
        model: the model's name that is expected in it.
        arrays: the arrays that must be there.

    Returns:
        What model.json says, the arrays and the tables.

    Raises:
        ModelFolderError: if anything is missing, changed, malformed, or of another model.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    about = read_about(directory)
    if about["model"] != model:
        raise ModelFolderError(f"{directory} holds a {about['model']!r} model, not {model!r}.")
    _check_files(directory, {name: digest for name, digest in about["files"].items() if name != _START})
    try:
        found = _unflat(load_file(directory / "arrays.safetensors"))
        tables = {
            name: pl.read_parquet(directory / f"{name}.parquet")
            for name in ("users", "items", "labels")
            if f"{name}.parquet" in about["files"]
        }
    except (SafetensorError, pl.exceptions.PolarsError, OSError, ValueError, KeyError) as error:
        raise ModelFolderError(
            f"{directory} cannot be read: {error}. Fit the model again or restore a copy."
        ) from error
    columns = {"users": "user_id", "items": "item_id"}
    if any(name in tables and column not in tables[name].columns for name, column in columns.items()):
        raise ModelFolderError(f"{directory}: a table has no column of ids. Fit the model again or restore a copy.")
    missing = [name for name in arrays if name not in found] + [
        name for name in ("users", "items") if name not in tables
    ]
    if missing:
        raise ModelFolderError(
            f"{directory} lacks {', '.join(missing)}; it was written by another version. Fit the model again."
        )
    return about, found, tables


def _check_files(directory: Path, files: Mapping[str, Any]) -> None:
    for name, digest in files.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelFolderError(
                f"{directory}/model.json names the file {str(name)[:60]!r}, which is not a plain name in the folder."
            )
        path = directory / name
        if not path.is_file():
            raise ModelFolderError(
                f"{directory} lacks {name}; the folder was cut short. Fit the model again or restore a copy."
            )
        if sha256_of(path) != digest:
            raise ModelFolderError(
                f"{path} is not the file that was saved (its SHA-256 differs); it is damaged or was changed. Restore a copy."
            )


def _flat(arrays: Arrays) -> dict[str, NDArray[Any]]:
    flat: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if isinstance(array, csr_array):
            parts = (array.data, array.indices, array.indptr, np.array(array.shape, dtype=np.int64))
            flat |= {
                f"{name}.{part}": np.ascontiguousarray(value) for part, value in zip(_CSR_PARTS, parts, strict=True)
            }
        else:
            flat[name] = np.ascontiguousarray(array)
    return flat


def _unflat(flat: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any] | csr_array]:
    sparse = {name.rpartition(".")[0] for name in flat if name.endswith(f".{_CSR_PARTS[-1]}")}
    arrays: dict[str, NDArray[Any] | csr_array] = {
        name: array for name, array in flat.items() if name.rpartition(".")[0] not in sparse
    }
    for name in sparse:
        data, indices, indptr, shape = (flat[f"{name}.{part}"] for part in _CSR_PARTS)
        matrix = csr_array((data, indices, indptr), shape=(int(shape[0]), int(shape[1])))
        matrix.check_format(full_check=True)
        arrays[name] = matrix
    return arrays
