"""What every recommender can do: the class that models extend, and the results they give.

A model file holds the algorithm: `fit_arrays` learns from a data set, `score_block` scores every item for a block of
users, and optionally `similarity_block` tells how alike items are and `embed_newcomers` or `score_newcomers` places users
and items that the model never saw. Ids, seen items, ranking, explanations and the model folder are the same for all and
live here.
"""

import platform
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgewise import model_folder
from edgewise.catalogue import Catalogue
from edgewise.config import Settings, make
from edgewise.data import Dataset, IdMap
from edgewise.data.ids import UNKNOWN
from edgewise.embeddings import score_embeddings, unit_vectors
from edgewise.errors import CannotPredictError, ConfigError, DataError, ModelFolderError, NotFittedError
from edgewise.explanations import Evidence, Explanation, Method, explain_one
from edgewise.head_start import HeadStart, Start
from edgewise.newcomers import Attributes, Histories, Newcomers, Side
from edgewise.ranking import NOTHING, block_size, top_k
from edgewise.search_space import Choice
from edgewise.types import Floats, Ids, Index


@dataclass(frozen=True)
class Ranked:
    """Ranked lists, one for each question, best first; a list may be short or empty.

    Attributes:
        queries: the ids asked about, in the order asked.
        query_name, answer_name: column names: ("user_id", "item_id"), or ("item_id", "similar_item_id").
        position: which query each row answers: int64 [n_rows], ascending.
        answers: the ids recommended [n_rows].
        scores: float32 [n_rows], falling within a query.
        reasons: for newcomers, why a list is empty or what of the given was not used; "" where there is nothing to say.
    """

    queries: pl.Series
    query_name: str
    answer_name: str
    position: Index
    answers: pl.Series
    scores: Floats
    reasons: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.queries)

    def __iter__(self) -> Iterator[list[tuple[Any, float]]]:
        """Yield for each query its list of (id, score)."""
        starts = np.searchsorted(self.position, np.arange(len(self.queries) + 1))
        answers, scores = self.answers.to_list(), self.scores.tolist()
        for start, stop in pairwise(starts):
            yield list(zip(answers[start:stop], scores[start:stop], strict=True))

    def to_frame(self) -> pl.DataFrame:
        """Return one row an answer: the query's id, the answer's id, score, rank (from 1)."""
        starts = np.searchsorted(self.position, np.arange(len(self.queries)))
        rank = (
            np.arange(self.position.size) - starts[self.position] + 1
            if self.position.size
            else np.empty(0, dtype=np.int64)
        )
        return pl.DataFrame(
            {
                self.query_name: self.queries.gather(self.position),
                self.answer_name: self.answers,
                "score": self.scores,
                "rank": rank,
            }
        )

    def to_pandas(self) -> Any:
        """Return `to_frame()` as a pandas frame; needs pandas."""
        return self.to_frame().to_pandas()


@dataclass
class FitRecord:
    """What is worth keeping of a fit beside the arrays: the report draws it.

    Attributes:
        curve: one entry an epoch: {"epoch": 1, "loss": 0.31, "ndcg@20": 0.12, "seconds": 4.2}.
        notes: choices made while fitting, one line each.
    """

    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Keeping:
    """Where a fit that takes long keeps what it has so far; models that are not trained step by step keep nothing.

    Attributes:
        checkpoints: a folder for the state of training, from which a fit that was cut off goes on; None: keep none.
        tensorboard: a folder for learning curves as TensorBoard's files; None: write none.
        identity: what makes the fit this fit (model, settings, seed, data); a checkpoint of another is refused.
        restart: begin anew whatever the folder holds; its checkpoint stays until there is a new one.
        start: an earlier fit to start from; None: start from nothing.
        trained: gets what a later fit may start from, by name.
    """

    checkpoints: Path | None = None
    tensorboard: Path | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    restart: bool = False
    start: Start | None = None
    trained: dict[str, NDArray[Any]] = field(default_factory=dict)


