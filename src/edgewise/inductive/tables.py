"""Recommenders that end as two tables of vectors which propagation made: asking these, and folding newcomers in."""

from functools import cached_property
from typing import ClassVar

import numpy as np

from edgewise.embeddings import score_embeddings, unit_vectors
from edgewise.explanations import Method
from edgewise.graph.folding import fold_in
from edgewise.newcomers import Newcomers, Side
from edgewise.recommender import Recommender
from edgewise.train.tables import Trained
from edgewise.types import Floats, Index


class TableRecommender(Recommender):
    """The base of `lightgcn` and its successors: what is asked of the tables, once these are trained.

    Whoever comes after training is folded in: the sum over the neighbours of what these would send to a node of the graph,
    without a vector of the node's own. Where there is no such sum (layers with normalisation, no layer), nobody is.
    """

    STATE: ClassVar[tuple[str, ...]] = ("users", "items", "users_sent", "items_sent")
    folds_in: ClassVar[tuple[str, ...]] = ("history",)
    by_dot_product: ClassVar[bool] = True
    starts_from: ClassVar[tuple[str, ...]] = ("table.weight",)

    users: Floats  # [n_users, d], after propagation; NaN for a user without interactions
    items: Floats  # [n_items, d]
    users_sent: Floats  # [n_users, d], what each user sends to a new item; zeros where nobody can be folded in
    items_sent: Floats  # [n_items, d], what each item sends to a new user

    def keep(self, trained: Trained) -> None:
        """Keep what training gave."""
        self.users, self.items = trained.users, trained.items
        self.users_sent, self.items_sent = trained.users_sent, trained.items_sent

    def score_block(self, user_index: Index) -> Floats:
        """Multiply vectors; NaN where nothing is known of the user or the item."""
        return score_embeddings(self.users, self.items, user_index)

    def item_vectors(self) -> Floats:
        """Return the items' vectors after propagation; zeros for an item of which nothing is known."""
        return np.nan_to_num(self.items)

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Fold in by history; NaN without one."""
        sent = self.items_sent if newcomers.side == "user" else self.users_sent
        if not self._sends[newcomers.side]:
            return None
        vectors = fold_in(newcomers.history, sent)
        return unit_vectors(vectors) if self._is_angular else vectors

    @property
    def explains_by(self) -> tuple[Method, ...]:
        """Perturbation, which is truer here; and shares, where vectors are sums over neighbours, as those of length 1 are not.

        Where nobody is folded in there is nobody to ask about with one thing less.
        """
        is_sum = self._sends["user"] and not self._is_angular
        methods = super().explains_by
        if not self._sends["user"]:
            return tuple(method for method in methods if method != "perturbation")
        return (methods[0], "shares", *methods[1:]) if is_sum else methods

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Multiply what each item sends to the user with the item's vector; the vector of the user's own gives the rest."""
        [degree] = np.diff(self.catalogue.seen.indptr[user_index : user_index + 2])
        shares: Floats = self.items_sent[history] @ self.items[item_index] / np.float32(np.sqrt(degree))
        return shares

    @cached_property
    def _sends(self) -> dict[Side, bool]:
        """Whether new users, and new items, hear anything."""
        return {"user": bool(self.items_sent.any()), "item": bool(self.users_sent.any())}

    @cached_property
    def _is_angular(self) -> bool:
        return bool(self.config.for_data(self.catalogue.seen).traits.angular)

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append vectors; what a new item would send to new users is not known, so it sends nothing."""
        super().add_items(newcomers, order)
        nothing = np.zeros((len(newcomers), self.items_sent.shape[1]), dtype=np.float32)
        self.items_sent = np.vstack([self.items_sent, nothing])[order]
