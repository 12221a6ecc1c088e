"""The training loop: steps, learning rate, averages, validation, checkpoints, and saying so when the loss is no longer a number."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise import telemetry
from edgewise.errors import CheckpointError, DataError, TrainingError
from edgewise.evaluate.metrics import direction
from edgewise.head_start import Start
from edgewise.recommender import Keeping
from edgewise.train.averaging import WeightAverage, Weights, copy_of, put_into
from edgewise.train.board import Board
from edgewise.train.checkpoints import Checkpoints, path_in, read_checkpoint
from edgewise.train.estimate import Forecast, forecast
from edgewise.train.loop_config import LoopConfig
from edgewise.train.optimisers import clip_gradient, make_optimisers
from edgewise.train.plan import Plan, Watch
from edgewise.train.schedules import Plateau, make_schedule
from edgewise.types import Floats, Index

_STRIDE_OF_A_HEAD_START = 0.5
"""How long the steps are that start from an earlier fit, where those of a fit from nothing are 1. On validation parts of MovieLens
100k and 1M half as long was as good or better (benchmarks/refit.py); what was learned is refined, not found."""


def train(
    plan: Plan[Any], config: LoopConfig, *, curve: list[dict[str, float]], keeping: Keeping | None = None
) -> Forecast | None:
    """Train a net; it ends with the weights of the best look where a metric is watched, else with the last or their average.

    With checkpoints, a run that was cut off goes on from its last one and ends with the same bits as if it had not been.
    Nothing random has a state of its own: streams are named by epoch and step. Ctrl-C ends the step, writes a checkpoint
    and raises; a second Ctrl-C raises at once.

    Args:
        plan: what is trained, on what.
        config: the settings.
        curve: gets an entry an epoch: epoch, loss, seconds since the start, learning rate, and the watched metric.
        keeping: folders for checkpoints and for TensorBoard's files.

    Returns:
        The estimate of memory and time that was told before the first step; None where nothing was left to do.

    Raises:
        TrainingError: if the loss or the weights are no longer numbers; the net then has its last good weights.
        ConfigError, CheckpointError: if the folder of checkpoints is of another run, in use, or damaged.
        MemoryNeedError: if the estimate exceeds the memory that is free.
    """
    keeping = keeping or Keeping()
    with contextlib.ExitStack() as stack:
        folder = (
            stack.enter_context(Checkpoints(keeping.checkpoints, keeping.identity)) if keeping.checkpoints else None
        )
        run = _Run(plan, config, curve, folder)
        run.begin(keeping)
        if keeping.tensorboard:
            run.board = stack.enter_context(Board(keeping.tensorboard, first_epoch=run.epoch + 1))
        foretold = None if run.is_over else forecast(plan, config, n_done=run.n_done)
        with _interrupts_at_boundaries() as interrupted:
            run.go(interrupted)
            run.finish()
            if interrupted():
                run.stop()
    if plan.rows is not None:
        keeping.trained.update(_by_node(plan.net, plan.rows))
    return foretold


class _Run:
    """A run under way: everything that a checkpoint has to carry."""

    def __init__(
        self,
        plan: Plan[Any],
        config: LoopConfig,
        curve: list[dict[str, float]],
        folder: Checkpoints | None,
    ) -> None:
        self.plan, self.config, self.curve, self.folder = plan, config, curve, folder
        self.board: Board | None = None
        self.net = plan.net
        self.optimisers = make_optimisers(plan.net, config)
        self.parameters = plan.parameters
        self.schedule = make_schedule(config.schedule)
        self.plateau = Plateau(config.schedule)
        self.stride = 1.0  # by which steps are longer
        self.average = WeightAverage(plan.net, config.averaging)
        self.patience = config.patience or (3 * self.plateau.wait if config.schedule.name == "plateau" else 3)
        self.best: Weights = {}
        self.best_value = -math.inf  # of the watched metric, the other sign where less is better
        self.looks = 0  # since the best
        self.epoch = self.step = 0  # the next to do
        self.loss_sum = 0.0  # over this epoch's steps
        self.seconds = 0.0  # of earlier processes
        self.stopped = False
        self.good: Weights = {}
        self.good_epoch = 0
        self.started = self.written = time.perf_counter()

    @property
    def n_done(self) -> int:
        """How many steps are done."""
        return self.epoch * self.plan.steps_per_epoch + self.step

    @property
    def is_over(self) -> bool:
        return self.stopped or self.epoch >= self.config.epochs

    def begin(self, keeping: Keeping) -> None:
        """Take up the weights to start from, or the checkpoint of a run that was cut off."""
        found = self.folder.read() if self.folder and not keeping.restart else None
        if found is not None:
            self._restore(*found)
            place = f"resumed after step {self.n_done:,} of {self.config.epochs * self.plan.steps_per_epoch:,}"
            telemetry.note("training had come to its end before" if self.is_over else place)
        elif self.config.warm_start is not None:
            _start_from(self.net, Path(self.config.warm_start), keeping.identity.get("data"))
        elif keeping.start is not None and self.plan.rows is not None:
            self.stride = _STRIDE_OF_A_HEAD_START
            _take_over(self.net, self.plan.rows, keeping.start)
            if self.plan.watch is not None and self.config.patience is None:
                # It begins with long steps, which shake what was learned before; the short ones at the end make it better.
                self.patience = max(3, self.config.epochs // self.plan.watch.every // 2)
        self.good, self.good_epoch = copy_of(self.net), self.epoch

    def go(self, interrupted: Callable[[], bool]) -> None:
        """Do all steps that are left."""
        per_epoch, config = self.plan.steps_per_epoch, self.config
        with telemetry.step("training", config.epochs * per_epoch, self.n_done) as progress:
            self.net.train()
            while not self.is_over:
                for number, batch in enumerate(self.plan.batches(self.epoch)):
                    if (
                        number < self.step
                    ):  # done before the checkpoint; drawn again so that the stream stands where it stood
                        continue
                    self._take_step(batch)
                    progress.advance(1, loss=self.loss_sum / self.step, **self._shown())
                    if self.folder and time.perf_counter() - self.written >= config.checkpoint_every_s:
                        self._write()
                    if interrupted():
                        self.stop()
                self._end_epoch()
                if interrupted():
                    self.stop()
            self.net.eval()

    def finish(self) -> None:
        """Write the last checkpoint and put the weights in place that are to stay."""
        self._write()
        if self.best:
            put_into(self.net, self.best)
        elif self.average.weights:
            put_into(self.net, self.average.weights)

    def stop(self) -> None:
        """Write a checkpoint, and interrupt."""
        self._write()
        kept = f" A checkpoint is kept; to go on: --resume {self.folder.directory}." if self.folder else ""
        raise KeyboardInterrupt(f"stopped after step {self.n_done:,}.{kept}")

    def _take_step(self, batch: Any) -> None:
        config, rate = self.config, self._rate(self.step)
        value = self.plan.loss_of_step(config, batch, self.epoch, self.step)
        number = float(value.detach())
        if not math.isfinite(number):
            self._give_up(f"the loss is {number} at step {self.step + 1} of epoch {self.epoch + 1}")
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        if config.clip_norm is not None:
            clip_gradient(self.parameters, config.clip_norm)
        if config.weight_decay:
            with torch.no_grad():
                torch._foreach_mul_([*self.parameters], 1 - rate * config.weight_decay)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.sparse.check_sparse_tensor_invariants(enable=False):  # type: ignore[no-untyped-call]  # said aloud, or Adagrad warns
                optimiser.step()
        self.average.after_step()
        self.loss_sum += number
        self.step += 1

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step of this epoch."""
        per_epoch = self.plan.steps_per_epoch
        done = (self.epoch * per_epoch + step) / (self.config.epochs * per_epoch)
        return self.config.highest_rate * self.stride * self.schedule(done) * self.plateau.factor

    def _end_epoch(self) -> None:
        if not self._all_finite():
            self._give_up(f"a weight is no longer a number after epoch {self.epoch + 1}")
        rate = self._rate(self.step - 1)
        seconds = self.seconds + time.perf_counter() - self.started
        loss = self.loss_sum / max(1, self.step)
        self.curve.append({"epoch": self.epoch + 1, "loss": loss, "seconds": seconds, "learning_rate": rate})
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self.average.after_epoch(self.epoch / self.config.epochs)
        watch = self.plan.watch
        if watch is not None and (self.epoch % watch.every == 0 or self.epoch == self.config.epochs):
            self._look(watch)
        self.good, self.good_epoch = copy_of(self.net), self.epoch
        if self.board:
            self.board.write(self.curve[-1])

    def _all_finite(self) -> bool:
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters)

    def _look(self, watch: Watch) -> None:
        self.net.eval()
        with self.average.in_place():
            value = self.curve[-1][watch.name] = watch.measure()
            value *= direction(watch.name)
            is_best = value > self.best_value
            if is_best:
                self.best_value, self.best = value, copy_of(self.net)
        self.net.train()
        self.looks = 0 if is_best else self.looks + 1
        self.plateau.look(is_best=is_best)
        self.stopped = self.looks >= self.patience

    def _shown(self) -> dict[str, float]:
        """Figures beside the bar: the learning rate, and the metric where one is watched."""
        rate = {"lr": self._rate(self.step - 1)}
        return (
            rate
            if self.best_value == -math.inf or self.plan.watch is None
            else rate | {f"best {self.plan.watch.name}": self.best_value * direction(self.plan.watch.name)}
        )

    def _give_up(self, what: str) -> None:
        put_into(self.net, self.good)
        kept = ""
        if self.folder:
            with contextlib.suppress(DataError):
                tensors = {f"net.{name}": value for name, value in self.good.items()}
                tensors |= {f"best.{name}": value for name, value in self.best.items()}
                self.folder.write(tensors, {"diverged": True})
                kept = f" Those are in {self.folder.directory}: to go on from them, name it as warm_start, with another --out."
        raise TrainingError(
            f"{what}. The usual cause is a learning rate that is too high: lower learning_rate (now {self.config.highest_rate:g}) "
            f"to a third, clip the gradient (clip_norm = 1), or start closer to zero (init_scale). The last good weights, of "
            f"{f'epoch {self.good_epoch}' if self.good_epoch else 'the start'}, were put back.{kept}"
        )

    def _write(self) -> None:
        """Write a checkpoint; where the disk is full training goes on, and the old checkpoint stays."""
        if self.folder is None or not self._all_finite():  # the next step will find that out, and give up
            return
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= {f"average.{name}": value for name, value in self.average.weights.items()}
        for number, optimiser in enumerate(self.optimisers):
            for place, entries in optimiser.state_dict()["state"].items():
                tensors |= {
                    f"optimiser.{number}.{place}.{key}": torch.as_tensor(value)
                    for key, value in entries.items()
                    if value is not None
                }
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds + time.perf_counter() - self.started,
            "best_value": self.best_value if self.best else None,
            "looks": self.looks,
            "stopped": self.stopped,
            "averaged": self.average.n,
            "plateau": [self.plateau.factor, self.plateau.looks],
            "curve": self.curve,
        }
        try:
            self.folder.write(tensors, state)
        except DataError as error:
            telemetry.note(
                f"no checkpoint at epoch {self.epoch + 1}: {error} Training goes on; the last checkpoint stays."
            )
        self.written = time.perf_counter()

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        if state.get("diverged"):
            raise CheckpointError(
                f"the run in {self.folder and self.folder.directory} ended because its loss was no longer a number, and would do so again. "
                "Name it as warm_start, with a lower learning_rate and another folder."
            )
        device = self.parameters[0].device
        parts: dict[str, dict[str, Tensor]] = {"net": {}, "best": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            parts[kind][rest] = tensor if kind == "optimiser" else tensor.to(device)  # an optimiser moves its own
        put_into(self.net, parts["net"])
        self.best, self.average.weights = parts["best"], parts["average"]
        for number, optimiser in enumerate(self.optimisers):
            saved = optimiser.state_dict()
            entries: dict[int, dict[str, Tensor | int]] = {}
            for name, tensor in parts["optimiser"].items():
                owner, place, key = name.split(".", 2)
                if int(owner) == number:
                    count = tensor.dim() == 0 and not tensor.is_floating_point()  # SparseAdam counts in a plain number
                    entries.setdefault(int(place), {})[key] = int(tensor) if count else tensor
            optimiser.load_state_dict({"state": entries, "param_groups": saved["param_groups"]})
        self.epoch, self.step, self.loss_sum = state["epoch"], state["step"], state["loss_sum"]
        self.seconds, self.looks, self.stopped = state["seconds"], state["looks"], state["stopped"]
        self.best_value = -math.inf if state["best_value"] is None else state["best_value"]
        self.average.n = state["averaged"]
        self.plateau.factor, self.plateau.looks = state["plateau"]
        self.curve[:] = state["curve"]


@contextlib.contextmanager
def _interrupts_at_boundaries() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C back until it is asked for; the second interrupts at once. In other threads nothing changes."""
    pending = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)
    if before in (None, signal.SIG_IGN):  # someone else's business: another language's handler, or nohup
        yield lambda: False
        return

    def take_note(*_: object) -> None:
        nonlocal pending
        if pending:
            raise KeyboardInterrupt
        pending = True

    signal.signal(signal.SIGINT, take_note)
    try:
        yield lambda: pending
    finally:
        signal.signal(signal.SIGINT, before)


def _start_from(net: torch.nn.Module, directory: Path, data: Any) -> None:
    """Give a net the weights of a checkpoint: those of its best look where it has some, else their average, else the last.

    Statistics that a net keeps beside its weights start anew.

    Raises:
        CheckpointError: if there is none, or it is of other data, or of a net of another shape.
    """
    tensors, about = read_checkpoint(path_in(directory))
    kept = next(kind for kind in ("best.", "average.", "net.") if any(name.startswith(kind) for name in tensors))
    weights = {name.removeprefix(kept): tensor for name, tensor in tensors.items() if name.startswith(kept)}
    own = dict(net.named_parameters())
    theirs = {name: list(weights[name].shape) for name in own if name in weights}
    if theirs != {name: list(value.shape) for name, value in own.items()}:
        raise CheckpointError(
            f"{directory} holds weights {theirs}, and this model has { {name: list(v.shape) for name, v in own.items()} }. "
            "Start from a run of the same sizes."
        )
    if about["identity"].get("data") != data:
        raise CheckpointError(
            f"{directory} is of other data (there {about['identity'].get('data')}, here {data}): its rows belong to other "
            "users and items. Start from a run on the same data."
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])


def _take_over(net: torch.nn.Module, rows: Mapping[str, Index], start: Start) -> None:
    """Give a net the parameters of an earlier fit: rows of nodes that it knew, and weights of the same shape."""
    with torch.no_grad():
        for name, value in net.named_parameters():
            own: Floats = value.detach().cpu().numpy()
            if name in rows:
                value.copy_(torch.from_numpy(start.of_nodes(name, rows[name], own)))
            elif name in start.arrays and start.arrays[name].shape == own.shape:
                value.copy_(torch.from_numpy(start.arrays[name]))


def _by_node(net: torch.nn.Module, rows: Mapping[str, Index]) -> dict[str, NDArray[Any]]:
    """Return the parameters, those with a row for each node in the order of the nodes, NaN for one that has no row."""
    found: dict[str, NDArray[Any]] = {}
    n_nodes = max((int(nodes.max(initial=-1)) + 1 for nodes in rows.values()), default=0)
    for name, value in net.named_parameters():
        own: Floats = value.detach().float().cpu().numpy()
        if name in rows:
            found[name] = np.full((n_nodes, *own.shape[1:]), np.nan, dtype=np.float32)
            found[name][rows[name]] = own
        else:
            found[name] = own.copy()
    return found
