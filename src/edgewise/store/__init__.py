"""What a service must not lose: events, what is told of users and items, offsets, and the models it answers with."""

from edgewise.store.event import Erased, Event, event_of, events_of_json
from edgewise.store.folder import StoreFolder
from edgewise.store.group_commit import GroupCommit
from edgewise.store.objects import StoredItem, StoredUser
from edgewise.store.opening import open_events
from edgewise.store.protocol import Appended, DeadLetter, EventStore, Offset
from edgewise.store.registry import ModelRegistry
from edgewise.store.settings import StoreConfig
from edgewise.store.sqlite_store import SqliteStore

__all__ = [
    "Appended",
    "DeadLetter",
    "Erased",
    "Event",
    "EventStore",
    "GroupCommit",
    "ModelRegistry",
    "Offset",
    "SqliteStore",
    "StoreConfig",
    "StoreFolder",
    "StoredItem",
    "StoredUser",
    "event_of",
    "events_of_json",
    "open_events",
]
