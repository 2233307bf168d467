"""Events are read back with TensorBoard's own reader."""

import errno
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError
from explorer.paths import ROOT
from explorer.store import runs
from explorer.training import loop, tracking
from explorer.training.records import Epoch, Step
from explorer.training.state import TrainingState
from explorer.training.tracking import events, reading, tensorboard
from explorer.training.tracking.figures import epoch_scalars
from explorer.training.tracking.tensorboard import SHARE, STEPS, Pace, TensorBoardTracker, hyperparameters

pytestmark = pytest.mark.usefixtures("quick")
EVERY_EPOCH = ("loss/train", "loss/validation", "accuracy/train", "accuracy/validation", "learning_rate")


def load(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0})
    reader.Reload()
    return reader


class Tracked:
    """A run whose every record is told to its trackers; `go(epochs, steps)` goes on for so long."""

    def __init__(self, config, run=None, saved=None):
        self.config, self.run = config, run or runs.create(config.model_dump(mode="json"), "tracked")
        self.state = TrainingState(config, torch.device("cpu"))
        if saved is not None:
            self.state.restore(saved)
        self.trackers = tracking.trackers_for(self.run, config, self.state)
        self.records = loop.train(config, self.state)
        self.epochs, self.losses = [], {}

    def go(self, until=None):
        for record in self.records:
            if isinstance(record, Step):
                self.losses[record.epoch, record.step] = record.loss.item()
                for tracker in self.trackers:
                    tracker.on_step(record, record.loss.item())
            elif isinstance(record, Epoch):
                self.epochs.append(record)
                for tracker in self.trackers:
                    tracker.on_epoch(record, self.state)
            if until and (self.state.epoch, self.state.step) == until:
                break
        return self

    def close(self):
        for tracker in self.trackers:
            tracker.close()

    def read(self):
        return load(self.run.path / "events")


@pytest.fixture
def finished(configure):
    tracked = Tracked(configure(epochs=2, options={"hidden": [6]})).go()
    tracked.close()
    return tracked


def test_what_is_minimised_has_a_name_of_its_own(configure):
    tracked = Tracked(configure(loss="mse", options={"hidden": [6]})).go()
    tracked.close()
    found, (epoch,) = reading.read(tracked.run).scalars, tracked.epochs
    for split in ("train", "validation"):
        for kind in ("loss", "objective"):
            assert found[f"{kind}/{split}"].values == pytest.approx([getattr(epoch, f"{split}_{kind}")])
    assert found["loss/step"].values == pytest.approx(list(tracked.losses.values()))


def test_events_of_an_earlier_version_call_what_was_minimised_so(configure):
    for config, tags in ((configure(), {"loss/train", "loss/step"}), (configure(loss="mse"), {"loss/validation"})):
        run = runs.create(config.model_dump(mode="json"))
        figures = dict.fromkeys(("loss/train", "loss/validation", "loss/step"), 0.5)
        events.EventFile(reading.folder(run)).append([events.scalars(figures, 1)])
        assert tags <= set(reading.read(run).scalars)
        assert ("objective/train" in reading.read(run).scalars) is (config.loss == "mse")


def test_scalars_are_those_of_the_epochs(finished):
    reader = finished.read()
    found = {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in EVERY_EPOCH}
    expected = {
        tag: [(epoch.epoch, pytest.approx(getattr(epoch, name), rel=1e-6)) for epoch in finished.epochs]
        for tag, name in zip(
            EVERY_EPOCH,
            ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "learning_rate"),
            strict=True,
        )
    }
    assert found == expected
    speeds = [event.value for event in reader.Scalars("images_per_second")]
    assert speeds == pytest.approx([40 / epoch.train_seconds for epoch in finished.epochs])


def test_the_loss_of_single_steps_is_counted_over_the_whole_run(finished):
    points = [(event.step, event.value) for event in finished.read().Scalars("loss/step")]
    assert points == [
        ((epoch - 1) * 3 + step, pytest.approx(loss, rel=1e-6)) for (epoch, step), loss in finished.losses.items()
    ]
    assert len(points) == 6


