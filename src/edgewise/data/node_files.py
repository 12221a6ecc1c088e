"""A graph with labelled nodes from files: edges, features, labels, and which nodes train, validate and test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array, eye_array

from edgewise.data.attributes import typed
from edgewise.data.features import FeatureConfig, FeatureEncoder
from edgewise.data.formats import open_table
from edgewise.data.node_data import NodeData
from edgewise.data.values import ids as as_ids
from edgewise.data.values import numbers
from edgewise.data.wording import count
from edgewise.errors import DataError
from edgewise.rng import make_rng
from edgewise.types import Floats, Index

_OF_EDGES = FeatureConfig(max_categories=100, max_text_features=100)
"""Features of edges are dense, and edges are many: of categories and words the most frequent."""

Task: TypeAlias = Literal["classification", "regression"]

_SOURCE = ("source", "src", "from", "node_1", "node1", "u", "sender")
_TARGET = ("target", "dst", "to", "node_2", "node2", "v", "receiver")
_NODE = ("node_id", "node", "id")
_WEIGHT = ("weight", "w")
_LABEL = ("label", "class", "target", "y", "value")
_PART = ("split", "part", "set", "fold")
_MISSING = ["", "nan", "na", "n/a", "null", "none"]
_PARTS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid", "test": "test"}  # fmt: skip


def read_node_files(
    edges: Path,
    labels: Path,
    *,
    features: Path | None = None,
    split: Path | None = None,
    task: Task | None = None,
    directed: bool = False,
    seed: int = 0,
) -> NodeData:
    """Read a graph with labelled nodes.

    A node is whatever any of the files names. Edges count both ways unless `directed`; repeated ones count once, with the
    weight and features of the first. Nodes without features get what missing values get; numbers are imputed by the median.
    Without a feature file each node is its own feature. Features are scaled over all nodes: in a graph that is known as a
    whole, those of test nodes are known in training too, and only labels are withheld.

    Args:
        edges: source, target, then optionally weight, and any other columns as features of edges, of each at most 100.
        labels: node_id, label; a node without one is not in it, or has an empty label.
        features: node_id and any columns.
        split: node_id, then train, valid or test; None: 60, 20 and 20 % of the labelled nodes at random.
        task: None: regression if labels are numbers of which some are not whole, else classification.
        directed: whether a target alone hears of its source.
        seed: of the random split.

    Raises:
        DataError: if a file cannot be read, a column is missing, a label contradicts another, or no node is left to train on.
    """
    notes: list[str] = []
    edge_table, label_table = _read(edges, notes, _SOURCE, _TARGET), _read(labels, notes, _NODE, _LABEL)
    feature_table = None if features is None else _read(features, notes, _NODE)
    split_table = None if split is None else _read(split, notes, _NODE, _PART)
    node_ids, (source, target, labelled, featured, parted) = _positions(
        [
            edge_table["source"],
            edge_table["target"],
            label_table["node_id"],
            pl.Series([], dtype=pl.Int64) if feature_table is None else feature_table["node_id"],
            pl.Series([], dtype=pl.Int64) if split_table is None else split_table["node_id"],
        ]
    )
    n = node_ids.size
    if not n:
        raise DataError(f"{edges} and {labels} name no node at all; expected a row for each edge and each label.")
    graph, edge_features = _graph(edge_table, source, target, n, notes, directed=directed, path=edges)
    x = _features(feature_table, featured, n, notes, features)
    values, classes = _labels(label_table["label"], labelled, n, task, notes, labels)
    known = np.flatnonzero(~np.isnan(values) if classes is None else values >= 0)
    if split_table is None:
        train, valid, test = _random_split(known, seed, notes)
    else:
        train, valid, test = _given_split(split_table, parted, known, notes, split or Path())
    if not train.size:
        raise DataError(
            "no node with a label is in the training part; expected some, so that there is something to learn from."
        )
    if classes is not None:
        absent = np.setdiff1d(values[np.concatenate([valid, test])], values[train]).astype(np.int64)
        if absent.size:
            names = ", ".join(classes[place] for place in absent[:5])
            notes.append(
                f"{absent.size} class{'es' if absent.size > 1 else ''} without a training node, never predicted: {names}"
            )
    return NodeData(
        name=edges.stem, node_ids=node_ids, graph=graph, x=x, labels=values, classes=classes,
        train=train, valid=valid, test=test, edge_features=edge_features, notes=tuple(notes),
    )  # fmt: skip


def _read(path: Path, notes: list[str], first: Sequence[str], second: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a table; its first column, or two, get the standard name, whatever they are called and wherever they are."""
    table = open_table(path)
    frame = table.load(table.header)
    wanted = [first] if second is None else [first, second]
    found = [next((name for name in names if name in frame.columns), None) for names in wanted]
    others = [name for name in frame.columns if name not in found]
    if found.count(None) > len(others):
        lacking = wanted[1 if len(found) > 1 else 0][0]
        raise DataError(f"{path} has the column {', '.join(frame.columns)} alone; expected also one named {lacking!r}.")
    columns: dict[str, str] = {}
    for names, name in zip(wanted, found, strict=True):
        columns[name or others.pop(0)] = {"split": "part"}.get(names[0], names[0])
    guessed = [f"{name!r} as {standard}" for name, standard in columns.items() if name not in found]
    if guessed and table.named:
        notes.append(f"{path.name}: no columns of the usual names, so taken by their places: {', '.join(guessed)}")
    clashing = [name for name in frame.columns if name in columns.values() and name not in columns]
    return frame.drop(clashing).rename(columns)


