"""Concurrent calls share a transaction, and each learns of its own."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import DataError, StoreBusyError, StoreError
from edgewise.store import Appended, Event, GroupCommit, Offset, SqliteStore
from edgewise.testing.store_contract import event


class Slow(SqliteStore):
    """Holds each transaction until it is let go, and counts them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sizes: list[int] = []
        self.began, self.may_go = threading.Semaphore(0), threading.Semaphore(0)

    def append(self, events: Sequence[Event], **more: Any) -> Appended:
        self.sizes.append(len(events))
        self.began.release()
        assert self.may_go.acquire(timeout=30)
        return super().append(events, **more)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    store = Slow(tmp_path / "events.db")
    yield store
    store.close()


def test_calls_that_wait_together_share_a_transaction(slow: Slow) -> None:
    group = GroupCommit(slow)
    first = group.submit([event(0)])
    assert slow.began.acquire(timeout=30)
    waiting = [
        group.submit([event(number), event(number + 100)], offsets=[Offset("g", "t", number, 5)]) for number in range(4)
    ]
    assert group.n_waiting == 9
    for _ in range(2):
        slow.may_go.release()
    assert first.result(30) == [True]
    assert [future.result(30) for future in waiting] == [[False, True], [True, True], [True, True], [True, True]]
    assert slow.sizes == [1, 8]
    assert slow.offsets("g") == {("t", number): 5 for number in range(4)}
    group.close()


def test_a_full_queue_pushes_back_and_recovers(slow: Slow) -> None:
    group = GroupCommit(slow, max_waiting=3)
    first = group.submit([event(0), event(1)])
    assert slow.began.acquire(timeout=30)
    with pytest.raises(StoreBusyError, match="2 events wait to be stored, and at most 3 may; send these 2 again later"):
        group.submit([event(2), event(3)])
    slow.may_go.release(2)
    assert first.result(30) == [True, True]
    assert group.append([event(2), event(3)]) == [True, True]
    group.close()


def test_a_transaction_has_a_size(slow: Slow) -> None:
    group = GroupCommit(slow, max_together=5)
    futures = [group.submit([event(0)])]
    assert slow.began.acquire(timeout=30)
    futures += [group.submit([event(10 * number + place) for place in range(3)]) for number in range(1, 3)]
    futures.append(group.submit([event(100 + place) for place in range(9)]))
    slow.may_go.release(4)
    assert all(all(future.result(30)) for future in futures)
    assert slow.sizes == [1, 3, 3, 9]
    group.close()


def test_what_is_kept_out_of_a_store_is_kept_out_of_a_group(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "events.db")
    store.append([event(1, "gone")])
    store.erase_user("gone")
    group = GroupCommit(store, keep_erased_out=True)
    found = group.append([event(1, "gone"), event(2)])
    assert (found, found.seq) == ([False, True], store.last_seq)
    group.close()
    store.close()


def test_one_bad_call_fails_alone(slow: Slow) -> None:
    group = GroupCommit(slow)
    first = group.submit([event(0)])
    assert slow.began.acquire(timeout=30)
    good, bad, other = group.submit([event(1)]), group.submit([event(2, value=None)]), group.submit([event(3)])
    slow.may_go.release(5)
    assert first.result(30) == good.result(30) == other.result(30) == [True]
    with pytest.raises(DataError, match="cannot hold"):
        bad.result(30)
    group.close()


def test_what_waits_is_stored_before_closing_and_nothing_after(slow: Slow) -> None:
    group = GroupCommit(slow)
    futures = [group.submit([event(number)]) for number in range(3)]
    slow.may_go.release(3)
    group.close()
    assert [future.result(0) for future in futures] == [[True]] * 3
    assert slow.last_seq == 3
    with pytest.raises(StoreError, match="being closed"):
        group.append([event(9)])


def test_a_store_that_fails_tells_every_caller_and_the_next_call_is_tried_anew(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "events.db")
    group = GroupCommit(store)
    store.close()
    for number in range(2):
        with pytest.raises(StoreError, match="closed"):
            group.append([event(number)])
    assert group.n_waiting == 0
    group.close()
