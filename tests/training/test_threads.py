import pytest

from explorer.errors import ConfigError, DeviceError
from explorer.training.config import TrainConfig
from explorer.training.threads import WORTH_SHARING, choose_threads

MLP = 784 * 100 + 100 * 10
"""Multiply-adds of the default network for one image."""


@pytest.fixture(autouse=True)
def _cores(monkeypatch):
    monkeypatch.setattr("explorer.devices.cores", lambda: 6)


def config(**values):
    return TrainConfig.parse({"device": "cpu"} | values)


def test_what_is_asked_for_is_taken():
    assert choose_threads(config(threads=3)) == 3
    assert choose_threads(config(threads=1, model="resnet")) == 1


def test_small_steps_take_one_thread_and_large_ones_all():
    assert choose_threads(config()) == 1
    assert choose_threads(config(model="lenet", batch_size=1)) == 1
    assert choose_threads(config(model="lenet")) == 6
    assert choose_threads(config(model="resnet")) == 6


def test_the_line_is_drawn_at_the_multiply_adds_of_a_step():
    enough = -(-WORTH_SHARING // MLP)
    assert choose_threads(config(batch_size=enough - 1)) == 1
    assert choose_threads(config(batch_size=enough)) == 6
    assert choose_threads(config(batch_size=enough, subset=enough - 1)) == 1
    assert choose_threads(config(batch_size=enough // 4), seeds=3) == 1
    assert choose_threads(config(batch_size=enough // 4), seeds=5) == 6


def test_beside_a_graphics_card_all_cores_are_taken(monkeypatch):
    monkeypatch.setattr("explorer.devices.available", lambda: ("cuda", "cpu"))
    assert choose_threads(config(device="auto")) == 6
    assert choose_threads(config(device="cpu")) == 1


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(ConfigError):
        choose_threads(config(options={"hidden": [8192] * 32}))
    with pytest.raises(DeviceError):
        choose_threads(config(device="mps"))