def _positions(columns: Sequence[pl.Series]) -> tuple[np.ndarray[tuple[int], np.dtype[np.generic]], list[Index]]:
    """Number the nodes of several columns by their ids in ascending order: integers if all are, else text."""
    cleaned = [as_ids(column)[0] if len(column) else column for column in columns]
    if any(column.dtype == pl.String for column in cleaned):
        cleaned = [column.cast(pl.String) for column in cleaned]
    known = pl.concat([column.drop_nulls() for column in cleaned]).unique().sort()
    node_ids = known.to_numpy()
    places = [
        np.searchsorted(node_ids, column.drop_nulls().to_numpy()).astype(np.int64) if not column.null_count() else
        np.array([-1 if value is None else int(np.searchsorted(node_ids, value)) for value in column], dtype=np.int64)
        for column in cleaned
    ]  # fmt: skip
    return node_ids, places


def _graph(
    table: pl.DataFrame, source: Index, target: Index, n: int, notes: list[str], *, directed: bool, path: Path
) -> tuple[csr_array, Floats | None]:
    """Return the graph, rows receiving, and the features of its edges."""
    weight_name = next((name for name in _WEIGHT if name in table.columns), None)
    weight = np.ones(source.size, dtype=np.float32)
    if weight_name is not None:
        weight = numbers(table[weight_name]).fill_null(1.0).cast(pl.Float32).to_numpy()
        if not (np.isfinite(weight) & (weight >= 0)).all():
            row = int(np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))[0])
            raise DataError(
                f"{path} row {row + 1}: weight {weight[row]:g}; expected a number >= 0. Drop such edges first."
            )
    own = [name for name in table.columns if name not in ("source", "target", weight_name)]
    features = None
    if own and table.height:
        encoded = _encoded(table.select("source", *own), "source", "edges", notes, _OF_EDGES)
        features = None if encoded is None else encoded.toarray()
    usable = (source >= 0) & (target >= 0)
    if not usable.all():
        notes.append(f"{count(int((~usable).sum()), 'edge')} without a source or a target left out")
    edge = np.flatnonzero(usable)
    loops = int((source[edge] == target[edge]).sum())
    if loops:
        notes.append(f"{count(loops, 'self-loop')} kept")
    receiver, sender = target[edge], source[edge]
    if not directed:
        receiver, sender, edge = (
            np.concatenate([receiver, sender]),
            np.concatenate([sender, receiver]),
            np.tile(edge, 2),
        )
    order = np.lexsort((edge, sender, receiver))
    receiver, sender, edge = receiver[order], sender[order], edge[order]
    is_new = np.ones(edge.size, dtype=np.bool_)
    is_new[1:] = (receiver[1:] != receiver[:-1]) | (sender[1:] != sender[:-1])
    repeated = edge.size - int(is_new.sum()) - (0 if directed else loops)
    if repeated > 0:
        notes.append(f"repeated {'or reversed ' if not directed else ''}edges count once, with the weight of the first")
    receiver, sender, edge = receiver[is_new], sender[is_new], edge[is_new]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(receiver, minlength=n))])
    graph = csr_array((weight[edge], sender, indptr), shape=(n, n))
    isolated = int((np.bincount(np.concatenate([receiver, sender]), minlength=n) == 0).sum())
    if isolated:
        notes.append(f"{count(isolated, 'node')} without edges: predicted by features alone")
    return graph, None if features is None else features[edge]


def _features(table: pl.DataFrame | None, nodes: Index, n: int, notes: list[str], path: Path | None) -> csr_array:
    """Return the features of all nodes: float32 [n, f]."""
    if table is None:
        notes.append("no features: each node is its own")
        return csr_array(eye_array(n, format="csr", dtype=np.float32))
    if np.unique(nodes).size != nodes.size or (nodes < 0).any():
        raise DataError(f"{path}: a node_id is empty or there twice; expected one row for each node.")
    places = pl.DataFrame({"node_id": np.arange(n)})
    rows = places.join(table.with_columns(pl.Series("node_id", nodes)), on="node_id", how="left", maintain_order="left")
    if n > nodes.size:
        notes.append(f"{count(n - nodes.size, 'node')} without features: they get what missing values get")
    encoded = _encoded(rows, "node_id", "features", notes)
    if encoded is not None:
        return encoded
    notes.append("no feature tells nodes apart: each gets the same")
    return csr_array(np.ones((n, 1), dtype=np.float32))


