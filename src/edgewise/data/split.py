"""Splitting a data set into what a model may learn from and what it is asked about.

A pair of a user and an item lies on one side only, however often it was repeated: what the model has met is not a test
of what it can find. A training set knows the ids of its own events and of the attribute tables, nothing of test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt

from edgewise.config import Settings
from edgewise.data.dataset import Dataset
from edgewise.data.ids import UNKNOWN
from edgewise.data.wording import count, share, time_text
from edgewise.errors import ConfigError, DataError, IdTypeError, UnknownNameError
from edgewise.rng import make_rng
from edgewise.types import Bools, Index


class SplitConfig(Settings):
    """Settings of the section [split]; the seed is the run's."""

    how: str = "time"  # one of SPLITS
    test: float = Field(default=0.2, gt=0, lt=1)  # the share that goes to test
    valid: float = Field(default=0.0, ge=0, lt=1)  # the share of what is left that goes to validation
    n_folds: int = Field(default=5, ge=2)  # k-fold
    fold: NonNegativeInt = 0
    reveal: NonNegativeInt = 0  # cold-users: so many of each test user's first items are shown when asking
    min_train: NonNegativeInt = 1  # random and leave-last-out: how many items of each user stay in training at least


@dataclass(frozen=True)
class Split:
    """The parts of a data set.

    Attributes:
        train: what a model learns from.
        test: what it is asked about; no pair of it is in train. Users and items may be new to train: the notes say how many.
        valid: what settings are chosen by, carved from the training data; None where not asked for.
        how: "random", "leave-last-out", "time", "cold-users", "cold-items", "k-fold" or "given".
        notes: what was done and how many are new, moved or left out, one line each, for people.
        whole_train: train and valid together, to fit again on once settings are chosen; train itself without valid.
        revealed: of a split by users, the first items of each test user, which are shown when asking; None where none are.
    """

    train: Dataset
    test: Dataset
    valid: Dataset | None
    how: str
    notes: tuple[str, ...]
    whole_train: Dataset
    revealed: Dataset | None = None


def split_dataset(
    dataset: Dataset,
    how: str = "time",
    *,
    test: float = 0.2,
    valid: float = 0.0,
    seed: int = 0,
    n_folds: int = 5,
    fold: int = 0,
    min_train: int = 1,
    reveal: int = 0,
) -> Split:
    """Split into train and test, and carve valid from train the same way (for k-fold: at random).

    | how | to test | min_train |
    |---|---|---|
    | random | a share of each user's items, rounded up or down so that the whole comes out right | yes |
    | leave-last-out | the item that each user met last, by time, else by file order; `test` and `valid` only say that | yes |
    | time | the latest share of all events; a repeat of a training pair is left out | - |
    | cold-users, cold-items | all events of a share of the users, or items | - |
    | k-fold | one of `n_folds` parts of each user's items | - |

    The result depends on the seed and on what the events say; on the order of rows only where that order stands for
    time, in leave-last-out.

    Args:
        dataset: the whole.
        how: a name of the table.
        test: a share, between 0 and 1.
        valid: a share of what test leaves; 0 for no validation set.
        seed: the run's.
        n_folds, fold: k-fold only: how many parts, and which of them (from 0) is the test set.
        min_train: how many of a user's items stay in training at least, 0 or more.
        reveal: cold-users only: how many of each test user's first items are shown when asking, and no longer to be found.

    Raises:
        UnknownNameError: listing the splits there are.
        ConfigError: if a share, a fold or `min_train` is out of range.
        DataError: if the split needs times that are not there, or leaves nothing on one side.
    """
    if how not in _WAYS:
        raise UnknownNameError(f"there is no split {how!r}; there are {', '.join(SPLITS)}.")
    _check_share("test", test)
    if valid:
        _check_share("valid", valid)
    if min_train < 0:
        raise ConfigError(f"min_train = {min_train!r}: expected 0 or more.")
    if how == "k-fold" and not (n_folds >= 2 and 0 <= fold < n_folds):
        raise ConfigError(f"fold = {fold!r} of n_folds = {n_folds!r}: expected 2 folds or more, counted from 0.")
    options = _Options(test, seed, min_train, n_folds, fold)
    train, held_out, notes = _cut_off(dataset, how, "test", options)
    split = Split(train, held_out, None, how, notes, train)
    if reveal:
        if how != "cold-users":
            raise ConfigError(f"reveal = {reveal} belongs to the split 'cold-users', not {how!r}; leave it out.")
        split = _with_revealed(split, reveal)
    return carve_valid(split, valid, seed=seed, min_train=min_train) if valid else split


