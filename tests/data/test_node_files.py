"""Graphs with labelled nodes from files, tidy and otherwise: what becomes of each oddity, and that it is said."""

from pathlib import Path

import numpy as np
import pytest

from edgewise.data.node_data import NodeData
from edgewise.data.node_files import Task, read_node_files
from edgewise.errors import DataError

LABELS = "node_id,label\na,x\nb,y\nc,x\nd,y\n"
FEATURES = "node_id,size\na,1\nb,2\nc,3\nd,5\n"
SPLIT = "node_id,split\na,train\nb,train\nc,valid\nd,test\n"


def _read(
    folder: Path,
    edges: str = "source,target\na,b\nb,c\n",
    labels: str = LABELS,
    features: str | None = FEATURES,
    split: str | None = SPLIT,
    task: Task | None = None,
    *,
    directed: bool = False,
) -> NodeData:
    paths = []
    for name, text in (("edges", edges), ("labels", labels), ("features", features), ("split", split)):
        path = folder / f"{name}.csv"
        if text is not None:
            path.write_text(text)
        paths.append(None if text is None else path)
    assert paths[0] is not None
    assert paths[1] is not None
    return read_node_files(paths[0], paths[1], features=paths[2], split=paths[3], task=task, directed=directed)


def _told(data: NodeData, text: str) -> bool:
    return any(text in note for note in data.notes)


def test_tidy_files(tmp_path: Path) -> None:
    data = _read(tmp_path)
    assert list(data.node_ids) == ["a", "b", "c", "d"]
    assert data.graph.toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.classes == ("x", "y")
    assert (data.train.tolist(), data.valid.tolist(), data.test.tolist()) == ([0, 1], [2], [3])
    assert _told(data, "1 node without edges")


def test_directed_edges_reach_their_target_alone(tmp_path: Path) -> None:
    data = _read(tmp_path, directed=True)
    assert data.graph.toarray()[1].tolist() == [1, 0, 0, 0]
    assert data.graph.nnz == 2


def test_loops_are_kept_and_repeated_and_reversed_edges_count_once(tmp_path: Path) -> None:
    data = _read(tmp_path, "source,target,weight\na,b,2\nb,a,3\na,b,5\nc,c,1\n")
    assert data.graph.nnz == 3
    assert data.graph[0, 1] == data.graph[1, 0] == 2
    assert data.graph[2, 2] == 1
    assert _told(data, "1 self-loop kept")
    assert _told(data, "repeated or reversed edges count once, with the weight of the first")


def test_a_loop_alone_is_no_repetition(tmp_path: Path) -> None:
    assert not _told(_read(tmp_path, "source,target\na,b\nc,c\n"), "repeated")


def test_nodes_that_only_an_edge_names_get_what_missing_features_get(tmp_path: Path) -> None:
    data = _read(tmp_path, "source,target\na,b\nb,new\n")
    assert data.n_nodes == 5
    assert data.labels[-1] == -1
    assert _told(data, "1 node without features")
    assert float(data.x[4].sum()) == pytest.approx(data.x.toarray()[[1, 2]].mean(), abs=1e-6)


def test_missing_features_are_imputed_by_the_median_and_told(tmp_path: Path) -> None:
    data = _read(tmp_path, features="node_id,size,kind\na,1,p\nb,NaN,p\nc,3,q\nd,,q\n")
    column = data.x.toarray()[:, 0]
    assert column[1] == column[3] == pytest.approx((column[0] + column[2]) / 2)
    assert _told(data, "missing values imputed (size 2)")


def test_features_of_edges_follow_them(tmp_path: Path) -> None:
    data = _read(tmp_path, "source,target,years\na,b,1\nb,c,5\n")
    assert data.edge_features is not None
    assert data.edge_features.shape == (4, 1)
    receiver = np.repeat(np.arange(4), np.diff(data.graph.indptr))
    ends = [tuple(sorted(pair)) for pair in zip(receiver, data.graph.indices, strict=True)]
    old = {pair: value for pair, value in zip(ends, data.edge_features[:, 0], strict=True)}  # noqa: C416
    assert old[0, 1] < old[1, 2]
    assert len(set(data.edge_features[:, 0].tolist())) == 2


def test_words_of_edges_do_not_fill_the_memory(tmp_path: Path) -> None:
    rows = "".join(f"a,n{i},the w{i} v{i % 3} u{i // 2}\n" for i in range(300))
    data = _read(tmp_path, "source,target,comment\n" + rows, features=None)
    assert data.edge_features is not None
    assert data.edge_features.shape[1] <= 101


