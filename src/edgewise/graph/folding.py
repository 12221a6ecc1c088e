"""Folding in: the vector that propagation would give to a node which joins the graph after training."""

import numpy as np
from scipy.sparse import csr_array

from edgewise.graph.spmm import spmm
from edgewise.types import Floats


def senders(below: Floats, degrees: Floats) -> Floats:
    """Scale what the last product of a propagation is taken of, so that `fold_in` needs nothing else.

    Args:
        below: float32 [n, d], see `Propagation.below_last`.
        degrees: [n], of the nodes in the graph that was normalised symmetrically.

    Returns:
        float32 [n, d]; zeros for a node without edges, which nobody hears from.
    """
    scale = np.power(degrees, -0.5, out=np.zeros(degrees.shape, dtype=np.float32), where=degrees > 0)
    return below * scale[:, None]


def fold_in(history: csr_array, sent: Floats) -> Floats:
    """Return the vectors of new nodes from those of their neighbours: d^-1/2 times the sum of what these send.

    This is the row that a symmetric normalisation would give the node, with two things left out: the vector of its own
    that training would have found, which starts around zero, and what it would change in its neighbours.

    Args:
        history: float32 [n_new, n], ones where a new node has an edge.
        sent: float32 [n, d], from `senders`.

    Returns:
        float32 [n_new, d]; NaN for a node without edges.
    """
    degrees = np.diff(history.indptr).astype(np.float32)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        vectors: Floats = (spmm(history, sent) / np.sqrt(degrees)).astype(np.float32, copy=False)
    return vectors
