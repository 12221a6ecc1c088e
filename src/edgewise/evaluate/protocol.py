"""Full ranking: every test user against the whole catalogue, less what the user met in training.

Nothing is sampled. Metrics on sampled candidates rank models differently from those on all items (Krichene and Rendle,
"On Sampled Metrics for Item Recommendation", KDD 2020), and with one pass over blocks of scores the real thing takes
little longer than computing the scores.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from edgewise import telemetry
from edgewise.catalogue import Catalogue
from edgewise.data import Dataset
from edgewise.errors import ConfigError, DataError
from edgewise.evaluate.auc import auc as auc_of
from edgewise.evaluate.beyond import co_interaction_vectors, coverage, diversity, gini, novelty, popularity_bias
from edgewise.evaluate.edges import edge_or_not, sample_non_edges, scores_at
from edgewise.evaluate.metrics import METRICS, find_hits
from edgewise.evaluate.result import Evaluation
from edgewise.evaluate.segments import item_segments, mean_of, user_segments
from edgewise.evaluate.targets import Targets, find_targets
from edgewise.ranking import Rows, block_size, top_k_and_ranks
from edgewise.rng import make_rng
from edgewise.types import Doubles, Floats, Index


class Scorer(Protocol):
    """What can be evaluated: every `Recommender`, and whatever else scores all items for known users."""

    @property
    def catalogue(self) -> Catalogue:
        """Users, items, and what each user met in training."""

    def masked_scores(self, user_index: Index) -> Floats:
        """Score all items: float32 [b, n_items] for int64 [b]; NaN for an item that must not be recommended."""


def evaluate(
    model: Scorer,
    test: Dataset,
    *,
    k: Sequence[int] | int = (10, 20),
    auc: bool = True,
    edges: bool = True,
    item_features: Any = None,
    targets: Targets | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure a fitted model on a test set.

    Evaluated are the test users whom training knows and who met something new. Relevant is every distinct item that such a
    user met in the test and not in training; one that training does not know can be found by nobody and still counts.
    Memory is bounded by blocks of users, whose size changes no result.

    Args:
        model: fitted. Only its answers about users of its own training set are asked for.
        test: its ids are matched with the model's own.
        k: the cut-off, or several; the result has every ranking metric at each.
        auc: also measure AUC, which looks at the whole ranking ("auc").
        edges: also measure the edge-or-not view: test edges against as many sampled non-edges of the same user
            ("edge_accuracy", "edge_recall", "edge_precision", overall only).
        item_features: [n_items, n_features], sparse or dense, by which to tell how alike items are; by default who met them.
        targets: what `find_targets(model.catalogue, test)` gives, to save matching again for each of several models.
        seed: for the non-edges; nothing else is random.

    Raises:
        IdTypeError: if the test ids are text where the model's are integers, or the reverse.
        DataError: if no test user is known to training, or k exceeds the catalogue.
        ConfigError: if k is empty or not made of whole numbers > 0.
    """
    cuts = _checked_cuts(k, len(model.catalogue.items))
    targets = find_targets(model.catalogue, test) if targets is None else targets
    taken = csr_array(targets.seen + targets.relevant)
    drawn = targets.n_relevant if edges else np.zeros_like(targets.n_relevant)
    non_edges = sample_non_edges(taken, drawn, make_rng(seed, "non-edges"))
    started = time.perf_counter()
    answers = _answers(model, targets, non_edges, cuts[-1], auc=auc)
    evaluate_s = time.perf_counter() - started

    hits = find_hits(answers.lists, Rows.of(targets.relevant))
    per_user = {
        f"{name}@{cut}": metric(hits, targets.n_relevant, cut) for cut in cuts for name, metric in METRICS.items()
    }
    if auc:
        owner = _row_of_entry(targets.relevant)
        per_user["auc"] = auc_of(answers.n_above, answers.n_equal, owner, targets.n_relevant, targets.n_candidates)
    per_user |= _beyond_accuracy(answers.lists, targets, cuts, item_features, model.catalogue)
    overall = {name: mean_of(values) for name, values in per_user.items()}
    for cut in cuts:
        overall[f"coverage@{cut}"] = coverage(answers.lists[:, :cut], targets.n_items)
        overall[f"gini@{cut}"] = gini(answers.lists[:, :cut], targets.n_items)
    if edges:
        unknown = np.full(int(targets.n_relevant.sum()) - targets.relevant.nnz, np.nan, dtype=np.float32)
        edge_scores = np.concatenate([answers.edge_scores, unknown])
        overall |= edge_or_not(edge_scores, answers.non_edge_scores, make_rng(seed, "edge halves"))
    segments = user_segments(targets, per_user) | item_segments(targets, hits, answers.lists, cuts)
    return Evaluation(targets.user_index, per_user, overall, segments, answers.lists, evaluate_s)


