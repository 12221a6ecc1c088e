"""The restricted reader of Planetoid's pickles: what it gives, and that it runs nothing and says what is wrong."""

import os
import pickle  # noqa: TID251 - to write hostile files
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewise.data.planetoid import _labels, read_planetoid
from edgewise.errors import DataError

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")


@pytest.fixture
def copied(shared_data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A folder with Cora's files, to be damaged."""
    for part in PARTS:
        shutil.copy(shared_data(f"planetoid/ind.cora.{part}"), tmp_path / f"ind.cora.{part}")
    return tmp_path


def test_cora_is_as_published(shared_data: Callable[[str], Path]) -> None:
    data = read_planetoid(shared_data("planetoid/ind.cora.x").parent, "cora")
    assert (data.n_nodes, data.x.shape[1], len(data.classes or ())) == (2708, 1433, 7)
    assert (data.train.size, data.valid.size, data.test.size) == (140, 500, 1000)
    assert data.graph.nnz == 2 * 5278
    assert (data.graph != data.graph.T).nnz == 0
    assert np.bincount(data.labels[data.train]).tolist() == [20] * 7
    np.testing.assert_allclose(data.x.sum(1), 1, rtol=1e-5)


def test_citeseer_has_15_nodes_that_the_files_skip(shared_data: Callable[[str], Path]) -> None:
    data = read_planetoid(shared_data("planetoid/ind.citeseer.x").parent, "citeseer")
    assert (data.n_nodes, data.x.shape[1], data.test.size) == (3327, 3703, 1000)
    gaps = np.flatnonzero(data.labels < 0)
    assert gaps.size == 15
    assert data.x[gaps].nnz == 0
    assert not np.isin(gaps, np.concatenate([data.train, data.valid, data.test])).any()
    assert data.notes == ("15 nodes have no edges, no features and no label",)


class _Hostile:
    """What pickles as a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("part", ["x", "ally", "graph"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(copied: Path, part: str, protocol: int) -> None:
    trace = copied / "trace"
    bad = pickle.dumps({0: [_Hostile(f"touch {trace}")]}, protocol=protocol)
    (copied / f"ind.cora.{part}").write_bytes(bad)
    with pytest.raises(
        DataError, match=rf"ind.cora.{part}: it asks for \w+.system, which no Planetoid file needs; refused"
    ):
        read_planetoid(copied, "cora")
    assert not trace.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c__builtin__\n__import__\n(S'os'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x02cnumpy\nndarray\n(K\x05tR.",  # a name that is allowed, called where it may not be
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R.",  # 2 GB
        b"Pelsewhere\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"cnumpy\ndtype\n(S'(a,)f4'\ntR.",  # what NumPy reads as Python
        b"cnumpy\ndtype\n(S'V2147483647'\ntR.",
        b"\x80\x02}N" + b"\x85" * 2_000_000 + b"Ns.",  # a key so deep that hashing it overruns the stack
        b"cscipy.sparse.csr\ncsr_matrix\n(N(dS'__init__'\nNstb.",  # sets attributes of what is the same for every file
        b"cnumpy\ndtype\n(N(S'__defaults__'\nNdtb.",
    ],
)
def test_other_tricks_are_refused(copied: Path, code: bytes) -> None:
    (copied / "ind.cora.graph").write_bytes(code)
    with pytest.raises(DataError, match=r"ind\.cora\.graph"):
        read_planetoid(copied, "cora")


class _Forged:
    """What pickles as an array whose bytes, by the dtype that comes with it, are addresses of objects."""

    def __init__(self, code: str, fields: tuple[Any, ...]) -> None:
        self.dtype = _Pickled(np.dtype, (code, False, True), (3, "|", None, *fields, 8, 1, 0))

    def __reduce__(self) -> tuple[Any, ...]:
        return *np.zeros(1).__reduce__()[:2], (1, (1,), self.dtype, False, b"A" * 8)


class _Pickled:
    """What pickles as a call of a function, and a state for what it returns."""

    def __init__(self, function: Any, given: tuple[Any, ...], state: tuple[Any, ...]) -> None:
        self.parts = (function, given, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


@pytest.mark.parametrize("part", ["allx", "ally"])
@pytest.mark.parametrize("code", ["V8", "O8", "i8"])
def test_bytes_do_not_become_addresses_of_objects(copied: Path, part: str, code: str) -> None:
    address = _Pickled(np.dtype, ("i8", False, True), (3, "|", None, None, None, -1, -1, 0))
    (copied / f"ind.cora.{part}").write_bytes(pickle.dumps(_Forged(code, (("a",), {"a": (address, 0)})), protocol=2))
    with pytest.raises(DataError, match=rf"ind.cora.{part}: it .*plain numbers.*; refused"):
        read_planetoid(copied, "cora")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_what_python_3_writes_is_read_too(copied: Path, protocol: int) -> None:
    before = read_planetoid(copied, "cora")
    for part in ("ty", "ally"):
        path = copied / f"ind.cora.{part}"
        labels = _labels(copied, "cora", part)
        path.write_bytes(pickle.dumps(np.asfortranarray(labels).astype(">i8"), protocol=protocol))
    assert (read_planetoid(copied, "cora").labels == before.labels).all()


@pytest.mark.parametrize("part", PARTS[2:-1])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_told(copied: Path, part: str, share: float) -> None:
    path = copied / f"ind.cora.{part}"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=rf"ind\.cora\.{part} is cut short or damaged"):
        read_planetoid(copied, "cora")


def test_missing_and_swapped_files_are_told(copied: Path) -> None:
    shutil.copy(copied / "ind.cora.tx", copied / "ind.cora.allx")
    with pytest.raises(DataError, match="do not fit each other"):
        read_planetoid(copied, "cora")
    shutil.copy(copied / "ind.cora.graph", copied / "ind.cora.allx")
    with pytest.raises(DataError, match=r"ind.cora.allx holds no sparse matrix"):
        read_planetoid(copied, "cora")
    (copied / "ind.cora.test.index").write_text("17\nx\n")
    with pytest.raises(DataError, match=r"ind.cora.allx"):
        read_planetoid(copied, "cora")
    with pytest.raises(DataError, match=r"cannot read .*ind.pubmed.x: No such file"):
        read_planetoid(copied, "pubmed")


@pytest.mark.parametrize(
    ("node", "told"),
    [(5000, "5000"), (-1, "-1"), (1.5, "something that is a float"), ([1, 2], "something that is a list")],
)
def test_an_edge_to_no_node_is_told(copied: Path, node: Any, told: str) -> None:
    (copied / "ind.cora.graph").write_bytes(pickle.dumps({0: [node]}, protocol=2))
    with pytest.raises(DataError, match=f"has an edge to node {told}, and the features are of 2708"):
        read_planetoid(copied, "cora")


def test_numbers_of_test_nodes_with_a_large_gap_and_nodes_without_a_class_are_told(copied: Path) -> None:
    index = (copied / "ind.cora.test.index").read_text()
    (copied / "ind.cora.test.index").write_text(index.replace("2692", "1000000000000"))
    with pytest.raises(DataError, match="1000 test nodes have numbers up to 1000000000000"):
        read_planetoid(copied, "cora")
    (copied / "ind.cora.test.index").write_text(index)
    labels = _labels(copied, "cora", "ally").copy()
    labels[3] = 0
    (copied / "ind.cora.ally").write_bytes(pickle.dumps(labels, protocol=2))
    with pytest.raises(DataError, match="node 3 is to be learnt from or predicted and has no class"):
        read_planetoid(copied, "cora")
    (copied / "ind.cora.ally").write_bytes(pickle.dumps(labels[:, :5], protocol=2))
    with pytest.raises(DataError, match="do not fit each other"):
        read_planetoid(copied, "cora")
