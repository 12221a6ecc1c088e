"""The citation graphs of Planetoid: Cora, Citeseer, Pubmed, from the files of its authors.

Yang et al., "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016 (arXiv:1603.08861). The files are
pickles, which could run code when they are read. This is the only place that reads any, and it builds nothing but arrays,
lists and dictionaries: every name in a file stands for a function of this module or is refused.
"""

import io
import pickle  # noqa: TID251 - the format of these files; see `_Restricted`
import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack

from edgewise.data.node_data import NodeData
from edgewise.errors import DataError
from edgewise.types import Index

DATASETS = ("cora", "citeseer", "pubmed")
_N_VALID = 500
_MOST_TUPLES = 1000
"""More than any file needs, and too few to overrun a stack one within the other."""


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
    fits = tx.shape[0] == ty.shape[0] == test.size and ally.shape[0] == n_known
    if not fits or tx.shape[1] != allx.shape[1] or ty.shape[1] != ally.shape[1]:
        raise DataError(
            f"{dataset} in {directory}: allx {list(allx.shape)}, ally {list(ally.shape)}, tx {list(tx.shape)}, ty {list(ty.shape)} and "
            f"{test.size} test nodes do not fit each other. The files may be of different sets; fetch them again."
        )
    if test.size != np.unique(test).size or test.min(initial=n_known) < n_known or x.shape[0] + _N_VALID > n_known:
        raise DataError(
            f"{dataset} in {directory}: the test nodes repeat, or overlap the {n_known} others, or fewer than {_N_VALID} are left to "
            "validate. The files may be of different sets; fetch them again."
        )
    if n - n_known > test.size + n_known:
        raise DataError(
            f"{dataset} in {directory}: {test.size} test nodes have numbers up to {n - 1}, and there are {n_known} others; expected "
            "few gaps between them. The index file may be damaged; fetch it again."
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
    nameless = np.concatenate([np.flatnonzero(labels[: n_train + _N_VALID] < 0), test[labels[test] < 0]])
    if nameless.size:
        raise DataError(
            f"{dataset} in {directory}: node {nameless[0]} is to be learnt from or predicted and has no class. The files may be of "
            "different sets; fetch them again."
        )
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
    parts = [_values(state.get(name)) for name in ("data", "indices", "indptr")]
    shape = state.get("_shape")
    if any(array is None for array in parts) or not (isinstance(shape, tuple) and len(shape) == 2):
        raise DataError(f"{path} holds no sparse matrix. The files of {dataset} may be mixed up; fetch them again.")
    try:
        data, indices, indptr = parts
        matrix = csr_array((np.asarray(data, dtype=np.float32), indices, indptr), shape=shape)
        matrix.check_format(full_check=True)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} holds a damaged sparse matrix ({error}); fetch it again.") from error
    if not np.isfinite(matrix.data).all():
        raise DataError(f"{path} holds features that are not finite numbers; fetch it again.")
    return matrix


def _values(found: Any) -> NDArray[Any] | None:
    """Return the numbers of an array in a file; None if it is none."""
    return found.values if isinstance(found, _Array) else None


def _labels(directory: Path, dataset: str, part: str) -> Index:
    path = directory / f"ind.{dataset}.{part}"
    found = _values(_read(path))
    if found is None or found.ndim != 2 or found.dtype.kind not in "iu":
        raise DataError(f"{path} holds no table of labels, one column a class; fetch it again.")
    return found.astype(np.int64)


