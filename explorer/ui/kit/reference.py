"""What a model is used to: from when on an input is none of its classes, and how far its confidence can be trusted.

Both are learnt from 2,000 validation images beside the page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.ui.kit import background
from explorer.ui.kit.background import Job
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.numbers import percent
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from torch import nn

    from explorer.analysis.drawings.out_of_distribution import OutOfDistribution, OutOfDistributionDetector
    from explorer.store.checkpoints import Checkpoint

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
FEWEST = 20
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Trust:
    """How often a model is right when it is about as confident as now.

    Attributes
    ----------
    low, high : float
        The range of confidence.
    right, of : int
        Of so many validation images in the range, so many were classified correctly.
    """

    low: float
    high: float
    right: int
    of: int


@dataclass(frozen=True, eq=False)
class Known:
    """What the validation images say of a model.

    Attributes
    ----------
    detector : OutOfDistributionDetector
    confidence : ndarray
        float64, shape (N,): probability of the predicted class of each of them.
    correct : ndarray
        bool, shape (N,).
    """

    detector: "OutOfDistributionDetector"
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]

    def judge(self, logits: NDArray[np.float64], image: NDArray[np.uint8]) -> "OutOfDistribution":
        """Say whether an image (H, W) is unlike all that the model knows; whoever asks again gets the same answer."""
        return _judged(self.detector, logits.tobytes(), image.tobytes(), image.shape)

    def trust(self, confidence: float) -> Trust | None:
        """Return how often the model is right at such a confidence; None where too few images tell."""
        place = min(int(np.searchsorted(EDGES, confidence, side="right")) - 1, len(EDGES) - 2)
        low, high = EDGES[place], EDGES[place + 1]
        inside = (self.confidence >= low) & ((self.confidence < high) | (high == EDGES[-1]))
        if int(inside.sum()) < FEWEST:
            return None
        return Trust(low, high, int(self.correct[inside].sum()), int(inside.sum()))


def job(checkpoint: "Checkpoint", dataset: str) -> Job:
    """Return the work that finds out, begun where it is new; its result is a `Known`."""
    network, own = classifier(checkpoint), _set(checkpoint, dataset)
    key = ("known", checkpoint.digest, catalog.get(own).checksum)
    background.job("warm-up", lambda: _warm_up(network))
    return background.job(key, lambda: _learn(checkpoint, own, network))


def of(checkpoint: "Checkpoint", dataset: str) -> Known | None:
    """Return what is known of a model; None while it is being found out, or where that failed.

    Parameters
    ----------
    checkpoint : Checkpoint
    dataset : str
        The set that its inputs are prepared like; one that the checkpoint was trained on goes before it.
    """
    result = job(checkpoint, dataset).result
    return result if isinstance(result, Known) else None


def show(
    checkpoint: "Checkpoint", dataset: str, logits: NDArray[np.float64], image: NDArray[np.uint8], picture: bool
) -> None:
    """Say whether an image is none of the classes, or that this is being found out.

    Parameters
    ----------
    checkpoint, dataset
        As for `of`.
    logits : ndarray
        float64, shape (C,).
    image : ndarray
        uint8, shape (H, W).
    picture : bool
        Whether it comes from a picture that the user brought; how well the model does on such is then said too.
    """
    if picture and (about := about_pictures(checkpoint)):
        st.caption(about)
    learnt = of(checkpoint, dataset)
    if learnt is None:
        missing(checkpoint, dataset)
        return
    novelty = learnt.judge(logits, image)
    confidence = 1 / float(np.exp(logits - logits.max()).sum())
    st.markdown(strange_why(novelty, confidence) if novelty.novel else f":small[{familiar(novelty)}]")


def about_pictures(checkpoint: "Checkpoint") -> str:
    """Say how well a model does on pictures from elsewhere, and on the test images; empty where that is not known."""
    from explorer.analysis.evaluation.prediction_files import load_pictures

    found, test = load_pictures(checkpoint), checkpoint.metrics.get("test_accuracy")
    if found is None or not isinstance(test, float) or found[0] / found[1] >= test:
        return ""
    return (
        f"Photographs are harder than the test set: of {found[1]} pictures from elsewhere this model got {found[0]} "
        f"right ({percent(found[0] / found[1])}), of the test images {percent(test)}."
    )


def missing(checkpoint: "Checkpoint", dataset: str) -> None:
    """Say why it is not known what a model is used to, or wait for it."""
    found = job(checkpoint, dataset)
    if found.is_over:
        st.caption(markdown(found.problem or ""))
    else:
        _wait(found)


@st.fragment(run_every=POLL_SECONDS)
def _wait(found: Job) -> None:
    """Renew the page once the validation images have been looked at."""
    st.caption("Looking at validation images, to tell what the model is used to and what its confidence is worth …")
    if found.is_over:
        st.rerun()


def strange(novelty: "OutOfDistribution") -> str:
    """Say in few words that an input is none of the classes."""
    return (
        f":orange-badge[:material/help: None of these?] It is less like the training images than "
        f"{_share(novelty.percentile)} of the validation images."
    )


def strange_why(novelty: "OutOfDistribution", confidence: float) -> str:
    """Say why an input counts as none of the classes, and what its confidence is worth then."""
    why = " and ".join(_reasons(novelty)) or f"all checks together put it beyond {_limit()}"
    return (
        f":orange-badge[:material/help: None of these?] It is unlike anything in training: {why}. The "
        f"{percent(confidence)} only compare the classes with each other; they do not say that it is one of them."
    )


def familiar(novelty: "OutOfDistribution") -> str:
    """Say that an input is like what the model knows."""
    return (
        f"It looks like something the model knows: {_share(novelty.percentile)} of the validation images are more like "
        f"the training images. Beyond {_limit()} it would say “none of these”."
    )


def _reasons(novelty: "OutOfDistribution") -> Iterator[str]:
    for cause in novelty.causes:
        share = f"{_share(novelty.percentiles[cause])} of the validation images"
        match cause:
            case "energy":
                yield f"its outputs are lower than for {share}"
            case "distance":
                yield f"its pixels are further from the training images than those of {share}"
            case "outlines":
                yield f"its outlines are less like those of the predicted class than for {share}"
            case _:
                yield f"{percent(novelty.values[cause])} of its ink lies apart from the rest, more than in {share}"


def _limit() -> str:
    from explorer.analysis.drawings.out_of_distribution import KNOWN

    return percent(KNOWN)


def _share(percentile: float) -> str:
    """Write a percentile of a sample, which cannot tell all from nearly all."""
    return "more than 99.9%" if percentile > 99.9 else percent(percentile / 100)


def _set(checkpoint: "Checkpoint", dataset: str) -> str:
    own = catalog.base(checkpoint.dataset or dataset)
    return own if own in catalog.names() else dataset


@lru_cache(maxsize=64)
def _judged(
    detector: "OutOfDistributionDetector", logits: bytes, image: bytes, shape: tuple[int, ...]
) -> "OutOfDistribution":
    return detector.judge(np.frombuffer(logits, np.float64), np.frombuffer(image, np.uint8).reshape(shape))


def _warm_up(network: "nn.Module") -> None:
    """Load what the first map of a drawing needs, so that no stroke waits for it."""
    import torch

    from explorer.analysis import attribution

    blank = torch.zeros(1, 1, 28, 28, device=next(network.parameters()).device)
    with computing():
        attribution.get("input-gradient").attribute(network, blank, torch.tensor([0]))


def _learn(checkpoint: "Checkpoint", dataset: str, network: "nn.Module") -> Known:
    from explorer.analysis.drawings.out_of_distribution import OutOfDistributionDetector, memory, sample

    found, images = sample(checkpoint, dataset, network, computing)
    return Known(
        OutOfDistributionDetector.from_predictions(found, images, memory(dataset)), found.confidence, found.correct
    )
