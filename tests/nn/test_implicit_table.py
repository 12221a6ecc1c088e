"""implicit_table: the sums by hand, and which side has them."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from edgewise.nn.implicit_table import ImplicitTable, Sides


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ("none", [[1.0], [2.0], [3.0], [4.0], [5.0]]),
        ("users", [[1 + (10 + 20) / 2**0.5], [2 + 10], [3.0], [4.0], [5.0]]),
        ("both", [[1 + (10 + 20) / 2**0.5], [2 + 10], [3 + (7 + 8) / 2**0.5], [4 + 7], [5.0]]),
    ],
)
def test_vectors_are_the_sums_worked_by_hand(sides: Sides, expected: list[list[float]]) -> None:
    ratings = csr_array(np.array([[5, 1, 0], [3, 0, 0]], dtype=np.float32))  # the third item was met by nobody
    table = ImplicitTable(ratings, np.arange(1, 6, dtype=np.float32)[:, None], sides)
    if table.met is not None:
        with torch.no_grad():
            table.met.weight.copy_(torch.tensor([[7.0], [8.0], [10.0], [20.0], [30.0]]))
    torch.testing.assert_close(table().detach(), torch.tensor(expected))
    assert len(table.tables) == (1 if sides == "none" else 2)
