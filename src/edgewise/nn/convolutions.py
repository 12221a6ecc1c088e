"""Convolutions: how a node makes its next vector of what its neighbours send, and of its own.

Each takes the features of the senders, of which the receivers are the first; or a pair (x_senders, x_receivers) for two
different kinds of nodes. Features of nodes may be sparse (`SparseRows`).
"""

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import dropout, embedding, leaky_relu, relu
from torch.nn.utils.rnn import PackedSequence

from edgewise.errors import ConfigError
from edgewise.nn.edges import Edges
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from edgewise.types import Index

Features: TypeAlias = Tensor | SparseRows
Aggregator: TypeAlias = Literal["mean", "max", "sum", "lstm", "max-pool", "mean-pool"]
Dims: TypeAlias = int | tuple[int, int]
"""How many columns the features have, or (of the senders, of the receivers)."""


def _both(dims: Dims) -> tuple[int, int]:
    return dims if isinstance(dims, tuple) else (dims, dims)


def _first(x: Features, n: int) -> Features:
    """Return the rows of the receivers."""
    if isinstance(x, SparseRows):
        return x.first(n)
    return x if x.shape[0] == n else x[:n]


def _glorot(*shape: int) -> torch.nn.Parameter:
    """Make [n_heads, d], each head as a layer with one output would start."""
    bound = (6 / (shape[0] + shape[1])) ** 0.5
    return torch.nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class GCNConv(torch.nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W + b.

    Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017 (arXiv:1609.02907),
    eq. 2. Between two kinds of nodes there are no loops: D_r^-1/2 A D_s^-1/2 X W + b.

    Args:
        in_dim, out_dim: columns of the features, before and after.
        normalise: whether weights are scaled by degrees; where not, they are taken as they are, without loops.
    """

    def __init__(self, in_dim: Dims, out_dim: int, *, normalise: bool = True) -> None:
        super().__init__()
        self.linear = SparseLinear(_both(in_dim)[0], out_dim, bias=False)
        self.bias = torch.nn.Parameter(torch.zeros(out_dim))
        self.normalise = normalise

    def forward(self, x: Features | tuple[Features, Features], edges: Edges) -> Tensor:
        """Return float32 [n_receivers, out_dim]."""
        if self.normalise:
            edges = (edges if isinstance(x, tuple) else edges.with_self_loops).scaled_by_degrees
        sent = x[0] if isinstance(x, tuple) else x
        widens = self.linear.weight.shape[1] > self.linear.weight.shape[0]
        if widens and isinstance(sent, Tensor):  # the same product, with fewer columns to sum
            mapped: Tensor = self.linear(edges.sum(sent))
        else:
            mapped = edges.sum(self.linear(sent))
        return mapped + self.bias


class GATConv(torch.nn.Module):
    """Sums of neighbours, weighed by a softmax over additive scores, in several heads.

    Veličković et al., "Graph Attention Networks", ICLR 2018 (arXiv:1710.10903), eq. 3 to 6, where the score of an edge is
    leaky_relu(a_s · W x_s + a_r · W x_r + a_e · f); Brody et al., "How Attentive are Graph Attention Networks?", ICLR 2022
    (arXiv:2105.14491), eq. 7, with `version` 2: a · leaky_relu(W_s x_s + W_r x_r + W_e f). Every node attends to itself too,
    except between two kinds of nodes. Weights of edges play no part; their features f do.

    Args:
        in_dim: columns of the features.
        out_dim: columns that come out: split evenly among the heads, or each head's where they are averaged.
        n_heads: how many.
        average: whether heads are averaged rather than put side by side.
        version: 1 or 2.
        edge_dim: columns of the edges' features.
        attention_dropout: share of edges, head by head, whose share is zeroed in a step.
        slope: of leaky_relu below zero.
    """

    def __init__(
        self,
        in_dim: Dims,
        out_dim: int,
        n_heads: int = 1,
        *,
        average: bool = False,
        version: Literal[1, 2] = 1,
        edge_dim: int = 0,
        attention_dropout: float = 0.0,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.n_heads, self.average, self.version, self.slope = n_heads, average, version, slope
        self.attention_dropout = attention_dropout
        self.width = _width(out_dim, n_heads, average=average)
        senders, receivers = _both(in_dim)
        n_columns = n_heads * self.width
        shared = version == 1 and not isinstance(in_dim, tuple)
        self.of_senders = SparseLinear(senders, n_columns, bias=version == 2)
        self.of_receivers = None if shared else SparseLinear(receivers, n_columns, bias=version == 2)
        self.sender_vector = _glorot(n_heads, self.width)
        self.receiver_vector = _glorot(n_heads, self.width) if version == 1 else None
        self.of_features = (
            SparseLinear(edge_dim, n_heads if version == 1 else n_columns, bias=False) if edge_dim else None
        )
        self.bias = torch.nn.Parameter(torch.zeros(out_dim))

    def forward(self, x: Features | tuple[Features, Features], edges: Edges) -> Tensor:
        """Return float32 [n_receivers, out_dim]."""
        sent, shares, edges = self._attend(x, edges)
        shares = dropout(shares, self.attention_dropout, self.training)
        return _join(edges.sum(sent, shares), average=self.average) + self.bias

    def attention(self, x: Features | tuple[Features, Features], edges: Edges) -> tuple[Edges, Tensor]:
        """Return the edges, with loops where there are some, and the share of each at its receiver: [n_edges, n_heads]."""
        _, shares, edges = self._attend(x, edges)
        return edges, shares

    def _attend(self, x: Features | tuple[Features, Features], edges: Edges) -> tuple[Tensor, Tensor, Edges]:
        edges = edges if isinstance(x, tuple) else edges.with_self_loops
        sent, own = self._map(x, edges)
        if self.version == 2:
            extra = self._of_edges(edges)
            if extra is not None:
                extra = extra.reshape(-1, self.n_heads, self.width)
            scores = edges.bent_dot(own, sent, self.sender_vector, self.slope, extra)
        else:
            assert self.receiver_vector is not None
            scores = edges.add((own * self.receiver_vector).sum(-1), (sent * self.sender_vector).sum(-1))
            extra = self._of_edges(edges)
            scores = leaky_relu(scores if extra is None else scores + extra, self.slope)
        return sent, edges.softmax(scores), edges

    def _map(self, x: Features | tuple[Features, Features], edges: Edges) -> tuple[Tensor, Tensor]:
        """Return W x for both ends, in heads: [n_senders, n_heads, width], [n_receivers, n_heads, width]."""
        senders, receivers = x if isinstance(x, tuple) else (x, None)
        sent: Tensor = self.of_senders(senders)
        if self.of_receivers is None:
            own: Tensor = sent[: edges.n_receivers]
        else:
            own = self.of_receivers(_first(senders, edges.n_receivers) if receivers is None else receivers)
        return sent.reshape(-1, self.n_heads, self.width), own.reshape(-1, self.n_heads, self.width)

    def _of_edges(self, edges: Edges) -> Tensor | None:
        if self.of_features is None:
            return None
        return _mapped(self.of_features, edges)


class TransformerConv(torch.nn.Module):
    """Sums of neighbours, weighed by a softmax over dot products of queries and keys, and a linear map of the node itself.

    Shi et al., "Masked Label Prediction: Unified Message Passing Model for Semi-Supervised Classification", IJCAI 2021
    (arXiv:2009.03509), eq. 3 and 4. An edge's features are added to its key and value, W_e f; instead of making these for
    each edge, W_e is applied to the query and to the weighted sum of f.

    Args:
        in_dim, out_dim, n_heads, average, edge_dim, attention_dropout: as for `GATConv`.
    """

    def __init__(
        self,
        in_dim: Dims,
        out_dim: int,
        n_heads: int = 1,
        *,
        average: bool = False,
        edge_dim: int = 0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_heads, self.average, self.attention_dropout = n_heads, average, attention_dropout
        self.width = _width(out_dim, n_heads, average=average)
        senders, receivers = _both(in_dim)
        n_columns = n_heads * self.width
        self.query = SparseLinear(receivers, n_columns)
        self.key = SparseLinear(senders, n_columns)
        self.value = SparseLinear(senders, n_columns)
        self.of_features = SparseLinear(edge_dim, n_columns, bias=False) if edge_dim else None
        self.of_self = SparseLinear(receivers, out_dim)

    def forward(self, x: Features | tuple[Features, Features], edges: Edges) -> Tensor:
        """Return float32 [n_receivers, out_dim]."""
        own, value, shares = self._attend(x, edges)
        shares = dropout(shares, self.attention_dropout, self.training)
        summed = edges.sum(value, shares)  # [n_receivers, n_heads, width]
        if self.of_features is not None:
            features = _features_of(edges, self.of_features.weight.shape[0])
            by_head = [edges.sum_at_receivers(shares[:, head, None] * features) for head in range(self.n_heads)]
            weight = self.of_features.weight.reshape(-1, self.n_heads, self.width)
            summed = summed + torch.einsum("rhe,ehd->rhd", torch.stack(by_head, 1), weight)
        result: Tensor = _join(summed, average=self.average) + self.of_self(own)
        return result

    def attention(self, x: Features | tuple[Features, Features], edges: Edges) -> tuple[Edges, Tensor]:
        """Return the edges, and the share of each at its receiver: [n_edges, n_heads]."""
        return edges, self._attend(x, edges)[2]

    def _attend(self, x: Features | tuple[Features, Features], edges: Edges) -> tuple[Features, Tensor, Tensor]:
        senders, own = x if isinstance(x, tuple) else (x, _first(x, edges.n_receivers))
        shape = (-1, self.n_heads, self.width)
        query, key = self.query(own).reshape(shape), self.key(senders).reshape(shape)
        scores = edges.dot(query, key)
        if self.of_features is not None:
            features = _features_of(edges, self.of_features.weight.shape[0])
            weight = self.of_features.weight.reshape(-1, self.n_heads, self.width)
            asked = torch.einsum("rhd,ehd->rhe", query, weight)  # what each receiver asks of the features
            receiver = torch.from_numpy(edges.receiver)
            by_head = [(embedding(receiver, asked[:, head]) * features).sum(-1) for head in range(self.n_heads)]
            scores = scores + torch.stack(by_head, 1)
        return own, self.value(senders).reshape(shape), edges.softmax(scores / self.width**0.5)


class SAGEConv(torch.nn.Module):
    """W_r x_r + W_n aggregate(x_s) + b.

    Hamilton et al., "Inductive Representation Learning on Large Graphs", NIPS 2017 (arXiv:1706.02216), algorithm 1. There
    the two are put side by side before one W, which is the same. Mean and sum heed the weights of edges.

    Args:
        in_dim, out_dim: columns of the features, before and after.
        aggregator: mean, max, sum; max-pool, mean-pool: of relu(W_p x_s + b_p); lstm: the last state after the neighbours
            in random order (eq. 3 and section 3.3).
        n_in_sequence: the most neighbours that the LSTM reads; of more, as many are drawn at random.
    """

    def __init__(self, in_dim: Dims, out_dim: int, *, aggregator: Aggregator = "mean", n_in_sequence: int = 32) -> None:
        super().__init__()
        senders, receivers = _both(in_dim)
        self.aggregator, self.n_in_sequence = aggregator, n_in_sequence
        width = out_dim if aggregator in ("max-pool", "mean-pool", "lstm") else senders
        self.of_neighbours = SparseLinear(width, out_dim, bias=False)
        self.of_self = SparseLinear(receivers, out_dim)
        self.pool = SparseLinear(senders, out_dim) if aggregator in ("max-pool", "mean-pool") else None
        self.lstm = torch.nn.LSTM(senders, out_dim) if aggregator == "lstm" else None

    def forward(self, x: Features | tuple[Features, Features], edges: Edges) -> Tensor:
        """Return float32 [n_receivers, out_dim]."""
        senders, own = x if isinstance(x, tuple) else (x, _first(x, edges.n_receivers))
        narrows = self.of_neighbours.weight.shape[1] <= self.of_neighbours.weight.shape[0]
        if self.aggregator in ("mean", "sum") and (narrows or isinstance(senders, SparseRows)):
            neighbours = self._aggregate(self.of_neighbours(senders), edges)  # the same, with fewer columns to sum
        else:
            neighbours = self.of_neighbours(self._aggregate(senders, edges))
        result: Tensor = self.of_self(own) + neighbours
        return result

    def _aggregate(self, x: Features, edges: Edges) -> Tensor:
        if self.pool is not None:
            x = relu(self.pool(x))
        dense = x.dense() if isinstance(x, SparseRows) else x
        match self.aggregator:
            case "mean" | "mean-pool":
                return edges.mean(dense)
            case "sum":
                return edges.sum(dense)
            case "lstm":
                return self._read_in_sequence(dense, edges)
            case _:
                return edges.max(dense)

    def _read_in_sequence(self, x: Tensor, edges: Edges) -> Tensor:
        """Read what each receiver's neighbours send with the LSTM, side by side and without padding."""
        assert self.lstm is not None
        edge = torch.rand(edges.n_edges).numpy() if self.training else None
        sequence, counts, order = _sequences(edges, edge, self.n_in_sequence)
        out = x.new_zeros(edges.n_receivers, self.lstm.hidden_size)
        if not counts.size:
            return out
        packed = PackedSequence(embedding(torch.from_numpy(sequence), x), torch.from_numpy(counts))
        _, (last, _) = self.lstm(packed)
        return out.index_copy(0, torch.from_numpy(order), last[0])


def _sequences(edges: Edges, key: object, n_most: int) -> tuple[Index, Index, Index]:
    """Lay neighbours out as an LSTM reads them: the first of every receiver, then the second of those with two, and so on.

    Args:
        edges: whose neighbours.
        key: float32 [n_edges], neighbours are read in ascending order of it; None: spread evenly over the edges' order.
        n_most: the most for each receiver.

    Returns:
        senders int64 [n_read]; how many receivers have a t-th neighbour, int64 [n_steps]; the receivers, longest first.
    """
    degrees = edges.degrees
    lengths = np.minimum(degrees, n_most)
    order = np.argsort(-lengths, kind="stable")
    order = order[: int((lengths > 0).sum())]
    n_steps = int(lengths.max(initial=0))
    counts = np.array([(lengths > step).sum() for step in range(n_steps)], dtype=np.int64)
    if key is None:
        place = np.arange(edges.n_edges)
    else:
        place = np.lexsort((np.asarray(key), edges.receiver))
    sequence = []
    for step, count in enumerate(counts):
        row = order[:count]
        at = step if key is not None else step * degrees[row] // lengths[row]
        sequence.append(edges.indices[place[edges.indptr[row] + at]])
    read = np.concatenate(sequence).astype(np.int64) if sequence else np.empty(0, dtype=np.int64)
    return read, counts, order


def _width(out_dim: int, n_heads: int, *, average: bool) -> int:
    """Return how many columns a head has."""
    if average:
        return out_dim
    if out_dim % n_heads:
        raise ConfigError(
            f"{out_dim} columns cannot be shared evenly by {n_heads} heads; choose a multiple of {n_heads}, or average the heads."
        )
    return out_dim // n_heads


def _join(x: Tensor, *, average: bool) -> Tensor:
    """Average heads or put them side by side: [n, n_heads, d] to [n, out_dim]."""
    return x.mean(1) if average else x.flatten(1)


def _features_of(edges: Edges, n_columns: int) -> Tensor:
    if edges.features is None or edges.features.shape[1] != n_columns:
        seen = "no features" if edges.features is None else f"features with {edges.features.shape[1]} columns"
        raise ConfigError(
            f"this convolution was made for edges with {n_columns} features (edge_dim), and these have {seen}."
        )
    return edges.features


def _mapped(linear: SparseLinear, edges: Edges) -> Tensor:
    mapped: Tensor = linear(_features_of(edges, linear.weight.shape[0]))
    return mapped
