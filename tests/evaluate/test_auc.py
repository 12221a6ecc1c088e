"""AUC against comparing every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.evaluate.auc import auc
from edgewise.ranking import top_k_and_ranks
from edgewise.types import Doubles, Floats, Index


def auc_of(scores: Floats, relevant: csr_array, seen: csr_array, n_unknown: Index) -> Doubles:
    found, met = np.diff(relevant.indptr), np.diff(seen.indptr)
    owner = np.repeat(np.arange(len(scores)), found)
    _, _, n_above, n_equal = top_k_and_ranks(scores, 1, seen, relevant)
    return auc(n_above, n_equal, owner, found + n_unknown, scores.shape[1] - found - met)


def auc_by_pairs(scores: Floats, relevant: csr_array, seen: csr_array, n_unknown: Index) -> Doubles:
    """Compare each relevant item with each candidate: 1 if above, 1/2 if level, 0 if below or without a score."""
    answer = np.full(len(scores), np.nan)
    for row, line in enumerate(scores):
        wanted = relevant[[row]].indices
        candidates = np.setdiff1d(np.arange(line.size), np.concatenate([wanted, seen[[row]].indices]))
        n_relevant = wanted.size + n_unknown[row]
        if not n_relevant or not candidates.size:
            continue
        points = 0.0
        for item in wanted:
            for other in candidates:
                if not line[item] > -np.inf:
                    continue
                if not line[other] > -np.inf or line[item] > line[other]:
                    points += 1
                elif line[item] == line[other]:
                    points += 0.5
        answer[row] = points / (n_relevant * candidates.size)
    return answer


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.6]), st.sampled_from([0, 1, 3]))
@settings(deadline=None, max_examples=30)
def test_agrees_with_comparing_every_pair(seed: int, share_seen: float, digits: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((12, 30)).round(digits).astype(np.float32)  # few digits: many ties
    scores[rng.random(scores.shape) < 0.1] = np.nan
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    seen = rng.random(scores.shape) < share_seen
    relevant = csr_array((rng.random(scores.shape) < 0.2) & ~seen)
    n_unknown = rng.integers(0, 2, size=12)
    found = auc_of(scores, relevant, csr_array(seen), n_unknown)
    np.testing.assert_allclose(found, auc_by_pairs(scores, relevant, csr_array(seen), n_unknown), atol=1e-12)


def test_golden_row() -> None:
    # Items 0 to 5 score 5 4 3 3 2 -; item 0 was seen, 2 and 5 are relevant. Candidates: 1, 3, 4.
    # Item 2 (score 3) beats 4, ties with 3, loses to 1: 1.5 of 3. Item 5 has no score: 0 of 3. AUC = 1.5 / 6.
    scores = np.array([[5, 4, 3, 3, 2, np.nan]], dtype=np.float32)
    relevant, seen = csr_array(np.array([[0, 0, 1, 0, 0, 1]])), csr_array(np.array([[1, 0, 0, 0, 0, 0]]))
    assert auc_of(scores, relevant, seen, np.array([0])).tolist() == [0.25]
    # One more relevant item that the catalogue lacks: 1.5 of 9.
    assert auc_of(scores, relevant, seen, np.array([1])).tolist() == pytest.approx([1.5 / 9])
