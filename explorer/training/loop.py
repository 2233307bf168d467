"""The training loop: a generator that yields records and touches no file and no screen.

To stop it, close it. The caller owns the state and may save it whenever the generator has yielded; a run that
goes on from a saved state ends bit for bit where the uninterrupted one does.
"""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from explorer import devices
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import DivergedError
from explorer.store.checkpoints import Classifier
from explorer.training.adversarial import with_examples
from explorer.training.batches import Batches
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.optimizers import learning_rate
from explorer.training.plan import Plan, make_plan
from explorer.training.precision import autocast
from explorer.training.queue.keeping import kept
from explorer.training.randomness import seed_global
from explorer.training.records import Cut, Done, Epoch, Record, SeedEpochs, Step
from explorer.training.state import TrainingState

FINITE_CHECK_STEPS = 25
EVALUATION_BATCH = 100
"""Smaller than most training batches, so that evaluating needs no more memory than training."""


def train(
    config: TrainConfig,
    state: TrainingState | None = None,
    *,
    cut: Cut | None = None,
    rates: Mapping[int, float] | None = None,
    finish: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Record]:
    """Train and yield a `Step` for each step, an `Epoch` for each epoch and one `Done`.

    Parameters
    ----------
    config : TrainConfig
        All settings.
    state : TrainingState, optional
        Where to go on; a fresh one by default. It is changed in place.
    cut : Cut, optional
        End after this step, as the clock or the user once decided in the run that is now resumed.
    rates : mapping, optional
        From which epoch on the learning rate is another one; the caller may add epochs that have not begun.
    finish : callable, optional
        Asked after every step; True ends the run there, as a cut.
    clock : callable, optional
        Returns seconds; for `time_budget` and the times in the records.

    Raises
    ------
    ConfigError, DeviceError, DataError
        Before the first step.
    RunError
        The loss, or an output of the network, is no longer a finite number.
    """
    plan = make_plan(config)
    if state is None:
        state = TrainingState(config, devices.resolve(config.device))
        if checkpoint := initial_checkpoint(config):
            state.start_from(checkpoint)
    loop = Loop(config, plan, state, cut, rates if rates is not None else {}, finish, clock)
    return cast(Iterator[Record], loop.records())


