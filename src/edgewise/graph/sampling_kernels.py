"""The loops of neighbour sampling, compiled.

Each loop over rows exists for one thread and for several. The first is for background threads: two parallel kernels of
numba may not run at once in one process with every threading layer.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53

_ROWS_PER_PART = 256
"""Rows that one thread takes at a time: few enough for even work, enough to hide the cost of handing out."""

_TRIES_PER_DRAW = 8
"""Repeats drawn again before weighted drawing without replacement goes over the whole row instead."""

jit = numba.njit(cache=True, nogil=True)
jit_parallel = numba.njit(cache=True, nogil=True, parallel=True)


@jit
def _scrambled(z):  # type: ignore[no-untyped-def]
    """SplitMix64's output function."""
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@jit
def mix(stream, key):  # type: ignore[no-untyped-def]
    """Return the stream of a key within a stream: uint64."""
    return _scrambled(_scrambled(stream + _GAMMA) + (key + np.uint64(1)) * _GAMMA)


@jit
def _unit(stream, draw):  # type: ignore[no-untyped-def]
    """Return number `draw` of a stream: uniform in [0, 1), 53 bits."""
    return (_scrambled(stream + (np.uint64(draw) + np.uint64(1)) * _GAMMA) >> _11) * _TO_UNIT


class Rows(NamedTuple):
    """The edges by receiver: `NeighbourSampler` says what these are. `times`, or `cumulative` and `weights`, may be empty."""

    indptr: Any
    senders: Any
    times: Any
    cumulative: Any
    weights: Any


class Banned(NamedTuple):
    """Pairs that may not be drawn, receivers ascending, and the senders of each."""

    receivers: Any
    senders: Any


@jit
def _banned_range(banned_receivers, node):  # type: ignore[no-untyped-def]
    if banned_receivers.size == 0:
        return 0, 0
    first = np.searchsorted(banned_receivers, node)
    last = first
    while last < banned_receivers.size and banned_receivers[last] == node:
        last += 1
    return first, last


@jit
def _is_banned(sender, banned_senders, first, last):  # type: ignore[no-untyped-def]
    place = first + np.searchsorted(banned_senders[first:last], sender)
    return place < last and banned_senders[place] == sender


@jit
def _n_banned_entries(senders, first, last, banned_senders, banned_first, banned_last):  # type: ignore[no-untyped-def]
    n = 0
    if banned_first < banned_last:
        for entry in range(first, last):
            n += _is_banned(senders[entry], banned_senders, banned_first, banned_last)
    return n


@jit
def _count_part(part, rows, banned, frontier, until, limit, replace, firsts, lasts, counts):  # type: ignore[no-untyped-def]
    start, stop = part * _ROWS_PER_PART, min(frontier.size, (part + 1) * _ROWS_PER_PART)
    for row in range(start, stop):  # nothing but loads, of which the processor then has many under way at once
        firsts[row], lasts[row] = rows.indptr[frontier[row]], rows.indptr[frontier[row] + 1]
    if until.size:
        for row in range(start, stop):
            lasts[row] = firsts[row] + np.searchsorted(rows.times[firsts[row] : lasts[row]], until[row])
    for row in range(start, stop):
        n = lasts[row] - firsts[row]
        if banned.receivers.size:
            banned_first, banned_last = _banned_range(banned.receivers, frontier[row])
            n -= _n_banned_entries(
                rows.senders, firsts[row], lasts[row], banned.senders, banned_first, banned_last
            )  # fmt: skip
        counts[row] = n if limit < 0 or n == 0 or (n < limit and not replace) else limit


