"""Training a table of users and items: the part of a fit that the models share which end as two tables of vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import normalize

from edgewise.data import Dataset
from edgewise.graph.folding import senders
from edgewise.graph.normalise import symmetric_normalise
from edgewise.graph.reorder import Order
from edgewise.graph.svd import truncated_svd
from edgewise.recommender import FitRecord, Keeping
from edgewise.rng import make_rng
from edgewise.train.config import TrainConfig
from edgewise.train.devices import device_of
from edgewise.train.loop import train
from edgewise.train.objective import Drawn, RankingObjective
from edgewise.train.plan import Plan
from edgewise.train.validation import hold_out, watch_ndcg
from edgewise.types import Floats


class TableConfig(TrainConfig):
    """Settings of a table of users and items, beside those of training."""

    embedding_dim: PositiveInt = 64
    start: Literal["random", "spectral"] = "random"
    init_scale: PositiveFloat = 0.1  # standard deviation of the table at the start

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.warm_start is not None and self.start != "random":
            raise ValueError(f"start = {self.start!r} and warm_start = {self.warm_start!r}: choose one")
        return self

    def check_that_every_row_has_a_gradient(self) -> None:
        """Refuse what does not fit a net that passes the whole table through layers without weights of their own.

        Raises:
            ValueError: in words, as pydantic's validators do.
        """
        if self.is_sparse:
            raise ValueError(
                f"optimiser = {self.optimiser!r} touches only the rows of a batch, and through the layers every row has a "
                "gradient; use 'adam'"
            )
        if self.weights_l1 or self.weights_l2:
            raise ValueError(
                "weights_l1 and weights_l2 are for weights beside the embeddings, and there are none; use l1, l2"
            )
        if self.penalised == "final":
            raise ValueError("penalised = 'final': only the rows of a batch are propagated; leave it at 'layer-0'")


class TableNet(Protocol):
    """A net over a table [n_users + n_items, d], users first.

    Attributes:
        table: what is trained.
    """

    table: torch.nn.Embedding

    @property
    def n_tables(self) -> int:
        """How many arrays of the size of the table a step needs beside weights and optimiser."""
        ...

    def __call__(self) -> Tensor:
        """Return the final vectors, float32 [n, d]."""
        ...

    def below_last(self) -> Tensor | None:
        """Return what the last product of the propagation is taken of, float32 [n, d]; None without such a product."""
        ...

    def loss(self, objective: RankingObjective, drawn: Drawn) -> Tensor:
        """Return the loss of a batch."""
        ...


@dataclass(frozen=True)
class Trained:
    """What training gives, for users float32 [n_users, d] and for items float32 [n_items, d].

    Attributes:
        users, items: the final vectors; NaN for a user without interactions, of whom only the random start is left.
        users_sent, items_sent: what each would send to a new neighbour (`edgewise.graph.folding`); zeros where the net does
            not say.
    """

    users: Floats
    items: Floats
    users_sent: Floats
    items_sent: Floats


def train_table(
    dataset: Dataset,
    config: TableConfig,
    make_net: Callable[[csr_array, Floats], Any],
    *,
    seed: int,
    record: FitRecord,
    keeping: Keeping | None,
) -> Trained:
    """Train a net over a table of users and items, and return what it makes of them.

    Inside, users and items stand in an order in which neighbours are near each other, which is faster; outside, nobody
    sees that.

    Args:
        dataset: what is learned from.
        config: the settings.
        make_net: returns the `TableNet` for interactions [n_users, n_items] and the start of the table, float32 [n, d].
        seed: of all that is drawn.
        record: gets the learning curve and notes.
        keeping: folders for checkpoints and for TensorBoard's files.
    """
    chosen = config.for_data(dataset.interactions)
    if config.loss is None:
        record.notes.append(f"loss: {chosen.loss}, chosen by the share of all pairs that is known")
    order = Order.by_neighbours(dataset.interactions)
    start_of = None if keeping is None else keeping.start
    newest = None if start_of is None or start_of.newest is None else order.apply(start_of.newest)
    interactions, held_out = hold_out(
        order.apply(dataset.interactions), config.valid_share, make_rng(seed, "valid"), newest
    )
    start = start_table(interactions, chosen, make_rng(seed, "start"))
    net = make_net(interactions, start).to(device_of(config.device))
    objective = RankingObjective(interactions, chosen, seed)

    def vectors() -> tuple[Floats, Floats]:
        with torch.no_grad():
            table: Tensor = net()
            final: Floats = (normalize(table) if chosen.traits.angular else table).cpu().numpy()
        return final[: dataset.n_users], final[dataset.n_users :]

    plan = Plan(
        net=net,
        loss=lambda drawn: net.loss(objective, drawn),
        batches=objective.batches,
        steps_per_epoch=objective.steps_per_epoch,
        seed=seed,
        watch=watch_ndcg(vectors, interactions, held_out, chosen, make_rng(seed, "watch")),
        rows={"table.weight": np.concatenate([order.users, order.items + dataset.n_users])},
        working_bytes=net.n_tables * start.nbytes + objective.working_bytes(config.embedding_dim),
    )
    train(plan, chosen, curve=record.curve, keeping=keeping)
    users, items = order.undo(*vectors())
    met_something = np.diff(dataset.interactions.indptr)[:, None] > 0
    return Trained(np.where(met_something, users, np.float32(np.nan)), items, *order.undo(*_sent(net, interactions)))


def _sent(net: TableNet, interactions: csr_array) -> tuple[Floats, Floats]:
    """Return what each user and each item would send to a new neighbour."""
    with torch.no_grad():
        below = net.below_last()
    numbers = np.zeros(net.table.weight.shape, dtype=np.float32) if below is None else below.cpu().numpy()
    n_users, n_items = interactions.shape
    degrees = np.concatenate([np.diff(interactions.indptr), np.bincount(interactions.indices, minlength=n_items)])
    sent = senders(numbers, degrees.astype(np.float32))
    return sent[:n_users], sent[n_users:]


def start_table(interactions: csr_array, config: TableConfig, rng: np.random.Generator) -> Floats:
    """Make a table [n_users + n_items, d]: noise, or the leading singular vectors of the normalised interactions."""
    n_users, n_items = interactions.shape
    table = rng.standard_normal((n_users + n_items, config.embedding_dim), dtype=np.float32)
    if config.start == "spectral":
        n_factors = min(config.embedding_dim, n_users, n_items)
        left, strengths, right = truncated_svd(symmetric_normalise(interactions), n_factors, rng)
        factors = np.vstack([left, right]) * np.sqrt(strengths)
        # As long as the noise in whose place they stand, so that the other settings keep their meaning.
        table[:, : strengths.size] = factors * np.sqrt(factors.size) / np.linalg.norm(factors)
    return table * np.float32(config.init_scale)
