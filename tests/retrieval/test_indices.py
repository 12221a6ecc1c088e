"""One contract for both indices: they rank as sorting all inner products does, whatever is left out, added or removed."""

import threading
from collections.abc import Callable
from typing import TypeAlias

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.ranking import Rows
from edgewise.retrieval import ApproximateIndex, ExactIndex, VectorIndex
from edgewise.types import Bools, Floats, Index

Build: TypeAlias = Callable[[Floats], VectorIndex]


def reads_all_lists(vectors: Floats) -> VectorIndex:
    """An approximate index that is exact, since it may leave no list out: what is left to test is all but the slack."""
    index = ApproximateIndex(vectors, n_lists=7)
    index.slack[:] = np.inf
    return index


BOTH = pytest.mark.parametrize("build", [ExactIndex, reads_all_lists], ids=["exact", "approximate"])


def whole_numbers(n_items: int, dim: int, seed: int = 0) -> Floats:
    """Vectors whose products are exact in single precision, with many ties."""
    return np.random.default_rng(seed).integers(-3, 4, size=(n_items, dim)).astype(np.float32)


def sorted_whole(
    vectors: Floats, queries: Floats, k: int, exclude: csr_array | None = None, allowed: Bools | None = None
) -> tuple[Index, Floats]:
    """Rank by multiplying in double precision and sorting everything: falling score, then rising index."""
    best = np.full((len(queries), k), -1, dtype=np.int64)
    values = np.full((len(queries), k), np.nan, dtype=np.float32)
    for row, query in enumerate(queries.astype(np.float64)):
        scores = vectors.astype(np.float64) @ query
        left = ~np.isnan(scores)
        if exclude is not None:
            left[exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]] = False
        if allowed is not None:
            left &= allowed
        order = np.lexsort((np.arange(scores.size), -scores))
        order = order[left[order]][:k]
        best[row, : order.size], values[row, : order.size] = order, scores[order]
    return best, values


def assert_ranks_as_sorting(
    index: VectorIndex,
    vectors: Floats,
    queries: Floats,
    k: int,
    exclude: csr_array | None = None,
    allowed: Bools | None = None,
) -> None:
    best, values = index.search(queries, k, exclude, allowed=allowed)
    expected_best, expected_values = sorted_whole(vectors, queries, k, exclude, allowed)
    assert best.dtype == np.int64
    assert values.dtype == np.float32
    np.testing.assert_array_equal(best, expected_best)
    np.testing.assert_array_equal(values, expected_values)


@BOTH
@pytest.mark.parametrize("dim", [1, 2, 17, 64])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_ranks_as_sorting_does_ties_included_and_with_more_asked_than_there_are(build: Build, dim: int, k: int) -> None:
    vectors, queries = whole_numbers(200, dim), whole_numbers(21, dim, seed=1)
    assert_ranks_as_sorting(build(vectors), vectors, queries, k)


@BOTH
def test_what_is_left_out_is_made_up_for_by_the_next(build: Build) -> None:
    rng = np.random.default_rng(2)
    vectors, queries = whole_numbers(300, 8), whole_numbers(20, 8, seed=1)
    best, _ = sorted_whole(vectors, queries, 60)
    exclude = csr_array((20, 300), dtype=np.float32).tolil()
    for row in range(20):
        exclude[row, np.union1d(best[row], rng.integers(300, size=5))] = 1  # all of the top 60 and some others
    assert_ranks_as_sorting(build(vectors), vectors, queries, 10, csr_array(exclude))


@BOTH
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_only_the_allowed_are_in_the_lists(build: Build, share: float) -> None:
    vectors, queries = whole_numbers(300, 8), whole_numbers(5, 8, seed=1)
    rng = np.random.default_rng(0)
    exclude = csr_array(rng.random((5, 300)) < 0.1)
    assert_ranks_as_sorting(build(vectors), vectors, queries, 10, exclude, rng.random(300) < share)


@BOTH
def test_excluding_all_leaves_an_empty_list_for_that_query_alone(build: Build) -> None:
    vectors, queries = whole_numbers(30, 4), whole_numbers(2, 4, seed=1)
    exclude = csr_array(np.vstack([np.ones(30, dtype=bool), np.zeros(30, dtype=bool)]))
    best, values = build(vectors).search(queries, 5, exclude)
    assert best[0].tolist() == [-1] * 5
    assert np.isnan(values[0]).all()
    assert (best[1] >= 0).all()


