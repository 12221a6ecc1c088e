"""Writing so that a reader sees the old file or the new one, never half of either."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgewise.errors import DataError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` to write to; on success it is flushed and renamed, on failure removed.

    Raises:
        DataError: if the folder cannot be written or the disk is full; `path` is then as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def temporary_prefix(path: Path) -> str:
    """Return how the temporary names of a file begin: what a killed process left behind can be found by it."""
    return f".{path.name}."


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write `content` under a temporary name beside `path`, flush it to the disk, then rename it over `path`.

    Raises:
        DataError: if the folder cannot be written or the disk is full; `path` is then as it was.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically; NaN and infinity are refused, since JSON has neither."""
    atomic_write(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextlib.contextmanager
def atomic_directory(path: Path, *, may_replace: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill; on success it takes the name `path`, on failure it is removed.

    Args:
        path: the folder to create or replace.
        may_replace: says whether an existing non-empty `path` is ours to replace; if not, nothing is touched.

    Raises:
        DataError: if `path` exists and may not be replaced, or cannot be written.
    """
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or may_replace(path))):
        raise DataError(
            f"{path} exists and is not a folder that edgewise wrote; it was left alone. Name another folder, or remove it."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        for file in temporary.rglob("*"):
            sync(file)
        temporary.chmod(0o755)
        _take_name(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_name(temporary: Path, path: Path) -> None:
    """Give `temporary` the name `path`; the folder that had it is put aside first and back if the rename fails."""
    if not path.exists():
        temporary.rename(path)
    else:
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        path.rename(aside / "old")
        try:
            temporary.rename(path)
        except OSError:
            (aside / "old").rename(path)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def as_os_error(error: Exception) -> Exception:
    """Return the system's own error where another error only carries its text ("… (os error 28)")."""
    with contextlib.suppress(ValueError, IndexError):
        number = int(str(error).rpartition("os error ")[2].split(")")[0])
        return OSError(number, os.strerror(number))
    return error


def _cannot_write(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write {path}: {error.strerror or error}. Nothing was changed; check free space and permissions, "
        "or name another place."
    )
