"""The citation graphs of Planetoid: Cora, Citeseer, Pubmed, from the files of its authors.

Yang et al., "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016 (arXiv:1603.08861). The files are
pickles, which could run code when they are read. This is the only place that reads any, and it builds nothing but arrays,
lists and dictionaries: every name in a file stands for a function of this module or is refused.
"""

import pickle  # noqa: TID251 - the format of these files; see `_Restricted`
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack

from edgewise.data.node_data import NodeData
from edgewise.errors import DataError
from edgewise.types import Index

DATASETS = ("cora", "citeseer", "pubmed")
_N_VALID = 500


def read_planetoid(directory: Path, dataset: str) -> NodeData:
    """Read one of the graphs, with the split of the files: 20 training nodes a class, 500 to validate, 1,000 to test.

    Features are scaled so that each row sums to one, as Kipf and Welling (arXiv:1609.02907) do. Edges are taken both ways
    and once. Citeseer's test part has gaps in its numbering: these are nodes without edges, features and label.

    Args:
        directory: where the files ind.cora.x, ind.cora.graph, … are.
        dataset: cora, citeseer or pubmed.

    Raises:
        DataError: if a file is missing, cut short, refused, or does not fit the others.
    """
    x, tx, allx = (_matrix(directory, dataset, part) for part in ("x", "tx", "allx"))
    ty, ally = (_labels(directory, dataset, part) for part in ("ty", "ally"))
    test = _test_index(directory / f"ind.{dataset}.test.index")
    n_known, n = allx.shape[0], int(test.max(initial=allx.shape[0] - 1)) + 1
    if tx.shape[0] != test.size or ty.shape[0] != test.size or ally.shape[0] != n_known or tx.shape[1] != allx.shape[1]:
        raise DataError(
            f"{dataset} in {directory}: allx {list(allx.shape)}, ally {list(ally.shape)}, tx {list(tx.shape)}, ty {list(ty.shape)} and "
            f"{test.size} test nodes do not fit each other. The files may be of different sets; fetch them again."
        )
    if test.size != np.unique(test).size or test.min(initial=n_known) < n_known or x.shape[0] + _N_VALID > n_known:
        raise DataError(
            f"{dataset} in {directory}: the test nodes repeat, or overlap the {n_known} others, or fewer than {_N_VALID} are left to "
            "validate. The files may be of different sets; fetch them again."
        )
    # The rows of tx are in the order of the index file; numbers that it skips become rows of zeros.
    place = csr_array(
        (np.ones(test.size, dtype=np.float32), (test - n_known, np.arange(test.size))), shape=(n - n_known, test.size)
    )
    features = csr_array(vstack([allx, place @ tx], format="csr", dtype=np.float32))
    sums = np.asarray(features.sum(1)).ravel()
    features.data /= np.repeat(np.where(sums > 0, sums, 1), np.diff(features.indptr)).astype(np.float32)
    one_hot = np.vstack([ally, np.zeros((n - n_known, ally.shape[1]), dtype=np.int64)])
    one_hot[test] = ty
    labels = np.where(one_hot.any(1), one_hot.argmax(1), -1)
    n_train = x.shape[0]
    n_gaps = n - n_known - test.size
    return NodeData(
        name=dataset,
        node_ids=np.arange(n),
        graph=_graph(directory / f"ind.{dataset}.graph", n),
        x=features,
        labels=labels,
        classes=tuple(str(number) for number in range(ally.shape[1])),
        train=np.arange(n_train),
        valid=np.arange(n_train, n_train + _N_VALID),
        test=np.sort(test),
        notes=(f"{n_gaps} nodes have no edges, no features and no label",) if n_gaps else (),
    )


def _matrix(directory: Path, dataset: str, part: str) -> csr_array:
    path = directory / f"ind.{dataset}.{part}"
    found = _read(path)
    state = found.__dict__ if isinstance(found, _Matrix) else {}
    parts = [state.get(name) for name in ("data", "indices", "indptr")]
    shape = state.get("_shape")
    if not (all(isinstance(array, np.ndarray) for array in parts) and isinstance(shape, tuple) and len(shape) == 2):
        raise DataError(f"{path} holds no sparse matrix. The files of {dataset} may be mixed up; fetch them again.")
    try:
        data, indices, indptr = parts
        matrix = csr_array((np.asarray(data, dtype=np.float32), indices, indptr), shape=shape)
        matrix.check_format(full_check=True)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} holds a damaged sparse matrix ({error}); fetch it again.") from error
    return matrix