def _graph(path: Path, n: int) -> csr_array:
    """Return the neighbours of all nodes: float32 [n, n], symmetric, ones."""
    found = _read(path)
    if not isinstance(found, dict) or not all(isinstance(others, list) for others in found.values()):
        raise DataError(f"{path} holds no lists of neighbours; fetch it again.")
    counts = [len(others) for others in found.values()]
    named = [*found, *(node for others in found.values() for node in others)]
    if wrong := [node for node in named if type(node) is not int or not 0 <= node < n]:
        shown = str(wrong[0])[:40] if type(wrong[0]) is int else f"something that is a {type(wrong[0]).__name__}"
        raise DataError(f"{path} has an edge to node {shown}, and the features are of {n}; fetch the files again.")
    sender = np.repeat(np.array(named[: len(found)], dtype=np.int64), counts)
    receiver = np.array(named[len(found) :], dtype=np.int64)
    ends = np.concatenate([sender, receiver])
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
        content = path.read_bytes()
        _check_depth(content)
        # Written by Python 2, whose strings were bytes.
        return _Restricted(io.BytesIO(content), encoding="latin1").load()
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


def _check_depth(content: bytes) -> None:
    """Refuse tuples within tuples within tuples: as a key of a dictionary these would overrun the stack of the process."""
    n = sum(instruction.name.startswith("TUPLE") for instruction, _, _ in pickletools.genops(content))
    if n > _MOST_TUPLES:
        raise DataError(f"it makes {n:,} tuples, and no Planetoid file needs more than a few; refused.")


class _Named(NamedTuple):
    """Stands for a class that a pickle names as an argument; it can neither be called nor made."""

    name: str


_NDARRAY, _LIST = _Named("ndarray"), _Named("list")


class _Closed(type):
    """Classes that nothing in a file can change: a pickle may set attributes of whatever it can name."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise DataError(f"it sets {name} of {cls.__name__}; refused.")


class _Matrix(metaclass=_Closed):
    """What a SciPy matrix becomes: its attributes, looked at with care."""


class _Number(metaclass=_Closed):
    """What NumPy's dtype becomes: a kind of plain numbers. NumPy's own could be told that bytes are addresses of objects."""

    __slots__ = ("code",)

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or re.fullmatch(r"b1|[iu][1248]|f[248]", code) is None:
            raise DataError(f"it asks for an array of {str(code)[:40]!r}, and only plain numbers are read; refused.")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) >= 5 else None
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise DataError("it describes an array of something else than plain numbers; refused.")
        self.code = order + self.code[-2:]


class _Array(metaclass=_Closed):
    """What a NumPy array becomes, before and after the file says what is in it: `values`, or None."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        match state:
            case (1, tuple(shape), _Number(code=str(code)), bool(is_fortran), str() | bytes() as given):
                content = given.encode("latin1") if isinstance(given, str) else given
                flat = np.frombuffer(content, dtype=code)
                self.values = flat.reshape(shape, order="F" if is_fortran else "C")
            case _:
                raise DataError("it describes an array of something else than plain numbers; refused.")


class _Call(NamedTuple):
    """Stands for a function that a pickle names; a file could change the defaults of the function itself."""

    run: Callable[..., Any]

    def __call__(self, *given: Any) -> Any:
        return self.run(*given)


def _array_to_be_filled(kind: Any, shape: Any, _: Any) -> _Array:
    """Stand for NumPy's `_reconstruct`: an empty array that the next instruction of the pickle fills."""
    if kind is not _NDARRAY or shape != (0,):
        raise DataError(f"it asks for an array of kind {kind!r} and shape {shape!r} to begin with; refused.")
    return _Array()


def _dtype(code: Any, *_: Any) -> _Number:
    """Stand for numpy.dtype(code, align, copy)."""
    return _Number(code)


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
    ("numpy", "dtype"): _Call(_dtype),
    ("numpy.core.multiarray", "_reconstruct"): _Call(_array_to_be_filled),
    ("numpy._core.multiarray", "_reconstruct"): _Call(_array_to_be_filled),
    ("scipy.sparse.csr", "csr_matrix"): _Matrix,
    ("scipy.sparse._csr", "csr_matrix"): _Matrix,
    ("collections", "defaultdict"): _Call(_plain_dictionary),
    ("__builtin__", "list"): _LIST,
    ("builtins", "list"): _LIST,
    ("_codecs", "encode"): _Call(_bytes_of),
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
