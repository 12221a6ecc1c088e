"""A model fitted again from the event log of a store: what it is to learn, whether it is any worse, and the swap."""

from edgewise.refit.refit import RefitSettings, Refitted, refit

__all__ = ["RefitSettings", "Refitted", "refit"]
