"""Newcomers as those to be evaluated: users whom training never saw, with what is known of them when they are asked about."""

from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.catalogue import Catalogue
from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.newcomers import Newcomers
from edgewise.types import Floats, Index


class AnswersNewcomers(Protocol):
    """What can be asked about newcomers: every `Recommender`."""

    @property
    def catalogue(self) -> Catalogue:
        """Users, items, and what each user met in training."""

    def masked_newcomer_scores(self, newcomers: Newcomers) -> Floats:
        """Score all items: float32 [n, n_items]."""


class NewcomerScorer:
    """A model asked about newcomers, in the place of a model that is asked about known users.

    Args:
        model: fitted.
        users: the newcomers' ids. newcomers: what is known of each, in the order of the ids.
    """

    def __init__(self, model: AnswersNewcomers, users: IdMap, newcomers: Newcomers) -> None:
        self.model, self.users, self.newcomers = model, users, newcomers
        self.name = str(getattr(model, "name", type(model).__name__))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The model's items, and the newcomers with their histories as its users."""
        return replace(self.model.catalogue, users=self.users, strengths=self.newcomers.history, user_table=None)

    def masked_scores(self, user_index: Index) -> Floats:
        """Score all items for some of the newcomers."""
        return self.model.masked_newcomer_scores(self.newcomers.rows(user_index))


def newcomers_of(catalogue: Catalogue, test: Dataset, revealed: Dataset | None) -> tuple[IdMap, Newcomers]:
    """Take the test users whom training never met, with what is revealed of them: their first items and attributes.

    Args:
        catalogue: of the fitted model.
        test: whose users are asked about.
        revealed: what they met before; None: nothing.

    Returns:
        Their ids, and what is known of each; ids of items that training does not know are left out.
    """
    active = np.diff(test.interactions.indptr) > 0
    position = catalogue.users.index_of(test.users.ids)
    met = np.append(np.diff(catalogue.seen.indptr) > 0, False)  # the last place is for those unknown, -1
    new = active & ~met[position]
    ids = test.users.ids.filter(pl.Series(new))
    history = csr_array((len(ids), len(catalogue.items)), dtype=np.float32)
    if revealed is not None:
        history = _rows_for(ids, revealed, catalogue)
    table = None if test.user_table is None else test.user_table.filter(pl.Series(new)).drop("user_id")
    return IdMap(ids, "user"), Newcomers("user", history, attributes=table, remarks=("",) * len(ids))


def _rows_for(ids: pl.Series, revealed: Dataset, catalogue: Catalogue) -> csr_array:
    row = revealed.users.index_of(ids)
    rows = revealed.interactions[np.maximum(row, 0)]
    column = catalogue.items.index_of(revealed.items.ids)[rows.indices]
    owner = np.repeat(np.arange(len(ids)), np.diff(rows.indptr))
    kept = (column != UNKNOWN) & (row[owner] != UNKNOWN)
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    found = csr_array((ones, (owner[kept], column[kept])), shape=(len(ids), len(catalogue.items)))
    found.sort_indices()
    return found
