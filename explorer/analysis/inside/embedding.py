"""Images as points on a map: what a network makes of them before its last layer, in two dimensions."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DENSE = 64
"""Up to so many rows or columns a matrix is decomposed as a whole."""
REDUCED = 50
"""Principal components that t-SNE is given, as its authors do."""
ROUND, ROUNDS = 250, 4
"""Steps of t-SNE at a time, and how many times: a thousand steps, the usual number."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """Points in the plane.

    Attributes
    ----------
    points : ndarray
        float64, shape (N, 2).
    explained : tuple of float or None
        For PCA the share of the variance along each axis; NaN without any variance. None for t-SNE.
    steps : int
        Steps that t-SNE has made; 0 for PCA.
    complete : bool
        Whether it has made all of them, or time ran out before.
    """

    points: FloatArray
    explained: tuple[float, float] | None = None
    steps: int = 0
    complete: bool = True


def pca(features: NDArray[np.floating]) -> Embedding:
    """Project points onto their first two principal components.

    Parameters
    ----------
    features : ndarray
        Shape (N, D).

    Returns
    -------
    Embedding
        The signs of the axes are such that the largest entry of each component is positive.
    """
    centred = np.asarray(features, dtype=np.float64)
    centred = centred - centred.mean(axis=0) if len(centred) else centred
    components = _components(centred, 2)
    points = np.zeros((len(centred), 2))
    points[:, : len(components)] = centred @ components.T
    total = float((centred**2).sum())
    shares = (points**2).sum(axis=0) / total if total else np.full(2, np.nan)
    return Embedding(points, (float(shares[0]), float(shares[1])))


def tsne(
    features: NDArray[np.floating],
    *,
    perplexity: float = 30.0,
    seconds: float = 60.0,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Embedding:
    """Lay points out so that neighbours stay neighbours (t-SNE, by scikit-learn).

    L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", Journal of Machine Learning Research 9 (2008). The
    features are first reduced to 50 principal components. The layout begins with the first two, so that groups lie
    about where PCA puts them, and with noise as large, so that another seed gives another layout.

    Parameters
    ----------
    features : ndarray
        Shape (N, D), N at least 4.
    perplexity : float
        About how many neighbours each point has; lower where there are too few points for it.
    seconds : float
        After this time no further round of 250 steps is begun.
    seed : int
        Of the noise with which the layout begins.
    progress : callable, optional
        Called after each round with the share that is done, in (0, 1]; what it raises ends the work.

    Raises
    ------
    ValueError
        There are fewer than four points.
    """
    from sklearn.manifold import TSNE

    if len(features) < 4:
        raise ValueError("t-SNE needs at least four points")
    centred = np.asarray(features, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    reduced = centred @ _components(centred, REDUCED).T
    layout = pca(features).points
    noise = np.random.default_rng(seed).normal(size=layout.shape)
    layout = (layout / (layout[:, 0].std() or 1.0) + noise) * 1e-4
    end, done = time.monotonic() + seconds, 0
    for number in range(1, ROUNDS + 1):
        method = TSNE(
            perplexity=min(perplexity, (len(features) - 1) / 3),
            early_exaggeration=12.0 if number == 1 else 1.0,
            max_iter=ROUND,
            init=layout,
        )
        layout = method.fit_transform(reduced).astype(np.float64)
        done += ROUND
        if progress is not None:
            progress(number / ROUNDS)
        if time.monotonic() > end:
            break
    return Embedding(layout, steps=done, complete=done == ROUND * ROUNDS)


def _components(centred: FloatArray, count: int) -> FloatArray:
    """Return the first right singular vectors, float64, shape (at most count, D)."""
    from scipy.sparse.linalg import svds

    smaller = min(centred.shape)
    if not smaller or not centred.any():
        return np.zeros((min(count, smaller), centred.shape[1]))
    if smaller <= max(DENSE, count + 1):
        vectors = np.linalg.svd(centred, full_matrices=False)[2][:count]
    else:
        start = np.random.default_rng(0).normal(size=smaller)
        _, values, vectors = svds(centred, k=count, v0=start)
        vectors = vectors[np.argsort(-values)]
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])
    found: FloatArray = vectors * np.where(signs == 0, 1, signs)[:, None]
    return found
