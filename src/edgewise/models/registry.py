"""The only place where a model's name becomes its class. A new model is one line here."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from edgewise import model_folder
from edgewise.config import did_you_mean, make
from edgewise.errors import UnknownNameError
from edgewise.recommender import Recommender

MODELS: Mapping[str, str] = {
    "popularity": "edgewise.models.popularity:Popularity",
    "content": "edgewise.models.content:Content",
    "user-knn": "edgewise.models.user_knn:UserKNN",
    "item-knn": "edgewise.models.item_knn:ItemKNN",
    "rp3beta": "edgewise.models.rp3beta:RP3beta",
    "ease": "edgewise.models.ease:EASE",
    "als": "edgewise.models.als:ALS",
    "bpr": "edgewise.models.bpr:BPR",
    "graph-filter": "edgewise.models.graph_filter:GraphFilter",
    "lightgcn": "edgewise.models.lightgcn:LightGCN",
    "filter-gcn": "edgewise.models.filter_gcn:FilterGCN",
    "simgcl": "edgewise.models.simgcl:SimGCL",
    "xsimgcl": "edgewise.models.xsimgcl:XSimGCL",
    "ultragcn": "edgewise.models.ultragcn:UltraGCN",
    "gcn": "edgewise.models.gcn:GCN",
    "gat": "edgewise.models.gat:GAT",
    "graphsage": "edgewise.models.graphsage:GraphSAGE",
    "hetero": "edgewise.models.hetero:Hetero",
    "biases": "edgewise.models.biases:RatingBiases",
    "mf": "edgewise.models.mf:MF",
    "neumf": "edgewise.models.neumf:NeuMF",
    "gc-mc": "edgewise.models.gc_mc:GCMC",
}
"""Model name to `module:class`; the module is imported when the model is asked for."""


def raters() -> list[str]:
    """Return the names of the models that predict ratings."""
    return [name for name in MODELS if hasattr(model_class(name), "predict_pairs")]


def model_class(name: str) -> type[Recommender]:
    """Return the class of a model.

    Raises:
        UnknownNameError: listing the models there are.
    """
    if name not in MODELS:
        raise UnknownNameError(
            f"there is no model {name!r}; there are {', '.join(MODELS)}{did_you_mean(name, MODELS)}."
        )
    module, _, attribute = MODELS[name].partition(":")
    found: type[Recommender] = getattr(import_module(module), attribute)
    return found


def build(name: str, settings: Mapping[str, Any] | None = None, *, seed: int = 0) -> Recommender:
    """Return a new, unfitted model with the given settings and defaults for the rest.

    Raises:
        UnknownNameError: if there is no such model.
        ConfigError: if a setting is unknown or out of range.
    """
    found = model_class(name)
    return found(make(found.Config, settings or {}, where=f"model {name}"), seed=seed)


def load(directory: Path | str) -> Recommender:
    """Read a model folder, whatever model is in it.

    Raises:
        ModelFolderError: if the folder is damaged or its model is not one of ours.
    """
    about = model_folder.read_about(Path(directory))
    return model_class(about["model"]).load(directory)
