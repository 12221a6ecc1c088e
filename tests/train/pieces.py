"""A fit that is cut off again and again, at any step, and resumed."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from edgewise.data import Dataset
from edgewise.recommender import Recommender
from edgewise.train.loop import _Run

M = TypeVar("M", bound=Recommender)


class CutOffError(Exception):
    """Stands for a kill: nothing is cleaned up by the loop because of it."""


def fit_in_pieces(
    model: M, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch, *, longest: int = 200
) -> M:
    """Fit with checkpoints at every step, cut off before a random step, until a piece gets to the end; five times at least."""
    rng = np.random.default_rng(1)
    take_step = _Run._take_step
    n_cut = 0
    while True:
        left = [int(rng.integers(3, 30 if n_cut < 5 else longest))]

        def take_or_die(run: _Run, batch: Any, left: list[int] = left) -> None:
            if not left[0]:
                raise CutOffError
            left[0] -= 1
            take_step(run, batch)

        with monkeypatch.context() as patch:
            patch.setattr(_Run, "_take_step", take_or_die)
            try:
                model.fit(dataset, checkpoints=folder)
            except CutOffError:
                n_cut += 1
                continue
        assert n_cut >= 5
        return model
