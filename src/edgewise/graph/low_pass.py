"""A low-pass filter over the item graph, in closed form: what is smooth in a history passes, what jumps is held back."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from edgewise.graph.bipartite import transposed
from edgewise.graph.normalise import degree_scale
from edgewise.graph.products import dense_product
from edgewise.graph.spmm import spmm
from edgewise.graph.svd import truncated_svd
from edgewise.types import Floats, Index


@dataclass(frozen=True)
class LowPass:
    """The ridge filter on the leading components of the item graph, and a line through the origin below them.

    Scores of a history h, a row of zeros and ones, are (h people) R + (h analysis) synthesis', R being the interactions.

    Attributes:
        people: [n_items, n_users], c D^-2b B' D_user^-2a: whom meeting an item speaks for, and how loudly.
        analysis: float32 [n_items, k], from a history to the spectrum.
        synthesis: float32 [n_items, k], from the spectrum to scores.
    """

    people: csr_array
    analysis: Floats
    synthesis: Floats

    @classmethod
    def of(
        cls,
        interactions: csr_array,
        rng: np.random.Generator,
        *,
        n_factors: int,
        ridge_share: float,
        user_exponent: float,
        item_exponent: float,
    ) -> "LowPass":
        """Normalise, find the spectrum, weigh it; `edgewise.models.graph_filter` has the formula and the settings.

        Args:
            interactions: [n_users, n_items], ones.
            rng: for the spectrum.
            n_factors, ridge_share, user_exponent, item_exponent: see `GraphFilterConfig`.
        """
        normalised = degree_scale(interactions, -user_exponent, -item_exponent)
        _, sigma, vectors = truncated_svd(normalised, n_factors, rng)
        eigenvalues = sigma**2  # of G
        ridge = eigenvalues[int(np.ceil(ridge_share * sigma.size)) - 1]
        slope = 1 / (ridge + eigenvalues[-1])  # of the line: f(s) = s * slope at the last eigenvalue
        gain = eigenvalues / (eigenvalues + ridge) - eigenvalues * slope  # what the line lacks, [k]

        degree = np.maximum(np.bincount(interactions.indices, minlength=interactions.shape[1]), 1).astype(np.float64)
        weight_in = (degree**-item_exponent).astype(np.float32)
        counted = degree_scale(interactions, -2 * user_exponent, -2 * item_exponent)
        return cls(
            transposed(counted) * np.float32(slope),
            vectors * weight_in[:, None],
            (vectors * gain) / weight_in[:, None],
        )

    def times(self, factor: float) -> "LowPass":
        """Return the filter that gives `factor` times the scores."""
        return LowPass(self.people * np.float32(factor), self.analysis, self.synthesis * np.float32(factor))

    def scores(self, rows: csr_array, item_users: csr_array) -> Floats:
        """Filter histories, of known users or not.

        Args:
            rows: [b, n_items], ones. item_users: R', [n_items, n_users], ones.

        Returns:
            float32 [b, n_items], C order.
        """
        alike = dense_product(rows, self.people)  # [b, n_users]
        total = spmm(item_users, np.ascontiguousarray(alike.T)).T  # [b, n_items]
        filtered: Floats = np.add(total, (rows @ self.analysis) @ self.synthesis.T, order="C")
        return filtered

    def terms(self, history: Index, item: int, item_users: csr_array) -> Floats:
        """Return what each item of a history adds to the score of one item: float32 [n_history]."""
        direct = (self.people[history] @ item_users[[item]].T).toarray()[:, 0]
        terms: Floats = direct + self.analysis[history] @ self.synthesis[item]
        return terms
