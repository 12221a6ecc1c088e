"""Learning curves as TensorBoard's event files."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from edgewise.errors import DataError, MissingExtraError
from edgewise.telemetry import note


class Board:
    """Writes a scalar for each figure of an epoch; a context, since the files have to be closed.

    Args:
        directory: made if it is not there.
        first_epoch: what a run that was cut off wrote for this epoch and later ones is hidden.

    Raises:
        MissingExtraError: without the package `tensorboard`.
        DataError: if the folder cannot be written.
    """

    def __init__(self, directory: Path, first_epoch: int = 1) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            raise MissingExtraError(
                "writing TensorBoard's files needs the package tensorboard: pip install 'edgewise[tensorboard]'."
            ) from None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(directory), purge_step=first_epoch)
        except OSError as error:
            raise DataError(f"cannot write TensorBoard's files to {directory}: {error.strerror or error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, entry: Mapping[str, float]) -> None:
        """Write an entry of the curve: its figures, at its epoch."""
        try:
            for name, value in entry.items():
                if name != "epoch":
                    self._writer.add_scalar(f"train/{name}", value, int(entry["epoch"]))
            self._writer.flush()
        except OSError as error:
            note(
                f"epoch {entry['epoch']:.0f} is not in TensorBoard's files: {error.strerror or error}. Training goes on."
            )
