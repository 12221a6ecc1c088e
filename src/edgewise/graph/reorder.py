"""An order of users and items in which neighbours stand near each other, so that products find them in the cache."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from edgewise.graph.bipartite import bipartite
from edgewise.types import Floats, Index


@dataclass(frozen=True)
class Order:
    """A new order of users and items.

    Attributes:
        users: int64 [n_users], which user stands at each new place.
        items: int64 [n_items], which item.
    """

    users: Index
    items: Index

    @classmethod
    def by_neighbours(cls, interactions: csr_array) -> "Order":
        """Order by reverse Cuthill-McKee (ACM National Conference 1969) over the bipartite graph, users and items apart."""
        n_users = interactions.shape[0]
        found = reverse_cuthill_mckee(bipartite(interactions), symmetric_mode=True).astype(np.int64)
        return cls(found[found < n_users], found[found >= n_users] - n_users)

    def apply(self, interactions: csr_array) -> csr_array:
        """Return the interactions in the new order, columns ascending in each row."""
        ordered = csr_array(interactions[self.users][:, self.items])
        ordered.sort_indices()
        return ordered

    def undo(self, users: Floats, items: Floats) -> tuple[Floats, Floats]:
        """Bring rows about users [n_users, d] and items [n_items, d] back into the old order."""
        old_users, old_items = np.empty_like(users), np.empty_like(items)
        old_users[self.users], old_items[self.items] = users, items
        return old_users, old_items
