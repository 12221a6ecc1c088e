"""Whom a newcomer without edges hears from: those of its side whose attributes are most like its own."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import block_diag, csr_array

from edgewise.graph.bipartite import transposed
from edgewise.graph.products import top_products
from edgewise.nn.edges import Edges
from edgewise.types import Bools


def alike_rows(asked: csr_array, known: csr_array, n_alike: int, *, skip_diagonal: bool) -> csr_array:
    """Find the rows of `known` most like each row of `asked` by cosine.

    Args:
        asked: float32 [n, n_features], rows of length 1 or 0. known: [m, n_features].
        n_alike: the most to find; 0 for none.
        skip_diagonal: where both are the same rows, nobody is alike to itself.

    Returns:
        float32 [n, m], squared cosines: of the many that are a little alike, few then count.
    """
    if not n_alike or not asked.shape[1]:
        return csr_array((asked.shape[0], known.shape[0]), dtype=np.float32)
    found = top_products(asked, transposed(known), n_alike, skip_diagonal=skip_diagonal)
    found.data = found.data**2
    return found


class NewcomerEdges:
    """The edges of a graph, with some of its nodes taken for newcomers in a step of training.

    Args:
        edges: of the graph of users and items, users first.
        alike: [n_users, n_users] and [n_items, n_items], from `alike_rows`.
    """

    def __init__(self, edges: Edges, alike: Sequence[csr_array]) -> None:
        self._edges = edges
        both = csr_array(edges.matrix + block_diag(alike, format="csr"))  # the two share no entry
        both.sort_indices()
        self._both = Edges.from_csr(csr_array(both))
        n_users = alike[0].shape[0]
        self._is_between_sides = (self._both.receiver < n_users) != (self._both.indices < n_users)

    def with_newcomers(self, is_new: Bools) -> Edges:
        """Return the edges of a step: newcomers hear from those who are alike and are no newcomers, and nobody hears from them.

        Args:
            is_new: bool [n_nodes].
        """
        if not is_new.any():
            return self._edges
        hears, says = is_new[self._both.receiver], ~is_new[self._both.indices]
        return self._both.kept(says & (hears != self._is_between_sides))
