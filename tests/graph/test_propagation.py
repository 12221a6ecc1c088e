"""Propagation against the formula written out densely in float64, and its gradient against finite differences."""

from functools import reduce

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.propagation import Propagation, StalePropagation
from edgewise.types import Doubles


@pytest.fixture
def adjacency() -> csr_array:
    rng = np.random.default_rng(0)
    interactions = random_array((13, 9), density=0.3, rng=rng, dtype=np.float32)
    interactions.data[:] = 1
    return symmetric_normalise(bipartite(csr_array(interactions.tocsr())))


def _dense_operator(adjacency: csr_array, layer_weights: list[float]) -> Doubles:
    """w_0 I + w_1 A + w_2 A^2 + …, layer by layer."""
    a = adjacency.toarray().astype(np.float64)
    powers = [reduce(np.matmul, [a] * layer, np.eye(len(a))) for layer in range(len(layer_weights))]
    return np.asarray(sum(weight * power for weight, power in zip(layer_weights, powers, strict=True)))


@pytest.mark.parametrize("layer_weights", [[1.0], [0.5, 0.5], [0.0, 0.2, 0.8], [0.25] * 4, [0.1, 0.0, -0.3, 0.5, 0.7]])
def test_the_sum_of_layers_and_its_gradient_equal_the_dense_formula(
    adjacency: csr_array, layer_weights: list[float]
) -> None:
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.standard_normal((22, 5)), dtype=torch.float32, requires_grad=True)
    incoming = rng.standard_normal((22, 5))
    operator = _dense_operator(adjacency, layer_weights)

    propagated = Propagation(adjacency, layer_weights)(x)
    propagated.backward(torch.tensor(incoming, dtype=torch.float32))  # type: ignore[no-untyped-call]

    np.testing.assert_allclose(propagated.detach().numpy(), operator @ x.detach().numpy(), atol=1e-6)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), operator.T @ incoming, atol=1e-6)


@pytest.mark.parametrize("layer_weights", [[2.0], [0.5, 0.5], [0.0, 0.2, 0.8], [0.25] * 4, [0.1, 0.0, -0.3, 0.5, 0.7]])
def test_some_rows_and_their_gradient_are_those_of_the_whole(adjacency: csr_array, layer_weights: list[float]) -> None:
    rng = np.random.default_rng(1)
    rows = np.array([20, 0, 7, 3])
    x = torch.tensor(rng.standard_normal((22, 5)), dtype=torch.float32, requires_grad=True)
    incoming = rng.standard_normal((4, 5))
    operator = _dense_operator(adjacency, layer_weights)

    some = Propagation(adjacency, layer_weights).at_rows(x, rows)
    some.backward(torch.tensor(incoming, dtype=torch.float32))  # type: ignore[no-untyped-call]

    np.testing.assert_allclose(some.detach().numpy(), (operator @ x.detach().numpy())[rows], atol=1e-6)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), operator[rows].T @ incoming, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient and is not a double precision")
def test_the_gradient_passes_torchs_own_check(adjacency: csr_array) -> None:
    x = torch.randn(22, 2, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    # The function is linear, so a wide step costs no accuracy and single precision is enough.
    assert torch.autograd.gradcheck(Propagation.mean(adjacency, 3), x, eps=0.5, atol=1e-4, rtol=1e-4)


def test_the_mean_of_layers_leaves_its_input_alone(adjacency: csr_array) -> None:
    x = torch.ones(22, 3)
    before = adjacency.copy()
    Propagation.mean(adjacency, 2)(x)
    assert torch.equal(x, torch.ones(22, 3))
    assert (adjacency != before).nnz == 0


def test_one_edge_by_hand() -> None:
    # A = [[0, 1], [1, 0]] swaps its two rows: layers [1, 3], [3, 1], [1, 3], so their mean is [5/3, 7/3].
    swap = csr_array(np.array([[0, 1], [1, 0]], dtype=np.float32))
    found = Propagation.mean(swap, 2)(torch.tensor([[1.0], [3.0]]))
    np.testing.assert_allclose(found.numpy(), [[5 / 3], [7 / 3]], rtol=1e-6)


def test_a_matrix_whose_gradient_would_be_wrong_is_refused() -> None:
    with pytest.raises(DataError, match=r"needs a symmetric matrix.*got \[2, 2\] with unequal halves"):
        Propagation.mean(csr_array(np.array([[0, 1], [2, 0]], dtype=np.float32)), 1)
    with pytest.raises(DataError, match=r"needs a symmetric matrix.*got \[2, 3\]\."):
        Propagation.mean(csr_array(np.ones((2, 3), dtype=np.float32)), 1)
    with pytest.raises(ConfigError, match="layer_weights is empty"):
        Propagation(csr_array((2, 2), dtype=np.float32), [])


def test_reused_propagation_by_hand() -> None:
    # The swap again, mean of x and A x: exact [2, 2] for [1, 3]. A row's own half is fresh, its neighbour's is reused.
    swap = csr_array(np.array([[0, 1], [1, 0]], dtype=np.float32))
    stale = StalePropagation(Propagation.mean(swap, 1), 2, (2, 1)).train()
    x = torch.tensor([[1.0], [3.0]], requires_grad=True)
    found = stale(x)
    np.testing.assert_allclose(found.detach(), [[2.0], [2.0]])
    found.backward(torch.tensor([[1.0], [0.0]]))
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, [[0.5], [0.5]])

    y = torch.tensor([[5.0], [3.0]], requires_grad=True)
    found = stale(y)
    np.testing.assert_allclose(found.detach(), [[2.5 + 1.5], [1.5 + 0.5]])  # the second still sees the 1
    found.backward(torch.tensor([[0.0], [2.0]]))
    assert y.grad is not None
    np.testing.assert_allclose(y.grad, [[0.0], [1.0]])  # the half through the neighbour waits

    z = torch.tensor([[5.0], [3.0]], requires_grad=True)
    found = stale(z)
    np.testing.assert_allclose(found.detach(), [[4.0], [4.0]])  # fresh again
    found.backward(torch.tensor([[0.0], [0.0]]))
    assert z.grad is not None
    np.testing.assert_allclose(z.grad, [[1.0], [0.0]])  # what had waited

    assert torch.equal(stale.eval()(y), stale.propagation(y))


def test_over_another_matrix_only_the_matrix_changes(adjacency: csr_array) -> None:
    exact = Propagation(adjacency, [0.5, 0.5])
    x = torch.ones(22, 2)
    nothing = csr_array((np.zeros_like(adjacency.data), adjacency.indices, adjacency.indptr), shape=adjacency.shape)
    assert torch.equal(exact.over(nothing)(x), 0.5 * x)
    assert not torch.equal(exact(x), 0.5 * x)
