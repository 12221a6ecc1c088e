"""What `edgewise nodes` tells: metrics over seeds, and what they were measured on."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgewise.data.node_data import NodeData
from edgewise.nn.encoder import looks_at
from edgewise.nodes.config import NodesConfig
from edgewise.nodes.fit import fit_seeds


def measured(data: NodeData, config: NodesConfig, model: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Train with each seed and return means and deviations of every metric on the test nodes, ready for JSON: None without such nodes."""
    started = time.perf_counter()
    wanted = config.consistency
    fits, config = fit_seeds(data, config, seeds)
    metrics = list(fits[0].test)
    names = ("accuracy", "macro_f1") if data.classes is not None else ("rmse", "mae")
    found: dict[str, Any] = {f"{name}_{of}": None for name in names for of in ("mean", "std")}
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
        "notes": [*data.notes, *_chosen(wanted, config.consistency), *_idle(data, config)],
    }


def _chosen(wanted: float | None, consistency: float | None) -> list[str]:
    """Say what was chosen by the validation nodes, where that is not what usually stands."""
    return (
        ["consistency = 0: without it the validation nodes came out better"]
        if wanted is None and consistency == 0
        else []
    )


def _idle(data: NodeData, config: NodesConfig) -> list[str]:
    """Say what of the data is not looked at, or not there to measure on."""
    notes = []
    weights, features = looks_at(config, 0 if data.edge_features is None else data.edge_features.shape[1])
    if (data.graph.data != 1).any() and not weights:
        notes.append(f"{config.conv} does not look at the weights of edges")
    if data.edge_features is not None and not features:
        notes.append(f"{config.conv} does not look at the features of edges; gat, gatv2 and transformer do")
    if not data.test.size:
        notes.append(
            "no node to test on: nothing was measured" + (" but on validation nodes" if data.valid.size else "")
        )
    return notes
