"""Noise on layers: what it is, and the sum of noisy layers with its gradient, against dense arithmetic in double precision."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.perturbation import NoisyPropagation, perturb
from edgewise.graph.propagation import Propagation
from edgewise.types import Floats

N, D = 12, 5


def _graph() -> csr_array:
    met = np.random.default_rng(3).random((7, 5)) < 0.5
    return symmetric_normalise(bipartite(csr_array(met.astype(np.float32))))


def _x() -> Floats:
    return np.random.default_rng(4).standard_normal((N, D)).astype(np.float32)


def test_noise_is_a_share_of_the_length_within_the_orthant() -> None:
    x = _x()
    x[3, 2] = 0
    after = x.copy()
    perturb(after, np.arange(N), 0.1, 77)
    length = np.linalg.norm(after - x, axis=1)
    assert (np.sign(after) == np.sign(x)).all()
    assert after[3, 2] == 0
    whole = np.arange(N) != 3
    np.testing.assert_allclose(length[whole], 0.1 * np.linalg.norm(x[whole], axis=1), rtol=1e-4)
    assert (np.abs(after[whole]) > np.abs(x[whole])).all()


def test_noise_follows_from_seed_and_row_alone() -> None:
    x, rows = np.ones((N, D), dtype=np.float32), np.arange(N)
    everything, some, other = x.copy(), x[[8, 2]], x.copy()
    perturb(everything, rows, 0.3, 5)
    perturb(some, np.array([8, 2]), 0.3, 5)
    perturb(other, rows, 0.3, 6)
    assert np.array_equal(some, everything[[8, 2]])
    assert not np.isclose(other, everything).any(axis=1).all()
    assert np.unique(everything, axis=0).shape[0] == N


@pytest.mark.parametrize("kept", [0, 1, 3])
@pytest.mark.parametrize("weights", [[0.0, 0.5, 0.2, 0.3], [0.25] * 4])
def test_the_sum_of_noisy_layers_and_its_gradient_equal_the_dense_ones(weights: list[float], kept: int) -> None:
    graph, x, rows, seed = _graph(), _x(), np.array([9, 0, 4]), 11
    dense = graph.toarray().astype(np.float64)
    layers = [x.astype(np.float64)]
    for number in range(1, 4):
        product = (dense @ layers[-1]).astype(np.float32)
        perturb(product, np.arange(N), 0.2, seed + number)
        layers.append(product.astype(np.float64))
    expected = np.tensordot(weights, np.stack(layers), axes=1)[rows]

    table = torch.from_numpy(x).requires_grad_()
    total, layer = NoisyPropagation(Propagation(graph, weights), 0.2).at_rows(table, rows, seed, kept)
    np.testing.assert_allclose(total.detach(), expected, atol=1e-5)
    np.testing.assert_allclose(layer.detach(), layers[kept][rows], atol=1e-5)

    by_total, by_layer = np.random.default_rng(5).standard_normal((2, 3, D))
    value = (total * torch.from_numpy(by_total)).sum() + (layer * torch.from_numpy(by_layer)).sum()
    value.backward()  # type: ignore[no-untyped-call]
    spread = np.zeros((2, N, D))
    spread[0, rows], spread[1, rows] = by_total, by_layer
    gradient = sum(w * np.linalg.matrix_power(dense, number) @ spread[0] for number, w in enumerate(weights))
    gradient = gradient + np.linalg.matrix_power(dense, kept) @ spread[1]
    assert table.grad is not None
    np.testing.assert_allclose(table.grad, gradient, atol=1e-5)


def test_without_noise_it_is_the_plain_sum() -> None:
    plain, rows, x = Propagation.mean_above(_graph(), 2), np.array([3, 1]), torch.from_numpy(_x())
    total, _ = NoisyPropagation(plain, 0.0).at_rows(x, rows, 1)
    np.testing.assert_allclose(total, plain(x)[rows], atol=1e-6)


def test_the_words_of_torch_say_the_same_as_the_kernel() -> None:
    graph, rows, table = _graph(), np.array([3, 1]), torch.from_numpy(_x())
    noisy = NoisyPropagation(Propagation.mean(graph, 2), 0.1)
    exact, _ = noisy.at_rows(table, rows, 1)
    other, layer = noisy._elsewhere(table, torch.from_numpy(rows), 1, 1)
    first = torch.from_numpy(graph.toarray()) @ table
    moved = (layer - first[rows]).norm(dim=1) / first[rows].norm(dim=1)
    np.testing.assert_allclose(moved, 0.1, rtol=1e-4)  # of numbers drawn by another generator
    assert not torch.equal(exact, other)
    np.testing.assert_allclose(other, exact, atol=0.3)
