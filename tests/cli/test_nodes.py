"""`edgewise nodes` from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewise.cli.main import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two groups of ten in a ring each."""
    pairs = [(base + i, base + (i + step) % 10) for base in (0, 10) for i in range(10) for step in (1, 2)]
    (tmp_path / "edges.csv").write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in pairs))
    (tmp_path / "labels.csv").write_text("node_id,label\n" + "".join(f"{i},{'xy'[i // 10]}\n" for i in range(20)))
    return ["nodes", "--edges", str(tmp_path / "edges.csv"), "--labels", str(tmp_path / "labels.csv")]


def test_files_give_metrics_as_json(files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main([*files, "--model", "graphsage", "--seeds", "2", "--set", "epochs=40", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["accuracy_mean"] >= 0.75
    assert {"accuracy_std", "seconds", "macro_f1_mean"} <= set(found)
    assert [one["seed"] for one in found["seeds"]] == [0, 1]
    assert "no features: each node is its own" in found["notes"]
    assert found["settings"]["epochs"] == 40


def test_fan_out_as_an_option_and_as_a_setting_is_the_same(files: list[str], tmp_path: Path) -> None:
    found = []
    for place, extra in enumerate((["--fan-out", "3,-1"], ["--set", "fan_out=[3,-1]"])):
        out = tmp_path / f"{place}.json"
        assert main([*files, *extra, "--set", "epochs=3", "--json", str(out)]) == 0
        found.append(json.loads(out.read_text()))
    assert found[0]["settings"]["fan_out"] == [3, -1]
    assert found[0]["seeds"][0]["test"] == found[1]["seeds"][0]["test"]


def test_planetoid_by_name(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder, out = str(shared_data("planetoid/ind.cora.x").parent), tmp_path / "out.json"
    assert main(["nodes", "--planetoid", folder, "--dataset", "cora", "--set", "epochs=2", "--json", str(out)]) == 0
    assert 0 < json.loads(out.read_text())["accuracy_mean"] <= 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--planetoid", "here"], "give either --planetoid DIR, which brings all that --edges would tell, or files"),
        (
            ["--dataset", "citeseer"],
            "--dataset 'citeseer' is one of Planetoid's; give --planetoid DIR, or leave it out",
        ),
        (["--task", "ranking"], "expected classification or regression"),
        (["--model", "gnn"], "no node model 'gnn'"),
        (["--set", "hidden=3"], "unknown setting 'hidden'"),
        (["--fan-out", "5,0"], "fan_out of hop 2 is 0"),
        (["--fan-out", "5"], "n_layers = 2; give as many numbers as layers, or set n_layers = 1"),
        (["--fan-out", "5,five"], "--fan-out '5,five': expected whole numbers"),
        (["--set", "conv=foo"], "no convolution 'foo'"),
    ],
)
def test_what_does_not_fit_is_told(
    files: list[str], extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, *extra]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("idle", [["--directed"], ["--task", "regression"], ["--features", "here.csv"]])
def test_options_that_planetoid_leaves_no_place_for_are_told(
    idle: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nodes", "--planetoid", "here", *idle]) == 2
    assert f"all that {idle[0]} would tell" in capsys.readouterr().err
    assert main(["nodes", "--edges", "here.csv"]) == 2
    assert "or --edges FILE and --labels FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "weights", "features"),
    [
        (["conv=gcn"], True, False),
        (["conv=gat"], False, True),
        (["conv=sage"], True, False),
        (["conv=sage", "aggregator=max"], False, False),
        (["conv=GraphConv"], True, False),
        (["conv=GINEConv"], False, True),
    ],
)
def test_what_of_the_edges_is_not_looked_at_is_told(
    tmp_path: Path, settings: list[str], *, weights: bool, features: bool
) -> None:
    (tmp_path / "edges.csv").write_text("source,target,weight,years\na,b,2,1\nb,c,1,5\nc,d,3,2\n")
    (tmp_path / "labels.csv").write_text("node_id,label\na,x\nb,y\n")
    (tmp_path / "split.csv").write_text("node_id,split\na,train\nb,train\n")
    files = [word for name in ("edges", "labels", "split") for word in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    options = [word for text in ["epochs=1", *settings] for word in ("--set", text)]
    assert main(["nodes", *files, *options, "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["accuracy_mean"], found["accuracy_std"]) == (None, None)
    notes = found["notes"]
    assert any("does not look at the weights" in note for note in notes) is not weights
    assert any("does not look at the features" in note for note in notes) is not features
    assert "no node to test on: nothing was measured" in notes
