import copy

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from explorer.analysis.drawings.neighbours import features, nearest
from explorer.analysis.evaluation.predictions import predict, to_pixels
from explorer.errors import CheckpointError
from explorer.store.checkpoints import Classifier


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_the_nearest_are_those_of_scikit_learn(kind):
    random = np.random.default_rng(4)
    points = random.integers(0, 256, (1500, 28, 28)).astype(kind)
    queries = random.integers(0, 256, (5, 28, 28)).astype(kind)
    reference = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(points.reshape(1500, -1).astype(float))
    distances, rows = reference.kneighbors(queries.reshape(5, -1).astype(float))
    for query, expected_rows, expected in zip(queries, rows, distances, strict=True):
        found = nearest(query, points, 9)
        assert found.rows.tolist() == expected_rows.tolist()
        np.testing.assert_allclose(found.distances, expected, rtol=1e-9)


def test_the_distance_of_grey_levels_is_exact():
    black, white = np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8)
    one = white.copy()
    one[3, 4] = 254
    found = nearest(white, np.stack([black, white, one]), 3)
    assert found.rows.tolist() == [1, 2, 0]
    assert found.distances.tolist() == [0, 1, 255 * 28]


def test_equal_distances_keep_the_order_of_the_candidates():
    points = np.array([[5], [3], [5], [3], [4]], np.uint8)
    assert nearest(np.array([4], np.uint8), points, 5).rows.tolist() == [4, 0, 1, 2, 3]


def test_the_query_itself_can_be_left_out():
    points = np.arange(6, dtype=np.uint8)[:, None]
    assert nearest(points[2], points, 2, exclude=2).rows.tolist() == [1, 3]
    assert len(nearest(points[2], points, 99, exclude=2).rows) == 5


@pytest.mark.parametrize(("count", "k"), [(0, 3), (4, 0), (2, 5)])
def test_fewer_come_back_where_there_are_not_so_many(count, k):
    found = nearest(np.zeros(3), np.ones((count, 3)), k)
    assert len(found.rows) == len(found.distances) == min(count, k)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        nearest(np.zeros((28, 28), np.uint8), np.zeros((5, 784), np.uint8), 1)


class _Crossed(nn.Module):
    """A network whose last layer was made first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.last = nn.Linear(16, 10)
        self.first = nn.Linear(784, 16)
        self.drop = nn.Dropout(0.5)

    def forward(self, inputs):
        return self.last(self.drop(torch.relu(self.first(inputs.flatten(1)))))


@pytest.fixture
def crossed():
    return Classifier(_Crossed(), mean=0.3, std=0.35).train()


def test_features_are_what_the_last_layer_is_given(crossed, split):
    found = features(crossed, split.images, batch_size=7)
    assert (found.dtype, found.shape) == (np.float32, (40, 16))
    network = crossed.network
    with torch.no_grad():
        logits = (torch.tensor(found) @ network.last.weight.T + network.last.bias).numpy()
        direct = torch.relu(network.first((to_pixels(split.images).flatten(1) - 0.3) / 0.35)).numpy()
    np.testing.assert_allclose(found, direct, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, predict(crossed, split.images), rtol=1e-4, atol=1e-5)


def test_a_single_layer_is_given_the_normalised_pixels(linear, split):
    found = features(linear[0], split.images)
    np.testing.assert_allclose(found, (split.images.reshape(40, 784) / 255 - 0.3) / 0.25, rtol=1e-4, atol=1e-5)


def test_the_model_stays_as_it_was(crossed, split):
    before = copy.deepcopy(crossed.state_dict())
    features(crossed, split.images)
    assert crossed.training
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in crossed.modules())
    assert all(parameter.requires_grad for parameter in crossed.parameters())
    assert all(torch.equal(before[name], value) for name, value in crossed.state_dict().items())


def test_progress_is_told_up_to_the_end(crossed, split):
    told = []
    features(crossed, split.images, batch_size=15, progress=told.append)
    assert told == [15 / 40, 30 / 40, 1.0]
    assert features(crossed, split.images[:0]).shape == (0, 16)


def test_a_network_without_a_fully_connected_layer_is_refused(split):
    plain = Classifier(nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten()), mean=0.3, std=0.35)
    with pytest.raises(CheckpointError, match="no fully connected layer"):
        features(plain, split.images)
