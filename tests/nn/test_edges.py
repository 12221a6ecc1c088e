"""What is done along edges, against the same with dense matrices in double precision: values and gradients."""

import numba
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import leaky_relu

from edgewise.errors import DataError
from edgewise.nn.edges import Edges
from tests.nn.graphs import check, incidence, normal, random_edges, random_matrix, softmax


def test_a_sum_is_the_product_with_the_matrix_of_weights() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)
    matrix = receives @ torch.diag(torch.from_numpy(edges.weight).double()) @ sends.T
    check(edges.sum, lambda x: matrix @ x, [normal(12, 5)])


def test_a_sum_by_learnt_weights_has_gradients_for_both() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)

    def dense(x: Tensor, weight: Tensor) -> Tensor:
        return torch.einsum("re,eh,se,shd->rhd", receives, weight, sends, x)

    check(edges.sum, dense, [normal(12, 3, 4), normal(40, 3, seed=1)])


def test_heads_may_be_only_in_the_weight_or_nowhere() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)
    by_head = [normal(12, 4), normal(40, 3, seed=1)]
    check(edges.sum, lambda x, w: torch.einsum("re,eh,se,sd->rhd", receives, w, sends, x), by_head)
    plain = [normal(12, 4), normal(40, seed=1)]
    check(edges.sum, lambda x, w: torch.einsum("re,e,se,sd->rd", receives, w, sends, x), plain)


def test_a_mean_is_by_weight_and_zero_without_edges() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)
    matrix = receives @ torch.diag(torch.from_numpy(edges.weight).double()) @ sends.T
    check(edges.mean, lambda x: matrix @ x / matrix.sum(1, keepdim=True).clamp(min=1e-9), [normal(12, 5)])
    assert edges.degrees[-1] == 0
    assert edges.mean(normal(12, 5))[-1].tolist() == [0] * 5


def test_the_largest_is_taken_column_by_column_and_is_zero_without_edges() -> None:
    edges = random_edges()
    sender = edges.edge_index[0]

    def dense(x: Tensor) -> Tensor:
        rows = [x[sender[first:last]].amax(0) if last > first else x.new_zeros(5) for first, last in
                zip(edges.indptr[:-1], edges.indptr[1:], strict=True)]  # fmt: skip
        return torch.stack(rows)

    unique = csr_array(edges.matrix.toarray())  # duplicates apart, since amax halves the gradient of equal numbers
    edges = Edges.from_csr(unique)
    sender = edges.edge_index[0]
    check(edges.max, dense, [normal(12, 5)])


def test_of_equal_numbers_the_first_edge_alone_has_the_gradient() -> None:
    edges = Edges.from_edge_index(torch.tensor([[1, 0, 1], [0, 0, 0]]), 2)
    x = torch.ones(2, 1, requires_grad=True)
    edges.max(x)[0].backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [[0], [1]]


def test_shares_sum_to_one_at_each_receiver_and_survive_large_scores() -> None:
    edges = random_edges()
    receives, _ = incidence(edges)
    check(edges.softmax, lambda scores: softmax(receives, scores), [normal(40, 3)])
    shares = edges.softmax(normal(40) * 1e4)
    sums = np.bincount(edges.receiver, weights=shares.detach().numpy(), minlength=9)
    np.testing.assert_allclose(sums[edges.degrees > 0], 1, rtol=1e-6)


def test_the_two_ends_of_edges_added_and_multiplied() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)
    check(edges.add, lambda r, s: receives.T @ r + sends.T @ s, [normal(9, 3), normal(12, 3, seed=1)])
    check(
        edges.dot,
        lambda r, s: torch.einsum("re,rhd,se,shd->eh", receives, r, sends, s),
        [normal(9, 3, 4), normal(12, 3, 4, seed=1)],
    )


@pytest.mark.parametrize("with_extra", [True, False])
def test_scores_of_the_second_attention(with_extra: bool) -> None:
    edges = random_edges()
    receives, sends = incidence(edges)

    def ours(r: Tensor, s: Tensor, vector: Tensor, *extra: Tensor) -> Tensor:
        return edges.bent_dot(r, s, vector, 0.2, *extra)

    def dense(r: Tensor, s: Tensor, vector: Tensor, *extra: Tensor) -> Tensor:
        z = torch.einsum("re,rhd->ehd", receives, r) + torch.einsum("se,shd->ehd", sends, s)
        return (leaky_relu(z + extra[0] if extra else z, 0.2) * vector).sum(-1)

    inputs = [normal(9, 3, 4), normal(12, 3, 4, seed=1), normal(3, 4, seed=2)]
    check(ours, dense, [*inputs, normal(40, 3, 4, seed=3)] if with_extra else inputs)


def test_numbers_of_edges_summed_at_either_end() -> None:
    edges = random_edges()
    receives, sends = incidence(edges)
    check(edges.sum_at_receivers, lambda x: receives @ x, [normal(40, 3)])
    check(edges.sum_at_senders, lambda x: sends @ x, [normal(40, 3)])