@dataclass(frozen=True)
class _Answers:
    """What one pass over all scores leaves behind.

    Attributes:
        lists: int64 [n_users, k]. n_above, n_equal: int64 [relevant.nnz], unless AUC was not asked for.
        edge_scores: float32 [relevant.nnz]. non_edge_scores: float32 [n_non_edges].
    """

    lists: Index
    n_above: Index
    n_equal: Index
    edge_scores: Floats
    non_edge_scores: Floats


def _answers(model: Scorer, targets: Targets, non_edges: Rows, k: int, *, auc: bool) -> _Answers:
    n_users, relevant, seen = targets.n_users, Rows.of(targets.relevant), Rows.of(targets.seen)
    n_edges = relevant.indices.size
    answers = _Answers(
        np.empty((n_users, k), dtype=np.int64),
        np.empty(n_edges, dtype=np.int64),
        np.empty(n_edges, dtype=np.int64),
        np.empty(n_edges, dtype=np.float32),
        np.empty(non_edges.indices.size, dtype=np.float32),
    )
    size = block_size(targets.n_items)
    name = str(getattr(model, "name", type(model).__name__))
    with telemetry.step(f"evaluate {name}", total=n_users) as work:
        for start in range(0, n_users, size):
            stop = min(start + size, n_users)
            scores = _scores(model, name, targets.user_index[start:stop], targets.n_items)  # [b, n_items]
            wanted = relevant.part(start, stop)
            lists, _, n_above, n_equal = top_k_and_ranks(scores, k, seen.part(start, stop), wanted if auc else None)
            answers.lists[start:stop] = lists
            here = slice(relevant.indptr[start], relevant.indptr[stop])
            if auc:
                answers.n_above[here], answers.n_equal[here] = n_above, n_equal
            answers.edge_scores[here] = scores_at(scores, wanted)
            here = slice(non_edges.indptr[start], non_edges.indptr[stop])
            answers.non_edge_scores[here] = scores_at(scores, non_edges.part(start, stop))
            work.advance(stop - start)
    return answers


def _scores(model: Scorer, name: str, user_index: Index, n_items: int) -> Floats:
    scores = np.ascontiguousarray(model.masked_scores(user_index), dtype=np.float32)
    if scores.shape != (user_index.size, n_items):
        raise DataError(
            f"{name}: masked_scores gave an array of shape {scores.shape} for {user_index.size} users; "
            f"expected a score for each of the {n_items} items of its catalogue."
        )
    return scores


def _beyond_accuracy(
    lists: Index, targets: Targets, cuts: list[int], item_features: Any, catalogue: Catalogue
) -> dict[str, Doubles]:
    vectors = co_interaction_vectors(catalogue.seen) if item_features is None else csr_array(item_features)
    if vectors.shape[0] != targets.n_items:
        raise DataError(
            f"item_features has {vectors.shape[0]} rows; expected one for each of the {targets.n_items} items."
        )
    different = diversity(lists, vectors, cuts)
    found = {}
    for column, cut in enumerate(cuts):
        top = lists[:, :cut]
        found[f"novelty@{cut}"] = novelty(top, targets.item_counts, targets.n_training_users)
        found[f"popularity_bias@{cut}"] = popularity_bias(top, targets.item_counts, targets.seen)
        found[f"diversity@{cut}"] = different[:, column]
    return found


def _row_of_entry(matrix: csr_array) -> Index:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _checked_cuts(k: Sequence[int] | int, n_items: int) -> list[int]:
    cuts = sorted({k} if isinstance(k, int | np.integer) else set(k))
    if not cuts or any(isinstance(cut, bool) or not isinstance(cut, int | np.integer) or cut < 1 for cut in cuts):
        raise ConfigError(f"k = {k!r}: expected one or more whole numbers of at least 1, such as (10, 20).")
    if cuts[-1] > n_items:
        raise DataError(
            f"k = {cuts[-1]}, and the catalogue has {n_items} items: a longer list than the catalogue cannot be ranked. "
            f"Choose a k of at most {n_items}."
        )
    return [int(cut) for cut in cuts]
