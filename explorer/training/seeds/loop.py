"""Several seeds of one configuration as one vectorised computation, each like its single run.

Every seed has its own initial weights, order of batches, augmentation and dropout masks, drawn as its single run
draws them. All optimizers work element by element, so one on the weights of all seeds equals one for each seed. What a
product of K matrices adds up in another order than a single run differs by rounding alone. (Where batch norm makes
a weight irrelevant, such as the bias before it, its gradient is nothing but rounding, which Adam enlarges: such
weights may differ more, without an effect on the loss.)

A seed whose loss is no longer a finite number does not touch the others: it is computed on, but its place in the
records is empty and `failures` says what happened. When all have failed the run ends with a `RunError`.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from explorer import devices
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError, RunError
from explorer.store.checkpoints import Classifier
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.loop import Loop
from explorer.training.plan import PIECE_BYTES, Plan, input_shape, make_plan
from explorer.training.randomness import seed_global
from explorer.training.records import Cut, Done, Epoch, SeedEpochs, Step
from explorer.training.seeds.network import obstacle
from explorer.training.seeds.state import SeedBatches, SeedsState
from models.registry import build_meta

__all__ = ["SeedEpochs", "SeedRecord", "SeedsState", "objection_to_vectorising", "train_seeds"]

MOST_BYTES = 1 << 30
"""Seeds that would together need more than this are better trained one after the other."""
WEIGHT_BYTES = 16
"""Memory for a weight: itself, its gradient and two values of the optimizer's."""


SeedRecord = Step | Cut | SeedEpochs | Done
"""In a `Step`, `loss` has shape (K,) and `images` counts those of one seed."""


def objection_to_vectorising(config: TrainConfig, seeds: int = 5) -> str | None:
    """Say in plain words why several seeds of a configuration cannot be trained at once; None if they can.

    Parameters
    ----------
    config : TrainConfig
    seeds : int
        How many.

    Raises
    ------
    ConfigError
        The configuration cannot be trained at all.
    """
    if config.patience:
        return "With 'patience' each seed may end after another epoch."
    if config.time_budget:
        return "With a 'time_budget' each seed has the whole time for itself."
    if config.precision != "float32":
        return "Several seeds at once are computed in 'float32'."
    if config.weight_decay and not config.decay_biases:
        return "Without 'decay_biases' each network has an optimizer of its own."
    if config.adversarial:
        return "Adversarial examples are made for one network at a time."
    if reason := obstacle(build_meta(config.model, config.options, input_shape(config), probe=False)):
        return f"Model {config.model!r} cannot be computed for several seeds at once: {reason}."
    plan = make_plan(config)
    per_seed = max(end - start for start, end in zip(plan.bounds, plan.bounds[1:], strict=False)) * plan.bytes_per_image
    if per_seed > PIECE_BYTES:
        return f"A batch of {config.batch_size:,} images is too large to be computed for several seeds at once."
    total = seeds * (per_seed + WEIGHT_BYTES * plan.parameters)
    if total > MOST_BYTES:
        return f"{seeds} seeds at once would take about {total / 2**30:.1f} GB of memory."
    return None