@jit
def _draw_part(  # type: ignore[no-untyped-def]
    part, rows, banned, frontier, limit, replace, stream, first_place, firsts, lasts, indptr_out, entries, senders_out
):
    start, stop = part * _ROWS_PER_PART, min(frontier.size, (part + 1) * _ROWS_PER_PART)
    is_weighted, is_any_banned = rows.cumulative.size > 0, banned.receivers.size > 0
    for row in range(start, stop):
        out_first, k = indptr_out[row], indptr_out[row + 1] - indptr_out[row]
        if k == 0:
            continue
        first, n = firsts[row], lasts[row] - firsts[row]
        if is_any_banned:
            banned_first, banned_last = _banned_range(banned.receivers, frontier[row])
            if banned_first < banned_last:
                out = entries[out_first : out_first + k]
                own = mix(stream, np.uint64(first_place + row))
                _draw_beside_banned(
                    rows, first, lasts[row], banned.senders, banned_first, banned_last, limit, replace, own, out
                )  # fmt: skip
                continue
        if limit < 0 or (k == n and not replace):
            for draw in range(k):
                entries[out_first + draw] = first + draw
            continue
        own = mix(stream, np.uint64(first_place + row))
        if is_weighted:
            out = entries[out_first : out_first + k]
            _draw_weighted(rows, first, lasts[row], banned.senders, 0, 0, 0, replace, own, out)
        elif replace:
            for draw in range(k):
                entries[out_first + draw] = first + int(_unit(own, draw) * n)
        elif k * k < 8 * n:
            _draw_by_floyd(first, n, own, entries, out_first, k)
        else:
            _draw_in_one_pass(first, n, own, entries, out_first, k)
    for at in range(indptr_out[start], indptr_out[stop]):
        senders_out[at] = rows.senders[entries[at]]


@jit
def _draw_beside_banned(rows, first, last, banned_senders, banned_first, banned_last, limit, replace, own, out):  # type: ignore[no-untyped-def]
    """Draw of a node that has pairs which may not be drawn."""
    senders, k = rows.senders, out.size
    n_banned = _n_banned_entries(senders, first, last, banned_senders, banned_first, banned_last)
    n = last - first - n_banned
    if limit < 0 or (k == n and not replace):
        free = 0
        for entry in range(first, last):
            if not _is_banned(senders[entry], banned_senders, banned_first, banned_last):
                out[free] = entry
                free += 1
        return
    if rows.cumulative.size:
        _draw_weighted(rows, first, last, banned_senders, banned_first, banned_last, n_banned, replace, own, out)
        return
    if replace:
        for draw in range(k):
            out[draw] = int(_unit(own, draw) * n)
    elif k * k < 8 * n:
        _draw_by_floyd(0, n, own, out, 0, k)
    else:
        _draw_in_one_pass(0, n, own, out, 0, k)
    _skip_banned(senders, first, last, banned_senders, banned_first, banned_last, n_banned, out)


@jit
def _draw_by_floyd(first, n, own, out, at, k):  # type: ignore[no-untyped-def]
    """Choose k of the n numbers from `first` on, all sets as likely, in k² / 2 comparisons, into `out` from `at` on."""
    for draw in range(k):
        top = n - k + draw
        chosen = first + int(_unit(own, draw) * (top + 1))
        for before in range(draw):
            if out[at + before] == chosen:
                chosen = first + top
                break
        out[at + draw] = chosen


@jit
def _draw_in_one_pass(first, n, own, out, at, k):  # type: ignore[no-untyped-def]
    """Choose k of the n numbers from `first` on, all sets as likely, in n steps (Knuth, TAOCP 2, 3.4.2, algorithm S)."""
    taken = 0
    for step in range(n):
        out[at + taken] = first + step  # without a branch, which could not be foreseen
        taken += _unit(own, step) * (n - step) < k - taken
        if taken == k:
            break


@jit
def _skip_banned(senders, first, last, banned_senders, banned_first, banned_last, n_banned, out):  # type: ignore[no-untyped-def]
    """Turn numbers among the entries that are not banned into entries."""
    banned = np.empty(n_banned, dtype=np.int64)
    free = 0
    for entry in range(first, last):
        if _is_banned(senders[entry], banned_senders, banned_first, banned_last):
            banned[free] = entry - first - free  # how many entries before it are not banned
            free += 1
    for draw in range(out.size):
        out[draw] += first + np.searchsorted(banned, out[draw], side="right")


@jit
def _draw_weighted(rows, first, last, banned_senders, banned_first, banned_last, n_banned, replace, own, out):  # type: ignore[no-untyped-def]
    """Choose entries by weight; what is banned, and without replacement what is there, is drawn again, for a while."""
    senders, cumulative, weights = rows.senders, rows.cumulative, rows.weights
    k, taken, tries = out.size, 0, 0
    total = cumulative[last - 1]
    while taken < k and tries < _TRIES_PER_DRAW * k + 32:
        entry = first + np.searchsorted(cumulative[first:last], _unit(own, tries) * total, side="right")
        tries += 1
        fits = entry < last and not (
            n_banned > 0 and _is_banned(senders[entry], banned_senders, banned_first, banned_last)
        )
        if fits and not replace:
            for before in range(taken):
                if out[before] == entry:
                    fits = False
                    break
        if fits:
            out[taken] = entry
            taken += 1
    if taken == k:
        return
    if replace:
        _draw_among_allowed(
            senders, first, last, banned_senders, banned_first, banned_last, weights, own, tries, taken, out
        )
    else:
        _draw_by_keys(senders, first, last, banned_senders, banned_first, banned_last, weights, own, tries, taken, out)


