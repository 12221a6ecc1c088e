"""A graph whose nodes have features and labels, some of them known in training: what node tasks learn from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise.types import Floats, Index


@dataclass(frozen=True)
class NodeData:
    """A graph with features, labels and a split, all by position.

    Attributes:
        name: what to call it.
        node_ids: [n], the caller's ids, text or int64.
        graph: float32 [n, n], rows receive and columns send.
        x: float32 [n, f], sparse.
        labels: int64 [n], positions in `classes`, -1 where a label is not known; for regression float32 [n], NaN there.
        classes: the names of the classes; None: regression.
        train, valid, test: int64, nodes with known labels, of which no two sets share one.
        edge_features: float32 [n_edges, d_e], in the order of the graph's entries.
        notes: what was assumed, imputed or left out, one line each.
    """

    name: str
    node_ids: NDArray[np.generic]
    graph: csr_array
    x: csr_array
    labels: Index | Floats
    classes: tuple[str, ...] | None
    train: Index
    valid: Index
    test: Index
    edge_features: Floats | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def n_nodes(self) -> int:
        """Return how many nodes there are."""
        return int(self.graph.shape[0])
