"""From [store] to the store of events: in the folder, in PostgreSQL, or in Redis."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from edgewise.errors import ConfigError, MissingExtraError, StoreError
from edgewise.store.folder import StoreFolder
from edgewise.store.protocol import EventStore
from edgewise.store.settings import StoreConfig

URL = "EDGEWISE_STORE_URL"
"""The variable whose address, with a password where one is needed, comes before that of [store]."""

_POSTGRES, _REDIS = ("postgresql", "postgres"), ("redis", "rediss", "unix", "valkey", "valkeys")


def open_events(
    folder: StoreFolder, settings: StoreConfig | None = None, environment: Mapping[str, str] = os.environ
) -> EventStore:
    """Open the events of a store folder: in it, or in the server that the settings name.

    Raises:
        ConfigError: if the address is none of those known, or the password cannot be read; neither is shown.
        StoreError: if the store cannot be used. StoreBusyError: if its server cannot be reached.
        MissingExtraError: if the package for that server is not installed.
    """
    settings = StoreConfig() if settings is None else settings
    url = environment.get(URL) or settings.url
    if url == "sqlite":
        return folder.events(max_dead_letters=settings.max_dead_letters)
    kind = url.partition("://")[0]
    if kind not in (*_POSTGRES, *_REDIS):
        raise ConfigError(
            f'the address of the store begins with neither postgresql:// nor redis://, and is not "sqlite". Correct [store] url, or {URL}.'
        )
    if _has_events(folder):
        raise StoreError(
            f"{folder.path} has events of its own (events.db), which would not be read any more: [store] names a server. "
            "Name another folder, or move events.db away."
        )
    password = None if settings.password_file is None else _password(Path(settings.password_file))
    try:
        if kind in _POSTGRES:
            from edgewise.store.postgres_store import PostgresStore

            return PostgresStore(
                url,
                password=password,
                schema=settings.name,
                max_dead_letters=settings.max_dead_letters,
                accept_loss=settings.accept_loss,
            )
        from edgewise.store.redis_store import RedisStore

        return RedisStore(
            url.replace("valkey", "redis", 1) if kind.startswith("valkey") else url,  # the client has one name for both
            password=password,
            prefix=settings.name,
            max_dead_letters=settings.max_dead_letters,
            accept_loss=settings.accept_loss,
        )
    except ModuleNotFoundError as error:
        if error.name not in ("psycopg", "redis"):
            raise
        extra = "postgres" if error.name == "psycopg" else "redis"
        raise MissingExtraError(
            f"this store needs {error.name}, which is not installed: pip install 'edgewise[{extra}]'."
        ) from None


def _has_events(folder: StoreFolder) -> bool:
    """Whether something was stored in the folder; a `serve` that failed at its start leaves events.db without content."""
    if not (folder.path / "events.db").exists():
        return False
    with contextlib.closing(folder.events()) as events:
        return not events.is_empty


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"the password file {path} of [store] cannot be read: {told}.") from None
