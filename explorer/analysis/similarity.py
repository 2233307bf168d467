"""An order of the classes in which those that are confused stand side by side."""

from __future__ import annotations

import numpy as np

from explorer.analysis.confusion import ConfusionMatrix


def similar_order(matrix: ConfusionMatrix) -> tuple[int, ...]:
    """Order the classes by how often they are confused.

    Two classes are the more alike, the larger the shares of each that are taken for the other. The classes are
    clustered by that (average linkage), and the leaves of the tree ordered so that neighbours are as alike as the tree
    allows (Bar-Joseph, Gifford & Jaakkola, Bioinformatics 17, 2001).

    Parameters
    ----------
    matrix : ConfusionMatrix

    Returns
    -------
    tuple of int
        The numbers of the classes; as they are where nothing is confused. Of an order and its reverse, the one that
        begins with the lower number.
    """
    size = len(matrix.classes)
    if size < 3 or not matrix.off_diagonal.any():
        return tuple(range(size))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = np.nan_to_num(matrix.by_row)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average", optimal_ordering=True)
    order = tuple(int(leaf) for leaf in leaves_list(tree))
    return min(order, order[::-1])
