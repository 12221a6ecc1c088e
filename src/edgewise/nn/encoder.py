"""From features of nodes and the edges between them to vectors: layers of convolutions, as the settings say."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self, TypeAlias

import torch
from pydantic import Field, PositiveInt, field_validator, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import dropout

from edgewise.config import Settings
from edgewise.errors import DataError, UnknownNameError
from edgewise.nn.convolutions import Aggregator, Features, GATConv, GCNConv, SAGEConv, TransformerConv
from edgewise.nn.edges import Edges
from edgewise.nn.foreign import ForeignConv, is_foreign, takes_of
from edgewise.nn.jumping import Jumping
from edgewise.nn.normalisation import NORMALISATIONS, Normalisation
from edgewise.nn.sparse_linear import SparseLinear, SparseRows

CONVOLUTIONS = ("gcn", "gat", "gatv2", "transformer", "sage")
"""Our own; any other name is looked up in torch_geometric.nn."""

Activation: TypeAlias = Literal["relu", "elu", "leaky-relu", "gelu", "tanh", "none"]
_ACTIVATIONS: dict[Activation, type[torch.nn.Module]] = {
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "leaky-relu": torch.nn.LeakyReLU,
    "gelu": torch.nn.GELU,
    "tanh": torch.nn.Tanh,
    "none": torch.nn.Identity,
}
_ATTENTION = ("gat", "gatv2", "transformer")


class EncoderConfig(Settings):
    """What an encoder is made of."""

    conv: str = "gcn"  # gcn, gat, gatv2, transformer, sage, or a convolution of PyTorch Geometric, such as GINConv
    conv_options: dict[str, Any] = Field(
        default_factory=dict
    )  # further arguments of a convolution of PyTorch Geometric
    hidden_dim: PositiveInt = 64  # columns between layers, of all heads together where these are put side by side
    n_layers: PositiveInt = 2
    n_heads: PositiveInt = 8  # of attention
    n_out_heads: PositiveInt = 1  # of the last layer, averaged
    heads: Literal["concat", "mean"] = "concat"  # between layers
    aggregator: Aggregator = "mean"  # of sage
    residual: bool = False  # add a layer's input to its output, through a linear map where their columns differ
    jumping: Literal["none", "cat", "max", "lstm"] = "none"  # combine the outputs of all layers (Xu et al., ICML 2018)
    dropout: float = Field(default=0.5, ge=0, lt=1)  # of the numbers that go into a layer
    edge_dropout: float = Field(default=0.0, ge=0, lt=1)  # of edges, in each layer and step
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)  # of shares, head by head
    normalisation: Normalisation = "none"  # between layers
    activation: Activation = "relu"  # between layers

    @field_validator("conv")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in CONVOLUTIONS and not is_foreign(name):
            raise UnknownNameError(
                f"there is no convolution {name!r}; there are {', '.join(CONVOLUTIONS)}, and every convolution of "
                "torch_geometric.nn under the name of its class, such as GINConv or ChebConv."
            )
        return name

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        attends = self.conv in _ATTENTION
        if attends and self.heads == "concat" and self.hidden_dim % self.n_heads:
            raise ValueError(
                f"hidden_dim = {self.hidden_dim} cannot be shared evenly by n_heads = {self.n_heads}; choose a multiple, or heads = 'mean'"
            )
        if self.attention_dropout and not attends:
            raise ValueError(
                f"attention_dropout = {self.attention_dropout:g}: {self.conv!r} has no attention; leave it out"
            )
        if self.aggregator != "mean" and self.conv != "sage":
            raise ValueError(
                f"aggregator = {self.aggregator!r} belongs to conv = 'sage', not {self.conv!r}; leave it out"
            )
        if self.conv_options and self.conv in CONVOLUTIONS:
            raise ValueError(f"conv_options = {self.conv_options}: only convolutions of PyTorch Geometric take some")
        return self


class Encoder(torch.nn.Module):
    """Layers of convolutions: dropout, convolution, (residual), normalisation, activation; the last is a convolution alone.

    With jumping knowledge the last layer is as the others, and a linear map follows the combination of all.

    Args:
        config: what it is made of.
        in_dim: columns of the features.
        out_dim: columns of the vectors.
        edge_dim: columns of the edges' features; 0: they are not looked at.
    """

    def __init__(self, config: EncoderConfig, in_dim: int, out_dim: int, edge_dim: int = 0) -> None:
        super().__init__()
        self.config = config
        jumps = config.jumping != "none"
        n, hidden = config.n_layers, config.hidden_dim
        dims = [in_dim, *[hidden] * (n - 1), hidden if jumps else out_dim]
        is_last = [number == n - 1 and not jumps for number in range(n)]
        self.convs = torch.nn.ModuleList(
            _make_conv(config, before, after, edge_dim, is_last=last)
            for (before, after), last in zip(pairwise(dims), is_last, strict=True)
        )
        self.shortcuts = torch.nn.ModuleList(
            torch.nn.Identity() if before == after or not config.residual else SparseLinear(before, after, bias=False)
            for before, after in pairwise(dims)
        )
        self.norms = torch.nn.ModuleList(
            torch.nn.Identity() if last else NORMALISATIONS[config.normalisation](after)
            for after, last in zip(dims[1:], is_last, strict=True)
        )
        self.activations = torch.nn.ModuleList(
            torch.nn.Identity() if last else _ACTIVATIONS[config.activation]() for last in is_last
        )
        self.jump = None if config.jumping == "none" else Jumping(config.jumping, hidden, n)
        self.combine = None if self.jump is None else SparseLinear(self.jump.out_dim, out_dim)
        self._last: tuple[csr_array, SparseRows] | None = None

    def forward(self, x: Tensor | csr_array | SparseRows, edges: Edges | Sequence[Edges]) -> Tensor:
        """Return the vectors: float32 [n, out_dim].

        Args:
            x: [n, in_dim], dense or sparse.
            edges: of the whole graph; or, for a sampled mini-batch, of each layer, the first layer's first. The receivers
                of a layer are its first senders, and all of the next layer's senders.

        Raises:
            DataError: if the number of edge lists, or of nodes from layer to layer, does not fit.
        """
        return self.combined(self.layers(x, edges))

    def combined(self, layers: Sequence[Tensor]) -> Tensor:
        """Make the vectors of what `layers` gives."""
        if self.jump is None or self.combine is None:
            return layers[-1]
        n = layers[-1].shape[0]  # in a mini-batch later layers have fewer nodes, the first ones
        vectors: Tensor = self.combine(self.jump([layer[:n] for layer in layers]))
        return vectors

    def layers(self, x: Tensor | csr_array | SparseRows, edges: Edges | Sequence[Edges]) -> list[Tensor]:
        """Return what comes out of each layer, after normalisation and activation where it has these."""
        n = len(self.convs)
        blocks = [edges] * n if isinstance(edges, Edges) else list(edges)
        if len(blocks) != n:
            raise DataError(f"got the edges of {len(blocks)} layers for an encoder with {n}; expected one for each.")
        given: Features = self._sparse(x) if isinstance(x, csr_array) else x
        outputs: list[Tensor] = []
        for number, block in enumerate(blocks):
            outputs.append(self.layer(number, given, block))
            given = outputs[-1]
        return outputs

    def layer(self, number: int, given: Features, edges: Edges) -> Tensor:
        """Return what one layer, counted from 0, makes of what is given to it: float32 [n_receivers, d].

        Raises:
            DataError: if the senders are not as many as the rows.
        """
        config = self.config
        if given.shape[0] != edges.n_senders:
            raise DataError(f"layer {number + 1} has {edges.n_senders} senders and {given.shape[0]} rows of features.")
        if self.training and config.edge_dropout:
            edges = edges.thinned(config.edge_dropout)
        if isinstance(given, SparseRows):
            given = given.dropout(config.dropout, training=self.training)
        else:
            given = dropout(given, config.dropout, self.training)
        result: Tensor = self.convs[number](given, edges)
        if config.residual:
            shortcut = self.shortcuts[number]
            own = given.first(edges.n_receivers) if isinstance(given, SparseRows) else given[: edges.n_receivers]
            if isinstance(own, SparseRows) and isinstance(shortcut, torch.nn.Identity):
                own = own.dense()
            result = result + shortcut(own)
        activated: Tensor = self.activations[number](self.norms[number](result))
        return activated

    def _sparse(self, x: csr_array) -> SparseRows:
        if self._last is None or self._last[0] is not x:
            self._last = (x, SparseRows(x))
        return self._last[1]


def looks_at(config: EncoderConfig, edge_dim: int) -> tuple[bool, bool]:
    """Tell whether weights of edges change anything, and whether features of edges do, [n_edges, edge_dim]."""
    if config.conv not in CONVOLUTIONS:
        return takes_of(config.conv, edge_dim)
    averages = config.conv == "sage" and config.aggregator in ("mean", "mean-pool", "sum")
    return config.conv == "gcn" or averages, config.conv in _ATTENTION


def make_activation(name: Activation) -> torch.nn.Module:
    """Return what stands between layers."""
    return _ACTIVATIONS[name]()


def _make_conv(config: EncoderConfig, in_dim: int, out_dim: int, edge_dim: int, *, is_last: bool) -> torch.nn.Module:
    average = is_last or config.heads == "mean"
    n_heads = config.n_out_heads if is_last else config.n_heads
    match config.conv:
        case "gcn":
            return GCNConv(in_dim, out_dim)
        case "gat" | "gatv2":
            return GATConv(
                in_dim,
                out_dim,
                n_heads,
                average=average,
                version=1 if config.conv == "gat" else 2,
                edge_dim=edge_dim,
                attention_dropout=config.attention_dropout,
            )
        case "transformer":
            return TransformerConv(
                in_dim,
                out_dim,
                n_heads,
                average=average,
                edge_dim=edge_dim,
                attention_dropout=config.attention_dropout,
            )
        case "sage":
            return SAGEConv(in_dim, out_dim, aggregator=config.aggregator)
        case _:
            return ForeignConv(config.conv, in_dim, out_dim, edge_dim, config.conv_options)
