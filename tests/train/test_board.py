"""TensorBoard's files, read back by TensorBoard's own reader; and what is said without it."""

import builtins
import math
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import MissingExtraError
from edgewise.models.lightgcn import LightGCN
from edgewise.testing.planted import planted_tastes
from edgewise.train.board import Board


def test_curves_are_written_and_can_be_read(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = LightGCN(epochs=4, embedding_dim=8, valid_share=0.2).fit(planted_tastes().train, tensorboard=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    for name in ("loss", "ndcg@20", "learning_rate"):
        found = [(event.step, event.value) for event in events.Scalars(f"train/{name}")]
        expected = [(entry["epoch"], entry[name]) for entry in model.record.curve]
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert all(math.isclose(one, other, rel_tol=1e-5) for (_, one), (_, other) in zip(found, expected, strict=True))


def test_without_the_package_the_text_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgewise\[tensorboard\]'"):
        Board(tmp_path)
