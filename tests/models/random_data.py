"""A small data set without a plan, to hold models against formulas written out densely."""

import numpy as np
from scipy.sparse import csr_array

from edgewise.data import Dataset


def random_dataset(seed: int = 0, *, density: float = 0.2) -> Dataset:
    """35 users, 28 items; user 4 met nothing and nobody met item 2."""
    rng = np.random.default_rng(seed)
    met = (rng.random((35, 28)) < density).astype(np.float32)
    met[4], met[:, 2] = 0, 0
    return Dataset.from_csr(csr_array(met))
