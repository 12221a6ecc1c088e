"""Encoders over graphs with types: a convolution for each relation, and a way to combine what the relations bring."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.functional import embedding as lookup

from edgewise.config import Settings
from edgewise.errors import ConfigError, DataError, UnknownNameError
from edgewise.graph.heterogeneous import EdgeType, HeterogeneousGraph, arrow, named
from edgewise.graph.normalise import checked_weights, sums_of
from edgewise.nn.convolutions import Features, GATConv, GCNConv, SAGEConv, TransformerConv
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Activation, make_activation
from edgewise.nn.foreign import ForeignConv, is_foreign
from edgewise.nn.normalisation import NORMALISATIONS, Normalisation
from edgewise.nn.sparse_linear import SparseLinear, SparseRows
from edgewise.types import Doubles

Combine: TypeAlias = Literal["sum", "mean", "weights", "attention", "node-attention"]

RELATIONAL = ("light", "rgcn", "gcn", "gat", "gatv2", "transformer", "sage")
"""Our own convolutions along a relation; any other name is looked up in torch_geometric.nn."""

_ATTENTION = ("gat", "gatv2", "transformer")


class HeterogeneousConfig(Settings):
    """What an encoder over a graph with types is made of."""

    # Along each relation: light, rgcn, gcn, gat, gatv2, transformer, sage, or a convolution of PyTorch Geometric, such as
    # GraphConv; each relation has its own.
    conv: str = "rgcn"
    conv_options: dict[str, Any] = Field(
        default_factory=dict
    )  # further arguments of a convolution of PyTorch Geometric
    combine: Combine = "sum"  # of the relations that arrive at a node
    n_bases: PositiveInt | None = None  # rgcn: matrices that all relations share; None: one of its own for each
    hidden_dim: PositiveInt = 64  # columns between layers
    n_layers: PositiveInt = 2
    n_heads: PositiveInt = 4  # of attention along a relation
    edge_dim: NonNegativeInt = 0  # columns of the embeddings of edges, from their type and features; 0: none
    residual: bool = False  # add a layer's input to its output where their columns agree
    jumping: Literal["none", "mean"] = "none"  # the last layer, or the mean of all with what goes into the first
    dropout: float = Field(default=0.5, ge=0, lt=1)  # of the numbers that go into a layer
    edge_dropout: float = Field(default=0.0, ge=0, lt=1)  # of edges, in each layer and step
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    normalisation: Normalisation = "none"  # between layers
    activation: Activation = "relu"  # between layers

    @field_validator("conv")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in RELATIONAL and not is_foreign(name):
            raise UnknownNameError(
                f"there is no convolution {name!r}; there are {', '.join(RELATIONAL)}, and every convolution of "
                "torch_geometric.nn under the name of its class, such as GraphConv or GINEConv."
            )
        return name

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.conv_options and self.conv in RELATIONAL:
            raise ValueError(f"conv_options = {self.conv_options}: only convolutions of PyTorch Geometric take some")
        if self.n_bases is not None and self.conv != "rgcn":
            raise ValueError(f"n_bases = {self.n_bases} belongs to conv = 'rgcn', not {self.conv!r}; leave it out")
        if self.conv in _ATTENTION and self.hidden_dim % self.n_heads:
            raise ValueError(f"hidden_dim = {self.hidden_dim} cannot be shared evenly by n_heads = {self.n_heads}")
        if self.attention_dropout and self.conv not in _ATTENTION:
            raise ValueError(
                f"attention_dropout = {self.attention_dropout:g}: {self.conv!r} has no attention; leave it out"
            )
        if self.edge_dim and not self.looks_at_edges and self.combine != "node-attention":
            raise ValueError(
                f"edge_dim = {self.edge_dim}: conv = {self.conv!r} with combine = {self.combine!r} looks at no edge; use "
                f"{', '.join(_ATTENTION)}, or combine = 'node-attention'"
            )
        return self

    @property
    def looks_at_edges(self) -> bool:
        """Whether the convolution may use embeddings of edges."""
        return self.conv in _ATTENTION or self.conv not in RELATIONAL


Scaled: TypeAlias = Literal["none", "by-ends", "by-node"]
"""Which edges the degrees sum up that weights are scaled by; `typed_edges` tells."""


def typed_edges(graph: HeterogeneousGraph, *, scaled: Scaled = "none") -> dict[EdgeType, Edges]:
    """Return the edges of each relation as convolutions take them, with their features.

    Args:
        graph: not modified.
        scaled: whether weights are divided by the roots of the degrees of the two ends, as `light` needs it, and which edges a degree
            sums up: "by-ends", all relations between the same two types of nodes, so that a rare behaviour counts as little as
            it is rare; "by-node", all relations that a node receives from, or sends to.
    """
    degrees = None if scaled == "none" else degrees_of_ends(graph, scaled)
    edges: dict[EdgeType, Edges] = {}
    for edge_type, relation in graph.relations.items():
        weight = relation.matrix.data
        if degrees is not None:
            of_senders, of_receivers = degrees[edge_type]
            senders, receivers = relation.edge_index
            root = np.sqrt(of_senders[senders] * of_receivers[receivers])
            weight = (weight * np.divide(1, root, out=np.zeros_like(root), where=root > 0)).astype(np.float32)
        edges[edge_type] = Edges(
            relation.matrix.indptr,
            relation.matrix.indices,
            relation.matrix.shape[1],
            weight=weight,
            features=None if relation.features is None else torch.from_numpy(relation.features.copy()),
        )
    return edges


def joined_edges(edges: Mapping[EdgeType, Edges]) -> dict[EdgeType, Edges]:
    """Add the weights of all relations between the same two types of nodes: one product in place of one for each relation.

    For layers that multiply by the weights given and sum the relations (`light` with "sum") this changes nothing else.
    """
    matrices: dict[EdgeType, csr_array] = {}
    for (source, _, target), given in edges.items():
        key = (source, "any", target)
        matrices[key] = csr_array(matrices[key] + given.matrix) if key in matrices else given.matrix
    return {key: Edges.from_csr(matrix) for key, matrix in matrices.items()}


def degrees_of_ends(graph: HeterogeneousGraph, scaled: Scaled) -> dict[EdgeType, tuple[Doubles, Doubles]]:
    """Return what `typed_edges` scales by: for each relation the degrees of its senders and of its receivers, float64.

    Raises:
        DataError: if a weight is negative, since its root would be no number.
    """

    def group(edge_type: EdgeType, end: int) -> tuple[str | int, ...]:
        return (edge_type[0], edge_type[2], end) if scaled == "by-ends" else (edge_type[2 * end], end)

    sums: dict[tuple[str | int, ...], Doubles] = {}
    for edge_type, relation in graph.relations.items():
        with named(edge_type):
            weights = checked_weights(relation.matrix)
        for end, places in enumerate(relation.edge_index):
            own = sums_of(places, weights, relation.matrix.shape[1 - end])
            key = group(edge_type, end)
            sums[key] = sums[key] + own if key in sums else own
    return {edge_type: (sums[group(edge_type, 0)], sums[group(edge_type, 1)]) for edge_type in graph.relations}


class EdgeEmbedding(torch.nn.Module):
    """A vector for each edge: one for its type, and a linear map of its features.

    Features (values, counts, days) have long tails: they become sign(f) log(1 + |f|), then are scaled by the mean and
    deviation that they have in the graph given.

    Args:
        edges: of each type, from which means and deviations are taken.
        dim: columns of the vectors.
    """

    def __init__(self, edges: Mapping[EdgeType, Edges], dim: int) -> None:
        super().__init__()
        self.place = {edge_type: place for place, edge_type in enumerate(edges)}
        self.of_type = torch.nn.Embedding(max(1, len(edges)), dim)
        torch.nn.init.normal_(self.of_type.weight, std=dim**-0.5)
        self.of_features = torch.nn.ModuleList()
        for place, given in enumerate(edges.values()):
            n_columns = 0 if given.features is None else given.features.shape[1]
            self.of_features.append(SparseLinear(n_columns, dim, bias=False) if n_columns else torch.nn.Identity())
            mean, deviation = torch.zeros(n_columns), torch.ones(n_columns)
            if given.features is not None and given.n_edges:
                flat = _flattened(given.features.detach().double())
                mean, deviation = flat.mean(0).float(), flat.std(0, correction=0).float()
                deviation[deviation < 1e-6] = 1.0  # all the same: zero after subtraction, whatever it is divided by
            self.register_buffer(f"mean_{place}", mean)
            self.register_buffer(f"deviation_{place}", deviation)

    def forward(self, edge_type: EdgeType, edges: Edges) -> Tensor:
        """Return a vector for each edge: float32 [n_edges, dim].

        Raises:
            DataError: if edges of this type were not there when it was made, or have another number of features.
        """
        if edge_type not in self.place:
            raise DataError(
                f"no edges {arrow(edge_type)} were there; there were {', '.join(map(arrow, self.place)) or 'none'}."
            )
        place = self.place[edge_type]
        of_type: Tensor = self.of_type.weight[place].expand(edges.n_edges, -1)
        of_features = self.of_features[place]
        if not isinstance(of_features, SparseLinear):
            return of_type
        n_columns = of_features.weight.shape[0]
        if edges.features is None or edges.features.shape[1] != n_columns:
            raise DataError(f"edges {arrow(edge_type)} had {n_columns} features, and have now {_n_columns(edges)}.")
        scaled = (_flattened(edges.features) - getattr(self, f"mean_{place}")) / getattr(self, f"deviation_{place}")
        mapped: Tensor = of_features(scaled)
        return of_type + mapped


def ends_of(
    vectors: Mapping[str, Tensor], edge_type: EdgeType, edges: Edges, embedding: EdgeEmbedding | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return what the heads for edges take of one relation: `EdgeRegression(dim, edge_dim)(*ends_of(...))`.

    Features of edges are looked at: what a head is to predict must not be among them.

    Args:
        vectors: of each type of nodes, as an encoder gives them.
        edge_type: of the edges.
        edges: those that are there, or pairs to ask about (`Edges.from_edge_index` sorts them by receiver).
        embedding: of edges, from type (behaviour), value and time; None: the ends tell all.

    Returns:
        In the order of `edges`: vectors of senders and of receivers, float32 [n_edges, dim], and of the edges, [n_edges, edge_dim].
    """
    sender, receiver = edges.edge_index
    of_edges = None if embedding is None else embedding(edge_type, edges)
    ends = lookup(sender, vectors[edge_type[0]]), lookup(receiver, vectors[edge_type[2]])
    return *ends, of_edges


