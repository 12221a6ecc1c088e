"""From a question, who and which item, to an explanation."""

from dataclasses import replace
from typing import ClassVar, Protocol

import numpy as np

from edgewise.catalogue import Catalogue
from edgewise.data.ids import UNKNOWN
from edgewise.errors import ConfigError
from edgewise.explanations.evidence import Evidence, PieceKind
from edgewise.explanations.explanation import Explanation, Method, Reason
from edgewise.explanations.fidelity import fidelity_of
from edgewise.explanations.perturbation import perturbation, standing
from edgewise.newcomers import Newcomers
from edgewise.rng import make_rng
from edgewise.types import Floats, Ids, Index

MAX_PIECES = 100
"""How many items of a history are tried by anything but shares and similarity: those most like the item."""

_NOISE = 1e-5
"""A contribution below this share of the strongest, or of the score that it is a part of, is rounding and no reason."""

_KINDS: dict[str, PieceKind] = {"history": "history", "friends": "friend", "attributes": "attribute"}


class Explained(Protocol):
    """What a model is asked for an explanation: every `Recommender`."""

    seed: int
    name: ClassVar[str]
    folds_in: ClassVar[tuple[str, ...]]
    reads_item_attributes: ClassVar[bool]

    @property
    def catalogue(self) -> Catalogue:
        """Users, items, and what each user met in training."""

    @property
    def explains_by(self) -> tuple[Method, ...]:
        """The methods that the model has, the default first."""

    def masked_newcomer_scores(self, newcomers: Newcomers) -> Floats:
        """Score all items for newcomers: float32 [n, n_items]."""

    def masked_scores(self, user_index: Index) -> Floats:
        """Score all items for known users: float32 [n, n_items]."""

    def similarity_block(self, item_index: Index) -> Floats | None:
        """Tell how alike all items are to some: float32 [n, n_items]."""

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Return the terms of a score: float32 [n_history]."""

    def carried(self, evidence: Evidence, item_index: Index, method: Method) -> Floats:
        """Return what each piece carried by a look inside: float32 [n_pieces, n_items]."""

    def score_new_items(self, users: Newcomers, items: Newcomers) -> Floats | None:
        """Score new items for new users: float32 [n_users, n_items]."""


def explain_one(
    model: Explained,
    user_id: str | int | None,
    newcomer: Newcomers | None,
    item_id: str | int,
    n: int,
    method: Method | None,
) -> Explanation:
    """Explain one item to a known user, or to a newcomer: with attributes of the item and, where it can be had, fidelity."""
    catalogue = model.catalogue
    nothing = Explanation((), None, item_dtype=catalogue.items.ids.dtype)
    [item] = catalogue.items.index_of([item_id])  # type: ignore[arg-type]
    user = UNKNOWN if user_id is None else int(catalogue.users.index_of([user_id])[0])  # type: ignore[arg-type]
    if item == UNKNOWN or (newcomer is None and user == UNKNOWN):
        return nothing
    about, method = _asked(model, user, newcomer, np.array([item]), method)
    scores = _scores(model, user, about)
    met = (catalogue.seen[[user]] if newcomer is None else newcomer.history).indices
    rank = _place(scores, int(item), met)
    if method is None:
        return replace(nothing, score=float(scores[item]), rank=rank)
    evidence = evidence_of(model, about, np.array([item]), method)
    amounts = reasons_of(model, user, evidence, np.array([item]), method)[:, 0]
    found, chosen = _explanation(model, evidence, amounts, float(scores[item]), n, method)
    fidelity = None
    if "perturbation" in model.explains_by and chosen.size:  # it asks the same questions
        fidelity = fidelity_of(
            model.masked_newcomer_scores, evidence, int(item), chosen, make_rng(model.seed, "fidelity")
        )
    of_item = _item_reasons(model, about, int(item), n)
    return replace(found, item_reasons=of_item, fidelity=fidelity, rank=rank)


def explain_list(
    model: Explained, user_id: str | int | None, newcomer: Newcomers | None, item_ids: Ids, n: int
) -> list[Explanation]:
    """Explain several known items to a known user, or to a newcomer, by the default method: without attributes and fidelity."""
    catalogue = model.catalogue
    user = UNKNOWN if user_id is None else int(catalogue.users.index_of([user_id])[0])  # type: ignore[arg-type]
    items = catalogue.items.index_of(item_ids)
    about, method = _asked(model, user, newcomer, items, None)
    if method is None:
        return [Explanation((), None, item_dtype=catalogue.items.ids.dtype)] * items.size
    evidence = evidence_of(model, about, items, method)
    amounts = reasons_of(model, user, evidence, items, method)
    scores = _scores(model, user, about)[items]
    return [
        _explanation(model, evidence, column, float(score), n, method)[0]
        for column, score in zip(amounts.T, scores, strict=True)
    ]


def _asked(
    model: Explained, user: int, newcomer: Newcomers | None, items: Index, method: Method | None
) -> tuple[Newcomers, Method | None]:
    """Return what is known of who is asked about, and the method."""
    about = _without(model.catalogue.as_new_user(user) if newcomer is None else newcomer, items)
    methods = [name for name in model.explains_by if newcomer is None or name != "shares"]
    if method is not None and method not in methods:
        has = f"it has {', '.join(methods)}" if methods else "it cannot explain its recommendations"
        of_whom = "" if newcomer is None else " for somebody new"
        raise ConfigError(f"{model.name} has no method {method!r} of explaining{of_whom}; {has}.")
    return about, method if method is not None else next(iter(methods), None)


def _without(about: Newcomers, items: Index) -> Newcomers:
    """Leave the items in question out of the history: they are no reason for themselves."""
    history = about.history.copy()
    history.data[np.isin(history.indices, items)] = 0
    history.eliminate_zeros()
    return replace(about, history=history)


def evidence_of(model: Explained, about: Newcomers, items: Index, method: Method) -> Evidence:
    """Take apart what is known of one user, as far as a method can look at it.

    Args:
        model: fitted.
        about: all that is known, without the items in question.
        items: int64 [n_items], the items in question; of a long history those most like these are tried.
        method: one that the model has.
    """
    if method in ("shares", "similarity"):
        return Evidence.of(about, kinds=("history",))
    history = about.history.indices.astype(np.int64)
    if history.size > MAX_PIECES:
        alike = model.similarity_block(items)
        order = np.argsort(-(alike[:, history].max(axis=0) if alike is not None else history), kind="stable")
        history = np.sort(history[order[:MAX_PIECES]])
    return Evidence.of(about, history, kinds=[kind for name, kind in _KINDS.items() if name in model.folds_in])


def reasons_of(model: Explained, user: int, evidence: Evidence, items: Index, method: Method) -> Floats:
    """Tell what each piece contributes to each item: float32 [n_pieces, n_items].

    Args:
        model: fitted.
        user: whose history the evidence holds; -1 for somebody new.
        evidence: from `evidence_of`.
        items: int64 [n_items].
        method: one that the model has.
    """
    if not evidence.pieces:
        return np.zeros((0, items.size), dtype=np.float32)
    history = np.array([piece.place for piece in evidence.pieces if piece.kind == "history"], dtype=np.int64)
    match method:
        case "shares":
            return np.stack([model.contributions(user, int(item), history) for item in items], axis=1)
        case "similarity":
            alike = model.similarity_block(items)
            assert alike is not None
            return np.ascontiguousarray(alike[:, history].T)
        case "perturbation":
            return perturbation(lambda variants: standing(model.masked_newcomer_scores(variants), items), evidence)
        case _:
            return model.carried(evidence, items, method)


def _explanation(
    model: Explained, evidence: Evidence, amounts: Floats, score: float, n: int, method: Method
) -> tuple[Explanation, Index]:
    """Choose the strongest reasons; also return which pieces these are."""
    # Perturbation counts in deviations, of which an item is a few away from the mean; attention in shares of one.
    order = _strongest(amounts, n, 1.0 if method in ("perturbation", "attention") else score)
    reasons = tuple(_reason(model.catalogue, evidence, int(place), float(amounts[place])) for place in order)
    rest = score - float(amounts[order].sum()) if method == "shares" else None
    return Explanation(reasons, method, score, rest, item_dtype=model.catalogue.items.ids.dtype), order


def _strongest(amounts: Floats, n: int, scale: float) -> Index:
    """Return the places of up to n contributions, the strongest first, without those that are rounding: int64 [n]."""
    order = np.argsort(-np.nan_to_num(amounts, nan=-np.inf), kind="stable")[:n]
    strongest = float(amounts[order[0]]) if order.size else 0.0
    kept: Index = order[amounts[order] > _NOISE * np.fmax(abs(scale), strongest)]
    return kept


def _reason(catalogue: Catalogue, evidence: Evidence, place: int, amount: float) -> Reason:
    piece = evidence.pieces[place]
    if piece.kind == "attribute":
        return Reason("attribute", piece.name, amount, piece.value)
    ids = catalogue.items.ids if piece.kind == "history" else catalogue.users.ids
    return Reason(piece.kind, ids[piece.place], amount)


def _item_reasons(model: Explained, about: Newcomers, item: int, n: int) -> tuple[Reason, ...]:
    """Tell by how much the score falls without one of the item's attributes, where the model scores new items by these."""
    if not model.reads_item_attributes:
        return ()
    evidence = Evidence.of(model.catalogue.as_new_item(item), kinds=("attribute",))
    if not evidence.pieces or model.score_new_items(about, evidence.newcomer) is None:
        return ()

    scale = 0.0

    def ask(variants: Newcomers) -> Floats:
        nonlocal scale
        scores = model.score_new_items(about, variants)
        assert scores is not None
        scale = max(scale, float(np.abs(np.nan_to_num(scores)).max()))
        return np.ascontiguousarray(scores.T)

    fallen = perturbation(ask, evidence)[:, 0]
    pieces = [(evidence.pieces[place], float(fallen[place])) for place in _strongest(fallen, n, scale).tolist()]
    return tuple(Reason("item attribute", piece.name, amount, piece.value) for piece, amount in pieces)


def _scores(model: Explained, user: int, about: Newcomers) -> Floats:
    scores = model.masked_newcomer_scores(about) if user == UNKNOWN else model.masked_scores(np.array([user]))
    one: Floats = scores[0]
    return one


def _place(scores: Floats, item: int, met: Index) -> int | None:
    """Return an item's place, from 1, among what is not met: of equals the first goes first, as in lists."""
    if item in met or np.isnan(scores[item]):
        return None
    above = scores > scores[item]
    above[:item] |= scores[:item] == scores[item]
    above[met] = False
    return 1 + int(above.sum())