@runtime_checkable
class Inductive(Protocol):
    """What a model does that answers for users and items it never saw; `folds_in` says from what, empty for one that cannot.

    `Recommender` does this for every model: `recommend(history=…, attributes=…, friends=…)` and `embed_new(side, …)`.
    """

    folds_in: ClassVar[tuple[str, ...]]

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Place newcomers in the model's space: float32 [n, d], NaN for whom it cannot; None without such a space."""

    def score_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Score all items for new users: float32 [n, n_items], NaN where it cannot say; None if for nobody."""


@runtime_checkable
class Explainable(Protocol):
    """What a model does that can tell why it recommends an item; `explains_by` is empty for one that cannot.

    `Recommender` does this for every model: `explain(user_id, item_id)`, or `explain(item_id=…, history=…)`.
    """

    @property
    def explains_by(self) -> tuple[Method, ...]:
        """The methods that the model has, the default first; see `edgewise.explanations.METHODS`."""

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """By `shares`: the terms of a score, float32 [n_history]."""

    def carried(self, evidence: Evidence, item_index: Index, method: Method) -> Floats:
        """By `gradient` or `attention`: what each piece carried, float32 [n_pieces, n_items]."""


@runtime_checkable
class Rater(Protocol):
    """What a model of ratings can do beside ranking; `Recommender.predict` asks it by the caller's ids."""

    def predict_pairs(self, user_index: Index, item_index: Index) -> Floats:
        """Predict the rating of each pair, or the probability of a yes where the training data say yes and no.

        Args:
            user_index, item_index: int64 [n], -1 for one that training does not know: it gets what is known without it,
                the other side's bias and the mean.

        Returns:
            float32 [n], within the range of the ratings that training has.
        """


