"""Re-ranking: from the best items to the best list."""

from edgewise.rerank.diversity import Diversity
from edgewise.rerank.freshness import Freshness
from edgewise.rerank.protocol import Candidates, Reranker

__all__ = ["Candidates", "Diversity", "Freshness", "Reranker"]
