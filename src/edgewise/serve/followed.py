"""What the log tells beyond a model: everything after the entry up to which the model has learned it.

A model that was refitted from the log has the log's beginning in it, and one that was fitted elsewhere nothing of it. So what
happened since belongs to a version of the model, and two versions share it only where they begin at the same entry.
"""

import gc
from collections.abc import Callable, Sequence

from edgewise.pipeline.live import LiveEvents
from edgewise.store import Erased, Event, EventStore
from edgewise.store.event import Entry, subject_of

_PAGE = 5000

_SETTLED = 20_000
"""After so many entries, what is in memory is settled."""


def settle() -> None:
    """Let the garbage collector leave alone what is in memory now: going through a million users takes it a second, and all wait.

    What is no longer referred to is freed all the same, unless it refers to itself in a circle.
    """
    gc.collect()
    gc.freeze()


class Followed:
    """The log from an entry on, read in its order; one thread at a time may call `read`.

    Args:
        store: whose log it is.
        covered: the number of the last entry that the model has learned; what comes after is read.
        names: ids by subject, of what this process erases: the log has only the hash.

    Attributes:
        live: what users did since. seq: the number of the last entry read.
        met: items to which something has happened, or of which it was erased, since `take_met` was called.
        gone: subjects of users and items of whom something was erased, since `take_met` was called.
        erased_users, erased_items: subjects of those erased since; what the model knows of them does not count.
    """

    def __init__(self, store: EventStore, covered: int, names: dict[str, str]) -> None:
        self.store, self.covered = store, covered
        self.live = LiveEvents()
        self.seq = covered
        self.met: set[str] = set()
        self.gone: set[str] = set()
        self.erased_users: set[str] = set()
        self.erased_items: set[str] = set()
        self._names = names
        self._old = store.last_seq  # of what was erased up to here, nothing was ever read
        self._read_again: dict[str, tuple[set[str], int]] = {}
        self._n_unsettled = 0

    def read(self, on_items: Callable[[], None] = lambda: None) -> int:
        """Take what is new in the log; returns how many entries that were.

        Args:
            on_items: called after items were erased, or came back.
        """
        n = 0
        while entries := self.store.since(self.seq, _PAGE):
            before = set(self.erased_items)
            try:
                self._take(entries)
            finally:
                if self.erased_items != before:
                    on_items()
            self.seq = entries[-1][0]
            n += len(entries)
            self._n_unsettled += len(entries)
            if self._n_unsettled >= _SETTLED:
                settle()
                self._n_unsettled = 0
            if len(entries) < _PAGE:
                break
        if self._read_again:
            self._read_again = {user: read for user, read in self._read_again.items() if read[1] > self.seq}
        return n

    def take_met(self) -> tuple[set[str], set[str]]:
        """Return the items to which something has happened since the last call, and the subjects of whom something was erased."""
        taken = self.met, self.gone
        self.met, self.gone = set(), set()
        return taken

    def is_erased(self, user_id: str) -> bool:
        """Whether a user was erased since the model was made."""
        return bool(self.erased_users) and subject_of(user_id) in self.erased_users

    def bring_back(self, item_ids: Sequence[str]) -> bool:
        """Let erased items count again: somebody met them, or told something of them, since; returns whether one was erased."""
        back = self.erased_items & {subject_of(item) for item in item_ids}
        self.erased_items -= back
        return bool(back)

    def _take(self, entries: Sequence[Entry]) -> None:
        waiting: list[Event] = []
        for seq, entry in entries:
            if isinstance(entry, Event):
                if entry.item_id is not None:
                    self.met.add(entry.item_id)
                    if self.erased_items:
                        self.bring_back([entry.item_id])
                if entry.event_id not in self._read_again.get(entry.user_id, (frozenset(), 0))[0]:
                    waiting.append(entry)
                continue
            self.live.apply(waiting)
            waiting, self.seq = [], seq - 1  # what was counted must not be again where the store cannot be asked now
            self._forget(entry, is_old=seq <= self._old)
        self.live.apply(waiting)

    def _forget(self, erased: Erased, *, is_old: bool) -> None:
        if erased.kind == "user":
            self.erased_users.add(erased.subject)
        elif erased.kind == "item":
            self.erased_items.add(erased.subject)
        self.gone.add(erased.subject)
        if is_old:
            return
        name = self._names.get(erased.subject)
        if name is None:
            known = self.live.items() if erased.kind == "item" else self.live.people()
            name = next((some_id for some_id in known if subject_of(some_id) == erased.subject), None)
        if name is None:
            return
        if erased.kind != "item":  # what this user met may have been placed by it
            self.met.update(self.live.items_of(name)[0])
        match erased.kind:
            case "user":
                self.live.forget(name)
            case "item":
                self.live.forget_item(name)
            case "some":
                events = self.store.of_user(name, after=self.covered)
                self.live.replace(name, events)
                # Those among them that the log has not come to yet must not be counted again then.
                self._read_again[name] = ({event.event_id for event in events}, self.store.last_seq)
        self._names.pop(erased.subject, None)