def _with_revealed(split: Split, n_items: int) -> Split:
    """Show the first items of each test user, by time or else by file order; who met no more than that is left out."""
    pairs = _pairs_of(split.test)
    first = np.full(pairs.user.size, split.test.n_events, dtype=np.int64)
    np.minimum.at(first, pairs.of_event, np.arange(split.test.n_events))
    order = np.lexsort([first, pairs.user])
    n_of_user = np.bincount(pairs.user)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size) - np.repeat(np.cumsum(n_of_user) - n_of_user, n_of_user)
    long_enough = n_of_user[pairs.user] > n_items
    shown, asked = ((mask & long_enough)[pairs.of_event] for mask in (place < n_items, place >= n_items))
    if not asked.any():
        raise DataError(
            f"reveal = {n_items}: no test user met more than {count(n_items, 'item')}; choose a smaller number."
        )
    n_out = int((n_of_user > 0).sum() - (n_of_user > n_items).sum())
    note = f"The first {count(n_items, 'item')} of each test user are shown when asking; {count(n_out, 'user')} with no more were left out."
    revealed, test = split.test.subset(pl.Series(shown)), split.test.subset(pl.Series(asked))
    return replace(split, test=test, revealed=revealed, notes=(*split.notes, note))


def k_fold(dataset: Dataset, n_folds: int = 5, *, valid: float = 0.0, seed: int = 0) -> Iterator[Split]:
    """Yield the `n_folds` splits of cross-validation: every pair is in the test set of exactly one."""
    for fold in range(n_folds):
        yield split_dataset(dataset, "k-fold", n_folds=n_folds, fold=fold, valid=valid, seed=seed)


def given(train: Dataset, test: Dataset, *, valid: float = 0.0, valid_how: str = "random", seed: int = 0) -> Split:
    """Take a split that somebody made: pairs of test that training has are left out of test and counted.

    Args:
        train, test: read from files of their own.
        valid: a share of train to carve off as validation set; 0 for none.
        valid_how: how to carve it.
        seed: the run's.

    Raises:
        IdTypeError: if ids are text in one and integers in the other.
        DataError: if the two share no user and no item, or training has every pair of test.
    """
    repeated = repeats_of(train, test)
    new_user, new_item = (_positions(train, test, kind, with_events=True) == UNKNOWN for kind in ("user", "item"))
    if new_user.all() and new_item.all():
        raise DataError(
            f"training and test data have no user and no item in common (first user of each: {train.users.ids[0]!r} and "
            f"{test.users.ids[0]!r}); check that both files name their columns alike."
        )
    if repeated.all():
        raise DataError("every pair of the test data is in the training data too; there is nothing left to test on.")
    notes = [f"Given: {train.n_events:,} events for training, {test.n_events:,} for test."]
    if repeated.any():
        notes.append(_repeats_note(int(repeated.sum()), repeated.size, "test"))
        new_user, new_item = new_user[~repeated], new_item[~repeated]
        test = test.subset(pl.Series(~repeated), note="Test part: without the pairs that training has.")
    notes.append(_new_note(test.events, new_user, new_item, "test"))
    split = Split(train, test, None, "given", tuple(notes), train)
    return carve_valid(split, valid, how=valid_how, seed=seed) if valid else split


def carve_valid(split: Split, valid: float, *, how: str | None = None, seed: int = 0, min_train: int = 1) -> Split:
    """Take a validation set out of the training part; test stays as it is.

    Args:
        split: without a validation set so far.
        valid: the share of the training data, between 0 and 1.
        how: the way, by default that of the split (at random for k-fold and given files).
        seed: the run's.
        min_train: as in `split_dataset`.
    """
    _check_share("valid", valid)
    if how is None:
        how = split.how if split.how in _WAYS and split.how != "k-fold" else "random"
    if how not in _WAYS:
        raise UnknownNameError(f"there is no split {how!r}; there are {', '.join(SPLITS)}.")
    train, held_out, notes = _cut_off(split.whole_train, how, "valid", _Options(valid, seed, min_train))
    return replace(split, train=train, valid=held_out, notes=(*split.notes, *notes))