@BOTH
def test_exclusions_in_any_order_and_as_rows_mean_the_same(build: Build) -> None:
    vectors, queries = whole_numbers(30, 4), whole_numbers(1, 4, seed=1)
    backwards = csr_array((np.ones(3), [20, 11, 2], [0, 3]), shape=(1, 30))
    rows = Rows(np.array([0, 3]), np.array([2, 11, 20], dtype=np.int32))
    index = build(vectors)
    np.testing.assert_array_equal(index.search(queries, 30, backwards)[0], index.search(queries, 30, rows)[0])
    assert not {2, 11, 20} & set(index.search(queries, 30, backwards)[0][0].tolist())


@BOTH
def test_a_vector_with_nan_is_not_there_and_a_query_with_nan_gets_nothing(build: Build) -> None:
    vectors, queries = whole_numbers(40, 4), whole_numbers(3, 4, seed=1)
    vectors[[0, 7]] = np.nan
    vectors[9, 2] = np.nan
    index = build(vectors)
    assert_ranks_as_sorting(index, vectors, queries, 40)
    queries[1, 3] = np.nan
    best, values = index.search(queries, 3)
    assert best[1].tolist() == [-1] * 3
    assert np.isnan(values[1]).all()


@BOTH
def test_a_query_of_zeros_ranks_by_index(build: Build) -> None:
    assert build(whole_numbers(50, 4)).search(np.zeros((1, 4), dtype=np.float32), 4)[0].tolist() == [[0, 1, 2, 3]]


@BOTH
@pytest.mark.parametrize("vectors", [np.empty((0, 3)), np.full((5, 3), np.nan)], ids=["no rows", "nothing but NaN"])
def test_an_empty_index_answers_with_empty_lists_and_can_be_filled(build: Build, vectors: Floats) -> None:
    index = build(vectors.astype(np.float32))
    queries = whole_numbers(2, 3)
    assert index.search(queries, 2)[0].tolist() == [[-1, -1]] * 2
    index.add(np.ones((1, 3), dtype=np.float32), [5])
    assert index.n_items == 6
    assert index.search(np.ones((1, 3), dtype=np.float32), 2)[0].tolist() == [[5, -1]]


@BOTH
def test_no_queries_are_an_answer(build: Build) -> None:
    assert build(whole_numbers(5, 3)).search(np.empty((0, 3), dtype=np.float32), 2)[0].shape == (0, 2)


@BOTH
def test_a_removed_item_is_gone_and_comes_back_where_it_is_added_again(build: Build) -> None:
    vectors, queries = whole_numbers(60, 5), whole_numbers(6, 5, seed=1)
    index, kept = build(vectors), vectors.copy()
    kept[[3, 59, 0]] = np.nan
    index.remove([3, 59, 0])
    index.remove([3])  # again: no error
    assert_ranks_as_sorting(index, kept, queries, 60)
    index.add(vectors[[59, 3]], [59, 3])
    kept[[59, 3]] = vectors[[59, 3]]
    assert_ranks_as_sorting(index, kept, queries, 60)
    index.add(np.full((1, 5), np.nan, dtype=np.float32), [10])  # NaN removes
    kept[10] = np.nan
    assert_ranks_as_sorting(index, kept, queries, 60)


@BOTH
def test_the_vectors_given_are_not_written_to(build: Build) -> None:
    vectors = whole_numbers(20, 3)
    before = vectors.copy()
    index = build(vectors)
    index.add(vectors[:2] + 1, [4, 25])
    index.remove([0])
    np.testing.assert_array_equal(vectors, before)


@BOTH
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_after_any_additions_and_removals_it_ranks_as_a_new_index(build: Build, data: st.DataObject) -> None:
    n_items = data.draw(st.integers(1, 40))
    vectors = whole_numbers(n_items, 3, seed=n_items)
    index, table = build(vectors), vectors.copy()
    for step in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            places = data.draw(st.lists(st.integers(0, len(table) + 30), min_size=1, max_size=30, unique=True))
            fresh = whole_numbers(len(places), 3, seed=step)
            longer = np.full((max(len(table), max(places) + 1), 3), np.nan, dtype=np.float32)
            longer[: len(table)] = table
            longer[places] = fresh
            table = longer
            index.add(fresh, places)
        else:
            gone = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=30))
            table[gone] = np.nan
            index.remove(gone)
    assert index.n_items == len(table)
    assert_ranks_as_sorting(index, table, whole_numbers(4, 3, seed=99), 25)


