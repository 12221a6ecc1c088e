"""The graph filter against its formula, written out densely."""

import numpy as np
import pytest

from edgewise.data import Dataset
from edgewise.models.graph_filter import GraphFilter
from edgewise.testing.planted import Planted, planted_tastes


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_tastes()


def test_with_the_whole_spectrum_it_is_the_ridge_filter(planted: Planted) -> None:
    train = planted.train
    model = GraphFilter(n_factors=1000, ridge_share=0.3, user_exponent=0.2, item_exponent=0.4).fit(train)
    met = train.interactions.toarray().astype(np.float64)
    by_user, by_item = met.sum(axis=1) ** -0.2, met.sum(axis=0) ** -0.4
    graph = (by_user[:, None] * met * by_item).T @ (by_user[:, None] * met * by_item)
    values = np.sort(np.linalg.eigvalsh(graph))[::-1]
    values = values[values > values[0] * 1e-10]
    ridge = values[int(np.ceil(0.3 * values.size)) - 1]
    smoothed = np.linalg.solve(graph + ridge * np.eye(len(graph)), graph)
    expected = (met * by_item) @ smoothed / by_item
    np.testing.assert_allclose(model.score_block(np.arange(train.n_users)), expected, rtol=2e-3, atol=2e-3)


def test_the_line_below_the_spectrum_changes_little(planted: Planted) -> None:
    users = np.arange(planted.train.n_users)
    whole = GraphFilter(n_factors=1000, ridge_share=4 / 44).fit(planted.train).score_block(users)
    few = GraphFilter(n_factors=16, ridge_share=4 / 16).fit(planted.train).score_block(users)
    assert np.corrcoef(whole.ravel(), few.ravel())[0, 1] > 0.98


def test_contributions_add_up_to_the_score(planted: Planted) -> None:
    model = GraphFilter().fit(planted.train)
    history = model.catalogue.seen[[3]].indices.astype(np.int64)
    for item in (0, 7, 20):
        amounts = model.contributions(3, item, history)
        assert amounts.sum() == pytest.approx(model.score_block(np.array([3]))[0, item], rel=1e-3, abs=1e-4)


def test_a_history_is_scored_like_a_known_user(planted: Planted) -> None:
    model = GraphFilter().fit(planted.train)
    rows = model.catalogue.seen[[5, 6]]
    np.testing.assert_array_equal(model.score_history(rows), model.score_block(np.array([5, 6])))


def test_fitting_again_forgets_the_first_data(planted: Planted) -> None:
    model = GraphFilter().fit(planted.train)
    model.recommend(["u000"], 3)
    half = planted.train.subset(planted.train.events["item_index"] < 22)
    model.fit(half)
    assert list(model.recommend(["u000"], 3)) == list(GraphFilter().fit(half).recommend(["u000"], 3))


def test_one_user_one_item_does_not_break_it() -> None:
    import polars as pl

    tiny = Dataset.from_events(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}))
    assert np.isfinite(GraphFilter().fit(tiny).score_block(np.arange(2))).all()
