"""LightGCN beside a graph filter: what training finds out, added to what the graph says in closed form."""

from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_array

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.errors import ConfigError
from edgewise.graph.bipartite import transposed
from edgewise.graph.low_pass import LowPass
from edgewise.models.graph_filter import GraphFilterConfig
from edgewise.models.lightgcn import LightGCN, LightGCNConfig
from edgewise.newcomers import Newcomers, by_history
from edgewise.rng import make_rng
from edgewise.search_space import LogUniform, SearchSpace
from edgewise.telemetry import step
from edgewise.types import Doubles, Floats, Index

_N_USERS = 2048
"""Of so many users the spread of the filter's scores is measured."""


class FilterGCNConfig(LightGCNConfig):
    """Settings of `filter-gcn`; those of training, among them the loss, are [train]'s."""

    embedding_dim: PositiveInt = 128
    epochs: PositiveInt = 40
    start: Literal["random", "spectral"] = "spectral"
    init_scale: PositiveFloat = 0.2
    filter_weight: NonNegativeFloat = 0.5  # of the filter's scores against the learned ones, both at their own spread
    filter: GraphFilterConfig = GraphFilterConfig()  # the settings of `graph-filter`


class FilterGCN(LightGCN):
    """Score by the sum of two models of the same graph: score(u, i) = z_u · z_i + w (h_u F)_i.

    z are the vectors of `lightgcn`, trained as there; F is the filter of `graph-filter`, and h_u what a person met. w is
    `filter_weight`, times the spread of the learned scores (their standard deviation over all pairs) over that of the
    filter's, so that 1 would give both the same say, whatever the loss.

    The two err differently. The filter keeps every single co-occurrence, and gives each direction of the spectrum the weight that
    a formula has for it; training finds the weights that rank best, in as few directions as a vector has numbers.

    The filter is added after training. Inside it, it would have to be told of each interaction as if that were not
    there, since it was made of it.
    """

    name: ClassVar[str] = "filter-gcn"
    title: ClassVar[str] = "LightGCN with a graph filter"
    paper: ClassVar[str] = (
        "the sum of He et al., “LightGCN”, SIGIR 2020 (arXiv:2002.02126), and a filter after Shen et al., “How Powerful is Graph "
        "Convolution for Recommendation?” (GF-CF), CIKM 2021 (arXiv:2108.07567)"
    )
    Config: ClassVar[type[Settings]] = FilterGCNConfig
    by_dot_product: ClassVar[bool] = False  # of the filter's part there are no vectors
    STATE: ClassVar[tuple[str, ...]] = (*LightGCN.STATE, "people", "analysis", "synthesis")
    SEARCH: ClassVar[SearchSpace] = {**LightGCN.SEARCH, "filter_weight": LogUniform(0.2, 5.0)}

    people: (
        csr_array  # [n_items, n_users], of the filter, see `LowPass`; its scores are at the spread of the learned ones
    )
    analysis: Floats  # [n_items, k]
    synthesis: Floats  # [n_items, k]

    def fit_arrays(self, dataset: Dataset) -> None:
        """Train the vectors, then find the filter and bring its scores to their spread."""
        super().fit_arrays(dataset)
        config: FilterGCNConfig = self.config
        rng = make_rng(self.seed, "spectrum")
        with step("graph filter: spectrum", total=1):
            low_pass = LowPass.of(dataset.interactions, rng, **config.filter.model_dump())
        drawn = np.sort(rng.permutation(dataset.n_users)[:_N_USERS])
        filtered = low_pass.scores(dataset.interactions[drawn], transposed(dataset.interactions))
        spread = float(filtered.std(dtype=np.float64))
        learned = spread_of_products(self.users, self.items)
        low_pass = low_pass.times(config.filter_weight * learned / spread if spread else 0.0)
        self.people, self.analysis, self.synthesis = low_pass.people, low_pass.analysis, low_pass.synthesis

    def score_block(self, user_index: Index) -> Floats:
        """Add what was learned of known users and what the filter makes of what they met."""
        return super().score_block(user_index) + self.filtered(self.catalogue.seen[user_index])

    def score_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Add the same for histories: the vectors are folded in."""
        learned = super().score_newcomers(newcomers)
        return None if learned is None else learned + by_history(self.filtered, newcomers)

    def filtered(self, rows: csr_array) -> Floats:
        """Filter histories of anyone: float32 [b, n_items] for rows of ones [b, n_items]."""
        return LowPass(self.people, self.analysis, self.synthesis).scores(rows, self._item_users)

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Add what each history item gives to the learned score and what it gives through the filter."""
        low_pass = LowPass(self.people, self.analysis, self.synthesis)
        learned = super().contributions(user_index, item_index, history)
        return learned + low_pass.terms(history, item_index, self._item_users)

    def add_items(self, newcomers: Newcomers, order: Index) -> None:  # noqa: ARG002
        """Refuse: the filter's spectrum is that of the items it was made of."""
        raise ConfigError(
            f"{self.name} cannot take new items: its filter knows the items it was fitted with; lightgcn, and models that know attributes, can."
        )

    @cached_property
    def _item_users(self) -> csr_array:
        return transposed(self.catalogue.seen)


def spread_of_products(users: Floats, items: Floats) -> float:
    """Return the standard deviation of the dot products of all users and all items, without making them.

    Args:
        users: float32 [n_users, d]; rows of NaN do not count. items: float32 [n_items, d].
    """
    left: Doubles = users[~np.isnan(users).any(axis=1)].astype(np.float64)
    right: Doubles = items.astype(np.float64)
    n_pairs = left.shape[0] * right.shape[0]
    mean = (left.sum(axis=0) @ right.sum(axis=0)) / n_pairs
    squares = ((left.T @ left) * (right.T @ right)).sum() / n_pairs
    return float(np.sqrt(max(squares - mean**2, 0.0)))
