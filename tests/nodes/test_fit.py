"""Node tasks: the published accuracies, the same result again, and tiny or odd graphs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.data.node_data import NodeData
from edgewise.data.planetoid import read_planetoid
from edgewise.errors import ConfigError, UnknownNameError
from edgewise.nodes.config import DEFAULTS, config_of
from edgewise.nodes.fit import disagreement, fit_nodes
from edgewise.nodes.report import measured


def _planted(n: int = 90, *, numeric: bool = False) -> NodeData:
    """Three groups that keep to themselves; features say nothing, so only edges can tell who belongs where."""
    rng = np.random.default_rng(0)
    group = np.arange(n) % 3
    draw = rng.random((n, n)) < np.where(group[:, None] == group, 0.25, 0.01)
    graph = csr_array(np.triu(draw, 1).astype(np.float32))
    order = rng.permutation(n)
    return NodeData(
        name="planted",
        node_ids=np.arange(n),
        graph=csr_array(graph + graph.T),
        x=csr_array(np.eye(n, dtype=np.float32)),
        labels=(group * 10 + 5).astype(np.float32) if numeric else group,
        classes=None if numeric else ("a", "b", "c"),
        train=order[:30],
        valid=order[30:50],
        test=order[50:],
    )


@pytest.mark.parametrize("model", DEFAULTS)
def test_groups_that_only_edges_tell_apart_are_found(model: str) -> None:
    settings: dict[str, Any] = {"epochs": 60}
    fit = fit_nodes(_planted(), config_of(model, settings), seed=0)
    assert fit.test["accuracy"] > 0.8
    assert fit.test["macro_f1"] > 0.8
    numbers = fit_nodes(_planted(numeric=True), config_of(model, settings), seed=0)
    assert numbers.test["rmse"] < 6  # the deviation of the numbers is 8.2
    assert numbers.test["mae"] <= numbers.test["rmse"]


def test_the_same_seed_gives_the_same_predictions_whatever_the_number_of_threads() -> None:
    data, config = _planted(numeric=True), config_of("gat", {"epochs": 5})
    usual = fit_nodes(data, config, seed=3)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        again = fit_nodes(data, config, seed=3)
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(usual.predicted, again.predicted)
    assert not np.array_equal(usual.predicted, fit_nodes(data, config, seed=4).predicted)


def test_one_node_and_no_edges() -> None:
    first, nothing = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64)
    no_edge, feature = csr_array((1, 1), dtype=np.float32), csr_array(np.ones((1, 1), dtype=np.float32))
    one = NodeData("one", np.arange(1), no_edge, feature, first, ("a",), first, nothing, nothing)
    for model in DEFAULTS:
        fit = fit_nodes(one, config_of(model, {"epochs": 2, "normalisation": "batch"}), seed=0)
        assert fit.predicted.tolist() == [0]
        assert fit.test == {}
    bare = replace(_planted(), graph=csr_array((90, 90), dtype=np.float32))
    assert fit_nodes(bare, config_of("gat", {"epochs": 2}), seed=0).n_epochs == 2


def test_without_validation_nodes_training_runs_to_its_end() -> None:
    data = replace(_planted(), valid=np.empty(0, dtype=np.int64))
    assert fit_nodes(data, config_of("gcn", {"epochs": 7}), seed=0).n_epochs == 7


def test_agreement_is_kept_where_it_does_better_on_the_validation_nodes() -> None:
    # Identities as features: GraphSAGE, which keeps a node's own features apart, then agrees with its first guess.
    settings = config_of("graphsage", {"epochs": 60})
    found = measured(_planted(), settings, "graphsage", range(2))
    assert found["settings"]["consistency"] == 0
    assert found["notes"] == ["consistency = 0: without it the validation nodes came out better"]
    with_it, without = (
        fit_nodes(_planted(), config_of("graphsage", {"epochs": 60, "consistency": weight}), seed=0)
        for weight in (1, 0)
    )
    assert with_it.valid["accuracy"] < without.valid["accuracy"]
    assert found["seeds"][0]["valid"] == without.valid
    assert [fit["seed"] for fit in found["seeds"]] == [0, 1]
    as_set = measured(_planted(), config_of("graphsage", {"epochs": 2, "consistency": 1}), "graphsage", range(1))
    assert (as_set["settings"]["consistency"], as_set["notes"]) == (1, [])


def test_means_and_deviations_are_over_seeds() -> None:
    found = measured(_planted(), config_of("gcn", {"epochs": 3}), "gcn", range(2))
    values = [fit["test"]["accuracy"] for fit in found["seeds"]]
    assert found["accuracy_mean"] == pytest.approx(np.mean(values))
    assert found["accuracy_std"] == pytest.approx(np.std(values))
    assert found["seconds"] > 0


def test_disagreement_is_the_square_of_the_distance_from_the_sharpened_mean() -> None:
    # Shares (.5, .5) and (.9, .1): mean (.7, .3), squared and scaled (.845, .155); squares .2378 and .0061.
    views = [torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()]
    assert float(disagreement(views, 0.5, is_class=True)) == pytest.approx((0.2378 + 0.0061) / 2, abs=1e-4)
    numbers = [torch.tensor([[1.0]]), torch.tensor([[3.0]])]
    assert float(disagreement(numbers, 0.5, is_class=False)) == 1


@pytest.mark.parametrize("model", DEFAULTS)
def test_with_all_neighbours_a_batch_of_all_labelled_nodes_is_a_step_over_the_whole_graph(model: str) -> None:
    # Without dropout, with two heads of GAT between layers, and the batch's own order of edges: equal but for rounding.
    plain: dict[str, Any] = {"epochs": 4, "dropout": 0, "consistency": 0, "patience": None}
    plain |= {"attention_dropout": 0} if model == "gat" else {}
    data = replace(_planted(numeric=True), valid=np.empty(0, dtype=np.int64))
    whole = fit_nodes(data, config_of(model, plain), seed=0)
    sampled = fit_nodes(data, config_of(model, plain | {"fan_out": [-1, -1], "batch_size": 30}), seed=0)
    np.testing.assert_allclose(sampled.predicted, whole.predicted, rtol=1e-3, atol=1e-3)
    fewer = fit_nodes(data, config_of(model, plain | {"fan_out": [2, 1]}), seed=0)
    assert not np.allclose(fewer.predicted, whole.predicted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", DEFAULTS)
def test_groups_are_found_from_a_few_drawn_neighbours_and_the_same_seed_finds_the_same(model: str) -> None:
    settings: dict[str, Any] = {"epochs": 40, "fan_out": [5, 5], "batch_size": 32}
    fit = fit_nodes(_planted(), config_of(model, settings), seed=0)
    assert fit.test["accuracy"] > 0.8
    again = fit_nodes(_planted(), config_of(model, settings), seed=0)
    assert np.array_equal(fit.predicted, again.predicted)


def test_features_of_edges_reach_the_batches() -> None:
    data = _planted()
    rng = np.random.default_rng(1)
    with_features = replace(data, edge_features=rng.standard_normal((data.graph.nnz, 2), dtype=np.float32))
    plain: dict[str, Any] = {"epochs": 2, "dropout": 0, "attention_dropout": 0, "consistency": 0, "patience": None}
    whole, sampled = (
        fit_nodes(with_features, config_of("gat", plain | extra), seed=0).predicted
        for extra in ({}, {"fan_out": [-1, -1], "batch_size": 30})
    )
    assert np.array_equal(whole, sampled)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fan_out": [5, 0]}, "fan_out of hop 2 is 0; expected 1 or more neighbours, or -1 for all"),
        ({"fan_out": []}, "fan_out is empty"),
        ({"fan_out": [15, 10, 5]}, "is for 3 layer.*n_layers = 2; give as many numbers as layers, or set n_layers = 3"),
        ({"batch_size": 64}, "batch_size = 64: without fan_out each step is over the whole graph"),
    ],
)
def test_a_fan_out_that_cannot_be_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of("gcn", settings)


def test_names_and_settings_that_do_not_exist_are_told() -> None:
    with pytest.raises(UnknownNameError, match="no node model 'gnn'; there are gcn, gat, graphsage"):
        config_of("gnn", {})
    with pytest.raises(ConfigError, match="unknown setting 'layers'; there are conv, "):
        config_of("gcn", {"layers": 2})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "model", "published"),
    # Kipf and Welling 2017; Veličković et al. 2018; GraphSAGE's are the bar that we set ourselves.
    [("cora", "gcn", 0.815), ("cora", "gat", 0.830), ("cora", "graphsage", 0.805),
     ("citeseer", "gcn", 0.703), ("citeseer", "gat", 0.720), ("citeseer", "graphsage", 0.700)],
)  # fmt: skip
def test_published_accuracies(shared_data: Callable[[str], Path], dataset: str, model: str, published: float) -> None:
    data = read_planetoid(shared_data(f"planetoid/ind.{dataset}.x").parent, dataset)
    found = measured(data, config_of(model, {}), model, range(3))
    assert found["accuracy_mean"] > published - 0.01  # of three seeds instead of ten
