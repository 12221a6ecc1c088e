"""The look-up kernels agree with the plain way, and sorting by time keeps equals in order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from edgewise.data import Dataset, IdMap
from edgewise.data import ids as ids_module
from edgewise.data.ids import encode
from edgewise.data.lookup import find

integers = st.integers(-(2**63), 2**63 - 1)


@examples(deadline=None)
@given(st.lists(integers, unique=True), st.lists(integers))
def test_find_gives_positions_and_minus_one(known: list[int], asked: list[int]) -> None:
    asked = asked + known[::-1]
    expected = [known.index(value) if value in known else -1 for value in asked]
    assert find(np.array(asked, dtype=np.int64), np.array(known, dtype=np.int64)).tolist() == expected


def test_ids_with_a_common_divisor_do_not_crowd() -> None:
    known = np.arange(50_000, dtype=np.int64) << 40
    assert (find(known[::-1].copy(), known) == np.arange(50_000)[::-1]).all()


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("n_chunks", [1, 3])
def test_every_way_to_encode_gives_the_same(monkeypatch: pytest.MonkeyPatch, wide: bool, n_chunks: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(-(2**62), 2**62, 900) if wide else rng.integers(-50, 500, 900)
    column = pl.concat([pl.Series("user", part) for part in np.array_split(values, n_chunks)], rechunk=False)
    id_map = IdMap.of(column, "user")
    assert id_map.ids.to_list() == sorted(set(values.tolist()))
    asked = pl.concat([column, pl.Series("user", [2**63 - 1, -(2**63), 7])], rechunk=False)
    expected = [{value: place for place, value in enumerate(id_map.ids)}.get(value, -1) for value in asked]
    assert encode(asked, id_map).tolist() == expected
    monkeypatch.setattr(ids_module, "_MANY_ROWS", 1)
    monkeypatch.setattr(ids_module, "_BLOCK_ROWS", 100)
    assert encode(asked, id_map).tolist() == expected
    as_text = IdMap.of(column.cast(pl.String), "user")
    positions = encode(asked.cast(pl.String), as_text)
    assert as_text.ids_at(positions[positions >= 0].astype(np.int64)).to_list() == [str(v) for v in values if str(v) in set(as_text.ids)] + [
        str(v) for v in (7,) if str(v) in set(as_text.ids)
    ]  # fmt: skip


@given(st.lists(st.integers(0, 6) | integers, min_size=1, max_size=30))
def test_events_are_in_time_order_and_equal_times_stay_as_they_were(times: list[int]) -> None:
    rows = pl.DataFrame(
        {"user_id": range(len(times)), "item_id": ["i"] * len(times), "timestamp": pl.Series(times, dtype=pl.Int64)}
    )
    ordered = Dataset.from_events(rows).to_frame()
    expected = sorted(range(len(times)), key=lambda place: times[place])
    assert ordered["user_id"].to_list() == expected
    assert ordered["timestamp"].to_list() == [times[place] for place in expected]