class Recommender(ABC):
    """The base of all models: `fit` a data set, then ask by the caller's own ids.

    A subclass names itself (`name`, `title`, `paper`), its `Config`, the attributes that make up a fitted model (`STATE`,
    arrays or CSR matrices), and defines `fit_arrays` and `score_block`.

    Args:
        config: the model's settings; or give them by name: `LightGCN(n_layers=2)`.
        seed: one seed, one result.

    Raises:
        ConfigError: if a setting is unknown or out of range.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[str] = "interactions"
    is_baseline: ClassVar[bool] = False
    """Whether this is one of the older, simpler methods that a graph model has to beat to be worth it."""
    Config: ClassVar[type[Settings]]
    STATE: ClassVar[tuple[str, ...]]
    SEARCH: ClassVar[Mapping[str, Choice]] = {}
    """What a search over settings may vary, and within which bounds."""
    scores_cold_items: ClassVar[bool] = False
    """Whether an item that nobody met gets a score; where not, it is never recommended."""
    folds_in: ClassVar[tuple[str, ...]] = ()
    """From what the model answers for a user it never saw: of "history", "attributes", "friends"."""
    reads_item_attributes: ClassVar[bool] = False
    """Whether attributes of a new item change its scores (`score_new_items`), so that they may be reasons for it."""
    starts_from: ClassVar[tuple[str, ...]] = ()
    """Arrays of an earlier fit that a fit can start from; without one of them it learns everything anew."""
    adds_up: ClassVar[bool] = False
    """Whether `contributions` are the terms of the score."""
    by_dot_product: ClassVar[bool] = False
    """Whether a score is `users[u] @ items[i]`, and a newcomer's its embedding's, so that an index over `items` can rank."""
    users: Any
    """Of a model with vectors: those of the users, float32 [n_users, d]."""
    items: Any
    """Of a model with vectors: those of the items, float32 [n_items, d]."""

    def __init__(self, config: Settings | None = None, *, seed: int = 0, **settings: Any) -> None:
        if config is not None and settings:
            raise ConfigError(f"{self.name}: give a config or single settings ({', '.join(settings)}), not both.")
        if config is not None and not isinstance(config, self.Config):
            raise ConfigError(f"{self.name}: expected a {self.Config.__name__}, got a {type(config).__name__}.")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ConfigError(f"seed = {seed!r}: expected an integer >= 0.")
        self.config: Any = config if config is not None else make(self.Config, settings, where=self.name)
        self.seed = seed
        self.record = FitRecord()
        self.keeping = Keeping()
        self.parameters: dict[str, NDArray[Any]] = {}  # what a later fit may start from, beside `STATE`
        self._catalogue: Catalogue | None = None

    # What a model file defines.

    @abstractmethod
    def fit_arrays(self, dataset: Dataset) -> None:
        """Learn from the data set and set every attribute that `STATE` names."""

    @abstractmethod
    def score_block(self, user_index: Index) -> Floats:
        """Score all items for a block of known users.

        Args:
            user_index: int64 [b].

        Returns:
            float32 [b, n_items], C order; the higher the better; NaN where the model cannot say.
        """

    def similarity_block(self, item_index: Index) -> Floats | None:
        """Tell how alike all items are to some: float32 [b, n_items], or None if the model has no such notion.

        By default the cosines of what `item_vectors` gives.
        """
        vectors = self.unit_items
        return None if vectors is None else score_embeddings(vectors, vectors, item_index)

    def score_newcomers(self, newcomers: Newcomers) -> Floats | None:
        """Score all items for users whom training never saw.

        Returns:
            float32 [n, n_items], NaN where the model cannot say; None if it cannot for anyone. By default what
            `embed_newcomers` gives, times the vectors of the items.
        """
        vectors = self.embed_newcomers(newcomers)
        if vectors is None:
            return None
        return score_embeddings(vectors, self.items, np.arange(len(newcomers)))

    def embed_newcomers(self, newcomers: Newcomers) -> Floats | None:  # noqa: ARG002 - the signature is the protocol
        """Place users or items that training never saw among the model's vectors.

        Returns:
            float32 [n, d], NaN for whom the model cannot; None if it has no vectors or cannot for anyone of this side.
        """
        return None

    def add_items(self, newcomers: Newcomers, order: Index) -> None:
        """Append new items to what the model has learned (`STATE`); a model whose items are the vectors `items` needs no more.

        Args:
            newcomers: the new items [n].
            order: int64 [n_items + n], the places, of the old items followed by the new, in their new order.

        Raises:
            ConfigError: if the model cannot take new items.
        """
        vectors = self.embed_newcomers(newcomers)
        if vectors is None:
            raise ConfigError(
                f"{self.name} cannot take new items; models that know attributes can, such as graphsage and content."
            )
        self.items = np.vstack([self.items, vectors])[order]

    def item_vectors(self) -> Floats | None:
        """Return the items' places in the model's space, float32 [n_items, d], or None if it has no such space.

        Zeros for an item of which nothing is known. What an item is counts, not how popular it is: biases stay out.
        """
        return None

    def contributions(self, user_index: int, item_index: int, history: Index) -> Floats:
        """Tell how much each history item gives to the score of an item, for a model that `adds_up`: float32 [n_history].

        These add up to the score, but for what a vector of the user's own gives.
        """
        raise NotImplementedError(f"{self.name} does not add up")

    def carried(self, evidence: Evidence, item_index: Index, method: Method) -> Floats:
        """Tell by a look inside what each piece carried: float32 [n_pieces, n_items].

        Asked only of a model whose `explains_by` names `gradient` or `attention`.
        """
        raise NotImplementedError(f"{self.name} has no {method}")

    def score_new_items(self, users: Newcomers, items: Newcomers) -> Floats | None:
        """Score new items for new users: float32 [n_users, n_items], NaN where the model cannot say; None if for nobody."""
        left, right = self.embed_newcomers(users), self.embed_newcomers(items)
        return None if left is None or right is None else left @ right.T

    # What all models share.

    def fit(
        self,
        dataset: Dataset,
        *,
        checkpoints: Path | str | None = None,
        restart: bool = False,
        tensorboard: Path | str | None = None,
        head_start: HeadStart | None = None,
    ) -> Self:
        """Learn from a data set, which stays as it is; returns the model itself.

        Args:
            dataset: what to learn from.
            checkpoints: a folder for the state of training, for models that are trained step by step. Where it holds the
                state of a fit that was cut off, that fit goes on, and ends with the bits that it would have ended with.
            restart: begin anew whatever is there; the old checkpoint stays until there is a new one.
            tensorboard: a folder for learning curves as TensorBoard's files.
            head_start: an earlier fit of this model to start from, for one that `starts_from` what it has; it then takes fewer passes.

        Raises:
            TrainingError: if the loss is no longer a number.
            ConfigError: if the checkpoint is of other settings or data; the text says what differs.
            CheckpointError: if the folder is in use, damaged, or something else.
        """
        self.record = FitRecord()
        self.keeping = Keeping(
            None if checkpoints is None else Path(checkpoints),
            None if tensorboard is None else Path(tensorboard),
            self._identity(dataset),
            restart,
            None if head_start is None or not self.can_start_from(head_start) else head_start.of(dataset),
        )
        for name in [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)]:
            delattr(self, name)  # what was derived from an earlier fit
        settings = self.config
        if head_start is not None and self.keeping.start is not None:
            self.config = head_start.shortened(settings)
        try:
            self.fit_arrays(dataset)
        finally:
            self.config = settings
        self.parameters = self.keeping.trained
        self._catalogue = Catalogue.of(dataset)
        return self

    def can_start_from(self, head_start: HeadStart) -> bool:
        """Whether an earlier fit has what this model starts from."""
        return any(name in head_start.arrays for name in self.starts_from)

    def head_start(
        self, kept: Mapping[str, NDArray[Any] | csr_array], *, share: float = 1.0, newest: pl.DataFrame | None = None
    ) -> HeadStart:
        """Return what a later fit may start from; `kept` is what the model folder keeps beside (`read_start`); see `HeadStart`."""
        own = {name: getattr(self, name) for name in self.STATE} | dict(kept) | self.parameters
        arrays = {name: array for name, array in own.items() if isinstance(array, np.ndarray)}
        return HeadStart(self.catalogue.users, self.catalogue.items, arrays, share, newest)

    @property
    def catalogue(self) -> Catalogue:
        """What the model knows about users and items.

        Raises:
            NotFittedError: before `fit` or `load`.
        """
        if self._catalogue is None:
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(dataset), or load a model folder.")
        return self._catalogue

    def recommend(
        self,
        user_ids: Ids | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        history: Histories | None = None,
        attributes: Attributes | None = None,
        friends: Histories | None = None,
    ) -> Ranked:
        """Recommend up to `k` items, best first: to known users by their ids, or to newcomers by what is known of them.

        Nothing is trained for newcomers, users whom training never saw.

        Args:
            user_ids: the caller's ids; one that is not known gets an empty list.
            k: the longest list, > 0.
            exclude_seen: leave out what the user met in the training data, or what is in the history.
            history: instead of `user_ids`: ids of items that one newcomer met, or a list of these for each of several.
            attributes: of newcomers: by name, as in the user table; or a list of such mappings, or a table.
            friends: of newcomers: ids of users, as `history`.

        Returns:
            A list for each, in the order asked. A newcomer's query is its place, from 0; `reasons` tells why a list is empty.

        Raises:
            IdTypeError: if ids are of the other kind.
            ConfigError: if nothing is given, both users and newcomers, or different numbers of newcomers.
        """
        if user_ids is None:
            newcomers = self.newcomers("user", history=history, attributes=attributes, friends=friends)
            return self.recommend_newcomers(newcomers, k, exclude_seen=exclude_seen)
        if history is not None or attributes is not None or friends is not None:
            raise ConfigError(
                "give user_ids for known users, or history, attributes and friends for newcomers; not both."
            )
        catalogue = self.catalogue
        user_index = catalogue.users.index_of(user_ids)
        known = np.flatnonzero(user_index != UNKNOWN)
        best, scores = self.recommend_block(user_index[known], _checked_k(k), exclude_seen=exclude_seen)
        return _ranked(catalogue.users, user_ids, catalogue.items, known, best, scores, ("user_id", "item_id"))

    def recommend_newcomers(self, newcomers: Newcomers, k: int, *, exclude_seen: bool = True) -> Ranked:
        """Do what `recommend` does for newcomers that are translated already."""
        catalogue = self.catalogue
        k = min(_checked_k(k), len(catalogue.items))
        best = np.full((len(newcomers), k), NOTHING, dtype=np.int64)
        scores = np.full((len(newcomers), k), np.nan, dtype=np.float32)
        size = block_size(len(catalogue.items))
        for start in range(0, len(newcomers), size):
            some = newcomers.rows(np.arange(start, min(start + size, len(newcomers))))
            found = top_k(self.masked_newcomer_scores(some), k, some.history if exclude_seen else None)
            best[start : start + size], scores[start : start + size] = found
        places = pl.Series("newcomer", np.arange(len(newcomers)))
        there = best != NOTHING
        reasons = tuple(
            newcomers.remarks[place] if there[place].any() else self.why_nothing(newcomers, place)
            for place in range(len(newcomers))
        )
        rows = np.broadcast_to(np.arange(len(newcomers))[:, None], best.shape)[there]
        answers = catalogue.items.ids_at(best[there]).rename("item_id")
        return Ranked(places, "newcomer", "item_id", rows, answers, scores[there], reasons)

    def embed_new(
        self,
        side: Side = "user",
        *,
        history: Histories | None = None,
        attributes: Attributes | None = None,
        friends: Histories | None = None,
    ) -> Floats:
        """Place users or items that training never saw in the model's space, without training again.

        Args:
            side: "user" or "item".
            history: ids of the items that a new user met, or of the users who met a new item; or a list of these for each.
            attributes, friends: as in `recommend`.

        Returns:
            float32 [n, d]; NaN for whom the model cannot say.

        Raises:
            IdTypeError, ConfigError: as `recommend`; ConfigError also if the model has no vectors for newcomers.
        """
        newcomers = self.newcomers(side, history=history, attributes=attributes, friends=friends)
        vectors = self.embed_newcomers(newcomers)
        if vectors is None:
            raise ConfigError(f"{self.name} has no vectors for a new {side}; lightgcn, gcn, gat and graphsage have.")
        return vectors

    def with_new_items(
        self, item_ids: Ids, *, history: Histories | None = None, attributes: Attributes | None = None
    ) -> Self:
        """Return a model that also knows some new items, placed by their attributes or by who met them; nothing is trained.

        Args:
            item_ids: the new ids [n].
            history: for each, the ids of users who met it. attributes: for each, as in the item table.

        Raises:
            ConfigError: if an id is known already, or the model cannot take new items.
        """
        catalogue = self.catalogue
        newcomers = self.newcomers("item", history=history, attributes=attributes)
        extended, order = catalogue.with_items(item_ids, newcomers)
        other = copy(self)
        other._forget_worked_out()
        other.parameters = {}  # rows of the old items; a later fit starts from nothing
        other.add_items(newcomers, order)
        other._forget_worked_out()  # what placing them took was about the old catalogue
        other._catalogue = extended
        return other

    def _forget_worked_out(self) -> None:
        """Drop what was worked out from the arrays and the catalogue, to be worked out anew."""
        for name in [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)]:
            delattr(self, name)

    def newcomers(
        self,
        side: Side,
        *,
        history: Histories | None = None,
        attributes: Attributes | None = None,
        friends: Histories | None = None,
    ) -> Newcomers:
        """Translate what is known of newcomers from the caller's ids and names."""
        catalogue = self.catalogue
        table = catalogue.user_table if side == "user" else catalogue.item_table
        found = Newcomers.of(
            side, catalogue.users, catalogue.items, history=history, attributes=attributes, friends=friends
        ).named_as(table)
        return found.remarked(self.folds_in, table) if side == "user" else found

    def masked_newcomer_scores(self, newcomers: Newcomers) -> Floats:
        """Return `score_newcomers` with NaN for items that nobody met, unless the model says it can score those."""
        scores = self.score_newcomers(newcomers)
        if scores is None:
            return np.full((len(newcomers), len(self.catalogue.items)), np.nan, dtype=np.float32)
        return self._without_cold_items(scores)

    def why_nothing(self, newcomers: Newcomers, place: int) -> str:
        """Say why the model has no list for one of some newcomers."""
        known, remark = newcomers.known_by(place), newcomers.remarks[place]
        if not known:
            return f"Nothing usable is known of this newcomer. {remark}".rstrip()
        if usable := [name for name in known if name in self.folds_in]:
            return f"{self.name} finds nothing by {' and '.join(usable)}. {remark}".rstrip()
        answers = (
            f"it answers by {', '.join(self.folds_in)}"
            if self.folds_in
            else "it answers for users of its training data alone"
        )
        return f"{self.name} cannot use {' and '.join(known)}: {answers}. {remark}".rstrip()

    def recommend_block(self, user_index: Index, k: int, *, exclude_seen: bool = True) -> tuple[Index, Floats]:
        """Recommend by dense index, as evaluation and serving ask.

        Args:
            user_index: int64 [n], all known.
            k: > 0.

        Returns:
            Item positions int64 [n, k] with `NOTHING` (-1) behind the end of a short list, and scores float32 [n, k].
        """
        catalogue = self.catalogue
        k = min(k, len(catalogue.items))
        best = np.full((user_index.size, k), NOTHING, dtype=np.int64)
        scores = np.full((user_index.size, k), np.nan, dtype=np.float32)
        size = block_size(len(catalogue.items))
        for start in range(0, user_index.size, size):
            rows = user_index[start : start + size]
            seen = catalogue.seen[rows] if exclude_seen else None
            best[start : start + size], scores[start : start + size] = top_k(self.masked_scores(rows), k, seen)
        return best, scores

    def masked_scores(self, user_index: Index) -> Floats:
        """Return `score_block` with NaN for items that nobody met, unless the model says it can score those."""
        return self._without_cold_items(self.score_block(user_index))

    def _without_cold_items(self, scores: Floats) -> Floats:
        if self._hides_cold_items:
            scores[:, self._cold_items] = np.nan
        return scores

    def score(self, user_ids: Ids, item_ids: Ids) -> Floats:
        """Score every given item for every given user: float32 [n_users, n_items], NaN where the model cannot say.

        Raises:
            IdTypeError: if the ids are of the other kind.
        """
        user_index = self.catalogue.users.index_of(user_ids)
        item_index = self.catalogue.items.index_of(item_ids)
        answer = np.full((user_index.size, item_index.size), np.nan, dtype=np.float32)
        users, items = np.flatnonzero(user_index != UNKNOWN), np.flatnonzero(item_index != UNKNOWN)
        size = block_size(len(self.catalogue.items))
        for start in range(0, users.size, size):
            rows = users[start : start + size]
            answer[np.ix_(rows, items)] = self.masked_scores(user_index[rows])[:, item_index[items]]
        return answer

    def predict(self, user_ids: Ids, item_ids: Ids) -> Floats:
        """Predict a rating for each pair of a user and an item, in the units of the ratings.

        Where the training data say yes and no (two distinct values), it is the probability of the higher value.

        Args:
            user_ids, item_ids: the caller's ids, as many of one as of the other. One that is not known gets what is known
                without it: the other side's bias and the mean.

        Returns:
            float32 [n_pairs].

        Raises:
            CannotPredictError: if the model ranks and knows no ratings.
            IdTypeError: if the ids are of the other kind.
            DataError: if there are more of the one than of the other.
        """
        catalogue = self.catalogue
        if not isinstance(self, Rater):
            raise CannotPredictError(
                f"{self.name} ranks items and predicts no ratings. `edgewise models` tells which predict."
            )
        user_index, item_index = catalogue.users.index_of(user_ids), catalogue.items.index_of(item_ids)
        if user_index.size != item_index.size:
            raise DataError(
                f"predict takes pairs: {user_index.size} users and {item_index.size} items were given. Repeat the user for each "
                "item, or use score(…), which crosses all users with all items."
            )
        return self.predict_pairs(user_index, item_index)

    def met_pairs(self, user_index: Index, item_index: Index) -> Index:
        """Return the places of the pairs whose user and whose item both stand in training events: int64 [n_such]."""
        met_user = np.append(np.diff(self.catalogue.seen.indptr) > 0, False)  # the last is that of -1
        met_item = np.append(self.catalogue.item_counts > 0, False)
        return np.flatnonzero(met_user[user_index] & met_item[item_index])

    def similar_items(self, item_ids: Ids, k: int = 10) -> Ranked:
        """List up to `k` items most like each given one, never the item itself; empty for an unknown id.

        Raises:
            IdTypeError: if the ids are of the other kind.
        """
        items = self.catalogue.items
        item_index = items.index_of(item_ids)
        known = np.flatnonzero(item_index != UNKNOWN)
        k = min(_checked_k(k), len(items))
        best = np.full((known.size, k), NOTHING, dtype=np.int64)
        scores = np.full((known.size, k), np.nan, dtype=np.float32)
        size = block_size(len(items))
        for start in range(0, known.size, size):
            rows = item_index[known[start : start + size]]
            similarity = self.similarity_block(rows)
            if similarity is None:
                break
            itself = csr_array(
                (np.ones(rows.size, dtype=np.float32), rows, np.arange(rows.size + 1)), shape=similarity.shape
            )
            similarity[similarity == 0] = np.nan  # nothing in common is no similarity
            best[start : start + size], scores[start : start + size] = top_k(similarity, k, itself)
        return _ranked(items, item_ids, items, known, best, scores, ("item_id", "similar_item_id"))

    @cached_property
    def unit_items(self) -> Floats | None:
        """The items' places in the model's space, each of length 1, or of zeros where nothing is known: float32 [n_items, d]."""
        vectors = self.item_vectors()
        return None if vectors is None else unit_vectors(vectors)

    @property
    def rankable_items(self) -> Floats | None:
        """What an index ranks by: `items`, NaN for those never recommended; None where scores are no dot products."""
        if not self.by_dot_product:
            return None
        if not self._hides_cold_items:
            return self.items  # type: ignore[no-any-return]
        items: Floats = self.items.copy()
        items[self._cold_items] = np.nan
        return items

    @property
    def explains_by(self) -> tuple[Method, ...]:
        """How the model can explain a recommendation, the default first; empty for one that cannot."""
        has: dict[Method, bool] = {
            "shares": self.adds_up,
            "perturbation": bool(self.folds_in),
            "similarity": type(self).similarity_block is not Recommender.similarity_block
            or type(self).item_vectors is not Recommender.item_vectors,
        }
        return tuple(method for method, there in has.items() if there)

    def explain(
        self,
        user_id: str | int | None = None,
        item_id: str | int | None = None,
        n: int = 3,
        *,
        method: Method | None = None,
        history: Ids | None = None,
        attributes: Mapping[str, Any] | None = None,
        friends: Ids | None = None,
    ) -> Explanation:
        """Name what spoke most for an item: up to `n` of what is known of the user, and up to `n` attributes of the item.

        Args:
            user_id: a known user; or give what is known of somebody new, as in `recommend`.
            item_id: the item.
            n: > 0.
            method: one of `explains_by`; None: the first of these that the question allows.
            history, attributes, friends: of one new user.

        Returns:
            The explanation, with its fidelity where the model folds newcomers in; no reasons for an unknown user or item.

        Raises:
            IdTypeError: if an id is of the other kind.
            ConfigError: if the model has no such method, or nothing, or both a user and what is known of one, are given.
        """
        if item_id is None:
            raise ConfigError("explain needs an item_id.")
        if user_id is None:
            newcomers = self.newcomers("user", history=history, attributes=attributes, friends=friends)
        elif history is not None or attributes is not None or friends is not None:
            raise ConfigError(
                "give user_id for a known user, or history, attributes and friends of somebody new; not both."
            )
        else:
            newcomers = None
        return explain_one(self, user_id, newcomers, item_id, _checked_k(n), method)

    def save(
        self,
        directory: Path | str,
        *,
        metrics: dict[str, Any] | None = None,
        run_config: str = "",
        lineage: Mapping[str, Any] | None = None,
        start: Mapping[str, NDArray[Any] | csr_array] | None = None,
    ) -> None:
        """Write the model folder: everything needed to answer, nothing that could run code.

        Args:
            directory: created or, if it is a model folder already, replaced in one step.
            metrics: what an evaluation found, kept in `model.json`.
            run_config: the run's configuration as TOML, kept beside it as `run.toml`.
            lineage: further entries of `model.json`: what the model was made from. start: further arrays for a later fit.

        Raises:
            DataError: if the folder cannot be written; what was there stays.
        """
        catalogue = self.catalogue
        about = {
            "model": self.name,
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "data_fingerprint": catalogue.fingerprint,
            "n_users": len(catalogue.users),
            "n_items": len(catalogue.items),
            "n_interactions": int(catalogue.seen.nnz),
            "metrics": metrics or {},
            "curve": self.record.curve,
            "notes": self.record.notes,
            "versions": _versions(),
            **(lineage or {}),
        }
        tables = {
            "users": catalogue.user_table
            if catalogue.user_table is not None
            else catalogue.users.ids.to_frame("user_id"),
            "items": catalogue.item_table
            if catalogue.item_table is not None
            else catalogue.items.ids.to_frame("item_id"),
        }
        if catalogue.labels is not None:
            tables["labels"] = catalogue.labels
        arrays = {"strengths": catalogue.strengths} | (
            {} if catalogue.friends is None else {"friends": catalogue.friends}
        )
        arrays |= {name: getattr(self, name) for name in self.STATE}
        texts = {"run.toml": run_config} if run_config else {}
        model_folder.write(Path(directory), about, arrays, tables, texts, {**self.parameters, **(start or {})})

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model folder that `save` wrote; `edgewise.models.load` finds the class by itself.

        Raises:
            ModelFolderError: if the folder is cut short, changed, of another version, or of another model.
        """
        about, arrays, tables = model_folder.read(Path(directory), model=cls.name, arrays=("strengths", *cls.STATE))
        model = cls(make(cls.Config, about["config"], where=f"config in {directory}"), seed=about["seed"])
        model.record = FitRecord(about["curve"], about["notes"])
        for name in cls.STATE:
            setattr(model, name, arrays[name])
        users, items = tables["users"], tables["items"]
        model._catalogue = Catalogue(
            IdMap(users["user_id"], "user"),
            IdMap(items["item_id"], "item"),
            arrays["strengths"],
            users if users.width > 1 else None,
            items if items.width > 1 else None,
            tables.get("labels"),
            about["data_fingerprint"],
            arrays.get("friends"),
        )
        model._check_fit(directory, about)
        return model

    def _check_fit(self, directory: Path | str, about: dict[str, Any]) -> None:
        """Refuse a folder whose parts are whole but not of one model: sizes must agree, and one answer must be possible."""
        catalogue = self.catalogue
        shape = (about["n_users"], about["n_items"])
        if catalogue.strengths.shape != shape or (len(catalogue.users), len(catalogue.items)) != shape:
            raise ModelFolderError(
                f"{directory}: model.json says {shape[0]} users and {shape[1]} items, the tables have {len(catalogue.users)} and "
                f"{len(catalogue.items)}, the matrix {catalogue.strengths.shape}. Fit the model again or restore a copy."
            )
        try:
            answered = self.score_block(np.zeros(1, dtype=np.int64)).shape
        except (IndexError, ValueError, TypeError, AttributeError) as error:
            raise ModelFolderError(
                f"{directory}: its arrays do not fit together ({error}). Fit the model again."
            ) from error
        if answered != (1, shape[1]):
            raise ModelFolderError(
                f"{directory}: its arrays do not fit together (scores of shape {answered}). Fit the model again."
            )

    def _identity(self, dataset: Dataset) -> dict[str, Any]:
        """Tell what makes a fit this fit."""
        data = {
            "n_users": dataset.n_users,
            "n_items": dataset.n_items,
            "n_interactions": int(dataset.interactions.nnz),
            "fingerprint": dataset.fingerprint,
        }
        settings = self.config.model_dump(mode="json")
        settings.pop("checkpoint_every_s", None)  # never changes a result
        return {"model": self.name, "seed": self.seed, "settings": settings, "data": data}

    @property
    def _hides_cold_items(self) -> bool:
        return not self.scores_cold_items and bool(self._cold_items.size)

    @cached_property
    def _cold_items(self) -> Index:
        return np.flatnonzero(self.catalogue.item_counts == 0)


def _ranked(
    queries_map: IdMap,
    queries: Ids,
    answers_map: IdMap,
    known: Index,
    best: Index,
    scores: Floats,
    names: tuple[str, str],
) -> Ranked:
    """Turn blocks of positions, with gaps at the end of short lists, into lists of ids."""
    there = best != NOTHING
    rows = np.broadcast_to(known[:, None], best.shape)[there]
    series = (
        queries if isinstance(queries, pl.Series) else pl.Series(names[0], list(queries), dtype=queries_map.ids.dtype)
    )
    return Ranked(
        series.rename(names[0]), *names, rows, answers_map.ids_at(best[there]).rename(names[1]), scores[there]
    )


def _checked_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k = {k!r}: expected a whole number of at least 1.")
    return int(k)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("edgewise", "numpy", "scipy", "polars", "numba", "torch", "implicit"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