class RelationAttention(torch.nn.Module):
    """Combine what the relations bring to nodes of one type by learnt shares.

    The score of relation r at node i is q · tanh(W z_ri + b + t_r), with t_r an embedding of its type where there is one. Wang
    et al., "Heterogeneous Graph Attention Network", WWW 2019 (arXiv:1903.07293), eq. 7 to 9, average it over all nodes, so
    that a relation has one share everywhere. With `by_node` each node has its own shares, among the relations in which it
    receives something, as Hu et al., "Heterogeneous Graph Transformer", WWW 2020 (arXiv:2003.01332), has it.

    Args:
        dim: columns of what relations bring.
        edge_dim: columns of embeddings of types; 0: none.
        by_node: whether each node has shares of its own.
    """

    def __init__(self, dim: int, edge_dim: int = 0, *, by_node: bool = False) -> None:
        super().__init__()
        self.by_node = by_node
        self.linear = torch.nn.Linear(dim, dim)
        self.of_type = torch.nn.Linear(edge_dim, dim, bias=False) if edge_dim else None
        self.vector = torch.nn.Parameter(torch.empty(dim).normal_(std=dim**-0.5))

    def shares(self, brought: Tensor, receives: Tensor, types: Tensor | None = None) -> Tensor:
        """Return the share of each relation: float32 [n_relations, n] or [n_relations, 1].

        Args:
            brought: float32 [n_relations, n, dim]. receives: bool [n_relations, n], who receives something.
            types: float32 [n_relations, edge_dim].
        """
        hidden = self.linear(brought)
        if self.of_type is not None and types is not None:
            hidden = hidden + self.of_type(types)[:, None]
        scores: Tensor = hidden.tanh() @ self.vector  # [n_relations, n]
        if not self.by_node:
            return scores.mean(1, keepdim=True).softmax(0)
        scores = scores.masked_fill(~receives, -torch.inf)
        shares = scores.softmax(0)
        return shares.masked_fill(~receives, 0.0)  # a node that receives nothing: softmax of nothing is no number

    def forward(self, brought: Tensor, receives: Tensor, types: Tensor | None = None) -> Tensor:
        """Return the combination: float32 [n, dim]."""
        return (self.shares(brought, receives, types)[:, :, None] * brought).sum(0)


