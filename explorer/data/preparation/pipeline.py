"""The preparation pipeline: from a drawing or photograph to 28x28, one stage after the other."""

import numpy as np

from explorer.data.preparation import steps as preparation_steps
from explorer.data.preparation import texts
from explorer.data.preparation.pictures import read_image, read_picture
from explorer.data.preparation.stages import (
    ALL,
    Normalisation,
    PreparationRecipe,
    PreparationStep,
    Prepared,
    Steps,
    each_left_out,
    normalisation_of,
    recipe_for,
    washed_out,
)
from explorer.data.preparation.steps import (
    FIELD,
    Grey,
    Pixels,
    average_cells,
    centred_corner,
    filled,
    fit,
    fitted,
    frame,
    ink_box,
    plain,
    put,
    resize,
    sharpen,
    stretch,
    to_grey,
    width,
)
from explorer.errors import ImageError

EMPTY = "The canvas is empty. Draw something first."

_ALIKE = 8
_BLACK = 16
_WHITE = 250


class _Pipeline:
    """The stages so far. Every method adds one, except `place`, which adds those that bring ink to size and place."""

    def __init__(self, recipe: PreparationRecipe, steps: Steps, normalisation: Normalisation | None) -> None:
        self.recipe, self.steps, self.normalisation = recipe, steps, normalisation
        self.stages: list[PreparationStep] = []

    @property
    def image(self) -> Grey:
        return self.stages[-1].picture

    def add(self, name: str, explanation: str, picture: Pixels) -> None:
        taken = bool(getattr(self.steps, name, True))
        self.stages.append(PreparationStep(name, texts.TITLES[name], explanation, picture, taken))

    def begin(self, picture: Pixels, drawn: bool) -> None:
        title = "Your drawing" if drawn else "Your picture"
        self.stages.append(PreparationStep("source", title, texts.source(drawn, self.recipe, picture.shape), picture))

    def make_grey(self) -> None:
        picture, coloured = self.image, self.image.ndim == 3
        if coloured:
            picture = to_grey(picture) if self.steps.grey else np.ascontiguousarray(picture[..., 0])
        self.add("grey", texts.grey(self.steps.grey, coloured), picture)

    def average_cells(self) -> None:
        cells = average_cells(self.image)
        if not cells.any():
            raise ImageError(EMPTY)
        self.add("cells", texts.cells(self.image.shape[0] // FIELD), cells)

    def even_out(self) -> None:
        before, taken = self.image, self.steps.ground
        even = preparation_steps.even_out(before, self.recipe.photographed) if taken else before
        after = preparation_steps.without_rulings(even) if taken and not self.recipe.photographed else even
        self.add("ground", texts.ground(taken, even is not before, after is not even), after)

    def turn_drawing(self) -> None:
        taken = self.steps.polarity
        self.add("polarity", texts.polarity(taken, True, False), self.image if taken else 255 - self.image)

    def turn_photo(self) -> None:
        evened = self.image is not self.stages[-2].picture
        ink, turned = preparation_steps.lift(self.image, self.recipe.photographed, evened)
        taken = self.steps.polarity
        self.add("polarity", texts.polarity(taken, False, turned), ink if taken else self.image)

    def turn_small(self) -> None:
        image, taken = self.image, self.steps.polarity
        if image.min() == image.max():
            raise ImageError(plain(image))
        ink, turned = _small_ink(image)
        self.add("polarity", texts.polarity(taken, False, turned), ink if taken else image)

    def place(self, photo: bool) -> None:
        """Crop, bring the stroke to its width or fill it, scale, stretch, sharpen and centre."""
        recipe, steps, whole = self.recipe, self.steps, self.image.shape
        box = ink_box(self.image, recipe.tolerance if photo else 0.0) if steps.crop else np.s_[: whole[0], : whole[1]]
        self.add("crop", texts.crop(steps.crop, whole, _shape(box)), self.image[box])
        if not recipe.photographed:
            before = self.image
            after = fitted(before) if steps.stroke else before
            self.add("stroke", texts.stroke(steps.stroke, width(before), width(after)), after)
        elif not photo:
            before = self.image
            after = filled(before) if steps.fill else before
            self.add("fill", texts.fill(steps.fill, after is not before), after)
        left_out = photo and recipe.photographed
        before, skipped = self.image, left_out
        size = self._sized(skipped)
        if not size.any():  # a hair fell between the rows that were kept
            skipped = False
            size = self._sized(skipped)
        self.add("scale", texts.scale(steps.scale, recipe, skipped, size.shape, before.shape), size)
        peak = int(self.image.max())
        self.add(
            "contrast", texts.contrast(steps.contrast, peak), stretch(self.image) if steps.contrast else self.image
        )
        if left_out:
            self.add("sharpen", texts.sharpen(steps.sharpen), sharpen(self.image) if steps.sharpen else self.image)
        corner = centred_corner(self.image, recipe.by_mass) if steps.centre else _kept_corner(self.image, box, whole)
        self.add("centre", texts.centre(steps.centre, recipe), put(self.image, corner))

    def _sized(self, left_out: bool) -> Grey:
        if not self.steps.scale:
            return resize(self.image, (FIELD, FIELD), left_out)
        return fit(self.image, self.recipe.box, left_out)

    def end(self) -> Prepared:
        if self.normalisation is not None:
            taken = self.steps.normalise
            image = self.image if taken else washed_out(self.image, self.normalisation)
            self.add("normalise", texts.normalise(taken, self.normalisation), image)
        return Prepared(self.image, tuple(self.stages))


def _small_ink(image: Grey) -> tuple[Grey, bool]:
    """Return the ink of a 28x28 image light on dark, and whether it was dark."""
    corners = preparation_steps.corners(image)
    if int(corners.max()) - int(corners.min()) <= _ALIKE and corners.min() > _BLACK:
        ink, turned = preparation_steps.lift(image, by_corners=True)
        return (ink if ink.max() >= _WHITE else stretch(ink)), turned
    if corners.min() > 128 and np.median(frame(image)) > 128:
        return 255 - image, True
    return image, False


def _shape(box: tuple[slice, slice]) -> tuple[int, int]:
    return box[0].stop - (box[0].start or 0), box[1].stop - (box[1].start or 0)


def _kept_corner(image: Grey, box: tuple[slice, slice], whole: tuple[int, ...]) -> tuple[int, int]:
    """Return the corner that leaves the middle of the image where the middle of its box was in the whole."""
    rows, columns = (
        round(FIELD * ((part.start or 0) + part.stop) / 2 / side - length / 2)
        for part, side, length in zip(box, whole, image.shape, strict=True)
    )
    return int(np.clip(rows, 0, FIELD - image.shape[0])), int(np.clip(columns, 0, FIELD - image.shape[1]))


__all__ = [
    "ALL",
    "EMPTY",
    "Normalisation",
    "PreparationRecipe",
    "PreparationStep",
    "Prepared",
    "Steps",
    "each_left_out",
    "prepare_drawing",
    "prepare_photo",
    "read_image",
    "read_picture",
    "recipe_for",
]


def prepare_drawing(
    pixels: Grey,
    dataset: str,
    placed: bool = False,
    steps: Steps = ALL,
    normalisation: Normalisation | None = None,
) -> Prepared:
    """Prepare a drawing with light ink on a dark ground.

    Parameters
    ----------
    pixels : uint8 ndarray (S, S)
        S a multiple of 28 when `placed`.
    dataset : str
        Whose recipe to follow.
    placed : bool
        Keep size, place and grey levels: the drawing began as an image of the set. Each cell is averaged; of the
        steps only polarity and normalisation are left.
    steps : Steps
        Which steps to take; all by default.
    normalisation : Normalisation, optional
        The model's own; by default the data set's.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        There is no ink, or the array is no grey image.
    """
    _check(pixels, channels=False)
    if not pixels.any():
        raise ImageError(EMPTY)
    pipeline = _Pipeline(recipe_for(dataset), steps, normalisation or normalisation_of(dataset))
    pipeline.begin(pixels, drawn=True)
    if placed:
        pipeline.average_cells()
    pipeline.turn_drawing()
    if not placed:
        pipeline.place(photo=False)
    return pipeline.end()


def prepare_photo(
    picture: Pixels,
    dataset: str,
    steps: Steps = ALL,
    normalisation: Normalisation | None = None,
) -> Prepared:
    """Prepare a photograph, a scan or any other picture, of dark ink on light ground or the reverse.

    A 28x28 image on a black ground is one of a set and stays as it is; on another ground the ink is only made light.
    (Of the 140,000 images in both sets none has four corners that are alike and above 16, or four light corners.)

    Parameters
    ----------
    picture : uint8 ndarray (H, W) or (H, W, 3)
    dataset : str
        Whose recipe to follow.
    steps : Steps
        Which steps to take; all by default.
    normalisation : Normalisation, optional
        The model's own; by default the data set's.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        The picture is plain, or the array is no image.
    """
    _check(picture, channels=True)
    pipeline = _Pipeline(recipe_for(dataset), steps, normalisation or normalisation_of(dataset))
    pipeline.begin(picture, drawn=False)
    pipeline.make_grey()
    if pipeline.image.shape == (FIELD, FIELD):
        pipeline.turn_small()
    else:
        pipeline.even_out()
        pipeline.turn_photo()
        pipeline.place(photo=True)
    return pipeline.end()


def _check(image: Pixels, channels: bool) -> None:
    shaped = image.ndim == 2 or (channels and image.ndim == 3 and image.shape[2] == 3)
    if not shaped or image.dtype != np.uint8 or not image.size:
        raise ImageError("A picture is an array of grey levels from 0 to 255 with two dimensions.")
