"""What an explanation is: reasons, how they were found, and how much they are worth."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import polars as pl

from edgewise.explanations.evidence import PieceKind
from edgewise.types import Floats

Method: TypeAlias = Literal["shares", "perturbation", "gradient", "attention", "similarity"]

METHODS: tuple[Method, ...] = get_args(Method)
"""The ways to find reasons.

- shares: the score is a sum over what the user met, and the reasons are its terms.
- perturbation: ask again without one piece, and see by how many standard deviations, among the scores of all items, the
  item falls back.
- gradient: the gradient of the score by what a neighbour or an attribute gives, times what it gives.
- attention: the weights that the layers give to neighbours, the same for each item.
- similarity: how alike the items are; nothing about the score.
"""


@dataclass(frozen=True)
class Reason:
    """One thing that spoke for an item.

    Attributes:
        kind: "history": an item that the user met; "friend"; "attribute": of the user; "item attribute": of the item itself.
        id: the item's or the friend's id, or the attribute's name.
        contribution: how much it spoke for the item, > 0, in the units of the method.
        value: the attribute's value.
    """

    kind: PieceKind | Literal["item attribute"]
    id: Any
    contribution: float
    value: Any = None


@dataclass(frozen=True)
class Fidelity:
    """What becomes of an item's rank if the reasons are taken away, and if they are all there is.

    The model is asked as about a newcomer of whom the same is known. Ranks count from 1 among what the user did not meet;
    None where the item is not ranked any more.

    Attributes:
        rank: by all that is known.
        without: by all but the reasons. alone: by the reasons alone.
        without_random: by all but as many pieces drawn at random, the median of several draws.
        n: how many reasons.
    """

    rank: int | None
    without: int | None
    alone: int | None
    without_random: int | None
    n: int


@dataclass(frozen=True)
class Explanation:
    """Why an item is recommended.

    Attributes:
        reasons: what of all that is known of the user spoke for the item, the strongest first.
        item_reasons: which of the item's own attributes did, by perturbation, where the model scores new items by these.
        method: how they were found; None where the model cannot say.
        score: of the item; NaN where the model has none.
        rank: the item's place in the list that these scores make, from 1; None where it was met, or is not ranked.
        rest: what the reasons leave of the score, for other pieces and for what is not seen from outside, such as a vector of
            the user's own; None where contributions do not add up to the score.
        fidelity: where it was asked for, and can be had.
        item_dtype: of the item ids.
    """

    reasons: tuple[Reason, ...]
    method: Method | None
    score: float = float("nan")
    rest: float | None = None
    item_reasons: tuple[Reason, ...] = ()
    fidelity: Fidelity | None = None
    rank: int | None = None
    item_dtype: pl.DataType = field(default_factory=pl.Int64)

    @property
    def item_ids(self) -> pl.Series:
        """The history items among the reasons."""
        ids = [reason.id for reason in self.reasons if reason.kind == "history"]
        return pl.Series("item_id", ids, dtype=self.item_dtype)

    @property
    def contributions(self) -> Floats:
        """What each reason contributes: float32 [n]."""
        return np.array([reason.contribution for reason in self.reasons], dtype=np.float32)
