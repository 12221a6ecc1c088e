"""The loader: one order and content however batches are made ahead, and no thread left behind."""

import threading
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.errors import ConfigError, DataError
from edgewise.graph.neighbour_sampling import NeighbourSampler, SampledGraph
from edgewise.nn.edges import Edges
from edgewise.nn.encoder import Encoder, EncoderConfig
from edgewise.train.neighbour_loader import NeighbourBatch, NeighbourLoader


def graph() -> csr_array:
    """Make 200 nodes, each hearing from the 12 after it, in a ring."""
    senders = (np.arange(200)[:, None] + np.arange(1, 13)) % 200
    data = np.ones(2400, dtype=np.float32)
    return csr_array((data, senders.reshape(-1).astype(np.int32), np.arange(0, 2401, 12)), shape=(200, 200))


def loader(**how: Any) -> NeighbourLoader:
    settings: dict[str, Any] = {"batch_size": 16, "seed": 3} | how
    seeds = settings.pop("seeds", np.arange(100))
    return NeighbourLoader(settings.pop("sampler", NeighbourSampler(graph())), seeds, (4, 3), **settings)


def content(batch: NeighbourBatch) -> list[Any]:
    return [batch.positions.tolist(), batch.graph.nodes.tolist(), batch.graph.edge_ids.tolist()]


class Failing(NeighbourSampler):
    """Fails at the fourth batch."""

    def sample(self, *args: Any, batch: int = 0, **kwargs: Any) -> SampledGraph:
        if batch == 3:
            raise DataError("the fourth batch is broken")
        return super().sample(*args, batch=batch, **kwargs)


@pytest.mark.parametrize("how", [{"prefetch": 1}, {"prefetch": 7, "n_workers": 2}, {"prefetch": 50, "n_workers": 20}])
def test_order_and_content_are_the_same_however_batches_are_made_ahead(how: dict[str, int]) -> None:
    expected = [content(batch) for batch in loader(prefetch=0).epoch(2)]
    assert [content(batch) for batch in loader(**how).epoch(2)] == expected
    assert len(expected) == len(loader()) == 7


def test_an_epoch_visits_every_seed_once_and_the_next_one_in_another_order() -> None:
    first, second = (np.concatenate([batch.positions for batch in loader().epoch(number)]) for number in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(100))
    assert first.tolist() != second.tolist()
    assert [batch.seeds[0] for batch in loader(shuffle=False).epoch()] == list(range(0, 100, 16))


@pytest.mark.parametrize("n_workers", [1, 3])
def test_an_error_in_a_worker_is_raised_at_its_batch(n_workers: int) -> None:
    seen = 0
    before = threading.active_count()
    with pytest.raises(DataError, match="the fourth batch is broken"):
        for _ in loader(sampler=Failing(graph()), n_workers=n_workers).epoch():
            seen += 1
    assert seen == 3
    assert threading.active_count() == before


def test_leaving_early_leaves_no_thread() -> None:
    before = threading.active_count()
    batches = loader(prefetch=2, n_workers=2).epoch()
    next(batches)
    assert threading.active_count() == before + 2
    batches.close()
    assert threading.active_count() == before


def test_ctrl_c_in_the_loop_leaves_no_thread() -> None:
    before = threading.active_count()

    def interrupted() -> None:
        for _ in loader().epoch():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threading.active_count() == before


def test_pairs_are_left_out_of_their_neighbourhoods_and_found_at_their_places() -> None:
    pairs = np.stack([np.arange(1, 51), np.arange(50)])
    for batch in loader(seeds=pairs).epoch():
        nodes = batch.graph.nodes
        np.testing.assert_array_equal(nodes[batch.seed_places], batch.seeds)
        sender, receiver = nodes[batch.graph.edge_index]
        targets = {frozenset(pair) for pair in batch.seeds.T.tolist()}
        assert not targets & {frozenset(pair) for pair in zip(sender.tolist(), receiver.tolist(), strict=True)}
    kept = loader(seeds=pairs, exclude_pairs=False, batch_size=50).epoch()
    found = next(kept).graph
    assert ((found.nodes[found.edge_index[0]] - found.nodes[found.edge_index[1]]) % 200 == 1).any()


def test_times_of_pairs_hold_for_both_ends() -> None:
    times = np.arange(2400)
    pairs = np.stack([np.arange(100), np.arange(100, 200)])
    seed_times = np.arange(100) * 24
    sampler = NeighbourSampler(graph(), edge_times=times)
    for batch in loader(sampler=sampler, seeds=pairs, seed_times=seed_times).epoch():
        group = batch.graph.group
        assert group is not None
        moment = np.unique(seed_times[batch.positions])[group]
        assert (times[batch.graph.edge_ids] < moment[batch.graph.edge_index[1]]).all()


def test_the_wait_is_measured() -> None:
    ours = loader()
    assert ours.waited_share == 0.0
    for _ in ours.epoch():
        pass
    assert 0 < ours.waited_s <= ours.elapsed_s
    assert 0 < ours.waited_share <= 1


def test_a_batch_is_what_pytorch_geometric_makes_of_one() -> None:
    x = torch.arange(200.0)[:, None]
    batch = next(loader().epoch())
    data = batch.to_pyg(x, torch.arange(200))
    assert data.batch_size == 16
    assert data.validate()
    torch.testing.assert_close(data.x[: data.batch_size, 0], torch.from_numpy(batch.seeds).float())
    assert data.y.tolist() == data.n_id.tolist()
    assert sum(data.num_sampled_edges) == data.edge_index.shape[1] == data.e_id.numel()
    pairs = next(loader(seeds=np.stack([np.arange(20), np.arange(20, 40)])).epoch())
    assert pairs.to_pyg().edge_label_index.shape == (2, 16)


@pytest.mark.parametrize("conv", ["sage", "gcn"])
def test_an_encoder_gives_the_same_vectors_in_batches_of_all_neighbours_as_over_the_whole_graph(conv: str) -> None:
    whole = Edges.from_csr(graph())
    features = np.random.default_rng(0).random((200, 5), dtype=np.float32)
    net = Encoder(EncoderConfig(conv=conv, hidden_dim=4, n_layers=2, dropout=0.0), 5, 3)
    expected = net(torch.from_numpy(features), whole)
    batches = NeighbourLoader(
        NeighbourSampler(graph()), np.array([7, 199, 7]), (None, None), batch_size=3, seed=0, features=features
    )
    batch = next(batches.epoch())
    assert batch.x is not None
    vectors = net(batch.x, batch.edges(received=whole.with_self_loops.received))[batch.seed_places]
    torch.testing.assert_close(vectors, expected[batch.seeds])


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"prefetch": -1}, {"n_workers": 0}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        loader(**wrong)


def test_seeds_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"seeds are \[3, 5\]"):
        loader(seeds=np.zeros((3, 5), dtype=np.int64))
    with pytest.raises(DataError, match=r"seed_times are \[3\]"):
        loader(seed_times=np.zeros(3))
