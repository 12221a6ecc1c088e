"""The store folder: what lies where, and its format number.

store.json           format number and when it was made
events.db            events, users, items, offsets, dead letters (and events.db-wal, events.db-shm while it is open)
models/, current     versions of the model, and which of them answers
lock, lock.pid       held by the server
"""

import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgewise.errors import DataError, StoreError
from edgewise.files import sync, write_json
from edgewise.store.lock import store_lock
from edgewise.store.protocol import MAX_DEAD_LETTERS
from edgewise.store.registry import ModelRegistry
from edgewise.store.sqlite_store import SqliteStore

FORMAT = 1
"""The number of this layout; a folder of another number is refused, not guessed at."""

_ABOUT = "store.json"


@dataclass(frozen=True)
class StoreFolder:
    """A folder that `open` has checked."""

    path: Path

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> "StoreFolder":
        """Check a store folder, or make one.

        Args:
            path: the folder.
            create: whether to make it where there is none, or an empty one.

        Raises:
            StoreError: if it is not there, something else, damaged, of another format, or cannot be made.
        """
        about = path / _ABOUT
        try:
            if about.exists():
                _check(about)
                return cls(path)
            if path.exists() and (not path.is_dir() or any(not file.name.startswith(".") for file in path.iterdir())):
                if about.exists():  # another process made the store at this moment
                    return cls.open(path)
                raise StoreError(
                    f"{path} exists and is not a store; it was left alone. Name another folder, or an empty one."
                )
            if not create:
                raise StoreError(
                    f"{path} is not a store: it has no {_ABOUT}. Name the folder that `edgewise serve --store` was given."
                )
            path.mkdir(parents=True, exist_ok=True)
            _make(about)
        except (OSError, DataError) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise StoreError(f"the store {path} cannot be opened: {told}") from error
        return cls(path)

    def events(self, *, max_dead_letters: int = MAX_DEAD_LETTERS) -> SqliteStore:
        """Open the events in this folder, and all else that is not a model; `open_events` also looks elsewhere."""
        return SqliteStore(self.path / "events.db", max_dead_letters=max_dead_letters)

    @property
    def models(self) -> ModelRegistry:
        """The versions of the model."""
        return ModelRegistry(self.path, self.id)

    @property
    def id(self) -> str:
        """What tells this store from others, also after it was moved; of one made before there were ids, a hash."""
        try:
            content = (self.path / _ABOUT).read_bytes()
            found = json.loads(content).get("id")
        except (OSError, ValueError, AttributeError) as error:
            raise StoreError(f"{self.path / _ABOUT} cannot be read: {error}.") from None
        return found if isinstance(found, str) else hashlib.sha256(content).hexdigest()[:32]

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Be the one server of this folder; see `store_lock`."""
        return store_lock(self.path)


def _make(about: Path) -> None:
    """Write what tells a store from others, unless another process does so at this moment: then its id holds for both."""
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    store_id = uuid.uuid4().hex
    draft = about.with_name(f".{about.name}.{store_id}")
    try:
        write_json(draft, {"format": FORMAT, "id": store_id, "created_at": created_at})
        try:
            about.hardlink_to(draft)
        except FileExistsError:
            _check(about)
        except OSError:  # a disk without links
            draft.replace(about)
        sync(about.parent)
    finally:
        draft.unlink(missing_ok=True)


def _check(about: Path) -> None:
    try:
        said = json.loads(about.read_bytes())
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f'{about} is not JSON ({error}); restore it, or write {{"format": {FORMAT}}} into it.'
        ) from None
    number = said.get("format") if isinstance(said, dict) else None
    if number != FORMAT:
        raise StoreError(
            f"{about} has format {number!r}; this version of edgewise reads format {FORMAT}. Open it with the version that made it."
        )
