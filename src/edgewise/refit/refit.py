"""Fit the model of a store again, from what it has learned and from the store's log, and let it answer unless it is worse."""

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import polars as pl

from edgewise import model_folder
from edgewise.config import merged
from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig
from edgewise.data.read import check_usable
from edgewise.errors import ConfigError, EdgewiseError, ModelFolderError, StoreBusyError, StoreError
from edgewise.models import build, load
from edgewise.recommender import Recommender
from edgewise.refit.check import FEWEST_USERS, MOST_USERS, Check, compare_models
from edgewise.refit.learned import BASE, BASE_FRIENDS, Base, Learned, learned_of
from edgewise.refit.log import Log, erased_since, named_by, read_log
from edgewise.refit.told import told_items, told_users
from edgewise.rng import make_rng
from edgewise.store import EventStore, ModelRegistry, StoreFolder
from edgewise.store.coverage import coverage
from edgewise.telemetry import note

SHARE = 0.25
"""Of the epochs of a fit from nothing. Chosen on validation parts (benchmarks/refit.py --validation): docs/refit.md."""

CHECKED_SHARE, MOST_CHECKED = 0.2, 50_000
"""How much of the new events the models are compared on: this share, and no more than so many."""

WATCHED_SHARE, FEWEST_WATCHED = 1 / 3, 100
"""Of the users in these events, this share tells when to stop training, and the comparison is about the others. Fewer than so many
tell nothing but noise: then training makes all its passes, and the comparison is about everybody."""

WORSE_AT_THE_END = 0.03
"""By this share the ranking of the newest events must have fallen since its best, for the next fit to stop there."""

_WORK = ".refit"
_LOCK = "refit.lock"


@dataclass(frozen=True)
class RefitSettings:
    """How to refit.

    Attributes:
        model: name. None: as the current model. settings: of the model, over those of the current one where that is of this name.
        data: the log that the model was first fitted on, read again; None: what the current model keeps of it.
        clean: how events are cleaned. full: start from nothing. force: let the new model answer though it is worse.
        share: of the epochs of a fit from nothing, for one that starts from the current model.
        keep: how many versions stay, the current one among them. run_config: TOML, kept in the model folder.
    """

    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Dataset | None = None
    clean: CleanConfig = field(default_factory=CleanConfig)
    full: bool = False
    force: bool = False
    keep: int = 3
    share: float = SHARE
    run_config: str = ""


@dataclass
class Refitted:
    """What a refit did.

    Attributes:
        previous: the version that answered before; None where there was none. version: the new one; None: there was nothing to do.
        is_current: whether the new one answers now. why_not: the reason where it does not.
        is_incremental: whether it started from the previous one; why_full: why not.
        model: name. log_seq: the last entry of the log that it has learned. n_new_events: events since the previous one.
        n_users, n_items, n_interactions: of what it has learned. n_new_users, n_new_items: whom the previous one did not know.
        n_erased: users that were left out because they were erased.
        check: the comparison; None where there was none, and no_check says why.
        removed: versions that were deleted. holding_erased: versions that know users who were erased since, and how many.
        seconds: by stage. notes: what was done, for people.
    """

    model: str
    previous: str | None
    version: str | None = None
    is_current: bool = False
    why_not: str = ""
    is_incremental: bool = False
    why_full: str = ""
    log_seq: int = 0
    n_new_events: int = 0
    n_users: int = 0
    n_items: int = 0
    n_interactions: int = 0
    n_new_users: int = 0
    n_new_items: int = 0
    n_erased: int = 0
    check: Check | None = None
    no_check: str = ""
    removed: list[str] = field(default_factory=list)
    holding_erased: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage takes."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - started, 3)


@dataclass(frozen=True)
class Current:
    """The version that answers now.

    Attributes:
        version: its name. model: loaded. kept: what it keeps for a later fit. covered: the last entry of the log that it has learned.
    """

    version: str
    model: Recommender
    kept: Mapping[str, Any]
    covered: int


def refit(folder: StoreFolder, store: EventStore, settings: RefitSettings) -> Refitted:
    """Fit the store's model again; whatever happens meanwhile, the old or the new one is current, and whole.

    Args:
        folder: the store. store: its events, which may be served and written to meanwhile.
        settings: how.

    Raises:
        StoreBusyError: if another refit is under way.
        StoreError: if the store cannot be read or written.
        ModelFolderError: if the current model is damaged, and no log was given to do without it.
        ConfigError: if there is neither a model nor a log and a name.
        DataError: if there is nothing to learn from.
    """
    with _alone(folder.path), _work_folder(folder.path) as work:
        models = folder.models
        current, damage = _current(models, store, settings)
        if current is None and settings.model is None:
            raise ConfigError(
                "the store has no model to refit; name one with --model NAME, and the log to begin with by --data LOG."
            )
        name = settings.model or (current.model.name if current else "")
        done = Refitted(name, _pointer(models))
        done.notes += damage
        with done.timed("log"):
            log = read_log(store)
        if current is not None and _nothing_to_do(current, log, settings, name):
            done.log_seq, done.model = log.last_seq, current.model.name
            done.why_not = "nothing has happened since the current model was fitted"
        else:
            _fit_and_swap(folder, store, settings, current, log, work, done)
        _tidy(models, store, log, settings.keep, done)
        return done


