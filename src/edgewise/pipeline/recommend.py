"""From a user to a list: candidates of several sources, filtered, ranked, re-ranked; each stage named and timed."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from edgewise.config import Settings
from edgewise.errors import ConfigError, UnknownNameError
from edgewise.pipeline.fallback import FALLBACK
from edgewise.pipeline.first import first_of_each
from edgewise.pipeline.live import DAY_MS, Known, LiveEvents, LiveUsers, MakeIndex
from edgewise.pipeline.rules import holds, rule_mask
from edgewise.pipeline.sources import SOURCES, ModelSource, Question, SimilarSource, Source
from edgewise.pipeline.titles import category_column
from edgewise.pipeline.told import told_columns
from edgewise.recommender import Recommender
from edgewise.rerank import Candidates, Diversity, Freshness, Reranker
from edgewise.store import StoredItem
from edgewise.types import Bools, Floats, Index

NO_RULE = "True"
"""The rule that lets everything through."""

ANYTHING = "catalogue"
"""The source of what is shown where neither model nor fallback has anything to say."""

_MAX_CATEGORIES = 256
"""Categories whose items are kept in mind."""


class RerankConfig(Settings):
    """[rerank]: what is done to the order of the best candidates; nothing where every weight is 0."""

    stages: tuple[str, ...] = ("freshness", "diversity")  # re-rankers, one after the other
    diversity: NonNegativeFloat = 0.0  # 0 is relevance alone, 1 variety alone
    freshness: NonNegativeFloat = 0.0  # 0 is relevance alone, 1 age alone
    half_life_days: PositiveFloat = 7.0  # an item gains half as much for its freshness when it is this old


class PipelineConfig(Settings):
    """[serve]: how a list is made."""

    sources: tuple[str, ...] = ("model",)  # where candidates come from, the most trusted first
    fallback: tuple[str, ...] = (FALLBACK, "latest")  # who answers where no source does, the first that can
    fill: bool = False  # whether the fallback also fills a list that is too short
    n_candidates: PositiveInt = 100  # of each source
    rule: str = NO_RULE  # which items may be shown, such as: stock > 0 and "adult" not in genres
    hidden: tuple[str, ...] = ()  # ids of items that are never shown


RERANKERS: dict[str, Callable[[RerankConfig], Reranker | None]] = {
    "freshness": lambda config: Freshness(config.freshness, config.half_life_days) if config.freshness else None,
    "diversity": lambda config: Diversity(config.diversity) if config.diversity else None,
}
"""Every re-ranker by its name, from the settings; None where they ask for nothing of it. One line makes a new one known."""


@dataclass(frozen=True)
class Served:
    """A list for one user.

    Attributes:
        items: int64 [n], by dense index, best first. scores: float32 [n], of the source.
        sources: which source each item is from. note: why others than the first source answered; "" where that did.
        stages_ms: name of each stage to the milliseconds it took; of several sources or re-rankers also each one's own part, as
            "candidates/similar", which is in its stage's time as well.
    """

    items: Index
    scores: Floats
    sources: tuple[str, ...]
    note: str = ""
    stages_ms: dict[str, float] = field(default_factory=dict)


class Pipeline:
    """Makes lists with one model; safe to use from several threads.

    Args:
        model: fitted.
        live: what happened since training.
        config: how lists are made. rerank: how their order is changed at the end.
        make_index: see `LiveUsers`.

    Raises:
        ConfigError: if a rule cannot be applied to the items, or a setting is out of range.
        UnknownNameError: if there is no such source.
    """

    def __init__(
        self,
        model: Recommender,
        live: LiveEvents | None = None,
        config: PipelineConfig | None = None,
        rerank: RerankConfig | None = None,
        make_index: MakeIndex | None = None,
    ) -> None:
        self.config = PipelineConfig() if config is None else config
        self.users = LiveUsers(model, LiveEvents() if live is None else live, make_index)
        if not self.config.sources:
            raise ConfigError(f"sources names no source; there are {', '.join(SOURCES)}.")
        self.sources = [_source(name) for name in self.config.sources]
        if SimilarSource.name in self.config.sources:
            _ = self.users.likeness  # made now, so that nobody has to wait for it
        self.fallback = [_source(name) for name in self.config.fallback]
        self.rerankers = _rerankers(RerankConfig() if rerank is None else rerank)
        self.may_be_shown = self._may_be_shown()
        self._categories: dict[str, Bools] = {}

    def extended(self, model: Recommender) -> "Pipeline":
        """Return the same for a model that knows further items, with what was worked out for the others."""
        other = copy(self)
        other.users = self.users.extended(model)
        other.may_be_shown = other._may_be_shown()
        other._categories = {}
        return other

    def warm_up(self) -> None:
        """Answer once in each way there is, so that what is compiled or read at a first call keeps nobody waiting."""
        catalogue = self.model.catalogue
        other, live = copy(self), LiveEvents()
        other.users = copy(self.users)
        other.users.live = live
        other.recommend("")
        for user, item in zip(
            catalogue.users.ids[:1].cast(pl.String), catalogue.items.ids[:1].cast(pl.String), strict=False
        ):
            other.recommend(user)
            live.apply([_Met(user, item), _Met("", item)])
            other.recommend(user)
            other.recommend("")

    @property
    def model(self) -> Recommender:
        """The model behind it."""
        return self.users.model

    def recommend(
        self,
        user: str | Known,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: Sequence[str] = (),
        category: str | None = None,
        among: Bools | None = None,
        now_ms: float | None = None,
        since_training_alone: bool = False,
    ) -> Served:
        """Make a list for one user, known or not; empty only where nothing at all may be shown.

        Args:
            user: the id as text, or all that is known of somebody. k: the longest list, > 0.
            exclude_seen: leave out what the user met at any time. exclude: ids of further items to leave out.
            category: show items of this category alone. among: bool [n_items], show these alone.
            now_ms: the time by which an item's age is told; None: the clock.
            since_training_alone: leave out what training knew of an id, as of somebody who was erased.
        """
        watch = _Watch()
        known = user
        if not isinstance(known, Known):
            known = self.users.known(known, since_training_alone=since_training_alone)
        watch.ends("user")
        allowed = self._allowed(known, exclude, category, exclude_seen=exclude_seen)
        if among is not None:
            allowed &= among
        question = Question(self.users, known, allowed)
        watch.ends("filter")
        items, scores, origin = self._candidates(question, self._n_candidates(k), watch)
        watch.ends("candidates")
        if not self._is_by_model_alone:
            items, scores, origin = _ranked(question, items, scores, origin)
        watch.ends("rank")
        for place, reranker in enumerate(self.rerankers, start=1):
            n = k if place == len(self.rerankers) else items.size
            order = reranker.order(self._described(items, scores, now_ms), n)
            items, scores, origin = items[order], scores[order], origin[order]
            if len(self.rerankers) > 1:
                watch.part("rerank", reranker.name)
        watch.ends("rerank")
        items, scores = items[:k], scores[:k]
        names = [self.sources[place].name for place in origin[:k].tolist()]
        note = ""
        if not items.size or (self.config.fill and items.size < k):
            note = self._why(known) if not items.size else "too few candidates"
            items, scores, names = self._filled(question, items, scores, names, k)
            watch.ends("fallback")
        return Served(items, scores, tuple(names), note, watch.ms)

    @property
    def _is_by_model_alone(self) -> bool:
        return [source.name for source in self.sources] == [ModelSource.name]

    def _n_candidates(self, k: int) -> int:
        """Tell how many each source is asked for: no more than is shown where nothing changes their order."""
        return k if self._is_by_model_alone and not self.rerankers else max(k, self.config.n_candidates)

    def _allowed(self, known: Known, exclude: Sequence[str], category: str | None, *, exclude_seen: bool) -> Bools:
        allowed = self.may_be_shown.copy()
        if exclude_seen:
            allowed[known.seen] = False
        if exclude:
            items = self.users.catalogue.items
            index = items.index_of(items.from_text(list(exclude)))
            allowed[index[index >= 0]] = False
        if category is not None:
            allowed &= self.of_category(category)
        return allowed

    def _candidates(self, question: Question, n: int, watch: "_Watch") -> tuple[Index, Floats, Index]:
        """Ask all sources; an item that several propose counts for the first of them, whose number is its origin."""
        if len(self.sources) == 1:
            items, scores = self.sources[0].propose(question, n)
            return items, scores, np.zeros(items.size, dtype=np.int64)
        parts = []
        for source in self.sources:
            parts.append(source.propose(question, n))
            watch.part("candidates", source.name)
        items, scores = (np.concatenate(found) for found in zip(*parts, strict=True))
        origin = np.repeat(np.arange(len(parts)), [found.size for found, _ in parts])
        first = first_of_each(items)
        return items[first], scores[first], origin[first]

    def _filled(
        self, question: Question, items: Index, scores: Floats, names: list[str], k: int
    ) -> tuple[Index, Floats, list[str]]:
        """Add what the fallback proposes until the list is full; without `fill`, the first that proposes anything.

        Where none proposes anything, such as of new items alone, those that may be shown come in the order of the model.
        """
        for source in self.fallback:
            if items.size >= k or (items.size and not self.config.fill):
                break
            found, of_found = source.propose(question, k + items.size)
            new = ~np.isin(found, items)
            items = np.concatenate([items, found[new]])[:k]
            scores = np.concatenate([scores, of_found[new]])[:k]
            names = [*names, *[source.name] * int(new.sum())][:k]
        if not items.size:
            items = np.flatnonzero(question.allowed)[:k].astype(np.int64)
            scores, names = np.zeros(items.size, dtype=np.float32), [ANYTHING] * items.size
        return items, scores, names

    def _why(self, known: Known) -> str:
        if known.is_known:
            return "the model has nothing to say about this user"
        if known.now.known_by(0) or known.now.remarks[0]:
            return self.model.why_nothing(known.now, 0)
        return "the model does not know this user"

    def _described(self, items: Index, scores: Floats, now_ms: float | None) -> Candidates:
        vectors, times = self.model.unit_items, self.users.times
        now = time.time() * 1000 if now_ms is None else now_ms
        ages = None if times is None else (now - times[items]) / DAY_MS
        if not (scores[1:] <= scores[:-1]).all():  # scores of different sources cannot be compared; their order can
            scores = np.arange(items.size, 0, -1, dtype=np.float32)
        return Candidates(items, scores, None if vectors is None else vectors[items], ages)

    def _may_be_shown(self) -> Bools:
        catalogue = self.users.catalogue
        n = len(catalogue.items)
        table = catalogue.items.ids.to_frame("item_id") if catalogue.item_table is None else catalogue.item_table
        mask = np.ones(n, dtype=np.bool_) if self.config.rule == NO_RULE else rule_mask(self.config.rule, table)
        if self.config.hidden:
            index = catalogue.items.index_of(catalogue.items.from_text(list(self.config.hidden)))
            mask[index[index >= 0]] = False
        return mask

    def lets_through(self, told: Sequence[StoredItem]) -> list[bool]:
        """Tell of items, known to the model or not, whether the rule and `hidden` allow them with what is told of them since."""
        shown = [item.item_id not in self.config.hidden for item in told]
        if not told or self.config.rule == NO_RULE:
            return shown
        catalogue = self.users.catalogue
        texts = [item.item_id for item in told]
        index = catalogue.items.index_of(catalogue.items.from_text(texts))
        table = catalogue.items.ids.to_frame("item_id") if catalogue.item_table is None else catalogue.item_table
        places = pl.Series([place if place >= 0 else None for place in index.tolist()], dtype=pl.Int64)
        rows = table.select(pl.all().gather(places))  # of one that the model does not know nothing is there
        if table.width > 1:
            rows = rows.with_columns(
                pl.coalesce(column, pl.col(column.name)) for column in told_columns(table, told, "item")
            )
        rows = rows.with_columns(pl.Series("item_id", texts).cast(table.schema["item_id"], strict=False))
        return [
            is_shown and bool(passes) for is_shown, passes in zip(shown, rule_mask(self.config.rule, rows), strict=True)
        ]

    def of_category(self, category: str) -> Bools:
        """Tell which items are of a category: bool [n_items], not to be written to."""
        mask = self._categories.get(category)
        if mask is None:
            if len(self._categories) >= _MAX_CATEGORIES:
                self._categories.clear()
            mask = self._categories[category] = self._of_category(category)
        return mask

    def _of_category(self, category: str) -> Bools:
        catalogue = self.users.catalogue
        column, table = category_column(catalogue), catalogue.item_table
        if column is None or table is None:
            return np.zeros(len(catalogue.items), dtype=np.bool_)
        mask: Bools = (
            table.select(holds(column, table.schema[column], category).fill_null(value=False)).to_series().to_numpy()
        )
        return mask


def _ranked(question: Question, items: Index, scores: Floats, origin: Index) -> tuple[Index, Floats, Index]:
    """Put candidates in order: those that the model can score by its scores, then the others source by source."""
    worth = question.scores_of(items)
    is_unknown = np.isnan(worth)
    if is_unknown.any():
        worth = np.where(is_unknown, scores, worth).astype(np.float32)
        order = np.lexsort((-worth, np.where(is_unknown, origin + 1, 0)))
    else:
        order = np.argsort(-worth, kind="stable")
    return items[order], worth[order], origin[order]


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise UnknownNameError(f"there is no source {name!r}; there are {', '.join(SOURCES)}.")
    return SOURCES[name]()


def _rerankers(config: RerankConfig) -> list[Reranker]:
    found = []
    for name in config.stages:
        if name not in RERANKERS:
            raise UnknownNameError(f"there is no re-ranker {name!r}; there are {', '.join(RERANKERS)}.")
        if (reranker := RERANKERS[name](config)) is not None:
            found.append(reranker)
    return found


class _Met(NamedTuple):
    """An event as `LiveEvents` asks for it: somebody met an item."""

    user_id: str
    item_id: str | None
    target_user_id: str | None = None
    type: str = "view"


class _Watch:
    """Times one stage after the other, and parts of a stage; `ms` has the milliseconds of each by its name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._since = self._part_since = time.perf_counter()

    def ends(self, stage: str) -> None:
        now = time.perf_counter()
        self.ms[stage] = (now - self._since) * 1000
        self._since = self._part_since = now

    def part(self, stage: str, name: str) -> None:
        now = time.perf_counter()
        self.ms[f"{stage}/{name}"], self._part_since = (now - self._part_since) * 1000, now
