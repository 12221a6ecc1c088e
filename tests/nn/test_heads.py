"""Heads: their losses by the formula, and what they refuse."""

import pytest
import torch

from edgewise.errors import ConfigError
from edgewise.nn.heads import EdgeRegression, LinkPrediction, LinkScore, NodeClassification, NodeRegression
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
    with pytest.raises(ConfigError, match="score = 'dot' has no place for the 2 features of edges; use 'mlp'"):
        LinkPrediction(4, edge_dim=2)
    with pytest.raises(ConfigError, match="vectors have 4 columns and 3 are asked for"):
        NodeClassification(4, 3, is_linear=False)
