"""Edgewise: from an interaction log to a measured graph recommender, on a CPU, in minutes."""

import os

__version__ = "0.1.0"

# Threads that wait for work by spinning take the processor from those that have some: numba's and torch's pools do it to
# each other, and on a busy two-core machine a short fit took ten times as long. It has to be said before either loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
