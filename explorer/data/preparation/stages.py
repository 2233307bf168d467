"""The types of the preparation pipeline: which steps there are, which are taken, and what each led to."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from explorer.data import catalog
from explorer.data.preparation.steps import Grey, Pixels
from explorer.errors import ImageError


@dataclass(frozen=True)
class PreparationRecipe:
    """How a data set places its subject.

    Attributes
    ----------
    box : int
        Longer side of the subject after scaling, in pixels.
    by_mass : bool
        Centre by the centre of mass instead of the middle of the box.
    photographed : bool
        The set was made from photographs, leaving out pixels instead of averaging, and sharpening outlines.
    tolerance : float
        What a crop of a photograph takes for the ground beside the subject, as a share of the strongest ink. Scans
        were black and white, so an outline that has become soft lies near the half; what is fainter than a fifth is
        blur. Of the garments it is the paper's measure of closeness.
    """

    box: int
    by_mass: bool
    photographed: bool
    tolerance: float


DIGITS = PreparationRecipe(box=20, by_mass=True, photographed=False, tolerance=0.2)
GARMENTS = PreparationRecipe(box=28, by_mass=False, photographed=True, tolerance=0.05)


def recipe_for(dataset: str) -> PreparationRecipe:
    """Return the recipe of a data set, for drawings that of their classes; an unknown one is filled like garments."""
    return DIGITS if catalog.base(dataset) == "mnist" else GARMENTS


class Normalisation(NamedTuple):
    """What a model subtracts from pixels in [0, 1], and by what it divides the rest."""

    mean: float
    std: float


def normalisation_of(dataset: str) -> Normalisation | None:
    """Return the mean and deviation of a data set's training pixels; None where it is not known."""
    if catalog.base(dataset) not in catalog.names():
        return None
    spec = catalog.get(catalog.base(dataset))
    return Normalisation(spec.mean, spec.std)


@dataclass(frozen=True)
class Steps:
    """Which steps are taken. Each can be left out, to see what it is good for; some pictures need only a few.

    Attributes
    ----------
    grey : bool
        Colour becomes grey. Without it the first channel, red, is taken for the picture.
    ground : bool
        A photograph's uneven light and grain are evened out; of digits the lines of ruled or squared paper go, too.
    polarity : bool
        The ink becomes light and the ground black. Without it a photograph stays as it is; a drawing, which is light
        on dark from the start, is turned round, as it would arrive from paper.
    crop : bool
        Empty space around the ink is cut away.
    stroke : bool
        The stroke of a digit that is wider or thinner than in MNIST is brought to its width.
    fill : bool
        The outline of a garment that is drawn is filled.
    scale : bool
        The longer side is brought to the recipe's length. Without it both sides are stretched over all 28 pixels.
    sharpen : bool
        Outlines are sharpened, of photographs in the garments' recipe.
    contrast : bool
        The brightest pixel becomes 255.
    centre : bool
        The subject goes to the middle. Without it it stays where it was, as far as it fits.
    normalise : bool
        The model subtracts the mean and divides by the deviation. Without it the image is replaced by one that, after
        the model's own normalisation, equals the image not normalised.
    """

    grey: bool = True
    ground: bool = True
    polarity: bool = True
    crop: bool = True
    stroke: bool = True
    fill: bool = True
    scale: bool = True
    sharpen: bool = True
    contrast: bool = True
    centre: bool = True
    normalise: bool = True

    def without(self, *names: str) -> "Steps":
        """Return the same with some steps left out.

        Raises
        ------
        ValueError
            There is no such step.
        """
        if unknown := set(names) - set(STEP_NAMES):
            raise ValueError(f"no such step: {', '.join(sorted(unknown))}")
        return replace(self, **dict.fromkeys(names, False))


STEP_NAMES = tuple(field.name for field in fields(Steps))
ALL = Steps()


@dataclass(frozen=True, eq=False)
class PreparationStep:
    """One stage on the way.

    Attributes
    ----------
    name : str
        One of `STEP_NAMES`, or `source` or `cells`, which cannot be left out.
    title, explanation : str
        For people: what was done and why, or what being left out means. Plain text.
    picture : uint8 ndarray (H, W) or (H, W, 3)
        After it.
    taken : bool
        Whether the step was taken.
    """

    name: str
    title: str
    explanation: str
    picture: Pixels
    taken: bool = True


@dataclass(frozen=True, eq=False)
class Prepared:
    """The image for the model, uint8 (28, 28), light on dark, and the stages that led to it."""

    image: Grey
    steps: tuple[PreparationStep, ...]

    @property
    def optional(self) -> tuple[str, ...]:
        """The steps of this way that can be left out, in order."""
        return tuple(step.name for step in self.steps if step.name in STEP_NAMES)


def each_left_out(prepare: Callable[[Steps], Prepared], steps: Steps = ALL) -> dict[str, Grey]:
    """Prepare the same picture once for every step of its way that was taken, with that one left out.

    Parameters
    ----------
    prepare : callable
        Prepares the picture with the given steps.
    steps : Steps
        What is taken otherwise.

    Returns
    -------
    dict of str to uint8 ndarray (28, 28)
        By name of the step, in order; one without which nothing can be made of the picture is missing.

    Raises
    ------
    ImageError
        The picture cannot be prepared with the steps as given.
    """
    images = {}
    for name in prepare(steps).optional:
        if getattr(steps, name):
            try:
                images[name] = prepare(steps.without(name)).image
            except ImageError:
                continue
    return images


def washed_out(image: Grey, normalisation: Normalisation) -> Grey:
    """Return what, normalised, equals the image in [0, 1] not normalised, to within half a grey level."""
    mean, std = normalisation
    result: Grey = np.clip(np.round(255 * (image / 255.0 * std + mean)), 0, 255).astype(np.uint8)
    return result
