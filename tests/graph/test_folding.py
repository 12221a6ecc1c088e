"""Folding in gives the row that propagation would give a node of the graph, but for its own vector."""

import numpy as np
import torch
from scipy.sparse import csr_array

from edgewise.graph.bipartite import bipartite
from edgewise.graph.folding import fold_in, senders
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation


def test_a_known_user_folded_in_is_the_propagated_vector_less_its_own_part() -> None:
    rng = np.random.default_rng(0)
    met = csr_array((rng.random((9, 7)) < 0.4).astype(np.float32))
    x = rng.standard_normal((16, 5)).astype(np.float32)
    propagate = Propagation.mean(symmetric_normalise(bipartite(met)), 3)
    final = propagate(torch.from_numpy(x)).numpy()
    degrees = np.bincount(met.indices, minlength=7).astype(np.float32)
    sent = senders(propagate.below_last(torch.from_numpy(x)).numpy()[9:], degrees)
    there = np.diff(met.indptr) > 0
    np.testing.assert_allclose(fold_in(met, sent)[there], (final - x / 4)[:9][there], rtol=1e-4, atol=1e-6)
    assert np.isnan(fold_in(met, sent)[~there]).all()


def test_a_node_without_edges_sends_nothing_and_no_layer_sends_nothing() -> None:
    below = np.ones((2, 3), dtype=np.float32)
    np.testing.assert_array_equal(senders(below, np.array([0, 4], dtype=np.float32)), [[0] * 3, [0.5] * 3])
    nothing = Propagation(csr_array((2, 2), dtype=np.float32), [1.0]).below_last(torch.ones(2, 3))
    assert not nothing.any()