@jit
def _draw_among_allowed(  # type: ignore[no-untyped-def]
    senders, first, last, banned_senders, banned_first, banned_last, weights, own, tries, taken, out
):
    """Fill the rest of `out` with replacement, going over the row: for rows where banned edges have most of the weight."""
    total, fallback = 0.0, -1
    for entry in range(first, last):
        if not _is_banned(senders[entry], banned_senders, banned_first, banned_last):
            total += weights[entry]
            fallback = entry  # where rounding leaves a draw behind the end
    for draw in range(taken, out.size):
        left, chosen = _unit(own, tries + draw) * total, fallback
        for entry in range(first, last):
            if not _is_banned(senders[entry], banned_senders, banned_first, banned_last):
                left -= weights[entry]
                if left < 0:
                    chosen = entry
                    break
        out[draw] = chosen


@jit
def _draw_by_keys(senders, first, last, banned_senders, banned_first, banned_last, weights, own, tries, taken, out):  # type: ignore[no-untyped-def]
    """Fill the rest of `out` without replacement by the smallest of exponential waiting times, -log(u) / w."""
    n_wanted = out.size - taken
    before = np.sort(out[:taken])
    key, entry_of = np.full(n_wanted, np.inf), np.full(n_wanted, -1, dtype=np.int64)  # a heap, the largest key first
    for entry in range(first, last):
        if _is_banned(senders[entry], banned_senders, banned_first, banned_last):
            continue
        place = np.searchsorted(before, entry)
        if place < taken and before[place] == entry:
            continue
        waits = -np.log(1.0 - _unit(own, tries + entry - first)) / weights[entry]
        if waits < key[0] or entry_of[0] < 0:
            at = 0
            while True:
                child = 2 * at + 1
                if child >= n_wanted:
                    break
                if child + 1 < n_wanted and _is_above(key[child + 1], entry_of[child + 1], key[child], entry_of[child]):
                    child += 1
                if not _is_above(key[child], entry_of[child], waits, entry):
                    break
                key[at], entry_of[at] = key[child], entry_of[child]
                at = child
            key[at], entry_of[at] = waits, entry
    out[taken:] = entry_of


@jit
def _is_above(key, entry, other_key, other_entry):  # type: ignore[no-untyped-def]
    """Tell whether one belongs above the other in the heap: empty places (-1) first, then the larger key."""
    if entry < 0 or other_entry < 0:
        return entry < 0 and other_entry >= 0
    return key > other_key


@jit
def n_parts(frontier):  # type: ignore[no-untyped-def]
    """Return how many parts the rows are handed out in."""
    return (frontier.size + _ROWS_PER_PART - 1) // _ROWS_PER_PART


@jit
def count(rows, banned, frontier, until, limit, replace, firsts, lasts, counts):  # type: ignore[no-untyped-def]
    """Find where the edges of each row begin and end, and count what will be drawn of them."""
    for part in range(n_parts(frontier)):
        _count_part(part, rows, banned, frontier, until, limit, replace, firsts, lasts, counts)


@jit_parallel
def count_parallel(rows, banned, frontier, until, limit, replace, firsts, lasts, counts):  # type: ignore[no-untyped-def]
    """Do what `count` does, on all threads."""
    for part in numba.prange(n_parts(frontier)):
        _count_part(part, rows, banned, frontier, until, limit, replace, firsts, lasts, counts)


@jit
def draw(  # type: ignore[no-untyped-def]
    rows, banned, frontier, limit, replace, stream, first_place, firsts, lasts, indptr_out, entries, senders_out
):
    """Draw the neighbours of each row: entries, and their senders."""
    for part in range(n_parts(frontier)):
        _draw_part(
            part, rows, banned, frontier, limit, replace, stream, first_place, firsts, lasts, indptr_out, entries, senders_out
        )  # fmt: skip


