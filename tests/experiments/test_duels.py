import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explorer.errors import ConfigError, RunError
from explorer.experiments import duels
from explorer.experiments.duels import difference, fields, paired_difference, rival, starting_point, text, value
from explorer.files import write_json
from explorer.store import groups, runs
from explorer.training.config import TrainConfig
from explorer.training.queue import supervisor

accuracies = st.floats(0, 1, allow_nan=False, width=32)
CONFIG = TrainConfig.parse({"options": {"hidden": [16]}, "epochs": 2, "subset": 100, "device": "cpu"})


@pytest.fixture
def queued(home, monkeypatch):
    """Ids of the runs that were queued; none is computed."""
    found = []
    monkeypatch.setattr(supervisor, "submit", lambda run: found.append(run.id))
    return found


def _finish(run, accuracy):
    run.write_status(run.status.model_copy(update={"state": "finished", "best_epoch": 1, "best_accuracy": accuracy}))


def test_the_sides_differ_in_one_setting_only(queued):
    duel = duels.start(CONFIG, "optimizer", "sgd", 3)
    assert duel.values == ("adam", "sgd")
    sides = [[run.config for run in duel.side(side)] for side in ("a", "b")]
    assert [config["seed"] for config in sides[0]] == [0, 1, 2]
    for one, two in zip(*sides, strict=True):
        assert {key for key in one if one[key] != two[key]} == {"optimizer"}
    assert duels.get(duel.id) == duel
    assert duels.list_duels() == [duel]


def test_several_seeds_of_both_sides_are_computed_by_one_process(queued):
    duel = duels.start(CONFIG, "options.dropout", 0.5, 3)
    assert queued == [duel.runs["a"][0]]
    for side in ("a", "b"):
        for run in duel.side(side):
            assert groups.ids(run) == list(duel.runs[side])
            assert run.description["group"]["rivals"] == [duel.runs["a"][0], duel.runs["b"][0]]


def test_seeds_that_cannot_be_computed_at_once_race_pair_by_pair(queued):
    config = TrainConfig.parse(CONFIG.model_dump() | {"patience": 2})
    duel = duels.start(config, "learning_rate", 0.01, 2)
    assert queued == list(duel.runs["a"])
    for number, pair in enumerate(duel.pairs()):
        for run in pair:
            assert run.description["group"]["rivals"] == [duel.runs["a"][number], duel.runs["b"][number]]


@pytest.mark.parametrize(("field", "other"), [("patience", 2), ("time_budget", 60.0)])
def test_where_only_one_side_could_be_computed_at_once_all_race_pair_by_pair(queued, field, other):
    duel = duels.start(CONFIG, field, other, 3)
    assert queued == list(duel.runs["a"])
    for pair in duel.pairs():
        for run in pair:
            assert groups.ids(run) == []
            assert run.description["group"]["rivals"] == [one.id for one in pair]


@pytest.mark.parametrize("after", range(7))
def test_on_a_full_disk_nothing_is_left_behind(queued, monkeypatch, after):
    done = []

    def full(path, document):
        done.append(path)
        if len(done) > after:
            raise OSError(28, "No space left on device")
        write_json(path, document)

    for module in (runs, duels):
        monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(RunError, match="No space left"):
        duels.start(CONFIG, "optimizer", "sgd")
    assert list(runs.folder().iterdir()) == []
    assert queued == duels.list_duels() == []


def test_the_difference_is_over_the_seeds_that_both_sides_have_finished(queued):
    duel = duels.start(CONFIG, "optimizer", "sgd", 3)
    assert difference(duel) is None
    for (one, two), accuracies in zip(duel.pairs(), [(0.8, 0.75), (0.82, 0.79), (0.9, 0.1)], strict=True):
        _finish(one, accuracies[0])
        if accuracies[1] != 0.1:
            _finish(two, accuracies[1])
    found = difference(duel)
    assert found.n == 2
    assert found.mean == pytest.approx(-0.04)
    assert (found.low, found.high) == pytest.approx((-0.04 - 12.7062047 * 0.01, -0.04 + 12.7062047 * 0.01))


@pytest.mark.parametrize(
    ("field", "other", "weights", "order"),
    [
        ("optimizer", "sgd", True, True),
        ("options.dropout", 0.5, True, True),
        ("options.activation", "tanh", True, True),
        ("batch_size", 32, True, False),
        ("options.hidden", [20], False, True),
        ("options.initialisation", "xavier", False, True),
    ],
)
def test_what_the_sides_have_in_common_at_the_start(home, field, other, weights, order):
    found = starting_point(CONFIG, rival(CONFIG, field, other))
    assert (found.same_weights, found.same_order) == (weights, order)


