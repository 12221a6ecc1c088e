"""Every recommender passes the one suite; a model without a row here fails `test_every_model_has_a_row`."""

from collections.abc import Callable
from pathlib import Path

import pytest

import edgewise.models
from edgewise.models import MODELS
from edgewise.recommender import Recommender
from edgewise.testing.contract import Case, Check, pairs
from edgewise.testing.planted import Planted, planted_ratings, planted_tastes

CASES = [
    Case("popularity", lacks={"taste": "it knows no tastes", "similar_items": "it has no notion of likeness"}),
    Case("content"),
    Case("user-knn"),
    Case("item-knn"),
    Case("rp3beta"),
    Case("ease"),
    Case("als", {"embedding_dim": 4}),
    Case("bpr", {"embedding_dim": 8}),
    Case("graph-filter"),
    Case("lightgcn", {"embedding_dim": 16, "epochs": 40}),
    Case("filter-gcn", {"embedding_dim": 16, "epochs": 40}),
    Case("simgcl", {"embedding_dim": 16, "epochs": 40}),
    Case("xsimgcl", {"embedding_dim": 16, "loss": "sampled-softmax", "epochs": 40}),
    Case("ultragcn", {"embedding_dim": 16}),
    Case("gcn", {"embedding_dim": 16, "encoder": {"hidden_dim": 16}, "epochs": 20}),
    Case("gat", {"embedding_dim": 16, "encoder": {"hidden_dim": 16}, "epochs": 20}),
    Case("graphsage", {"embedding_dim": 16, "encoder": {"hidden_dim": 16}, "epochs": 40, "temperature": 0.3}),
    Case("hetero", {"embedding_dim": 16, "epochs": 40}),
    Case(
        "biases",
        lacks={"taste": "one order of items for everybody", "similar_items": "it has no notion of likeness"},
        ratings=True,
    ),
    Case("mf", {"embedding_dim": 8, "l2": 0.1}, ratings=True),
    Case("neumf", {"embedding_dim": 8, "mlp_dim": 8, "hidden": (16, 8), "epochs": 60}),
    Case("gc-mc", {"embedding_dim": 16, "output_dim": 8, "node_dropout": 0.2, "epochs": 30}, ratings=True),
]


@pytest.fixture(scope="module")
def planted() -> dict[bool, Planted]:
    return {False: planted_tastes(), True: planted_ratings()}


@pytest.fixture(scope="module")
def fitted(planted: dict[bool, Planted]) -> Callable[[Case], Recommender]:
    """Fit each model once, when the first check asks for it."""
    models: dict[str, Recommender] = {}

    def of(case: Case) -> Recommender:
        if case.name not in models:
            models[case.name] = case.fitted(planted[case.ratings].train)
        return models[case.name]

    return of


@pytest.mark.parametrize(
    ("case", "check"),
    [
        # The checks of a model run in one process, so that it is fitted once.
        pytest.param(case, check, marks=pytest.mark.xdist_group(case.name), id=f"{case}-{check.__name__}")
        for case, check in pairs(CASES)
    ],
)
def test_contract(
    case: Case,
    check: Check,
    fitted: Callable[[Case], Recommender],
    planted: dict[bool, Planted],
    tmp_path: Path,
) -> None:
    check(case, fitted(case), planted[case.ratings], tmp_path)


def test_every_model_has_a_row() -> None:
    assert [case.name for case in CASES] == list(MODELS)


def test_every_model_file_has_a_line_in_the_registry() -> None:
    folder = Path(edgewise.models.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}
    assert files == {target.partition(":")[0].rpartition(".")[2] for target in MODELS.values()}
