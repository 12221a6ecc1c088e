"""Every recommender passes the one suite; a model without a row here fails `test_every_model_has_a_row`."""

from pathlib import Path

import pytest

import edgewise.models
from edgewise.models import MODELS
from edgewise.recommender import Recommender
from edgewise.testing.contract import Case, Check, pairs
from edgewise.testing.planted import Planted, planted_tastes

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
    Case("lightgcn", {"embedding_dim": 16}),
    Case("hetero", {"embedding_dim": 16}),
]


@pytest.fixture(scope="module")
def planted() -> Planted:
    return planted_tastes()


@pytest.fixture(scope="module")
def fitted(planted: Planted) -> dict[str, Recommender]:
    return {case.name: case.fitted(planted.train) for case in CASES}


@pytest.mark.parametrize(
    ("case", "check"), list(pairs(CASES)), ids=lambda value: getattr(value, "__name__", str(value))
)
def test_contract(case: Case, check: Check, fitted: dict[str, Recommender], planted: Planted, tmp_path: Path) -> None:
    check(case, fitted[case.name], planted, tmp_path)


def test_every_model_has_a_row() -> None:
    assert [case.name for case in CASES] == list(MODELS)


def test_every_model_file_has_a_line_in_the_registry() -> None:
    folder = Path(edgewise.models.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}
    assert files == {target.partition(":")[0].rpartition(".")[2] for target in MODELS.values()}
