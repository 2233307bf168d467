import os

import pytest
import torch

from explorer.errors import DeviceError
from explorer.store import runs
from explorer.store.runs import Status
from explorer.training.config import TrainConfig
from explorer.training.queue import estimate, stopwatch, supervisor
from explorer.training.queue.estimate import Estimate
from explorer.training.records import Step

FOUND = Estimate(
    seconds_per_epoch=2.0,
    evaluation_seconds=0.5,
    low=2.0,
    high=3.0,
    steps=300,
    images_per_second=27_000,
    busy=False,
    device="CPU",
    versions={"torch": "1"},
)


@pytest.fixture(autouse=True)
def ensured(monkeypatch):
    """Count how often a supervisor was to be started, and start none; keep this process's threads."""
    calls = []
    monkeypatch.setattr(supervisor, "ensure", lambda: calls.append(1))
    threads = torch.get_num_threads()
    yield calls
    torch.set_num_threads(threads)


def keep(config, **values):
    estimate.keep(estimate.key_of(config), estimate.EstimateAnswer(**values))


def made_older(path, seconds):
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def test_the_key_is_about_time_only(configure):
    key = estimate.key_of(configure())
    alike = [
        {"learning_rate": 0.5},
        {"seed": 7},
        {"epochs": 99},
        {"schedule": "cosine"},
        {"weight_decay": 0.1},
        {"label_smoothing": 0.1},
        {"time_budget": 5},
        {"patience": 3},
        {"batch_size": 16, "device": "auto"} if not torch.cuda.is_available() else {},
    ]
    assert {estimate.key_of(configure(**values)) for values in alike} == {key}
    assert estimate.key_of(configure(batch_size=40)) == estimate.key_of(configure(batch_size=5000))
    other = [
        {"dataset": "mnist"},
        {"model": "cnn"},
        {"options": {"hidden": [50]}},
        {"batch_size": 17},
        {"subset": 50},
        {"optimizer": "sgd"},
        {"loss": "mse"},
        {"flip": True},
        {"shift": 1},
        {"erase": 0.1},
        {"adversarial": 0.1},
        {"ema": 0.9},
        {"threads": 2},
    ]
    keys = [estimate.key_of(configure(**values)) for values in other]
    assert len({key, *keys}) == len(other) + 1
    assert estimate.key_of(configure(shift=1)) == estimate.key_of(configure(shift=5))
    assert estimate.key_of(configure(adversarial=0.1)) == estimate.key_of(configure(adversarial=0.2))


def test_another_version_of_pytorch_is_another_key(configure, monkeypatch):
    before = estimate.key_of(configure())
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert estimate.key_of(configure()) != before


def test_steps_and_evaluation_are_scaled_to_an_epoch(configure, monkeypatch):
    """Every step takes 10 ms, and predicting 2 ms an image."""
    now = [0.0]

    def spend(seconds):
        now[0] += seconds

    def steps(config):
        for number in range(1, 6):
            spend(0.01)
            yield Step(1, number, 5, config.batch_size, torch.zeros(()), 0.1)
        pytest.fail("the epoch was evaluated")

    def train(config, state):
        spend(3.0)  # preparing is not counted
        return steps(config)

    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(stopwatch, "train", train)
    monkeypatch.setattr(stopwatch, "predict", lambda model, images, device: spend(0.002 * len(images)))
    monkeypatch.setattr(stopwatch, "LIMIT_SECONDS", 100)
    found = stopwatch.measure(configure(subset=1000, batch_size=20))
    assert found.seconds_per_epoch == pytest.approx(1000 / 20 * 0.01)
    assert found.evaluation_seconds == pytest.approx(16_000 * 0.002)
    assert found.low == pytest.approx(found.seconds) == pytest.approx(found.high)
    assert found.images_per_second == pytest.approx(2000)
    assert found.steps == pytest.approx(50, abs=5)


def test_a_batch_of_a_slow_network_is_measured_by_a_smaller_one(configure, monkeypatch):
    """A millisecond an image."""
    now, sizes = [0.0], []

    def train(config, state):
        for number in range(1, 1000):
            sizes.append(config.batch_size)
            now[0] += 0.001 * config.batch_size
            yield Step(1, number, 999, config.batch_size, torch.zeros(()), 0.1)

    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(stopwatch, "train", train)
    monkeypatch.setattr(stopwatch, "predict", lambda *_, **__: now.__setitem__(0, now[0] + 0.1))
    found = stopwatch.measure(configure(subset=50_000, batch_size=50_000))
    assert max(sizes) <= 512
    assert found.seconds_per_epoch == pytest.approx(50)
    sizes.clear()
    stopwatch.measure(configure(subset=50_000, batch_size=256))
    assert sizes[-1] == 256


def test_a_real_measurement(configure, monkeypatch):
    monkeypatch.setattr(stopwatch, "LIMIT_SECONDS", 60)  # the computer may be busy
    config = configure(subset=500, batch_size=25, model="cnn", shift=1, ema=0.9)
    found = stopwatch.measure(config)
    assert found.low <= found.seconds <= found.high
    assert found.steps >= stopwatch.FEWEST_BLOCKS
    assert found.seconds_per_epoch == pytest.approx(500 / found.images_per_second)
    assert not found.busy