def test_the_test_set_does_not_appear(finished):
    tags = finished.read().Tags()
    assert set(tags["scalars"]) == {*EVERY_EPOCH, "loss/step", "images_per_second"}
    accuracies = [epoch.test_accuracy for epoch in finished.epochs]
    seen = [event.value for tag in tags["scalars"] for event in finished.read().Scalars(tag) if tag != "loss/step"]
    assert not set(np.float32(accuracies)) - set(np.float32([e.validation_accuracy for e in finished.epochs])) & set(
        seen
    )


def test_histograms_are_those_of_weights_and_last_gradients(finished):
    reader, network = finished.read(), finished.state.network
    names = [name for name, _ in network.named_parameters()]
    assert set(reader.Tags()["histograms"]) == {f"{kind}/{name}" for kind in ("weights", "gradients") for name in names}
    for name, parameter in network.named_parameters():
        for tag, tensor in ((f"weights/{name}", parameter.detach()), (f"gradients/{name}", parameter.grad)):
            recorded = reader.Histograms(tag)
            assert [event.step for event in recorded] == [1, 2]
            found, values = recorded[-1].histogram_value, tensor.double().numpy().ravel()
            edges = np.array([found.min, *found.bucket_limit])
            assert (found.num, found.min, found.max) == (values.size, values.min(), values.max())
            assert found.sum == pytest.approx(values.sum(), rel=1e-4, abs=1e-6)
            assert found.sum_squares == pytest.approx((values**2).sum(), rel=1e-4)
            assert np.abs(np.cumsum(found.bucket) - np.histogram(values, edges)[0].cumsum()).max() <= 2


def test_pictures_show_filters_and_predictions(finished):
    reader = finished.read()
    assert set(reader.Tags()["images"]) == {"filters/first_layer", "samples/validation"}
    picture = reader.Images("filters/first_layer")[-1]
    assert (picture.width, picture.height) == (6 * 29 - 1, 28)
    assert picture.step == 2
    assert reader.Images("samples/validation")[-1].encoded_image_string.startswith(b"\x89PNG")


def test_hyperparameters_are_written_once_as_text(finished):
    (text,) = finished.read().Tensors("hyperparameters")
    content = text.tensor_proto.string_val[0].decode()
    assert "| learning_rate | `0.001` |" in content
    assert "| model.hidden | `[6]` |" in content
    assert text.step == 0


def test_text_of_users_cannot_break_the_table(configure):
    config = configure().model_copy(update={"initial": "a`b|c"})
    assert '| initial | `"a\'b\\|c"` |' in hyperparameters(config)


def test_at_most_two_hundred_steps_of_an_epoch_are_written(configure):
    tracked = Tracked(configure(subset=500, batch_size=1))
    tracked.go()
    tracked.close()
    steps = [event.step for event in tracked.read().Scalars("loss/step")]
    assert len(steps) == STEPS
    assert steps == sorted(set(steps))
    assert max(np.diff(steps)) <= 3


def test_a_resumed_run_shows_no_point_twice(configure, training):
    config = configure(epochs=4)
    whole = Tracked(config).go()
    whole.close()
    first = Tracked(config).go(until=(2, 1))
    saved = io_round_trip(first.state)
    killed = Tracked.go(first, until=(3, 2))  # epoch 3 and two steps more were written, then the process was killed
    killed.close()
    beyond = [event.step for event in killed.read().Scalars("loss/step")]
    assert beyond[-1] == 11
    second = Tracked(config, first.run, saved).go()
    second.close()
    assert len(list((first.run.path / "events").iterdir())) == 2
    reader, expected = second.read(), whole.read()
    for tag in (*EVERY_EPOCH, "loss/step"):
        points, wanted = ([(event.step, event.value) for event in one.Scalars(tag)] for one in (reader, expected))
        assert points == wanted
    for tag in expected.Tags()["histograms"]:
        assert [event.step for event in reader.Histograms(tag)] == [1, 2, 3, 4]
    assert len(reader.Tensors("hyperparameters")) == 1


def test_a_run_that_is_resumed_at_its_beginning_starts_anew(configure):
    config = configure(epochs=2)
    killed = Tracked(config).go(until=(1, 1))
    again = Tracked(config, killed.run).go()
    again.close()
    assert [event.step for event in again.read().Scalars("loss/train")] == [1, 2]
    assert [event.step for event in again.read().Scalars("loss/step")] == [1, 2, 3, 4, 5, 6]


