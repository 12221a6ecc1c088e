"""What is asked of the vectors of nodes: a class, a number, whether two are linked, a number of an edge."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from edgewise.errors import ConfigError, DataError

LinkScore: TypeAlias = Literal["dot", "bilinear", "mlp"]


class NodeClassification(torch.nn.Module):
    """The class of a node: cross-entropy. Accuracy and macro-F1 are in evaluate/predictions.py.

    Args:
        in_dim: columns of the vectors.
        n_classes: how many there are.
        is_linear: whether a linear map follows the vectors; where not, they have a column for each class already.
        label_smoothing: share of the probability that is spread over all classes (Szegedy et al., CVPR 2016).
    """

    def __init__(self, in_dim: int, n_classes: int, *, is_linear: bool = True, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.map = _map_or_nothing(in_dim, n_classes, is_linear=is_linear)
        self.label_smoothing = label_smoothing

    def forward(self, vectors: Tensor) -> Tensor:
        """Return log-odds: float32 [n, n_classes]."""
        logits: Tensor = self.map(vectors)
        return logits

    def loss(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy; labels int64 [n]."""
        return cross_entropy(self(vectors), labels, label_smoothing=self.label_smoothing)


class NodeRegression(torch.nn.Module):
    """A number for each node: squared error. RMSE and MAE are in evaluate/predictions.py. As `NodeClassification` beside that."""

    def __init__(self, in_dim: int, *, is_linear: bool = True) -> None:
        super().__init__()
        self.map = _map_or_nothing(in_dim, 1, is_linear=is_linear)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return float32 [n]."""
        numbers: Tensor = self.map(vectors)
        return numbers[:, 0]

    def loss(self, vectors: Tensor, numbers: Tensor) -> Tensor:
        """Return the mean squared error; numbers float32 [n]."""
        return mse_loss(self(vectors), numbers)


class LinkPrediction(torch.nn.Module):
    """Whether two nodes are linked: binary cross-entropy. AUC and average precision are in evaluate/predictions.py.

    Args:
        in_dim: columns of the vectors.
        score: dot: u · v; bilinear: u · W v, for links with a direction; mlp: two layers over u, v and their product.
        edge_dim: columns of features of the pairs, or of embeddings of these (`EdgeEmbedding`), for mlp.
    """

    def __init__(self, in_dim: int, score: LinkScore = "dot", *, edge_dim: int = 0) -> None:
        super().__init__()
        if edge_dim and score != "mlp":
            raise ConfigError(f"score = {score!r} has no place for the {edge_dim} features of edges; use 'mlp'.")
        self.bilinear = torch.nn.Linear(in_dim, in_dim, bias=False) if score == "bilinear" else None
        self.mlp = _pairs(in_dim, edge_dim) if score == "mlp" else None
        self.edge_dim = edge_dim

    def forward(self, sender: Tensor, receiver: Tensor, features: Tensor | None = None) -> Tensor:
        """Return log-odds float32 [n] of pairs, [n, in_dim] each, with features [n, edge_dim] where it was made for some.

        Raises:
            DataError: if there are other features than it was made for.
        """
        _check_features(features, sender.shape[0], self.edge_dim)
        if self.mlp is not None:
            scores: Tensor = self.mlp(_joined(sender, receiver, features))
            return scores[:, 0]
        if self.bilinear is not None:
            receiver = self.bilinear(receiver)
        return (sender * receiver).sum(-1)

    def loss(self, sender: Tensor, receiver: Tensor, linked: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the mean cross-entropy; linked float32 [n], 1 or 0."""
        return binary_cross_entropy_with_logits(self(sender, receiver, features), linked)


class EdgeRegression(torch.nn.Module):
    """A number for each edge, of its ends and its features: squared error.

    Args:
        in_dim: columns of the vectors of nodes.
        edge_dim: columns of the features of edges, or of embeddings of these (`EdgeEmbedding`).
    """

    def __init__(self, in_dim: int, edge_dim: int = 0) -> None:
        super().__init__()
        self.mlp = _pairs(in_dim, edge_dim)
        self.edge_dim = edge_dim

    def forward(self, sender: Tensor, receiver: Tensor, features: Tensor | None = None) -> Tensor:
        """Return float32 [n] of edges, as `LinkPrediction` takes them."""
        _check_features(features, sender.shape[0], self.edge_dim)
        numbers: Tensor = self.mlp(_joined(sender, receiver, features))
        return numbers[:, 0]

    def loss(self, sender: Tensor, receiver: Tensor, numbers: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the mean squared error; numbers float32 [n]."""
        return mse_loss(self(sender, receiver, features), numbers)


def _map_or_nothing(in_dim: int, out_dim: int, *, is_linear: bool) -> torch.nn.Module:
    if not is_linear and in_dim != out_dim:
        raise ConfigError(
            f"vectors have {in_dim} columns and {out_dim} are asked for; a linear map has to follow them."
        )
    return torch.nn.Linear(in_dim, out_dim) if is_linear else torch.nn.Identity()


def _pairs(in_dim: int, edge_dim: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(3 * in_dim + edge_dim, in_dim), torch.nn.ReLU(), torch.nn.Linear(in_dim, 1)
    )


def _joined(sender: Tensor, receiver: Tensor, features: Tensor | None) -> Tensor:
    parts = [sender, receiver, sender * receiver]
    return torch.cat(parts if features is None else [*parts, features], dim=-1)


def _check_features(features: Tensor | None, n: int, edge_dim: int) -> None:
    if features is None and not edge_dim:
        return
    seen = "none" if features is None else str(list(features.shape))
    if features is None or list(features.shape) != [n, edge_dim]:
        raise DataError(
            f"features of {n} edges are {seen}; this head was made with edge_dim = {edge_dim}: expected "
            + (f"[{n}, {edge_dim}]." if edge_dim else "none.")
        )