class Loop:
    """Steps and evaluation of one run; of several seeds at once in `explorer.training.seeds.loop`."""

    objective: Tensor | None = None
    """What the last step minimised, where that is not the cross entropy."""

    def __init__(
        self,
        config: TrainConfig,
        plan: Plan,
        state: TrainingState,
        cut: Cut | None,
        rates: Mapping[int, float],
        finish: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self.config, self.plan, self.state, self.cut, self.clock = config, plan, state, cut, clock
        self.rates, self.finish = rates, finish
        self.spec = catalog.get(config.dataset)
        self.batches = Batches(config, plan, load_split(config.dataset, "train"), state.device)
        self.parameters = list(state.network.parameters())
        self.autocast = autocast(config, state.device)

    def records(self) -> Iterator[Record | SeedEpochs]:
        """Yield what happens, step by step."""
        config, state = self.config, self.state
        self.mark = self.clock()
        while not (end := self._end()):
            yield from self._steps()
            self._check_finite()
            yield self._finish_epoch()
            if state.epoch < config.epochs and (cut := self._cut_here(state.epoch, self.plan.steps)):
                yield cut
        yield Done(end, state.epoch, state.seconds)

    def _end(self) -> Literal["epochs", "time", "patience", "user"] | None:
        """Return why the run is over, or None."""
        config, state = self.config, self.state
        if self.cut is not None and state.epoch >= self.cut.epoch:
            return self.cut.reason
        if state.epoch >= config.epochs:
            return "epochs"
        if config.patience and state.epoch - state.best_epoch >= config.patience:
            return "patience"
        return None

    def _cut_here(self, epoch: int, step: int) -> Cut | None:
        """Cut the run after this step, if the time is up or the user asks for it."""
        if self.cut is not None:
            return None
        if self._out_of_time():
            self.cut = Cut(epoch, step, "time")
        elif self.finish():
            self.cut = Cut(epoch, step, "user")
        return self.cut

    def _steps(self) -> Iterator[Record]:
        state, plan = self.state, self.plan
        epoch = state.epoch + 1
        state.network.train()
        if self.cut == Cut(epoch, state.step):
            return
        self.rate_config = self._config_of(epoch)
        for images, labels in self.batches.epoch(epoch, state.step):
            rate = self._set_learning_rate()
            loss = self._step(images, labels)
            state.step += 1
            self._count_time()
            if state.step % FINITE_CHECK_STEPS == 0:
                self._check_finite()
            yield Step(epoch, state.step, plan.steps, len(labels), loss, rate, self.objective)
            if cut := self._cut_here(epoch, state.step):
                yield cut
            if self.cut == Cut(epoch, state.step):
                return

    def _config_of(self, epoch: int) -> TrainConfig:
        """Return the configuration with the learning rate that holds in an epoch."""
        begun = [first for first in self.rates if first <= epoch]
        return self.config.model_copy(update={"learning_rate": self.rates[max(begun)]}) if begun else self.config

    def _set_learning_rate(self) -> float:
        state = self.state
        rate = learning_rate(self.rate_config, state.epoch * self.plan.steps + state.step, self.plan.steps)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one optimizer step and return the batch's mean cross entropy.

        A batch larger than a piece adds up the gradients of its pieces.
        """
        state, count = self.state, len(labels)
        seed_global(state.device, self.config.seed, "step", state.epoch + 1, state.step)
        for parameter in self.parameters:
            parameter.grad = None  # as `zero_grad` does, without what that reports to a profiler
        if count <= self.plan.piece:
            minimised, loss = self._forward(images, labels)
            minimised.backward()
            minimised = minimised.detach()
        else:
            minimised, loss = (torch.zeros((), device=state.device) for _ in range(2))
            pieces = zip(images.split(self.plan.piece), labels.split(self.plan.piece), strict=True)
            for some_images, some_labels in pieces:
                share = len(some_labels) / count
                part, cross_entropy = self._forward(some_images, some_labels)
                part = part * share
                part.backward()
                minimised += part.detach()
                loss += cross_entropy * share
        state.optimizer.step()
        state.update_average()
        self._note_losses(loss, minimised, count)
        state.seen += count
        return loss

    def _note_losses(self, loss: Tensor, minimised: Tensor, count: int) -> None:
        """Add the means of a batch of so many images to the sums of the epoch."""
        self.state.loss_sum += loss * count
        if self.state.objective:
            self.objective = minimised
            self.state.objective_sum += minimised * count

    def _forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is minimised, and the cross entropy without gradient."""
        images = with_examples(self.state.network, images, labels, self.config.adversarial, self.spec)
        with self.autocast:
            logits = self.state.network(images)
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits
        self.state.note_predictions(logits.detach(), labels)
        minimised = batch_loss(self.config, logits, labels)
        apart = self.state.objective
        return minimised, F.cross_entropy(logits.detach(), labels) if apart else minimised.detach()

    def _finish_epoch(self) -> Epoch | SeedEpochs:
        config, state = self.config, self.state
        sums = [value.item() for value in (state.loss_sum, state.objective_sum, state.correct)]
        seen, train_seconds = state.seen, state.train_seconds
        classifier = Classifier(state.evaluated, self.spec.mean, self.spec.std).to(state.device).eval()
        splits = {name: load_split(config.dataset, name) for name in ("validation", "test")}
        release()
        logits = {
            name: predict(classifier, split.images, EVALUATION_BATCH, state.device) for name, split in splits.items()
        }
        release()
        if not all(np.isfinite(values).all() for values in logits.values()):
            raise self._diverged()
        rate = state.optimizer.param_groups[0]["lr"]
        state.epoch += 1
        state.start_epoch()
        self._count_time(training=False)
        epoch = self._epoch(logits, [value / seen for value in sums], rate, train_seconds)
        state.note_accuracy(epoch.validation_accuracy)
        return epoch

    def _epoch(self, logits: dict[str, np.ndarray], means: Sequence[float], rate: float, train_seconds: float) -> Epoch:
        """Put together what is said of an epoch; `means` are cross entropy, objective and accuracy of training."""
        config, state = self.config, self.state
        truth = {name: load_split(config.dataset, name).labels for name in logits}
        validation_loss, validation_accuracy = score(logits["validation"], truth["validation"])
        scores, labels = (torch.from_numpy(one) for one in (logits["validation"], truth["validation"].copy()))
        objectives = {
            "train_objective": means[1],
            "validation_objective": batch_loss(config, scores.double(), labels).item(),
        }
        return Epoch(
            epoch=state.epoch,
            train_loss=means[0],
            train_accuracy=means[2],
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            test_accuracy=score(logits["test"], truth["test"])[1],
            learning_rate=rate,
            train_seconds=train_seconds,
            seconds=state.seconds,
            logits=logits,
            **(objectives if state.objective else {}),
        )

    def _count_time(self, training: bool = True) -> None:
        now = self.clock()
        self.state.seconds += now - self.mark
        if training:
            self.state.train_seconds += now - self.mark
        self.mark = now

    def _out_of_time(self) -> bool:
        return self.config.time_budget is not None and self.state.seconds >= self.config.time_budget

    def _check_finite(self) -> None:
        if not math.isfinite(self.state.minimised.item()):
            raise self._diverged()

    def _diverged(self) -> DivergedError:
        rate = self.state.optimizer.param_groups[0]["lr"]
        rate, lower = float(f"{rate:.2g}"), float(f"{rate / 10:.1g}")
        return DivergedError(
            f"The loss became infinite or undefined in epoch {self.state.epoch + 1}, step {self.state.step}, at a "
            f"learning rate of {rate:g}. Try a lower learning rate, such as {lower:g}. {kept(self.state.epoch)}"
        )


def batch_loss(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss over a batch; `mse` sums the squared errors of an image's softmax outputs."""
    if config.loss == "cross-entropy":
        return F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    target = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return (logits.softmax(1) - target).square().sum(1).mean()


def score(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return mean cross entropy (nats) and accuracy of logits (N, C) against labels (N,)."""
    scores, target = torch.from_numpy(logits).double(), torch.from_numpy(labels.copy())
    accuracy = float((logits.argmax(1) == labels).mean())
    return F.cross_entropy(scores, target).item(), accuracy


def release() -> None:
    """Give back what the C library keeps of memory that is free; without effect where it is not glibc.

    Tensors of one size leave holes that tensors of another size do not fit into, so a process that trains and evaluates
    in turn grows to the sum of both. It takes some milliseconds.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