def test_a_record_torn_by_a_crash_is_cut_off(finished):
    (path,) = (finished.run.path / "events").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert events.cut(path.parent, lambda event: False)
    assert 0 < path.stat().st_size < len(whole) - 5
    assert [event.step for event in finished.read().Scalars("loss/train")] == [1, 2]
    path.write_bytes(whole + b"\xff" * 40)
    events.cut(path.parent, lambda event: False)
    assert path.read_bytes() == whole


def test_a_full_disk_ends_neither_the_run_nor_the_events(configure, monkeypatch, caplog):
    tracked = Tracked(configure(epochs=3))
    real, calls = events._append, []

    def append(path, data):
        calls.append(len(data))
        if len(calls) in (2, 3, 4):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(events, "_append", append)
    with caplog.at_level(logging.WARNING):
        tracked.go()
        tracked.close()
    assert [event.step for event in tracked.read().Scalars("loss/train")][-1] == 3
    assert len([record for record in caplog.records if "No space left" in record.message]) == 1


def test_a_clock_that_is_set_back_changes_no_order(tmp_path, monkeypatch):
    for step, moment in enumerate((10**18, 10**18 - 10**12, 10**18 - 10**13), start=1):
        monkeypatch.setattr(events.time, "time_ns", lambda moment=moment: moment)
        events.EventFile(tmp_path).append([events.scalars({"loss/train": 1.0}, step)])
    assert [event.step for event in load(tmp_path).Scalars("loss/train")] == [1, 2, 3]


def test_a_partly_written_record_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "events"
    path.write_bytes(b"before")

    class Full:
        def __init__(self, file):
            self.file, self.left = file, 4

        def write(self, data):
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left = 0
            return self.file.write(data[:4])

        def tell(self):
            return self.file.tell()

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

    real = type(path).open
    monkeypatch.setattr(type(path), "open", lambda self, *a, **k: Full(real(self, *a, **k)))
    with pytest.raises(OSError, match="No space left"):
        events._append(path, b"0123456789")
    monkeypatch.undo()
    assert path.read_bytes() == b"before"


def test_whatever_a_tracker_raises_is_logged_once_and_ends_it(configure, monkeypatch, caplog):
    tracked = Tracked(configure(epochs=2))
    monkeypatch.setattr(TensorBoardTracker, "on_epoch", lambda self, epoch, state: 1 / 0)
    with caplog.at_level(logging.WARNING):
        tracked.go()
        tracked.close()
    assert [record.message.count("ZeroDivisionError") for record in caplog.records] == [1]
    assert len(tracked.epochs) == 2


def test_without_tensorboard_a_run_goes_on_with_a_note(configure, monkeypatch, caplog):
    real = tracking.importlib.util.find_spec
    monkeypatch.setattr(
        tracking.importlib.util, "find_spec", lambda name: None if name == "tensorboard" else real(name)
    )
    with caplog.at_level(logging.WARNING):
        assert Tracked(configure()).trackers == []
    assert "TensorBoard is not installed" in caplog.text


def test_tracking_does_not_change_the_result(configure, training, same):
    config = configure(epochs=2, options={"dropout": 0.3})
    plain = training(config)
    plain.all()
    tracked = Tracked(config).go()
    assert same(plain.state.tensors(), tracked.state.tensors())


