"""`fit --resume`: where checkpoints lie, what is said, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from edgewise.cli.main import main
from edgewise.models import load
from edgewise.models.lightgcn import LightGCN
from edgewise.train.checkpoints import has_checkpoint
from edgewise.train.loop import _Run
from tests.train.pieces import CutOffError


def _fit(log: Path, out: Path, *options: str) -> int:
    sets = ["--set", "epochs=4", "--set", "embedding_dim=8", "--set", "checkpoint_every_s=0"]
    return main(["fit", "--data", str(log), "--model", "lightgcn", "--out", str(out), *sets, *options])


@pytest.fixture
def cut_off(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The --out of a fit that was cut off at its twentieth step."""
    out, left, take_step = tmp_path / "model", [20], _Run._take_step

    def take_or_die(run: _Run, batch: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise CutOffError
        take_step(run, batch)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_take_step", take_or_die)
        with pytest.raises(CutOffError):
            _fit(log, out)
    assert has_checkpoint(tmp_path / "model.training")
    assert not out.exists()
    return out


def _same(one: Path, other: Path) -> bool:
    first, second = load(one), load(other)
    assert isinstance(first, LightGCN)
    assert isinstance(second, LightGCN)
    return np.array_equal(first.users, second.users) and np.array_equal(first.items, second.items)


def test_it_goes_on_from_its_out_and_clears_up(cut_off: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(log, cut_off, "--resume", str(cut_off)) == 0
    assert "resumed after step" in capsys.readouterr().err
    whole = cut_off.with_name("whole")
    assert _fit(log, whole) == 0
    assert _same(cut_off, whole)
    assert sorted(path.name for path in cut_off.parent.iterdir()) == ["model", "whole"]


def test_without_resume_it_starts_over_and_says_so(
    cut_off: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(log, cut_off) == 0
    said = capsys.readouterr().err
    assert f"starting over, the first new checkpoint replaces it. To go on with it instead: --resume {cut_off}" in said
    assert "resumed" not in said


def test_other_settings_are_refused_and_the_checkpoint_stays(
    cut_off: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(log, cut_off, "--resume", str(cut_off), "--set", "n_layers=2") == 2
    assert "settings.n_layers is 3 there and 2 here" in capsys.readouterr().err
    assert _fit(log, cut_off, "--resume", str(cut_off), "--seed", "1") == 2
    assert "seed is 0 there and 1 here" in capsys.readouterr().err
    assert has_checkpoint(cut_off.with_name("model.training"))


def test_the_folder_that_ctrl_c_names_is_ours_too(cut_off: Path, log: Path) -> None:
    assert _fit(log, cut_off, "--resume", str(cut_off.with_name("model.training"))) == 0
    assert [path.name for path in cut_off.parent.iterdir()] == ["model"]


def test_a_folder_of_its_own_is_kept_and_a_finished_run_takes_no_step(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoints"
    assert _fit(log, tmp_path / "first", "--resume", str(folder)) == 0
    assert "holds no checkpoint yet: training starts at the beginning" in capsys.readouterr().err
    assert _fit(log, tmp_path / "second", "--resume", str(folder)) == 0
    assert "training had come to its end before" in capsys.readouterr().err
    assert _same(tmp_path / "first", tmp_path / "second")
    assert has_checkpoint(folder)


def test_a_model_that_is_fitted_as_a_whole_says_so(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "fit",
        "--data",
        str(log),
        "--model",
        "popularity",
        "--out",
        str(tmp_path / "m"),
        "--resume",
        str(tmp_path / "c"),
    ]
    assert main(words) == 0
    assert "popularity is not trained step by step: there is nothing to resume" in capsys.readouterr().err
