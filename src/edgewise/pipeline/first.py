"""Lists of several sources as one: an item counts where it comes first."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def first_of_each(items):  # type: ignore[no-untyped-def]
    """Return the place where each item comes first, ascending: int64 of int64 [n], all >= 0.

    >>> first_of_each(np.array([7, 3, 7, 9, 3])).tolist()
    [0, 1, 3]
    """
    n_slots = 2
    while n_slots < 2 * items.size:
        n_slots *= 2
    slots = np.full(n_slots, -1, dtype=np.int64)  # a hash table: which item is where
    places = np.empty(items.size, dtype=np.int64)
    n = 0
    for place in range(items.size):
        slot = (items[place] * 2654435761) & (n_slots - 1)  # Knuth's multiplier spreads neighbours
        while slots[slot] not in (-1, items[place]):
            slot = (slot + 1) & (n_slots - 1)
        if slots[slot] == -1:
            slots[slot] = items[place]
            places[n] = place
            n += 1
    return places[:n]
