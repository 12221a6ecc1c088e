"""GCN: vectors from the sum of a node and its neighbours, scaled by degrees."""

from typing import ClassVar

from edgewise.inductive.recommender import GraphRecommender, InductiveConfig, RankingEncoder


class GCNEncoder(RankingEncoder):
    """The encoder of `gcn`."""

    conv: str = "gcn"


class GCNConfig(InductiveConfig):
    """Settings of `gcn`; those of training, among them the loss, are [train]'s."""

    encoder: GCNEncoder = GCNEncoder()


class GCN(GraphRecommender):
    """Layers of D^-1/2 (A + I) D^-1/2 X W + b over the graph of users and items.

    Differs from the paper: the task is ranking, not classification; what a node is by itself is added to its vector.
    """

    name: ClassVar[str] = "gcn"
    title: ClassVar[str] = "GCN"
    paper: ClassVar[str] = (
        "Kipf and Welling, “Semi-Supervised Classification with Graph Convolutional Networks”, ICLR 2017 (arXiv:1609.02907)"
    )
    Config: ClassVar[type[InductiveConfig]] = GCNConfig