def test_both_sides_begin_with_the_checkpoint_that_they_start_from():
    one = CONFIG.model_copy(update={"initial": "mine"})
    two = one.model_copy(update={"options": CONFIG.options | {"initialisation": "xavier"}, "batch_size": 32})
    assert starting_point(one, two) == duels.StartingPoint(same_weights=True, same_order=False)


def test_a_damaged_run_is_left_out_of_the_difference(queued):
    duel = duels.start(CONFIG, "optimizer", "sgd", 2)
    for one, two in duel.pairs():
        _finish(one, 0.8)
        _finish(two, 0.9)
    (duel.side("b")[0].path / "status.json").write_text("{")
    assert difference(duel).n == 1


@pytest.mark.parametrize(
    ("field", "other", "words"),
    [
        ("optimizer", "adam", "Both sides of the duel are the same"),
        ("seed", 3, "cannot be about 'seed'"),
        ("colour", 3, "cannot be about 'colour'"),
        ("learning_rate", -3, "learning_rate"),
        ("options.dropout", 3, "dropout"),
        ("options.kernel", 3, "cannot be about"),
    ],
)
def test_what_a_duel_cannot_be_about(queued, field, other, words):
    with pytest.raises(ConfigError, match=words):
        duels.start(CONFIG, field, other)
    assert runs.list_runs() == []
    assert queued == []


@pytest.mark.parametrize("count", [0, 21])
def test_a_number_of_seeds_out_of_range(queued, count):
    with pytest.raises(ConfigError, match="number of seeds"):
        duels.start(CONFIG, "optimizer", "sgd", count)
    assert runs.list_runs() == []


def test_a_duel_without_runs_is_not_listed(queued):
    duel = duels.start(CONFIG, "optimizer", "sgd")
    for run in runs.list_runs():
        (run.path / "config.json").unlink()
    assert duels.list_duels() == []
    assert duel.pairs() == []


@pytest.mark.parametrize("asked", ["../x", "duel-1", "duel-20260101-000000-abcdef"])
def test_an_unknown_duel_is_a_message(home, asked):
    with pytest.raises(RunError):
        duels.get(asked)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"field": "a"}',
        '{"field": "a", "values": [1], "runs": {}}',
        '{"field": "a", "values": [1, 2], "runs": {"a": ["x"], "b": []}}',
    ],
)
def test_a_damaged_note_is_a_message(queued, content):
    duel = duels.start(CONFIG, "optimizer", "sgd")
    (duels.folder() / f"{duel.id}.json").write_text(content)
    with pytest.raises(RunError, match="damaged"):
        duels.get(duel.id)
    assert duels.list_duels() == []


def test_settings_in_words():
    assert [text(one) for one in (True, False, None, [100, 50], [], 0.001, 1e-05, 64, "adam")] == [
        "on",
        "off",
        "none",
        "100–50",
        "none",
        "0.001",
        "1e-05",
        "64",
        "adam",
    ]
    assert value(CONFIG, "options.hidden") == [16]
    assert fields(CONFIG)[0] == "options.hidden"
    assert "batch_size" in fields(CONFIG)
    assert "seed" not in fields(CONFIG)


@settings(deadline=None)
@given(st.lists(st.tuples(accuracies, accuracies), min_size=2, max_size=20))
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    first, second = np.array(pairs, dtype=np.float64).T
    found = paired_difference(first.tolist(), second.tolist())
    assert found.mean == pytest.approx((second - first).mean())
    if np.ptp(second - first) < 1e-9:
        return
    interval = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(interval))
    assert found.deviation == pytest.approx(np.std(second - first, ddof=1))
    assert found.is_distinguishable == (stats.ttest_rel(second, first).pvalue < 0.05)


def test_a_single_pair_has_no_spread():
    found = paired_difference([0.5], [0.75])
    assert (found.n, found.mean, found.deviation, found.low, found.high) == (1, 0.25, None, None, None)
    assert not found.is_distinguishable


def test_the_same_difference_every_time_is_certain():
    found = paired_difference([0.5, 0.25], [0.75, 0.5])
    assert (found.low, found.high) == (0.25, 0.25)
    assert found.is_distinguishable
