"""Heads: their losses by the formula, and what they refuse."""

import numpy as np
import polars as pl
import pytest
import torch

from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError
from edgewise.graph.heterogeneous import EdgeType
from edgewise.graph.relations import heterogeneous
from edgewise.nn.heads import EdgeRegression, LinkPrediction, LinkScore, NodeClassification, NodeRegression
from edgewise.nn.heterogeneous import EdgeEmbedding, ends_of, typed_edges
from tests.nn.graphs import normal


def test_classification_is_the_mean_negative_log_of_the_softmax() -> None:
    head, x, labels = NodeClassification(4, 3), normal(5, 4), torch.tensor([0, 2, 1, 1, 0])
    share = head(x).exp() / head(x).exp().sum(1, keepdim=True)
    torch.testing.assert_close(head.loss(x, labels), -share[torch.arange(5), labels].log().mean())


def test_regression_is_the_mean_square() -> None:
    head, x, numbers = NodeRegression(4), normal(5, 4), torch.arange(5.0)
    torch.testing.assert_close(head.loss(x, numbers), (head(x) - numbers).square().mean())


@pytest.mark.parametrize("score", ["dot", "bilinear", "mlp"])
def test_links_have_the_loss_of_a_coin(score: LinkScore) -> None:
    head, u, v = LinkPrediction(4, score), normal(5, 4), normal(5, 4, seed=1)
    linked = torch.tensor([1.0, 0, 1, 1, 0])
    chance = torch.sigmoid(head(u, v))
    expected = -(linked * chance.log() + (1 - linked) * (1 - chance).log()).mean()
    torch.testing.assert_close(head.loss(u, v, linked), expected)
    if score == "dot":
        torch.testing.assert_close(head(u, v), (u @ v.T).diagonal())
    else:
        assert not torch.allclose(head(u, v), head(v, u))  # a link may have a direction


def test_features_of_edges_count() -> None:
    u, v = normal(5, 4), normal(5, 4, seed=1)
    for head in (EdgeRegression(4, 2), LinkPrediction(4, "mlp", edge_dim=2)):
        assert not torch.allclose(head(u, v, torch.zeros(5, 2)), head(u, v, torch.ones(5, 2)))
        with pytest.raises(DataError, match=r"features of 5 edges are none; .* edge_dim = 2: expected \[5, 2\]"):
            head(u, v)
    with pytest.raises(DataError, match=r"features of 5 edges are \[5, 3\]; .* edge_dim = 0: expected none"):
        LinkPrediction(4)(u, v, torch.zeros(5, 3))
    with pytest.raises(ConfigError, match="score = 'dot' has no place for the 2 features of edges; use 'mlp'"):
        LinkPrediction(4, edge_dim=2)
    with pytest.raises(ConfigError, match="vectors have 4 columns and 3 are asked for"):
        NodeClassification(4, 3, is_linear=False)


def events(n: int = 120) -> Dataset:
    """Each pair once: viewed or bought, rated 1 or 5, yesterday or three years ago, none of which the ends tell."""
    rng = np.random.default_rng(0)
    pairs = rng.choice(20 * 20, n, replace=False)
    columns = {
        "user_id": pairs // 20,
        "item_id": pairs % 20,
        "type": np.array(["buy", "view"])[rng.integers(2, size=n)],
        "value": rng.choice([1.0, 5.0], n),
        "timestamp": 1_600_000_000_000 - 86_400_000 * rng.choice([1, 1000], n),
    }
    frame = pl.DataFrame(columns).with_columns(pl.col("type").cast(pl.Enum(["buy", "view"])))
    return Dataset.from_events(frame)


@pytest.mark.parametrize("told_by", ["behaviour", "rating", "time"])
def test_a_head_learns_from_the_embedding_of_edges_what_their_ends_do_not_tell(told_by: str) -> None:
    graph = heterogeneous(events())
    edges = {edge_type: given for edge_type, given in typed_edges(graph).items() if edge_type[0] == "user"}
    assert {edge_type[1] for edge_type in edges} == {"buy", "view"}

    def wanted(edge_type: EdgeType) -> torch.Tensor:
        relation = graph.relations[edge_type]
        assert relation.features is not None
        if told_by == "behaviour":
            return torch.full((relation.n_edges,), float(edge_type[1] == "buy"))
        value = relation.features[:, relation.feature_names.index("value" if told_by == "rating" else "age_days")]
        return torch.from_numpy((value > 2).astype(np.float32))

    torch.manual_seed(0)
    vectors = {name: torch.randn(nodes.n_nodes, 4) for name, nodes in graph.nodes.items()}

    def loss_after_training(embedding: EdgeEmbedding | None) -> float:
        head = EdgeRegression(4, 0 if embedding is None else 4)
        taught = [*head.parameters(), *([] if embedding is None else embedding.parameters())]
        optimiser = torch.optim.Adam(taught, lr=0.03)
        for _ in range(150):
            parts = [
                head.loss(*ends_of(vectors, kind, given)[:2], wanted(kind), ends_of(vectors, kind, given, embedding)[2])
                for kind, given in edges.items()
            ]
            loss = torch.stack(parts).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return float(loss.detach())

    assert loss_after_training(EdgeEmbedding(edges, 4)) < 0.02
    assert loss_after_training(None) > 0.05
