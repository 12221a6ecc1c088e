"""Who sends to whom: the edges that a convolution works on, and what can be done along them, with gradients."""

from copy import copy
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor
from torch.autograd.function import once_differentiable

from edgewise.errors import DataError
from edgewise.graph.normalise import degree_scale, sums_of, symmetric_normalise
from edgewise.graph.spmm import even_parts, spmm
from edgewise.nn import edge_kernels as kernels
from edgewise.types import Floats, Index

_NONE: Index = np.empty(0, dtype=np.int64)


class _Rows:
    """Edges by one of their two ends, for the kernels, which know no gradients.

    Args:
        indptr: int64 [n_rows + 1].
        indices: int32 [n_edges], the other end.
        edge: int64 [n_edges], which edge each is, or empty if they are in their order.
    """

    def __init__(self, indptr: Index, indices: NDArray[np.int32], edge: Index) -> None:
        self.indptr, self.indices, self.edge, self.n = indptr, indices, edge, indptr.size - 1
        self.parts = even_parts(indptr, None)

    def weighted_sum(self, x: Floats, weight: Floats) -> Floats:
        """Sum what is at the other ends, [n, n_heads, d], times [n_edges, n_heads]: [n_rows, n_heads, d]."""
        out = np.empty((self.n, *x.shape[1:]), dtype=np.float32)
        kernels.weighted_sum(self.indptr, self.indices, self.edge, weight, x, self.parts, out)
        return out

    def sum(self, values: Floats) -> Floats:
        """Sum what is at the edges, [n_edges, d]: [n_rows, d]."""
        out = np.empty((self.n, values.shape[1]), dtype=np.float32)
        kernels.sum_edges(self.indptr, self.edge, values, self.parts, out)
        return out

    def dots(self, own: Floats, other: Floats) -> Floats:
        """Multiply the vectors of the two ends of each edge: [n_edges, n_heads]."""
        out = np.empty((self.indices.size, own.shape[1]), dtype=np.float32)
        kernels.edge_dots(self.indptr, self.indices, own, other, self.parts, out)
        return out


