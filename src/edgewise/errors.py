"""Every error that Edgewise raises on purpose; the command line prints their text and nothing else."""


class EdgewiseError(Exception):
    """The root: a problem that the caller can do something about. `str(error)` is meant for people."""

    exit_code = 2


class DataError(EdgewiseError, ValueError):
    """The data given cannot be used as they are: a file, a column, a row, a value."""


class NothingLeftError(DataError):
    """Cleaning took away every row."""


class IdTypeError(DataError, TypeError):
    """Ids of another kind than the data set's: text where it has integers, or the reverse."""


class ConfigError(EdgewiseError, ValueError):
    """A setting is unknown, out of range, or contradicts another."""


class UnknownNameError(EdgewiseError, LookupError):
    """A model, metric, split or format that does not exist; the text lists those that do."""


class ModelFolderError(EdgewiseError):
    """A model folder is cut short, damaged, or of a format that this version does not read."""


class NotFittedError(EdgewiseError):
    """A model was asked before `fit` or `load`."""


class CannotPredictError(EdgewiseError):
    """A model was asked for ratings or probabilities, and knows none."""


class MemoryNeedError(EdgewiseError):
    """What was asked needs more memory than the machine (or the limit) has; the text says how much."""


class MissingExtraError(EdgewiseError, ImportError):
    """An optional dependency is not installed; the text gives the pip command."""


class CheckpointError(EdgewiseError):
    """A folder of checkpoints is in use, damaged, or something else."""


class TrainingError(EdgewiseError):
    """Training cannot go on: the loss is no longer a number."""


class StoreError(EdgewiseError):
    """A store folder cannot be used or written: not there, damaged, read-only, full, or of another format."""


class StoreBusyError(StoreError):
    """The store takes nothing more at this moment, or another process holds it; the same call may succeed later."""
