"""GAT: vectors from neighbours, each weighed by how much attention it deserves."""

from typing import ClassVar

from edgewise.inductive.recommender import GraphRecommender, InductiveConfig, RankingEncoder


class GATEncoder(RankingEncoder):
    """The encoder of `gat`; conv gat, gatv2 (additive scores) or transformer (dot products)."""

    conv: str = "gatv2"
    n_heads: int = 4


class GATConfig(InductiveConfig):
    """Settings of `gat`; those of training, among them the loss, are [train]'s."""

    encoder: GATEncoder = GATEncoder()


class GAT(GraphRecommender):
    """Layers of sums over neighbours, weighed by a softmax of learnt scores, over the graph of users and items.

    Differs from the papers: the task is ranking, not classification; what a node is by itself is added to its vector.
    """

    name: ClassVar[str] = "gat"
    title: ClassVar[str] = "GAT"
    paper: ClassVar[str] = (
        "Veličković et al., “Graph Attention Networks”, ICLR 2018 (arXiv:1710.10903); scores of version 2: Brody, Alon and Yahav, "
        "“How Attentive are Graph Attention Networks?”, ICLR 2022 (arXiv:2105.14491)"
    )
    Config: ClassVar[type[InductiveConfig]] = GATConfig