def test_without_features_each_node_is_its_own(tmp_path: Path) -> None:
    data = _read(tmp_path, features=None)
    assert data.x.toarray().tolist() == np.eye(4).tolist()
    assert _told(data, "no features")


def test_features_that_are_all_the_same_are_told(tmp_path: Path) -> None:
    data = _read(tmp_path, features="node_id,size\na,1\nb,1\nc,1\nd,1\n")
    assert data.x.toarray().tolist() == [[1]] * 4
    assert _told(data, "no feature tells nodes apart")


def test_a_class_that_is_missing_in_train_is_told(tmp_path: Path) -> None:
    data = _read(tmp_path, split="node_id,split\na,train\nb,test\nc,train\n")
    assert _told(data, "1 class without a training node, never predicted: y")


def test_numbers_with_fractions_ask_for_regression_and_whole_ones_are_classes(tmp_path: Path) -> None:
    data = _read(tmp_path, labels="node_id,label\na,1.5\nb,2\nc,\nd,4\n")
    assert data.classes is None
    np.testing.assert_allclose(data.labels, [1.5, 2, np.nan, 4])
    assert _told(data, "1 row of labels without a node or a label left out")
    assert _told(data, "1 node of the split without a label left out")
    whole = "node_id,label\na,10\nb,2\nc,10\nd,2\n"
    assert _read(tmp_path, labels=whole).classes == ("2", "10")
    assert _read(tmp_path, labels=whole, task="regression").labels.tolist() == [10, 2, 10, 2]


def test_without_a_split_it_is_random_and_the_same_again(tmp_path: Path) -> None:
    labels = "node_id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(20))
    edges = "source,target\n1,2\n"
    data = _read(tmp_path, edges, labels, features=None, split=None)
    assert (data.train.size, data.valid.size, data.test.size) == (12, 4, 4)
    assert sorted(np.concatenate([data.train, data.valid, data.test])) == list(range(20))
    assert _read(tmp_path, edges, labels, features=None, split=None).train.tolist() == data.train.tolist()


def test_one_node_and_no_edge(tmp_path: Path) -> None:
    data = _read(tmp_path, "source,target\na,a\n", "node_id,label\na,x\n", "node_id,size\na,1\n", None)
    assert (data.n_nodes, data.train.tolist(), data.test.size) == (1, [0], 0)


def test_columns_of_other_names_are_taken_by_their_places_and_told(tmp_path: Path) -> None:
    usual = _read(tmp_path)
    data = _read(tmp_path, "follower,followed\na,b\nb,c\n", labels="who,what\na,x\nb,y\nc,x\nd,y\n")
    assert (data.graph != usual.graph).nnz == 0
    assert data.labels.tolist() == usual.labels.tolist()
    assert _told(
        data, "edges.csv: no columns of the usual names, so taken by their places: 'follower' as source, 'followed' as"
    )
    assert _told(
        data, "labels.csv: no columns of the usual names, so taken by their places: 'who' as node_id, 'what' as label"
    )
    half = _read(tmp_path, "followed,source\nb,a\nc,b\n", directed=True)
    assert half.graph.toarray()[1].tolist() == [1, 0, 0, 0]
    assert _told(half, "edges.csv: no columns of the usual names, so taken by their places: 'followed' as target")
    assert not _told(_read(tmp_path, "a,b\nb,c\n"), "by their places")  # without a header there are no names


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"labels": "node_id,label\na,x\na,y\n"}, "labels.csv: a node has two different labels"),
        ({"labels": "node_id,label\na,x\nb,y\n", "task": "regression"}, "are no numbers; use --task classification"),
        ({"split": "node_id,split\na,train\nb,holdout\n"}, "row 2: the part 'holdout'; expected train, valid or test"),
        ({"split": "node_id,split\na,train\na,test\n"}, "split.csv: a node is in two parts"),
        ({"split": "node_id,split\na,test\nb,test\n"}, "no node with a label is in the training part"),
        ({"features": "node_id,size\na,1\na,2\n"}, "features.csv: a node_id is empty or there twice"),
        ({"edges": "source,target,weight\na,b,-1\n"}, "edges.csv row 1: weight -1; expected a number >= 0"),
        ({"edges": "source\na\nb\n"}, "edges.csv has the column column_1 alone; expected also one named 'target'"),
    ],
)
def test_contradictions_are_told(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, **files)  # type: ignore[arg-type]
