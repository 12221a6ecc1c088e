"""From tables to a data set: reading, naming, cleaning, splitting, features."""

from edgewise.data.dataset import Dataset
from edgewise.data.ids import IdMap

__all__ = ["Dataset", "IdMap"]
