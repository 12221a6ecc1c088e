"""`edgewise add-items`: what came after training is served; what cannot be is told, and the folder stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgewise.cli.main import main

SMALL = ("--set", "embedding_dim=8", "--set", "model.encoder.hidden_dim=8", "--set", "epochs=3")


@pytest.fixture(scope="module")
def folders(log: Path, items_file: Path) -> dict[str, Path]:
    found = {}
    for name, extra in {"graphsage": SMALL, "lightgcn": SMALL[:2] + SMALL[4:], "content": ()}.items():
        found[name] = log.parent / f"add-{name}"
        given = ["--data", str(log), "--items", str(items_file), "--model", name, "--out", str(found[name])]
        assert main(["fit", *given, *extra]) == 0
    return found


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["graphsage", "content"])
def test_items_known_by_attributes_are_served(
    name: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = written(tmp_path / "new.csv", "item_id,genre,title\n5000,genre 1,A new one\n5001,,\n")
    before = (folders[name] / "model.json").read_bytes()
    out = tmp_path / "more"
    found = run_json(capsys, "add-items", folders[name], "--items", table, "--output", out)
    assert found["added"] == [5000]
    [left] = found["left_out"]
    assert left["item_id"] == 5001
    assert "nothing usable is known of it" in left["reason"]
    assert found["n_items"] == 45
    [given] = run_json(capsys, "recommend", out, "--user", "u015", "-k", 45)
    titles = {item["item_id"]: item["title"] for item in given["items"]}
    assert titles[5000] == "A new one"
    assert 5001 not in titles
    assert (folders[name] / "model.json").read_bytes() == before
    kept, old = (json.loads((folder / "model.json").read_text()) for folder in (out, folders[name]))
    assert (out / "run.toml").read_text() == (folders[name] / "run.toml").read_text()
    assert kept["config"] == old["config"]


def test_items_are_placed_by_who_met_them_and_the_folder_itself_is_replaced(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tmp_path / "model"
    items = written(tmp_path / "new.csv", "item_id\n5000\n5001\n5002\n")
    events = written(tmp_path / "e.csv", "user_id,item_id\nu001,5000\nu005,5000\nu001,1000\nzoe,5001\n")
    found = run_json(capsys, "add-items", folders["lightgcn"], "--items", items, "--events", events, "--output", first)
    assert found["added"] == [5000]
    assert [left["item_id"] for left in found["left_out"]] == [5001, 5002]
    assert "1 of the 1 users of the history is not known" in found["left_out"][0]["reason"]
    assert "e.csv: 1 event about other items, or without an id: not used." in found["notes"]
    assert "Some of the users who met 1 new item are not known to the model: left out." in found["notes"]
    assert run_json(capsys, "similar", first, "--item", 5000, "-k", 3)["items"]

    again = written(tmp_path / "again.csv", "item_id\n6000\n")
    met = written(tmp_path / "met.csv", "user_id,item_id\nu002,6000\n")
    assert main(["add-items", str(first), "--items", again, "--events", met]) == 0
    told = capsys.readouterr().out
    assert "1 of 1 new items placed; lightgcn now knows 46" in told
    assert f"written to {first}" in told
    assert run_json(capsys, "similar", first, "--item", 6000, "-k", 3)["items"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id,genre\n1000,genre 1\n7000,genre 2\n", "new.csv: 1 of 2 items is in the model already (first: 1000)"),
        ("item_id,genre\n7000,genre 1\n7000,genre 2\n", "item 7000 stands in 2 rows that differ"),
        ("item_id,colour\n7000,red\n", "tells nothing that the model knows of items: the model's items have 'title', 'genres'"),
        ("genre,colour\ngenre 1,red\n", "has no column of item ids; it has 'genre', 'colour'. Name one of them item_id"),
        ("item_id,genre\nseven,genre 1\n", "item ids are integers in this data set, and text were given"),
        ("item_id,genre\n", "has a header (item_id, genre) and no rows"),
        ("", "new.csv"),
        ("item_id,genre\n7000,\n7001,\n", "graphsage can place none of the 2 new items. 7000: nothing usable is known"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_the_folder_stays(
    text: str, message: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folders["graphsage"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert main(["add-items", str(folder), "--items", written(tmp_path / "new.csv", text)]) == 2
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_model_that_takes_no_new_items_and_a_log_of_others_are_told(
    model_folder: Path, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = written(tmp_path / "new.csv", "item_id,genre\n7000,genre 1\n")
    assert main(["add-items", str(model_folder), "--items", table]) == 2
    assert "item-knn cannot take new items" in capsys.readouterr().err
    others = written(tmp_path / "e.csv", "user_id,item_id\nu001,1000\nu002,1001\n")
    assert main(["add-items", str(folders["lightgcn"]), "--items", table, "--events", others]) == 2
    assert "e.csv: none of its 2 events is about one of the new items" in capsys.readouterr().err
    assert main(["add-items", str(folders["lightgcn"]), "--items", table]) == 2
    assert "Who met the new items can be given with --events FILE" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    out = str(tmp_path / "other")
    assert main(["add-items", str(folders["content"]), "--items", table, "--output", out]) == 2
    assert "was left alone" in capsys.readouterr().err


def test_values_of_another_type_are_taken_as_not_known_and_told(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{1000 + i},{1950 + i},genre {i // 11}\n" for i in range(44))
    items, out = written(tmp_path / "items.csv", "item_id,year,genre\n" + rows), tmp_path / "model"
    assert main(["fit", "--data", str(log), "--items", items, "--model", "content", "--out", str(out)]) == 0
    table = written(tmp_path / "new.csv", "item_id,year,colour\n7000,soon,red\n7001,1999,red\n")
    found = run_json(capsys, "add-items", out, "--items", table)
    assert "new.csv: 1 value of 'year' cannot be read as the model's Int64: taken as not known." in found["notes"]
    assert "new.csv lacks 'genres': not known of the new items." in found["notes"]
    assert "new.csv: the model's items have no 'colour': not used." in found["notes"]


def test_a_model_without_attributes_takes_items_by_who_met_them_alone(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    settings = ["--set", "embedding_dim=8", "--set", "epochs=2"]
    assert main(["fit", "--data", str(log), "--model", "lightgcn", "--out", str(out), *settings]) == 0
    table = written(tmp_path / "new.csv", "item_id,genre\n7000,genre 1\n")
    assert main(["add-items", str(out), "--items", table]) == 2
    assert "no attribute, since it was fitted without --items" in capsys.readouterr().err
    events = written(tmp_path / "met.csv", "user_id,item_id\nu001,7000\nu005,7000\n")
    found = run_json(capsys, "add-items", out, "--items", table, "--events", events)
    assert found["added"] == [7000]
    assert "new.csv: the model's items have no 'genres': not used." in found["notes"]
    [given] = run_json(capsys, "recommend", out, "--user", "u007", "-k", 45)
    assert 7000 in {item["item_id"] for item in given["items"]}
