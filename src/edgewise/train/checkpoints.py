"""Checkpoints: the whole state of training in one file, written so that the last good one is never lost."""

import contextlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import filelock
from torch import Tensor

from edgewise.errors import CheckpointError, ConfigError
from edgewise.files import as_os_error, atomic_file, temporary_prefix

FORMAT = 1
"""The number of this layout; a checkpoint of another number is refused, not guessed at."""

_NAME = "checkpoint.safetensors"
_LOCK = "lock"


class Checkpoints:
    """A folder with the latest checkpoint of one run, and a lock that one process holds while it trains there.

    The checkpoint is one safetensors file: tensors, and in its header the rest as JSON, so that both change in one rename.
    Loading runs no code. Use it as a context.

    Args:
        directory: made if it is not there.
        identity: what makes the run this run (model, settings, data): nested names to plain values.

    Raises:
        CheckpointError: on entering, if another process trains there or the folder holds something else.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self.directory = directory
        self.path = path_in(directory)
        self._identity = dict(identity)
        self._lock = filelock.FileLock(directory / _LOCK)

    def __enter__(self) -> Self:
        self._check_folder()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise CheckpointError(
                f"another run is training in {self.directory}. Wait for it, stop it, or name another folder (--resume, --out)."
            ) from None
        except OSError as error:
            raise CheckpointError(
                f"cannot keep checkpoints in {self.directory}: {error.strerror or error}. Name another folder."
            ) from error
        for stump in self.directory.glob(temporary_prefix(self.path) + "*"):  # of a run killed while it wrote
            stump.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.path.exists():  # nothing came of it: leave no empty folder behind
            with contextlib.suppress(OSError):
                (self.directory / _LOCK).unlink()
                self.directory.rmdir()
        self._lock.release()

    def write(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the checkpoint.

        Raises:
            DataError: if it cannot be written, such as on a full disk; the old one stays.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        parts = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        told = {"identity": self._identity, "state": dict(state)}
        sums = {name: _crc32(tensor) for name, tensor in parts.items()}
        about = {"format": FORMAT, **told, "crc32": sums | {"": _crc32_of_json(told)}}
        with atomic_file(self.path) as temporary:
            try:
                save_file(parts, temporary, metadata={"edgewise": json.dumps(about)})
            except SafetensorError as error:  # in which what the system says is wrapped
                raise as_os_error(error) from error

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return tensors and state of the checkpoint, or None where there is none yet.

        Raises:
            CheckpointError: if it is damaged, or of another format.
            ConfigError: if it is of another run; the text says what differs.
        """
        if not self.path.exists():
            return None
        tensors, about = read_checkpoint(self.path)
        differences = _differences(about["identity"], self._identity)
        if differences:
            raise ConfigError(
                f"{self.directory} holds a checkpoint of another run: {'; '.join(differences)}. "
                "Resume it with the settings and data that it began with, or name another folder."
            )
        return tensors, about["state"]

    def _check_folder(self) -> None:
        if self.directory.exists() and not self.directory.is_dir():
            raise CheckpointError(f"{self.directory} is a file; expected a folder for checkpoints.")
        if self.directory.is_dir() and not self.path.exists():
            others = [p.name for p in self.directory.iterdir() if p.name != _LOCK and not p.name.startswith(".")]
            if others:
                raise CheckpointError(
                    f"{self.directory} holds no checkpoint but {others[0]!r}; it was left alone. Name another folder, or an empty one."
                )


def has_checkpoint(directory: Path) -> bool:
    """Whether a folder holds a checkpoint, whole or not."""
    return path_in(directory).is_file()


def path_in(directory: Path) -> Path:
    """Return where a folder's checkpoint lies."""
    return directory / _NAME


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint file of whatever run: its tensors, and `identity` and `state`.

    Raises:
        CheckpointError: if it is missing, damaged, or of another format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = path.read_bytes()  # at once: a run that still trains may put another file in its place
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header.get("__metadata__", {}).get("edgewise", "null"))
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}; expected a folder with a checkpoint.") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Remove it to start over, or restore a copy.") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        seen = about.get("format") if isinstance(about, dict) else None
        raise CheckpointError(f"{path} has format {seen!r}; this version of edgewise reads format {FORMAT}.")
    told = {name: about.get(name) for name in ("identity", "state")}
    if about.get("crc32") != {name: _crc32(tensor) for name, tensor in tensors.items()} | {"": _crc32_of_json(told)}:
        raise CheckpointError(f"{path} is damaged (a checksum differs). Remove it to start over, or restore a copy.")
    return tensors, about


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], path: str = "") -> list[str]:
    """Tell where two nested mappings differ: "settings.n_layers is 3 there and 2 here"."""
    found = []
    for key in {**theirs, **ours}:
        there, here = theirs.get(key), ours.get(key)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            found += _differences(there, here, f"{path}{key}.")
        elif there != here:
            found.append(f"{path}{key} is {there!r} there and {here!r} here")
    return found


def _crc32(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).numpy().tobytes())


def _crc32_of_json(value: Any) -> int:
    return zlib.crc32(json.dumps(value).encode())
