"""Fidelity: whether an item's place in the ranking hangs on the reasons given, as an explanation claims.

Amara et al., "GraphFramEx: Towards Systematic Evaluation of Explainability Methods for Graph Neural Networks", LoG 2022
(arXiv:2206.09677), section 4: how often a prediction changes without the explanation (fidelity+, necessary reasons), and
with the explanation alone (fidelity-, sufficient reasons). The prediction here is that the item is among the top k.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from edgewise.explanations.evidence import Evidence
from edgewise.explanations.explanation import Fidelity
from edgewise.explanations.perturbation import Ask, scores_of
from edgewise.types import Bools, Floats, Index

N_DRAWS = 9
"""How often random pieces are drawn, for comparison."""


@dataclass(frozen=True)
class FidelityShares:
    """How often items leave the top k.

    Attributes:
        plus: share that leaves it without the reasons: the higher the better.
        plus_random: without as many random pieces. minus: with the reasons alone: the lower the better.
        minus_random: with as many random pieces alone.
        n_lists, n_items: how many lists and items these are of.
    """

    plus: float
    plus_random: float
    minus: float
    minus_random: float
    n_lists: int
    n_items: int


def fidelity_of(ask: Ask, evidence: Evidence, item: int, reasons: Index, rng: np.random.Generator) -> Fidelity:
    """Rank an item by all pieces, without the reasons, by these alone, and without random pieces.

    Args:
        ask: scores all items, float32 [n, n_items].
        evidence: all that is known of the user.
        item: by dense index.
        reasons: int64 [n], which pieces are the reasons.
        rng: for the random pieces.
    """
    n_pieces = len(evidence.pieces)
    without, _ = _random_variants(n_pieces, reasons.size, rng)
    kept = np.vstack([np.ones(n_pieces, dtype=np.bool_), *_with_and_without(n_pieces, reasons), without])
    ranks = _ranks(scores_of(ask, evidence, kept), item, evidence.newcomer.history.indices)
    drawn = float(np.median(ranks[3:]))
    found = [None if not np.isfinite(rank) else int(rank) for rank in (*ranks[:3], drawn)]
    return Fidelity(found[0], found[1], found[2], found[3], int(reasons.size))


def fidelity_shares(
    ask: Ask,
    known: Iterable[Evidence],
    reasons_of: Callable[[Evidence, Index], Floats],
    rng: np.random.Generator,
    *,
    k: int = 10,
    n: int = 3,
) -> FidelityShares:
    """Count how often the items of top-k lists leave these, without their reasons and with these alone.

    Args:
        ask: scores all items, float32 [n, n_items].
        known: what is known of each of some users; one with fewer than n + 1 pieces is left out, since nothing, or nothing
            else, would be left of it.
        reasons_of: gives for all that is known and int64 [n_items] items what each piece contributes: [n_pieces, n_items].
        rng: for the random pieces.
        k: length of the lists. n: how many reasons.
    """
    left: list[tuple[float, float, float, float]] = []
    n_lists = 0
    for evidence in known:
        n_pieces = len(evidence.pieces)
        if n_pieces <= n:
            continue
        met = evidence.newcomer.history.indices
        [scores] = scores_of(ask, evidence, np.ones((1, n_pieces), dtype=np.bool_))
        scores[met] = np.nan
        items = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:k].astype(np.int64)
        items = items[np.isfinite(scores[items])]
        if not items.size:
            continue
        n_lists += 1
        without, alone = _random_variants(n_pieces, n, rng)
        drawn = scores_of(ask, evidence, np.vstack([without, alone]))
        amounts = reasons_of(evidence, items)
        best = np.argsort(-amounts, axis=0, kind="stable")[:n]
        asked = np.vstack([variant for column in best.T for variant in _with_and_without(n_pieces, column)])
        ranked = scores_of(ask, evidence, asked)
        for place, item in enumerate(items):
            gone = _ranks(ranked[2 * place : 2 * place + 2], int(item), met) > k
            by_chance = _ranks(drawn, int(item), met) > k
            left.append((gone[0], by_chance[:N_DRAWS].mean(), gone[1], by_chance[N_DRAWS:].mean()))
    if not left:
        return FidelityShares(np.nan, np.nan, np.nan, np.nan, 0, 0)
    plus, plus_random, minus, minus_random = np.mean(np.array(left, dtype=np.float64), axis=0).tolist()
    return FidelityShares(plus, plus_random, minus, minus_random, n_lists, len(left))


def _with_and_without(n_pieces: int, reasons: Index) -> tuple[Bools, Bools]:
    """Return which pieces there are without the reasons, and with these alone: bool [n_pieces] each."""
    alone = np.zeros(n_pieces, dtype=np.bool_)
    alone[reasons] = True
    return ~alone, alone


def _random_variants(n_pieces: int, n: int, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Return the same for random pieces: bool [N_DRAWS, n_pieces] each."""
    drawn = [_with_and_without(n_pieces, rng.permutation(n_pieces)[:n]) for _ in range(N_DRAWS)]
    return np.vstack([without for without, _ in drawn]), np.vstack([alone for _, alone in drawn])


def _ranks(scores: Floats, item: int, met: Index) -> Floats:
    """Return the item's rank in each row of scores [n, n_items] among what is not met, infinite where it has none: [n]."""
    own = scores[:, [item]]
    above = scores > own
    above[:, met] = False
    ranks: Floats = 1 + above.sum(axis=1).astype(np.float32)
    ranks[np.isnan(own[:, 0])] = np.inf
    return ranks
