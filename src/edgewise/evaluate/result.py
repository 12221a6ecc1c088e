"""What a comparison finds: plain data that the table, the JSON file and the report all read."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from edgewise.types import Doubles, Index


@dataclass(frozen=True)
class Evaluation:
    """One model on one test set.

    Attributes:
        user_index: int64 [n_users], the training index of each evaluated user, ascending.
        per_user: metric name ("ndcg@20") to float64 [n_users]; NaN where the metric is not defined for a user. Of a metric that
            is the root of a mean ("rmse") these are the means, before the root.
        overall: metric name to the mean over users (its root for "rmse"), and the metrics of whole lists ("coverage@20", "gini@20", …).
        segments: segment name ("users: few interactions", "items: tail") to {"n": …, metric: mean, …}.
        top_items: int64 [n_users, k], the lists themselves, -1 behind the end; the largest k asked for.
        evaluate_s: seconds that scoring and ranking took.
        weights: float64 [n_users], how much each user counts in the means (test pairs); None: all the same.
        reliability: of probabilities of yes and no, what `evaluate.calibration.reliability` returns; else None.
    """

    user_index: Index
    per_user: dict[str, Doubles]
    overall: dict[str, float]
    segments: dict[str, dict[str, float]]
    top_items: Index
    evaluate_s: float
    weights: Doubles | None = None
    reliability: Doubles | None = None


@dataclass(frozen=True)
class ModelResult:
    """One contender of a comparison.

    Attributes:
        name, title, paper: as the model says of itself.
        config: every setting it ran with.
        evaluation: the figures; None where the model failed.
        intervals: metric name to its 95 % bootstrap interval (low, high).
        fit_s: seconds that `fit` took. peak_rss_mb: the highest resident memory of the process while fitting and
            evaluating, in MB of 10^6 bytes.
        curve: one entry an epoch, from the fit record. notes: choices made, one line each.
        failure: why it could not take part, for people; None where it did.
        is_baseline: whether it is a simple method, which a graph model has to beat to be worth it.
    """

    name: str
    title: str
    paper: str
    config: dict[str, Any]
    evaluation: Evaluation | None
    intervals: dict[str, tuple[float, float]]
    fit_s: float
    peak_rss_mb: float
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str | None = None
    is_baseline: bool = False


@dataclass(frozen=True)
class PairTest:
    """Is one model better than another, or was it luck?

    Attributes:
        metric: "ndcg@20". better, worse: model names, by the mean.
        difference: mean over users of better minus worse, >= 0. low, high: its 95 % bootstrap interval.
        p_value: of a paired test, two-sided. p_corrected: after Holm's correction over all pairs of the comparison.
        significant: whether p_corrected < 0.05.
        test: the test that gave p_value, "paired randomisation" or "paired t".
        detectable: the true difference that such a test finds four times in five; a smaller one would mostly be missed.
    """

    metric: str
    better: str
    worse: str
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    significant: bool
    test: str = ""
    detectable: float = float("nan")


@dataclass(frozen=True)
class Sample:
    """Recommendations for one user as people read them.

    Attributes:
        user_id: the user, as text. liked: what the user liked in training, strongest first, as titles (or ids).
        lists: model name to rows {"item_id", "title", "score", "reasons": [titles], "hit": whether it is in the test set}.
        why: why the winner puts its first item there, as `pipeline.explaining.explain_pair` gives it; None where nobody says.
    """

    user_id: str
    liked: list[str]
    lists: dict[str, list[dict[str, Any]]]
    why: dict[str, Any] | None = None


@dataclass(frozen=True)
class EmbeddingMap:
    """Items of the winning model in the plane.

    Attributes:
        x, y: float64 [n]. titles, categories: text [n]; categories "" where not known. counts: interactions [n].
        column: the item attribute that gave the categories, "" without one. method: how the plane was found.
    """

    x: Doubles
    y: Doubles
    titles: list[str]
    categories: list[str]
    counts: Index
    column: str
    method: str


@dataclass(frozen=True)
class Comparison:
    """Everything a comparison found.

    Attributes:
        task: "items". k: cut-offs, ascending; the last is the main one. seed: the run's.
        main_metric: what the table is sorted by, such as "ndcg@20".
        data: plain JSON: {"name", "n_users", "n_items", "n_interactions", "density", "n_train", "n_test", "n_test_users",
            "n_new_users", "n_new_items", "split", "fingerprint", "cleaning": [lines], "leakage": [lines], "first", "last" (ISO 8601 or null)}.
        degrees: {"users": counts, "items": counts}: int64 arrays of training interactions of each.
        timeline: period (Date) and n, and split ("train" or "test"); empty without times.
        models: in the order asked for.
        significance: every pair, on the main metric.
        winner: the name of the best model by the main metric.
        samples, embedding_map: pictures of the result; None/empty where there is nothing to show.
        labels: what names mean in English and Chinese: key, en, zh.
        machine: {"cpus", "memory_gb", "python", "platform", "versions"}. command: what to type to repeat it.
    """

    task: str
    k: tuple[int, ...]
    seed: int
    main_metric: str
    data: dict[str, Any]
    degrees: dict[str, Index]
    timeline: pl.DataFrame
    models: dict[str, ModelResult]
    significance: list[PairTest]
    winner: str
    samples: list[Sample]
    embedding_map: EmbeddingMap | None
    labels: pl.DataFrame
    machine: dict[str, Any]
    command: str
