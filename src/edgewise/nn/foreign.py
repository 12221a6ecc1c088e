"""Any convolution of PyTorch Geometric, by its name."""

import inspect
from collections.abc import Mapping
from copy import deepcopy
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

    What a convolution cannot do is done around it: one that keeps the number of columns gets a linear map first, one that gives
    another number than asked for (MixHopConv) a linear map after, one that asks for a net (GINConv, EdgeConv, NNConv) gets two
    layers with relu between. It is tried on two nodes when it is made, so that what it cannot do is told before training. In a mini-batch it runs over all senders,
    and the first n_receivers rows are kept, since not every convolution knows two sets of nodes. For the same reason it runs,
    between two kinds of nodes, over receivers and senders put one below the other, as over nodes of one kind: loops that it
    adds are the receivers' own, and the degree that it scales a sender by counts no edge of this relation.

    Args:
        name: of a class of torch_geometric.nn.
        in_dim, out_dim: columns of the features, before and after; of two kinds of nodes the same.
        edge_dim: columns of the edges' features; 0: they are not looked at.
        options: further arguments of the class.

    Raises:
        ConfigError: if the class wants something that is not in `options`, or refuses them; or if it needs something that an
            encoder does not have, such as features of edges where edge_dim is 0.
    """

    def __init__(self, name: str, in_dim: int, out_dim: int, edge_dim: int, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.name = name
        kind = getattr(load_pyg("nn"), name)
        self.takes_weight, self.takes_features = takes_of(name, edge_dim)
        wanted = inspect.signature(kind.__init__).parameters
        given: dict[str, Any] = {
            key: torch.tensor(value) if key in wanted and wanted[key].annotation is Tensor else value
            for key, value in options.items()
        }
        changes_width = "in_channels" in wanted or "nn" in wanted
        width = in_dim if changes_width else out_dim
        for key, value in (("in_channels", width), ("out_channels", out_dim), ("channels", out_dim)):
            if key in wanted:
                given.setdefault(key, value)
        if "nn" in wanted and "nn" not in given and wanted["nn"].default is inspect.Parameter.empty:
            of_edges = "in_channels" in wanted  # NNConv makes a matrix of an edge's features
            of_ends = {"x_i", "x_j"} <= set(
                inspect.signature(kind.message).parameters
            )  # EdgeConv reads both side by side
            inner = (edge_dim, in_dim * out_dim) if of_edges else (in_dim * (2 if of_ends else 1), out_dim)
            given["nn"] = _two_layers(*inner)
        called = next((key for key in ("edge_dim", "in_edge_channels", "dim") if key in wanted), None)
        if edge_dim and self.takes_features and called is not None:
            given.setdefault(called, edge_dim)
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
        except (TypeError, ValueError, AttributeError, AssertionError, ImportError) as error:
            raise ConfigError(
                f"{name} cannot be made with {given}: {error}. See its page in PyTorch Geometric."
            ) from error
        self.linear = None if changes_width else SparseLinear(in_dim, out_dim)
        self.after: SparseLinear | None = None
        found = self._tried(in_dim, edge_dim)
        if found.dim() != 2:
            raise ConfigError(f"{name} gives {list(found.shape)} for 2 nodes; expected a vector for each.")
        if found.shape[1] != out_dim:
            self.after = SparseLinear(found.shape[1], out_dim)

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
        except (TypeError, ValueError, AttributeError, LookupError, RuntimeError, AssertionError, ImportError) as error:
            raise ConfigError(
                f"{self.name} cannot run on vectors of nodes, edges{''.join(f', {key}' for key in extra)}: "
                f"{str(error) or type(error).__name__}. See its page in PyTorch Geometric, or choose another convolution."
            ) from error
        result = result[: edges.n_receivers]
        return result if self.after is None else self.after(result)

    @torch.no_grad()
    def _tried(self, in_dim: int, edge_dim: int) -> Tensor:
        """Run over two nodes that send to each other, without a trace in its state or in torch's generator."""
        features = torch.ones(2, edge_dim) if edge_dim else None
        pair = Edges.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 2, features=features)
        with torch.random.fork_rng(devices=[]):
            found: Tensor = deepcopy(self).eval()(torch.ones(2, in_dim), pair)  # a copy, since some keep what they see
        return found


def is_foreign(name: str) -> bool:
    """Tell whether a class of torch_geometric.nn is a convolution over one kind of nodes and edges."""
    pyg = load_pyg("nn")
    kind = getattr(pyg, name, None)
    return isinstance(kind, type) and issubclass(kind, pyg.MessagePassing)


def takes_of(name: str, edge_dim: int) -> tuple[bool, bool]:
    """Tell whether a convolution takes weights of edges, and features of edges of so many columns.

    Raises:
        ConfigError: if it needs something that an encoder does not give it.
    """
    kind = getattr(load_pyg("nn"), name)
    takes = inspect.signature(kind.forward).parameters
    if "x" not in takes or "edge_index" not in takes:
        raise ConfigError(
            f"{name} takes {', '.join(key for key in takes if key != 'self')}; expected a convolution that takes x and edge_index."
        )
    needed = [key for key, parameter in takes.items() if parameter.default is inspect.Parameter.empty]
    sends = inspect.signature(kind.message).parameters.get("edge_attr")
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
