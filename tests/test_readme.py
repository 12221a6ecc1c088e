"""What the README shows, runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgewise.cli.main import main
from edgewise.testing.planted import planted_tastes

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    planted_tastes().train.to_frame().write_csv(tmp_path / "log.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_example_runs(place: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "item_id" in done.stdout
    assert (place / "model" / "model.json").exists()


def test_every_command_shown_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for name in set(re.findall(r"^edgewise ([a-z-]+)", README, flags=re.M)):
        assert main([name, "--help"]) == 0
        capsys.readouterr()
