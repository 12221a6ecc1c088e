"""Of which users and items of a store something is told."""

from collections.abc import Iterator
from typing import Any, TypeVar

from edgewise.store import EventStore, StoredItem, StoredUser

_PAGE = 5000

T = TypeVar("T", StoredUser, StoredItem)


def told_users(store: EventStore) -> list[StoredUser]:
    """Return the users of whom something is told."""
    return [user for user in _pages(lambda after: store.users(after, _PAGE)) if user.labels]


def told_items(store: EventStore) -> list[StoredItem]:
    """Return the items of which something is told."""
    told = _pages(lambda after: store.items(after, _PAGE))
    return [item for item in told if item.labels or item.categories or item.timestamp is not None]


def _pages(page: Any) -> Iterator[Any]:
    after: str | None = None
    while found := page(after):
        yield from found
        after = found[-1].user_id if isinstance(found[-1], StoredUser) else found[-1].item_id
