"""The best items for a vector: exact or approximate, without those excluded, with items that come and go."""

from edgewise.retrieval.approximate import ApproximateIndex
from edgewise.retrieval.choice import RetrievalConfig, make_index
from edgewise.retrieval.exact import ExactIndex
from edgewise.retrieval.protocol import VectorIndex

__all__ = ["ApproximateIndex", "ExactIndex", "RetrievalConfig", "VectorIndex", "make_index"]
