"""Checkpoints: what is refused, what stays when the disk is full, and a fit that is killed for good and resumed."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from edgewise.data import Dataset
from edgewise.errors import CheckpointError, ConfigError, DataError
from edgewise.models import load
from edgewise.models.lightgcn import LightGCN
from edgewise.telemetry import listening
from edgewise.testing.planted import planted_tastes
from edgewise.train.checkpoints import Checkpoints, has_checkpoint, read_checkpoint

_ONE = {"x": torch.tensor([[1.0, 2.0]]), "count": torch.tensor(3)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with Checkpoints(tmp_path / "run", {"model": "a", "settings": {"dim": 2}}) as folder:
        assert folder.read() is None
        folder.write(_ONE, {"epoch": 4, "loss": 0.1})
        found = folder.read()
    assert found is not None
    tensors, state = found
    assert tensors["x"].tolist() == [[1.0, 2.0]]
    assert int(tensors["count"]) == 3
    assert state == {"epoch": 4, "loss": 0.1}
    assert has_checkpoint(tmp_path / "run")
    assert not has_checkpoint(tmp_path)


def test_another_run_is_refused_and_the_text_says_what_differs(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, {"model": "a", "settings": {"dim": 2, "rate": 0.1}}) as folder:
        folder.write(_ONE, {})
    with (
        Checkpoints(tmp_path, {"model": "a", "settings": {"dim": 4, "rate": 0.1}, "seed": 1}) as other,
        pytest.raises(ConfigError, match=r"settings.dim is 2 there and 4 here; seed is None there and 1 here"),
    ):
        other.read()


def test_other_data_and_settings_are_told_by_fit(tmp_path: Path) -> None:
    train = planted_tastes().train
    LightGCN(epochs=1, embedding_dim=4).fit(train, checkpoints=tmp_path)
    with pytest.raises(ConfigError, match=r"settings.embedding_dim is 4 there and 8 here"):
        LightGCN(epochs=1, embedding_dim=8).fit(train, checkpoints=tmp_path)
    fewer = Dataset.from_events(train.to_frame().head(300))
    with pytest.raises(ConfigError, match=r"data.n_interactions is \d+ there and \d+ here; data.fingerprint"):
        LightGCN(epochs=1, embedding_dim=4).fit(fewer, checkpoints=tmp_path)
    LightGCN(epochs=1, embedding_dim=8).fit(train, checkpoints=tmp_path, restart=True)


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, {}):
        holder = "from edgewise.train.checkpoints import Checkpoints; from pathlib import Path; import sys\nCheckpoints(Path(sys.argv[1]), {}).__enter__()"
        second = subprocess.run(
            [sys.executable, "-c", holder, str(tmp_path)], check=False, capture_output=True, text=True
        )
    assert "CheckpointError: another run is training in" in second.stderr
    with Checkpoints(tmp_path, {}):  # free again
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(CheckpointError, match=r"holds no checkpoint but 'thesis.txt'; it was left alone"):
        Checkpoints(tmp_path, {}).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(CheckpointError, match=r"is a file; expected a folder"):
        Checkpoints(tmp_path / "thesis.txt", {}).__enter__()


@pytest.mark.parametrize("damage", ["cut short", "changed", "state", "empty", "no checkpoint"])
def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    with Checkpoints(tmp_path, {}) as folder:
        folder.write({"x": torch.arange(1000.0)}, {"epoch": 3})
    whole = folder.path.read_bytes()
    broken = {
        "cut short": whole[:-100],
        "changed": whole[:-100] + b"\x55" + whole[-99:],
        "state": whole.replace(b'epoch\\": 3', b'epoch\\": 4'),
        "empty": b"",
        "no checkpoint": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    }
    folder.path.write_bytes(broken[damage])
    with folder, pytest.raises(CheckpointError, match=r"is damaged|has format None"):
        folder.read()


def test_stumps_of_a_killed_write_are_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.safetensors.abc").write_bytes(b"half")
    with Checkpoints(tmp_path, {}) as folder:
        folder.write(_ONE, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors", "lock"]


def test_on_a_full_disk_the_old_checkpoint_stays_and_training_goes_on(tmp_path: Path) -> None:
    train = planted_tastes().train
    plain = LightGCN(epochs=3, embedding_dim=8).fit(train)
    with Checkpoints(tmp_path, {}) as folder:
        folder.write(_ONE, {"epoch": 1})
        with (
            _largest_file(1000),
            pytest.raises(DataError, match=r"cannot write .*checkpoint.safetensors: File too large"),
        ):
            folder.write({"x": torch.zeros(5000)}, {})
        assert folder.read() is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors", "lock"]

    told = _Notes()
    with listening(told), _largest_file(1000):
        model = LightGCN(epochs=3, embedding_dim=8).fit(train, checkpoints=tmp_path, restart=True)
    assert np.array_equal(model.users, plain.users)
    assert any("no checkpoint at epoch" in text and "the last checkpoint stays" in text for text in told.lines)
    assert int(read_checkpoint(folder.path)[0]["count"]) == 3


class _largest_file:  # noqa: N801 - reads as a word of the sentence
    """Inside, no file may grow beyond so many bytes: the nearest to a full disk that needs no root."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._n_bytes, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
        signal.signal(signal.SIGXFSZ, self._handler)


