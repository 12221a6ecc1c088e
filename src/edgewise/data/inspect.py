"""Looking at a log before anything is learned from it: what is in it, what is odd, and what a split of it would leak."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from edgewise.data.clean import DAY_MS, CleanConfig, clean_events
from edgewise.data.columns import Columns
from edgewise.data.dataset import Dataset
from edgewise.data.events import sentence
from edgewise.data.oddities import odd_things
from edgewise.data.read import read_attributes, read_log, read_quantity
from edgewise.data.wording import count, share, time_text
from edgewise.rng import make_rng

_TEST_SHARE = 0.2
_FEW = 5


@dataclass(frozen=True)
class SplitRisk:
    """What one way of splitting would let training know, or leave it without.

    Attributes:
        split: the way, as `--split` names it, or "rows" for a random split of rows.
        share: the share concerned, 0 to 1.
        text: what it is a share of, for people.
    """

    split: str
    share: float
    text: str


@dataclass(frozen=True)
class Inspection:
    """What is in a log. Counts are of the rows that default cleaning leaves, but for `rows` and `rows_dropped`.

    Attributes:
        source, format: the file and what kind it is. rows, rows_dropped: in the file; unusable or exact repeats.
        columns: standard name to the name in the file. unused: columns that are not read.
        n_users, n_items, n_events, n_pairs: how many there are. density: the share of all pairs that met.
        first, last: the span of time (ISO 8601), None without times. span_days: its length.
        types: kinds of events and how many of each. values: distribution of strengths, None where there are none.
        repeated_pairs: events of a pair beyond its first.
        users_with_one, users_with_few, items_with_one, items_with_few: met one other side, or fewer than 5.
        events_per_user, events_per_item: minimum, median, mean and maximum.
        odd: what a person should look at. splits: what splits would leak. notes, cleaning: how it was read and cleaned.
    """

    source: str
    format: str
    rows: int
    rows_dropped: int
    columns: dict[str, str]
    unused: tuple[str, ...]
    n_users: int
    n_items: int
    n_events: int
    n_pairs: int
    density: float
    first: str | None
    last: str | None
    span_days: float | None
    types: dict[str, int]
    values: dict[str, Any] | None
    repeated_pairs: int
    users_with_one: int
    users_with_few: int
    items_with_one: int
    items_with_few: int
    events_per_user: dict[str, float]
    events_per_item: dict[str, float]
    odd: tuple[str, ...]
    splits: tuple[SplitRisk, ...]
    notes: tuple[str, ...]
    cleaning: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def lines(self) -> tuple[str, ...]:
        """Say it in plain English, a fact a line."""
        lines = [*self.notes, *self.cleaning]
        lines.append(
            f"{count(self.n_users, 'user')}, {count(self.n_items, 'item')}, {count(self.n_events, 'event')} of {count(self.n_pairs, 'pair')}; "
            f"density {self.density:.3%}."
        )
        if self.first is not None and self.last is not None:
            lines.append(f"Times go from {self.first} to {self.last} ({self.span_days:,.1f} days).")
        if self.types:
            total = sum(self.types.values())
            lines.append(
                "Kinds of events: "
                + ", ".join(f"{kind} {n:,} ({share(n, total)})" for kind, n in self.types.items())
                + "."
            )
        if self.values is not None:
            common = ", ".join(f"{value:g} ({n:,})" for value, n in self.values["common"])
            quantiles = "minimum {min:g}, median {median:g}, mean {mean:.4g}, maximum {max:g}".format(**self.values)
            lines.append(f"Values: {quantiles}; {self.values['distinct']:,} distinct, the commonest {common}.")
        for what, spread in (("user", self.events_per_user), ("item", self.events_per_item)):
            lines.append(
                "Events per {}: median {median:g}, mean {mean:.4g}, maximum {max:,.0f}.".format(what, **spread)
            )
        lines.append(
            f"{count(self.users_with_one, 'user')} met one item only, {self.users_with_few:,} fewer than {_FEW}; "
            f"{count(self.items_with_one, 'item')} met one user only, {self.items_with_few:,} fewer than {_FEW}."
        )
        if self.repeated_pairs:
            lines.append(
                f"{self.repeated_pairs:,} events ({share(self.repeated_pairs, self.n_events)}) repeat a pair that was there before."
            )
        lines += [f"Odd: {text}" for text in self.odd]
        lines += [f"Split {risk.split}: {risk.text}" for risk in self.splits]
        return tuple(lines)


def inspect_file(
    path: Path | str,
    *,
    format: str | None = None,
    columns: Columns | Mapping[str, str] | None = None,
    items: Path | str | None = None,
    users: Path | str | None = None,
) -> Inspection:
    """Read a log as `read_dataset` does, and describe it instead of building on it.

    Args:
        path, format, columns: the log, as for `read_events`.
        items, users: tables beside it, to see whether they fit it, and to find different items of one name.

    Raises:
        DataError: if the log or a table cannot be read, or it has no usable row.
    """
    events, report, found = read_log(path, format=format, columns=columns)
    # Negative values stop a run unless somebody decides about them; here they are told as odd.
    cleaned, cleaning = clean_events(events, CleanConfig(negative="keep"))
    for kind, source in (("item", items), ("user", users)):
        if source is not None:
            known_ids = cleaned[f"{kind}_id"].unique()
            found[kind] = read_attributes(source, kind, known_ids=known_ids, log_names=report.columns)
    table = found["item"].frame if "item" in found else None
    quantity = None
    if "value" not in events.columns:
        quantity = read_quantity(path, report.unused, format=format, columns=columns)
    dataset = Dataset.from_events(cleaned)
    times = dataset.events["timestamp"] if dataset.has_times else None
    first, last = (int(times[0]), int(times[-1])) if times is not None else (None, None)
    items_of, users_of = np.diff(dataset.interactions.indptr), dataset.item_counts
    kinds = dataset.events["type"].value_counts(sort=True).rows() if "type" in dataset.events.columns else []
    return Inspection(
        source=report.source,
        format=report.format,
        rows=report.rows,
        rows_dropped=report.rows - cleaned.height,
        columns=report.columns,
        unused=report.unused,
        n_users=dataset.n_users,
        n_items=dataset.n_items,
        n_events=dataset.n_events,
        n_pairs=int(dataset.interactions.nnz),
        density=float(dataset.interactions.nnz / (dataset.n_users * dataset.n_items)),
        first=None if first is None else time_text(first),
        last=None if last is None else time_text(last),
        span_days=None if first is None or last is None else round((last - first) / DAY_MS, 2),
        types={str(kind): int(n) for kind, n in kinds},
        values=_spread_of_values(dataset) if "value" in cleaned.columns else None,
        repeated_pairs=dataset.n_events - int(dataset.interactions.nnz),
        users_with_one=int((items_of == 1).sum()),
        users_with_few=int((items_of < _FEW).sum()),
        items_with_one=int((users_of == 1).sum()),
        items_with_few=int((users_of < _FEW).sum()),
        events_per_user=_spread(np.bincount(dataset.events["user_index"].to_numpy())),
        events_per_item=_spread(np.bincount(dataset.events["item_index"].to_numpy())),
        odd=(
            *(doubt for given in found.values() for doubt in given.doubts),
            *odd_things(events, dataset, table, names=report.columns, quantity=quantity),
        ),
        splits=_split_risks(dataset),
        notes=(*report.lines(), *(sentence(note) for attributes in found.values() for note in attributes.notes)),
        cleaning=cleaning.lines(),
    )


def _spread(counts: Any) -> dict[str, float]:
    return {
        "min": float(counts.min()),
        "median": float(np.median(counts)),
        "mean": round(float(counts.mean()), 3),
        "max": float(counts.max()),
    }


def _spread_of_values(dataset: Dataset) -> dict[str, Any]:
    values = dataset.events["value"]
    common = values.value_counts(sort=True).head(5).rows()
    spread = _spread(values.to_numpy().astype(np.float64))
    return {
        **spread,
        "distinct": values.n_unique(),
        "common": [[round(float(value), 6), int(n)] for value, n in common],
    }


def _split_risks(dataset: Dataset) -> tuple[SplitRisk, ...]:
    """Try 80/20 splits of the log: by rows at random, by pairs at random, and by time."""
    risks: list[SplitRisk | None] = []
    counts = dataset.events.group_by("user_index", "item_index").len()["len"].to_numpy().astype(np.float64)
    known = float((counts * (1 - _TEST_SHARE ** (counts - 1))).sum() / counts.sum())
    if known > 0:
        text = (
            f"{known:.1%} of the test rows would be of a pair that training has too, since pairs repeat. Splits here keep a pair "
            "on one side; a random split of rows elsewhere would not."
        )
        risks.append(SplitRisk("rows", round(known, 4), text))
    if dataset.has_times:
        risks += [_future(dataset), _newcomers(dataset)]
    return tuple(risk for risk in risks if risk is not None)


def _future(dataset: Dataset) -> SplitRisk:
    """How much of a random training set is later than the same user's first test event."""
    events = dataset.events.select("user_index", "timestamp")
    held_out = pl.Series(make_rng(0, "inspect").random(dataset.n_events) < _TEST_SHARE)
    first_test = events.filter(held_out).group_by("user_index").agg(pl.col("timestamp").min().alias("first"))
    train = events.filter(~held_out).join(first_test, on="user_index", how="left")
    late = float((train["timestamp"] > train["first"]).fill_null(value=False).mean() or 0.0)  # type: ignore[arg-type]
    text = (
        f"{late:.1%} of the training events would be later than an event of the same user that is to be predicted. For figures "
        "that hold in use, take --split time."
    )
    return SplitRisk("random", round(late, 4), text)


def _newcomers(dataset: Dataset) -> SplitRisk | None:
    """How much of the latest fifth is about users or items that the time before does not know."""
    times = dataset.events["timestamp"].to_numpy()
    cut = int(np.searchsorted(times, times[int(len(times) * (1 - _TEST_SHARE))]))
    if cut in (0, len(times)):
        return None
    before, after = dataset.events[:cut], dataset.events[cut:]
    new_user, new_item = (
        ~np.isin(after[name].to_numpy(), before[name].unique().to_numpy()) for name in ("user_index", "item_index")
    )
    new = float((new_user | new_item).mean())
    text = (
        f"with the cut at {time_text(int(times[cut]))}, {share(int(new_user.sum()), len(after))} of the later events are of users "
        f"and {share(int(new_item.sum()), len(after))} of items that came after it; nothing leaks."
    )
    return SplitRisk("time", round(new, 4), text)
