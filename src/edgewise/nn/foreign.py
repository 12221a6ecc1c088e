"""Any convolution of PyTorch Geometric, by its name."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edgewise.errors import ConfigError
from edgewise.graph.pyg import load_pyg
from edgewise.nn.convolutions import Features
from edgewise.nn.edges import Edges
from edgewise.nn.sparse_linear import SparseLinear, SparseRows


class ForeignConv(torch.nn.Module):
    """A convolution of PyTorch Geometric over `Edges`; weights and features of edges go to those that take them.

    What a convolution cannot do is done around it: one that keeps the number of columns gets a linear map first, one that
    asks for a net (GINConv, GINEConv, NNConv) gets two layers with relu between. In a mini-batch it runs over all senders,
    and the first n_receivers rows are kept, since not every convolution knows two sets of nodes. For the same reason it runs,
    between two kinds of nodes, over receivers and senders put one below the other, as over nodes of one kind: loops that it
    adds are the receivers' own, and the degree that it scales a sender by counts no edge of this relation.

    Args:
        name: of a class of torch_geometric.nn.
        in_dim, out_dim: columns of the features, before and after; of two kinds of nodes the same.
        edge_dim: columns of the edges' features; 0: they are not looked at.
        options: further arguments of the class.

    Raises:
        ConfigError: if the class wants something that is not in `options`, or refuses them; or if, when it runs, it needs
            something that an encoder does not have, such as features of edges where edge_dim is 0.
    """

    def __init__(self, name: str, in_dim: int, out_dim: int, edge_dim: int, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.name = name
        kind = getattr(load_pyg("nn"), name)
        self.takes_weight, self.takes_features = _takes(name, kind, edge_dim)
        wanted = inspect.signature(kind.__init__).parameters
        given: dict[str, Any] = dict(options)
        changes_width = "in_channels" in wanted or "nn" in wanted
        width = in_dim if changes_width else out_dim
        for key, value in (("in_channels", width), ("out_channels", out_dim), ("channels", out_dim)):
            if key in wanted:
                given.setdefault(key, value)
        if "nn" in wanted and "nn" not in given:
            of_edges = "in_channels" in wanted  # NNConv makes a matrix of an edge's features
            given["nn"] = _two_layers(edge_dim, in_dim * out_dim) if of_edges else _two_layers(in_dim, out_dim)
        if edge_dim and "edge_dim" in wanted:
            given.setdefault("edge_dim", edge_dim)
        missing = [
            key
            for key, parameter in wanted.items()
            if key not in given
            and key != "self"
            and parameter.default is inspect.Parameter.empty
            and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        ]
        if missing:
            raise ConfigError(
                f"{name} also wants {', '.join(missing)}; give it in conv_options, such as {{{missing[0]} = …}}."
            )
        try:
            self.conv = kind(**given)
        except (TypeError, ValueError, AssertionError) as error:
            raise ConfigError(
                f"{name} cannot be made with {given}: {error}. See its page in PyTorch Geometric."
            ) from error
        self.linear = None if changes_width else SparseLinear(in_dim, out_dim)

    def forward(self, x: Features | tuple[Tensor, Tensor], edges: Edges) -> Tensor:
        """Return float32 [n_receivers, out_dim].

        Raises:
            ConfigError: if the convolution cannot run on what an encoder gives it.
        """
        edge_index = edges.edge_index
        if isinstance(x, tuple):
            senders, receivers = x
            if senders is receivers:
                x = senders
            else:
                x = torch.cat([receivers, senders])
                edge_index = edge_index + torch.tensor([[edges.n_receivers], [0]])
        if self.linear is not None:
            x = self.linear(x)
        dense = x.dense() if isinstance(x, SparseRows) else x
        extra: dict[str, Any] = {}
        if self.takes_weight and edges.is_weighted:
            extra["edge_weight"] = torch.from_numpy(edges.weight)
        if self.takes_features and edges.features is not None:
            extra["edge_attr"] = edges.features
        try:
            result: Tensor = self.conv(dense, edge_index, **extra)
        except (TypeError, AssertionError) as error:
            raise ConfigError(
                f"{self.name} cannot run on vectors of nodes, edges{''.join(f', {key}' for key in extra)}: "
                f"{error or type(error).__name__}. See its page in PyTorch Geometric, or choose another convolution."
            ) from error
        return result[: edges.n_receivers]


def is_foreign(name: str) -> bool:
    """Tell whether a class of torch_geometric.nn is a convolution over one kind of nodes and edges."""
    pyg = load_pyg("nn")
    kind = getattr(pyg, name, None)
    return isinstance(kind, type) and issubclass(kind, pyg.MessagePassing)


def _takes(name: str, kind: type, edge_dim: int) -> tuple[bool, bool]:
    """Tell whether a convolution takes weights of edges, and features of edges.

    Raises:
        ConfigError: if it needs something that an encoder does not give it.
    """
    takes = inspect.signature(kind.forward).parameters  # type: ignore[attr-defined]
    if "x" not in takes or "edge_index" not in takes:
        raise ConfigError(
            f"{name} takes {', '.join(key for key in takes if key != 'self')}; expected a convolution that takes x and edge_index."
        )
    needed = [key for key, parameter in takes.items() if parameter.default is inspect.Parameter.empty]
    sends = inspect.signature(kind.message).parameters.get("edge_attr")  # type: ignore[attr-defined]
    if not edge_dim and ("edge_attr" in needed or (sends is not None and sends.annotation is Tensor)):
        raise ConfigError(
            f"{name} needs features of edges, and there are none: give edges features, in a heterogeneous encoder by edge_dim > 0."
        )
    if lacking := [key for key in needed if key not in ("self", "x", "edge_index", "edge_attr")]:
        raise ConfigError(
            f"{name} needs {', '.join(lacking)} when it runs, and an encoder has only vectors of nodes, edges, their weights and features."
        )
    return "edge_weight" in takes, edge_dim > 0 and "edge_attr" in takes


def _two_layers(in_dim: int, out_dim: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(in_dim, out_dim), torch.nn.ReLU(), torch.nn.Linear(out_dim, out_dim))
