"""The objective of ranking models: batches, their negatives, the loss and the penalties on embeddings, as the settings say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import embedding, normalize

from edgewise.errors import ConfigError
from edgewise.rng import make_rng
from edgewise.telemetry import note
from edgewise.train.batches import Batch, batches_of_interactions, batches_of_users, n_batches_of_users
from edgewise.train.config import TrainConfig
from edgewise.train.losses import (
    Pairs,
    alignment_uniformity_loss,
    bce_loss,
    bpr_loss,
    cosine_contrastive_loss,
    hardest,
    shortened,
)
from edgewise.train.negatives import NegativeSampler
from edgewise.train.penalties import flattened, l1_penalty, l2_penalty
from edgewise.train.sampled_softmax import USERS_AT_ONCE, sampled_softmax_loss
from edgewise.train.weighted_bce import weighted_bce_loss
from edgewise.types import Floats, Index

_STEPS_PER_EPOCH = 16
"""Unless a batch size is given. A graph model's step passes over the whole graph, so few and large steps are cheap."""

_N_SPREAD = 1024
"""Uniformity looks at all pairs of so many interactions of a batch."""

_NO_PAIRS: Pairs = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Drawn:
    """A batch with its negatives, as rows of a table of users and items in one.

    Attributes:
        users: int64 [n_users], distinct rows.
        owner: int64 [n_interactions], ascending: which of `users` each interaction belongs to.
        items: int64 [n_interactions], rows.
        negatives: rows: int64 [n_interactions, n_candidates], or [n_negatives] where the batch shares them; may be empty.
        log_expected: float32 [n_negatives], of shared ones: what is subtracted from their scores; see `SharedNegatives`.
        left_out: pairs of a user and a shared negative that do not count, since the user knows it.
        spread: int64 [m], interactions that a loss of uniformity holds apart.
    """

    users: Index
    owner: Index
    items: Index
    negatives: Index
    log_expected: Floats
    left_out: Pairs = _NO_PAIRS
    spread: Index = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def rows(self) -> Index:
        """Return all rows that take part, ascending."""
        return np.unique(np.concatenate([self.users, self.items, self.negatives.ravel()]))

    def among(self, rows: Index) -> "Drawn":
        """Return the same with places among `rows` for rows."""
        at = {name: np.searchsorted(rows, getattr(self, name)) for name in ("users", "items", "negatives")}
        return replace(self, **at)


