"""The low-pass filter against its formula, written out densely; `tests/models/test_graph_filter.py` has more of it."""

import numpy as np
from scipy.sparse import csr_array

from edgewise.graph.bipartite import transposed
from edgewise.graph.low_pass import LowPass
from edgewise.rng import make_rng

SETTINGS = {"n_factors": 3, "ridge_share": 0.6, "user_exponent": 0.25, "item_exponent": 0.35}


def _interactions() -> csr_array:
    met = np.random.default_rng(5).random((9, 6)) < 0.5
    met[np.arange(9), np.arange(9) % 6] = True
    return csr_array(met.astype(np.float32))


def test_leading_components_pass_by_the_ridge_and_the_rest_by_a_line() -> None:
    interactions = _interactions()
    met = interactions.toarray().astype(np.float64)
    by_item = met.sum(axis=0) ** -0.35
    normalised = met.sum(axis=1)[:, None] ** -0.25 * met * by_item
    values, vectors = np.linalg.eigh(normalised.T @ normalised)
    values, vectors = values[::-1], vectors[:, ::-1]
    ridge = values[1]  # 0.6 of three factors: the second
    passed = np.where(np.arange(6) < 3, values / (values + ridge), values / (values[2] + ridge))
    expected = (met * by_item) @ (vectors * passed) @ vectors.T / by_item
    low_pass = LowPass.of(interactions, make_rng(0, "spectrum"), **SETTINGS)  # type: ignore[arg-type]
    scores = low_pass.scores(interactions, transposed(interactions))
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_times_a_factor_multiplies_the_scores() -> None:
    interactions, back = _interactions(), transposed(_interactions())
    low_pass = LowPass.of(interactions, make_rng(0, "spectrum"), **SETTINGS)  # type: ignore[arg-type]
    scores = low_pass.scores(interactions, back)
    np.testing.assert_allclose(low_pass.times(2.5).scores(interactions, back), 2.5 * scores, rtol=1e-4)
