"""`nodes`: learn the labels of some nodes of a graph, and predict the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgewise.cli import options

if TYPE_CHECKING:
    from edgewise.data.node_data import NodeData


def nodes(
    planetoid: Annotated[
        str | None, typer.Option("--planetoid", metavar="DIR", help="A folder with the files of Planetoid.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="NAME", help="Of Planetoid: cora (which is the default), citeseer."),
    ] = None,
    edges: Annotated[
        str | None, typer.Option("--edges", metavar="FILE", help="source, target, and if you like weight and features.")
    ] = None,
    features: Annotated[str | None, typer.Option("--features", metavar="FILE", help="node_id and any columns.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", metavar="FILE", help="node_id, label.")] = None,
    split: Annotated[str | None, typer.Option("--split", metavar="FILE", help="node_id, train|valid|test.")] = None,
    directed: Annotated[
        bool, typer.Option("--directed", help="Only the target of an edge hears of its source.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="classification or regression; by default by the labels."),
    ] = None,
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="gcn, gat or graphsage.")] = "gcn",
    fan_out: Annotated[
        str | None,
        typer.Option(
            "--fan-out",
            metavar="N,N",
            help="Train on batches with so many neighbours of each node, a number a layer, -1 for all; by default on the whole graph.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Train so many times, and tell mean and deviation.")] = 1,
    seed: options.Seed = 0,
    set_: options.Set = None,
    json: options.Json = None,
) -> None:
    """Train on the labels of some nodes, choose on others, measure on the rest."""
    from edgewise.cli.console import emit_json, progress, say, table
    from edgewise.config import override
    from edgewise.errors import ConfigError
    from edgewise.nodes.config import config_of
    from edgewise.nodes.report import measured

    files = {"--edges": edges, "--labels": labels, "--features": features, "--split": split, "--task": task}
    if planetoid is None and not (edges and labels):
        raise ConfigError("give either --planetoid DIR, or --edges FILE and --labels FILE (and --features, --split).")
    idle = [name for name, value in (files | {"--directed": directed or None}).items() if value is not None]
    if planetoid is not None and idle:
        raise ConfigError(
            f"give either --planetoid DIR, which brings all that {idle[0]} would tell, or files; not both."
        )
    if planetoid is None and dataset is not None:
        raise ConfigError(f"--dataset {dataset!r} is one of Planetoid's; give --planetoid DIR, or leave it out.")
    if task not in (None, "classification", "regression"):
        raise ConfigError(f"--task {task!r}: expected classification or regression.")
    settings: dict[str, Any] = override({}, set_ or [], default_section="nodes").get("nodes", {})
    if fan_out is not None:
        settings["fan_out"] = _whole_numbers(fan_out)
    config = config_of(model, settings)
    data = _read(planetoid, dataset or "cora", edges, features, labels, split, task, seed, directed=directed)
    with progress(quiet=json == "-"):
        found = measured(data, config, model, range(seed, seed + seeds))
    if json:
        emit_json(found, json)
        if json == "-":
            return
    for note in found["notes"]:
        say(note)
    rows = [[name, f"{found[f'{name}_mean']:.4f}", f"{found[f'{name}_std']:.4f}"] for name in found["metrics"]]
    table(f"{model} on {data.name}, {seeds} seed(s), {found['seconds']:.1f} s", ["test", "mean", "deviation"], rows)


def _whole_numbers(text: str) -> list[int]:
    """Read "15,10".

    Raises:
        ConfigError: if a part is no whole number.
    """
    from edgewise.errors import ConfigError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--fan-out {text!r}: expected whole numbers with commas between, one a layer, such as --fan-out 15,10."
        ) from None


def _read(
    planetoid: str | None,
    dataset: str,
    edges: str | None,
    features: str | None,
    labels: str | None,
    split: str | None,
    task: Any,
    seed: int,
    *,
    directed: bool,
) -> "NodeData":
    from edgewise.data.node_files import read_node_files
    from edgewise.data.planetoid import DATASETS, read_planetoid
    from edgewise.errors import UnknownNameError

    if planetoid is not None:
        if dataset not in DATASETS:
            raise UnknownNameError(f"there is no data set {dataset!r} of Planetoid; there are {', '.join(DATASETS)}.")
        return read_planetoid(Path(planetoid), dataset)
    return read_node_files(
        Path(edges or ""),
        Path(labels or ""),
        features=Path(features) if features else None,
        split=Path(split) if split else None,
        task=task,
        directed=directed,
        seed=seed,
    )