@BOTH
def test_a_list_that_grows_far_past_its_room_keeps_all(build: Build) -> None:
    vectors = whole_numbers(20, 3)
    index, table = build(vectors), [*vectors]
    for number in range(20, 220):
        table.append(np.array([5, number % 7, 1], dtype=np.float32))  # all near the same centre
        index.add(table[-1][None], [number])
    assert_ranks_as_sorting(index, np.array(table), whole_numbers(5, 3, seed=1), 220)


@BOTH
def test_a_batch_ranks_as_one_by_one_to_the_last_bit(build: Build) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3000, 24), dtype=np.float32)
    queries = rng.standard_normal((37, 24), dtype=np.float32)
    exclude = csr_array(rng.random((37, 3000)) < 0.05)
    for index in (build(vectors), ApproximateIndex(vectors, recall=0.9)):
        best, values = index.search(queries, 10, exclude)
        for row in range(37):
            alone, scores = index.search(queries[row : row + 1], 10, exclude[[row]])
            np.testing.assert_array_equal(alone[0], best[row])
            np.testing.assert_array_equal(scores[0], values[row])


@BOTH
def test_answers_and_lists_do_not_depend_on_the_number_of_threads(build: Build) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5000, 16), dtype=np.float32)
    queries = rng.standard_normal((40, 16), dtype=np.float32)
    before, found = numba.get_num_threads(), []
    try:
        for n_threads in {1, before}:
            numba.set_num_threads(n_threads)
            found.append(
                [*build(vectors).search(queries, 20), *ApproximateIndex(vectors, recall=0.9).search(queries, 20)]
            )
    finally:
        numba.set_num_threads(before)
    for one, other in zip(found[0], found[-1], strict=True):
        np.testing.assert_array_equal(one, other)


@BOTH
def test_single_searches_may_run_beside_each_other(build: Build) -> None:
    rng = np.random.default_rng(0)
    index = build(rng.standard_normal((3000, 16), dtype=np.float32))
    queries = rng.standard_normal((200, 16), dtype=np.float32)
    expected, _ = index.search(queries, 10)
    found = np.zeros_like(expected)

    def ask(first: int) -> None:
        for row in range(first, 200, 4):
            found[row] = index.search(queries[row : row + 1], 10)[0][0]

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, expected)


@BOTH
def test_what_does_not_fit_is_refused_in_words(build: Build) -> None:
    index = build(whole_numbers(5, 3))
    one = np.ones((1, 3), dtype=np.float32)
    with pytest.raises(DataError, match=r"queries have the shape \[1, 4\]; expected \[b, 3\]"):
        index.search(np.ones((1, 4), dtype=np.float32), 2)
    with pytest.raises(ConfigError, match="k = 0; expected at least 1"):
        index.search(one, 0)
    with pytest.raises(DataError, match="`exclude` has 2 rows for 1 queries"):
        index.search(one, 2, csr_array((2, 5)))
    with pytest.raises(DataError, match=r"`allowed` has the shape \[4\]"):
        index.search(one, 2, allowed=np.ones(4, dtype=np.bool_))
    with pytest.raises(DataError, match=r"item vectors have the shape \[1, 2\]; expected \[n_items, 3\]"):
        index.add(np.ones((1, 2), dtype=np.float32), [0])
    with pytest.raises(DataError, match="item index -1 is negative"):
        index.add(one, [-1])
    with pytest.raises(DataError, match="comes twice"):
        index.add(np.ones((2, 3), dtype=np.float32), [1, 1])
    with pytest.raises(DataError, match=r"1 vectors came with indices of the shape \[2\]"):
        index.add(one, [1, 2])
    with pytest.raises(DataError, match="item index 5 is not in the index; expected 0 to 4"):
        index.remove([5])
    with pytest.raises(DataError, match="row 0 has an infinite number"):
        index.add(one * np.inf, [1])
