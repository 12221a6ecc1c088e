"""Who is like whom: each similarity by hand, and against the formula written out densely."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.cooccurrence import Similarity, top_neighbours
from edgewise.types import Doubles

# Items A, B, C, D and the users who met them: A 0 1 2, B 1 2, C 2 3, D 3.
# Shared users: AB 2, AC 1, AD 0, BC 1, BD 0, CD 1. Sizes: 3, 2, 2, 1.
ITEMS = csr_array(np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]], dtype=np.float32))


def symmetric(ab: float, ac: float, bc: float, cd: float) -> Doubles:
    half = np.zeros((4, 4))
    half[0, 1], half[0, 2], half[1, 2], half[2, 3] = ab, ac, bc, cd
    return half + half.T


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        # 2 / sqrt(3 * 2), 1 / sqrt(3 * 2), 1 / sqrt(2 * 2), 1 / sqrt(2 * 1)
        ("cosine", symmetric(0.81649658, 0.40824829, 0.5, 0.70710678)),
        # 2 / (3 + 2 - 2), 1 / (3 + 2 - 1), 1 / (2 + 2 - 1), 1 / (2 + 1 - 1)
        ("jaccard", symmetric(2 / 3, 1 / 4, 1 / 3, 1 / 2)),
        # 4 / (3 + 2), 2 / (3 + 2), 2 / (2 + 2), 2 / (2 + 1)
        ("dice", symmetric(4 / 5, 2 / 5, 1 / 2, 2 / 3)),
        ("dot", symmetric(2, 1, 1, 1)),
    ],
)
def test_similarity_by_hand(similarity: Similarity, expected: Doubles) -> None:
    np.testing.assert_allclose(top_neighbours(ITEMS, None, similarity=similarity).toarray(), expected, rtol=1e-6)


def test_tversky_by_hand() -> None:
    # x = 1, y = 0 leaves c / n_i: the share of row i's users who met the other.
    expected = np.array([[0, 2 / 3, 1 / 3, 0], [1, 0, 1 / 2, 0], [1 / 2, 1 / 2, 0, 1 / 2], [0, 0, 1, 0]])
    found = top_neighbours(ITEMS, None, similarity="tversky", tversky=(1.0, 0.0))
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)


def test_asymmetric_cosine_by_hand() -> None:
    # |A|^2 = 3, |B|^2 = 2; exponents 1 and 0: s(A, B) = 2 / 3, s(B, A) = 2 / 2.
    found = top_neighbours(ITEMS, None, exponents=(1.0, 0.0)).toarray()
    np.testing.assert_allclose([found[0, 1], found[1, 0]], [2 / 3, 1], rtol=1e-6)


def test_shrinkage_by_hand() -> None:
    # cosine 2 / (sqrt(6) + 1), jaccard 2 / (3 + 2 - 2 + 1), dice 4 / (3 + 2 + 2), all of A and B.
    for similarity, expected in (("cosine", 0.57979590), ("jaccard", 0.5), ("dice", 4 / 7)):
        found = top_neighbours(ITEMS, None, similarity=similarity, shrinkage=1.0)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[[0]].toarray()[0, 1], expected, rtol=1e-6)


def test_the_nearest_are_kept_and_ties_go_to_the_lower_index() -> None:
    found = top_neighbours(ITEMS, 1, similarity="dot")
    # A: B shares 2. B: A shares 2. C: A, B and D share one each, so A. D: C.
    assert found.indices.tolist() == [1, 0, 0, 2]


def test_sets_do_not_look_at_weights() -> None:
    heavy = ITEMS * np.float32(5)
    for similarity in ("jaccard", "dice", "tversky"):
        assert (
            top_neighbours(heavy, 2, similarity=similarity) != top_neighbours(ITEMS, 2, similarity=similarity)
        ).nnz == 0


@pytest.mark.parametrize("density", [0.04, 0.5])
@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "dice", "tversky", "dot"])
def test_every_similarity_is_its_formula_written_out_densely(similarity: Similarity, density: float) -> None:
    matrix = csr_array(random_array((45, 30), density=density, rng=np.random.default_rng(3), dtype=np.float32))
    dense = matrix.toarray().astype(np.float64)
    sets = (dense > 0).astype(np.float64)
    shared, sizes = sets @ sets.T, sets.sum(axis=1)
    n_i, n_j = sizes[:, None], sizes[None, :]
    lengths = (dense**2).sum(axis=1)
    shrinkage = 0.0 if similarity == "dot" else 0.7
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = {
            "cosine": dense @ dense.T / (lengths[:, None] ** 0.3 * lengths[None, :] ** 0.6 + shrinkage),
            "jaccard": shared / (n_i + n_j - shared + shrinkage),
            "dice": 2 * shared / (n_i + n_j + 2 * shrinkage),
            "tversky": shared / (shared + 0.2 * (n_i - shared) + 0.9 * (n_j - shared) + shrinkage),
            "dot": dense @ dense.T,
        }[similarity]
    np.fill_diagonal(expected, 0)
    found = top_neighbours(
        matrix, 6, similarity=similarity, shrinkage=shrinkage, exponents=(0.3, 0.6), tversky=(0.2, 0.9)
    )
    for row in range(45):
        kept = found[[row]]
        nearest = np.sort(expected[row][expected[row] > 0])[::-1][:6]
        np.testing.assert_allclose(np.sort(kept.data)[::-1], nearest, rtol=1e-5)
        np.testing.assert_allclose(kept.data, expected[row, kept.indices], rtol=1e-5)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="similarity = 'euclid': expected one of cosine, jaccard, dice, tversky, dot"):
        top_neighbours(ITEMS, 3, similarity="euclid")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="n_neighbours = 0: expected at least 1, or None for all"):
        top_neighbours(ITEMS, 0)
    with pytest.raises(ConfigError, match=r"shrinkage = -1: expected a number >= 0"):
        top_neighbours(ITEMS, 3, shrinkage=-1)
    with pytest.raises(ConfigError, match="shrinkage = 2 has no meaning for the plain dot product"):
        top_neighbours(ITEMS, 3, similarity="dot", shrinkage=2)
    with pytest.raises(ConfigError, match=r"tversky = \[-1, 0\]: expected two numbers >= 0"):
        top_neighbours(ITEMS, 3, similarity="tversky", tversky=(-1, 0))
    with pytest.raises(DataError, match="1 of 1 edge weights are negative"):
        top_neighbours(csr_array(np.array([[-1.0]])), 3)