class RelationalLayer(torch.nn.Module):
    """One layer: along each relation a convolution, at each node their combination and, but for `light`, its own part.

    - light: A_r X_s with the weights given, scaled beforehand by `typed_edges`, as LightGCN has it; no map, and no own part.
    - rgcn: the mean of what neighbours send, times W_r; W_r = sum_b a_rb V_b with shared bases (Schlichtkrull et al.,
      "Modeling Relational Data with Graph Convolutional Networks", ESWC 2018, arXiv:1703.06103, eq. 2 and 3). Differs: the own part
      has a matrix for each type of nodes, not one for all.
    - gcn, gat, gatv2, transformer, sage: those of `edgewise.nn.convolutions`, between two sets of nodes.
    - any other: a convolution of PyTorch Geometric, as `ForeignConv` runs it.

    Args:
        config: the settings.
        in_dims: node type to columns before. out_dim: columns after, of all types.
        edge_types: what is sent along.
    """

    def __init__(
        self, config: HeterogeneousConfig, in_dims: Mapping[str, int], out_dim: int, edge_types: Sequence[EdgeType]
    ) -> None:
        super().__init__()
        self.config, self.node_types, self.edge_types = config, tuple(in_dims), tuple(edge_types)
        self.convs = torch.nn.ModuleList(
            self._make_conv((in_dims[source], in_dims[target]), out_dim) for source, _, target in edge_types
        )
        self.bases: torch.nn.Parameter | None = None
        if config.conv == "rgcn":
            widths = {in_dims[source] for source, _, _ in edge_types}
            width = max(widths, default=1)
            if len(widths) > 1:
                raise DataError(f"rgcn shares matrices among relations, and senders have {sorted(widths)} columns.")
            n = config.n_bases or len(edge_types)
            bound = (6 / (width + out_dim)) ** 0.5
            self.bases = torch.nn.Parameter(torch.empty(n, width, out_dim).uniform_(-bound, bound))
            if config.n_bases is not None:
                coefficients = torch.empty(len(edge_types), n).normal_(std=n**-0.5)
                self.coefficients = torch.nn.Parameter(coefficients)
        has_own = config.conv != "light"
        self.own = torch.nn.ModuleList(SparseLinear(dim, out_dim) for dim in in_dims.values()) if has_own else None
        self.arriving = {
            name: [place for place, edge_type in enumerate(edge_types) if edge_type[2] == name] for name in in_dims
        }
        self.attention = torch.nn.ModuleDict()
        for place, name in enumerate(self.node_types):  # by place: names may hold what keys of a ModuleDict may not
            if config.combine in ("attention", "node-attention") and len(self.arriving[name]) > 1:
                by_node = config.combine == "node-attention"
                edge_dim = config.edge_dim if by_node else 0
                self.attention[str(place)] = RelationAttention(out_dim, edge_dim, by_node=by_node)
        self.logits = torch.nn.Parameter(torch.zeros(len(edge_types))) if config.combine == "weights" else None

    def forward(
        self, x: Mapping[str, Tensor], edges: Mapping[EdgeType, Edges], embedding: EdgeEmbedding | None = None
    ) -> dict[str, Tensor]:
        """Return float32 [n_nodes, out_dim] for each type of nodes."""
        brought: list[Tensor] = []
        for place, edge_type in enumerate(self.edge_types):
            given = edges[edge_type]
            if embedding is not None and self.config.looks_at_edges:
                given = given.with_features(embedding(edge_type, given))
            if self.training and self.config.edge_dropout:
                given = given.thinned(self.config.edge_dropout)
            brought.append(self._along(place, x[edge_type[0]], x[edge_type[2]], given))
        out: dict[str, Tensor] = {}
        for place, name in enumerate(self.node_types):
            arriving = self.arriving[name]
            parts = [brought[relation] for relation in arriving]
            total = self._combined(place, arriving, parts, edges, embedding) if parts else None
            if self.own is not None:
                own: Tensor = self.own[place](x[name])
                total = own if total is None else total + own
            out[name] = torch.zeros_like(x[name]) if total is None else total
        return out

    def factors(self, target: str) -> Tensor | None:
        """Return what each of the relations that arrive at a type of nodes is multiplied by before they are added: float32 [n].

        None where that differs with what they bring, by attention. With `combine` of "weights" the factors are a softmax
        over learnt numbers, times how many there are: where all count alike they are 1, and the combination is a sum.
        """
        arriving = self.arriving[target]
        match self.config.combine:
            case "sum":
                return torch.ones(len(arriving))
            case "mean":
                return torch.full((len(arriving),), 1 / max(1, len(arriving)))
            case "weights":
                assert self.logits is not None
                return self.logits[arriving].softmax(0) * len(arriving)
            case _:
                return None if len(arriving) > 1 else torch.ones(len(arriving))

    def _make_conv(self, dims: tuple[int, int], out_dim: int) -> torch.nn.Module:
        config = self.config
        match config.conv:
            case "gcn":
                return GCNConv(dims, out_dim)
            case "sage":
                return SAGEConv(dims, out_dim)
            case "gat" | "gatv2":
                return GATConv(
                    dims,
                    out_dim,
                    config.n_heads,
                    average=out_dim % config.n_heads != 0,
                    version=1 if config.conv == "gat" else 2,
                    edge_dim=config.edge_dim,
                    attention_dropout=config.attention_dropout,
                )
            case "transformer":
                return TransformerConv(
                    dims,
                    out_dim,
                    config.n_heads,
                    average=out_dim % config.n_heads != 0,
                    edge_dim=config.edge_dim,
                    attention_dropout=config.attention_dropout,
                )
            case "light" | "rgcn":
                return torch.nn.Identity()
            case name:
                return _foreign(config, name, dims, out_dim)

    def _along(self, place: int, senders: Tensor, receivers: Tensor, edges: Edges) -> Tensor:
        """Return what one relation brings: float32 [n_receivers, out_dim]."""
        if self.config.conv == "light":
            return edges.sum(senders)
        if self.bases is not None:
            shared = self.config.n_bases is not None
            weight = torch.tensordot(self.coefficients[place], self.bases, 1) if shared else self.bases[place]
            return edges.mean(senders @ weight)
        brought: Tensor = self.convs[place]((senders, receivers), edges)
        return brought

    def _combined(
        self,
        place: int,
        arriving: list[int],
        parts: list[Tensor],
        edges: Mapping[EdgeType, Edges],
        embedding: EdgeEmbedding | None,
    ) -> Tensor:
        if str(place) in self.attention:
            receives = np.stack([edges[self.edge_types[relation]].degrees > 0 for relation in arriving])
            types = None if embedding is None else embedding.of_type.weight[arriving]
            attended: Tensor = self.attention[str(place)](torch.stack(parts), torch.from_numpy(receives), types)
            return attended
        factors = self.factors(self.node_types[place])
        assert factors is not None
        return torch.stack([factor * part for factor, part in zip(factors, parts, strict=True)]).sum(0)