class RankingObjective:
    """What a model of users and items minimises, and on which batches.

    Args:
        interactions: [n_users, n_items], columns ascending in each row; one at least.
        config: the settings.
        seed: of all that is drawn; an epoch's batches depend on it and on the epoch's number alone.

    Raises:
        ConfigError: if a setting does not fit the data.
    """

    def __init__(self, interactions: csr_array, config: TrainConfig, seed: int) -> None:
        if not interactions.nnz:
            raise ConfigError("there are no interactions to train on.")
        config = config.for_data(interactions)
        self._interactions = interactions
        self._config = config
        self._seed = seed
        self._n_users = interactions.shape[0]
        self._sampler = NegativeSampler(interactions, config)
        self.batch_size = self._batch_size()
        per_user = np.diff(interactions.indptr)
        per_item = np.bincount(interactions.indices, minlength=interactions.shape[1])
        self._appearances = np.concatenate([per_user, per_item])
        self._row_weights = torch.from_numpy(self._weights_of_rows(per_user, per_item))
        self._precision = torch.bfloat16 if config.precision == "bfloat16" else torch.float32

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        if self._config.traits.by_user:
            return n_batches_of_users(self._interactions, self.batch_size)
        return -(-int(self._interactions.nnz) // self.batch_size)

    def working_bytes(self, embedding_dim: int) -> int:
        """Count the bytes that a step's batch, scores and vectors take, at the most."""
        batch: int = self.batch_size
        n_users, n_items = (int(size) for size in self._interactions.shape)
        n_numbers: int
        match self._config.traits.negatives:
            case "own":
                n_numbers = batch * (2 + self._sampler.n_negatives * self._sampler.n_candidates) * embedding_dim * 2
            case "none":
                n_numbers = batch * embedding_dim * 6 + 3 * _N_SPREAD**2
            case "shared":
                n_columns = min(n_items, batch if self._sampler.kind == "in-batch" else self._sampler.n_negatives)
                by_block = self._config.loss != "cosine-contrastive"
                n_rows = min(n_users, batch, USERS_AT_ONCE if by_block else n_users)
                n_numbers = 3 * n_rows * n_columns + 2 * n_columns * embedding_dim
        return 4 * n_numbers + 64 * batch + 64 * int(self._interactions.nnz)

    def batches(self, epoch: int) -> Iterator[Drawn]:
        """Draw the batches of an epoch: the same ones whenever it is asked."""
        rng = make_rng(self._seed, "epoch", epoch)  # a stream an epoch: what it draws depends on no other
        make = batches_of_users if self._config.traits.by_user else batches_of_interactions
        for batch in make(self._interactions, self.batch_size, rng):
            yield self._with_negatives(batch, rng)

    def loss(self, below: Tensor, final: Tensor, drawn: Drawn, bias: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Args:
            below: float32 [n_users + n_items, d], the embeddings below the first layer. final: what the net makes of them.
            drawn: a batch.
            bias: float32 [n_users + n_items], of items what is added to their scores, of users 1; None: nothing is added.
                With it infonce shortens vectors and does not cut them: a user of whom little is known may say little.
        """
        return self.ranking_loss(final, drawn, bias) + self._penalty(
            below if self._config.penalised == "layer-0" else final, self._row_weights
        )

    def loss_at_rows(self, below: Tensor, at_rows: Callable[[Index], Tensor], drawn: Drawn) -> Tensor:
        """Return the same loss where the final embeddings are cheaper for some rows than for all.

        Args:
            below: as in `loss`. at_rows: returns the final embeddings [k, d] of rows int64 [k].
            drawn: a batch.
        """
        rows = drawn.rows()
        return self.ranking_loss(at_rows(rows), drawn.among(rows)) + self._penalty(below, self._row_weights)

    def loss_of_rows(self, table: Tensor, drawn: Drawn) -> Tensor:
        """Return the loss of a batch where nothing lies between embeddings and scores: only the rows of the batch are touched.

        Penalties are taken from these rows alone, scaled so that their expectation is the same.
        """
        rows = drawn.rows()
        there = embedding(torch.from_numpy(rows).to(table.device), table, sparse=self._config.is_sparse)
        local = drawn.among(rows)
        times = np.bincount(local.users[local.owner], minlength=rows.size) + np.bincount(
            local.items, minlength=rows.size
        )
        share = times / np.maximum(self._appearances[rows], 1) * (self._interactions.nnz / local.items.size)
        weights = self._row_weights[torch.from_numpy(rows)] * torch.from_numpy(share.astype(np.float32))
        return self.ranking_loss(there, local) + self._penalty(there, weights)

    def ranking_loss(self, table: Tensor, drawn: Drawn, bias: Tensor | None = None) -> Tensor:
        """Return the loss of a batch without penalties."""
        config, users = self._config, drawn.users[drawn.owner]
        if config.loss == "infonce":  # dot products of these are cosines over the temperature
            table = (normalize(table) if bias is None else shortened(table)) * config.vector_length
        if bias is not None:
            table = torch.cat([table, bias[:, None]], dim=1)
        match config.loss:
            case "bpr" | "bce":
                negatives = drawn.negatives
                if negatives.shape[1] > self._sampler.n_negatives:
                    negatives = hardest(table, users, negatives, self._sampler.n_negatives)
                return (bpr_loss if config.loss == "bpr" else bce_loss)(table, users, drawn.items, negatives)
            case "cosine-contrastive":
                return cosine_contrastive_loss(
                    table,
                    drawn.users,
                    drawn.owner,
                    drawn.items,
                    drawn.negatives,
                    np.exp(-drawn.log_expected),
                    margin=0.4 if config.margin is None else config.margin,
                    negative_weight=config.negative_weight or 100.0,
                    left_out=drawn.left_out,
                )
            case "shared-bce":
                return weighted_bce_loss(table, *self.weights_of_pairs(table.shape[0], drawn), left_out=drawn.left_out)
            case "alignment-uniformity":
                return alignment_uniformity_loss(table, users, drawn.items, drawn.spread, config.uniformity or 1.0)
            case _:
                return sampled_softmax_loss(
                    table,
                    drawn.users,
                    drawn.owner,
                    drawn.items,
                    drawn.negatives,
                    drawn.log_expected,
                    left_out=drawn.left_out,
                    precision=self._precision,
                )

    def penalty(self, below: Tensor) -> Tensor:
        """Return the penalties on all embeddings, float32 [n_users + n_items, d]."""
        return self._penalty(below, self._row_weights)

    def weights_of_pairs(self, n_rows: int, drawn: Drawn) -> tuple[Index, csr_array, Index, Floats, Floats]:
        """Return what `weighted_bce_loss` takes: an interaction counts 1, and so do, times `negative_weight`, all negatives of it.

        Args:
            n_rows: of the table that the batch is of.
            drawn: a batch of shared negatives, corrected for how they were drawn.
        """
        n, indptr = drawn.items.size, np.searchsorted(drawn.owner, np.arange(drawn.users.size + 1))
        data = np.full(n, 1 / n, dtype=np.float32)
        wanted = csr_array((data, drawn.items, indptr), shape=(drawn.users.size, n_rows))
        n_items = self._interactions.shape[1]
        by_user = (np.diff(indptr) * ((self._config.negative_weight or 100.0) / (n * n_items))).astype(np.float32)
        return drawn.users, wanted, drawn.negatives, by_user[:, None], np.exp(-drawn.log_expected)[:, None]

    def _with_negatives(self, batch: Batch, rng: np.random.Generator) -> Drawn:
        config = self._config
        kept = {"users": batch.users, "owner": batch.owner, "items": self._n_users + batch.items}
        nothing = np.empty(0, dtype=np.float32)
        match config.traits.negatives:
            case "own":
                return Drawn(**kept, negatives=self._n_users + self._sampler.own(batch, rng), log_expected=nothing)
            case "shared":
                shared = self._sampler.shared(batch, rng, corrected=not config.traits.angular)
                left_out = self._sampler.known_among(batch.users, shared.items)
                # Without correction an item that was drawn three times counts three times.
                correction = -np.log(shared.count) if config.traits.angular else shared.log_expected
                return Drawn(**kept, negatives=self._n_users + shared.items, log_expected=correction, left_out=left_out)
            case "none":
                spread = np.sort(rng.permutation(len(batch))[:_N_SPREAD])
                return Drawn(**kept, negatives=_NO_PAIRS[0], log_expected=nothing, spread=spread)

    def _batch_size(self) -> int:
        n, given = int(self._interactions.nnz), self._config.batch_size
        if given is not None and given > n:
            note(f"batch_size = {given:,} is more than the {n:,} interactions there are: every epoch is one step")
        by_share = max(1, n // _STEPS_PER_EPOCH)
        return min(given, n) if given is not None else min(self._config.traits.batch_size or by_share, by_share)

    def _penalty(self, x: Tensor, row_weights: Tensor) -> Tensor:
        l1, l2 = self._config.l1, self._l2
        row_weights = row_weights.to(x.device)
        penalty = l2 * l2_penalty(x, row_weights) if l2 else x.new_zeros(())
        return penalty + l1 * l1_penalty(x, row_weights) if l1 else penalty

    @property
    def _l2(self) -> float:
        return self._config.traits.l2 if self._config.l2 is None else self._config.l2

    def _weights_of_rows(self, per_user: Index, per_item: Index) -> Floats:
        """Weigh each row's penalty by how often it stands in an interaction: float32 [n_users + n_items].

        The paper of LightGCN adds the squared lengths of the rows of a batch, over the size of the batch; with an exponent of
        1 this is their expectation. A smaller one spreads the same sum more evenly: Rendle et al., "Revisiting the
        Performance of iALS on Item Recommendation Benchmarks", RecSys 2022 (arXiv:2110.14037), find that it matters.
        """
        config, n = self._config, self._interactions.nnz
        exponent = config.traits.l2_exponent if config.l2_exponent is None else config.l2_exponent
        of_items = per_item.astype(np.float64)
        if config.traits.negatives == "own":
            of_items = of_items + n * self._sampler.n_negatives * self._sampler.probability  # a batch holds these too
        weights = [flattened(counts, exponent) for counts in (per_user.astype(np.float64), of_items)]
        return np.asarray(np.concatenate(weights) / n, dtype=np.float32)
