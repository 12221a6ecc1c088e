"""The recommenders, one file each; `edgewise.models.registry` finds them by name."""

from edgewise.models.registry import MODELS, build, load, model_class

__all__ = ["MODELS", "build", "load", "model_class"]