def repeats_of(train: Dataset, test: Dataset) -> Bools:
    """Which events of test are of a pair that training has: bool [n_events of test].

    Raises:
        IdTypeError: if ids are text in one and integers in the other.
    """
    user_index, item_index = _positions(train, test, "user"), _positions(train, test, "item")
    asked = np.where((user_index == UNKNOWN) | (item_index == UNKNOWN), -1, user_index * train.n_items + item_index)
    seen = train.interactions
    ours = np.repeat(np.arange(train.n_users), np.diff(seen.indptr)) * train.n_items + seen.indices  # ascending
    place = np.searchsorted(ours, asked)
    return np.asarray(ours[np.minimum(place, ours.size - 1)] == asked)


# The ways.


@dataclass(frozen=True)
class _Options:
    share: float
    seed: int
    min_train: int = 1
    n_folds: int = 5
    fold: int = 0


@dataclass(frozen=True)
class _Cut:
    """Where each event goes: bool [n_events] each; what is neither in `train` nor in `held_out` is left out."""

    train: Bools
    held_out: Bools
    notes: list[str]


@dataclass(frozen=True)
class _Pairs:
    """The distinct pairs of a data set by ascending user, then item: int64 [n_pairs], and the pair of each event."""

    user: Index
    item: Index
    of_event: Index


_Way = Callable[[Dataset, _Options, np.random.Generator, str], _Cut]


