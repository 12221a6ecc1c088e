"""From a data set to a heterogeneous graph: users, items and their attributes, joined by all that is known of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt, PositiveFloat
from scipy.sparse import csr_array, hstack

from edgewise.config import Settings
from edgewise.data import Dataset
from edgewise.data.features import FeatureConfig, FeatureEncoder
from edgewise.errors import DataError
from edgewise.graph.bipartite import MS_PER_DAY, EdgeWeight, latest_times, transposed, weighted_interactions
from edgewise.graph.cooccurrence import Similarity, top_neighbours
from edgewise.graph.heterogeneous import EdgeType, HeterogeneousGraph, NodeType, Relation, is_symmetric, merged_note
from edgewise.types import Floats, Index

USER, ITEM = "user", "item"
"""The two types of nodes that every graph of a data set has."""

FRIEND, SIMILAR, RELATED = "friend", "similar", "related"
"""Relations between users, between items that share users, and between items as given."""

_MOST_LEVELS = 20
"""Ratings have few levels; a column with more measures something, and would shatter the graph."""


_CATEGORIES = ("categorical", "multi-hot")


class GraphConfig(Settings):
    """Which relations a heterogeneous graph has, and what their edges weigh."""

    relations: tuple[str, ...] | None = (
        None  # by name: event types, friend, similar, related, columns; None: all there are
    )
    behaviours: Literal["each", "together"] = "each"  # a relation for each event type, or one for all
    rating_levels: bool = False  # a relation for each value of events, such as the ratings 1 to 5
    weight: EdgeWeight = "one"  # of an edge between user and item
    half_life_days: PositiveFloat | None = None  # such an edge loses half its weight in so many days; None: never
    directed_friends: bool = False  # whether trusting somebody differs from being trusted
    n_similar: NonNegativeInt = Field(default=0, le=1000)  # nearest items of each item; 0: no such relation
    similarity: Similarity = "cosine"
    node_features: bool = True  # whether columns that are no relation become features of users and items
    features: FeatureConfig = FeatureConfig()  # how columns are read


@dataclass(frozen=True)
class Attributes:
    """The fitted transforms of the attribute tables, which also encode users and items to come.

    Attributes:
        encoders: "user" and "item", where there is such a table, to its transform.
        notes: why a table gives nothing, one line each.
    """

    encoders: Mapping[str, FeatureEncoder]
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, dataset: Dataset, config: FeatureConfig) -> "Attributes":
        """Learn from the rows of the users and items that have events; a table that tells nobody apart is left out.

        Raises:
            ConfigError: if `kinds` names a column that neither table has.
        """
        met = {USER: np.diff(dataset.interactions.indptr) > 0, ITEM: dataset.item_counts > 0}
        tables = {name: table for name, table in _tables(dataset).items() if table.width > 1}
        encoders: dict[str, FeatureEncoder] = {}
        notes: list[str] = []
        elsewhere = {column for table in tables.values() for column in table.columns[1:]}
        for name, table in tables.items():
            own = {
                column: kind
                for column, kind in config.kinds.items()
                if column in table.columns or column not in elsewhere
            }
            try:
                encoders[name] = FeatureEncoder.fit(
                    table.filter(pl.Series(met[name])),
                    f"{name}_id",
                    config.model_copy(update={"kinds": own}),
                    fitted_on=dataset.fingerprint,
                )
            except DataError as error:
                notes.append(f"attributes of {name}s were left out: {error}")
        return cls(encoders, tuple(notes))


def heterogeneous(
    dataset: Dataset,
    config: GraphConfig | None = None,
    *,
    attributes: Attributes | None = None,
    related: csr_array | None = None,
) -> HeterogeneousGraph:
    """Build the graph of all that a data set knows, with every relation in both directions.

    Users and items are nodes, with the features of the columns that are no relations. The relations:

    - user -view-> item, one for each type of event ("interaction" where the log names none), or one for all; one for each
      level of ratings, `rating=4`, where asked for, by a pair's latest rating. Their edges have features (the sum of the
      pair's values, the number of its events, its age in days) and, where there are times, the latest.
    - user -friend-> user, one way as given or both ways.
    - item -genre-> item_genre and user -country-> user_country for columns with categories, one or several a row; each
      category is a node.
    - item -similar-> item: the items that share the most users. item -related-> item: as given.

    Self-loops among friends and related items are left out, since every encoder keeps a node's own part; repeated edges are
    merged. `notes` says how many.

    Args:
        dataset: not modified.
        config: what to use; all that is found by default.
        attributes: fitted transforms; None: fit them here.
        related: float32 [n_items, n_items], row i holds what speaks for item i; weights > 0.

    Raises:
        DataError: if the config names a relation that the data lack, edges shall age without times, or ratings have too many levels.
    """
    config = GraphConfig() if config is None else config
    attributes = Attributes.fit(dataset, config.features) if attributes is None else attributes
    builder = _Builder(dataset, config, attributes)
    builder.add_events()
    builder.add_friends()
    builder.add_items(related)
    builder.add_attributes()
    return builder.graph()


def is_relation(kind: str, column: str, config: GraphConfig) -> bool:
    """Tell whether a column of attributes becomes a relation rather than features."""
    return kind in _CATEGORIES and (config.relations is None or column in config.relations)


class _Builder:
    """A graph under way."""

    def __init__(self, dataset: Dataset, config: GraphConfig, attributes: Attributes) -> None:
        self.dataset, self.config, self.attributes = dataset, config, attributes
        self.nodes = {
            USER: NodeType(dataset.n_users, dataset.users.ids),
            ITEM: NodeType(dataset.n_items, dataset.items.ids),
        }
        self.relations: dict[EdgeType, Relation] = {}
        self.notes = list(attributes.notes)
        self.names: list[str] = []  # of the relations that there are, whether wanted or not

    def wants(self, name: str) -> bool:
        """Whether a relation is to be built; it is noted as there."""
        self.names.append(name)
        return self.config.relations is None or name in self.config.relations

    def add_events(self) -> None:
        """Add the relations of users and items."""
        now = self.dataset.events["timestamp"].max() if self.dataset.has_times else None
        for name, part in _behaviours(self.dataset, self.config):
            if self.wants(name):
                self.relations[USER, name, ITEM] = _interactions(part, self.config, now).reversed()

    def add_friends(self) -> None:
        """Add the relation of users and their friends."""
        social = self.dataset.social
        if social is None or not self.wants(FRIEND):
            return
        pairs = social["user_index", "friend_index"].to_numpy().T.astype(np.int64)
        itself = pairs[0] == pairs[1]
        if itself.any():
            self.notes.append(f"user -friend-> user: {int(itself.sum()):,} friendships with oneself were left out.")
        times = (
            social["timestamp"].to_numpy()[~itself]
            if "timestamp" in social.columns and not social["timestamp"].has_nulls()
            else None
        )
        relation = Relation.from_edges(
            pairs[::-1, ~itself],  # whom a user names as a friend is who influences that user
            self.dataset.n_users,
            self.dataset.n_users,
            weights=social["weight"].to_numpy()[~itself],
            times=times,
        )
        self.notes += merged_note((USER, FRIEND, USER), int((~itself).sum()), relation)
        if not self.config.directed_friends and not is_symmetric(relation.matrix):
            matrix = relation.matrix.maximum(relation.matrix.T.tocsr())
            matrix.sort_indices()
            self.notes.append(
                f"user -friend-> user: {relation.n_edges:,} one-way edges became {matrix.nnz:,} that go both ways."
            )
            relation = Relation(csr_array(matrix))
        self.relations[USER, FRIEND, USER] = relation

    def add_items(self, related: csr_array | None) -> None:
        """Add the relations of items."""
        if self.config.n_similar and self.wants(SIMILAR):
            likeness = top_neighbours(
                transposed(self.dataset.interactions), self.config.n_similar, similarity=self.config.similarity
            )
            self.relations[ITEM, SIMILAR, ITEM] = Relation(likeness)
        if related is not None and self.wants(RELATED):
            n = self.dataset.n_items
            if related.shape != (n, n):
                raise DataError(f"related is {list(related.shape)}; expected [{n}, {n}], a row and a column an item.")
            entries = related.tocoo()
            off = entries.row != entries.col
            if not off.all():
                self.notes.append(
                    f"item -related-> item: {int((~off).sum()):,} edges from an item to itself were left out."
                )
            relation = Relation.from_edges(
                np.stack([entries.col[off], entries.row[off]]), n, n, weights=entries.data[off]
            )
            self.notes += merged_note((ITEM, RELATED, ITEM), int(off.sum()), relation)
            self.relations[ITEM, RELATED, ITEM] = relation

    def add_attributes(self) -> None:
        """Add nodes for categories and, from the other columns, features."""
        for side, encoder in self.attributes.encoders.items():
            table = _tables(self.dataset)[side]
            encoded = encoder.transform(table)
            rest: list[csr_array] = []
            rest_names: list[str] = []
            for block in encoded.blocks:
                part = csr_array(encoded.x[:, block.start : block.stop])
                names = encoded.names[block.start : block.stop]
                if block.kind in _CATEGORIES and self.wants(block.column):
                    other = f"{side}_{block.column}"
                    ids = pl.Series(other, [name.partition("=")[2] for name in names], dtype=pl.String)
                    self.nodes[other] = NodeType(len(names), ids)
                    self.relations[side, block.column, other] = Relation(part).reversed()
                else:
                    rest.append(part)
                    rest_names += names
            if rest and self.config.node_features:
                features = csr_array(hstack(rest, format="csr", dtype=np.float32))
                features.sort_indices()
                self.nodes[side] = replace(self.nodes[side], features=features, feature_names=tuple(rest_names))

    def graph(self) -> HeterogeneousGraph:
        """Return what was built.

        Raises:
            DataError: if the config names a relation that was not there.
        """
        if lacking := [name for name in self.config.relations or () if name not in self.names]:
            raise DataError(
                f"relations names {', '.join(map(repr, lacking))}, which the data lack; they have "
                f"{', '.join(dict.fromkeys(self.names))}. Leave it out, or give the table (or n_similar) that it comes from."
            )
        return HeterogeneousGraph(self.nodes, self.relations, tuple(self.notes)).with_reverses()


def _tables(dataset: Dataset) -> dict[str, pl.DataFrame]:
    given = {USER: dataset.user_table, ITEM: dataset.item_table}
    return {name: table for name, table in given.items() if table is not None}


def _behaviours(dataset: Dataset, config: GraphConfig) -> Iterator[tuple[str, Dataset]]:
    """Yield the name of each relation of users and items, and the data set of its events alone, with all ids."""
    names = dataset.type_names
    if config.behaviours == "together" or len(names) == 1:
        together = names[0] if len(names) == 1 else "interaction"
        kinds = [(together, dataset.events)]
    else:
        kinds = [(name, dataset.events.filter(pl.col("type") == name)) for name in names]
    for name, events in kinds:
        if not config.rating_levels:
            yield name, replace(dataset, events=events)
            continue
        latest = events.unique(["user_index", "item_index"], keep="last", maintain_order=True)
        levels = latest["value"].unique().sort().to_list()
        if len(levels) > _MOST_LEVELS:
            raise DataError(
                f"rating_levels: events of type {name!r} have {len(levels):,} different values, from {levels[0]:g} to {levels[-1]:g}; "
                f"each would be a relation of its own, and {_MOST_LEVELS} are the most. Set rating_levels = false, or round them first."
            )
        stem = "rating" if len(kinds) == 1 else name
        for level in levels:
            yield f"{stem}={level:g}", replace(dataset, events=latest.filter(pl.col("value") == level))


def _interactions(part: Dataset, config: GraphConfig, now: object) -> Relation:
    """Return who did this to what, with features of the edges: a row a user."""
    weighted = weighted_interactions(
        part, config.weight, half_life_days=config.half_life_days, now=now if isinstance(now, int) else None
    )
    counts = part.events.group_by("user_index", "item_index").len().sort("user_index", "item_index")["len"].to_numpy()
    columns: dict[str, Floats] = {"value": part.strengths.data, "n_events": counts.astype(np.float32)}
    times: Index | None = None
    if isinstance(now, int):
        times = latest_times(part)
        columns["age_days"] = ((now - times) / MS_PER_DAY).astype(np.float32)
    features = np.column_stack(list(columns.values())).astype(np.float32)
    return Relation(weighted, features, tuple(columns), times)