@pytest.mark.parametrize("optimizer", ["rprop", "sgd"])
def test_settings_that_diverge_can_be_measured(configure, optimizer):
    assert stopwatch.measure(configure(optimizer=optimizer, learning_rate=100.0, subset=200)).steps > 0


def test_a_run_that_is_computed_meanwhile_is_noted(configure):
    run = runs.create(configure().model_dump(mode="json"))
    run.write_status(Status(state="running"))
    with run.lock():
        assert stopwatch.measure(configure()).busy


def test_from_the_request_to_the_answer(configure, ensured):
    config = configure()
    assert estimate.get(config) is None
    supervisor.measure(config)
    supervisor.measure(config)
    (key,) = estimate.pending()
    assert estimate.next_request(busy=True) == key
    assert ensured
    stopwatch.measure_estimate(key)
    estimate.note_end(key, 0)
    assert estimate.get(config).steps > 0
    assert estimate.pending() == []
    ensured.clear()
    supervisor.measure(config)
    assert estimate.pending() == ensured == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried"), "not enough memory"),
        (ZeroDivisionError("no"), "ZeroDivisionError"),
        (DeviceError("This machine has no such device."), "no such device"),
    ],
)
def test_a_failure_is_kept_and_not_repeated(configure, monkeypatch, error, message):
    def fail(config):
        raise error

    monkeypatch.setattr(stopwatch, "measure", fail)
    config = configure()
    supervisor.measure(config)
    (key,) = estimate.pending()
    stopwatch.measure_estimate(key)
    assert message in estimate.problem(config)
    assert estimate.get(config) is None
    assert estimate.next_request(busy=False) is None
    supervisor.measure(config)
    assert estimate.pending() == []
    made_older(estimate._result(key), estimate.RETRY_SECONDS + 1)
    assert estimate.problem(config) == ""
    supervisor.measure(config)
    assert estimate.next_request(busy=False) == key


def test_a_killed_measurement_is_a_failure(configure):
    config = configure()
    supervisor.measure(config)
    (key,) = estimate.pending()
    estimate.note_end(key, -9)
    assert "memory" in estimate.problem(config)
    assert estimate.pending() == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"estimate": {"steps": 1}}', '{"estimate": null}', "\xff"])
def test_a_damaged_file_is_measured_anew(configure, content):
    config = configure()
    keep(config, estimate=FOUND)
    assert estimate.get(config) == FOUND
    estimate._result(estimate.key_of(config)).write_text(content)
    assert estimate.get(config) is None
    assert estimate.problem(config) == ""
    supervisor.measure(config)
    assert estimate.next_request(busy=False) == estimate.key_of(config)


def test_what_was_measured_beside_a_run_is_measured_again_when_none_is_computed(configure):
    config = configure()
    keep(config, estimate=FOUND.model_copy(update={"busy": True}))
    supervisor.measure(config)
    assert estimate.next_request(busy=True) is None
    assert estimate.next_request(busy=False) == estimate.key_of(config)
    keep(config, estimate=FOUND)
    assert estimate.next_request(busy=False) is None
    assert estimate.pending() == []


def test_the_latest_request_comes_first_and_old_ones_are_dropped(configure):
    configs = [configure(subset=50 + number) for number in range(3)]
    keys = [estimate.key_of(config) for config in configs]
    for number, config in enumerate(configs):
        supervisor.measure(config)
        made_older(estimate.requests_folder() / f"{keys[number]}.json", 10 - 3 * number)
    assert estimate.pending() == keys[::-1]
    supervisor.measure(configs[0])
    assert estimate.pending() == [keys[0], keys[2], keys[1]]
    made_older(estimate.requests_folder() / f"{keys[2]}.json", estimate.WANTED_SECONDS)
    assert estimate.pending() == [keys[0], keys[1]]


def test_foreign_and_damaged_requests(configure):
    folder = estimate.requests_folder()
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()
    key = "0" * 32
    (folder / f"{key}.json").write_text('{"model": "nonsense"}')
    assert estimate.pending() == [key]
    stopwatch.measure_estimate(key)
    assert estimate.pending() == []
    assert estimate._read(key) is None


def test_the_oldest_are_forgotten(configure, monkeypatch):
    monkeypatch.setattr(estimate, "KEPT", 3)
    configs = [configure(subset=50 + number) for number in range(5)]
    for number, config in enumerate(configs):
        keep(config, estimate=FOUND)
        made_older(estimate._result(estimate.key_of(config)), 100 - number)
    keep(configs[0], estimate=FOUND)
    assert [estimate.get(config) is not None for config in configs] == [True, False, False, True, True]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there():
    config = TrainConfig(device="cuda")
    for function in (estimate.get, supervisor.measure, estimate.problem):
        with pytest.raises(DeviceError, match="no 'cuda' device"):
            function(config)


def test_nothing_is_asked_for_before_anything_was():
    assert estimate.pending() == []
    assert estimate.next_request(busy=False) is None
