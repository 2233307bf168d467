"""What is said of the steps from a picture to 28x28, for a student in the first course. Plain text."""

from explorer.data.preparation.stages import Normalisation, PreparationRecipe
from explorer.data.preparation.steps import THICK, THIN

WHITE = 255
GROWN = "As it was smaller, the pixels between are interpolated."

TITLES = {
    "cells": "28 × 28 cells",
    "grey": "Grey",
    "ground": "Even ground",
    "polarity": "Light ink on dark",
    "crop": "Cropped",
    "stroke": "Stroke",
    "fill": "Outline filled",
    "scale": "Scaled",
    "sharpen": "Sharpened",
    "contrast": "Full contrast",
    "centre": "Centred",
    "normalise": "Normalised",
}

_OFF = {
    "grey": "Left out: of red, green and blue only the first is read, a common slip. Red ink on white then disappears.",
    "ground": "Left out: shadows, grain and printed lines stay, and may be taken for ink.",
    "crop": "Left out: the empty space stays, so a small subject stays small.",
    "stroke": "Left out: the stroke keeps its width. Once small, a broad brush closes holes and a fine pen fades.",
    "fill": "Left out: an outline stays empty. The garments that the model knows are of cloth, not of lines.",
    "scale": "Left out: both sides are stretched over all 28 pixels, so a narrow subject becomes a wide one.",
    "sharpen": "Left out: outlines stay softer than in the data set.",
    "contrast": "Left out: ink that is faint stays faint. The model has hardly seen any such image.",
    "centre": "Left out: the subject stays where it was, as far as it fits. The model knows it in the middle.",
}


def source(drawn: bool, recipe: PreparationRecipe, shape: tuple[int, ...]) -> str:
    """Say what the picture is, and what no preparation can put right."""
    size = f"{shape[1]:,} × {shape[0]:,} pixels"
    if not recipe.photographed:
        kind = "The drawing" if drawn else "The picture"
        return (
            f"{kind} as it is: {size}. MNIST was scanned from forms that people filled in with a pen or pencil: the "
            "paper and the hand of those writers cannot be restored."
        )
    if drawn:
        return (
            f"The drawing as it is: {size}. Fashion-MNIST was made from studio photographs, 51 × 73 pixels each, of "
            "one product from the front. Their fabric, folds and light are not in a drawing and cannot be put back; a "
            "filled shape comes nearer than an outline."
        )
    return (
        f"The picture as it is: {size}. Fashion-MNIST was made from studio photographs, 51 × 73 pixels each, of one "
        "product from the front on a very light ground. A person who wears it, another product beside it or a view "
        "from the side cannot be taken away; white products are not in the set at all."
    )


def cells(cell: int) -> str:
    """Say how a drawing that began as an image of the set is read."""
    return (
        f"The drawing began as an image of the data set, so size and place stay: each cell of {cell} × {cell} pixels "
        "is averaged to one."
    )


def grey(taken: bool, coloured: bool) -> str:
    """Say how colour becomes grey."""
    if not coloured:
        return "The picture has no colour already."
    if not taken:
        return _OFF["grey"]
    return (
        "The model has one input for each pixel, so red, green and blue become one grey level by how bright they look; "
        "or, where ink and ground look equally bright, by how far a colour lies between the two. The colour is lost."
    )


def ground(taken: bool, evened: bool, ruled: bool) -> str:
    """Say what is done to the ground: its light, and the lines printed on it."""
    if not taken:
        return _OFF["ground"]
    light = (
        "The light on the ground is estimated by a smooth surface and divided out; grain and small specks are removed. "
        "Ink fainter than the grain is lost with it, and the hard edge of a shadow stays."
    )
    lines = "The lines of ruled or squared paper are taken away; ink as faint as they, or along one of them, goes too."
    return " ".join([light] * evened + [lines] * ruled) or "The ground is even already."


def polarity(taken: bool, drawn: bool, turned: bool) -> str:
    """Say how light and dark are brought to the set's order."""
    if drawn:
        return (
            "The canvas draws light ink on a dark ground, as the data set has it. Nothing to do."
            if taken
            else "Turned round: dark ink on a light ground, as it would arrive from paper. The model has seen no such "
            "image."
        )
    if not taken:
        return "Left out: light and dark stay as they are in the picture."
    done = "It was the other way round and is negated." if turned else "It was so already; the ground becomes black."
    return f"In the data set the subject is light (255) and the ground black (0). {done}"


