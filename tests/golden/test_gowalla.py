"""A published table, reproduced: Gowalla in LightGCN's split, full ranking, training items masked (slow)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgewise.data import Dataset
from edgewise.evaluate.protocol import evaluate
from edgewise.models import build


@pytest.mark.slow
def test_graph_filter_on_gowalla(shared_data: Callable[[str], Path]) -> None:
    # He et al. (arXiv:2002.02126) report .1830 / .1554 for LightGCN, BSPM-EM .1920 / .1597.
    train, test = (
        Dataset.from_file(shared_data(f"gowalla/{part}.txt.gz"), format="lightgcn") for part in ("train", "test")
    )
    assert (train.n_users, train.n_items, train.interactions.nnz) == (29_858, 40_981, 810_128)
    found = evaluate(build("graph-filter").fit(train), test, k=(20,), auc=False, edges=False)
    assert found.user_index.size == 29_858
    assert found.overall["recall@20"] == pytest.approx(RECALL, abs=0.0005)
    assert found.overall["ndcg@20"] == pytest.approx(NDCG, abs=0.0005)


RECALL, NDCG = 0.1918, 0.1602
"""Measured by benchmarks/gowalla.py graph-filter; see benchmarks/log.jsonl."""
