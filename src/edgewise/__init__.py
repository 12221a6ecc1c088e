"""Edgewise: from an interaction log to a measured graph recommender, on a CPU, in minutes."""

__version__ = "0.1.0"
