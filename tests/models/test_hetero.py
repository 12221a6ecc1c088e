"""Hetero: LightGCN where there are interactions alone, and what friends, categories and behaviours add."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError, UnknownNameError
from edgewise.graph.bipartite import bipartite
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.relations import GraphConfig, heterogeneous
from edgewise.models import build
from edgewise.models.hetero import Hetero, HeteroConfig, HeteroNet
from edgewise.testing.planted import Planted, planted_tastes

SMALL = {"embedding_dim": 16, "epochs": 20}


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_tastes()


def fitted(dataset: Dataset, **settings: Any) -> Hetero:
    model = build("hetero", SMALL | settings).fit(dataset)
    assert isinstance(model, Hetero)
    return model


def with_tables(planted: Planted, **tables: Any) -> Dataset:
    events = planted.train.to_frame()
    return Dataset.from_events(events, **{"item_table": None} | tables)


def hits(model: Hetero, planted: Planted) -> float:
    users = list(planted.withheld)
    lists = model.recommend(users, 3)
    found = [planted.withheld[user] in [item for item, _ in ranked] for user, ranked in zip(users, lists, strict=True)]
    return float(np.mean(found))


def test_with_interactions_alone_the_vectors_are_those_of_lightgcn(planted: Planted) -> None:
    config = HeteroConfig(embedding_dim=4, n_layers=2, graph=GraphConfig(relations=("interaction",)))
    graph = heterogeneous(planted.train, config.graph)
    net = HeteroNet(graph, torch.ones(104, dtype=torch.bool), config, seed=0)
    with torch.no_grad():
        found = net(net.below()).double().numpy()
    table = net.table.weight.detach().double().numpy()
    a = symmetric_normalise(bipartite(planted.train.interactions)).toarray().astype(np.float64)
    np.testing.assert_allclose(found, (table + a @ table + a @ a @ table) / 3, rtol=1e-4, atol=1e-6)


def test_a_user_with_friends_alone_gets_what_the_friends_like(planted: Planted) -> None:
    friends = [user for user in planted.withheld if int(user[1:]) % 4 == 2][:5]
    social = pl.DataFrame({"user_id": ["newcomer"] * 5, "friend_id": friends})
    model = fitted(with_tables(planted, social=social))
    [ranked] = model.recommend(["newcomer"], 5)
    assert [planted.groups[item] for item, _ in ranked] == [2] * 5


def test_an_item_that_nobody_met_is_recommended_by_its_genre(planted: Planted) -> None:
    table = planted.train.item_table
    assert table is not None
    new = pl.DataFrame({"item_id": [5000, 5001], "genre": ["genre 1", None]})
    items = pl.concat([table.select("item_id", "genre"), new])
    model = fitted(with_tables(planted, item_table=items))
    users = [user for user in planted.withheld if int(user[1:]) % 4 == 1]
    scores = model.score(users, [5000, 5001, 1000])  # 1000 is of group 0
    assert (scores[:, 0] > scores[:, 2]).mean() > 0.9
    assert np.isnan(scores[:, 1]).all(), "nothing is known of it"
    assert np.isfinite(model.item_vectors()).all()
    assert model.similar_items([5000], 3).answers.to_list()
    assert list(model.similar_items([5001], 3)) == [[]]


@pytest.mark.parametrize("scaled", ["by-node", "by-ends"])
def test_newcomers_get_the_vector_of_a_node_with_the_same_edges_and_no_events(planted: Planted, scaled: str) -> None:
    """What training gave such a node is the formula itself; folding in has to give the same."""
    friends = list(planted.withheld)[:5]
    social = pl.DataFrame({"user_id": ["quiet"] * 5, "friend_id": friends})
    table = planted.train.item_table
    assert table is not None
    items = pl.concat([table.select("item_id", "genre"), pl.DataFrame({"item_id": [5000], "genre": ["genre 1"]})])
    users = pl.DataFrame({"user_id": ["quiet", *planted.withheld], "club": ["a", *["a", "b"] * 30]})
    users = users.with_columns(pl.col("club").cast(pl.Enum(["a", "b"])))
    data = with_tables(planted, social=social, item_table=items, user_table=users)
    for settings in ({"loss": "bpr"}, {"loss": "infonce", "combine": "weights"}):
        model = fitted(data, epochs=3, scaled=scaled, **settings)
        place = model.catalogue.users.index_of(["quiet"])
        found = model.embed_new("user", friends=friends, attributes={"club": "a"})
        np.testing.assert_allclose(found, model.users[place], rtol=1e-4, atol=1e-6)
        place = model.catalogue.items.index_of([5000])
        found = model.embed_new("item", attributes={"genre": "genre 1"})
        np.testing.assert_allclose(found, model.items[place], rtol=1e-4, atol=1e-6)


def test_newcomers_of_whom_nothing_is_known_get_nothing_and_new_items_are_found(planted: Planted) -> None:
    model = fitted(planted.train.subset(pl.Series([True] * planted.train.n_events)), nodes="both")
    nothing = model.recommend(k=3, attributes={"club": "a"})
    assert list(nothing) == [[]]
    assert np.isnan(model.embed_new("item", attributes={"genre": "of another kind"})).all()
    more = model.with_new_items([9000], attributes=[{"genre": "genre 2"}])
    users = [user for user in planted.withheld if int(user[1:]) % 4 == 2]
    scores = more.score(users, [9000, 1000])
    assert (scores[:, 0] > scores[:, 1]).mean() > 0.9
    history = [item for item, group in planted.groups.items() if group == 3][:4]
    [ranked] = more.recommend(k=5, history=history)
    assert [planted.groups[item] for item, _ in ranked] == [3] * 5


def test_with_attention_nobody_is_folded_in(planted: Planted) -> None:
    model = fitted(planted.train, combine="attention", epochs=1)
    assert list(model.recommend(k=3, history=[1000])) == [[]]
    with pytest.raises(ConfigError, match="hetero has no vectors for a new user"):
        model.embed_new(history=[1000])


@pytest.mark.parametrize("nodes", ["attributes", "both"])
def test_users_and_items_may_begin_with_their_attributes(planted: Planted, nodes: str) -> None:
    settings = {"nodes": nodes, "graph": {"relations": ["interaction"]}, "id_dropout": 0.1 if nodes == "both" else 0.0}
    model = fitted(with_tables(planted, item_table=planted.train.item_table.select("item_id", "genre")), **settings)  # type: ignore[union-attr]
    assert hits(model, planted) > 0.5  # by genre alone, items of a group are alike: chance is 1 in 3 at the best


def test_attributes_that_are_not_there_cannot_be_begun_with(planted: Planted) -> None:
    with pytest.raises(
        DataError, match=r"nodes = 'attributes': neither users nor items have attributes\. Give --items"
    ):
        fitted(with_tables(planted), nodes="attributes")


@pytest.mark.parametrize(
    "settings",
    [
        {"conv": "rgcn", "n_bases": 2},
        {"combine": "attention"},
        {"conv": "gatv2", "edge_dim": 4, "combine": "node-attention"},
        {"combine": "weights", "loss": "bpr"},
    ],
    ids=str,
)
def test_every_encoder_finds_planted_tastes(planted: Planted, settings: dict[str, Any]) -> None:
    model = fitted(planted.train, **{"epochs": 10, "learning_rate": 0.05} | settings)
    assert hits(model, planted) > 0.3  # chance: 0.09
    told = [note for note in model.record.notes if note.startswith("layer 1, what a relation counts at items: ")]
    assert bool(told) == (settings.get("combine") == "weights")


def test_the_target_is_one_kind_of_event_and_the_others_are_seen(planted: Planted) -> None:
    events = planted.train.to_frame().with_columns(pl.lit("view").alias("type"))
    bought = events.filter(pl.int_range(pl.len()) % 3 == 0).with_columns(pl.lit("buy").alias("type"))
    data = Dataset.from_events(pl.concat([events, bought]))
    model = fitted(data, target="buy")
    assert hits(model, planted) > 0.25  # chance: 0.09; what was viewed and not bought counts as a negative
    with pytest.raises(DataError, match="target = 'cart': there are no such events; there are buy, view"):
        fitted(data, target="cart")


def test_the_target_goes_by_the_word_that_the_log_has_for_it(planted: Planted) -> None:
    rows = planted.train.to_frame().with_row_index()
    kind = pl.when(pl.col("index") % 3 == 0).then(pl.lit("purchase")).otherwise(pl.lit("view"))
    data = Dataset.from_events(rows.with_columns(type=kind).drop("index"))  # as a log that says "buy" is read
    one, other = fitted(data, target="buy"), fitted(data, target="purchase")
    np.testing.assert_array_equal(one.users, other.users)
    np.testing.assert_array_equal(one.items_sent, other.items_sent)


def test_what_is_held_out_is_in_no_relation(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    import edgewise.models.hetero as module

    built: list[Dataset] = []

    def spy(dataset: Dataset, config: GraphConfig, **more: Any) -> Any:
        built.append(dataset)
        return heterogeneous(dataset, config, **more)

    monkeypatch.setattr(module, "heterogeneous", spy)
    model = fitted(planted.train, valid_share=0.2, epochs=2)
    assert built[0].n_events < 0.9 * planted.train.n_events
    assert built[0].users == planted.train.users
    assert "ndcg@20" in model.record.curve[-1]


def test_a_relation_that_the_data_lack_is_named(planted: Planted) -> None:
    with pytest.raises(DataError, match="relations names 'friend', which the data lack; they have interaction, genre"):
        fitted(planted.train, graph={"relations": ["interaction", "friend"]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "cuda"}, "hetero runs on the CPU alone"),
        ({"optimiser": "sparse-adam"}, "touches only the rows of a batch"),
        ({"nodes": "attributes", "id_dropout": 0.1}, "there are no vectors to drop"),
        ({"n_bases": 3}, "n_bases = 3 belongs to conv = 'rgcn'"),
        ({"conv": "gat", "embedding_dim": 30}, "hidden_dim = 30 cannot be shared evenly by n_heads = 4"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("hetero", settings)


def test_a_convolution_of_pytorch_geometric_by_its_name() -> None:
    train = planted_tastes().train
    settings = {"conv": "GATv2Conv", "conv_options": {"heads": 1}, "edge_dim": 4, "n_layers": 1}
    model = build("hetero", {"embedding_dim": 8, "epochs": 2} | settings).fit(train)
    assert len(model.recommend(["u001"], 3).answers) == 3
    with pytest.raises(ConfigError, match="ChebConv also wants K"):
        build("hetero", {"embedding_dim": 8, "epochs": 1, "conv": "ChebConv"}).fit(train)
    with pytest.raises(UnknownNameError, match="no convolution 'Foo'"):
        build("hetero", {"conv": "Foo"})
