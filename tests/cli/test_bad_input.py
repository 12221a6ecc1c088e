"""Bad input on the command line: a message that helps, exit code 2, no traceback, nothing half-written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgewise.cli.main import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail, and return what it says."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--model", "popularity"], "no data: name a log with --data FILE"),
        (["fit", "--data", "LOG"], "which model? Give --model NAME"),
        (["fit", "--data", "LOG", "--model", "transformer"], "there is no model 'transformer'; there are popularity,"),
        (["fit", "--data", "LOG", "--model", "lightgnc"], "(did you mean 'lightgcn'?)"),
        (
            ["fit", "--data", "LOG", "--model", "popularity", "--set", "depth=3"],
            "unknown setting 'depth'; there are count",
        ),
        (["fit", "--data", "LOG", "--model", "popularity", "--set", "nosuch.depth=3"], "unknown section [nosuch]"),
        (["fit", "--data", "NOTHING.csv", "--model", "popularity"], "NOTHING.csv"),
        (
            ["fit", "--data", "LOG", "--model", "lightgcn", "--set", "loss=hinge"],
            "loss = 'hinge': Input should be 'sampled-softmax'",
        ),
        (
            ["fit", "--data", "LOG", "--model", "lightgcn", "--set", "train.schedule.name=linear"],
            "schedule.name = 'linear': Input should be 'constant', 'step'",
        ),
        (
            ["fit", "--data", "LOG", "--model", "lightgcn", "--set", "sampler=hard"],
            "model lightgcn: sampler = 'hard' picks negatives for each interaction",
        ),
        (["fit", "--data", "LOG", "--model", "lightgcn", "--set", "device=cuda:7"], "device = 'cuda:7'"),
        (["fit", "--data", "LOG", "--model", "lightgcn", "--set", "warm_start=NOWHERE"], "there is no NOWHERE"),
        (["fit", "--data", "LOG", "--model", "lightgcn", "--resume", "MODEL"], "a finished model and no checkpoint"),
        (["fit", "--data", "LOG", "--model", "popularity", "--set", "train.epochs=3"], "popularity is not trained"),
        (
            ["compare", "--models", "popularity"],
            "give either --data FILE (and --split), or --train FILE and --test FILE",
        ),
        (["compare", "--data", "LOG", "--train", "LOG", "--test", "LOG"], "give either --data FILE"),
        (["compare", "--data", "LOG", "--split", "alphabetical"], "alphabetical"),
        (["compare", "--data", "LOG", "--task", "weather"], "there is no task 'weather'; there are items"),
        (["compare", "--data", "LOG", "--models", "popularity,popularity"], "names popularity more than once"),
        (["compare", "--data", "LOG", "--models", ""], "no models to compare"),
        (["compare", "--data", "LOG", "--split", "random", "--models", "popularity", "--k", "500"], "500"),
        (["compare", "--data", "LOG", "--models", "popularity", "--k", "ten"], "--k 'ten': expected whole numbers"),
        (["compare", "--data", "LOG", "--models", "popularity", "--set", "split.test=2"], "split"),
        (["recommend", "NOTHING", "--user", "1"], "is not a folder; expected a model folder"),
        (["evaluate", "MODEL", "--test", "NOTHING.csv"], "NOTHING.csv"),
    ],
)
def test_a_wrong_call_is_explained(
    capsys: pytest.CaptureFixture[str],
    log: Path,
    model_folder: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    places = {"LOG": str(log), "MODEL": str(model_folder)}
    said = refused(
        capsys,
        *[places.get(word, word) for word in arguments],
        *(["--out", tmp_path / "m"] if arguments[0] == "fit" else []),
    )
    assert message in said
    assert os.listdir(tmp_path) == []


def test_a_result_that_could_not_be_written_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path
) -> None:
    said = refused(
        capsys, "compare", "--data", log, "--split", "random", "--models", "popularity", "--report", tmp_path
    )
    assert "it is a folder" in said


def test_a_folder_that_is_not_ours_is_left_alone(capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    said = refused(capsys, "fit", "--data", log, "--model", "popularity", "--out", tmp_path)
    assert "is not a folder that edgewise wrote; it was left alone" in said
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_the_same_pairs_in_train_and_test_are_told(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    said = refused(capsys, "compare", "--train", log, "--test", log, "--models", "popularity")
    assert "train" in said


def test_ids_of_another_kind_in_test_are_told(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test.csv"
    test.write_text("user_id,item_id\n1,1000\n2,1001\n")
    assert "user ids are text in this data set, and integers were given" in refused(
        capsys, "evaluate", model_folder, "--test", test
    )


def test_ctrl_c_leaves_nothing_behind(log: Path, tmp_path: Path) -> None:
    slow = "import sys, time, edgewise.models.popularity as p\np.Popularity.fit_arrays = lambda self, dataset: (print('fitting', flush=True), time.sleep(60))\n"
    code = slow + "from edgewise.cli.main import run\nrun(sys.argv[1:])"
    words = [
        sys.executable,
        "-c",
        code,
        "fit",
        "--data",
        str(log),
        "--model",
        "popularity",
        "--out",
        str(tmp_path / "model"),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "fitting\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "stopped. Nothing half-written was left behind." in said
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


def test_help_needs_no_heavy_import() -> None:
    code = "import sys; from edgewise.cli.main import main; main(['--help']); print([m for m in ('torch', 'numba', 'polars', 'numpy', 'rich.table') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["recommend", "serve"])
@pytest.mark.parametrize("setting", ["nope=1", "train.epochs=3", "model.embedding_dim=8"])
def test_a_setting_that_would_do_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path, command: str, setting: str
) -> None:
    more = ["--user", "u000"] if command == "recommend" else ["--store", str(tmp_path / "store")]
    assert main([command, str(model_folder), *more, "--set", setting]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"--set '{setting}' is of [" in told
    assert "which does nothing here; what can be set is of [serv" in told
    assert not (tmp_path / "store").exists()