def _fit_and_swap(
    folder: StoreFolder,
    store: EventStore,
    settings: RefitSettings,
    current: Current | None,
    log: Log,
    work: Path,
    done: Refitted,
) -> None:
    models = folder.models
    with done.timed("data"):
        learned = learned_of(_base(settings, current), log, told_users(store), told_items(store), settings.clean)
        dataset = learned.dataset()
        check_usable(dataset)
    model = _unfitted(settings, current, done)
    covered = current.covered if current is not None else 0
    done.log_seq, done.n_erased = log.last_seq, learned.n_erased
    done.n_new_events = log.events.filter(pl.col("seq") > covered).height
    done.notes += learned.lines
    _count(done, current, dataset)
    share = settings.share
    if current is None:
        done.no_check = "there was no model to compare with"
    else:
        with done.timed("check"):
            share = _check(current, learned, log, model, share, done)
    with done.timed("fit"):
        model = _fitted(model, current, dataset, done, share=share)
    done.notes += model.record.notes
    with done.timed("save"):
        lineage = coverage(folder.id, store, log.last_seq) | {
            "previous": done.previous,
            "refit": "incremental" if done.is_incremental else "full",
        }
        metrics = {} if done.check is None else {"check": vars(done.check)}
        base = learned.to_keep(dataset.users, dataset.items)
        model.save(work / "model", metrics=metrics, run_config=settings.run_config, lineage=lineage, start=base)
        done.version = models.add(work / "model", move=True)
    if done.check is not None and done.check.is_worse and not settings.force:
        done.why_not = (
            f"it is worse than {done.previous} on the newest events, and not by chance; --force swaps all the same"
        )
    elif _pointer(models) != done.previous and not settings.force:
        done.why_not = f"{models.current} was made current meanwhile; --force swaps all the same"
    else:
        models.swap(done.version)
        done.is_current = True


def _check(current: Current, learned: Learned, log: Log, model: Recommender, share: float, done: Refitted) -> float:
    """Compare the current model with one that was fitted without the newest events; returns what share of epochs was best."""
    newest = learned.newest(current.covered, CHECKED_SHARE, MOST_CHECKED)
    users = newest["user_id"].unique().sort()
    too_few = f"too few of the users in the newest {newest.height:,} events are known to tell which is better; {FEWEST_USERS} are needed"
    if len(users) < FEWEST_USERS:
        done.no_check = too_few
        return share
    order = make_rng(model.seed, "refit", "users").permutation(len(users))
    n_watched = round(WATCHED_SHARE * len(users)) if done.is_incremental else 0
    if n_watched < FEWEST_WATCHED:
        n_watched = 0
    watched = newest.filter(pl.col("user_id").is_in(users.gather(order[:n_watched]).implode()))
    asked = newest.filter(pl.col("user_id").is_in(users.gather(order[n_watched : n_watched + MOST_USERS]).implode()))
    without = learned.dataset(leave_out=newest)
    other = build(model.name, model.config.model_dump(), seed=model.seed)
    other = _fitted(other, current, without, done, share=share, newest=watched if watched.height else None)
    since = log.events.filter((pl.col("seq") > current.covered) & ~pl.col("seq").is_in(newest["seq"].implode()))
    done.check = compare_models(current.model, since, other, asked, seed=model.seed)
    if done.check is None:
        done.no_check = too_few
    looks = [(entry["epoch"], entry["ndcg@20"]) for entry in other.record.curve if "ndcg@20" in entry]
    if not watched.height or not looks or not done.is_incremental:
        return share
    best, at_best = max(looks, key=lambda look: look[1])
    if looks[-1][1] >= (1 - WORSE_AT_THE_END) * at_best:
        return share
    done.notes.append(f"stopped after {best:.0f} passes, from which on the newest events are ranked worse")
    return float(best) / float(model.config.epochs)


def _fitted(
    model: Recommender,
    current: Current | None,
    dataset: Dataset,
    done: Refitted,
    *,
    share: float,
    newest: pl.DataFrame | None = None,
) -> Recommender:
    if current is None or not done.is_incremental:
        return model.fit(dataset)
    return model.fit(dataset, head_start=current.model.head_start(current.kept, share=share, newest=newest))


