"""GraphSAGE: vectors from what a node is and the average of its neighbours, for known nodes and new ones alike."""

from typing import ClassVar

from edgewise.inductive.recommender import GraphRecommender, InductiveConfig, RankingEncoder


class SAGEEncoder(RankingEncoder):
    """The encoder of `graphsage`."""

    conv: str = "sage"


class GraphSAGEConfig(InductiveConfig):
    """Settings of `graphsage`; those of training, among them the loss, are [train]'s."""

    encoder: SAGEEncoder = SAGEEncoder()


class GraphSAGE(GraphRecommender):
    """Layers of W_r x_r + W_n mean(x_s) + b over the graph of users and items.

    Differs from the paper: the loss is of the recommender (sampled softmax or another of [train]) and not of random walks;
    the graph of a log fits into memory, so all neighbours are averaged and none are sampled; what a node is by itself is
    added to its vector.
    """

    name: ClassVar[str] = "graphsage"
    title: ClassVar[str] = "GraphSAGE"
    paper: ClassVar[str] = (
        "Hamilton, Ying and Leskovec, “Inductive Representation Learning on Large Graphs”, NIPS 2017 (arXiv:1706.02216)"
    )
    Config: ClassVar[type[InductiveConfig]] = GraphSAGEConfig
