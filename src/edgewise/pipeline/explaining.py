"""Why an item is recommended, as people read it: titles, amounts, and what becomes of the item without the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from edgewise.catalogue import Catalogue
from edgewise.data.ids import UNKNOWN
from edgewise.explanations import Explanation, Fidelity, Method, Reason
from edgewise.pipeline.titles import titles_of
from edgewise.recommender import Recommender
from edgewise.types import Ids

_HOW: dict[Method, str] = {
    "shares": "the contributions are shares of the score",
    "perturbation": "the contributions tell by how many standard deviations, among all items, it falls back if one is not known",
    "gradient": "the contributions are what each gives, times how fast the score grows with it",
    "attention": "the contributions are shares of the model's attention, the same for each item",
    "similarity": "the contributions tell how alike the items are",
}

_AS_NEW = "Asked as about a newcomer of whom the same is known,"


def explain_pair(
    model: Recommender,
    user: str | None,
    item: str,
    n: int,
    *,
    method: Method | None = None,
    history: Ids | None = None,
    attributes: Mapping[str, Any] | None = None,
    friends: Ids | None = None,
    name: str | None = None,
    is_stranger: bool = False,
) -> dict[str, Any]:
    """Tell why `item` would be recommended to `user`, both given as text; or to somebody new, of whom this is known.

    Args:
        model, item, n, method: see `Recommender.explain`.
        user: a known user; or None, and history, attributes, friends of somebody new.
        name: of a user whose list is made from more than is told here; None: of nobody.
        is_stranger: nothing of what training knew of `user` counts, as of somebody who was erased.

    Returns:
        Plain JSON: user_id, item_id, title, source, method, score (None where the model cannot say), rank (in the list that
        the model makes; None where the item is met already or not ranked), exact (whether contributions and rest add up to
        the score), rest, reasons (kind, item_id, user_id or name and value, title, contribution) of what is known of the
        user, item_reasons of the item's attributes, fidelity (rank, without, alone, without_random, n, as of a newcomer of
        whom the same is known; None where it cannot be had), note (what of the given was not used) and text, in a few sentences.
    """
    catalogue = model.catalogue
    [item_id] = catalogue.items.from_text([item])
    user_id = None if user is None else catalogue.users.from_text([user])[0]
    unknown = [f"item {item!r}"] if item_id is None or catalogue.items.index_of([item_id])[0] == UNKNOWN else []
    if user is not None and (is_stranger or user_id is None or catalogue.users.index_of([user_id])[0] == UNKNOWN):
        unknown.insert(0, f"user {user!r}")
    found: dict[str, Any] = {"user_id": user or name, "item_id": item, "title": item, "source": model.name}
    if unknown:
        text = f"The model does not know {' and '.join(unknown)}, so there is nothing to explain."
        return found | _as_json(catalogue, Explanation((), None)) | {"note": "", "text": text}
    why = model.explain(user_id, item_id, n, method=method, history=history, attributes=attributes, friends=friends)
    title = titles_of(catalogue, pl.Series([item_id]))[0]
    who = "this newcomer" if user is None and name is None else f"user {user or name}"
    people = int(catalogue.item_counts[catalogue.items.index_of([item_id])[0]])
    if why.reasons:
        text = f"“{title}” suits {who} because of the following; {_HOW[why.method or 'similarity']}."
    elif why.method is None:
        text = f"{model.name} gives no reasons for its recommendations; {people} people met “{title}”."
    else:
        text = f"Nothing that is known of {who} speaks for “{title}”; {people} people met it."
    if name is not None:
        why = replace(why, rank=None)
    if user is not None and why.rank is not None:
        text += f" In the list of {who} it is {_at(why.rank)}."
    if why.fidelity is not None:
        is_new = user is None and name is None
        text += " " + fidelity_text(why.fidelity, "By all that is known" if is_new else _AS_NEW)
    note = "" if user is not None else _unused(model, history, attributes, friends)
    text += f" {note}" if note else ""
    return found | {"title": title} | _as_json(catalogue, why) | {"note": note, "text": text}


def fidelity_text(fidelity: Fidelity, asked: str) -> str:
    """Say in a sentence what the reasons are worth.

    Args:
        fidelity: of an explanation.
        asked: what the ranks are of.
    """
    if fidelity.rank is None:
        return "Asked as about a newcomer, the model does not rank the item."
    what = "this reason" if fidelity.n == 1 else f"these {fidelity.n} reasons"
    return (
        f"{asked} it is {_at(fidelity.rank)}; without {what} {_at(fidelity.without)}, by "
        f"{'it' if fidelity.n == 1 else 'them'} alone {_at(fidelity.alone)}; without as many drawn at random "
        f"{_at(fidelity.without_random)}."
    )


def _unused(model: Recommender, history: Ids | None, attributes: Mapping[str, Any] | None, friends: Ids | None) -> str:
    """Say what of that which is given about somebody new the model does not use, and why."""
    newcomers = model.newcomers("user", history=history, attributes=attributes, friends=friends)
    if not set(newcomers.known_by(0)) & set(model.folds_in):
        return model.why_nothing(newcomers, 0)
    return newcomers.remarks[0]


def reason_texts(catalogue: Catalogue, reasons: Sequence[Reason]) -> list[str]:
    """Return what to call each reason."""
    met = [reason.id for reason in reasons if reason.kind == "history"]
    titles = iter(titles_of(catalogue, pl.Series(met, dtype=catalogue.items.ids.dtype)))
    texts = []
    for reason in reasons:
        match reason.kind:
            case "history":
                texts.append(next(titles))
            case "friend":
                texts.append(f"friend {reason.id}")
            case _:
                texts.append(f"{reason.id}: {reason.value}")
    return texts


def _as_json(catalogue: Catalogue, why: Explanation) -> dict[str, Any]:
    fidelity = why.fidelity
    return {
        "score": None if np.isnan(why.score) else why.score,
        "rank": why.rank,
        "method": why.method,
        "exact": why.method == "shares",
        "rest": why.rest,
        "reasons": _reasons_as_json(catalogue, why.reasons),
        "item_reasons": _reasons_as_json(catalogue, why.item_reasons),
        "fidelity": None if fidelity is None else vars(fidelity),
    }


def _reasons_as_json(catalogue: Catalogue, reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    keys = {"history": "item_id", "friend": "user_id", "attribute": "name", "item attribute": "name"}
    found = []
    for reason, text in zip(reasons, reason_texts(catalogue, reasons), strict=True):
        about = {"kind": reason.kind, keys[reason.kind]: reason.id}
        about |= {} if reason.value is None else {"value": reason.value}
        found.append(about | {"title": text, "contribution": reason.contribution})
    return found


def _at(rank: int | None) -> str:
    return "not ranked" if rank is None else f"number {rank}"