def _unfitted(settings: RefitSettings, current: Current | None, done: Refitted) -> Recommender:
    """Make the model, and find out whether it can start from the current one."""
    if current is None or current.model.name != done.model:
        model = build(done.model, settings.settings, seed=current.model.seed if current else 0)
        done.why_full = "there was no model before" if current is None else f"the current model is {current.model.name}"
        return model
    before = current.model.config.model_dump()
    model = build(done.model, merged(before, settings.settings), seed=current.model.seed)
    changed = [name for name, value in model.config.model_dump().items() if before.get(name) != value]
    if settings.full:
        done.why_full = "--full"
    elif changed:
        done.why_full = f"settings differ from those of the current model ({', '.join(changed)})"
    elif not model.starts_from:
        done.why_full = f"{model.name} is not trained step by step"
    elif not model.can_start_from(current.model.head_start(current.kept)):
        done.why_full = "the folder of the current model keeps nothing to start from"
    done.is_incremental = not done.why_full
    return model


def _current(models: ModelRegistry, store: EventStore, settings: RefitSettings) -> tuple[Current | None, list[str]]:
    """Load the version that answers; a damaged one can be done without where a log and a model are given."""
    try:
        version = models.current
        if version is None:
            return None, []
        path = models.path(version)
        return Current(version, load(path), model_folder.read_start(path), models.covered(version, store)), []
    except (ModelFolderError, StoreError) as error:
        if settings.data is None or settings.model is None:
            raise type(error)(
                f"{error} To begin anew without it: edgewise refit STORE --data LOG --model NAME."
            ) from error
        return None, [f"the current model cannot be used, so nothing is compared with it: {error}"]


def _base(settings: RefitSettings, current: Current | None) -> Base:
    if settings.data is not None:
        return Base.of_dataset(settings.data)
    if current is None:
        return Base(pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String, "value": pl.Float64}))
    catalogue = current.model.catalogue
    if current.covered and BASE in current.kept:  # the rest of what it knows is in the log
        return Base.of_model(catalogue, current.kept[BASE], current.kept.get(BASE_FRIENDS))
    return Base.of_model(catalogue, catalogue.strengths, catalogue.friends)


def _nothing_to_do(current: Current, log: Log, settings: RefitSettings, name: str) -> bool:
    if settings.full or settings.data is not None or name != current.model.name or log.last_seq > current.covered:
        return False
    before = current.model.config.model_dump()
    return bool(merged(before, settings.settings) == before)


def _count(done: Refitted, current: Current | None, dataset: Dataset) -> None:
    done.n_users, done.n_items = dataset.n_users, dataset.n_items
    done.n_interactions = int(dataset.interactions.nnz)
    if current is None:
        done.n_new_users, done.n_new_items = done.n_users, done.n_items
        return
    before = current.model.catalogue
    for name, now, then in (("n_new_users", dataset.users, before.users), ("n_new_items", dataset.items, before.items)):
        setattr(done, name, int((~now.ids.cast(pl.String).is_in(then.ids.cast(pl.String).implode())).sum()))


def _tidy(models: ModelRegistry, store: EventStore, log: Log, keep: int, done: Refitted) -> None:
    """Remove old versions, and find those among the others that know users who were erased since."""
    versions, current = sorted(models.versions(), key=lambda version: _age(models, version)), _pointer(models)
    kept = set(versions[-keep:]) | {current, done.version}
    if current in versions and current not in versions[-keep:]:
        kept.discard(next((version for version in versions[-keep:] if version != done.version), None))
    for version in versions:
        if version not in kept:
            models.remove(version)
            done.removed.append(version)
    erased = log.erased_users | erased_since(store, log.last_seq)
    if not erased:
        return
    for version in models.versions():
        path = models.path(version)
        try:
            ids = pl.read_parquet(path / "users.parquet", columns=["user_id"])["user_id"]
            n = len(named_by(erased, ids, after=models.covered(version, store)))
        except (EdgewiseError, OSError, pl.exceptions.PolarsError) as error:
            note(f"{version} cannot be looked into ({error})")
            continue
        if n:
            done.holding_erased[version] = n


def _age(models: ModelRegistry, version: str) -> tuple[str, int]:
    """Tell by what versions sort by age: the second in the name and, within one, when the files were written."""
    about = models.path(version) / "model.json"
    return version.partition("-")[0], about.stat().st_mtime_ns if about.is_file() else 0


def _pointer(models: ModelRegistry) -> str | None:
    try:
        return models.current
    except StoreError:
        return None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only refit of a store; the system lets go of the lock when the process ends, however it ends."""
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreBusyError(f"another refit of {folder} is under way; wait until it has finished.") from None
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be locked: {error.strerror or error}. Check that it can be written."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder on the store's disk; what a killed refit left behind in it goes first."""
    work = folder / _WORK
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()
    except OSError as error:
        raise StoreError(
            f"{work} cannot be made: {error.strerror or error}. Check that {folder} can be written."
        ) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