class Edges:
    """Edges in CSR by receiver: row r lists who sends to node r. All that depends on structure alone is kept once computed.

    In mini-batches and between two kinds of nodes, senders and receivers are two different sets. By convention the
    receivers of a mini-batch are its first senders (as PyTorch Geometric has it), so that x[:n_receivers] are their features.

    Every sum is taken by one thread, in the order of the edges: the same bits whatever the number of threads. Nothing of
    the size [n_edges, d] is made, so a node with a million neighbours costs no more than a million nodes with one.

    Args:
        indptr: int64 [n_receivers + 1].
        indices: int32 [n_edges], senders.
        n_senders: how many there are.
        weight: float32 [n_edges]; None: 1 for every edge.
        features: float32 [n_edges, d_e], in the order of `indices`; may need a gradient.
        sender_degree: float32 [n_senders], for a mini-batch: how much each sender receives in the whole graph, self-loops
            included (`whole.with_self_loops.received`), for GCN's scaling.
    """

    def __init__(
        self,
        indptr: Index,
        indices: NDArray[np.int32],
        n_senders: int,
        *,
        weight: Floats | None = None,
        features: Tensor | None = None,
        sender_degree: Floats | None = None,
    ) -> None:
        self.indptr = indptr.astype(np.int64, copy=False)
        self.indices = indices.astype(np.int32, copy=False)
        self.n_senders, self.n_receivers, self.n_edges = n_senders, indptr.size - 1, indices.size
        if features is not None and (features.dim() != 2 or features.shape[0] != self.n_edges):
            raise DataError(
                f"edge features are {list(features.shape)}; expected one row for each of {self.n_edges} edges."
            )
        if weight is not None and weight.shape != (self.n_edges,):
            raise DataError(f"edge weights are {list(weight.shape)}; expected one for each of {self.n_edges} edges.")
        self.is_weighted = weight is not None
        if weight is not None:
            self.weight = weight.astype(np.float32, copy=False)
        self.features = features
        self.sender_degree = sender_degree

    @classmethod
    def from_csr(cls, graph: csr_array, *, features: Tensor | None = None) -> Self:
        """Take a matrix whose rows receive and whose columns send; values are weights.

        Args:
            graph: [n_receivers, n_senders]; not modified, not copied.
            features: float32 [nnz, d_e], in the order of its entries.
        """
        return cls(graph.indptr, graph.indices, graph.shape[1], weight=graph.data, features=features)

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor | NDArray[Any],
        n_nodes: int | tuple[int, int],
        weight: Tensor | NDArray[Any] | None = None,
        features: Tensor | None = None,
    ) -> Self:
        """Take a list of edges, as PyTorch Geometric has it. Duplicates are kept, each an edge of its own; so are self-loops.

        Args:
            edge_index: int64 [2, n_edges]: row 0 sends, row 1 receives.
            n_nodes: how many there are, or (n_senders, n_receivers).
            weight: float32 [n_edges].
            features: float32 [n_edges, d_e].

        Returns:
            The edges sorted by receiver; those of one receiver in the order given.

        Raises:
            DataError: if a node is negative or >= its number.
        """
        n_senders, n_receivers = n_nodes if isinstance(n_nodes, tuple) else (n_nodes, n_nodes)
        sender, receiver = np.asarray(edge_index)
        for name, nodes, n in (("sender", sender, n_senders), ("receiver", receiver, n_receivers)):
            if nodes.size and not (nodes.min() >= 0 and nodes.max() < n):
                wrong = nodes[(nodes < 0) | (nodes >= n)][0]
                raise DataError(f"edge_index has {name} {wrong}; expected 0 to {n - 1}, since there are {n}.")
        order = np.argsort(receiver, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(receiver, minlength=n_receivers))])
        return cls(
            indptr,
            sender[order],
            n_senders,
            weight=None if weight is None else np.asarray(weight)[order],
            features=None if features is None else features[torch.from_numpy(order)],
        )

    @cached_property
    def weight(self) -> Floats:
        """Return the weights: float32 [n_edges]."""
        return np.ones(self.n_edges, dtype=np.float32)

    @cached_property
    def receiver(self) -> Index:
        """Return who receives each edge: int64 [n_edges]."""
        return np.repeat(np.arange(self.n_receivers), np.diff(self.indptr))

    @cached_property
    def edge_index(self) -> Tensor:
        """Return the edges as PyTorch Geometric has them: int64 [2, n_edges], row 0 sends, row 1 receives."""
        return torch.from_numpy(np.stack([self.indices.astype(np.int64), self.receiver]))

    @cached_property
    def matrix(self) -> csr_array:
        """Return the weights as a matrix: float32 [n_receivers, n_senders]; not a copy."""
        return csr_array((self.weight, self.indices, self.indptr), shape=(self.n_receivers, self.n_senders))

    @cached_property
    def degrees(self) -> Index:
        """Return how many edges each node receives: int64 [n_receivers]."""
        return np.diff(self.indptr)

    @cached_property
    def received(self) -> Floats:
        """Return the sum of the weights of the edges that each node receives: float32 [n_receivers]."""
        return sums_of(self.receiver, self.weight.astype(np.float64), self.n_receivers).astype(np.float32)

    @property
    def transposed(self) -> "Edges":
        """Return the same edges the other way round, sorted by what was their sender, with weights and features."""
        if self.features is None:
            return self._bare_transposed
        return self._bare_transposed.with_features(self.features[torch.from_numpy(self._rows_of_senders.edge)])

    @cached_property
    def _bare_transposed(self) -> "Edges":
        rows = self._rows_of_senders
        weight = self.weight[rows.edge] if self.is_weighted else None
        return Edges(rows.indptr, rows.indices, self.n_receivers, weight=weight)

    @cached_property
    def _rows(self) -> "_Rows":
        return _Rows(self.indptr, self.indices, _NONE)

    @cached_property
    def _rows_of_senders(self) -> "_Rows":
        return _Rows(*kernels.transpose(self.indptr, self.indices, self.n_senders))

    def with_weight(self, weight: Floats) -> "Edges":
        """Return the same edges with other weights: float32 [n_edges]."""
        other = copy(self)
        for derived in ("matrix", "received", "averaging", "scaled_by_degrees", "_bare_transposed", "_looped"):
            other.__dict__.pop(derived, None)
        other.is_weighted, other.weight = True, weight
        return other

    def with_features(self, features: Tensor | None) -> "Edges":
        """Return the same edges with other features, [n_edges, d_e] or none."""
        if features is not None and features.shape[0] != self.n_edges:
            raise DataError(
                f"edge features are {list(features.shape)}; expected one row for each of {self.n_edges} edges."
            )
        other = copy(self)
        other.features = features
        return other

    def thinned(self, rate: float) -> "Edges":
        """Leave out each edge with probability `rate`, drawn by torch's generator; weights and features stay as they are.

        Rong et al., "DropEdge", ICLR 2020 (arXiv:1907.10903); scaling by degrees comes after, as there.
        """
        kept = (torch.rand(self.n_edges) >= rate).numpy()
        ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])
        return Edges(
            ends[self.indptr],
            self.indices[kept],
            self.n_senders,
            weight=self.weight[kept] if self.is_weighted else None,
            features=None if self.features is None else self.features[torch.from_numpy(kept)],
            sender_degree=self.sender_degree,
        )

    @property
    def with_self_loops(self) -> "Edges":
        """Return the edges with one from each receiver to itself, where there is none; receivers are the first senders.

        A loop weighs 1, and its features are the mean over the edges that the node receives (0 without any).

        Raises:
            DataError: if there are fewer senders than receivers.
        """
        looped, order, new = self._looped
        if self.features is None:
            return looped
        counts = torch.from_numpy(np.maximum(self.degrees, 1).astype(np.float32))[:, None]
        mean = self.sum_at_receivers(self.features) / counts
        features = torch.cat([self.features, mean[torch.from_numpy(new)]])
        return looped.with_features(features[torch.from_numpy(order)])

    @cached_property
    def _looped(self) -> tuple["Edges", Index, Index]:
        """Return the edges with self-loops and no features, their order among the old and the new, and whose are new."""
        if self.n_senders < self.n_receivers:
            raise DataError(
                f"{self.n_receivers} receivers and {self.n_senders} senders: a node can send to itself only if the receivers "
                "are the first senders. Between two kinds of nodes give a convolution both sides: (x_senders, x_receivers)."
            )
        has_loop = np.zeros(self.n_receivers, dtype=np.bool_)
        has_loop[self.receiver[self.indices == self.receiver]] = True
        new = np.flatnonzero(~has_loop)
        order = np.argsort(np.concatenate([self.receiver, new]), kind="stable")
        looped = Edges(
            self.indptr + np.concatenate([[0], np.cumsum(~has_loop)]),
            np.concatenate([self.indices, new.astype(np.int32)])[order],
            self.n_senders,
            weight=np.concatenate([self.weight, np.ones(new.size, dtype=np.float32)])[order]
            if self.is_weighted
            else None,
            sender_degree=self.sender_degree,
        )
        return looped, order, new

    @cached_property
    def averaging(self) -> "Edges":
        """Return the edges with weights that sum to one at each receiver; a receiver whose weights sum to 0 keeps zeros."""
        return self.with_weight(degree_scale(self.matrix, -1.0, 0.0).data)

    @cached_property
    def scaled_by_degrees(self) -> "Edges":
        """Return the edges with GCN's weights: w / root(d_r d_s), a degree being a sum of weights.

        In a mini-batch with `sender_degree` these are the degrees in the whole graph, and what is sampled of a receiver's
        edges stands for all of them. In one without, and it can only be known from the edges, as between two kinds of nodes.
        """
        if self.sender_degree is None:
            return self.with_weight(symmetric_normalise(self.matrix).data)
        share = degree_scale(self.matrix, -1.0, 0.0).data
        root = np.sqrt(self.sender_degree)
        below = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
        return self.with_weight(share * root[self.receiver] * below[self.indices])

    def sum(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Sum what each receiver's neighbours send, times the weights of the edges.

        Args:
            x: float32 [n_senders, d] or, in heads, [n_senders, n_heads, d].
            weight: float32 [n_edges] or [n_edges, n_heads], learnt; None: the edges' own.

        Returns:
            float32 [n_receivers, d], or [n_receivers, n_heads, d] where x or the weight has heads; 0 for a receiver
            without edges. With gradients for x and a weight given.

        Raises:
            DataError: if shapes do not fit.
        """
        self._check_rows(x, self.n_senders, "senders")
        if weight is None:
            flat: Tensor = _Sum.apply(x.flatten(1), self)  # type: ignore[no-untyped-call]
            return flat.reshape(self.n_receivers, *x.shape[1:])
        self._check_rows(weight, self.n_edges, "edges")
        has_heads = x.dim() == 3 or weight.dim() == 2
        x = x if x.dim() == 3 else x[:, None, :]
        weight = weight if weight.dim() == 2 else weight[:, None]
        if weight.shape[1] != x.shape[1]:
            heads = max(weight.shape[1], x.shape[1])
            if heads != 1 and 1 not in (weight.shape[1], x.shape[1]):
                raise DataError(f"x has {x.shape[1]} heads and the weight {weight.shape[1]}; expected the same number.")
            x, weight = x.expand(-1, heads, -1), weight.expand(-1, heads)
        summed: Tensor = _WeightedSum.apply(x, weight, self)  # type: ignore[no-untyped-call]
        return summed if has_heads else summed[:, 0]

    def mean(self, x: Tensor) -> Tensor:
        """Average what each receiver's neighbours send, by the edges' weights; 0 for a receiver without edges."""
        return self.averaging.sum(x)

    def max(self, x: Tensor) -> Tensor:
        """Take the largest number of each column that a receiver is sent, whatever the weights; 0 without edges.

        Of equal numbers the first edge's has the gradient.

        Args:
            x: float32 [n_senders, d].
        """
        self._check_rows(x, self.n_senders, "senders")
        largest: Tensor = _Max.apply(x, self)  # type: ignore[no-untyped-call]
        return largest

    def softmax(self, scores: Tensor) -> Tensor:
        """Turn scores into shares that sum to one at each receiver, head by head.

        Args:
            scores: float32 [n_edges] or [n_edges, n_heads].
        """
        self._check_rows(scores, self.n_edges, "edges")
        shares: Tensor = _Softmax.apply(scores if scores.dim() == 2 else scores[:, None], self)  # type: ignore[no-untyped-call]
        return shares.reshape(scores.shape)

    def dot(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Multiply the vectors of the two ends of each edge, head by head.

        Args:
            receiver: float32 [n_receivers, n_heads, d].
            sender: float32 [n_senders, n_heads, d].

        Returns:
            float32 [n_edges, n_heads].
        """
        self._check_rows(receiver, self.n_receivers, "receivers")
        self._check_rows(sender, self.n_senders, "senders")
        products: Tensor = _Dot.apply(receiver, sender, self)  # type: ignore[no-untyped-call]
        return products

    def add(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Add the numbers of the two ends of each edge: [n_receivers, n_heads] and [n_senders, n_heads] to [n_edges, n_heads]."""
        self._check_rows(receiver, self.n_receivers, "receivers")
        self._check_rows(sender, self.n_senders, "senders")
        sums: Tensor = _Add.apply(receiver, sender, self)  # type: ignore[no-untyped-call]
        return sums

    def bent_dot(
        self, receiver: Tensor, sender: Tensor, vector: Tensor, slope: float, extra: Tensor | None = None
    ) -> Tensor:
        """Return vector · leaky_relu(receiver + sender + extra) for each edge, head by head: the scores of GATv2.

        Args:
            receiver: float32 [n_receivers, n_heads, d].
            sender: float32 [n_senders, n_heads, d].
            vector: float32 [n_heads, d].
            slope: of leaky_relu below zero.
            extra: float32 [n_edges, n_heads, d], from features of the edges.

        Returns:
            float32 [n_edges, n_heads].
        """
        self._check_rows(receiver, self.n_receivers, "receivers")
        self._check_rows(sender, self.n_senders, "senders")
        scores: Tensor = _BentDot.apply(receiver, sender, vector, extra, slope, self)  # type: ignore[no-untyped-call]
        return scores

    def sum_at_receivers(self, values: Tensor) -> Tensor:
        """Sum numbers of edges, [n_edges, d], at their receivers: [n_receivers, d]."""
        self._check_rows(values, self.n_edges, "edges")
        sums: Tensor = _SumOfEdges.apply(values, self, "receivers")  # type: ignore[no-untyped-call]
        return sums

    def sum_at_senders(self, values: Tensor) -> Tensor:
        """Sum numbers of edges, [n_edges, d], at their senders: [n_senders, d]."""
        self._check_rows(values, self.n_edges, "edges")
        sums: Tensor = _SumOfEdges.apply(values, self, "senders")  # type: ignore[no-untyped-call]
        return sums

    def _check_rows(self, x: Tensor, n: int, what: str) -> None:
        if x.shape[0] != n:
            raise DataError(f"got {list(x.shape)} for {n} {what}; expected a row for each.")
        if x.device.type != "cpu" or x.dtype != torch.float32:
            raise DataError(f"got {x.dtype} on {x.device}; edges compute with float32 on the CPU.")


def _array(x: Tensor) -> Floats:
    array: Floats = x.detach().contiguous().numpy()
    return array


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, edges: Edges) -> Tensor:
        context.edges = edges
        return torch.from_numpy(spmm(edges.matrix, _array(x)))

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        return context.edges._bare_transposed.sum(gradients[0]), None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, edges: Edges) -> Tensor:
        context.edges = edges
        context.save_for_backward(x, weight)
        return torch.from_numpy(edges._rows.weighted_sum(_array(x), _array(weight)))

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, Tensor | None, None]:
        edges, (x, weight), gradient = context.edges, context.saved_tensors, _array(gradients[0])
        of_x = of_weight = None
        if context.needs_input_grad[0]:
            of_x = torch.from_numpy(edges._rows_of_senders.weighted_sum(gradient, _array(weight)))
        if context.needs_input_grad[1]:
            of_weight = torch.from_numpy(edges._rows.dots(gradient, _array(x)))
        return of_x, of_weight, None


class _Dot(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, receiver: Tensor, sender: Tensor, edges: Edges) -> Tensor:
        context.edges = edges
        context.save_for_backward(receiver, sender)
        return torch.from_numpy(edges._rows.dots(_array(receiver), _array(sender)))

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        edges, (receiver, sender), gradient = context.edges, context.saved_tensors, _array(gradients[0])
        of_receiver = edges._rows.weighted_sum(_array(sender), gradient)
        of_sender = edges._rows_of_senders.weighted_sum(_array(receiver), gradient)
        return torch.from_numpy(of_receiver), torch.from_numpy(of_sender), None


class _Add(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, receiver: Tensor, sender: Tensor, edges: Edges) -> Tensor:
        context.edges = edges
        out = np.zeros((edges.n_edges, receiver.shape[1]), dtype=np.float32)
        kernels.sum_of_ends(edges.indptr, edges.indices, _array(receiver), _array(sender), edges._rows.parts, out)
        return torch.from_numpy(out)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        edges, gradient = context.edges, gradients[0]
        return edges.sum_at_receivers(gradient), edges.sum_at_senders(gradient), None


class _SumOfEdges(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, edges: Edges, place: Literal["receivers", "senders"]) -> Tensor:
        context.ends = edges.receiver if place == "receivers" else edges.indices
        rows = edges._rows if place == "receivers" else edges._rows_of_senders
        return torch.from_numpy(rows.sum(_array(values)))

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        return torch.from_numpy(_array(gradients[0])[context.ends]), None, None


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, scores: Tensor, edges: Edges) -> Tensor:
        shares = torch.empty(scores.shape)
        kernels.below_largest(edges.indptr, _array(scores), edges._rows.parts, shares.numpy())
        shares.exp_()  # torch has a vectorised exponential, numba does not
        kernels.divide_by_sum(edges.indptr, shares.numpy(), edges._rows.parts)
        context.edges = edges
        context.save_for_backward(shares)
        return shares

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        edges, (shares,) = context.edges, context.saved_tensors
        out = torch.empty(shares.shape)
        kernels.softmax_gradient(edges.indptr, _array(shares), _array(gradients[0]), edges._rows.parts, out.numpy())
        return out, None


class _Max(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, edges: Edges) -> Tensor:
        shape = (edges.n_receivers, x.shape[1])
        out, winner = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int32)
        kernels.largest(edges.indptr, edges.indices, _array(x), edges._rows.parts, out, winner)
        context.edges, context.winner = edges, winner
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        edges, winner, gradient = context.edges, context.winner, _array(gradients[0])
        back = edges._rows_of_senders
        out = np.empty((edges.n_senders, gradient.shape[1]), dtype=np.float32)
        kernels.largest_gradient(edges.indptr, back.indptr, back.indices, back.edge, winner, gradient, back.parts, out)
        return torch.from_numpy(out), None


class _BentDot(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        receiver: Tensor,
        sender: Tensor,
        vector: Tensor,
        extra: Tensor | None,
        slope: float,
        edges: Edges,
    ) -> Tensor:
        extra = torch.empty(0, *vector.shape) if extra is None else extra
        context.edges, context.slope = edges, np.float32(slope)
        context.save_for_backward(receiver, sender, vector, extra)
        out = np.empty((edges.n_edges, vector.shape[0]), dtype=np.float32)
        left, right, more, bend = _array(receiver), _array(sender), _array(extra), _array(vector)
        rows = edges._rows
        kernels.bent_scores(rows.indptr, rows.indices, left, right, more, bend, context.slope, rows.parts, out)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor, Tensor | None, None, None]:
        edges, slope, gradient = context.edges, context.slope, _array(gradients[0])
        receiver, sender, vector, extra = map(_array, context.saved_tensors)
        back, none = edges._rows_of_senders, np.empty((0, *vector.shape), dtype=np.float32)
        of_receiver, of_sender, of_extra = np.empty_like(receiver), np.empty_like(sender), np.empty_like(extra)
        of_vector = np.empty_like(receiver)  # what the edges of each receiver add to it
        kernels.bent_gradient(
            edges.indptr, edges.indices, edges._rows.edge, receiver, sender, extra, vector, slope, gradient,
            edges._rows.parts, of_receiver, of_vector, of_extra,
        )  # fmt: skip
        kernels.bent_gradient(
            back.indptr, back.indices, back.edge, sender, receiver, extra, vector, slope, gradient,
            back.parts, of_sender, none, none,
        )  # fmt: skip
        return (
            torch.from_numpy(of_receiver),
            torch.from_numpy(of_sender),
            torch.from_numpy(of_vector).sum(0),
            torch.from_numpy(of_extra) if extra.size else None,
            None,
            None,
        )
