"""Versions of a fitted model, and which of them answers: a file with its name, replaced in one step.

models/<version>/    a model folder, whole and checked by SHA-256 before it has this name
current              the name of the version that answers
"""

import hashlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from edgewise import model_folder
from edgewise.errors import DataError, ModelFolderError, StoreError
from edgewise.files import atomic_directory, atomic_write, sync

_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


class ModelRegistry:
    """The models of a store folder.

    A version is named by the time at which the model was fitted and by what its files are: the same model has the same
    version, however often and wherever it is added, and names sort by age.
    """

    def __init__(self, folder: Path) -> None:
        self._models, self._current = folder / "models", folder / "current"

    def add(self, directory: Path) -> str:
        """Copy a model folder into the registry; it does not answer before `swap`.

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
        return sorted(path.name for path in self._models.iterdir() if _VERSION.fullmatch(path.name))

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
            aside = path.with_name(f".{version}.removed")  # a half-deleted folder must not have the name of a version
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            sync(self._models)
            shutil.rmtree(aside)
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {error.strerror or error}.") from error


def _version_of(directory: Path, created_at: str) -> str:
    """Name a version: model.json holds the SHA-256 of all other files, so its own stands for all of them."""
    try:
        created = datetime.fromisoformat(created_at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ModelFolderError(
            f"{directory}/model.json: created_at is {created_at[:40]!r}, which is no time; the file was changed by hand or is damaged."
        ) from None
    return f"{created:%Y%m%dT%H%M%SZ}-{hashlib.sha256((directory / 'model.json').read_bytes()).hexdigest()[:12]}"
