"""Sampled mini-batches, made in the background so that a step of training finds the next one ready."""

import queue
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.errors import ConfigError, DataError
from edgewise.graph.neighbour_sampling import NeighbourSampler, SampledGraph, checked_fan_out
from edgewise.graph.pyg import load_pyg
from edgewise.nn.edges import Edges
from edgewise.rng import make_rng
from edgewise.types import Floats, Index

_LOOK_S = 0.1
"""How long a worker waits before it looks again whether it should stop, in seconds."""


@dataclass(frozen=True)
class NeighbourBatch:
    """One batch: some seeds, or some pairs of nodes, and the neighbourhood drawn around them.

    Attributes:
        graph: what was drawn.
        positions: int64 [n], which of the loader's seeds (or pairs) these are.
        seeds: int64 [n], or [2, n] for pairs, in the numbers of the whole graph.
        x: float32 [n_nodes of the batch, d], features of its nodes, where the loader has some.
    """

    graph: SampledGraph
    positions: Index
    seeds: Index
    x: torch.Tensor | None = None

    @property
    def seed_places(self) -> Index:
        """Return where the seeds are among the batch's nodes: int64 [n], or [2, n] for pairs."""
        return self.graph.seed_places.reshape(self.seeds.shape)

    def edges(
        self, weight: Floats | None = None, received: Floats | None = None, features: torch.Tensor | None = None
    ) -> list[Edges]:
        """Return what an `Encoder` of as many layers as hops takes: the edges of each layer, the first layer's first.

        Args:
            weight: float32 [nnz of the whole graph], by edge; None: ones.
            received: float32 [n_nodes of the whole graph], what each node receives there, self-loops included, for GCN's
                scaling: `Edges.from_csr(graph).with_self_loops.received`.
            features: float32 [nnz of the whole graph, d_e], by edge.
        """
        graph = self.graph
        of_edges = None if features is None else features[torch.from_numpy(graph.edge_ids)]
        layers = graph.layers(None if weight is None else weight[graph.edge_ids])
        degree = None if received is None else received[graph.nodes]
        return [
            Edges(
                layer.indptr,
                layer.indices,
                layer.shape[1],
                weight=None if weight is None else layer.data,
                features=None if of_edges is None else of_edges[: layer.indices.size],
                sender_degree=None if degree is None else degree[: layer.shape[1]],
            )
            for layer in layers
        ]

    def to_pyg(self, x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> Any:
        """Return a `torch_geometric.data.Data` with the names that PyTorch Geometric's NeighborLoader gives.

        Args:
            x: [n_nodes of the whole graph, d], features to pick the rows of this batch from; None: the batch's own.
            y: [n_nodes of the whole graph], labels likewise.

        Returns:
            With `n_id`, `e_id`, `edge_index`, `input_id`, `batch_size` (the number of distinct seeds, which are the first nodes),
            `num_sampled_nodes`, `num_sampled_edges`; for pairs also `edge_label_index`.
        """
        n_id = torch.from_numpy(self.graph.nodes)
        data = load_pyg("data").Data(
            x=self.x if x is None else x[n_id],
            y=None if y is None else y[n_id],
            edge_index=torch.from_numpy(self.graph.edge_index),
            n_id=n_id,
            e_id=torch.from_numpy(self.graph.edge_ids),
            input_id=torch.from_numpy(self.positions),
            num_sampled_nodes=self.graph.n_nodes_per_hop.tolist(),
            num_sampled_edges=self.graph.n_edges_per_hop.tolist(),
        )
        data.num_nodes = self.graph.nodes.size
        data.batch_size = int(self.graph.n_nodes_per_hop[0])
        if self.seeds.ndim == 2:
            data.edge_label_index = torch.from_numpy(self.seed_places)
        return data


class NeighbourLoader:
    """Goes over seeds, or pairs of nodes, in batches with their sampled neighbourhoods; an epoch for each number.

    Background threads draw while the consumer trains: the kernels let go of Python's lock, and are the serial ones, so that
    they never meet the consumer's parallel kernels. Order and content depend on the seed and the epoch alone, not on
    `prefetch` and `n_workers`. An error in a worker is raised in the consumer, at the batch where it happened; leaving the
    loop early, by `break`, an error or Ctrl-C, ends the threads.

    Args:
        sampler: draws.
        seeds: int64 [n], or [2, n] for pairs (link prediction): both ends are seeds then, and the edges between the ends of
            every pair of the batch are left out of its neighbourhoods, in both directions.
        fan_out: neighbours of each node, hop by hop; -1 or None: all.
        batch_size: seeds or pairs a batch; the last may be smaller.
        seed: of the run.
        seed_times: [n], for a sampler with edge times.
        shuffle: draw a new order each epoch.
        features: float32 [n_nodes, d], of which each batch brings the rows of its nodes, picked in the background.
        exclude_pairs: whether pairs are left out; False where they are no edges of the graph.
        prefetch: batches made ahead; 0: each when it is asked for, without threads.
        n_workers: background threads.

    Attributes:
        waited_s: how long the consumer waited for batches in the last epoch, in seconds.
        elapsed_s: how long the last epoch took, the consumer's own work included.
    """

    def __init__(
        self,
        sampler: NeighbourSampler,
        seeds: Index,
        fan_out: Sequence[int | None],
        *,
        batch_size: int,
        seed: int,
        seed_times: NDArray[Any] | None = None,
        shuffle: bool = True,
        features: Floats | None = None,
        exclude_pairs: bool = True,
        prefetch: int = 4,
        n_workers: int = 1,
    ) -> None:
        given = np.asarray(seeds)
        if given.ndim not in (1, 2) or (given.ndim == 2 and given.shape[0] != 2):
            raise DataError(f"seeds are {list(given.shape)}; expected [n], or [2, n] for pairs of nodes.")
        if seed_times is not None and np.shape(seed_times) != (given.shape[-1],):
            raise DataError(f"seed_times are {list(np.shape(seed_times))}; expected [{given.shape[-1]}].")
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("prefetch", prefetch, 0),
            ("n_workers", n_workers, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} = {value}: expected at least {least}.")
        checked_fan_out(fan_out)
        self._sampler, self._seeds, self._fan_out, self._seed = sampler, given, list(fan_out), seed
        self._times = None if seed_times is None else np.asarray(seed_times)
        self._batch_size, self._shuffle, self._exclude = batch_size, shuffle, exclude_pairs and given.ndim == 2
        self._prefetch, self._n_workers, self._features = prefetch, n_workers, features
        self.waited_s = self.elapsed_s = 0.0

    def __len__(self) -> int:
        return (int(self._seeds.shape[-1]) + self._batch_size - 1) // self._batch_size

    @property
    def waited_share(self) -> float:
        """Return which share of the last epoch the consumer waited for batches."""
        return self.waited_s / self.elapsed_s if self.elapsed_s else 0.0

    def epoch(self, number: int = 0) -> Generator[NeighbourBatch, None, None]:
        """Go over all seeds once.

        Args:
            number: of the epoch, >= 0; another number, another order and other neighbours.
        """
        n = self._seeds.shape[-1]
        order = make_rng(self._seed, "neighbour batches", number).permutation(n) if self._shuffle else np.arange(n)
        batches = self._ahead(number, order) if self._prefetch else self._in_turn(number, order)
        self.waited_s, start = 0.0, time.perf_counter()
        try:
            while True:
                asked = time.perf_counter()
                batch = next(batches, None)
                self.waited_s += time.perf_counter() - asked
                if batch is None:
                    break
                yield batch
        finally:
            batches.close()
            self.elapsed_s = time.perf_counter() - start

    def _make(self, epoch: int, number: int, order: Index, *, parallel: bool) -> NeighbourBatch:
        positions = order[number * self._batch_size : (number + 1) * self._batch_size]
        seeds = self._seeds[..., positions]
        times = None if self._times is None else self._times[positions]
        graph = self._sampler.sample(
            seeds.reshape(-1),
            self._fan_out,
            seed=self._seed,
            batch=epoch * len(self) + number,
            seed_times=np.tile(times, 2) if times is not None and seeds.ndim == 2 else times,
            exclude=seeds if self._exclude else None,
            parallel=parallel,
        )
        x = None if self._features is None else torch.from_numpy(self._features.take(graph.nodes, axis=0))
        return NeighbourBatch(graph, positions, seeds, x)

    def _in_turn(self, epoch: int, order: Index) -> Generator[NeighbourBatch, None, None]:
        for number in range(len(self)):
            yield self._make(epoch, number, order, parallel=True)

    def _ahead(self, epoch: int, order: Index) -> Generator[NeighbourBatch, None, None]:
        """Worker w makes the batches w, w + n_workers, ... into a queue of its own, which are emptied in turn."""
        n_workers = min(self._n_workers, max(1, len(self)))
        depth = -(-self._prefetch // n_workers)
        queues: list[queue.Queue[NeighbourBatch | BaseException]] = [queue.Queue(depth) for _ in range(n_workers)]
        stop = threading.Event()

        def put(out: queue.Queue[NeighbourBatch | BaseException], made: NeighbourBatch | BaseException) -> None:
            while not stop.is_set():
                try:
                    out.put(made, timeout=_LOOK_S)
                except queue.Full:
                    continue
                return

        def work(first: int) -> None:
            for number in range(first, len(self), n_workers):
                if stop.is_set():
                    return
                try:
                    made: NeighbourBatch | BaseException = self._make(epoch, number, order, parallel=False)
                except BaseException as error:
                    put(queues[first], error)
                    return
                put(queues[first], made)

        workers = [threading.Thread(target=work, args=(first,), daemon=True) for first in range(n_workers)]
        for worker in workers:
            worker.start()
        try:
            for number in range(len(self)):
                made = queues[number % n_workers].get()
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            stop.set()
            for out in queues:
                while not out.empty():
                    out.get_nowait()  # makes room, so that a worker that waits for it sees at once that it should stop
            for worker in workers:
                worker.join()
