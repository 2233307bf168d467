"""What the models see of the canvas, and what they say of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import streamlit as st

from explorer.analysis.output import Output
from explorer.data.colour import Pixels
from explorer.data.drawing import Normalisation, Prepared, Steps, prepare_drawing, prepare_photo
from explorer.data.placement import Grey
from explorer.ui import answers, canvas, sketch
from explorer.ui.canvas import Drawing
from explorer.ui.draw.models import Model


@dataclass(frozen=True, eq=False)
class Scene:
    """What the controls of the page say.

    Attributes
    ----------
    dataset : str
        Whose recipe prepares the drawing.
    models : tuple of Model
        The sidebar's first; all of the same classes.
    target : int or None
        What the drawing is meant to be.
    steps : Steps
        Which steps of the preparation are taken.
    """

    dataset: str
    models: tuple[Model, ...]
    target: int | None
    steps: Steps

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.models[0].checkpoint.classes

    @property
    def normalisation(self) -> Normalisation:
        """That of the first model."""
        return Normalisation(self.models[0].checkpoint.mean, self.models[0].checkpoint.std)


@dataclass(frozen=True, eq=False)
class View(Output):
    """What one model says of one image."""

    model: Model


@dataclass(frozen=True, eq=False)
class Sight:
    """The canvas as the models see it.

    Attributes
    ----------
    drawing : Drawing
    prepared : Prepared
        The way to the 28x28 image.
    prepare : callable
        Takes the same way with other steps.
    views : tuple of View
        One for each model of the scene.
    photo : bool
        Whether the way begins at a photo that the user brought, and not at the canvas.
    """

    drawing: Drawing
    prepared: Prepared
    prepare: Callable[[Steps], Prepared]
    views: tuple[View, ...]
    photo: bool

    @property
    def image(self) -> Grey:
        """What the models see, uint8 (28, 28)."""
        return self.prepared.image

    @property
    def first(self) -> View:
        """What the sidebar's model says."""
        return self.views[0]


class _Way(NamedTuple):
    prepare: Callable[[Steps], Prepared]
    photo: bool


def see(scene: Scene) -> Sight | None:
    """Look at the canvas with all models; None while it is empty.

    Raises
    ------
    ImageError
        Nothing can be made of the drawing with these steps.
    CheckpointError
        A model's outputs are not finite.
    """
    drawing = canvas.current(sketch.CANVAS)
    if drawing is None:
        return None
    way = _way(drawing, scene)
    prepared = way.prepare(scene.steps)
    views = tuple(View(answers.logits(model.checkpoint, prepared.image[None])[0], model) for model in scene.models)
    return Sight(drawing, prepared, way.prepare, views, way.photo)


def _way(drawing: Drawing, scene: Scene) -> _Way:
    origin = sketch.origin()
    photo = None if origin is None else origin.photo
    if photo is not None:
        digest = hashlib.sha256(photo.tobytes()).hexdigest() + str(photo.shape)
        mean, std = scene.normalisation
        return _Way(lambda steps: _from_photo(digest, scene.dataset, _names(steps), mean, std, photo), True)
    placed, normalisation = drawing.placed, scene.normalisation
    return _Way(lambda steps: prepare_drawing(drawing.pixels, scene.dataset, placed, steps, normalisation), False)


def _names(steps: Steps) -> tuple[str, ...]:
    return tuple(field.name for field in fields(steps) if not getattr(steps, field.name))


@st.cache_resource(max_entries=48, show_spinner=False)
def _from_photo(digest: str, dataset: str, off: tuple[str, ...], mean: float, std: float, _photo: Pixels) -> Prepared:
    return prepare_photo(_photo, dataset, Steps().without(*off), Normalisation(mean, std))
