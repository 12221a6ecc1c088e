"""Where `fit` keeps the checkpoints of a training: in the folder that was named, or beside the model folder to be."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edgewise.errors import CheckpointError, ConfigError
from edgewise.model_folder import is_model_folder
from edgewise.recommender import Recommender
from edgewise.telemetry import note


@dataclass(frozen=True)
class CheckpointPlace:
    """A folder for checkpoints, or none for a model that is not trained step by step.

    Attributes:
        directory: the folder.
        is_ours: whether we chose it, and remove it once the model folder is written.
        restart: whether to begin anew whatever it holds.
    """

    directory: Path | None
    is_ours: bool
    restart: bool = False

    @classmethod
    def choose(cls, model: Recommender, out: Path, resume: str | None) -> Self:
        """Find the checkpoint that `--resume` means, or a place for new ones.

        Args:
            model: unfitted.
            out: the model folder to be.
            resume: a folder of checkpoints, or the `--out` of the fit that was cut off; None: begin anew.

        Raises:
            ConfigError: if `resume` names a finished model without a checkpoint.
        """
        from edgewise.train.config import TrainConfig

        if not isinstance(model.config, TrainConfig):
            if resume is not None:
                note(f"{model.name} is not trained step by step: there is nothing to resume, it is fitted as a whole")
            return cls(None, is_ours=False)
        from edgewise.train.checkpoints import has_checkpoint

        beside = _beside(out)
        if resume is None:
            if has_checkpoint(beside):
                note(
                    f"{beside} holds the checkpoint of a fit that was cut off; starting over, the first new checkpoint "
                    f"replaces it. To go on with it instead: --resume {out}"
                )
            return cls(beside, is_ours=True, restart=True)
        named = Path(resume)
        if not has_checkpoint(named) and has_checkpoint(_beside(named)):
            return cls(_beside(named), is_ours=True)
        if not has_checkpoint(named) and is_model_folder(named):
            raise ConfigError(
                f"--resume {resume}: there is a finished model and no checkpoint; it needs no more training. "
                "To train it again, leave --resume out."
            )
        is_out = named.resolve() in (out.resolve(), beside.resolve())
        if not has_checkpoint(named):
            named = beside if is_out else named
            note(f"{named} holds no checkpoint yet: training starts at the beginning, and keeps its checkpoints there")
        return cls(named, is_ours=is_out)

    def clear(self) -> None:
        """Remove a folder that was ours, when it is no longer needed."""
        from edgewise.train.checkpoints import Checkpoints

        if self.is_ours and self.directory is not None and self.directory.exists():
            with (
                contextlib.suppress(CheckpointError),
                Checkpoints(self.directory, {}) as folder,
            ):  # unless another run has begun
                folder.path.unlink(missing_ok=True)


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".training")