class _Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, label: str, total: float | None, done: float):  # type: ignore[no-untyped-def]  # noqa: ARG002
        import contextlib

        class Silent:
            def advance(self, amount: float = 1, /, **figures: float) -> None: ...

        return contextlib.nullcontext(Silent())

    def note(self, text: str) -> None:
        self.lines.append(text)


_SETTINGS = [
    "epochs=60",
    "embedding_dim=16",
    "checkpoint_every_s=0",
    "edge_dropout=0.1",
    "train.averaging.name=ema",
    "valid_share=0.1",
    "patience=60",
]


def _fit(log: Path, out: Path, *options: str) -> list[str]:
    sets = [part for setting in _SETTINGS for part in ("--set", setting)]
    command = ["-m", "edgewise.cli", "fit", "--data", str(log), "--model", "lightgcn", "--out", str(out)]
    return [sys.executable, *command, *sets, *options]


@pytest.mark.slow
def test_killed_at_ten_random_points_and_resumed_the_bits_are_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    planted_tastes().train.to_frame().select("user_id", "item_id").write_csv(log)
    assert subprocess.run(_fit(log, tmp_path / "whole"), check=False, capture_output=True).returncode == 0

    rng = np.random.default_rng(time.time_ns())
    out, beside = tmp_path / "pieces", tmp_path / "pieces.training"
    n_killed = 0
    while n_killed < 10:
        process = subprocess.Popen(
            _fit(log, out, "--resume", str(out)), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        before = _progress(beside)
        deadline = time.monotonic() + 60
        while _progress(beside) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)  # at least a step further each time
        time.sleep(float(rng.uniform(0, 0.08)))
        process.kill()
        process.wait()
        assert not out.exists(), "the fit ended before ten kills: give it more epochs"
        n_killed += 1
    done = subprocess.run(_fit(log, out, "--resume", str(out)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resumed after step" in done.stderr
    assert not beside.exists()

    whole, pieces = load(tmp_path / "whole"), load(out)
    assert isinstance(whole, LightGCN)
    assert isinstance(pieces, LightGCN)
    assert whole.users.tobytes() == pieces.users.tobytes()
    assert whole.items.tobytes() == pieces.items.tobytes()
    figures = [{key: value for key, value in entry.items() if key != "seconds"} for entry in whole.record.curve]
    assert figures == [
        {key: value for key, value in entry.items() if key != "seconds"} for entry in pieces.record.curve
    ]


def _progress(beside: Path) -> str | None:
    """Return where the checkpoint stands, read without a lock: a rename away it may be another."""
    if not has_checkpoint(beside):
        return None
    _, about = read_checkpoint(beside / "checkpoint.safetensors")
    return json.dumps([about["state"]["epoch"], about["state"]["step"]])


@pytest.mark.slow
def test_ctrl_c_ends_the_step_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    planted_tastes().train.to_frame().select("user_id", "item_id").write_csv(log)
    out = tmp_path / "model"
    quiet = ["--set", "checkpoint_every_s=1000", "--set", "epochs=5000", "--set", "patience=5000"]
    process = subprocess.Popen(
        _fit(log, out, *quiet, "--tensorboard", str(tmp_path / "board")), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while (
        sum(path.stat().st_size for path in (tmp_path / "board").glob("*")) < 1000
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"A checkpoint is kept; to go on: --resume {out}.training." in told
    assert "Traceback" not in told
    assert has_checkpoint(tmp_path / "model.training")
    assert not out.exists()
