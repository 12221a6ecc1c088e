"""What a comparison says, worked out once: who leads, who shares the lead, what was beaten, what could not be seen."""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

from edgewise.evaluate.metrics import direction
from edgewise.evaluate.result import Comparison, ModelResult, PairTest
from edgewise.report.html import Both
from edgewise.report.labels import shorten
from edgewise.report.texts import known, say

POWER = 0.8
"""How often a difference of the size `detectable` would have been found."""

ALPHA = 0.05
"""The significance level, after correction."""


@dataclass(frozen=True)
class Findings:
    """A comparison and what follows from it.

    Attributes:
        comparison: the plain data.
    """

    comparison: Comparison

    @cached_property
    def ranked(self) -> list[ModelResult]:
        """The models that were evaluated, best first by the main metric; those without a figure last."""
        there = [model for model in self.comparison.models.values() if model.evaluation is not None]
        return sorted(
            there,
            key=lambda model: (
                not math.isfinite(self.main(model)),
                -direction(self.metric) * _or_zero(self.main(model)),
                model.name,
            ),
        )

    @cached_property
    def failed(self) -> list[ModelResult]:
        """The models that could not take part, in the order asked for."""
        return [model for model in self.comparison.models.values() if model.evaluation is None]

    @property
    def metric(self) -> str:
        """The metric that ranks."""
        return self.comparison.main_metric

    def value(self, model: ModelResult, metric: str) -> float:
        """Return a model's mean of a metric; NaN where there is none."""
        return float(model.evaluation.overall.get(metric, math.nan)) if model.evaluation is not None else math.nan

    def main(self, model: ModelResult) -> float:
        """Return a model's mean of the main metric."""
        return self.value(model, self.metric)

    @cached_property
    def winner(self) -> ModelResult | None:
        """The best model by the main metric; None if no model has a figure."""
        named = self.comparison.models.get(self.comparison.winner)
        if named is not None and math.isfinite(self.main(named)):
            return named
        return next((model for model in self.ranked if math.isfinite(self.main(model))), None)

    @cached_property
    def tied(self) -> list[ModelResult]:
        """Models whose difference from the winner may be luck: they share its place."""
        if self.winner is None:
            return []
        pairs = [(model, self.pair(self.winner.name, model.name)) for model in self.ranked if model is not self.winner]
        return [model for model, pair in pairs if pair is not None and not pair.significant]

    @cached_property
    def baseline(self) -> ModelResult | None:
        """The best simple method other than the winner."""
        return next(
            (m for m in self.ranked if m.is_baseline and m is not self.winner and math.isfinite(self.main(m))), None
        )

    @cached_property
    def popularity(self) -> ModelResult | None:
        """The popularity model, if it was evaluated."""
        return next((model for model in self.ranked if model.name == "popularity"), None)

    @cached_property
    def _pairs(self) -> dict[frozenset[str], PairTest]:
        return {frozenset((pair.better, pair.worse)): pair for pair in self.comparison.significance}

    def pair(self, one: str, other: str) -> PairTest | None:
        """Return the test between two models; None if they were not tested."""
        return self._pairs.get(frozenset((one, other)))

    def role(self, model: ModelResult) -> str:
        """Return what part a model plays in the story: winner, tied, baseline, popularity, other."""
        if model is self.winner:
            return "winner"
        if model in self.tied:
            return "tied"
        if model is self.baseline:
            return "baseline"
        return "popularity" if model is self.popularity else "other"

    @cached_property
    def cast(self) -> list[ModelResult]:
        """The models that the story is about, without repeats: winner, best other kind, best baseline, popularity."""
        challenger = next((m for m in self.ranked if not m.is_baseline and m is not self.winner), None)
        wanted = [
            self.winner,
            self.baseline,
            challenger if self.winner and self.winner.is_baseline else None,
            self.popularity,
        ]
        return [model for i, model in enumerate(wanted) if model is not None and model not in wanted[:i]]

    def title(self, model: ModelResult) -> str:
        """Return a model's title as it fits into a sentence."""
        return shorten(model.title, 48)

    def rank(self, model: ModelResult) -> int:
        """Return a model's place in the table, from 1."""
        return self.ranked.index(model) + 1

    def lead(self, model: ModelResult) -> float:
        """Return by what share the winner is ahead of a model, or its error smaller; NaN where that cannot be said."""
        if self.winner is None or not self.main(model) > 0:
            return math.nan
        return direction(self.metric) * (self.main(self.winner) / self.main(model) - 1)

    def best(self, metric: str) -> ModelResult | None:
        """Return the model with the best figure of a metric, whichever way is better; None where nobody has one."""
        there = [model for model in self.ranked if math.isfinite(self.value(model, metric))]
        return max(there, key=lambda model: direction(metric) * self.value(model, metric), default=None)

    def detectable(self, pair: PairTest) -> float:
        """Return the smallest true difference that the test would have found four times in five.

        (z(1 - alpha / 2m) + z(power)) times the standard error, for m pairs; the error comes from the 95 % interval.
        Conservative: Holm's correction divides by m only for the strongest pair.
        """
        normal = NormalDist()
        error = (pair.high - pair.low) / (2 * normal.inv_cdf(0.975))
        n_pairs = max(len(self.comparison.significance), 1)
        return (normal.inv_cdf(1 - ALPHA / (2 * n_pairs)) + normal.inv_cdf(POWER)) * error

    @cached_property
    def _labels(self) -> dict[str, Both]:
        labels = self.comparison.labels
        if not {"key", "en", "zh"} <= set(labels.columns):
            return {}
        rows = labels.select("key", "en", "zh").iter_rows()
        return {str(key): Both(str(en or zh or key), str(zh or en or key)) for key, en, zh in rows if key is not None}

    def say(self, key: str, **values: Any) -> Both:
        """Return a text in both languages; where the main metric is an error, in the words for errors if there are any."""
        of_errors = f"{key}@error"
        return say(of_errors if direction(self.metric) < 0 and known(of_errors) else key, **values)

    def label(self, name: str, *kinds: str) -> Both:
        """Return what a name of the data means in both languages; itself where no text is known.

        Args:
            name: such as "genre" or "Drama".
            kinds: prefixes to try, as in the key "column.genre".
        """
        keys = [name, *(f"{kind}.{name}" for kind in kinds)]
        return next((self._labels[key] for key in keys if key in self._labels), Both(name, name))


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
