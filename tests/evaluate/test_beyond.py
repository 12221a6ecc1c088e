"""Coverage, exposure, novelty, popularity and diversity, by hand and by the formula written out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.evaluate import beyond
from edgewise.evaluate.beyond import co_interaction_vectors, coverage, diversity, gini, novelty, popularity_bias
from edgewise.telemetry import listening
from edgewise.types import Doubles, Index

EMPTY = np.full((2, 3), -1)


def test_gini_is_zero_for_equal_exposure_and_rises_with_inequality() -> None:
    assert gini(np.array([[0, 1], [2, 3]]), 4) == 0
    # Exposures 1, 1, 2: sum of (2 i - 4) c_i = -2 + 0 + 4 = 2, over 3 * 4 = 12.
    assert gini(np.array([[0, 1], [2, 2]]), 3) == pytest.approx(2 / 12)
    assert np.isnan(gini(EMPTY, 4))


@given(st.lists(st.integers(0, 5), min_size=1))
def test_gini_is_half_the_relative_mean_difference(shown: list[int]) -> None:
    c = np.bincount(shown, minlength=6)
    mean_difference = np.abs(c[:, None] - c[None, :]).mean()
    assert gini(np.array([shown]), 6) == pytest.approx(mean_difference / (2 * c.mean()))


def test_coverage_counts_each_item_once() -> None:
    assert coverage(np.array([[3, 1, -1], [3, -1, -1]]), 10) == 0.2
    assert coverage(EMPTY, 10) == 0


def test_novelty_is_in_bits_and_an_item_nobody_met_counts_as_met_once() -> None:
    # 8 users; items met by 8, 2, 1 and 0 of them: 0, 2, 3 and 3 bits.
    values = novelty(np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1]]), np.array([8, 2, 1, 0]), 8)
    np.testing.assert_allclose(values, [5 / 3, 3, np.nan])


def test_popularity_bias_compares_with_what_the_user_met() -> None:
    # Counts 1 1 2 9 are the percentiles 1/4 1/4 5/8 7/8. The list 3, 2 has 3/4; the user met 0 and 2: 7/16.
    seen = csr_array(np.array([[1, 0, 1, 0], [0, 0, 0, 0]]))
    values = popularity_bias(np.array([[3, 2], [3, 2]]), np.array([1, 1, 2, 9]), seen)
    np.testing.assert_allclose(values, [3 / 4 - 7 / 16, np.nan])


def diversity_by_pairs(lists: Index, vectors: Doubles, k: int) -> Doubles:
    norms = np.linalg.norm(vectors, axis=1)
    answer = np.full(len(lists), np.nan)
    for row, ranked in enumerate(lists):
        top = [item for item in ranked[:k] if item >= 0]
        cosines = [vectors[a] @ vectors[b] / max(norms[a] * norms[b], 1e-300) for a, b in combinations(top, 2)]
        if cosines:
            answer[row] = 1 - np.mean(cosines)
    return answer


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_diversity_agrees_with_forming_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((25, 7)) * (rng.random((25, 7)) < 0.5)
    lists = np.stack([rng.permutation(25)[:6] for _ in range(90)])
    lists[np.arange(6) >= rng.integers(0, 7, size=90)[:, None]] = -1
    found = diversity(lists, csr_array(vectors), [2, 6])
    np.testing.assert_allclose(found[:, 0], diversity_by_pairs(lists, vectors, 2), atol=1e-9)
    np.testing.assert_allclose(found[:, 1], diversity_by_pairs(lists, vectors, 6), atol=1e-9)


def test_items_that_the_same_people_met_are_alike() -> None:
    seen = csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
    found = diversity(np.array([[0, 1], [0, 2]]), co_interaction_vectors(seen), [2])
    np.testing.assert_allclose(found[:, 0], [0, 1], atol=1e-12)


def test_diversity_of_very_long_vectors_stands_on_a_sample_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beyond, "_MOST_ADDITIONS", 100)
    lists = np.tile(np.array([0, 1]), (30, 1))  # 30 lists x 2 items x 5 entries = 300 additions
    heard: list[str] = []

    class Listener:
        def note(self, text: str) -> None:
            heard.append(text)

    with listening(Listener()):  # type: ignore[arg-type]
        found = diversity(lists, csr_array(np.ones((2, 5))), [2])[:, 0]
    assert np.flatnonzero(~np.isnan(found)).tolist() == list(range(0, 30, 3))
    assert heard == ["Diversity is measured on one user in 3: all would take 3.0e+02 additions."]
