"""Timing a few steps and a part of the evaluation, from which the time of an epoch follows."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from explorer import devices
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ExplorerError, RunError
from explorer.store.checkpoints import Classifier, library_versions
from explorer.training.config import TrainConfig
from explorer.training.loop import train
from explorer.training.queue import estimate, requests
from explorer.training.queue.estimate import Estimate, timed_config
from explorer.training.records import Step
from explorer.training.state import TrainingState

BLOCK_SECONDS = 0.05
WARM_SECONDS = 0.1
MEASURE_SECONDS = 0.5
LIMIT_SECONDS = 2.5
FEWEST_BLOCKS = 5
LONG_SECONDS = 0.5
FIRST_BATCH = 64
"""A batch that takes longer in one step is measured by a smaller one, though not by one of so few images that it is the
optimizer that takes the time."""
EVALUATE_SECONDS = 0.25
EVALUATE_IMAGES = 500


@dataclass(frozen=True)
class _Block:
    """Some work that was timed as one."""

    steps: int
    images: int
    seconds: float

    @property
    def pace(self) -> float:
        """Seconds per image."""
        return self.seconds / self.images


@dataclass(frozen=True)
class _Pace:
    """Seconds per image: on average, in the quickest tenth and in the slowest tenth of some blocks."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, blocks: Sequence[_Block]) -> "_Pace":
        mean = sum(block.seconds for block in blocks) / sum(block.images for block in blocks)
        low, high = np.percentile([block.pace for block in blocks], [10, 90])
        return cls(mean, min(mean, float(low)), max(mean, float(high)))


def measure_estimate(key: str) -> None:
    """Meet a request, in a process of its own; whatever goes wrong is kept as the answer."""
    try:
        config = TrainConfig.parse_json((estimate.requests_folder() / f"{key}.json").read_bytes())
    except (OSError, ExplorerError):
        return estimate.withdraw(key)
    try:
        entry = estimate.EstimateAnswer(estimate=measure(config))
    except ExplorerError as error:
        entry = estimate.EstimateAnswer(failure=str(error))
    except Exception as error:
        entry = estimate.EstimateAnswer(failure=_explain(error))
    return estimate.keep(key, entry)


def measure(config: TrainConfig) -> Estimate:
    """Train for about half a second, evaluate for a quarter, and scale both to an epoch.

    It sets this process's number of threads, so it is for a process of its own. Where a single step takes very long it
    takes longer; a batch of which one step would take more than half a second is replaced by a smaller one.

    Raises
    ------
    ExplorerError
        The configuration cannot be trained on this machine.
    """
    config = timed_config(config)
    torch.set_num_threads(config.threads)
    device = devices.resolve(config.device)
    busy = bool(requests.running())
    state = TrainingState(config, device)
    blocks = _time_steps(config, state)
    training, evaluation = _Pace.of(blocks), _Pace.of(_time_evaluation(config, state))
    evaluated = sum(len(load_split(config.dataset, name).labels) for name in ("validation", "test"))
    return Estimate(
        seconds_per_epoch=training.mean * config.subset,
        evaluation_seconds=evaluation.mean * evaluated,
        low=training.low * config.subset + evaluation.low * evaluated,
        high=training.high * config.subset + evaluation.high * evaluated,
        steps=sum(block.steps for block in blocks),
        images_per_second=1 / training.mean,
        busy=busy or bool(requests.running()),
        device=devices.title(device),
        versions=library_versions(),
    )


def _time_steps(config: TrainConfig, state: TrainingState) -> list[_Block]:
    begun = time.perf_counter()
    config = config.model_copy(update={"batch_size": _batch(config, state)})
    source, blocks, warm = _blocks(config, state), [], 0.0
    while warm < WARM_SECONDS:
        warm += next(source).seconds
    for block in source:
        blocks.append(block)
        enough = sum(block.seconds for block in blocks) >= MEASURE_SECONDS and len(blocks) >= FEWEST_BLOCKS
        if enough or time.perf_counter() - begun > LIMIT_SECONDS:
            break
    return blocks


def _batch(config: TrainConfig, state: TrainingState) -> int:
    """Return the batch size to time: the configuration's own, or as many images as are quick enough."""
    size = min(FIRST_BATCH, config.batch_size)
    while size < config.batch_size:
        blocks = _blocks(config.model_copy(update={"batch_size": size}), state)
        block = next(blocks)
        if block.seconds < LONG_SECONDS:
            block = next(blocks)  # the first one has prepared what later ones find ready
        step = block.seconds / block.steps
        if step * config.batch_size / size <= LONG_SECONDS:
            return config.batch_size
        if 8 * step > LONG_SECONDS:
            return size
        size = min(config.batch_size, 8 * size)
    return size


def _blocks(config: TrainConfig, state: TrainingState) -> Iterator[_Block]:
    """Train for ever on the first epoch, without its evaluation; only the steps are timed."""
    while True:
        steps = images = 0
        records = train(config, state)
        begun = time.perf_counter()
        try:
            for record in records:
                if not isinstance(record, Step):
                    continue
                steps, images = steps + 1, images + record.images
                last = record.step == record.steps
                if last or time.perf_counter() - begun >= BLOCK_SECONDS:
                    _wait_for(state.device)
                    yield _Block(steps, images, time.perf_counter() - begun)
                    steps, images, begun = 0, 0, time.perf_counter()
                if last:
                    break
        except RunError:  # it has diverged nevertheless
            state = TrainingState(config, state.device)
        state.start_epoch()


def _time_evaluation(config: TrainConfig, state: TrainingState) -> list[_Block]:
    spec = catalog.get(config.dataset)
    classifier = Classifier(state.evaluated, spec.mean, spec.std).to(state.device).eval()
    images = load_split(config.dataset, "validation").images

    def timed(count: int) -> _Block:
        begun = time.perf_counter()
        predict(classifier, images[:count], device=state.device)
        return _Block(0, count, time.perf_counter() - begun)

    count = 2
    block = timed(count)
    if block.seconds < LONG_SECONDS:
        block = timed(count)  # the first one has prepared what later ones find ready
    while count < EVALUATE_IMAGES and block.seconds < BLOCK_SECONDS * 2:
        count = min(EVALUATE_IMAGES, 8 * count)
        block = timed(count)
    blocks = [block]
    while sum(block.seconds for block in blocks) < EVALUATE_SECONDS:
        blocks.append(timed(count))
    return blocks[1:] or blocks


def _wait_for(device: torch.device) -> None:
    """Let a graphics processor finish what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def _explain(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "There is not enough memory to train this. Choose a smaller batch size or model."
    return f"The time could not be measured ({type(error).__name__}: {text[:200]})."