def test_the_number_of_threads_changes_no_bit() -> None:
    edges = random_edges(300, 400, 5000)

    def everything() -> list[Tensor]:
        edges_now = Edges(edges.indptr, edges.indices, edges.n_senders, weight=edges.weight)
        x, scores, receiver = normal(400, 4, 8), normal(5000, 4, seed=1), normal(300, 4, 8, seed=2)
        vector = normal(4, 8, seed=3)
        values = [
            edges_now.sum(x.flatten(1)),
            edges_now.sum(x, scores),
            edges_now.max(x.flatten(1)),
            edges_now.softmax(scores),
            edges_now.dot(receiver, x),
            edges_now.add(receiver[:, :, 0], x[:, :, 0]),
            edges_now.bent_dot(receiver, x, vector, 0.2),
            edges_now.sum_at_receivers(scores),
        ]
        total = torch.stack([value.square().mean() for value in values]).sum()
        return [*values, *torch.autograd.grad(total, [x, scores, receiver, vector])]

    before = numba.get_num_threads()
    usual = everything()
    numba.set_num_threads(1)
    try:
        alone = everything()
    finally:
        numba.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(usual, alone, strict=True))


def test_an_edge_index_keeps_duplicates_and_loops_and_the_order_at_each_receiver() -> None:
    index = torch.tensor([[3, 1, 1, 2, 1], [0, 2, 0, 2, 2]])
    edges = Edges.from_edge_index(index, (4, 3), features=torch.arange(5.0)[:, None])
    assert edges.indptr.tolist() == [0, 2, 2, 5]
    assert edges.indices.tolist() == [3, 1, 1, 2, 1]
    assert edges.features is not None
    assert edges.features.flatten().tolist() == [0, 2, 1, 3, 4]
    assert edges.edge_index.tolist() == [[3, 1, 1, 2, 1], [0, 0, 2, 2, 2]]


def test_the_transposed_swaps_ends_and_carries_weights_and_features() -> None:
    edges = random_edges(edge_dim=2)
    back = edges.transposed
    assert (back.n_senders, back.n_receivers) == (edges.n_receivers, edges.n_senders)
    assert (back.matrix != edges.matrix.T).nnz == 0
    assert back.features is not None
    again = back.transposed
    assert again.features is not None
    assert sorted(map(tuple, again.features.tolist())) == sorted(map(tuple, back.features.tolist()))
    x = normal(9, 4)
    torch.testing.assert_close(back.sum(x), torch.from_numpy(edges.matrix.T.toarray()) @ x)


def test_self_loops_are_added_where_there_are_none_with_the_mean_of_the_features() -> None:
    index = torch.tensor([[1, 2, 1], [0, 0, 1]])
    edges = Edges.from_edge_index(index, 3, torch.tensor([2.0, 3.0, 5.0]), torch.tensor([[1.0], [3.0], [4.0]]))
    looped = edges.with_self_loops
    assert looped.edge_index.tolist() == [[1, 2, 0, 1, 2], [0, 0, 0, 1, 2]]
    assert looped.weight.tolist() == [2, 3, 1, 5, 1]
    assert looped.features is not None
    assert looped.features.flatten().tolist() == [1, 3, 2, 4, 0]


def test_scaling_by_degrees_is_that_of_the_whole_graph_for_a_part_of_it() -> None:
    whole = Edges.from_csr(random_matrix(12, 0.3))
    degree = np.maximum(whole.matrix.sum(1), 0.5)
    n = int(whole.indptr[5])
    block = Edges(whole.indptr[:6], whole.indices[:n], 12, weight=whole.weight[:n], sender_degree=degree)
    row, column = whole.receiver[:n], whole.indices[:n]
    expected = whole.weight[:n] / np.sqrt(degree[row] * degree[column])
    np.testing.assert_allclose(block.scaled_by_degrees.weight, expected, rtol=1e-5)


def test_thinning_leaves_out_edges_with_their_weights_and_features() -> None:
    edges = random_edges(50, 60, 2000, edge_dim=1)
    edges = edges.with_features(torch.from_numpy(edges.weight)[:, None])
    torch.manual_seed(0)
    thinned = edges.thinned(0.25)
    assert 0.7 < thinned.n_edges / 2000 < 0.8
    assert thinned.features is not None
    assert thinned.features[:, 0].tolist() == thinned.weight.tolist()
    assert (thinned.matrix.toarray() <= edges.matrix.toarray() + 1e-4).all()


def test_no_edges_and_one_node() -> None:
    edges = Edges.from_edge_index(torch.empty(2, 0, dtype=torch.int64), 1)
    x = normal(1, 4)
    assert edges.sum(x).tolist() == edges.mean(x).tolist() == edges.max(x).tolist() == [[0] * 4]
    assert edges.softmax(torch.empty(0, 2)).shape == (0, 2)
    assert edges.with_self_loops.edge_index.tolist() == [[0], [0]]


def test_what_does_not_fit_is_told() -> None:
    edges = random_edges()
    with pytest.raises(DataError, match="receiver 3; expected 0 to 2, since there are 3"):
        Edges.from_edge_index(torch.tensor([[0], [3]]), (4, 3))
    with pytest.raises(DataError, match=r"got \[9, 4\] for 12 senders"):
        edges.sum(normal(9, 4))
    with pytest.raises(DataError, match=r"torch.float64 on cpu; edges compute with float32"):
        edges.sum(normal(12, 4).double())
    with pytest.raises(DataError, match="x has 3 heads and the weight 2"):
        edges.sum(normal(12, 3, 4), normal(40, 2))
    with pytest.raises(DataError, match="12 receivers and 9 senders: a node can send to itself only if"):
        _ = random_edges(12, 9).with_self_loops
