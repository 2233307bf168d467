"""How many threads a run is computed with."""

from functools import lru_cache

from explorer import devices
from explorer.training.config import TrainConfig
from explorer.training.plan import input_shape
from models.registry import build_meta
from models.summary import layer_table

WORTH_SHARING = 1 << 26
"""Multiply-adds of a step from which on several threads are quicker than one; see `benchmarks.threads`."""


def choose_threads(config: TrainConfig, seeds: int = 1) -> int:
    """Return the number of threads that the configuration names, or the one that should be quickest.

    While it waits for work a thread sleeps, so that it does not slow down other processes. To wake it takes about as
    long as a layer of a small network, which is therefore computed by one thread alone. The choice depends on nothing
    but the configuration and the machine, so that the same run has the same bits again.

    Parameters
    ----------
    config : TrainConfig
    seeds : int
        How many networks each step computes together.

    Raises
    ------
    ConfigError
        The model cannot be built.
    DeviceError
        This machine has no such device.
    """
    if config.threads:
        return config.threads
    if devices.resolve(config.device).type != "cpu":
        return devices.cores()
    images = seeds * min(config.batch_size, config.subset)
    return devices.cores() if images * multiply_adds(config) >= WORTH_SHARING else 1


def multiply_adds(config: TrainConfig) -> int:
    """Return how often one image on its way through the network makes a weight be multiplied with an input.

    Raises
    ------
    ConfigError
        The model cannot be built.
    """
    return _multiply_adds(config.model_dump_json(include={"dataset", "model", "options"}))


@lru_cache(maxsize=256)
def _multiply_adds(described: str) -> int:  # kept, as pages ask again and again
    config = TrainConfig.model_validate_json(described)
    shape = input_shape(config)
    return sum(layer.multiply_adds for layer in layer_table(build_meta(config.model, config.options, shape), shape))
