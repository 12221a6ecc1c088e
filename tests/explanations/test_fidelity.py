"""Perturbation and fidelity on scores that are known: s_i = sum of W_ji over what is met."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.explanations import Evidence, fidelity_of, fidelity_shares, perturbation
from edgewise.explanations.perturbation import standing
from edgewise.newcomers import Newcomers
from edgewise.types import Floats, Index

WEIGHTS = np.zeros((8, 8), dtype=np.float32)
WEIGHTS[[0, 1, 2, 3], 6] = [4, 3, 0.5, 0.25]  # items 0 and 1 carry item 6
WEIGHTS[[0, 1, 2, 3], 7] = [0, 0, 1, 1]
WEIGHTS[[0, 1, 2, 3], 5] = [0.5, 0.5, 0.5, 0.5]


def ask(newcomers: Newcomers) -> Floats:
    scores = np.asarray(newcomers.history @ WEIGHTS, dtype=np.float32)
    scores[np.diff(newcomers.history.indptr) == 0] = np.nan
    return scores


def evidence() -> Evidence:
    history = csr_array(np.array([[1, 1, 1, 1, 0, 0, 0, 0]], dtype=np.float32))
    return Evidence.of(Newcomers("user", history, None, None, ("",)))


def test_perturbation_of_a_sum_finds_its_terms() -> None:
    np.testing.assert_allclose(perturbation(ask, evidence()), WEIGHTS[:4])


def test_standing_counts_in_deviations_among_all_items() -> None:
    scores = np.array([[1, 2, 3, np.nan], [10, 20, 30, np.nan], [5, 5, 5, 5]], dtype=np.float32)
    found = standing(scores, np.array([0, 2, 3]))
    np.testing.assert_allclose(found[0], [-np.sqrt(1.5), np.sqrt(1.5), np.nan], rtol=1e-6)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_array_equal(found[2], 0)


def test_what_is_left_of_a_single_piece_is_zero() -> None:
    history = csr_array(np.array([[1, 0, 0, 0, 0, 0, 0, 0]], dtype=np.float32))
    alone = Evidence.of(Newcomers("user", history, None, None, ("",)))
    np.testing.assert_allclose(perturbation(ask, alone), WEIGHTS[:1])


def test_ranks_without_and_by_the_reasons_by_hand() -> None:
    # All: 6 has 7.75, 5 and 7 have 2. Without 0 and 1: 6 has .75, 7 has 2, 5 has 1. By 0 and 1 alone: 6 has 7.
    found = fidelity_of(ask, evidence(), 6, np.array([0, 1]), np.random.default_rng(0))
    assert (found.rank, found.without, found.alone, found.n) == (1, 3, 1, 2)
    assert found.without_random == 1  # five of six pairs leave 0 or 1
    gone = fidelity_of(ask, evidence(), 6, np.arange(4), np.random.default_rng(0))
    assert gone.without is None


def test_true_reasons_are_necessary_and_sufficient_and_false_ones_are_not() -> None:
    def true(evidence: Evidence, items: Index) -> Floats:
        return perturbation(lambda variants: ask(variants)[:, items], evidence)

    def false(evidence: Evidence, items: Index) -> Floats:
        return -true(evidence, items)

    right = fidelity_shares(ask, [evidence()], true, np.random.default_rng(0), k=1, n=2)
    wrong = fidelity_shares(ask, [evidence()], false, np.random.default_rng(0), k=1, n=2)
    assert (right.plus, right.minus, right.n_lists, right.n_items) == (1.0, 0.0, 1, 1)
    assert (wrong.plus, wrong.minus) == (0.0, 1.0)
    assert 0 <= right.plus_random < 1
    assert 0 < right.minus_random < 1


def test_who_has_too_few_pieces_is_left_out() -> None:
    found = fidelity_shares(ask, [evidence()], lambda _, __: WEIGHTS, np.random.default_rng(0), n=4)
    assert found.n_lists == 0
    assert found.plus == pytest.approx(float("nan"), nan_ok=True)
