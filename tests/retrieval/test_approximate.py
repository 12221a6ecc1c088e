"""What only the approximate index has: lists left out, and a recall that is measured and kept."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.retrieval import ApproximateIndex, ExactIndex
from edgewise.retrieval.approximate import _least_slack
from edgewise.retrieval.clusters import centres_of, nearest
from edgewise.types import Floats


def groups(n: int, seed: int) -> Floats:
    """Vectors around 40 directions, of uneven length."""
    middles = np.random.default_rng(0).standard_normal((40, 32), dtype=np.float32)
    rng = np.random.default_rng(seed)
    rows = middles[rng.integers(40, size=n)] + 0.6 * rng.standard_normal((n, 32), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows * np.exp(0.3 * rng.standard_normal((n, 1)))).astype(np.float32)


ITEMS, QUERIES = groups(20_000, 1), groups(300, 2)


@pytest.fixture(scope="module")
def index() -> ApproximateIndex:
    return ApproximateIndex(ITEMS, recall=0.99, queries=groups(1000, 3))


def recall_of(
    index: ApproximateIndex, k: int, exclude: csr_array | None = None, allowed: np.ndarray | None = None
) -> float:
    found, _ = index.search(QUERIES, k, exclude, allowed=allowed)
    truth, _ = ExactIndex(ITEMS).search(QUERIES, k, exclude, allowed=allowed)
    return float(np.mean([np.isin(truth[row], found[row]).mean() for row in range(len(QUERIES))]))


@pytest.mark.parametrize("k", [10, 100])
def test_the_wanted_recall_is_met_on_other_queries_while_most_items_are_not_read(
    index: ApproximateIndex, k: int
) -> None:
    assert recall_of(index, k) > 0.985
    assert index.n_read(QUERIES, k).mean() < 0.3 * len(ITEMS)


def test_leaving_out_the_best_costs_no_recall(index: ApproximateIndex) -> None:
    best, _ = ExactIndex(ITEMS).search(QUERIES, 90)
    indptr = np.arange(0, best.size + 1, 90)
    exclude = csr_array(
        (np.ones(best.size, dtype=np.float32), np.sort(best, axis=1).ravel(), indptr), shape=(300, len(ITEMS))
    )
    assert recall_of(index, 10, exclude) > 0.985


def test_allowing_only_what_lies_far_from_the_query_costs_no_recall(index: ApproximateIndex) -> None:
    shares = []
    for query in QUERIES[:100]:
        scores = ITEMS @ query
        allowed = scores < np.quantile(scores, 0.2)  # a fifth, and the worst
        found, _ = index.search(query[None], 20, allowed=allowed)
        truth, _ = ExactIndex(ITEMS).search(query[None], 20, allowed=allowed)
        shares.append(np.isin(truth, found).mean())
    assert np.mean(shares) > 0.985


def test_added_items_are_found_as_those_from_the_start_are() -> None:
    half = ApproximateIndex(ITEMS[:10_000], recall=0.99, queries=groups(1000, 3))
    half.add(ITEMS[10_000:], np.arange(10_000, 20_000))
    assert recall_of(half, 10) > 0.98


def test_the_same_seed_gives_the_same_lists_and_another_seed_others() -> None:
    one, same, other = (ApproximateIndex(ITEMS[:3000], seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one._centres, same._centres)
    np.testing.assert_array_equal(one.slack, same.slack)
    assert not np.array_equal(one._centres, other._centres)


def test_a_higher_recall_reads_more() -> None:
    low, high = (ApproximateIndex(ITEMS[:5000], recall=recall) for recall in (0.9, 0.999))
    assert (low.slack < high.slack).all()
    assert low.n_read(QUERIES, 10).sum() < high.n_read(QUERIES, 10).sum()


def test_a_recall_of_one_is_for_the_exact_index() -> None:
    with pytest.raises(
        ConfigError, match=r"recall = 1\.0; expected above 0 and below 1\. For all of it, take ExactIndex"
    ):
        ApproximateIndex(ITEMS[:10], recall=1.0)


def test_the_least_slack_is_the_smallest_step_that_finds_enough() -> None:
    # Two queries, ten best items each: with 0.8, nine of ten are found for both, no spread, so nothing is taken off.
    short = np.tile(np.arange(10) / 10, (2, 1))
    assert _least_slack(short, 0.9) == pytest.approx(0.8, abs=1e-4)
    assert _least_slack(short, 0.91) == pytest.approx(0.9, abs=1e-4)


def test_centres_are_the_means_of_their_vectors() -> None:
    # Two far groups of three: whichever two vectors are drawn first, the rounds end at the two means.
    left, right = np.array([[0.0, 0], [1, 0], [2, 3]]), np.array([[100.0, 0], [101, 0], [102, 3]])
    vectors = np.vstack([left, right]).astype(np.float32)
    centres = centres_of(vectors, 2, np.random.default_rng(0))
    np.testing.assert_allclose(centres[np.argsort(centres[:, 0])], [[1, 1], [101, 1]])
    assert np.unique(nearest(vectors, centres)[:3]).size == 1


def test_nearest_is_the_least_distance_and_the_first_of_several() -> None:
    rng = np.random.default_rng(0)
    vectors, centres = rng.standard_normal((2500, 6)).astype(np.float32), rng.standard_normal((9, 6)).astype(np.float32)
    distances = np.linalg.norm(vectors[:, None].astype(np.float64) - centres[None], axis=2)
    np.testing.assert_array_equal(nearest(vectors, centres), distances.argmin(axis=1))
    assert nearest(vectors[:1], np.repeat(centres[:1], 3, axis=0)).tolist() == [0]


def test_new_items_join_a_copy_under_new_numbers() -> None:
    """The lists of an approximate index stay as they are, under new numbers, and take the new vectors in."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 8)).astype(np.float32)
    vectors = (centres[rng.integers(20, size=3000)] + 0.2 * rng.standard_normal((3000, 8))).astype(np.float32)
    index = ApproximateIndex(vectors)
    place = np.sort(rng.permutation(3010)[:3000])
    new = np.setdiff1d(np.arange(3010), place)
    grown = index.renumbered(place, 3010)
    grown.add(vectors[:10], new)
    best, scores = index.search(centres, 50)
    of_grown, same_scores = grown.search(centres, 50, allowed=~np.isin(np.arange(3010), new))
    np.testing.assert_array_equal(of_grown, place[best])
    np.testing.assert_array_equal(same_scores, scores)
    for query in centres:
        np.testing.assert_array_equal(grown.scores_of(query, new), grown.scores_of(query, place[:10]))
        np.testing.assert_array_equal(grown.scores_of(query, place[:10]), index.scores_of(query, np.arange(10)))
    assert {int(item) for item in new} <= set(grown.search(centres[:1], 3010)[0][0].tolist())
    np.testing.assert_array_equal(index.search(centres, 50)[0], best)
