"""What the models see of the canvas, and what they say of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from explorer.analysis.drawings.verdicts import Output
from explorer.data import catalog
from explorer.data.preparation.pipeline import Normalisation, Prepared, Steps, prepare_drawing, prepare_photo
from explorer.data.preparation.steps import Grey, Pixels
from explorer.errors import ExplorerError
from explorer.ui import canvas
from explorer.ui.canvas import Drawing
from explorer.ui.canvas.bars import MOST
from explorer.ui.kit import address, answers, cache, checkpoints
from explorer.ui.kit import drawing as kit_drawing
from explorer.ui.kit.checkpoints import Entry
from explorer.ui.kit.state import Selection
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


BESIDE = "models"
"""URL parameter: references of the others."""


@dataclass(frozen=True, eq=False)
class Model:
    """One model that looks at the drawing.

    Attributes
    ----------
    reference : str
        As on the command line.
    name : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    checkpoint : Checkpoint
    """

    reference: str
    name: str
    checkpoint: "Checkpoint"


def choose(selection: Selection) -> tuple[Model, ...]:
    """Let the user choose others to see the same drawing; the sidebar's model comes first.

    Raises
    ------
    ExplorerError
        The sidebar's checkpoint cannot be used.
    """
    first = cache.checkpoint(selection)
    found = checkpoints.load().entries
    offered = {one.reference: one for one in found if _fits(one, selection, first)}
    chosen, unknown = address.adopt_several(BESIDE, lambda name: name in offered, most=MOST - 1)
    st.multiselect(
        "Compare with",
        list(offered),
        format_func=lambda reference: shorten(offered[reference].title, 40) if reference in offered else reference,
        key=address.widget(BESIDE),
        max_selections=MOST - 1,
        placeholder="Other models" if offered else "No other model yet",
        disabled=not offered,
        help="Up to three other models of the same classes, on the same drawing.",
        on_change=address.changed(BESIDE),
    )
    if unknown:
        said = markdown(shorten(", ".join(unknown)))
        st.warning(f"There is no model “{said}” for this data set here; it is left out.")
    title = next((one.title for one in found if one.reference == selection.checkpoint), str(selection.checkpoint))
    name = title if selection.epoch is None else f"{title}, epoch {selection.epoch}"
    others = [Model(reference, offered[reference].title, offered[reference].checkpoint) for reference in chosen]
    return (Model(str(selection.reference), name, first), *others)


def short(model: Model, selection_dataset: str) -> str:
    """Return a name for narrow places: of a shipped model without its data set."""
    return shorten(model.name.removeprefix(f"{catalog.base(selection_dataset)}-"), 22)


def _fits(entry: Entry, selection: Selection, first: "Checkpoint") -> bool:
    """Whether a checkpoint tells the same classes apart; those tuned on a user's drawings of them included."""
    if entry.reference == selection.checkpoint or catalog.base(entry.dataset or "") not in ("", selection.dataset):
        return False
    try:
        return bool(entry.checkpoint.classes == first.classes)
    except ExplorerError:
        return False


@dataclass(frozen=True, eq=False)
class DrawChoices:
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
class ModelPrediction(Output):
    """What one model says of one image."""

    model: Model


@dataclass(frozen=True, eq=False)
class CanvasPredictions:
    """The canvas as the models see it.

    Attributes
    ----------
    drawing : Drawing
    prepared : Prepared
        The way to the 28x28 image.
    prepare : callable
        Takes the same way with other steps.
    views : tuple of View
        One for each model of the choices.
    photo : bool
        Whether the way begins at a photo that the user brought, and not at the canvas.
    """

    drawing: Drawing
    prepared: Prepared
    prepare: Callable[[Steps], Prepared]
    views: tuple[ModelPrediction, ...]
    photo: bool

    @property
    def image(self) -> Grey:
        """What the models see, uint8 (28, 28)."""
        return self.prepared.image

    @property
    def first(self) -> ModelPrediction:
        """What the sidebar's model says."""
        return self.views[0]


class _Source(NamedTuple):
    prepare: Callable[[Steps], Prepared]
    photo: bool


def see(choices: DrawChoices) -> CanvasPredictions | None:
    """Look at the canvas with all models; None while it is empty.

    Raises
    ------
    ImageError
        Nothing can be made of the drawing with these steps.
    CheckpointError
        A model's outputs are not finite.
    """
    drawing = canvas.current(kit_drawing.CANVAS)
    if drawing is None:
        return None
    source = _source(drawing, choices)
    prepared = source.prepare(choices.steps)
    views = tuple(
        ModelPrediction(answers.logits(model.checkpoint, prepared.image[None])[0], model) for model in choices.models
    )
    return CanvasPredictions(drawing, prepared, source.prepare, views, source.photo)


def _source(drawing: Drawing, choices: DrawChoices) -> _Source:
    origin = kit_drawing.origin()
    photo = None if origin is None else origin.photo
    if photo is not None:
        digest = hashlib.sha256(photo.tobytes()).hexdigest() + str(photo.shape)
        mean, std = choices.normalisation
        return _Source(lambda steps: _from_photo(digest, choices.dataset, _names(steps), mean, std, photo), True)
    placed, normalisation = drawing.placed, choices.normalisation
    return _Source(lambda steps: prepare_drawing(drawing.pixels, choices.dataset, placed, steps, normalisation), False)


def _names(steps: Steps) -> tuple[str, ...]:
    return tuple(field.name for field in fields(steps) if not getattr(steps, field.name))


@st.cache_resource(max_entries=48, show_spinner=False)
def _from_photo(digest: str, dataset: str, off: tuple[str, ...], mean: float, std: float, _photo: Pixels) -> Prepared:
    return prepare_photo(_photo, dataset, Steps().without(*off), Normalisation(mean, std))


_ASKED = "renew:asked"
_SECTION = "renew:section"


def ask() -> None:
    """Let the whole page run next, in a callback."""
    st.session_state[_ASKED] = True


def done() -> None:
    """Note that the whole page runs; the first thing that it does."""
    st.session_state.pop(_ASKED, None)
    st.session_state.pop(_SECTION, None)


def follow() -> None:
    """Run the whole page if that was asked for; the first thing that the part does."""
    if st.session_state.pop(_ASKED, False):
        st.rerun()


def turn(section: str) -> None:
    """Run the whole page if another section was chosen since it last ran."""
    if st.session_state.setdefault(_SECTION, section) != section:
        st.rerun()
