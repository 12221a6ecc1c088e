"""Negatives come as often as they should, and never where they must not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from edgewise.errors import ConfigError
from edgewise.train.batches import Batch, batches_of_interactions
from edgewise.train.config import TrainConfig
from edgewise.train.negatives import ItemSampler, NegativeSampler
from edgewise.train.objective import RankingObjective

_MET = csr_array(np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]], dtype=np.float32))
"""Popularity 1, 2, 0, 3."""

_ALL = Batch(np.arange(3), np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 3, 1, 3, 3]))


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_draws_follow_popularity_to_the_power() -> None:
    # Roots 1, 2, 0, 4: probabilities 1/7, 2/7, 0, 4/7.
    sampler = ItemSampler(np.array([1, 4, 0, 16]), 0.5)
    np.testing.assert_allclose(sampler.probability, [1 / 7, 2 / 7, 0, 4 / 7])
    drawn = np.bincount(sampler.draw(70_000, _rng()), minlength=4)
    np.testing.assert_allclose(drawn, [10_000, 20_000, 0, 40_000], rtol=0.03)


def test_power_zero_is_uniform_over_what_was_met() -> None:
    assert ItemSampler(np.array([9, 0, 1]), 0.0).probability.tolist() == [0.5, 0.0, 0.5]


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"power of popularity is -1; expected a number >= 0"):
        ItemSampler(np.array([1]), -1)


@pytest.mark.parametrize(
    ("given_settings", "expected"),
    [
        ({"sampler": "uniform"}, [1 / 3, 1 / 3, 0, 1 / 3]),
        ({"sampler": "popularity", "negative_power": 1.0}, [1 / 6, 2 / 6, 0, 3 / 6]),
        ({"sampler": "in-batch"}, [1 / 6, 2 / 6, 0, 3 / 6]),
        ({"sampler": "mixed", "negative_power": 0.0}, [1 / 4, 1 / 3, 0, 5 / 12]),
        ({"sampler": "hard"}, [1 / 3, 1 / 3, 0, 1 / 3]),
    ],
)
def test_own_negatives_are_as_likely_as_told(given_settings: dict[str, Any], expected: list[float]) -> None:
    sampler = NegativeSampler(_MET, TrainConfig(loss="bpr", n_negatives=3000, **given_settings))
    np.testing.assert_allclose(sampler.probability, expected)
    drawn = sampler.own(_ALL, _rng())
    assert drawn.shape == (6, 3000 * sampler.n_candidates)
    for row in drawn:  # the same for every interaction, whatever its place
        np.testing.assert_allclose(np.bincount(row, minlength=4) / row.size, expected, atol=0.04)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 99), st.sampled_from(["uniform", "popularity", "in-batch", "mixed", "hard"]))
def test_what_is_known_is_avoided_where_asked(seed: int, kind: Any) -> None:
    rng = np.random.default_rng(seed)
    met = rng.random((9, 30)) < 0.3
    met[0], met[0, 4] = True, False  # who knows nearly everything gets what is left
    interactions = csr_array(met.astype(np.float32))
    sampler = NegativeSampler(interactions, TrainConfig(loss="bpr", sampler=kind, avoid_known=True))
    for batch in batches_of_interactions(interactions, 1000, rng):
        drawn = sampler.own(batch, rng)
        wrong = met[batch.users[batch.owner][:, None], drawn]
        assert not wrong[batch.users[batch.owner] != 0].any()
    kept = NegativeSampler(interactions, TrainConfig(loss="bpr", sampler=kind))
    assert met[batch.users[batch.owner][:, None], kept.own(batch, rng)].any()


def test_who_knows_everything_that_can_be_drawn_does_not_hang() -> None:
    sampler = NegativeSampler(_MET, TrainConfig(loss="bpr", avoid_known=True))
    assert set(sampler.own(_ALL, _rng())[:3].ravel()) <= {0, 1, 3}


def test_shared_negatives_are_all_items_once_where_there_are_no_more() -> None:
    found = NegativeSampler(_MET, TrainConfig(n_negatives=3)).shared(_ALL, _rng())
    assert found.items.tolist() == [0, 1, 3]  # nobody met item 2
    assert found.log_expected.tolist() == [0, 0, 0]


@pytest.mark.parametrize("given_settings", [{"sampler": "popularity"}, {"sampler": "mixed"}, {"sampler": "in-batch"}])
def test_weighted_by_how_often_they_were_expected_shared_negatives_stand_for_all_items(
    given_settings: dict[str, Any],
) -> None:
    rng = _rng()
    interactions = csr_array((rng.random((400, 50)) < np.linspace(0.02, 0.5, 50)).astype(np.float32))
    value = rng.random(50)
    size: dict[str, Any] = {} if given_settings["sampler"] == "in-batch" else {"n_negatives": 30}
    sampler = NegativeSampler(interactions, TrainConfig(**given_settings, **size))
    sums = []
    for _ in range(40):
        for batch in batches_of_interactions(interactions, 40, rng):
            found = sampler.shared(batch, rng)
            assert np.array_equal(found.items, np.unique(found.items))
            sums.append((value[found.items] / np.exp(found.log_expected)).sum())
    assert np.mean(sums) == pytest.approx(value.sum(), rel=0.02)


def test_known_among_shared_negatives() -> None:
    sampler = NegativeSampler(_MET, TrainConfig(avoid_known=True))
    place, column = sampler.known_among(np.array([0, 2]), np.array([0, 2, 3]))
    assert list(zip(place.tolist(), column.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 2)]
    assert not NegativeSampler(_MET, TrainConfig()).known_among(np.array([0]), np.array([0]))[0].size


def test_without_correction_an_item_counts_as_often_as_it_was_drawn() -> None:
    sampler = NegativeSampler(
        _MET, TrainConfig(loss="infonce", sampler="popularity", negative_power=1.0, n_negatives=600)
    )
    found = sampler.shared(_ALL, _rng(), corrected=False)
    assert found.items.tolist() == [0, 1, 3]
    np.testing.assert_allclose(found.count, [100, 200, 300], rtol=0.2)
    assert found.count.sum() == 600
    drawn = next(RankingObjective(_MET, TrainConfig(loss="infonce", sampler="in-batch", batch_size=6), 0).batches(0))
    np.testing.assert_allclose(np.exp(-drawn.log_expected), [1, 2, 3], rtol=1e-6)


@pytest.mark.parametrize("loss", ["bpr", "infonce"])
def test_popularity_without_a_power_is_not_uniform(loss: Any) -> None:
    probability = NegativeSampler(_MET, TrainConfig(loss=loss, sampler="popularity")).probability
    powers = np.array([1.0, 2.0, 0.0, 3.0]) ** 0.75
    np.testing.assert_allclose(probability, powers / powers.sum())
