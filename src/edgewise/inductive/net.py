"""The net: what a node is by itself (an embedding, its attributes), and an encoder over the graph of who met what."""

from collections.abc import Sequence

import torch
from scipy.sparse import csr_array
from torch import Tensor

from edgewise.errors import ModelFolderError
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Encoder, EncoderConfig
from edgewise.nn.sparse_linear import SparseLinear
from edgewise.types import Floats


class GraphNet(torch.nn.Module):
    """x = embedding + attributes W for every node; its vector is x plus what the encoder makes of x and the neighbours.

    Beside x stands one more column, made in the same way and not encoded: an item's bias, what is added to all its scores.
    So vectors need not tell what is popular, and of a user of whom little is known, that is left.

    Args:
        n_features: how many features users and items have; 0 for a side without attributes.
        encoder: the settings of the encoder.
        embedding_dim: columns of x and of the vectors.
        start: float32 [n_nodes, embedding_dim + 1], the embeddings at the start; None: nodes have none, attributes alone tell.
        adds_input: whether x is added to what the encoder makes.
    """

    def __init__(
        self,
        n_features: tuple[int, int],
        encoder: EncoderConfig,
        embedding_dim: int,
        start: Floats | None,
        *,
        adds_input: bool,
    ) -> None:
        super().__init__()
        self.embeddings: torch.nn.Embedding | None = None
        if start is not None:
            self.embeddings = torch.nn.Embedding(start.shape[0], start.shape[1], _weight=torch.from_numpy(start))
        self.of_attributes = torch.nn.ModuleList(
            SparseLinear(n, embedding_dim + 1, bias=False) if n else torch.nn.Identity() for n in n_features
        )
        self.embedding_dim = embedding_dim
        self.encoder = Encoder(encoder, embedding_dim, embedding_dim)
        self.adds_input = adds_input

    def attributes(self, users: csr_array, items: csr_array) -> Tensor:
        """Return what the attributes of users, then items, say: float32 [n_users + n_items, d + 1]."""
        return torch.cat([self.attributes_of(0, users), self.attributes_of(1, items)])

    def attributes_of(self, side: int, features: csr_array) -> Tensor:
        """Return what the attributes of one side's nodes say, 0 for users and 1 for items: float32 [n, d + 1]."""
        if not features.shape[1]:
            return torch.zeros(features.shape[0], self.embedding_dim + 1)
        said: Tensor = self.of_attributes[side](features)
        return said

    def vectors(self, x: Tensor, edges: Edges | Sequence[Edges]) -> Tensor:
        """Return the vectors of nodes: float32 [n, d]."""
        made: Tensor = self.encoder(x, edges)
        return x[: made.shape[0]] + made if self.adds_input else made

    def vectors_of_newcomers(self, own: Tensor, theirs: Sequence[Tensor], edges: Edges) -> Tensor:
        """Return the vectors of new nodes, which hear from nodes that stay as they are: float32 [n, d].

        Args:
            own: [n, d], their x. theirs: for each layer, what goes into it at the others: [n_others, d_layer].
            edges: from new nodes, then the others, to new nodes.
        """
        outputs, given = [], own
        for number, at_others in enumerate(theirs):
            given = self.encoder.layer(number, torch.cat([given, at_others]), edges)
            outputs.append(given)
        made = self.encoder.combined(outputs)
        return own + made if self.adds_input else made

    def weights(self) -> Floats:
        """Return all that newcomers need, the embeddings left out, in one row: float32 [n_weights]."""
        parts = [value.reshape(-1).float() for name, value in self._kept().items()]
        flat: Floats = torch.cat([torch.zeros(0), *parts]).cpu().numpy()
        return flat

    def take_weights(self, flat: Floats) -> None:
        """Put back what `weights` gave.

        Raises:
            ModelFolderError: if there are more or fewer than this net has.
        """
        kept = self._kept()
        expected = sum(value.numel() for value in kept.values())
        if flat.shape != (expected,):
            raise ModelFolderError(
                f"the folder has {flat.size} weights; its settings ask for {expected}. Fit the model again."
            )
        place = 0
        for value in kept.values():
            part = torch.from_numpy(flat[place : place + value.numel()].copy()).reshape(value.shape)
            value.copy_(part.to(value.dtype))
            place += value.numel()

    def _kept(self) -> dict[str, Tensor]:
        state = self.state_dict()
        return {name: value for name, value in state.items() if not name.startswith("embeddings.")}