def _labels(directory: Path, dataset: str, part: str) -> Index:
    path = directory / f"ind.{dataset}.{part}"
    found = _read(path)
    if not (isinstance(found, np.ndarray) and found.ndim == 2 and found.dtype.kind in "iu"):
        raise DataError(f"{path} holds no table of labels, one column a class; fetch it again.")
    return found.astype(np.int64)


def _graph(path: Path, n: int) -> csr_array:
    """Return the neighbours of all nodes: float32 [n, n], symmetric, ones."""
    found = _read(path)
    if not isinstance(found, dict) or not all(isinstance(others, list) for others in found.values()):
        raise DataError(f"{path} holds no lists of neighbours; fetch it again.")
    try:
        counts = [len(others) for others in found.values()]
        sender = np.repeat(np.array(list(found), dtype=np.int64), counts)
        receiver = np.array([node for others in found.values() for node in others], dtype=np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} names nodes by something else than numbers ({error}); fetch it again.") from error
    ends = np.concatenate([sender, receiver])
    if ends.size and not (ends.min() >= 0 and ends.max() < n):
        raise DataError(f"{path} has an edge to node {ends.max()}, and the features are of {n}; fetch the files again.")
    both = coo_array((np.ones(ends.size, dtype=np.float32), (ends, np.concatenate([receiver, sender]))), shape=(n, n))
    graph = csr_array(both.tocsr())
    graph.data[:] = 1
    return graph


def _test_index(path: Path) -> Index:
    try:
        return np.array([int(line) for line in path.read_text(encoding="ascii").split()], dtype=np.int64)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise DataError(f"{path} should hold a number a line: {error}.") from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot read {path}: {error.strerror or error}. Expected the files of Planetoid: ind.NAME.x, y, tx, ty, allx, ally, "
        "graph and test.index."
    )


def _read(path: Path) -> Any:
    """Read a pickle that may hold arrays, sparse matrices, lists and dictionaries, and nothing else."""
    try:
        with path.open("rb") as file:
            # Written by Python 2, whose strings were bytes.
            return _Restricted(file, encoding="latin1").load()
    except OSError as error:
        raise _unreadable(path, error) from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (
        pickle.UnpicklingError,
        struct.error,
        EOFError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        MemoryError,
        OverflowError,
    ) as error:  # fmt: skip - whatever a damaged pickle ends in
        raise DataError(f"{path} is cut short or damaged ({error}); fetch it again.") from error


class _Named:
    """Stands for a class that a pickle names as an argument; it can neither be called nor made."""

    def __init__(self, name: str) -> None:
        self.name = name


_NDARRAY, _LIST = _Named("ndarray"), _Named("list")


class _Matrix:
    """What a SciPy matrix becomes: its attributes, looked at with care."""


def _array_to_be_filled(kind: Any, shape: Any, code: Any) -> NDArray[Any]:
    """Stand for NumPy's `_reconstruct`: an empty array that the next instruction of the pickle fills."""
    if kind is not _NDARRAY or shape != (0,):
        raise DataError(f"it asks for an array of kind {kind!r} and shape {shape!r} to begin with; refused.")
    return np.empty(0, dtype=code)


def _plain_dictionary(*_: Any) -> dict[Any, Any]:
    """Stand for defaultdict(list)."""
    return {}


def _bytes_of(text: Any, encoding: Any = "latin1") -> bytes:
    """Stand for `codecs.encode`, by which Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise DataError(f"it encodes a {type(text).__name__} as {encoding!r}; refused.")
    return text.encode("latin1")


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _array_to_be_filled,
    ("numpy._core.multiarray", "_reconstruct"): _array_to_be_filled,
    ("scipy.sparse.csr", "csr_matrix"): _Matrix,
    ("scipy.sparse._csr", "csr_matrix"): _Matrix,
    ("collections", "defaultdict"): _plain_dictionary,
    ("__builtin__", "list"): _LIST,
    ("builtins", "list"): _LIST,
    ("_codecs", "encode"): _bytes_of,
}
"""Every name that a file may use, and what stands for it here."""


class _Restricted(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Look a name up in `_ALLOWED`; nothing is ever imported."""
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise DataError(
                f"it asks for {module_name}.{global_name}, which no Planetoid file needs; refused, since reading it could run code."
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to things outside of the file."""
        raise DataError(f"it refers to something outside of itself ({pid!r}); refused.")
