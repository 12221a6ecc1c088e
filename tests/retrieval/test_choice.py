"""Which index is made."""

import numpy as np
import pytest

from edgewise.config import make
from edgewise.errors import ConfigError
from edgewise.retrieval import ApproximateIndex, ExactIndex, RetrievalConfig, make_index
from edgewise.types import Floats


def grouped(n: int) -> Floats:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((20, 16))[rng.integers(20, size=n)] + 0.3 * rng.standard_normal((n, 16))).astype(
        np.float32
    )


def test_few_items_are_searched_exactly_and_many_in_lists() -> None:
    config = RetrievalConfig(exact_below=2000)
    assert isinstance(make_index(grouped(1999), config), ExactIndex)
    assert isinstance(make_index(grouped(2000), config, k=10), ApproximateIndex)


def test_what_the_config_names_is_made_whatever_the_size() -> None:
    assert isinstance(make_index(grouped(50), RetrievalConfig(index="approximate")), ApproximateIndex)
    assert isinstance(make_index(grouped(3000), RetrievalConfig(index="exact", exact_below=1)), ExactIndex)


def test_vectors_without_groups_are_searched_exactly() -> None:
    noise = np.random.default_rng(0).standard_normal((3000, 64), dtype=np.float32)
    assert isinstance(make_index(noise, RetrievalConfig(exact_below=2000)), ExactIndex)


def test_a_recall_above_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"recall = 1\.5"):
        make(RetrievalConfig, {"recall": 1.5}, where="[retrieval]")
