"""biases: a number by hand, shrinking, probabilities."""

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.errors import CannotPredictError, DataError
from edgewise.evaluate.calibration import calibration_error
from edgewise.models.biases import RatingBiases
from edgewise.models.popularity import Popularity
from tests.models.rating_data import sloped_yes_no


def test_one_round_by_hand() -> None:
    # Ratings a: x 5, y 3; b: x 4. Mean 4. Items first, damping 1: x (1 + 0) / (2 + 1), y -1 / (1 + 1).
    # Users on what is left, damping 1: a (1 - 1/3 - 1 + 1/2) / (2 + 1) = 1/18, b (0 - 1/3) / (1 + 1) = -1/6.
    frame = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "value": [5.0, 3.0, 4.0]})
    model = RatingBiases(user_damping=1.0, item_damping=1.0, rounds=1).fit(Dataset.from_events(frame))
    asked = model.predict(["a", "b", "nobody", "b", "nobody"], ["x", "y", "x", "nothing", "nothing"])
    assert asked.tolist() == pytest.approx([4 + 1 / 3 + 1 / 18, 4 - 1 / 2 - 1 / 6, 4 + 1 / 3, 4 - 1 / 6, 4.0])


def test_probabilities_come_true() -> None:
    parts = sloped_yes_no(400, 60).split("random", test=0.3)
    model = RatingBiases().fit(parts.train)
    test = parts.test.to_frame()
    said = model.predict(test["user_id"], test["item_id"]).astype(np.float64)
    assert calibration_error(said, test["value"].to_numpy() == 1.0, n_bins=10) < 0.03
    assert model.calibration.tolist() != [1.0, 0.0]


def test_models_that_rank_say_that_they_predict_nothing() -> None:
    model = Popularity().fit(sloped_yes_no())
    with pytest.raises(CannotPredictError, match="popularity ranks items and predicts no ratings"):
        model.predict(["u0"], [0])


@pytest.mark.parametrize("name", ["biases", "mf", "gc-mc"])
def test_who_met_what_without_ratings_is_refused_with_the_reason(name: str) -> None:
    from edgewise.models import build

    data = Dataset.from_events(pl.DataFrame({"user_id": ["a", "b"], "item_id": [1, 2]}))
    with pytest.raises(DataError, match=f"all 2 ratings are 1, so there is nothing to predict: {name} needs values"):
        build(name).fit(data)