@jit_parallel
def draw_parallel(  # type: ignore[no-untyped-def]
    rows, banned, frontier, limit, replace, stream, first_place, firsts, lasts, indptr_out, entries, senders_out
):
    """Do what `draw` does, on all threads."""
    for part in numba.prange(n_parts(frontier)):
        _draw_part(
            part, rows, banned, frontier, limit, replace, stream, first_place, firsts, lasts, indptr_out, entries, senders_out
        )  # fmt: skip


@jit
def accumulate(indptr, weights, out):  # type: ignore[no-untyped-def]
    """Sum up the weights of each row from its beginning."""
    for row in range(indptr.size - 1):
        total = 0.0
        for entry in range(indptr[row], indptr[row + 1]):
            total += weights[entry]
            out[entry] = total


@jit
def merge_seeds(seeds, place):  # type: ignore[no-untyped-def]
    """Number the seeds in their order, each once: the distinct ones, and the number of each."""
    nodes, numbers, n = np.empty(seeds.size, dtype=np.int64), np.empty(seeds.size, dtype=np.int64), 0
    for at in range(seeds.size):
        if place[seeds[at]] < 0:
            place[seeds[at]] = n
            nodes[n] = seeds[at]
            n += 1
        numbers[at] = place[seeds[at]]
    return nodes[:n].copy(), numbers


@jit
def merge(senders, place, n_before):  # type: ignore[no-untyped-def]
    """Number what is new among the senders, going on from `n_before`: the number of each sender, and the new nodes."""
    numbers, new, n = np.empty(senders.size, dtype=np.int32), np.empty(senders.size, dtype=np.int64), 0
    for at in range(senders.size):
        number = place[senders[at]]
        if number < 0:
            number = n_before + n
            place[senders[at]] = number
            new[n] = senders[at]
            n += 1
        numbers[at] = number
    return numbers, new[:n].copy()


@jit
def new_table(n_slots):  # type: ignore[no-untyped-def]
    """Make an empty hash table with open addressing: int64 [2, a power of two], keys (-1: free) and numbers."""
    size = 16
    while size < n_slots:
        size *= 2
    return np.full((2, size), -1, dtype=np.int64)


@jit
def _number_of(table, key, number):  # type: ignore[no-untyped-def]
    """Return the number under a key; where there is none, put `number` there."""
    mask = table.shape[1] - 1
    slot = np.int64(_scrambled(np.uint64(key) * _GAMMA) & np.uint64(mask))
    while table[0, slot] >= 0:
        if table[0, slot] == key:
            return table[1, slot]
        slot = (slot + 1) & mask
    table[0, slot], table[1, slot] = key, number
    return number


@jit
def _roomier(table, n_slots):  # type: ignore[no-untyped-def]
    if table.shape[1] >= n_slots:
        return table
    larger = new_table(n_slots)
    for slot in range(table.shape[1]):
        if table[0, slot] >= 0:
            _number_of(larger, table[0, slot], table[1, slot])
    return larger


@jit
def merge_seeds_in_groups(seeds, groups, n_nodes, table):  # type: ignore[no-untyped-def]
    """Number seeds as `merge_seeds` does, a node of two groups twice: distinct seeds, their groups, the number of each."""
    nodes, its_group = np.empty(seeds.size, dtype=np.int64), np.empty(seeds.size, dtype=np.int64)
    numbers, n = np.empty(seeds.size, dtype=np.int64), 0
    for at in range(seeds.size):
        numbers[at] = _number_of(table, groups[at] * n_nodes + seeds[at], n)
        if numbers[at] == n:
            nodes[n], its_group[n] = seeds[at], groups[at]
            n += 1
    return nodes[:n].copy(), its_group[:n].copy(), numbers


@jit
def merge_in_groups(senders, groups, n_nodes, table, n_before):  # type: ignore[no-untyped-def]
    """Number senders as `merge` does, a node of two groups twice: the table, numbers, new nodes and their groups."""
    table = _roomier(table, 2 * (n_before + senders.size))
    numbers, n = np.empty(senders.size, dtype=np.int32), 0
    new, its_group = np.empty(senders.size, dtype=np.int64), np.empty(senders.size, dtype=np.int64)
    for at in range(senders.size):
        number = _number_of(table, groups[at] * n_nodes + senders[at], n_before + n)
        if number == n_before + n:
            new[n], its_group[n] = senders[at], groups[at]
            n += 1
        numbers[at] = number
    return table, numbers, new[:n].copy(), its_group[:n].copy()