def crop(taken: bool, before: tuple[int, int], after: tuple[int, int]) -> str:
    """Say what is cut away."""
    if not taken:
        return _OFF["crop"]
    if before == after:
        return "Empty rows and columns around the ink would be cut away, but there are none."
    return (
        f"Empty rows and columns around the ink are cut away: of {before[1]} × {before[0]} pixels "
        f"{after[1]} × {after[0]} are left. Place and size on the picture no longer matter, nor can the model use them."
    )


def stroke(taken: bool, before: float, after: float) -> str:
    """Say what is done to the stroke; the widths are what `explorer.data.preparation.steps.width` has measured."""
    if not taken:
        return _OFF["stroke"]
    measured = f"Where the longer side is 20 pixels, the stroke is {before:.1f} wide"
    if after == before:
        if THIN <= before <= THICK:
            return f"{measured}. Of 100 digits of MNIST 95 are at most {THICK} wide and 99 at least {THIN}; it stays."
        other = "wider than in 95" if before > THICK else "thinner than in 99"
        return f"{measured}, {other} of 100 digits of MNIST; it stays so, as it is too small, or would tear or close."
    if after < before:
        return (
            f"{measured}, wider than in 95 of 100 digits of MNIST. It is made {after:.1f} wide, evenly from all sides. "
            "MNIST itself needed no such step; details that a broad brush has covered cannot be restored."
        )
    return (
        f"{measured}, thinner than in 99 of 100 digits of MNIST. It is made {after:.1f} wide, evenly on all sides: "
        "once the digit is small, so fine a line would be a faint one."
    )


def fill(taken: bool, changed: bool) -> str:
    """Say what is done to an outline."""
    if not taken:
        return _OFF["fill"]
    if not changed:
        return "Filled already, or no closed outline: nothing to fill."
    return (
        "What the outline encloses is filled with light grey, as in the data set garments are of cloth and not of "
        "lines. Holes inside, as under a handle, are filled too: leave the step out and use the tool Fill instead."
    )


def scale(
    taken: bool, recipe: PreparationRecipe, left_out: bool, after: tuple[int, int], before: tuple[int, int]
) -> str:
    """Say how the subject comes to its size."""
    if not taken:
        return _OFF["scale"]
    size = f"{after[1]} × {after[0]} pixels"
    grown = max(after) > max(before)
    if not recipe.photographed:
        return (
            f"The digit is fitted into {recipe.box} × {recipe.box} pixels as in MNIST, keeping its proportions: now "
            f"{size}. {GROWN if grown else 'Each pixel is the average of what it covers, which makes soft outlines.'} "
            "MNIST's own filter is not published, so its exact greys cannot be restored."
        )
    if grown:
        how = GROWN
    elif left_out:
        how = "As in the paper, rows and columns are skipped over instead of averaged; which ones is not known."
    else:
        how = "Pixels are averaged."
    return f"The longer side is brought to {recipe.box} pixels as in Fashion-MNIST, the item filling it: {size}. {how}"


def sharpen(taken: bool) -> str:
    """Say how outlines are sharpened."""
    if not taken:
        return _OFF["sharpen"]
    return (
        "Outlines are sharpened with a Gaussian of standard deviation 1, more the stronger the outline. The paper "
        "names the operator, not the program, so the set's own greys are met nearly, not exactly."
    )


def contrast(taken: bool, peak: int) -> str:
    """Say how the brightest pixel becomes white."""
    if not taken:
        return _OFF["contrast"]
    if peak == WHITE:
        return "The brightest level would be brought to 255, which it is (or 254) in every image of the set; it is so."
    return (
        f"All levels are multiplied so that the brightest, {peak}, becomes 255, which it is (or 254) in every image "
        "of the set. How hard the pen was pressed is lost."
    )


def centre(taken: bool, recipe: PreparationRecipe) -> str:
    """Say where the subject goes."""
    if not taken:
        return _OFF["centre"]
    if recipe.by_mass:
        return "The centre of mass of the ink goes to the middle of 28 × 28 pixels, by whole pixels, as in MNIST."
    return "The item goes to the middle of 28 × 28 pixels, and the shorter side is filled up with black."


def normalise(taken: bool, normalisation: Normalisation) -> str:
    """Say what the model does first."""
    mean, std = normalisation
    if taken:
        return (
            f"Levels count from 0 to 1. As in its training, the model subtracts {mean:.3f}, usually the mean of the "
            f"training pixels, and divides by {std:.3f}, usually their standard deviation. The picture looks the same, "
            "but black is now "
            f"{-mean / std:.2f} and white {(1 - mean) / std:.2f}."
        )
    return (
        f"Left out: black stays 0 and white 1, where the model expects {-mean / std:.2f} and "
        f"{(1 - mean) / std:.2f}. To the model that is this pale picture on a grey ground."
    )
