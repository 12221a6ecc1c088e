"""Every command does what it says, for people and for programs."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edgewise.cli.main import main
from edgewise.models import MODELS


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """Run a command with --json on standard output."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out)


def test_fit_writes_a_folder_that_recommends(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    [given] = run_json(capsys, "recommend", model_folder, "--user", "u000", "-k", 5)
    assert given["user_id"] == "u000"
    assert given["source"] == "item-knn"
    assert [item["rank"] for item in given["items"]] == [1, 2, 3, 4, 5]
    assert all(item["title"].startswith("Title ") for item in given["items"])


def test_fit_keeps_what_ran_beside_the_result(model_folder: Path, log: Path) -> None:
    text = (model_folder / "run.toml").read_text()
    assert f'path = "{log}"' in text
    assert 'name = "item-knn"' in text


def test_a_kept_configuration_runs_again(tmp_path: Path, model_folder: Path) -> None:
    assert main(["fit", "--config", str(model_folder / "run.toml"), "--out", str(tmp_path / "again")]) == 0
    first, again = (json.loads((folder / "model.json").read_text()) for folder in (model_folder, tmp_path / "again"))
    assert first["files"]["arrays.safetensors"] == again["files"]["arrays.safetensors"]


def test_a_model_that_takes_the_place_of_another_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, log: Path
) -> None:
    arguments = ["fit", "--data", str(log), "--model", "popularity", "--out", str(tmp_path / "model")]
    assert run_json(capsys, *arguments)["replaced"] is False
    assert run_json(capsys, *arguments)["replaced"] is True
    assert main(arguments) == 0
    assert "in the place of the model that was there" in " ".join(capsys.readouterr().out.split())


def test_settings_reach_the_model(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "model"
    assert main(["fit", "--data", str(log), "--model", "popularity", "--set", "count=events", "--out", str(out)]) == 0
    assert json.loads((out / "model.json").read_text())["config"] == {"count": "events"}


def test_an_unknown_user_is_told_that_popular_items_answer(
    capsys: pytest.CaptureFixture[str], model_folder: Path
) -> None:
    assert main(["recommend", str(model_folder), "--user", "nobody", "-k", "3"]) == 0
    assert "by popular: the model does not know this user" in capsys.readouterr().out


def test_rules_and_hidden_items_hold_for_every_list(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    given = run_json(
        capsys, "recommend", model_folder, "--user", "u000", "--user", "nobody", "-k", 44,
        "--set", "serve.rule=item_id < 1020", "--set", 'serve.hidden=["1003"]', "--set", "serve.fill=true",
    )  # fmt: skip
    shown = [item["item_id"] for one in given for item in one["items"]]
    assert shown
    assert all(item < 1020 and item != 1003 for item in shown)


def test_a_rule_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    assert main(["recommend", str(model_folder), "--user", "u000", "--set", "serve.rule=colour == 3"]) == 2
    assert "names colour, which the items do not have" in capsys.readouterr().err.replace("\n", " ")


def test_similar_lists_the_same_group(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    found = run_json(capsys, "similar", model_folder, "--item", "1000", "-k", 3)
    assert len(found["items"]) == 3
    assert all(1000 < row["item_id"] < 1011 for row in found["items"])


def test_explain_names_items_of_the_history(capsys: pytest.CaptureFixture[str], model_folder: Path, log: Path) -> None:
    [given] = run_json(capsys, "recommend", model_folder, "--user", "u000", "-k", 1)
    found = run_json(capsys, "explain", model_folder, "--user", "u000", "--item", given["items"][0]["item_id"])
    history = set(pl.read_csv(log).filter(pl.col("user_id") == "u000")["item_id"])
    assert found["reasons"]
    assert {reason["item_id"] for reason in found["reasons"]} <= history


def test_explain_tells_what_the_reasons_are_worth(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    found = run_json(capsys, "explain", model_folder, "--history", "1000,1001,1002,1030", "--item", "1003", "-n", 3)
    assert found["user_id"] is None
    assert found["method"] == "perturbation"
    assert {reason["item_id"] for reason in found["reasons"]} <= {1000, 1001, 1002}
    fidelity = found["fidelity"]
    assert fidelity["n"] == len(found["reasons"])
    assert fidelity["alone"] <= fidelity["rank"] <= (fidelity["without"] or 99)
    assert main(["explain", str(model_folder), "--user", "u000", "--item", "1003"]) == 0
    printed = capsys.readouterr().out
    assert "shares of the score" in printed
    assert "without" in printed
    assert "█" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--item", "1003"], "to whom? Give --user ID, or for a newcomer"),
        (["--item", "1003", "--user", "u000", "--history", "1000"], "not both"),
        (
            ["--item", "1003", "--user", "u000", "--method", "magic"],
            "--method 'magic': expected one of shares, perturbation",
        ),
        (["--item", "1003", "--user", "u000", "--method", "attention"], "item-knn has no method 'attention'"),
    ],
)
def test_a_wrong_question_for_reasons_is_refused(
    capsys: pytest.CaptureFixture[str], model_folder: Path, options: list[str], message: str
) -> None:
    assert main(["explain", str(model_folder), *options]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "--user", "u000", "--item", "abc"], "does not know item 'abc'. Look at the id"),
        (["explain", "--user", "nobody", "--item", "1003"], "does not know user 'nobody'"),
        (["similar", "--item", "99999"], "does not know item '99999'"),
    ],
)
def test_who_or_what_is_unknown_is_refused_where_nothing_else_answers(
    capsys: pytest.CaptureFixture[str], model_folder: Path, words: list[str], message: str
) -> None:
    assert main([words[0], str(model_folder), *words[1:]]) == 2
    assert message in capsys.readouterr().err


