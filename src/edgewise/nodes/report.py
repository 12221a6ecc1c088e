"""What `edgewise nodes` tells: metrics over seeds, and what they were measured on."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgewise.data.node_data import NodeData
from edgewise.nodes.config import NodesConfig
from edgewise.nodes.fit import fit_seeds


def measured(data: NodeData, config: NodesConfig, model: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Train with each seed and return means and deviations of every metric on the test nodes, ready for JSON.

    Without test nodes there are none of these.
    """
    started = time.perf_counter()
    fits = fit_seeds(data, config, seeds)
    metrics = list(fits[0].test)
    found: dict[str, Any] = {}
    for name in metrics:
        values = [fit.test[name] for fit in fits]
        found |= {f"{name}_mean": float(np.mean(values)), f"{name}_std": float(np.std(values))}
    for name in fits[0].valid:
        found[f"valid_{name}_mean"] = float(np.mean([fit.valid[name] for fit in fits]))
    return found | {
        "seconds": time.perf_counter() - started,
        "model": model,
        "task": "regression" if data.classes is None else "classification",
        "metrics": metrics,
        "data": {
            "name": data.name,
            "nodes": data.n_nodes,
            "edges": int(data.graph.nnz),
            "features": int(data.x.shape[1]),
            "classes": None if data.classes is None else len(data.classes),
            "train": data.train.size,
            "valid": data.valid.size,
            "test": data.test.size,
        },
        "seeds": [
            {"seed": fit.seed, "test": fit.test, "valid": fit.valid, "epochs": fit.n_epochs, "seconds": fit.seconds}
            for fit in fits
        ],
        "settings": config.model_dump(),
        "notes": list(data.notes),
    }
