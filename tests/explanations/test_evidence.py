import numpy as np
import polars as pl
from scipy.sparse import csr_array

from edgewise.explanations import Evidence
from edgewise.newcomers import Newcomers


def newcomer(*, attributes: pl.DataFrame | None = None, friends: list[int] | None = None) -> Newcomers:
    history = csr_array(np.array([[1, 0, 1, 0, 1]], dtype=np.float32))
    of_friends = None
    if friends is not None:
        row = np.zeros((1, 4), dtype=np.float32)
        row[0, friends] = 1
        of_friends = csr_array(row)
    return Newcomers("user", history, of_friends, attributes, ("",))


def test_each_thing_known_is_a_piece_and_each_value_of_a_cell() -> None:
    table = pl.DataFrame({"age": [25], "genres": ["Comedy|Drama"], "tags": [["x", "y"]], "city": [None]})
    evidence = Evidence.of(newcomer(attributes=table, friends=[3]))
    assert [(piece.kind, piece.place, piece.name, piece.value) for piece in evidence.pieces] == [
        ("history", 0, "", None),
        ("history", 2, "", None),
        ("history", 4, "", None),
        ("friend", 3, "", None),
        ("attribute", -1, "age", 25),
        ("attribute", -1, "genres", "Comedy"),
        ("attribute", -1, "genres", "Drama"),
        ("attribute", -1, "tags", "x"),
        ("attribute", -1, "tags", "y"),
    ]


def test_a_variant_has_what_is_kept_and_nothing_else() -> None:
    table = pl.DataFrame({"age": [25], "genres": ["Comedy|Drama"], "tags": [["x", "y"]], "city": [None]})
    evidence = Evidence.of(newcomer(attributes=table, friends=[1, 3]))
    none = np.zeros((1, len(evidence.pieces)), dtype=np.bool_)
    kept = np.vstack([~none, none, none])
    kept[2, [1, 4, 7, 8]] = True  # item 2, friend 3, Drama, x
    variants = evidence.variants(kept)
    assert variants.history.toarray().tolist() == [[1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert variants.friends is not None
    assert variants.friends.toarray().tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert variants.attributes is not None
    assert variants.attributes.schema == table.schema
    assert variants.attributes.to_dicts() == [
        {"age": 25, "genres": "Comedy|Drama", "tags": ["x", "y"], "city": None},
        {"age": None, "genres": None, "tags": None, "city": None},
        {"age": None, "genres": "Drama", "tags": ["x"], "city": None},
    ]


def test_what_is_no_piece_always_stays() -> None:
    evidence = Evidence.of(newcomer(), np.array([2]), kinds=("history",))
    variants = evidence.variants(np.zeros((1, 1), dtype=np.bool_))
    assert variants.history.toarray().tolist() == [[1, 0, 0, 0, 1]]