def _encoded(
    table: pl.DataFrame, key: str, what: str, notes: list[str], config: FeatureConfig | None = None
) -> csr_array | None:
    """Return columns as numbers, None where no column says anything; say what was missing."""
    table = table.with_columns([typed(_without_nan(table[name])) for name in table.columns if name != key])
    try:
        encoder = FeatureEncoder.fit(table, key, config)
    except DataError as error:
        notes.append(f"{what}: {error}")
        return None
    found = encoder.transform(table)
    holes = {name: int(absent.sum()) for name, absent in found.missing.items() if absent.any()}
    if holes:
        shown = ", ".join(f"{name} {number:,}" for name, number in list(holes.items())[:5])
        notes.append(f"{what}: missing values imputed ({shown}{', …' if len(holes) > 5 else ''})")
    return found.x


def _without_nan(column: pl.Series) -> pl.Series:
    """Make null of whatever stands for a missing value."""
    if column.dtype == pl.String:
        words = column.str.strip_chars().str.to_lowercase()
        return column.zip_with(~words.is_in(_MISSING).fill_null(value=False), pl.Series([None], dtype=pl.String))
    return column.fill_nan(None) if column.dtype.is_float() else column


def _labels(
    column: pl.Series, nodes: Index, n: int, task: Task | None, notes: list[str], path: Path
) -> tuple[Index | Floats, tuple[str, ...] | None]:
    """Return the labels of all nodes, and the classes where they are classes."""
    column = typed(_without_nan(column))
    is_known = column.is_not_null().to_numpy() & (nodes >= 0)
    if not is_known.all():
        notes.append(f"{count(int((~is_known).sum()), 'row')} of labels without a node or a label left out")
    column, nodes = column.filter(pl.Series(is_known)), nodes[is_known]
    if task is None:
        task = "regression" if column.dtype.is_float() and bool((column % 1 != 0).any()) else "classification"
    if task == "regression":
        if not column.dtype.is_numeric():
            raise DataError(f"{path}: labels such as {column[0]!r} are no numbers; use --task classification.")
        numbers_of = np.full(n, np.nan, dtype=np.float32)
        numbers_of[nodes] = column.cast(pl.Float32).to_numpy()
        _check_once(nodes, column, path)
        return numbers_of, None
    _check_once(nodes, column, path)
    classes = column.unique().sort()
    places = np.full(n, -1, dtype=np.int64)
    places[nodes] = np.searchsorted(classes.to_numpy(), column.to_numpy())
    return places, tuple(str(name) for name in classes)


def _check_once(nodes: Index, column: pl.Series, path: Path) -> None:
    pairs = pl.DataFrame({"node": nodes, "label": column}).unique()
    if pairs.height != pairs["node"].n_unique():
        raise DataError(f"{path}: a node has two different labels; expected one for each node.")


def _random_split(known: Index, seed: int, notes: list[str]) -> tuple[Index, Index, Index]:
    notes.append("no split given: 60 % of the labelled nodes train, 20 % validate, 20 % test, at random")
    order = make_rng(seed, "split").permutation(known)
    first, second = round(0.6 * order.size) or min(1, order.size), round(0.8 * order.size)
    return np.sort(order[:first]), np.sort(order[first:second]), np.sort(order[max(first, second) :])


def _given_split(
    table: pl.DataFrame, nodes: Index, known: Index, notes: list[str], path: Path
) -> tuple[Index, Index, Index]:
    words = table["part"].cast(pl.String).str.strip_chars().str.to_lowercase()
    parts = words.replace_strict(_PARTS, default=None, return_dtype=pl.String)
    if parts.null_count():
        wrong = int(parts.is_null().arg_max() or 0)
        raise DataError(f"{path} row {wrong + 1}: the part {table['part'][wrong]!r}; expected train, valid or test.")
    if pl.DataFrame({"node": nodes, "part": parts}).unique().height != np.unique(nodes).size:
        raise DataError(f"{path}: a node is in two parts; expected one for each node.")
    unlabelled = np.setdiff1d(nodes, known)
    if unlabelled.size:
        notes.append(f"{count(unlabelled.size, 'node')} of the split without a label left out")
    chosen = [np.intersect1d(nodes[(parts == part).to_numpy()], known) for part in ("train", "valid", "test")]
    return chosen[0], chosen[1], chosen[2]
