"""An answer for one user as people read it: titles, scores, and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from edgewise.data.ids import UNKNOWN
from edgewise.explanations import explain_list
from edgewise.newcomers import Newcomers
from edgewise.pipeline.explaining import reason_texts
from edgewise.pipeline.fallback import FALLBACK
from edgewise.pipeline.live import Known
from edgewise.pipeline.recommend import Pipeline, Served
from edgewise.pipeline.sources import ModelSource
from edgewise.pipeline.titles import titles_of
from edgewise.recommender import Recommender
from edgewise.types import Ids


@dataclass(frozen=True)
class Item:
    """One recommended item.

    Attributes:
        item_id: the caller's id. title: what to call it. score: the model's. rank: from 1.
        reasons: what spoke most for it, the strongest first: titles of what the user met, friends, attributes; empty where there is none.
    """

    item_id: str | int
    title: str
    score: float
    rank: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Recommendations for one user.

    Attributes:
        user_id: as asked. source: where the first item is from: the model's name, or another source or part of the fallback, such as "popular".
        note: why the fallback answered.
        items: best first.
    """

    user_id: str | int
    source: str
    note: str
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def answer(
    model: Recommender,
    user_ids: pl.Series,
    k: int,
    *,
    exclude_seen: bool = True,
    n_reasons: int = 0,
    names: list[str] | None = None,
    pipeline: Pipeline | None = None,
) -> list[Answer]:
    """Recommend to users; whom the model cannot answer gets what is popular, and the answer says so.

    Args:
        model: fitted.
        user_ids: of the model's own kind; a missing one stands for text that cannot be an id here.
        k: the longest list, > 0.
        exclude_seen: leave out what the user met in training.
        n_reasons: how many reasons to give for each item.
        names: how to call the users in the answers, where that differs from the ids (text that could not be an id).
        pipeline: how lists are made with the model; None: by its defaults.
    """
    named = names if names is not None else user_ids.to_list()
    pipeline = Pipeline(model) if pipeline is None else pipeline
    asked = user_ids.cast(pl.String).fill_null("")  # text that cannot be an id here is the id of nobody
    answers = []
    for name, user_id, text in zip(named, user_ids.to_list(), asked, strict=True):
        served = pipeline.recommend(text, k, exclude_seen=exclude_seen)
        answers.append(_as_answer(model, name, user_id, None, served, n_reasons))
    return answers


def answer_newcomer(
    model: Recommender,
    name: str,
    k: int,
    *,
    history: Ids | None = None,
    attributes: Mapping[str, Any] | None = None,
    friends: Ids | None = None,
    exclude_seen: bool = True,
    n_reasons: int = 0,
    pipeline: Pipeline | None = None,
) -> Answer:
    """Recommend to somebody whom training never saw; where the model cannot, what is popular, and the answer says why.

    Args:
        model: fitted.
        name: how to call this person in the answer.
        k: the longest list, > 0.
        history: ids of items met. attributes: by name. friends: ids of users. At least one of these.
        exclude_seen: leave out what is in the history.
        n_reasons: how many reasons to give for each item.
        pipeline: as for `answer`.
    """
    newcomers = model.newcomers("user", history=history, attributes=attributes, friends=friends)
    known = Known.newcomer(name, newcomers)
    pipeline = Pipeline(model) if pipeline is None else pipeline
    served = pipeline.recommend(known, k, exclude_seen=exclude_seen)
    answer = _as_answer(model, name, None, newcomers, served, n_reasons)
    return answer if answer.note else replace(answer, note=newcomers.remarks[0])


def history_of(model: Recommender, user_id: str | int, n: int = 10) -> list[str]:
    """Return titles of up to `n` items that a user met: the most liked first and, among equals, the rarest, which say most."""
    catalogue = model.catalogue
    [user] = catalogue.users.index_of([user_id])  # type: ignore[arg-type]
    if user == UNKNOWN:
        return []
    row = slice(catalogue.strengths.indptr[user], catalogue.strengths.indptr[user + 1])
    history = catalogue.strengths.indices[row].astype(np.int64)
    order = np.lexsort((catalogue.item_counts[history], -catalogue.strengths.data[row]))[:n]
    return titles_of(catalogue, catalogue.items.ids_at(history[order]))


def _as_answer(
    model: Recommender, name: Any, user_id: Any, newcomer: Newcomers | None, served: Served, n_reasons: int
) -> Answer:
    catalogue = model.catalogue
    ids = catalogue.items.ids_at(served.items)
    first = served.sources[0] if served.sources else FALLBACK
    source = model.name if first == ModelSource.name else first
    reasons: list[tuple[str, ...]] = [()] * len(ids)
    if n_reasons and (not served.note or first == ModelSource.name):
        found = explain_list(model, user_id, newcomer, ids, n_reasons)
        reasons = [tuple(reason_texts(catalogue, why.reasons)) for why in found]
    return Answer(name, source, served.note, _items(ids, titles_of(catalogue, ids), served.scores.tolist(), reasons))


def _items(ids: pl.Series, titles: list[str], scores: list[float], reasons: list[tuple[str, ...]]) -> tuple[Item, ...]:
    rows = zip(ids.to_list(), titles, scores, reasons, strict=True)
    return tuple(Item(item, title, float(score), rank, why) for rank, (item, title, score, why) in enumerate(rows, 1))
