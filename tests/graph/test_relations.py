"""How a data set becomes a graph: which relations there are, and what their edges carry."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from edgewise.data import Dataset
from edgewise.errors import DataError
from edgewise.graph.heterogeneous import HeterogeneousGraph
from edgewise.graph.relations import Attributes, GraphConfig, heterogeneous

DAY = 86_400_000


def shop(**social: Any) -> Dataset:
    """Two of three users met two of three items; c has only a row in the table, item 3 only a genre."""
    events = pl.DataFrame(
        {
            "user_id": ["a", "a", "a", "b"],
            "item_id": [1, 1, 2, 2],
            "type": ["view", "buy", "view", "view"],
            "value": [1.0, 3.0, 1.0, 2.0],
            "timestamp": [0, 2 * DAY, 4 * DAY, 6 * DAY],
        }
    )
    users = pl.DataFrame({"user_id": ["a", "b", "c"], "country": ["FR", "DE", "FR"], "age": [20, 40, 60]})
    users = users.with_columns(pl.col("country").cast(pl.Enum(["DE", "FR"])))
    items = pl.DataFrame({"item_id": [1, 2, 3], "genres": [["x", "y"], ["y"], ["x"]]})
    return Dataset.from_events(
        events, user_table=users, item_table=items, social=pl.DataFrame(social) if social else None
    )


def dense(graph: HeterogeneousGraph, source: str, relation: str, target: str) -> list[list[float]]:
    found: list[list[float]] = graph.relations[source, relation, target].matrix.toarray().tolist()
    return found


def test_every_behaviour_and_attribute_is_a_relation_in_both_directions() -> None:
    graph = heterogeneous(shop())
    assert {edge_type for edge_type in graph.relations if not edge_type[1].startswith("rev_")} == {
        ("user", "buy", "item"),
        ("user", "view", "item"),
        ("user", "country", "user_country"),
        ("item", "genres", "item_genres"),
    }
    assert len(graph.relations) == 8
    # items 1, 2, 3 receive from users a, b, c
    assert dense(graph, "user", "view", "item") == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert dense(graph, "user", "buy", "item") == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert dense(graph, "item", "rev_buy", "user") == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    # genres x, y receive from items 1, 2, 3; DE, FR from a, b, c
    assert dense(graph, "item", "genres", "item_genres") == [[1, 0, 1], [1, 1, 0]]
    assert dense(graph, "user", "country", "user_country") == [[0, 1, 0], [1, 0, 1]]
    ids = {name: nodes.ids.to_list() for name, nodes in graph.nodes.items() if nodes.ids is not None}
    assert ids == {"user": ["a", "b", "c"], "item": [1, 2, 3], "item_genres": ["x", "y"], "user_country": ["DE", "FR"]}


def test_columns_that_are_no_relation_are_features_of_their_nodes() -> None:
    graph = heterogeneous(shop())
    assert graph.nodes["user"].feature_names == ("age",)
    # scaled on the users with events, 20 and 40: mean 30, deviation 10
    features = graph.features_of("user")
    assert isinstance(features, csr_array)
    np.testing.assert_allclose(features.toarray(), [[-1], [1], [3]])
    assert graph.nodes["item"].features is None
    all_columns = heterogeneous(shop(), GraphConfig(relations=("view",)))
    assert all_columns.nodes["user"].feature_names == ("country=DE", "country=FR", "age")
    assert all_columns.nodes["item"].feature_names == ("genres=x", "genres=y")
    assert list(all_columns.nodes) == ["user", "item"]
    assert heterogeneous(shop(), GraphConfig(node_features=False)).nodes["user"].features is None


def test_edges_carry_their_value_number_and_age() -> None:
    graph = heterogeneous(shop(), GraphConfig(behaviours="together"))
    relation = graph.relations["user", "interaction", "item"]
    assert relation.feature_names == ("value", "n_events", "age_days")
    # Pairs by item: 1-a (view and buy, the latter on day 2 of 6), 2-a (day 4), 2-b (day 6).
    assert relation.features is not None
    assert relation.features.tolist() == [[4, 2, 4], [1, 1, 2], [2, 1, 0]]
    assert relation.times is not None
    assert relation.times.tolist() == [2 * DAY, 4 * DAY, 6 * DAY]


def test_age_counts_from_the_latest_event_of_any_behaviour() -> None:
    graph = heterogeneous(shop(), GraphConfig(half_life_days=2, weight="value"))
    # The only purchase is 4 days old, two half-lives: 3 / 4.
    assert dense(graph, "user", "buy", "item")[0] == [0.75, 0, 0]
    np.testing.assert_allclose(dense(graph, "user", "view", "item")[1], [0.5, 2, 0])


def test_ratings_become_relations_by_the_latest_of_a_pair() -> None:
    events = pl.DataFrame(
        {"user_id": [1, 1, 2], "item_id": [1, 1, 1], "value": [2.0, 4.5, 2.0], "timestamp": [0, 1, 2]}
    )
    graph = heterogeneous(Dataset.from_events(events), GraphConfig(rating_levels=True))
    assert dense(graph, "user", "rating=2", "item") == [[0, 1]]
    assert dense(graph, "user", "rating=4.5", "item") == [[1, 0]]
    many = pl.DataFrame({"user_id": range(30), "item_id": [1] * 30, "value": np.arange(30) / 7})
    with pytest.raises(DataError, match=r"have 30 different values, from 0 to 4.14286; .* 20 are the most"):
        heterogeneous(Dataset.from_events(many), GraphConfig(rating_levels=True))


def test_friends_go_both_ways_unless_direction_matters() -> None:
    data = shop(user_id=["a", "a", "b"], friend_id=["b", "a", "c"])
    graph = heterogeneous(data, GraphConfig(relations=("friend",)))
    assert dense(graph, "user", "friend", "user") == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert list(graph.relations) == [("user", "friend", "user")]
    assert "user -friend-> user: 1 friendships with oneself were left out." in graph.notes
    assert "user -friend-> user: 2 one-way edges became 4 that go both ways." in graph.notes
    directed = heterogeneous(data, GraphConfig(relations=("friend",), directed_friends=True))
    # a receives from b, whom a named; b from c
    assert dense(directed, "user", "friend", "user") == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert dense(directed, "user", "rev_friend", "user") == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_friendship_told_twice_is_one_edge() -> None:
    graph = heterogeneous(shop(user_id=["a", "a", "b"], friend_id=["b", "b", "a"]))
    assert graph.relations["user", "friend", "user"].n_edges == 2
    assert any("1 repeated edge was merged" in note for note in graph.notes)


def test_similar_and_related_items() -> None:
    related = csr_array(np.array([[1, 0, 2], [0, 0, 0], [0, 0, 0]], dtype=np.float32))
    graph = heterogeneous(shop(), GraphConfig(n_similar=1), related=related)
    # Items 1 and 2 share user a: cosine 1 / sqrt(1 * 2).
    np.testing.assert_allclose(
        dense(graph, "item", "similar", "item"), [[0, 0.5**0.5, 0], [0.5**0.5, 0, 0], [0, 0, 0]], rtol=1e-6
    )
    assert dense(graph, "item", "related", "item") == [[0, 0, 2], [0, 0, 0], [0, 0, 0]]
    assert dense(graph, "item", "rev_related", "item") == [[0, 0, 0], [0, 0, 0], [2, 0, 0]]
    assert "item -related-> item: 1 edges from an item to itself were left out." in graph.notes
    with pytest.raises(DataError, match=r"related is \[1, 1\]; expected \[3, 3\]"):
        heterogeneous(shop(), related=csr_array(np.ones((1, 1))))


def test_a_relation_that_the_data_lack_is_named_with_those_there_are() -> None:
    message = r"relations names 'cart', 'friend', which the data lack; they have buy, view, country, genres\."
    with pytest.raises(DataError, match=message):
        heterogeneous(shop(), GraphConfig(relations=("view", "cart", "friend")))


def test_what_tells_nobody_apart_is_left_out_and_said() -> None:
    events = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1]})
    data = Dataset.from_events(events, item_table=pl.DataFrame({"item_id": [1], "shop": ["one"]}))
    graph = heterogeneous(data)
    assert list(graph.nodes) == ["user", "item"]
    assert any(note.startswith("attributes of items were left out: ") for note in graph.notes)


def test_fitted_attributes_encode_other_rows_in_the_same_way() -> None:
    data = shop()
    fitted = Attributes.fit(data, GraphConfig().features)
    new = fitted.encoders["user"].transform(pl.DataFrame({"user_id": ["z"], "country": ["DE"], "age": [30]}))
    assert new.names == ("country=DE", "country=FR", "age")
    assert new.x.toarray().tolist() == [[1, 0, 0]]


def test_the_data_set_is_left_alone() -> None:
    data = shop()
    before = data.to_frame(), data.interactions.copy()
    heterogeneous(data, GraphConfig(n_similar=2, half_life_days=1, weight="log"))
    assert data.to_frame().equals(before[0])
    assert (data.interactions != before[1]).nnz == 0