def train_seeds(
    config: TrainConfig,
    seeds: Sequence[int],
    state: SeedsState | None = None,
    *,
    cut: Cut | None = None,
    rates: Mapping[int, float] | None = None,
    finish: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[SeedRecord]:
    """Train several seeds at once and yield a `Step` for each step, `SeedEpochs` for each epoch and one `Done`.

    Parameters
    ----------
    config : TrainConfig
        All settings but `seed`.
    seeds : sequence of int
        The K seeds.
    state : SeedsState, optional
        Where to go on; a fresh one by default. It is changed in place.
    cut, rates, finish, clock
        As for `explorer.training.loop.train`; they hold for all seeds.

    Raises
    ------
    ConfigError, DeviceError, DataError
        Before the first step; also where `objection_to_vectorising` gives a reason.
    RunError
        No seed is left whose loss and outputs are finite numbers.
    """
    if reason := objection_to_vectorising(config, len(seeds)):
        raise ConfigError(f"{reason} Train the seeds one after the other.")
    if state is None:
        state = SeedsState(config, seeds, devices.resolve(config.device))
        if checkpoint := initial_checkpoint(config):
            state.start_from(checkpoint)
    loop = _SeedLoop(config, make_plan(config), state, cut, rates if rates is not None else {}, finish, clock)
    return cast(Iterator[SeedRecord], loop.records())


class _SeedLoop(Loop):
    state: SeedsState

    def __init__(self, config: TrainConfig, plan: Plan, state: SeedsState, *steering: Any) -> None:
        super().__init__(config, plan, state, *steering)
        self.batches = SeedBatches(config, state.seeds, plan, load_split(config.dataset, "train"), state.device)

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one step of all seeds; each one's gradients are those of its own mean loss."""
        state, count, truth = self.state, len(labels), labels.t()
        logits = state.network.learn(images, self._reseed)
        sums, gradient = losses_and_gradient(self.config, logits, truth)
        state.network.backward(gradient)
        state.optimizer.step()
        state.update_average()
        minimised = sums / count
        loss = F.cross_entropy(logits, truth, reduction="none").mean(1) if state.objective else minimised
        self._note_losses(loss, minimised, count)
        state.note_predictions(logits, truth)
        state.seen += count
        return loss

    def _reseed(self, index: int) -> None:
        state = self.state
        seed_global(state.device, state.seeds[index], "step", state.epoch + 1, state.step)

    def _finish_epoch(self) -> SeedEpochs:
        state = self.state
        sums = [value.tolist() for value in (state.loss_sum, state.objective_sum, state.correct)]
        seen = state.seen
        train_seconds, rate = state.train_seconds, state.optimizer.param_groups[0]["lr"]
        logits = self._predictions()
        self._note_failures([all(np.isfinite(one).all() for one in of_seed.values()) for of_seed in logits])
        state.epoch += 1
        state.start_epoch()
        self._count_time(training=False)
        epochs: list[Epoch | None] = []
        for index, of_seed in enumerate(logits):
            means = [values[index] / seen for values in sums]
            epochs.append(None if state.failures[index] else self._epoch(of_seed, means, rate, train_seconds))
        return SeedEpochs(state.epoch, tuple(epochs), tuple(state.failures))

    def _predictions(self) -> list[dict[str, np.ndarray]]:
        """Return the logits (N, C) of each seed for both splits."""
        config, state = self.config, self.state
        spec = catalog.get(config.dataset)
        classifier = Classifier(state.evaluated, spec.mean, spec.std).to(state.device).eval()
        found: list[dict[str, np.ndarray]] = [{} for _ in state.seeds]
        for name in ("validation", "test"):
            logits = predict(classifier, load_split(config.dataset, name).images, device=state.device)
            for index, of_seed in enumerate(found):
                of_seed[name] = np.ascontiguousarray(logits[:, index])
        return found

    def _check_finite(self) -> None:
        self._note_failures([math.isfinite(one) for one in self.state.minimised.tolist()])

    def _note_failures(self, fine: Sequence[bool]) -> None:
        failures = self.state.failures
        for index, is_fine in enumerate(fine):
            if not is_fine and not failures[index]:
                failures[index] = str(self._diverged())
        if all(failures):
            raise RunError(failures[-1])


def losses_and_gradient(config: TrainConfig, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute each seed's `batch_loss` and its gradient; for so few numbers the formulas are quicker than autograd.

    Parameters
    ----------
    config : TrainConfig
    logits : Tensor
        Shape (K, C, B), without gradient.
    labels : Tensor
        Shape (K, B).

    Returns
    -------
    sums : Tensor, shape (K,)
        The losses summed over the B images.
    gradient : Tensor, shape (K, C, B)
        Of each seed's mean loss with respect to its logits.
    """
    smoothing, (_, classes, count) = config.label_smoothing, logits.shape
    cross_entropy = config.loss == "cross-entropy"
    rest = smoothing / classes if cross_entropy else 0.0
    true = 1 - smoothing + rest if cross_entropy else 1.0
    target = torch.full_like(logits, rest).scatter_(1, labels.unsqueeze(1), true)
    if cross_entropy:
        logarithms = logits.log_softmax(1)
        return -(target * logarithms).sum((1, 2)), logarithms.exp_().sub_(target).div_(count)
    outputs = logits.softmax(1)
    errors = outputs - target
    gradient = outputs * (errors - (outputs * errors).sum(1, keepdim=True))
    return errors.square().sum((1, 2)), gradient.mul_(2 / count)
