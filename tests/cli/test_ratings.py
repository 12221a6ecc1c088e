"""`compare --task ratings` end to end on small files, and bad ones."""

import json
from pathlib import Path

import pytest

from edgewise.cli.main import main
from edgewise.testing.planted import planted_ratings


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    planted_ratings().train.to_frame().rename({"value": "rating"}).write_csv(path)
    return path


def test_compare_writes_errors_and_a_report(ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, page = tmp_path / "out.json", tmp_path / "report.html"
    main(
        ["compare", "--data", str(ratings), "--task", "ratings", "--split", "random", "--models", "biases,mf,neumf,gc-mc",
         "--set", "mf.epochs=5", "--set", "neumf.epochs=5", "--set", "gc-mc.epochs=3", "--set", "gc-mc.embedding_dim=8",
         "--json", str(out), "--report", str(page)]
    )  # fmt: skip
    found = json.loads(out.read_text())
    assert found["main_metric"] == "rmse"
    for figures in found["models"].values():
        assert 0 < figures["mae"] <= figures["rmse"] < 3
        assert figures["intervals"]["rmse"][0] <= figures["rmse"] <= figures["intervals"]["rmse"][1]
    assert found["models"][found["winner"]]["rmse"] == min(figures["rmse"] for figures in found["models"].values())
    assert "RMSE" in page.read_text()
    assert "mae" in capsys.readouterr().out


def test_k_fold_goes_through_all_folds_unless_one_is_named(ratings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = [
        "compare",
        "--data",
        str(ratings),
        "--task",
        "ratings",
        "--split",
        "k-fold",
        "--models",
        "biases",
        "--json",
        str(out),
    ]
    main(arguments)
    every = json.loads(out.read_text())["data"]
    main([*arguments, "--set", "split.fold=1"])
    one = json.loads(out.read_text())["data"]
    assert every["n_test"] == planted_ratings().train.ratings.nnz
    assert one["n_test"] == pytest.approx(every["n_test"] / 5, abs=1)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (["a,x,1", "a,y,1", "b,x,1", "b,y,1"], "so there is nothing to predict"),
        (["a,x,good", "a,y,bad", "b,x,good", "b,y,bad"], "rating"),
        (["a,x,1", "a,y,nan", "b,x,3", "b,y,2"], None),
        (["a,x,1", "a,y,5", "a,z,3", "a,v,2"], None),
    ],
    ids=["one value", "text", "nan", "one user"],
)
def test_bad_ratings_end_with_words_or_are_lived_with(
    rows: list[str], text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("user_id,item_id,rating\n" + "\n".join(rows) + "\n")
    code = main(
        [
            "compare",
            "--data",
            str(path),
            "--task",
            "ratings",
            "--split",
            "random",
            "--set",
            "split.test=0.3",
            "--models",
            "biases,mf,gc-mc,neumf",
            "--set",
            "mf.epochs=1",
            "--set",
            "gc-mc.epochs=1",
            "--set",
            "neumf.epochs=1",
        ]
    )
    printed = capsys.readouterr()
    if text is not None:
        assert code != 0
        assert text in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
