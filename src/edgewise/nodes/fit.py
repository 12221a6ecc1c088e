"""Train an encoder on the labels of some nodes of a graph, and say how well it does on others."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from edgewise import telemetry
from edgewise.data.node_data import NodeData
from edgewise.evaluate.predictions import accuracy, macro_f1, mae, rmse
from edgewise.graph.neighbour_sampling import NeighbourSampler
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Encoder, looks_at
from edgewise.nn.heads import NodeClassification, NodeRegression
from edgewise.nn.sparse_linear import SparseRows
from edgewise.nodes.config import BATCH_SIZE, NodesConfig
from edgewise.rng import make_rng
from edgewise.train.loop import train
from edgewise.train.neighbour_loader import NeighbourBatch, NeighbourLoader
from edgewise.train.plan import Plan, Watch
from edgewise.types import Doubles, Index

_OWN_AS_NEIGHBOURS = ("gcn", "gat", "gatv2")
"""Convolutions that take a node's own features as those of one more neighbour."""


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

    Without validation nodes training runs to its end. With `fan_out` a step is over some nodes and what is drawn of their
    neighbours: over all nodes in turn, since those without a label teach too, or with `consistency` 0 over the training nodes.
    Looking at validation nodes and predicting go layer by layer over all neighbours, in memory of [n_nodes, hidden_dim].
    """
    started = time.perf_counter()
    x = SparseRows(data.x)
    edge_dim = 0 if data.edge_features is None else data.edge_features.shape[1]
    _, looks_at_features = looks_at(config, edge_dim)
    features = None if data.edge_features is None or not looks_at_features else torch.from_numpy(data.edge_features)
    edges = Edges.from_csr(data.graph, features=features)
    target = _Target(data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(make_rng(seed, "start").integers(2**62)))
        net = Encoder(config, data.x.shape[1], target.width, 0 if features is None else edge_dim)
    if data.classes is None:
        head: NodeClassification | NodeRegression = NodeRegression(1, is_linear=False)
    else:
        head = NodeClassification(target.width, target.width, is_linear=False, label_smoothing=config.label_smoothing)
    learnt, held_out = torch.from_numpy(data.train), torch.from_numpy(data.valid)
    consistency = consistency_of(data.x, config.conv) if config.consistency is None else config.consistency
    n_views, is_class = (2 if consistency else 1), data.classes is not None
    seeds = np.arange(data.n_nodes) if consistency else data.train
    sampled = None if config.fan_out is None else _Sampled(data, config, edges, seeds, seed)

    def loss(batch: NeighbourBatch | None) -> Tensor:
        if batch is None or sampled is None:
            views, rows, nodes = [net(x, edges) for _ in range(n_views)], learnt, learnt
        else:
            given, layers = sampled.inputs(batch)
            views = [net(given, layers)[batch.seed_places] for _ in range(n_views)]
            rows, nodes = sampled.labelled(batch)
        labelled = torch.stack([head.loss(view[rows], target.values[nodes]) for view in views]).mean()
        if sampled is not None:  # so that over an epoch each label counts once, however they fall into batches
            labelled = (
                labelled * (rows.numel() * sampled.n_steps / learnt.numel()) if rows.numel() else views[0].sum() * 0
            )
        if not consistency:
            return labelled
        return labelled + consistency * disagreement(views, config.sharpening, is_class=is_class)

    @torch.no_grad()
    def look() -> float:
        vectors, wanted = net(x, edges)[held_out], target.values[held_out]
        if not is_class:
            return -float(mse_loss(vectors[:, 0], wanted))
        # Of equally many right classes the surer: 500 nodes leave many ties.
        right = float((vectors.argmax(1) == wanted).float().mean())
        return right - 1e-3 * float(cross_entropy(vectors, wanted))

    watch = Watch("validation", look, 1) if data.valid.size else None
    curve: list[dict[str, float]] = []
    if sampled is None:
        plan: Plan[NeighbourBatch | None] = Plan(net, loss, lambda _: [None], 1, seed, watch)
    else:
        plan = Plan(net, loss, sampled.loader.epoch, sampled.n_steps, seed, watch)
    train(plan, config, curve=curve)
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


def consistency_of(x: csr_array, conv: str) -> float:
    """Return the weight of `disagreement` where none is set: 1, but 0 where it could only confirm a first guess.

    That is where half of what is told of nodes is told of one node alone, such as an id for each, and the convolution keeps what
    is a node's own apart from what its neighbours send: a node without a label then has weights that only its own guess trains.

    >>> consistency_of(csr_array(np.eye(3)), "sage"), consistency_of(csr_array(np.eye(3)), "gcn")
    (0.0, 1.0)
    >>> consistency_of(csr_array(np.ones((3, 2))), "sage")
    1.0
    """
    having = np.bincount(x.indices[x.data != 0], minlength=x.shape[1])  # nodes that have a feature
    is_told_of_several = having[having > 1].sum() > 0.5 * having.sum()
    return float(is_told_of_several or conv in _OWN_AS_NEIGHBOURS)


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


def fit_seeds(data: NodeData, config: NodesConfig, seeds: Sequence[int]) -> tuple[list[NodeFit], NodesConfig]:
    """Do the same for several seeds; return also the settings with what was chosen.

    Where `consistency` is not set, the first seed is fitted with it and without, and what is better on the validation nodes stands
    for all seeds: it helps where neighbours and features agree, and confirms first guesses where they do not.
    """
    is_open = config.consistency is None and bool(data.valid.size)
    ways = (1.0, 0.0) if is_open else (config.consistency,)
    fits = []
    with telemetry.step("seeds", len(ways) + len(seeds) - 1) as work:
        for consistency in ways:
            fits.append(fit_nodes(data, config.model_copy(update={"consistency": consistency}), seeds[0]))
            work.advance(1)
        best = max(range(len(ways)), key=lambda way: _on_validation(fits[way]) if is_open else 0.0)
        fits, config = [fits[best]], config.model_copy(update={"consistency": ways[best]})
        for seed in seeds[1:]:
            fits.append(fit_nodes(data, config, seed))
            work.advance(1)
    return fits, config


def _on_validation(fit: NodeFit) -> float:
    """Return how well a fit does there, the higher the better."""
    return fit.valid["accuracy"] if "accuracy" in fit.valid else -fit.valid["rmse"]


class _Sampled:
    """Mini-batches of nodes with what is drawn of their neighbours, and what the net is given of each."""

    def __init__(self, data: NodeData, config: NodesConfig, edges: Edges, seeds: Index, seed: int) -> None:
        self.data, self.edges = data, edges
        self.received = edges.with_self_loops.received
        self.is_learnt = np.zeros(data.n_nodes, dtype=np.bool_)
        self.is_learnt[data.train] = True
        self.loader = NeighbourLoader(
            NeighbourSampler(data.graph),
            seeds,
            config.fan_out or [],
            batch_size=config.batch_size or BATCH_SIZE,
            seed=seed,
        )
        self.n_steps = len(self.loader)

    def inputs(self, batch: NeighbourBatch) -> tuple[SparseRows, list[Edges]]:
        """Return the features of the batch's nodes, and the edges of each layer."""
        x = SparseRows(csr_array(self.data.x[batch.graph.nodes]))
        return x, batch.edges(self.edges.weight, self.received, self.edges.features)

    def labelled(self, batch: NeighbourBatch) -> tuple[Tensor, Tensor]:
        """Return which of the batch's seeds are training nodes, and which nodes these are: int64 [n_labelled] each."""
        rows = np.flatnonzero(self.is_learnt[batch.seeds])
        return torch.from_numpy(rows), torch.from_numpy(batch.seeds[rows])


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
