"""Settings of training that contradict each other, or the data, are refused in words."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from edgewise.config import make
from edgewise.errors import ConfigError
from edgewise.telemetry import listening
from edgewise.train.config import LOSSES, TrainConfig
from edgewise.train.objective import RankingObjective
from tests.train.test_checkpoints import _Notes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "bpr", "temperature": 0.1}, "temperature = 0.1 belongs to the loss 'infonce', not 'bpr'"),
        ({"margin": 0.5}, "margin = 0.5 belongs to the loss 'cosine-contrastive', not 'the default'"),
        ({"uniformity": 1.0}, "uniformity = 1 belongs to the loss 'alignment-uniformity'"),
        ({"loss": "alignment-uniformity", "n_negatives": 5}, "n_negatives = 5: the loss 'alignment-uniformity' has no"),
        (
            {"loss": "alignment-uniformity", "avoid_known": True},
            "avoid_known = true: the loss 'alignment-uniformity' has",
        ),
        ({"sampler": "hard"}, "sampler = 'hard' picks negatives for each interaction.*use loss bpr or bce"),
        (
            {"loss": "in-batch-softmax", "sampler": "uniform"},
            "'in-batch-softmax' takes the batch; use 'sampled-softmax'",
        ),
        ({"loss": "bpr", "sampler": "in-batch", "negative_power": 0.5}, "sampler 'in-batch' knows no popularity"),
        ({"loss": "bpr", "sampler": "uniform", "negative_power": 0.5}, "sampler 'uniform' knows no popularity"),
        ({"loss": "bpr", "n_candidates": 5}, "n_candidates = 5 belongs to the sampler 'hard', not 'uniform'"),
        ({"sampler": "in-batch", "n_negatives": 5}, "the sampler 'in-batch' takes the batch's items; set batch_size"),
        ({"patience": 5}, "patience = 5: nothing is held out to look at; set valid_share"),
        ({"schedule": {"name": "plateau"}}, "'plateau' waits for a validation metric.*set valid_share"),
        (
            {"schedule": {"name": "plateau", "wait": 4}, "valid_share": 0.1, "patience": 4},
            "patience = 4: training would stop before the rate could drop, after schedule.wait = 4 looks",
        ),
        ({"schedule": {"drop": 0.5}}, "drop = 0.5 belongs to the schedule 'plateau', not 'cosine'"),
        ({"schedule": {"final_share": 0.5}}, "final_share = 0.5 belongs to the schedule 'step' or 'exponential', not"),
        ({"loss": "bpr", "precision": "bfloat16"}, "precision = 'bfloat16' rounds the products.*'bpr' has none"),
        ({"momentum": 0.9}, "momentum = 0.9 belongs to the optimiser 'sgd', not 'adam'"),
        ({"optimiser": "sparse-adam", "weight_decay": 0.1}, "weight_decay = 0.1 touches every row, 'sparse-adam' only"),
        ({"averaging": {"decay": 0.9}}, "decay = 0.9 belongs to averaging by 'ema', not 'none'"),
        ({"averaging": {"name": "ema", "start": 0.5}}, "start = 0.5 belongs to averaging by 'swa', not 'ema'"),
        ({"optimiser": "lion"}, "optimiser = 'lion': Input should be 'adam', 'adagrad', 'sgd', 'sparse-adam'"),
        (
            {"sampler": "best"},
            "sampler = 'best': Input should be 'uniform', 'popularity', 'in-batch', 'mixed' or 'hard'",
        ),
        ({"schedule": {"name": "linear"}}, "schedule.name = 'linear': Input should be 'constant', 'step'"),
        ({"epochs": 0}, "epochs = 0: Input should be greater than 0"),
        ({"batchsize": 5}, "unknown setting 'batchsize'; there are epochs, "),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\[train\]: .*{message}"):
        make(TrainConfig, settings, where="[train]")


@pytest.mark.parametrize("loss", LOSSES)
def test_a_printed_config_can_be_read_again(loss: str) -> None:
    config = make(TrainConfig, {"loss": loss}, where="once")
    assert make(TrainConfig, config.model_dump(mode="json"), where="again") == config
    assert config.highest_rate > 0


def _objective(**settings: Any) -> RankingObjective:
    met = csr_array((np.random.default_rng(0).random((40, 25)) < 0.3).astype(np.float32))
    return RankingObjective(met, TrainConfig(**settings), seed=0)


def test_a_batch_larger_than_the_data_is_the_data_and_told() -> None:
    told = _Notes()
    with listening(told):
        objective = _objective(loss="bpr", batch_size=100_000)
    assert objective.steps_per_epoch == len(list(objective.batches(0))) == 1
    assert any(line.startswith("batch_size = 100,000 is more than the ") for line in told.lines)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_epoch_has_as_many_batches_as_told_and_the_same_ones_again(loss: str) -> None:
    objective = _objective(loss=loss, batch_size=32)
    first, again, other = (list(objective.batches(epoch)) for epoch in (3, 3, 4))
    assert len(first) == objective.steps_per_epoch
    for one, same in zip(first, again, strict=True):
        assert all(
            np.array_equal(getattr(one, name), getattr(same, name))
            for name in ("users", "items", "negatives", "spread")
        )
    assert not np.array_equal(first[0].items, other[0].items)


def test_nothing_to_train_on_is_told() -> None:
    with pytest.raises(ConfigError, match="no interactions to train on"):
        RankingObjective(csr_array((3, 4), dtype=np.float32), TrainConfig(n_negatives=2), seed=0)


def test_the_loss_follows_from_how_much_is_known_where_none_is_named() -> None:
    dense, sparse = (csr_array(np.eye(n, dtype=np.float32)) for n in (100, 101))
    assert TrainConfig().for_data(dense).loss == "infonce"  # a hundredth of all pairs
    assert TrainConfig().for_data(sparse).loss == "sampled-softmax"
    assert TrainConfig(loss="bpr").for_data(dense).loss == "bpr"
    assert TrainConfig().for_data(dense).avoids_known
    assert not TrainConfig(avoid_known=False).for_data(dense).avoids_known