def test_evaluate_measures_a_folder(capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    rows = [(user, item) for user, item in _withheld().items()]
    pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").write_csv(test)
    found = run_json(capsys, "evaluate", model_folder, "--test", test, "--k", "3")
    assert found["recall@3"] > 0.9
    assert found["n_users"] == len(rows)
    assert found["left_out"] == []


def test_evaluate_says_who_is_left_out(capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    rows = [*_withheld().items(), ("nobody", 1000), ("somebody", 1001), (next(iter(_withheld())), 77)]
    pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").write_csv(test)
    assert main(["evaluate", str(model_folder), "--test", str(test), "--k", "3"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{len(_withheld())} of {len(_withheld()) + 2} users, ranked over" in said
    assert "left out: 2 users unknown to the model, who would get what is popular." in said
    assert "1 item of the test is unknown to the model" in said


def test_compare_writes_the_keys_that_programs_read(tmp_path: Path, log: Path, items_file: Path) -> None:
    out, report = tmp_path / "out.json", tmp_path / "report.html"
    arguments = [
        "compare",
        "--data",
        log,
        "--split",
        "random",
        "--items",
        items_file,
        "--models",
        "popularity,item-knn",
        "--k",
        "5,10",
    ]
    assert main([*map(str, arguments), "--seed", "0", "--json", str(out), "--report", str(report)]) == 0
    found = json.loads(out.read_text())
    assert set(found) >= {"data", "models", "significance"}
    assert list(found["models"]) == ["popularity", "item-knn"]
    for figures in found["models"].values():
        assert {"recall@5", "ndcg@5", "recall@10", "ndcg@10", "fit_s", "evaluate_s", "peak_rss_mb"} <= set(figures)
    assert found["winner"] == "item-knn"
    assert found["models"]["item-knn"]["ndcg@10"] > found["models"]["popularity"]["ndcg@10"]
    [test] = found["significance"]
    assert (test["better"], test["worse"]) == ("item-knn", "popularity")
    assert test["significant"]
    assert report.read_text().startswith("<!doctype html>")


def test_compare_takes_given_files(tmp_path: Path, log: Path) -> None:
    test, out = tmp_path / "test.csv", tmp_path / "out.json"
    pl.DataFrame(list(_withheld().items()), schema=["user_id", "item_id"], orient="row").write_csv(test)
    arguments = ["compare", "--train", log, "--test", test, "--models", "item-knn", "--k", "3", "--json", out]
    assert main(list(map(str, arguments))) == 0
    found = json.loads(out.read_text())
    assert found["models"]["item-knn"]["recall@3"] > 0.9
    assert found["data"]["split"] == "given"


@pytest.mark.parametrize("split", ["random", "leave-last-out", "time", "cold-users", "cold-items", "k-fold"])
def test_compare_works_with_every_split(tmp_path: Path, log: Path, split: str) -> None:
    out = tmp_path / "out.json"
    assert (
        main(["compare", "--data", str(log), "--split", split, "--models", "popularity,item-knn", "--json", str(out)])
        == 0
    )
    assert json.loads(out.read_text())["data"]["split"] == split


def test_the_same_seed_gives_the_same_figures(tmp_path: Path, log: Path) -> None:
    found = []
    for name in ("a.json", "b.json"):
        assert (
            main(
                [
                    "compare",
                    "--data",
                    str(log),
                    "--split",
                    "random",
                    "--models",
                    "item-knn",
                    "--json",
                    str(tmp_path / name),
                ]
            )
            == 0
        )
        figures = json.loads((tmp_path / name).read_text())["models"]["item-knn"]
        found.append(
            {key: value for key, value in figures.items() if key not in ("fit_s", "evaluate_s", "peak_rss_mb")}
        )
    assert found[0] == found[1]


def test_quick_tuning_searches_and_says_so(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "out.json"
    arguments = [
        "compare",
        "--data",
        str(log),
        "--split",
        "random",
        "--models",
        "popularity,item-knn",
        "--tune-quick",
        "--set",
        "tune.n_trials=3",
    ]
    assert main([*arguments, "--json", str(out)]) == 0
    models = json.loads(out.read_text())["models"]
    assert models["item-knn"]["notes"][0].startswith("tuned: 3 settings tried")
    assert models["popularity"]["notes"] == []


def test_a_contender_is_set_by_its_name(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "out.json"
    arguments = [
        "compare",
        "--data",
        str(log),
        "--split",
        "random",
        "--models",
        "popularity",
        "--set",
        "popularity.count=events",
    ]
    assert main([*arguments, "--json", str(out)]) == 0
    assert json.loads(out.read_text())["models"]["popularity"]["config"] == {"count": "events"}


def test_settings_of_a_model_that_is_not_compared_are_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "--data", str(log), "--split", "random", "--models", "popularity"]
    assert main([*arguments, "--set", "ease.regularization=5"]) == 2
    assert "settings of 'ease', which is not compared" in " ".join(capsys.readouterr().err.split())


def test_a_contender_that_cannot_take_part_is_reported_and_the_others_go_on(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "out.json"
    assert (
        main(["compare", "--data", str(log), "--split", "random", "--models", "popularity,content", "--json", str(out)])
        == 0
    )
    models = json.loads(out.read_text())["models"]
    assert "--items" in models["content"]["failure"]
    assert models["popularity"]["failure"] is None


def test_the_winner_can_be_saved(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "best"
    arguments = [
        "compare",
        "--data",
        str(log),
        "--split",
        "random",
        "--models",
        "popularity,item-knn",
        "--save",
        str(folder),
    ]
    assert main(arguments) == 0
    assert json.loads((folder / "model.json").read_text())["metrics"]["ndcg@20"] > 0
    assert run_json(capsys, "recommend", folder, "--user", "u003")[0]["source"] == "item-knn"


def test_models_lists_every_model_with_its_paper(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "models")
    assert [row["name"] for row in found] == list(MODELS)
    assert all(row["paper"] and row["title"] and row["needs"] for row in found)


def test_doctor_tells_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "doctor")
    assert found["cpus"] >= 1
    assert found["versions"]["edgewise"]
    assert found["blas"]


def test_inspect_tells_what_is_in_a_log(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    found = run_json(capsys, "inspect", log)
    assert found["n_users"] == 60
    assert main(["inspect", str(log)]) == 0
    assert "60 users" in capsys.readouterr().out


def _withheld() -> dict[str, int]:
    from edgewise.testing.planted import planted_tastes

    return planted_tastes().withheld


def test_a_newcomer_is_answered_by_history(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    given = run_json(capsys, "recommend", model_folder, "--history", "1000, 1001,1002", "-k", 3)
    assert given["source"] == "item-knn"
    assert given["note"] == ""
    ids = [item["item_id"] for item in given["items"]]
    assert all(1002 < item < 1011 for item in ids)
    assert main(["recommend", str(model_folder), "--history", "1000,77"]) == 0
    assert "1 of the 2 items of the history is not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (["--attributes", "age=25"], "item-knn cannot use attributes: it answers by history"),
        (["--history", "77,seven"], "Nothing usable is known of this newcomer"),
        (["--friends", "u001"], "item-knn cannot use friends"),
    ],
)
def test_a_newcomer_of_whom_the_model_can_make_nothing_gets_what_is_popular(
    capsys: pytest.CaptureFixture[str], model_folder: Path, options: list[str], note: str
) -> None:
    given = run_json(capsys, "recommend", model_folder, *options, "-k", 3)
    assert given["source"] == "popular"
    assert note in given["note"]
    assert len(given["items"]) == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [([], "whom for?"), (["--user", "u001", "--history", "1000"], "not both"), (["--attributes", "age"], "KEY=VALUE")],
)
def test_whom_to_recommend_to_has_to_be_said(
    capsys: pytest.CaptureFixture[str], model_folder: Path, options: list[str], text: str
) -> None:
    assert main(["recommend", str(model_folder), *options]) == 2
    assert text in capsys.readouterr().err


def test_a_newcomer_is_answered_by_attributes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, log: Path, items_file: Path
) -> None:
    users = tmp_path / "users.csv"
    rows = "".join(f"u{user:03d},club {user % 4}\n" for user in range(60))
    users.write_text("user_id,club\n" + rows)
    out = tmp_path / "model"
    settings = ["--set", "embedding_dim=8", "--set", "model.encoder.hidden_dim=8", "--set", "epochs=20"]
    options = ["--data", log, "--items", items_file, "--users", users, "--model", "graphsage", "--out", out]
    assert main(["fit", *map(str, options), *settings]) == 0
    given = run_json(capsys, "recommend", out, "--attributes", "club=club 2", "-k", 3)
    assert given["source"] == "graphsage"
    assert all(1022 <= item["item_id"] < 1033 for item in given["items"])