def test_nothing_heavy_is_loaded_before_the_first_epoch_is_complete():
    code = (
        "import sys, torch\n"
        "from explorer.store import runs\n"
        "from explorer.training import tracking\n"
        "from explorer.training.config import TrainConfig\n"
        "from explorer.training.records import Step\n"
        "from explorer.training.state import TrainingState\n"
        "config = TrainConfig.parse({'device': 'cpu'})\n"
        "run = runs.create(config.model_dump(mode='json'))\n"
        "state = TrainingState(config, torch.device('cpu'))\n"
        "trackers = tracking.trackers_for(run, config, state)\n"
        "trackers[0].on_step(Step(1, 1, 844, 64, torch.tensor(1.0), 0.001), 1.0)\n"
        "print(sorted({'tensorboard', 'PIL', 'wandb', 'google.protobuf'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_epoch_cut_short_counts_only_its_images(configure):
    config = configure(subset=40, batch_size=16)
    run = runs.create(config.model_dump(mode="json"))
    run.append_event({"kind": "cut", "epoch": 2, "step": 1, "reason": "time"})
    epoch = Epoch(1, 1, 1, 1, 1, 1, 0.1, 2.0, 2.0, {})
    assert epoch_scalars(run, config, epoch)["images_per_second"] == 20
    assert epoch_scalars(run, config, Epoch(2, 1, 1, 1, 1, 1, 0.1, 2.0, 2.0, {}))["images_per_second"] == 8


def test_long_runs_write_evenly_fewer_costly_things():
    pace = Pace(1000, 20, free=1.0)
    assert [epoch for epoch in range(1, 1001) if pace.due(epoch)] == [1, *range(50, 1001, 50)]


def test_costly_things_take_a_small_share_of_the_time():
    now = [0.0]
    pace, written = Pace(500, 500, clock=lambda: now[0]), 0
    for epoch in range(1, 501):
        now[0] += 1.0
        if pace.due(epoch):
            written += 1
            with pace.counting():
                now[0] += 0.1
    assert pace.spent <= SHARE * now[0] + 0.2 + 1e-9
    assert written >= 40


def test_a_histogram_survives_odd_tensors():
    assert tensorboard.histogram(torch.empty(0)) is None
    assert tensorboard.histogram(torch.tensor([float("nan"), float("inf")])) is None
    constant = tensorboard.histogram(torch.full((3, 2), 0.25))
    assert (constant.counts, constant.limits, constant.n) == ([6.0], [0.25], 6)
    some = tensorboard.histogram(torch.tensor([1.0, float("nan"), 2.0], dtype=torch.float16))
    assert (some.low, some.high, some.n) == (1.0, 2.0, 2)


def test_common_bins_keep_every_value(finished):
    read = reading.read(finished.run)
    series = read.histogram("weights/1.weight", bins=30)
    assert series.epochs == (1, 2)
    assert series.shares.sum(1) == pytest.approx(1.0)
    values = finished.state.network.get_parameter("1.weight").detach().double().numpy().ravel()
    exact = np.histogram(values, series.edges)[0] / values.size
    assert np.abs(series.shares[1] - exact).max() < 0.03


def test_common_bins_of_a_constant():
    from tensorboard.backend.event_processing.event_accumulator import HistogramValue

    value = HistogramValue(min=0.0, max=0.0, num=4, sum=0, sum_squares=0, bucket_limit=[0.0], bucket=[4.0])
    series = reading.Events({}, {"weights/b": ((1, value),)}).histogram("weights/b", bins=5)
    assert series.shares.tolist() == [[0, 0, 1, 0, 0]]


def test_the_signature_changes_with_the_files(finished):
    before = reading.signature(finished.run)
    assert len(before) == 1
    file = events.EventFile(reading.folder(finished.run))
    file.append([events.scalars({"loss/train": 1.0}, 3)])
    assert len(reading.signature(finished.run)) == 2
    shutil.rmtree(reading.folder(finished.run))
    assert reading.signature(finished.run) == ()


def test_samples_are_fixed_and_of_every_class():
    split = load_split("fashion-mnist", "validation")
    rows = tensorboard.sample_rows(split.labels)
    assert set(split.labels[rows]) == set(range(10))
    assert len(rows) == len(set(rows.tolist())) == 12


def test_wrong_predictions_are_marked(tmp_path):
    split, classes = load_split("fashion-mnist", "validation"), catalog.get("fashion-mnist").classes
    right = np.eye(10, dtype=np.float32)[split.labels]
    good, bad = (
        tensorboard.samples_picture(split, classes, logits)[2] for logits in (right, np.roll(right, 1, axis=1))
    )
    colours = []
    for name, content in (("good", good), ("bad", bad)):
        (tmp_path / name).write_bytes(content)
        pixels = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
        colours.append(int(((pixels[..., 0] - pixels[..., 2]) > 80).sum()))
    assert colours[0] == 0
    assert colours[1] > 100


def test_unknown_services_are_named():
    with pytest.raises(ConfigError, match=r"no tracking service 'comet'.*wandb"):
        tracking.check(["comet"])


def io_round_trip(state):
    import io

    file = io.BytesIO()
    torch.save(state.tensors(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)
