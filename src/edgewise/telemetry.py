"""Progress of long work, told to whoever listens: the command line draws it, a library call stays silent."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol


class Step(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: float = 1, /, **figures: float) -> None:
        """Report `amount` more units done, with figures worth showing (loss=0.31)."""


class Listener(Protocol):
    """Shows progress."""

    def step(self, label: str, total: float | None, done: float) -> contextlib.AbstractContextManager[Step]:
        """Open a piece of work of `total` units (None: not known), `done` of them before."""

    def note(self, text: str) -> None:
        """Tell one line that is worth reading whatever happens next."""


class _SilentStep:
    def advance(self, amount: float = 1, /, **figures: float) -> None:
        """Nobody listens."""


class _Silent:
    def step(self, label: str, total: float | None, done: float) -> contextlib.AbstractContextManager[Step]:  # noqa: ARG002 - the protocol's names
        """Open nothing."""
        return contextlib.nullcontext(_SilentStep())

    def note(self, text: str) -> None:
        """Nobody listens."""


_listener: ContextVar[Listener] = ContextVar("listener", default=_Silent())  # noqa: B039 - _Silent has no state


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of everything inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def step(label: str, total: float | None = None, done: float = 0) -> contextlib.AbstractContextManager[Step]:
    """Open a piece of long work, `done` of it before; call `advance` on what the block gives.

    >>> with step("epochs", total=2) as work:
    ...     work.advance(1, loss=0.7)
    """
    return _listener.get().step(label, total, done)


def note(text: str) -> None:
    """Tell the listener one line: a choice made, a thing dropped."""
    _listener.get().note(text)
