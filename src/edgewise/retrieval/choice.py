"""Which index to use, decided by measuring."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from edgewise import telemetry
from edgewise.config import Settings
from edgewise.retrieval.approximate import ApproximateIndex
from edgewise.retrieval.exact import ExactIndex
from edgewise.retrieval.protocol import VectorIndex, checked_vectors
from edgewise.rng import make_rng
from edgewise.types import Floats

_WORTH_READING = 1 / 3
"""Where a search would read more of the items than this, multiplying them all is as fast, and exact."""


class RetrievalConfig(Settings):
    """The section [retrieval]."""

    index: Literal["auto", "exact", "approximate"] = "auto"
    recall: Annotated[float, Field(gt=0, lt=1)] = 0.995  # of the exact top k, on average over queries
    exact_below: PositiveInt = 20_000  # items
    n_lists: PositiveInt | None = None  # twice the root of the number of items


def make_index(
    vectors: Floats, config: RetrievalConfig, *, queries: Floats | None = None, k: int = 100, seed: int = 0
) -> VectorIndex:
    """Build the index that suits the vectors.

    Args:
        vectors: float32 [n_items, d]; NaN: not there.
        config: with `index = "auto"`, exact below `exact_below` items, and also where the approximate index, once built, reads more
            than a third of the items for the top k: such vectors have no groups that a search could leave out.
        queries: float32 [n, d], vectors such as will be asked, best those of users; by default item vectors.
        k: the length of lists that will be asked.
        seed: see `ApproximateIndex`.
    """
    table = checked_vectors(vectors)
    if config.index == "exact" or (config.index == "auto" and len(table) < config.exact_below):
        return ExactIndex(vectors)
    found = ApproximateIndex(table, recall=config.recall, n_lists=config.n_lists, queries=queries, seed=seed)
    if config.index == "approximate":
        return found
    asked = table if queries is None else checked_vectors(queries, found.dim)
    sample = asked[make_rng(seed, "retrieval choice").permutation(len(asked))[:64]]
    share = float(np.mean(found.n_read(sample, k))) / len(table)
    if share <= _WORTH_READING:
        return found
    telemetry.note(
        f"An approximate index would read {share:.0%} of the {len(table):,} items for a recall of {config.recall}: answers come from the exact one."
    )
    return ExactIndex(vectors)
