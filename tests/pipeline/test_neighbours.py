import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.pipeline.live import LiveEvents, LiveUsers
from edgewise.pipeline.neighbours import similar_users


def test_users_are_ranked_by_the_cosine_of_what_they_met() -> None:
    met = {"a": ["x", "y"], "b": ["x", "y", "z", "w"], "c": ["x"], "d": ["v"]}
    rows = [(user, item) for user, items in met.items() for item in items]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    users = LiveUsers(build("popularity").fit(Dataset.from_frame(frame)), LiveEvents())
    index, cosines = similar_users(users, users.known("a"), 10)
    assert users.catalogue.users.ids_at(index).to_list() == [
        "b",
        "c",
    ]  # 2/sqrt(2*4) = 1/sqrt(2*1), the lower index first
    assert cosines == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])
    nobody, _ = similar_users(users, users.known("stranger"), 10)
    assert nobody.size == 0
