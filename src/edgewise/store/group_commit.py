"""Many callers, one transaction: what arrives while the disk is busy is stored together at the next flush.

A flush costs the same for one event as for a thousand. Callers that wait for theirs side by side share one, so single
events are as durable as batches without a wait that somebody has to choose.
"""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import accumulate
from typing import NamedTuple

from edgewise.errors import DataError, StoreBusyError, StoreError
from edgewise.store.event import Event
from edgewise.store.protocol import Appended, DeadLetter, EventStore, Offset


class _Call(NamedTuple):
    events: Sequence[Event]
    offsets: Sequence[Offset]
    dead_letters: Sequence[DeadLetter]
    future: "Future[Appended]"


class GroupCommit:
    """A thread that stores what others hand in.

    Args:
        store: where to.
        max_waiting: events that may wait; what comes on top is refused, so that a slow disk slows callers down and does not
            fill the memory.
        max_together: events after which a transaction takes no further call.
        register, keep_erased_out: see `EventStore.append`.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        max_waiting: int = 20_000,
        max_together: int = 5_000,
        register: bool = False,
        keep_erased_out: bool = False,
    ) -> None:
        self._store, self._register, self._keep_erased_out = store, register, keep_erased_out
        self._max_waiting, self._max_together = max_waiting, max_together
        self._calls: deque[_Call] = deque()
        self._n_waiting = 0
        self._has_work = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="edgewise-group-commit", daemon=True)
        self._thread.start()

    def submit(
        self, events: Sequence[Event], *, offsets: Sequence[Offset] = (), dead_letters: Sequence[DeadLetter] = ()
    ) -> "Future[Appended]":
        """Hand in events; the future is done when they are on the disk, and says which are new.

        Raises:
            StoreBusyError: if too many wait already.
            StoreError: after `close`.
        """
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled: it will be stored
        with self._has_work:
            if not self._is_open:
                raise StoreError("the store takes no more events: it is being closed.")
            if self._n_waiting and self._n_waiting + len(events) > self._max_waiting:
                raise StoreBusyError(
                    f"{self._n_waiting} events wait to be stored, and at most {self._max_waiting} may; send these {len(events)} again later."
                )
            self._n_waiting += len(events)
            self._calls.append(_Call(events, offsets, dead_letters, future))
            self._has_work.notify()
        return future

    def append(
        self, events: Sequence[Event], *, offsets: Sequence[Offset] = (), dead_letters: Sequence[DeadLetter] = ()
    ) -> Appended:
        """Hand in events and wait until they are on the disk; returns which are new.

        Raises:
            StoreBusyError: if too many wait already.
            StoreError: if they could not be stored.
        """
        return self.submit(events, offsets=offsets, dead_letters=dead_letters).result()

    @property
    def n_waiting(self) -> int:
        """Events that wait for the disk at this moment."""
        return self._n_waiting

    def close(self) -> None:
        """Store what waits, then stop; the store itself stays open."""
        with self._has_work:
            self._is_open = False
            self._has_work.notify()
        self._thread.join()

    def _run(self) -> None:
        while calls := self._next():
            outcomes = self._store_together(calls)
            with self._has_work:
                self._n_waiting -= sum(len(call.events) for call in calls)
            for call, outcome in zip(calls, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    call.future.set_exception(outcome)
                else:
                    call.future.set_result(outcome)

    def _next(self) -> list[_Call]:
        """Wait for calls and take as many as fit into one transaction; none after `close`."""
        with self._has_work:
            while not self._calls and self._is_open:
                self._has_work.wait()
            calls: list[_Call] = []
            n_events = 0
            while self._calls and (not calls or n_events + len(self._calls[0].events) <= self._max_together):
                calls.append(self._calls.popleft())
                n_events += len(calls[-1].events)
            return calls

    def _store_together(self, calls: list[_Call]) -> "list[Appended | Exception]":
        try:
            new = self._store.append(
                [event for call in calls for event in call.events],
                offsets=[offset for call in calls for offset in call.offsets],
                dead_letters=[letter for call in calls for letter in call.dead_letters],
                register=self._register,
                keep_erased_out=self._keep_erased_out,
            )
        except DataError as error:
            if len(calls) == 1:
                return [error]
            # One call brought what no store can hold; the others must not suffer for it.
            return [outcome for call in calls for outcome in self._store_together([call])]
        except Exception as error:  # whatever it is: the callers wait to be told, and the thread must live
            return [error] * len(calls)
        ends = list(accumulate(len(call.events) for call in calls))
        return [Appended(new[end - len(call.events) : end], seq=new.seq) for call, end in zip(calls, ends, strict=True)]
