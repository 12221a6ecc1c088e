"""Versions of a fitted model, and which of them answers: a file with its name, replaced in one step.

models/<version>/    a model folder, whole and checked by SHA-256 before it has this name
current              the name of the version that answers
removed              the names of versions that were here, one a line
"""

import hashlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from edgewise import model_folder
from edgewise.errors import DataError, ModelFolderError, StoreError
from edgewise.files import atomic_directory, atomic_write, sync
from edgewise.store.coverage import covered_of
from edgewise.store.protocol import EventStore

_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


class ModelRegistry:
    """The models of a store folder.

    A version is named by the time at which the model was fitted and by what its files are: the same model has the same
    version, however often and wherever it is added, and names sort by age; of one second, versions are in the order in which they
    were added.

    Args:
        folder: of the store. store_id: which store it is; what a model says it has learned of the log of another does not count.
    """

    def __init__(self, folder: Path, store_id: str = "") -> None:
        self._models, self._current, self._removed = folder / "models", folder / "current", folder / "removed"
        self._store_id = store_id

    def add(self, directory: Path, *, move: bool = False) -> str:
        """Copy a model folder into the registry; it does not answer before `swap`.

        Args:
            directory: the model folder.
            move: rename it instead; it must be on the same disk.

        Returns:
            Its version; the one there is where this very model was added before.

        Raises:
            ModelFolderError: if the folder is damaged, or the copy is not what it should be.
            StoreError: if it cannot be written; the registry is then as it was.
        """
        about = model_folder.check(directory)
        version = _version_of(directory, str(about.get("created_at", "")))
        place = self._models / version
        if place.is_dir():
            model_folder.check(place)
            return version
        if move:
            try:
                self._models.mkdir(exist_ok=True)
                directory.rename(place)
                sync(self._models)
            except OSError as error:
                raise StoreError(f"the model cannot be added: {error.strerror or error}.") from error
            return version
        try:
            with atomic_directory(place, may_replace=lambda _: False) as copy:
                for name in ("model.json", *about["files"]):
                    shutil.copyfile(directory / name, copy / name)
                model_folder.check(copy)
        except DataError as error:
            if place.is_dir():  # another process added the same model at this moment
                return version
            raise StoreError(f"the model cannot be added: {error}") from error
        return version

    def swap(self, version: str) -> None:
        """Let a version answer from now on; a reader of `current` sees the old name or this one.

        Raises:
            ModelFolderError: if its files are damaged; the old version stays.
            StoreError: if there is no such version, or the folder cannot be written.
        """
        model_folder.check(self.path(version))
        try:
            atomic_write(self._current, f"{version}\n")
        except DataError as error:
            raise StoreError(f"the model cannot be swapped: {error}") from error

    @property
    def current(self) -> str | None:
        """The version that answers; None before the first `swap`.

        Raises:
            StoreError: if the file is damaged or names a version that is not there.
        """
        try:
            version = self._current.read_bytes().decode(errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._current} cannot be read: {error.strerror or error}.") from error
        if version not in (versions := self.versions()):
            raise StoreError(
                f"{self._current} names {version[:60]!r}, which is no version in {self._models}; there are "
                f"{', '.join(versions) or 'none'}. Write the name of one into it."
            )
        return version

    def versions(self) -> list[str]:
        """List the versions, the oldest first."""
        if not self._models.is_dir():
            return []
        there = [path for path in self._models.iterdir() if _VERSION.fullmatch(path.name)]
        return [path.name for path in sorted(there, key=_age)]

    def covered(self, version: str, log: EventStore) -> int:
        """Return up to which number of the log a version has learned what it says; 0 where nothing, or of another log.

        A log that is shorter than that, or has something else at that number, is another one, such as an older copy.

        Raises:
            ModelFolderError: if model.json cannot be read.
        """
        return covered_of(model_folder.read_about(self.path(version)), self._store_id, log)

    def was_removed(self, directory: Path) -> bool:
        """Whether a model folder was a version here once, and was removed.

        Raises:
            ModelFolderError: if the folder is damaged.
        """
        about = model_folder.read_about(directory)
        return _version_of(directory, str(about.get("created_at", ""))) in self._names_removed()

    def _names_removed(self) -> list[str]:
        try:
            return self._removed.read_text(encoding="utf-8", errors="replace").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._removed} cannot be read: {error.strerror or error}.") from error

    def path(self, version: str) -> Path:
        """Return the model folder of a version.

        Raises:
            StoreError: if there is no such version.
        """
        if version not in (versions := self.versions()):
            raise StoreError(f"there is no version {version[:60]!r}; there are {', '.join(versions) or 'none'}.")
        return self._models / version

    def remove(self, version: str) -> None:
        """Delete a version that does not answer.

        Raises:
            StoreError: if it is the current one, or not there, or cannot be deleted.
        """
        path = self.path(version)
        if version == self.current:
            raise StoreError(f"{version} is the model that answers; swap to another before removing it.")
        try:
            atomic_write(
                self._removed, "".join(f"{name}\n" for name in dict.fromkeys([*self._names_removed(), version]))
            )
            aside = path.with_name(f".{version}.removed")  # a half-deleted folder must not have the name of a version
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            sync(self._models)
            shutil.rmtree(aside)
        except (OSError, DataError) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise StoreError(f"{path} cannot be removed: {told}.") from error


def _age(path: Path) -> tuple[str, int, str]:
    """Return what versions are sorted by."""
    try:
        added = path.stat().st_mtime_ns
    except OSError:  # removed at this moment
        added = 0
    return path.name.partition("-")[0], added, path.name


def _version_of(directory: Path, created_at: str) -> str:
    """Name a version: model.json holds the SHA-256 of all other files, so its own stands for all of them."""
    try:
        created = datetime.fromisoformat(created_at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ModelFolderError(
            f"{directory}/model.json: created_at is {created_at[:40]!r}, which is no time; the file was changed by hand or is damaged."
        ) from None
    return f"{created:%Y%m%dT%H%M%SZ}-{hashlib.sha256((directory / 'model.json').read_bytes()).hexdigest()[:12]}"