def _random(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:
    """Hold out a share of each user's items.

    Rounding for each user alone would never test whoever met two items. So the share runs on from user to user, in
    random order, and each gives the whole numbers it passes: the share rounded up or down, and the total is right.
    """
    pairs = _pairs_of(dataset)
    n_of_user = np.bincount(pairs.user)
    n_of_user = n_of_user[n_of_user > 0]
    allowed = np.maximum(n_of_user - options.min_train, 0)
    in_turn = rng.permutation(n_of_user.size)
    passed = np.floor(np.cumsum(np.where(allowed > 0, n_of_user, 0)[in_turn]) * options.share + rng.random())
    wanted = np.empty(n_of_user.size, dtype=np.int64)
    wanted[in_turn] = np.diff(passed, prepend=0)
    order = _shuffled_within(pairs.user, rng)
    place = np.empty(order.size, dtype=np.int64)  # of each pair in its user's random order
    place[order] = np.arange(order.size) - np.repeat(np.cumsum(n_of_user) - n_of_user, n_of_user)
    held_out = place < np.repeat(np.minimum(wanted, allowed), n_of_user)
    notes = [f"{held_out.sum():,} of {held_out.size:,} pairs went to {part}, a share of each user's, at random."]
    if whole := int((allowed == 0).sum()):
        notes.append(
            f"{count(whole, 'user')} with no more than {count(options.min_train, 'item')} stayed in training whole."
        )
    return _both_sides(held_out[pairs.of_event], notes)


def _leave_last_out(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:  # noqa: ARG001
    """Hold out the pair of each user whose latest event comes last; events are in time order already."""
    pairs = _pairs_of(dataset)
    latest = np.zeros(pairs.user.size, dtype=np.int64)
    latest[pairs.of_event] = np.arange(dataset.n_events)  # of several events of a pair, the last one stays
    n_of_user = np.bincount(pairs.user, minlength=dataset.n_users)
    in_turn = pairs.user * dataset.n_events + latest
    in_turn.sort()
    last = pairs.of_event[in_turn[np.cumsum(n_of_user)[n_of_user > 0] - 1] % dataset.n_events]
    last = last[n_of_user[pairs.user[last]] > options.min_train]
    held_out = np.zeros(pairs.user.size, dtype=np.bool_)
    held_out[last] = True
    notes = [f"The last item of {count(last.size, 'user')} went to {part}."]
    if whole := int((n_of_user > 0).sum()) - last.size:
        notes.append(
            f"{count(whole, 'user')} with no more than {count(options.min_train, 'item')} stayed in training whole."
        )
    if not dataset.has_times:
        notes.append("There are no times, so the item of a user's last row counts as the last.")
    elif shared := _shared_last_time(dataset, pairs, latest, last):
        notes.append(
            f"{count(shared, 'user')} met several items at the last time; of these the later row counts as the last."
        )
    return _both_sides(held_out[pairs.of_event], notes)


def _time(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:  # noqa: ARG001
    """Hold out the latest events; those of one time stay together, so the cut moves to the nearest change of time."""
    if not dataset.has_times:
        others = ", ".join(name for name in SPLITS if name != "time")
        raise DataError(
            f"a split by time needs time stamps, which this data set does not have. Use another split ({others}), "
            "or name the column of times in [data] columns."
        )
    times = dataset.events["timestamp"].to_numpy()
    wanted = int(np.clip(round(times.size * (1 - options.share)), 1, times.size - 1)) if times.size > 1 else 0
    ends = [int(np.searchsorted(times, times[wanted], side=side)) for side in ("left", "right")]
    cut = min((end for end in ends if 0 < end < times.size), key=lambda end: abs(end - wanted), default=None)
    if cut is None:
        raise DataError(
            f"a split by time leaves nothing on one side: all {times.size:,} events are of one time, {time_text(int(times[0]))}. "
            "Use another split, or times that are finer."
        )
    late = np.arange(times.size) >= cut
    pairs = _pairs_of(dataset)
    in_train = np.zeros(pairs.user.size, dtype=np.bool_)
    in_train[pairs.of_event[:cut]] = True
    repeats = late & in_train[pairs.of_event]
    n_late = times.size - cut
    first, last = time_text(int(times[cut])), time_text(int(times[-1]))
    notes = [
        f"{cut:,} events before {first} are for training, {n_late:,} from then to {last} for {part} ({share(n_late, times.size)})."
    ]
    if repeats.any():
        notes.append(_repeats_note(int(repeats.sum()), n_late, part))
    return _Cut(~late, late & ~repeats, notes)


def _cold_users(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:
    return _cold(dataset, options, rng, part, "user")


def _cold_items(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:
    return _cold(dataset, options, rng, part, "item")


def _cold(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str, kind: str) -> _Cut:
    """Hold out everything about a share of the users, or items."""
    index = dataset.events[f"{kind}_index"].to_numpy()
    there = np.flatnonzero(np.bincount(index))
    cold = np.zeros(int(there[-1]) + 1, dtype=np.bool_)
    cold[rng.permutation(there)[: round(there.size * options.share)]] = True
    held_out = cold[index]
    notes = [
        f"{cold.sum():,} of {there.size:,} {kind}s went to {part} with all their events, {held_out.sum():,} of {held_out.size:,}."
    ]
    return _both_sides(held_out, notes)


def _k_fold(dataset: Dataset, options: _Options, rng: np.random.Generator, part: str) -> _Cut:
    """Deal each user's items out to the folds in turn, like cards, going on from user to user in random order."""
    pairs = _pairs_of(dataset)
    if pairs.user.size < options.n_folds:
        raise DataError(
            f"{pairs.user.size} pairs cannot fill {options.n_folds} folds; set n_folds to {pairs.user.size} or fewer."
        )
    of_pair = np.cumsum(np.diff(pairs.user, prepend=pairs.user[0]) != 0)  # users counted by those that have events
    order = _shuffled_within(rng.permutation(int(of_pair[-1]) + 1)[of_pair], rng)
    fold = np.empty(order.size, dtype=np.int64)
    fold[order] = np.arange(order.size) % options.n_folds
    held_out = fold == options.fold
    notes = [
        f"Fold {options.fold} of {options.n_folds} (from 0): {held_out.sum():,} of {held_out.size:,} pairs went to {part}."
    ]
    return _both_sides(held_out[pairs.of_event], notes)


_WAYS: dict[str, _Way] = {
    "random": _random,
    "leave-last-out": _leave_last_out,
    "time": _time,
    "cold-users": _cold_users,
    "cold-items": _cold_items,
    "k-fold": _k_fold,
}

SPLITS: tuple[str, ...] = tuple(_WAYS)
"""The ways to split, by name."""


# What they share.


def _cut_off(dataset: Dataset, how: str, part: str, options: _Options) -> tuple[Dataset, Dataset, tuple[str, ...]]:
    """Cut one part off: what is left for training, the part, and notes.

    Raises:
        DataError: if one of the two is empty.
    """
    cut = _WAYS[how](dataset, options, make_rng(options.seed, "split", part), part)
    for side, members in (("training", cut.train), (part, cut.held_out)):
        if not members.any():
            setting = f"n_folds = {options.n_folds}" if how == "k-fold" else f"{part} = {options.share:g}"
            raise DataError(
                f"a {how} split with {setting} leaves no {side} data: there are {dataset.n_events:,} events of "
                f"{count(dataset.events['user_index'].n_unique(), 'user')} and {dataset.events['item_index'].n_unique():,} items "
                f"(min_train = {options.min_train}). Choose another share or split, or bring more data."
            )
    events = dataset.events.filter(pl.Series(cut.held_out))
    new_user, new_item = (
        _absent(dataset.events[name].to_numpy()[cut.train], events[name].to_numpy(), size)
        for name, size in (("user_index", dataset.n_users), ("item_index", dataset.n_items))
    )
    train = dataset.subset(pl.Series(cut.train), note=f"Split {how}: the training part.")
    held_out = dataset.subset(pl.Series(cut.held_out), note=f"Split {how}: the {part} part.")
    return train, held_out, (*cut.notes, _new_note(events, new_user, new_item, part))


def _pairs_of(dataset: Dataset) -> _Pairs:
    key = dataset.events["user_index"].to_numpy().astype(np.int64) * dataset.n_items
    key += dataset.events["item_index"].to_numpy()
    n_bits = key.size.bit_length()
    if int(key.max()) >> (63 - n_bits):
        order = np.argsort(key, kind="stable")
    else:  # pair and row in one integer: a plain sort is several times faster than sorting positions
        packed = (key << n_bits) | np.arange(key.size)
        packed.sort()
        order = packed & ((1 << n_bits) - 1)
    key = key[order]
    first = np.r_[True, key[1:] != key[:-1]]
    of_event = np.empty(key.size, dtype=np.int64)
    of_event[order] = np.cumsum(first) - 1
    return _Pairs(key[first] // dataset.n_items, key[first] % dataset.n_items, of_event)


def _shuffled_within(group: Index, rng: np.random.Generator) -> Index:
    """Return positions by ascending group, in random order within each."""
    turn = rng.permutation(group.size)
    keys = group * group.size + turn
    keys.sort()
    of_turn = np.empty(group.size, dtype=np.int64)
    of_turn[turn] = np.arange(group.size)
    return np.asarray(of_turn[keys % group.size])


def _both_sides(held_out: Bools, notes: list[str]) -> _Cut:
    return _Cut(~held_out, held_out, notes)


def _shared_last_time(dataset: Dataset, pairs: _Pairs, latest: Index, last: Index) -> int:
    """How many users met another item at the very time of the held-out one."""
    times = dataset.events["timestamp"].to_numpy()[latest]  # of each pair's latest event
    last_time = np.full(dataset.n_users, np.iinfo(np.int64).min, dtype=np.int64)
    last_time[pairs.user[last]] = times[last]
    at_last = np.bincount(pairs.user[times == last_time[pairs.user]], minlength=dataset.n_users)
    return int((at_last > 1).sum())


def _absent(known: Index, asked: Index, size: int) -> Bools:
    """Which of the positions asked about are not among the known ones: bool [n_asked]."""
    there = np.zeros(size, dtype=np.bool_)
    there[known] = True
    return np.asarray(~there[asked])


def _positions(train: Dataset, test: Dataset, kind: str, *, with_events: bool = False) -> Index:
    """Return the training position of the user (or item) of each test event, -1 where there is none.

    With `with_events`, an id that training knows from its tables alone counts as none.
    """
    ours, theirs = getattr(train, f"{kind}s"), getattr(test, f"{kind}s")
    try:
        found: Index = ours.index_of(theirs.ids)
    except IdTypeError as error:
        raise IdTypeError(f"training and test data do not fit: {error}") from None
    if with_events:
        met = np.zeros(len(ours) + 1, dtype=np.bool_)  # the last place is for those unknown, -1
        met[train.events[f"{kind}_index"].to_numpy()] = True
        found = np.where(met[found], found, UNKNOWN)
    return np.asarray(found[test.events[f"{kind}_index"].to_numpy()])


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ConfigError(f"{name} = {value!r}: expected a share between 0 and 1, such as 0.2.")


def _new_note(events: pl.DataFrame, new_user: Bools, new_item: Bools, part: str) -> str:
    """Say how much of the held-out part nobody can learn from training events."""
    users, items = events["user_index"], events["item_index"]
    n_new = [column.filter(pl.Series(new)).n_unique() for column, new in ((users, new_user), (items, new_item))]
    known = int((~new_user & ~new_item).sum())
    return (
        f"In {part}, {n_new[0]:,} of {count(users.n_unique(), 'user')} and {n_new[1]:,} of {items.n_unique():,} items have no training "
        f"event; {known:,} of {events.height:,} events ({share(known, events.height)}) are of a user and an item that have."
    )


def _repeats_note(repeats: int, of: int, part: str) -> str:
    return f"{repeats:,} of {of:,} {part} events ({share(repeats, of)}) repeat a pair that training has; they were left out."
