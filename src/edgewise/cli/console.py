"""What the terminal shows: progress and notes on standard error, results on standard output."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from edgewise import telemetry
from edgewise.files import write_json

_PIPE_WIDTH = 120
"""Columns where the output is no terminal: a file or another program."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPE_WIDTH)

_LINE_EVERY_S = 15.0
"""Where standard error is no terminal: seconds between two lines about work under way."""

TO_STDOUT = "-"
"""The value of `--json` that means standard output."""


class _ShownStep:
    def __init__(self, progress: Progress, task: Any) -> None:
        self.progress = progress
        self.task = task

    def advance(self, amount: float = 1, /, **figures: float) -> None:
        """Move the bar and show the figures."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if text:
            self.progress.update(self.task, advance=amount, figures=text)
        else:
            self.progress.advance(self.task, amount)


class _Speed(ProgressColumn):
    """Units done in a second."""

    def render(self, task: Task) -> Text:
        """Show the speed once it is known."""
        return Text("" if task.speed is None else f"{task.speed:.3g}/s")


class _ToldStep:
    def __init__(self, label: str, total: float | None, done: float) -> None:
        self.label, self.total, self.before, self.done = label, total, done, done
        self.started = self.told = time.monotonic()

    def advance(self, amount: float = 1, /, **figures: float) -> None:
        """Tell how far it is, now and then."""
        now = time.monotonic()
        self.done += amount
        if now - self.told < _LINE_EVERY_S:
            return
        self.told = now
        speed = (self.done - self.before) / (now - self.started)
        left = f", {(self.total - self.done) / speed:.0f} s left" if self.total and speed > 0 else ""
        text = "".join(f", {name} {value:.4g}" for name, value in figures.items())
        err.print(
            f"{self.label}: {self.done:,.0f}{f' of {self.total:,.0f}' if self.total else ''}, {speed:.3g}/s{left}{text}",
            markup=False,
        )


class _Told:
    """A listener that prints a line now and then, for logs."""

    @contextlib.contextmanager
    def step(self, label: str, total: float | None, done: float) -> Iterator[_ToldStep]:
        """Tell how far it is while the block runs."""
        yield _ToldStep(label, total, done)

    def note(self, text: str) -> None:
        """Print a line."""
        err.print(text, markup=False, soft_wrap=True)


class _Shown:
    """A listener that draws progress bars, one below the other while nested."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    @contextlib.contextmanager
    def step(self, label: str, total: float | None, done: float) -> Iterator[_ShownStep]:
        """Draw a bar while the block runs; finished work leaves the screen."""
        task = self.progress.add_task(label, total=total, completed=int(done), figures="")
        try:
            yield _ShownStep(self.progress, task)
        finally:
            self.progress.remove_task(task)

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(text, style="dim", markup=False)


@contextlib.contextmanager
def progress(*, quiet: bool = False) -> Iterator[None]:
    """Show the progress of everything inside the block; where standard error is no terminal, a line now and then."""
    if quiet:
        yield
        return
    if not err.is_terminal:
        with telemetry.listening(_Told()):
            yield
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        _Speed(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    with bars, telemetry.listening(_Shown(bars)):
        yield


def table(title: str, columns: list[str], rows: list[list[str]], *, right: set[int] | None = None) -> None:
    """Print a table; the columns whose positions are in `right` are numbers."""
    if title:
        say(title)
    drawn = Table(header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        drawn.add_column(name, justify="right" if right and position in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*[_escaped(cell) for cell in row])
    out.print(drawn)


def bar(share: float, width: int = 12) -> str:
    """Draw a share, from 0 to 1, as a bar of eighths of a letter."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return "█" * (eighths // 8) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]


def say(text: str) -> None:
    """Print a line of the result, as it is."""
    out.print(text, markup=False)


def emit_json(value: Any, target: str) -> None:
    """Write JSON to a file, atomically, or to standard output."""
    if target == TO_STDOUT:
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        write_json(Path(target), value)


def _escaped(cell: str) -> str:
    return cell.replace("[", "\\[")
