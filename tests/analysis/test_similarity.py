import itertools

import numpy as np
import pytest

from explorer.analysis.evaluation.confusion import ConfusionMatrix, similar_order


def _matrix(counts):
    return ConfusionMatrix(np.array(counts), tuple("abcdefghij"[: len(counts)]))


def test_confused_classes_stand_side_by_side():
    """Two groups, mixed: 0, 2, 4 and 1, 3, 5; within each the one in the middle is confused with both others."""
    counts = 100 * np.eye(6, dtype=int)
    for first, second, times in [(0, 4, 30), (4, 2, 30), (1, 3, 20), (3, 5, 25), (0, 2, 5), (2, 1, 2)]:
        counts[first, second] += times
    order = similar_order(_matrix(counts))
    assert sorted(order) == list(range(6))
    assert {order[:3], order[3:]} <= {(0, 4, 2), (2, 4, 0), (1, 3, 5), (5, 3, 1)}
    assert order[0] < order[-1]


def test_no_order_that_keeps_the_tree_has_nearer_neighbours():
    """Of three classes every order but those with the closest pair apart keeps the tree."""
    matrix = _matrix([[80, 15, 5], [2, 90, 8], [10, 0, 90]])
    shares = matrix.by_row

    def alike(order):
        return sum(shares[i, j] + shares[j, i] for i, j in itertools.pairwise(order))

    assert alike(similar_order(matrix)) == pytest.approx(max(map(alike, itertools.permutations(range(3)))))


def test_shares_count_and_not_numbers():
    """Class 0 has few images, half of which are taken for class 3."""
    counts = [[5, 0, 0, 5], [0, 900, 50, 0], [0, 0, 1000, 0], [0, 60, 0, 940]]
    order = similar_order(_matrix(counts))
    assert abs(order.index(0) - order.index(3)) == 1


@pytest.mark.parametrize(
    "counts",
    [np.diag([3, 4, 5, 6]), np.zeros((4, 4), dtype=int), [[3, 1], [2, 2]], [[7]]],
)
def test_where_nothing_can_be_ordered_the_order_stays(counts):
    assert similar_order(_matrix(counts)) == tuple(range(len(counts)))


def test_absent_classes_are_no_difficulty():
    assert sorted(similar_order(_matrix([[4, 1, 0], [0, 0, 0], [0, 2, 3]]))) == [0, 1, 2]
