"""The top-k kernel against a plain sort."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array

from edgewise import ranking
from edgewise.ranking import NOTHING, Rows, block_size, top_k, top_k_and_ranks
from edgewise.types import Floats, Index


def sorted_whole(scores: Floats, k: int, exclude: csr_array | None = None) -> tuple[Index, Floats]:
    """Rank by sorting everything: falling score, then rising index."""
    best = np.full((len(scores), k), NOTHING, dtype=np.int64)
    values = np.full((len(scores), k), np.nan, dtype=np.float32)
    for row, line in enumerate(scores):
        allowed = line > -np.inf  # neither NaN nor minus infinity
        if exclude is not None:
            allowed[exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]] = False
        order = np.lexsort((np.arange(line.size), -line))
        order = order[allowed[order]][:k]
        best[row, : order.size], values[row, : order.size] = order, line[order]
    return best, values


def assert_ranks_as_sorting(scores: Floats, k: int, exclude: csr_array | None = None) -> None:
    expected_best, expected_values = sorted_whole(scores, k, exclude)
    best, values = top_k(scores, k, exclude)
    np.testing.assert_array_equal(best, expected_best)
    np.testing.assert_array_equal(values, expected_values)


def some_columns(rng: np.random.Generator, shape: tuple[int, int], share: float) -> csr_array:
    return csr_array(rng.random(shape) < share)


few_values = st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.5, np.inf, -np.inf, np.nan])


@given(
    scores=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=150), elements=few_values, fill=few_values
    ),
    k=st.integers(1, 160),
    share=st.sampled_from([0.0, 0.1, 1.0]),
)
@settings(deadline=None, max_examples=150)
def test_ranks_as_sorting_does_with_ties_nan_and_infinities(scores: Floats, k: int, share: float) -> None:
    assert_ranks_as_sorting(scores, k, some_columns(np.random.default_rng(0), scores.shape, share))


@pytest.mark.parametrize("n_items", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("k", [1, 20, 1200])
def test_ranks_as_sorting_does_at_the_edges_of_its_stretches(n_items: int, k: int) -> None:
    rng = np.random.default_rng(n_items)
    scores = rng.standard_normal((30, n_items), dtype=np.float32)
    assert_ranks_as_sorting(scores, k)
    assert_ranks_as_sorting(scores.round(1), k, some_columns(rng, scores.shape, 0.3))


@pytest.mark.parametrize("order", [1, -1])
def test_ranks_scores_that_only_rise_or_only_fall(order: int) -> None:
    scores = np.arange(500, dtype=np.float32)[None, ::order]
    assert_ranks_as_sorting(scores, 7)


def test_a_row_of_nan_and_a_wholly_excluded_row_are_empty_lists() -> None:
    scores = np.array([[np.nan, np.nan], [2.0, 1.0], [2.0, 1.0]], dtype=np.float32)
    best, values = top_k(scores, 2, csr_array(np.array([[0, 0], [1, 1], [0, 0]])))
    assert best.tolist() == [[-1, -1], [-1, -1], [0, 1]]
    assert np.isnan(values[:2]).all()


def test_no_rows_and_no_items_are_answers() -> None:
    assert top_k(np.empty((0, 5), dtype=np.float32), 3)[0].shape == (0, 3)
    assert top_k(np.empty((2, 0), dtype=np.float32), 3)[0].tolist() == [[-1] * 3] * 2


def test_takes_any_layout_and_leaves_the_scores_alone() -> None:
    scores = np.asfortranarray(np.random.default_rng(0).standard_normal((20, 70)))
    before = scores.copy()
    np.testing.assert_array_equal(top_k(scores, 5)[0], sorted_whole(scores.astype(np.float32), 5)[0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(scores, before)


def test_rows_taken_without_copying_exclude_as_a_sliced_matrix_does() -> None:
    rng = np.random.default_rng(0)
    scores, seen = rng.standard_normal((50, 90), dtype=np.float32), some_columns(rng, (50, 90), 0.4)
    np.testing.assert_array_equal(
        top_k(scores[13:31], 9, Rows.of(seen).part(13, 31))[0], top_k(scores[13:31], 9, seen[13:31])[0]
    )


@pytest.mark.parametrize("n_items", [1, 40, 2047, 5000])
def test_ranks_are_those_of_counting_one_by_one(n_items: int) -> None:
    rng = np.random.default_rng(n_items)
    scores = rng.standard_normal((9, n_items)).round(2).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = np.nan
    excluded = rng.random(scores.shape) < 0.2
    chosen = (rng.random(scores.shape) < 0.3) & ~excluded
    _, _, n_above, n_equal = top_k_and_ranks(scores, 1, csr_array(excluded), csr_array(chosen))
    for (row, item), above, equal in zip(np.argwhere(chosen), n_above, n_equal, strict=True):
        others = scores[row, ~excluded[row] & ~chosen[row]]
        if np.isnan(scores[row, item]):
            assert (above, equal) == (others.size, 0)
        else:
            assert (above, equal) == ((others > scores[row, item]).sum(), (others == scores[row, item]).sum())


def test_a_part_of_the_rows_gives_its_part_of_lists_and_ranks() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((20, 50)).round(1).astype(np.float32)
    excluded = rng.random(scores.shape) < 0.3
    chosen = Rows.of(csr_array((rng.random(scores.shape) < 0.2) & ~excluded))
    seen = Rows.of(csr_array(excluded))
    best, values, *ranks = top_k_and_ranks(scores, 5, seen, chosen)
    part_best, part_values, *part_ranks = top_k_and_ranks(scores[7:15], 5, seen.part(7, 15), chosen.part(7, 15))
    np.testing.assert_array_equal(part_best, best[7:15])
    np.testing.assert_array_equal(part_values, values[7:15])
    for part, whole in zip(part_ranks, ranks, strict=True):
        np.testing.assert_array_equal(part, whole[chosen.indptr[7] : chosen.indptr[15]])


def test_one_thread_and_all_threads_agree() -> None:
    scores = np.random.default_rng(0).standard_normal((101, 333), dtype=np.float32).round(2)
    threads = numba.get_num_threads()
    together = top_k(scores, 20)
    try:
        numba.set_num_threads(1)
        alone = top_k(scores, 20)
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(alone[0], together[0])
    np.testing.assert_array_equal(alone[1], together[1])


@given(st.integers(0, 10**9))
def test_a_block_has_a_row_and_stays_within_memory(n_items: int) -> None:
    rows = block_size(n_items)
    assert 1 <= rows <= 4096
    assert rows == 1 or rows * n_items * 4 <= ranking._LARGEST_BLOCK_BYTES
