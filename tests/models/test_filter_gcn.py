"""LightGCN with a graph filter: its scores are the sum of both models' scores, at one spread."""

from typing import Any

import numpy as np
import pytest

from edgewise.errors import ConfigError
from edgewise.models.filter_gcn import FilterGCN, spread_of_products
from edgewise.models.graph_filter import GraphFilter
from edgewise.models.lightgcn import LightGCN
from edgewise.recommender import Recommender
from edgewise.testing.planted import Planted, planted_tastes
from edgewise.types import Floats

TRAINED: dict[str, Any] = {"embedding_dim": 8, "epochs": 5, "start": "spectral", "init_scale": 0.2}
FILTER: dict[str, Any] = {"n_factors": 16, "item_exponent": 0.4}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_tastes()


def _scores(model: Recommender) -> Floats:
    return model.score_block(np.arange(len(model.catalogue.users)))


@pytest.mark.parametrize("loss", ["sampled-softmax", "infonce"])
def test_scores_are_those_of_lightgcn_and_of_the_filter_at_the_same_spread(planted: Planted, loss: str) -> None:
    model = FilterGCN(**TRAINED, loss=loss, filter=FILTER, filter_weight=0.7).fit(planted.train)
    learned = _scores(LightGCN(**TRAINED, loss=loss).fit(planted.train))
    filtered = _scores(GraphFilter(**FILTER).fit(planted.train))
    expected = learned + 0.7 * filtered * learned.std() / filtered.std()
    np.testing.assert_allclose(_scores(model), expected, rtol=1e-3, atol=1e-3 * learned.std())


def test_without_weight_it_is_lightgcn(planted: Planted) -> None:
    model = FilterGCN(**TRAINED, filter=FILTER, filter_weight=0.0).fit(planted.train)
    np.testing.assert_array_equal(_scores(model), _scores(LightGCN(**TRAINED).fit(planted.train)))


def test_newcomers_get_the_sum_too(planted: Planted) -> None:
    model = FilterGCN(**TRAINED, filter=FILTER).fit(planted.train)
    plain = LightGCN(**TRAINED).fit(planted.train)
    newcomers = model.newcomers("user", history=[[1000, 1001], []])
    scores, learned = model.score_newcomers(newcomers), plain.score_newcomers(newcomers)
    assert scores is not None
    assert learned is not None
    np.testing.assert_allclose(scores[:1], learned[:1] + model.filtered(newcomers.history[[0]]), rtol=1e-5)
    assert np.isnan(scores[1]).all()


def test_new_items_are_refused(planted: Planted) -> None:
    model = FilterGCN(**TRAINED, filter=FILTER).fit(planted.train)
    with pytest.raises(ConfigError, match="filter-gcn cannot take new items"):
        model.with_new_items([9999], history=["u000", "u001"])


def test_the_spread_of_products_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.normal(1, 2, (7, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    assert spread_of_products(users, items) == pytest.approx((users @ items.T).std(), rel=1e-5)
    users[2] = np.nan
    assert spread_of_products(users, items) == pytest.approx((users[[0, 1, 3, 4, 5, 6]] @ items.T).std(), rel=1e-5)


def test_reasons_of_both_parts_and_the_own_vector_add_up_to_the_score(planted: Planted) -> None:
    model = FilterGCN(**TRAINED | {"loss": "bpr", "filter": FILTER}).fit(planted.train)
    user, item = next(iter(planted.withheld.items()))
    why = model.explain(user, item, 100, method="shares")
    [index], [place] = model.catalogue.users.index_of([user]), model.catalogue.items.index_of([item])
    history = model.catalogue.seen[[index]].indices.astype(np.int64)
    newcomers = model.newcomers("user", history=model.catalogue.items.ids_at(history))
    terms = model.contributions(int(index), int(place), history)
    np.testing.assert_allclose(terms.sum(), model.masked_newcomer_scores(newcomers)[0, place], rtol=1e-4)
    assert why.rest is not None
