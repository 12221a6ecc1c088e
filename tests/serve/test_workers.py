"""Where work is done: quick work where the request is, slow work in threads of its own."""

import asyncio
import threading
import time

from edgewise.serve.asked import Workers


async def places_of(workers: Workers, work: object, n: int) -> list[bool]:
    """Call a function n times; tells for each call whether it was made on this thread."""
    assert callable(work)
    here = threading.get_ident()
    return [await workers.run_soon(work) == here for _ in range(n)]


def quick() -> int:
    return threading.get_ident()


def test_what_proves_quick_is_done_at_once_and_what_turns_slow_goes_back_to_the_threads() -> None:
    burn_s = 0.0

    def work() -> int:
        started = time.thread_time()
        while time.thread_time() - started < burn_s:
            pass
        return threading.get_ident()

    async def asked() -> tuple[list[bool], list[bool], list[bool]]:
        nonlocal burn_s
        workers = Workers(1, 10)
        try:
            first = await places_of(workers, work, 20)
            burn_s = 0.02
            slow = await places_of(workers, work, 40)
            burn_s = 0.0
            return first, slow, await places_of(workers, work, 100)
        finally:
            workers.close()

    first, slow, again = asyncio.run(asked())
    assert not first[0]  # nothing is known of it yet
    assert all(first[1:])
    assert not any(slow[-20:])
    assert all(again[-20:])


def test_each_kind_of_work_is_known_by_itself() -> None:
    async def asked() -> tuple[bool, bool]:
        workers = Workers(1, 10)
        try:
            await places_of(workers, quick, 2)
            [known] = await places_of(workers, quick, 1)
            [unknown] = await places_of(workers, threading.get_ident, 1)
            return known, unknown
        finally:
            workers.close()

    assert asyncio.run(asked()) == (True, False)
