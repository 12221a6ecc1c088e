"""A training-free graph filter: a person's interactions as a signal on the items, smoothed over the graph in closed form."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import Field, PositiveInt
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.graph.bipartite import transposed
from edgewise.graph.low_pass import LowPass
from edgewise.newcomers import Newcomers, by_history
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.search_space import LogUniform, SearchSpace, Uniform
from edgewise.telemetry import step
from edgewise.types import Floats, Index


class GraphFilterConfig(Settings):
    """Settings of `graph-filter`; exponents, factors and ridge by validation (benchmarks/settings.py)."""

    n_factors: PositiveInt = 256  # how much of the spectrum is filtered exactly; the rest is filtered along a line
    ridge_share: float = Field(
        default=0.25, gt=0, le=1
    )  # the filter passes half of the signal at this share of the factors
    user_exponent: float = Field(default=0.25, ge=0, le=1)  # of a user's degree: how much less busy people count
    item_exponent: float = Field(
        default=0.35, ge=0, le=1
    )  # 0.5 is the symmetric normalisation; less favours the popular


class GraphFilter(Recommender):
    """Score by a low-pass filter over the item graph: scores = h D^-b f(G) D^b, with f(s) = s / (s + ridge).

    h is a row of zeros and ones, what a person met; D holds the items' degrees, G = R'R is the item graph of the normalised
    interactions R = D_user^-a B D^-b, and its eigenvalues s tell smooth signals (large) from noise. f is the ridge
    filter, the solution of the least-squares problem behind linear autoencoders (Steck, WWW 2019), softer than the ideal
    cut of GF-CF. Its leading `n_factors` components are exact; below, f is replaced by the line through the origin that
    meets it at the last of them, which needs no spectrum: c G, the linear filter of GF-CF, applied as two products with the
    interactions, to the people who met the same and on to what else they met. The two parts cancel where both apply, so
    neither can be thinned out.

    Nothing is learned but the spectrum, and the filter sees a person only through h, so people it has never met are
    answered just as well.
    """

    name: ClassVar[str] = "graph-filter"
    title: ClassVar[str] = "Graph filter"
    paper: ClassVar[str] = (
        "after Shen et al., “How Powerful is Graph Convolution for Recommendation?” (GF-CF), CIKM 2021 (arXiv:2108.07567), "
        "and Choi et al., “Blurring-Sharpening Process Models for Collaborative Filtering” (BSPM), SIGIR 2023"
    )
    Config: ClassVar[type[Settings]] = GraphFilterConfig
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    adds_up: ClassVar[bool] = True
    STATE: ClassVar[tuple[str, ...]] = ("people", "analysis", "synthesis")
    SEARCH: ClassVar[SearchSpace] = {
        "ridge_share": LogUniform(0.03, 0.7),
        "user_exponent": Uniform(0.1, 0.5),
        "item_exponent": Uniform(0.2, 0.5),
    }

    people: csr_array  # [n_items, n_users], c D^-2b B' D_user^-2a: whom meeting an item speaks for, and how loudly
    analysis: Floats  # [n_items, k], from a history to the spectrum
    synthesis: Floats  # [n_items, k], from the spectrum to scores

    def fit_arrays(self, dataset: Dataset) -> None:
        """Normalise, find the spectrum, weigh it."""
        with step("graph filter: spectrum", total=1):
            found = LowPass.of(dataset.interactions, make_rng(self.seed, "spectrum"), **self.config.model_dump())
        self.people, self.analysis, self.synthesis = found.people, found.analysis, found.synthesis

    def score_block(self, user_index: Index) -> Floats:
        """Filter what known users met."""
        return self.score_history(self.catalogue.seen[user_index])

    def score_history(self, rows: csr_array) -> Floats:
        """Filter histories, of known users or not: float32 [b, n_items] for rows of ones [b, n_items]."""
        return LowPass(self.people, self.analysis, self.synthesis).scores(rows, self._item_users)

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:  # noqa: ARG002
        """Return what each history item adds to the score; the filter is linear, so these add up to it."""
        return LowPass(self.people, self.analysis, self.synthesis).terms(history, item_index, self._item_users)

    def score_newcomers(self, newcomers: Newcomers) -> Floats:
        """Score by history, as for known users."""
        return by_history(self.score_history, newcomers)

    def item_vectors(self) -> Floats:
        """Return the items' places in the spectrum, weighed by the filter and scaled to length 1: float32 [n_items, k]."""
        length = np.linalg.norm(self.synthesis, axis=1, keepdims=True)
        vectors: Floats = self.synthesis / np.maximum(length, np.float32(1e-12))
        return vectors

    @cached_property
    def _item_users(self) -> csr_array:
        return transposed(self.catalogue.seen)
