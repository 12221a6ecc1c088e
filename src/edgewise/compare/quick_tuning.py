"""A small random search, so that no baseline is a straw man; the choice is made on validation data alone."""

import time
from dataclasses import dataclass
from typing import Any

from edgewise.compare.tasks import Task
from edgewise.data.split import Split, split_dataset
from edgewise.errors import EdgewiseError
from edgewise.models import build, model_class
from edgewise.rng import make_rng
from edgewise.telemetry import step


@dataclass(frozen=True)
class QuickTuning:
    """How much to search.

    Attributes:
        n_trials: settings tried for each model, its defaults first.
        budget_s: no further trial starts after so many seconds of a model's search.
    """

    n_trials: int = 8
    budget_s: float = 60.0


def tune_quick(
    name: str, settings: dict[str, Any], split: Split, task: Task, metric: str, tuning: QuickTuning, *, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Choose settings for a model by random search (Bergstra and Bengio, JMLR 2012) on a validation part of training.

    The validation part is taken from the training data in the way that the test part was taken; the test data are not touched.

    Args:
        name: the model.
        settings: what the caller has fixed; the search leaves these alone.
        split: its training part is split again.
        task, metric: what to choose by.
        tuning: trials and seconds.
        seed: one seed, the same trials (as many as the budget allows).

    Returns:
        The chosen settings, and lines that tell how they were chosen.
    """
    space = {key: choice for key, choice in model_class(name).SEARCH.items() if key not in settings}
    if not space:
        return settings, []
    inner = validation_split(split, seed=seed)
    k = (int(metric.rpartition("@")[2]),)
    rng = make_rng(seed, "quick tuning", name)
    started = time.monotonic()
    tried: list[tuple[float, dict[str, Any]]] = []
    n_refused = 0
    with step(f"tune {name}", total=tuning.n_trials) as work:
        for trial in range(tuning.n_trials):
            drawn = {key: choice.draw(rng) for key, choice in space.items()} if trial else {}
            if trial and time.monotonic() - started > tuning.budget_s:
                break
            try:
                model = build(name, settings | drawn, seed=seed).fit(inner.train)
                figure = task.evaluate(model, inner, k, thorough=False).overall[metric]
            except EdgewiseError:
                if not trial:
                    raise
                n_refused += 1
                continue
            tried.append((figure, drawn))
            work.advance(1, **{metric: figure})
    best, chosen = max(tried, key=lambda pair: pair[0])
    default = tried[0][0]
    line = f"tuned: {len(tried)} settings tried in {time.monotonic() - started:.0f} s, validation {metric} {best:.4f} (defaults {default:.4f})"
    if n_refused:
        line += f"; {n_refused} more could not be fitted"
    return settings | chosen, [line]


def validation_split(split: Split, *, seed: int) -> Split:
    """Split the training part as the whole was split; by random share where that is not possible."""
    how = split.how if split.how in ("time", "leave-last-out", "random", "cold-users", "cold-items") else "random"
    if how == "time" and not split.train.has_times:
        how = "random"
    return split_dataset(split.train, how, test=0.1, seed=seed)
