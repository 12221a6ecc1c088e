"""PyTorch Geometric, where it is wanted."""

import importlib
import warnings
from types import ModuleType


def load_pyg(module: str) -> ModuleType:
    """Import a module of torch_geometric, such as "nn": only when it is asked for, since it takes seconds, and in silence.

    On its way in it uses parts of torch that warn of their end, which nobody who runs Edgewise can do anything about.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"torch_geometric.{module}")
