"""Train an encoder on the labels of some nodes of a graph, and say how well it does on others."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from edgewise import telemetry
from edgewise.data.node_data import NodeData
from edgewise.evaluate.predictions import accuracy, macro_f1, mae, rmse
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Encoder
from edgewise.nn.heads import NodeClassification, NodeRegression
from edgewise.nn.sparse_linear import SparseRows
from edgewise.nodes.config import NodesConfig
from edgewise.rng import make_rng
from edgewise.train.loop import train
from edgewise.train.plan import Plan, Watch
from edgewise.types import Doubles, Index


@dataclass(frozen=True)
class NodeFit:
    """What one seed gave.

    Attributes:
        seed: of the start and of dropout.
        predicted: of all nodes: int64 [n], positions in the classes, or float64 [n].
        valid, test: metric to value, on the nodes of that part.
        n_epochs: until training stopped.
        seconds: of training.
    """

    seed: int
    predicted: Index | Doubles
    valid: dict[str, float]
    test: dict[str, float]
    n_epochs: int
    seconds: float


def fit_nodes(data: NodeData, config: NodesConfig, seed: int) -> NodeFit:
    """Train on the training nodes, keep the weights that are best on the validation nodes, and predict all.

    Without validation nodes training runs to its end.
    """
    started = time.perf_counter()
    x = SparseRows(data.x)
    features = None if data.edge_features is None else torch.from_numpy(data.edge_features)
    edges = Edges.from_csr(data.graph, features=features)
    target = _Target(data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(make_rng(seed, "start").integers(2**62)))
        edge_dim = 0 if data.edge_features is None else data.edge_features.shape[1]
        net = Encoder(config, data.x.shape[1], target.width, edge_dim)
    if data.classes is None:
        head: NodeClassification | NodeRegression = NodeRegression(1, is_linear=False)
    else:
        head = NodeClassification(target.width, target.width, is_linear=False, label_smoothing=config.label_smoothing)
    learnt, held_out = torch.from_numpy(data.train), torch.from_numpy(data.valid)

    def loss(_: None) -> Tensor:
        views = [net(x, edges) for _ in range(2 if config.consistency else 1)]
        labelled = torch.stack([head.loss(view[learnt], target.values[learnt]) for view in views]).mean()
        if not config.consistency:
            return labelled
        return labelled + config.consistency * disagreement(views, config.sharpening, is_class=data.classes is not None)

    @torch.no_grad()
    def look() -> float:
        vectors, wanted = net(x, edges)[held_out], target.values[held_out]
        if data.classes is None:
            return -float(mse_loss(vectors[:, 0], wanted))
        # Of equally many right classes the surer: 500 nodes leave many ties.
        right = float((vectors.argmax(1) == wanted).float().mean())
        return right - 1e-3 * float(cross_entropy(vectors, wanted))

    watch = Watch("validation", look, 1) if data.valid.size else None
    curve: list[dict[str, float]] = []
    train(Plan(net, loss, lambda _: [None], 1, seed, watch), config, curve=curve)
    with torch.no_grad():
        predicted = target.undo(net(x, edges))
    return NodeFit(
        seed,
        predicted,
        target.metrics(predicted, data.valid),
        target.metrics(predicted, data.test),
        len(curve),
        time.perf_counter() - started,
    )


def disagreement(views: Sequence[Tensor], sharpening: float, *, is_class: bool) -> Tensor:
    """Return how far several draws of dropout are from their sharpened mean: squared, summed over classes, per node.

    Feng et al., "Graph Random Neural Network for Semi-Supervised Learning on Graphs", NeurIPS 2020 (arXiv:2005.11079),
    eq. 3 and 4, there for features that were dropped and propagated. It lets nodes without a label teach.
    """
    shares = torch.stack([view.softmax(-1) for view in views] if is_class else list(views))
    mean = shares.detach().mean(0)
    if is_class:
        mean = mean ** (1 / sharpening)
        mean = mean / mean.sum(-1, keepdim=True)
    return (shares - mean).square().sum(-1).mean()


def fit_seeds(data: NodeData, config: NodesConfig, seeds: Sequence[int]) -> list[NodeFit]:
    """Do the same for several seeds."""
    fits = []
    with telemetry.step("seeds", len(seeds)) as work:
        for seed in seeds:
            fits.append(fit_nodes(data, config, seed))
            work.advance(1)
    return fits


class _Target:
    """What is predicted: classes as they are, numbers scaled by mean and deviation of the training nodes."""

    def __init__(self, data: NodeData) -> None:
        self.data = data
        self.width = 1 if data.classes is None else len(data.classes)
        self.center, self.scale = 0.0, 1.0
        if data.classes is None:
            known = data.labels[data.train].astype(np.float64)
            self.center, self.scale = float(known.mean()), float(known.std()) or 1.0
            self.values = torch.from_numpy(((data.labels - self.center) / self.scale).astype(np.float32))
        else:
            self.values = torch.from_numpy(data.labels)

    def undo(self, vectors: Tensor) -> Index | Doubles:
        """Return the predictions of all nodes: classes, or numbers in their own unit."""
        if self.data.classes is not None:
            classes: Index = vectors.argmax(1).numpy()
            return classes
        numbers: Doubles = vectors[:, 0].numpy().astype(np.float64) * self.scale + self.center
        return numbers

    def metrics(self, predicted: Index | Doubles, nodes: Index) -> dict[str, float]:
        """Return every metric on some nodes; none of no nodes."""
        if not nodes.size:
            return {}
        found, actual = predicted[nodes], self.data.labels[nodes]
        if self.data.classes is None:
            return {"rmse": rmse(found, actual), "mae": mae(found, actual)}
        return {"accuracy": accuracy(found, actual), "macro_f1": macro_f1(found, actual)}
