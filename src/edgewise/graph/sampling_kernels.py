"""The loops of neighbour sampling, compiled.

Each loop over rows exists for one thread and for several. The first is for background threads: two parallel kernels of
numba may not run at once in one process with every threading layer.
"""

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


@jit
def _end(indptr, times, is_temporal, node, until, row):  # type: ignore[no-untyped-def]
    """Return where the edges of a node end that are earlier than the row's moment."""
    first, last = indptr[node], indptr[node + 1]
    if not is_temporal:
        return last
    return first + np.searchsorted(times[first:last], until[row])


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
def _count_row(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, frontier, until, limit, replace, row, counts
):  # type: ignore[no-untyped-def]
    node = frontier[row]
    first, last = indptr[node], _end(indptr, times, is_temporal, node, until, row)
    banned_first, banned_last = _banned_range(banned_receivers, node)
    n = last - first - _n_banned_entries(senders, first, last, banned_senders, banned_first, banned_last)
    if limit < 0 or n == 0 or (n < limit and not replace):
        counts[row] = n
    else:
        counts[row] = limit


@jit
def _draw_row(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, cumulative, weights, frontier, until, limit,
    replace, stream, first_place, indptr_out, row, entries, senders_out,
):  # type: ignore[no-untyped-def]  # fmt: skip
    out_first, out_last = indptr_out[row], indptr_out[row + 1]
    k = out_last - out_first
    if k == 0:
        return
    node = frontier[row]
    first, last = indptr[node], _end(indptr, times, is_temporal, node, until, row)
    banned_first, banned_last = _banned_range(banned_receivers, node)
    own = mix(stream, np.uint64(first_place + row))
    out = entries[out_first:out_last]
    n_banned = _n_banned_entries(senders, first, last, banned_senders, banned_first, banned_last)
    n = last - first - n_banned
    takes_all = limit < 0 or (k == n and not replace)
    if takes_all and n_banned == 0:
        for draw in range(k):
            out[draw] = first + draw
    elif takes_all:
        free = 0
        for entry in range(first, last):
            if not _is_banned(senders[entry], banned_senders, banned_first, banned_last):
                out[free] = entry
                free += 1
    elif cumulative.size:
        _draw_weighted(
            senders,
            first,
            last,
            banned_senders,
            banned_first,
            banned_last,
            n_banned,
            cumulative,
            weights,
            replace,
            own,
            out,
        )
    else:
        if replace:
            for draw in range(k):
                out[draw] = int(_unit(own, draw) * n)
        elif k * k < 8 * n:
            _draw_by_floyd(n, own, out)
        else:
            _draw_in_one_pass(n, own, out)
        if n_banned == 0:
            for draw in range(k):
                out[draw] += first
        else:
            _skip_banned(senders, first, last, banned_senders, banned_first, banned_last, n_banned, out)
    for draw in range(k):
        senders_out[out_first + draw] = senders[out[draw]]


@jit
def _draw_by_floyd(n, own, out):  # type: ignore[no-untyped-def]
    """Choose out.size of 0 to n - 1, all sets as likely, in out.size² / 2 comparisons."""
    k = out.size
    for draw in range(k):
        top = n - k + draw
        chosen = int(_unit(own, draw) * (top + 1))
        for before in range(draw):
            if out[before] == chosen:
                chosen = top
                break
        out[draw] = chosen


@jit
def _draw_in_one_pass(n, own, out):  # type: ignore[no-untyped-def]
    """Choose out.size of 0 to n - 1, all sets as likely, in n steps (Knuth, TAOCP 2, 3.4.2, algorithm S)."""
    k, taken = out.size, 0
    for entry in range(n):
        if _unit(own, entry) * (n - entry) < k - taken:
            out[taken] = entry
            taken += 1
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
def _draw_weighted(
    senders, first, last, banned_senders, banned_first, banned_last, n_banned, cumulative, weights, replace, own, out
):  # type: ignore[no-untyped-def]
    """Choose entries by weight; what is banned, and without replacement what is there, is drawn again, for a while."""
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
def _draw_among_allowed(
    senders, first, last, banned_senders, banned_first, banned_last, weights, own, tries, taken, out
):  # type: ignore[no-untyped-def]
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
def count(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, frontier, until, limit, replace, counts
):  # type: ignore[no-untyped-def]
    """Count what will be drawn of each row."""
    for row in range(frontier.size):
        _count_row(
            indptr, senders, times, is_temporal, banned_receivers, banned_senders, frontier, until, limit, replace, row, counts
        )  # fmt: skip


@jit_parallel
def count_parallel(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, frontier, until, limit, replace, counts
):  # type: ignore[no-untyped-def]
    """Count what will be drawn of each row, on all threads."""
    for part in numba.prange((frontier.size + _ROWS_PER_PART - 1) // _ROWS_PER_PART):
        for row in range(part * _ROWS_PER_PART, min(frontier.size, (part + 1) * _ROWS_PER_PART)):
            _count_row(
                indptr, senders, times, is_temporal, banned_receivers, banned_senders, frontier, until, limit, replace, row, counts
            )  # fmt: skip


@jit
def draw(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, cumulative, weights, frontier, until, limit,
    replace, stream, first_place, indptr_out, entries, senders_out,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Draw the neighbours of each row."""
    for row in range(frontier.size):
        _draw_row(
            indptr, senders, times, is_temporal, banned_receivers, banned_senders, cumulative, weights, frontier, until,
            limit, replace, stream, first_place, indptr_out, row, entries, senders_out,
        )  # fmt: skip


@jit_parallel
def draw_parallel(
    indptr, senders, times, is_temporal, banned_receivers, banned_senders, cumulative, weights, frontier, until, limit,
    replace, stream, first_place, indptr_out, entries, senders_out,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Draw the neighbours of each row, on all threads."""
    for part in numba.prange((frontier.size + _ROWS_PER_PART - 1) // _ROWS_PER_PART):
        for row in range(part * _ROWS_PER_PART, min(frontier.size, (part + 1) * _ROWS_PER_PART)):
            _draw_row(
                indptr, senders, times, is_temporal, banned_receivers, banned_senders, cumulative, weights, frontier, until,
                limit, replace, stream, first_place, indptr_out, row, entries, senders_out,
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
