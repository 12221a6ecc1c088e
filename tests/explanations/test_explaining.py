"""Explanations of fitted models: shares that add up, attributes and friends among the reasons, a look inside encoders."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.errors import ConfigError
from edgewise.explanations import Evidence, Method, evidence_of, perturbation, reasons_of
from edgewise.models import build, load
from edgewise.newcomers import Newcomers
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_tastes
from edgewise.types import Floats, Index

SMALL = {"embedding_dim": 8, "epochs": 3}


def shop() -> Dataset:
    """Thirty people of two towns, each buying what the town buys; items say their kind; people of a town are friends."""
    rng = np.random.default_rng(0)
    users = [f"u{n:02}" for n in range(30)]
    rows = [
        (user, int(item))
        for n, user in enumerate(users)
        for item in rng.choice(np.arange(10) + 10 * (n % 2), size=5, replace=False)
    ]
    log = pl.DataFrame(rows, schema={"user_id": pl.String, "item_id": pl.Int64}, orient="row")
    items = pl.DataFrame({"item_id": range(20), "kind": ["sea" if n < 10 else "hill" for n in range(20)]})
    people = pl.DataFrame({"user_id": users, "town": ["port" if n % 2 == 0 else "peak" for n in range(30)]})
    friends = pl.DataFrame({"user_id": users[:-2], "friend_id": users[2:]})
    return Dataset.from_events(log, item_table=items, user_table=people, social=friends)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return shop()


@pytest.fixture(scope="module")
def hetero(data: Dataset) -> Recommender:
    return build("hetero", {"embedding_dim": 8, "epochs": 20}, seed=0).fit(data)


def test_shares_of_lightgcn_and_the_own_vector_add_up_to_the_score() -> None:
    planted = planted_tastes()
    model = build("lightgcn", SMALL | {"loss": "bpr", "n_layers": 2}, seed=0).fit(planted.train)
    user, item = next(iter(planted.withheld.items()))
    assert model.explains_by[:2] == ("perturbation", "shares")
    [score] = model.score([user], [item])[0]
    everything = model.explain(user, item, 100, method="shares")
    assert everything.rest is not None
    np.testing.assert_allclose(everything.contributions.sum() + everything.rest, score, rtol=1e-5)
    [place], [at] = model.catalogue.users.index_of([user]), model.catalogue.items.index_of([item])
    shares = model.contributions(int(place), int(at), model.catalogue.seen[[place]].indices.astype(np.int64))
    newcomers = model.newcomers("user", history=model.catalogue.items.ids_at(model.catalogue.seen[[place]].indices))
    np.testing.assert_allclose(shares.sum(), model.masked_newcomer_scores(newcomers)[0, at], rtol=1e-4)


def test_friends_and_attributes_are_reasons_too(hetero: Recommender) -> None:
    town = {"town": "port"}
    found = [
        hetero.explain(item_id=item, n=10, history=[1, 2], attributes=town, friends=["u00", "u02"])
        for item in range(10)
    ]
    reasons = {(reason.kind, reason.id, reason.value) for why in found for reason in why.reasons}
    assert reasons == {
        ("history", 1, None), ("history", 2, None), ("attribute", "town", "port"), ("friend", "u00", None), ("friend", "u02", None),
    }  # fmt: skip
    assert {(reason.kind, reason.id, reason.value) for why in found for reason in why.item_reasons} == {
        ("item attribute", "kind", "sea")
    }
    alone = hetero.explain(item_id=3, attributes={"town": "port"})
    assert [reason.kind for reason in alone.reasons] == ["attribute"]


def test_friends_of_a_known_user_are_kept_with_the_model(hetero: Recommender, tmp_path: Path) -> None:
    hetero.save(tmp_path / "model")
    again = load(tmp_path / "model")
    why = hetero.explain("u04", 2, n=20)
    assert {"u02", "u06"} >= {reason.id for reason in why.reasons if reason.kind == "friend"}
    assert again.explain("u04", 2, n=20) == why


@pytest.mark.parametrize(("name", "methods"), [("graphsage", {"gradient"}), ("gat", {"gradient", "attention"})])
def test_a_look_inside_an_encoder(data: Dataset, name: str, methods: set[Method]) -> None:
    model = build(name, SMALL | {"encoder": {"hidden_dim": 8}}, seed=0).fit(data)
    assert methods <= set(model.explains_by)
    assert model.explains_by[0] == "perturbation"
    items = np.array([3, 14])
    about = model.newcomers("user", history=[1, 2, 13], attributes={"town": "port"})
    evidence = evidence_of(model, about, items, "gradient")
    assert [piece.kind for piece in evidence.pieces] == ["history"] * 3 + ["attribute"]
    amounts = {method: reasons_of(model, -1, evidence, items, method) for method in sorted(methods)}
    assert all(found.shape == (4, 2) and np.isfinite(found).all() for found in amounts.values())
    assert np.abs(amounts["gradient"]).max() > 0
    if "attention" in amounts:
        shares = amounts["attention"]
        assert (shares[:3] > 0).all()
        assert shares[:, 0].sum() <= 1 + 1e-5
        np.testing.assert_array_equal(shares[:, 0], shares[:, 1])


def test_gradients_of_a_linear_encoder_are_what_perturbation_finds(data: Dataset) -> None:
    settings = SMALL | {
        "loss": "bpr", "inputs": "both", "encoder": {"conv": "sage", "aggregator": "sum", "activation": "none", "n_layers": 1},
    }  # fmt: skip
    model = build("graphsage", settings, seed=0).fit(data)
    items = np.array([3, 14])
    evidence = evidence_of(
        model, model.newcomers("user", history=[1, 2], attributes={"town": "port"}), items, "gradient"
    )
    by_gradient = reasons_of(model, -1, evidence, items, "gradient")
    by_loss = perturbation(lambda variants: model.masked_newcomer_scores(variants)[:, items], evidence)
    np.testing.assert_allclose(by_gradient, by_loss, atol=1e-5)


def test_what_a_model_cannot_do_is_said(data: Dataset) -> None:
    popular = build("popularity", {}, seed=0).fit(data)
    assert popular.explain("u00", 3).reasons == ()
    with pytest.raises(ConfigError, match="popularity has no method 'attention' of explaining"):
        popular.explain("u00", 3, method="attention")
    knn = build("item-knn", {}, seed=0).fit(data)
    with pytest.raises(
        ConfigError, match=r"no method 'shares' of explaining for somebody new; it has perturbation, similarity"
    ):
        knn.explain(item_id=3, history=[1], method="shares")
    with pytest.raises(ConfigError, match="not both"):
        knn.explain("u00", 3, history=[1])
    with pytest.raises(ConfigError, match="nothing is given"):
        knn.explain(item_id=3)
    assert knn.explain(item_id=99, history=[1]).reasons == ()


def test_a_seen_item_is_no_reason_for_itself(data: Dataset) -> None:
    model = build("item-knn", {}, seed=0).fit(data)
    met = int(data.to_frame().filter(pl.col("user_id") == "u00")["item_id"][0])
    assert met not in model.explain("u00", met, 20).item_ids


def test_a_model_that_folds_nobody_in_is_explained_by_likeness_alone() -> None:
    train = planted_tastes().train
    for name, settings in (("lightgcn", {"normalisation": "layer"}), ("hetero", {"conv": "sage", "n_layers": 1})):
        model = build(name, {"embedding_dim": 8, "epochs": 2, **settings}).fit(train)
        assert model.explains_by == ("similarity",)
        why = model.explain("u000", 1013)
        assert why.method == "similarity"
        assert why.reasons
        assert why.fidelity is None


def test_the_rank_is_that_of_the_list() -> None:
    planted = planted_tastes()
    model = build("lightgcn", SMALL, seed=0).fit(planted.train)
    [ranked] = model.recommend(["u003"], k=5)
    assert [model.explain("u003", item).rank for item, _ in ranked] == [1, 2, 3, 4, 5]
    met = planted.train.to_frame().filter(pl.col("user_id") == "u003")["item_id"][0]
    assert model.explain("u003", met).rank is None
    [ranked] = model.recommend(k=3, history=[1011, 1012])
    assert [model.explain(item_id=item, history=[1011, 1012]).rank for item, _ in ranked] == [1, 2, 3]


def test_a_model_that_reads_no_attributes_is_not_asked_about_them(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("lightgcn", SMALL, seed=0).fit(data)
    monkeypatch.setattr(type(model), "score_new_items", lambda *_: pytest.fail("was asked"))
    assert model.explain("u04", 2).item_reasons == ()


def test_what_is_rounding_is_no_reason(hetero: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    true = type(hetero).score_new_items

    def rounded(model: Recommender, users: Newcomers, items: Newcomers) -> Floats | None:
        scores = true(model, users, items)
        assert scores is not None
        same: Floats = scores[:, :1] + np.arange(scores.shape[1], dtype=np.float32) * -6e-8 * abs(scores[0, 0])
        return same

    assert any(hetero.explain(item_id=item, history=[1, 2]).item_reasons for item in range(10))
    monkeypatch.setattr(type(hetero), "score_new_items", rounded)
    assert not any(hetero.explain(item_id=item, history=[1, 2]).item_reasons for item in range(10))

    def shares(_model: Recommender, evidence: Evidence, items: Index, _method: Method) -> Floats:
        amounts = np.full((len(evidence.pieces), items.size), 1e-7, dtype=np.float32)
        amounts[1] = 0.5
        return amounts

    monkeypatch.setattr(type(hetero), "carried", shares)
    monkeypatch.setattr(type(hetero), "explains_by", ("gradient",))
    why = hetero.explain(item_id=3, history=[1, 2], method="gradient")
    assert [reason.id for reason in why.reasons] == [2]