class HeterogeneousEncoder(torch.nn.Module):
    """Layers over a graph with types: from features of each type of nodes to vectors of one space.

    Features of other than `hidden_dim` columns, and sparse ones, pass through a linear map of their type first. Between
    layers: normalisation, activation, dropout; none of these with `light`, and none after the last layer.

    Args:
        config: what it is made of.
        in_dims: node type to columns of its features.
        out_dim: columns of the vectors; those of `light` and of a mean of layers are hidden_dim.
        edges: of each type; types, and what features of edges are scaled by, are taken from these.

    Raises:
        DataError: if an edge type names a type of nodes without features, or out_dim cannot be.
    """

    def __init__(
        self, config: HeterogeneousConfig, in_dims: Mapping[str, int], out_dim: int, edges: Mapping[EdgeType, Edges]
    ) -> None:
        super().__init__()
        self.config, self.edge_types = config, tuple(edges)
        hidden = config.hidden_dim
        for edge_type in edges:
            for name in (edge_type[0], edge_type[2]):
                if not in_dims.get(name):
                    raise DataError(
                        f"{arrow(edge_type)}: nodes of type {name!r} have no features; there are those of "
                        f"{', '.join(key for key, dim in in_dims.items() if dim) or 'none'}. Give them features, or an embedding each."
                    )
        if out_dim != hidden and (config.conv == "light" or config.jumping == "mean"):
            raise DataError(
                f"out_dim = {out_dim}: with conv = {config.conv!r} and jumping = {config.jumping!r} all layers have hidden_dim = {hidden} columns."
            )
        self.place = {name: place for place, name in enumerate(in_dims)}
        self.inputs = torch.nn.ModuleList(
            torch.nn.Identity() if dim == hidden else SparseLinear(dim, hidden) for dim in in_dims.values()
        )
        self.embedding = EdgeEmbedding(edges, config.edge_dim) if config.edge_dim else None
        dims = [hidden] * config.n_layers + [out_dim]
        self.layers = torch.nn.ModuleList(
            RelationalLayer(config, dict.fromkeys(in_dims, before), after, list(edges))
            for before, after in pairwise(dims)
        )
        n_norms = 0 if config.conv == "light" else config.n_layers - 1
        self.norms = torch.nn.ModuleList(
            NORMALISATIONS[config.normalisation](hidden) for _ in range(n_norms) for _ in in_dims
        )
        self.activate = make_activation(config.activation)

    def forward(self, x: Mapping[str, Features], edges: Mapping[EdgeType, Edges]) -> dict[str, Tensor]:
        """Return the vectors of each type of nodes: float32 [n_nodes, out_dim].

        Args:
            x: [n_nodes, in_dim] of each type, dense or `SparseRows`.
            edges: of each type the encoder was made for; more are not looked at.

        Raises:
            DataError: if a type of nodes or edges is missing.
        """
        outputs = self.outputs(x, edges)
        if self.config.jumping == "none":
            return outputs[-1]
        return {name: torch.stack([output[name] for output in outputs]).mean(0) for name in self.place}

    def outputs(self, x: Mapping[str, Features], edges: Mapping[EdgeType, Edges]) -> list[dict[str, Tensor]]:
        """Return what goes into the first layer, and what comes out of each, after normalisation and activation."""
        config = self.config
        if lacking := [name for name in self.place if name not in x]:
            raise DataError(f"nodes of type {lacking[0]!r} are missing; there are {', '.join(x) or 'none'}.")
        if missing := [edge_type for edge_type in self.edge_types if edge_type not in edges]:
            raise DataError(
                f"edges {arrow(missing[0])} are missing; there are {', '.join(map(arrow, edges)) or 'none'}."
            )
        given = {name: self._input(place, x[name]) for name, place in self.place.items()}
        outputs = [given]
        for number, layer in enumerate(self.layers):
            before = {name: dropout(rows, config.dropout, self.training) for name, rows in given.items()}
            after = layer(before, edges, self.embedding)
            if config.residual:
                after = {
                    name: rows + before[name] if rows.shape == before[name].shape else rows
                    for name, rows in after.items()
                }
            if number * len(self.place) < len(self.norms):
                after = {
                    name: self.activate(self.norms[number * len(self.place) + place](after[name]))
                    for name, place in self.place.items()
                }
            given = after
            outputs.append(given)
        return outputs

    def factors(self) -> list[dict[EdgeType, float]]:
        """Return, layer by layer, what each relation is multiplied by before those that arrive at a node are added.

        Those whose shares depend on what they bring, by attention, are left out.
        """
        found = []
        for layer in self.layers:
            assert isinstance(layer, RelationalLayer)
            of_layer: dict[EdgeType, float] = {}
            for name, arriving in layer.arriving.items():
                factors = layer.factors(name)
                if factors is not None:
                    told = factors.detach().tolist()
                    of_layer |= {layer.edge_types[place]: factor for place, factor in zip(arriving, told, strict=True)}
            found.append(of_layer)
        return found

    def _input(self, place: int, x: Features) -> Tensor:
        mapped = self.inputs[place](x)
        rows: Tensor = mapped.dense() if isinstance(mapped, SparseRows) else mapped
        return rows


def _foreign(config: HeterogeneousConfig, name: str, dims: tuple[int, int], out_dim: int) -> ForeignConv:
    """Make a convolution of PyTorch Geometric for one relation.

    Raises:
        ConfigError: if it looks at no edge and is given embeddings of these, or senders and receivers differ in columns.
    """
    if dims[0] != dims[1]:
        raise ConfigError(
            f"{name} runs over nodes with as many columns each; senders have {dims[0]}, receivers {dims[1]}."
        )
    conv = ForeignConv(name, dims[0], out_dim, config.edge_dim, config.conv_options)
    if config.edge_dim and not conv.takes_features and config.combine != "node-attention":
        raise ConfigError(
            f"edge_dim = {config.edge_dim}: {name} takes no features of edges; leave edge_dim out, or use GINEConv, GATv2Conv or another that does."
        )
    return conv


def _flattened(features: Tensor) -> Tensor:
    return features.sign() * features.abs().log1p()


def _n_columns(edges: Edges) -> int:
    return 0 if edges.features is None else edges.features.shape[1]
