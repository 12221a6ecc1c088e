"""What the report draws beside the figures: degrees, the time line, samples, and the map of the items."""

from typing import Any

import numpy as np
import polars as pl

from edgewise.data import Dataset
from edgewise.data.ids import UNKNOWN
from edgewise.data.split import Split
from edgewise.evaluate.result import EmbeddingMap, Sample
from edgewise.pipeline.answer import answer, history_of
from edgewise.pipeline.explaining import explain_pair
from edgewise.pipeline.titles import category_column, titles_of
from edgewise.recommender import Recommender
from edgewise.rng import make_rng
from edgewise.telemetry import step
from edgewise.types import Doubles, Floats, Index

N_SAMPLES = 3
LIST_LENGTH = 10
N_REASONS = 3
MAP_ITEMS = 1_000
_PERIODS = (("1h", 3), ("1d", 90), ("1w", 700), ("1mo", 4000))
"""Time line steps, each with the longest span in days that it is for."""


def degrees_of(dataset: Dataset) -> dict[str, Index]:
    """Count the training interactions of every user and every item."""
    return {"users": np.diff(dataset.interactions.indptr).astype(np.int64), "items": dataset.item_counts}


def timeline_of(split: Split) -> pl.DataFrame:
    """Count events by period: period (Datetime), n, split; empty where there are no times."""
    parts = [
        part.events.select(pl.col("timestamp").cast(pl.Datetime("ms")).alias("period"), pl.lit(name).alias("split"))
        for name, part in (("train", split.train), ("test", split.test))
        if part.has_times
    ]
    if not parts:
        return pl.DataFrame(schema={"period": pl.Datetime("ms"), "n": pl.UInt32, "split": pl.String})
    times = pl.concat(parts).drop_nulls()
    days = (times["period"].max() - times["period"].min()).total_seconds() / 86_400  # type: ignore[operator, union-attr]
    every = next((period for period, longest in _PERIODS if days <= longest), "1y")
    counted = (
        times.with_columns(pl.col("period").dt.truncate(every)).group_by("period", "split").agg(pl.len().alias("n"))
    )
    return counted.select("period", "n", "split").sort("period", "split")


def samples(models: dict[str, Recommender], winner: str, split: Split, *, seed: int) -> list[Sample]:
    """Draw a few test users at random, not by success, and list what each model gives them.

    Args:
        models: fitted, by name. winner: whose first item is explained.
        split: its test users, those that training knows where there are any, with three test items where there are any.
        seed: the draw's.
    """
    train, test = split.train, split.test
    any_model = next(iter(models.values()))
    n_test = np.diff(test.interactions.indptr)
    eligible = n_test > 0
    for wish in (train.users.index_of(test.users.ids) != UNKNOWN, n_test >= 3):
        eligible = eligible & wish if (eligible & wish).any() else eligible
    candidates = np.flatnonzero(eligible)
    chosen = make_rng(seed, "samples").choice(candidates, size=min(N_SAMPLES, candidates.size), replace=False)
    users = test.users.ids_at(np.sort(chosen))
    answers = {name: answer(model, users, LIST_LENGTH, n_reasons=N_REASONS) for name, model in models.items()}
    known = models[winner].catalogue.users.index_of(users)
    met = test.to_frame().filter(pl.col("user_id").is_in(users.implode()))
    found: list[Sample] = []
    for place, user in enumerate(users):
        future = set(met.filter(pl.col("user_id") == user)["item_id"])
        lists = {
            name: [
                {
                    "item_id": str(item.item_id),
                    "title": item.title,
                    "score": item.score,
                    "reasons": list(item.reasons),
                    "hit": item.item_id in future,
                }
                for item in given[place].items
            ]
            for name, given in answers.items()
        }
        why = None
        if lists[winner] and known[place] != UNKNOWN:
            why = explain_pair(models[winner], str(user), str(lists[winner][0]["item_id"]), N_REASONS)
        found.append(Sample(str(user), history_of(any_model, user, LIST_LENGTH), lists, why))
    return found


def embedding_map(models: dict[str, Recommender], winner: str, *, seed: int) -> EmbeddingMap | None:
    """Lay the most met items out in the plane by the vectors of the best model that has any.

    van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008, on cosine distance, through scikit-learn.
    """
    found = _vectors([models[winner], *models.values()])
    if found is None:
        return None
    model, vectors = found
    catalogue = model.catalogue
    order = np.argsort(-catalogue.item_counts, kind="stable")[:MAP_ITEMS]
    order = order[(catalogue.item_counts[order] > 0) & (np.linalg.norm(vectors[order], axis=1) > 0)]
    if order.size < 10:
        return None
    with step("map of the items"):
        plane = _tsne(vectors[order], seed)
    column = category_column(catalogue)
    return EmbeddingMap(
        x=plane[:, 0],
        y=plane[:, 1],
        titles=titles_of(catalogue, catalogue.items.ids_at(order)),
        categories=_categories(catalogue.item_table, column, order),
        counts=catalogue.item_counts[order],
        column=column or "",
        method=f"t-SNE of the vectors of the {order.size:,} most met items in {model.title}",
    )


def _vectors(models: list[Recommender]) -> tuple[Recommender, Floats] | None:
    for model in models:
        vectors = model.item_vectors()
        if vectors is not None:
            return model, vectors
    return None


def _tsne(vectors: Floats, seed: int) -> Doubles:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    layout: Any = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=seed, max_iter=300)
    return np.asarray(layout.fit_transform(vectors), dtype=np.float64)


def _categories(table: pl.DataFrame | None, column: str | None, order: Index) -> list[str]:
    """Return the first of each item's categories ("Comedy|Drama" counts as Comedy), "" where there is none."""
    if table is None or column is None:
        return [""] * order.size
    given = table[column].gather(order)
    if isinstance(given.dtype, pl.List):
        return given.cast(pl.List(pl.String)).list.first().fill_null("").to_list()
    texts = given.cast(pl.String).fill_null("")
    return texts.str.split("|").list.first().fill_null("").to_list()
