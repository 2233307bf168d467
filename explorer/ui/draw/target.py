"""Target: what the drawing is meant to be, how far the model is from it, and what would bring it nearer."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.data.preparation.steps import Grey
from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices, Model, ModelPrediction
from explorer.ui.kit import address, drawing, numbers
from explorer.ui.kit.images import img_tag, map_tag
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.numbers import count, many, percent, percents
from explorer.ui.kit.text import html_text, markdown
from explorer.ui.kit.tiles import Tile, tiles

if TYPE_CHECKING:
    from explorer.analysis.drawings.gradient_steps import GradientStep


MEANT = "meant"
"""Widget and URL parameter: the name of the class that the drawing is meant to be."""
NOT_SAID = "I do not say"
SCALE = 5
NEAREST = 4
MOST_STEPS = 25
_SAID = "target:said"


def choose(classes: tuple[str, ...]) -> int | None:
    """Let the user say what the drawing is meant to be."""
    names = [NOT_SAID, *classes]
    unknown = address.adopt(MEANT, names, NOT_SAID)
    chosen = st.selectbox(
        "This is meant to be",
        names,
        key=MEANT,
        on_change=address.touched,
        args=(MEANT,),
        help="Your target: it is marked among the bars and compared with what the model says.",
    )
    address.keep({MEANT: chosen}, {MEANT: NOT_SAID})
    if unknown is not None:
        st.warning("The link names a class that there is not. Choose one here.")
    return classes.index(chosen) if chosen in classes else None


def show(choices: DrawChoices, seen: CanvasPredictions | None) -> None:
    """Show how far the drawing is from its target, and what would bring it nearer."""
    if choices.target is None:
        st.info("Say above what the drawing is meant to be: how far the model is from that will stand here.")
        return
    if seen is None:
        st.caption("The canvas is empty: draw something, or start from an image.")
        return
    step = _step(choices.models[0], seen.image, choices.target)
    facts, *figures = st.columns([1.15, 0.85, 0.85], gap="medium")
    with facts:
        _facts(choices, seen, choices.target)
        _buttons(choices, seen, step)
    with figures[0]:
        _margin(choices, seen, choices.target, step)
    with figures[1]:
        _change(choices, seen, choices.target, step)
    _nearest(choices, seen, choices.target)


def _step(model: Model, image: Grey, target: int) -> "GradientStep":
    from explorer.analysis.drawings.gradient_steps import step_towards

    with computing(quick=True):
        return step_towards(classifier(model.checkpoint), image, target)


def _facts(choices: DrawChoices, seen: CanvasPredictions, target: int) -> None:
    view = seen.first
    with st.container(horizontal=True, gap="medium"):
        for label, value, explanation in (
            ("Probability", numbers.percent(view.probabilities[target]), PROBABILITY),
            ("Loss", numbers.loss(view.cross_entropy(target)), LOSS),
            ("Rank", f"{view.rank(target)} of {len(choices.classes)}", RANK),
        ):
            st.metric(label, value, help=explanation, width="content")


def _buttons(choices: DrawChoices, seen: CanvasPredictions, step: "GradientStep") -> None:
    """Offer to take the step, or many, on the canvas."""
    name = choices.classes[step.target]
    with st.container(horizontal=True, gap="small"):
        st.button(
            f"A step towards {markdown(name)}",
            icon=":material/exposure_plus_1:",
            key="step-one",
            disabled=not step.moved,
            on_click=_take,
            args=(choices, seen.image, step.target, 1),
        )
        st.button(
            f"Until it says {markdown(name)}",
            icon=":material/fast_forward:",
            key="step-many",
            disabled=not step.moved or seen.first.predicted == step.target,
            on_click=_take,
            args=(choices, seen.image, step.target, MOST_STEPS),
        )
    said = st.session_state.pop(_SAID, None)
    st.caption(said or undo(step, name))


def _take(choices: DrawChoices, image: Grey, target: int, most: int) -> None:
    """Take steps until the model says the target, at most so many, and put the result on the canvas."""
    taken = 0
    try:
        for _ in range(most):
            step = _step(choices.models[0], image, target)
            if not step.moved:
                break
            image, taken = step.image, taken + 1
            if most > 1 and int(step.after.argmax()) == target:
                break
    except ExplorerError as error:
        st.session_state[_SAID] = markdown(str(error))
        return
    if taken:
        name = choices.classes[target]
        drawing.begin(image, f"Your drawing, {numbers.count(taken)} step{'s' * (taken > 1)} nearer to {name}")
        st.session_state[_SAID] = taken_text(taken, name, step.after[target], most)


def _margin(choices: DrawChoices, seen: CanvasPredictions, target: int, step: "GradientStep") -> None:
    rival = rival_text(seen.first, target)
    name, other = choices.classes[target], choices.classes[rival]
    picture = map_tag(step.gradient, SCALE, f"Gradient of the margin of {name} over {other}")
    _figure(picture, "Saliency of the margin")
    st.caption(margin(markdown(name), markdown(other), step.gradient))


def _change(choices: DrawChoices, seen: CanvasPredictions, target: int, step: "GradientStep") -> None:
    name = choices.classes[target]
    _figure(img_tag(painted(seen.image, step.change), SCALE, f"Where to change ink for {name}"), f"More {name}")
    st.caption(change_text(markdown(name), step))


def painted(image: Grey, change: NDArray[np.float32]) -> Grey:
    """Paint a change over an image: added ink warm, removed ink cold, the rest as it is, darker.

    Returns
    -------
    uint8 ndarray (H, W, 3)
    """
    from explorer.ui.kit import theme

    ends = [theme.diverging("light")[place] for place in (1, -2)]
    cold, warm = (np.array(theme.rgb(code), float) for code in ends)
    strength = np.minimum(np.abs(change) / (np.abs(change).max() or 1.0), 1.0)[..., None] ** 0.7
    colour = np.where(change[..., None] > 0, warm, cold)
    ground = np.repeat(image[..., None], 3, axis=2) * 0.75
    result: Grey = (ground * (1 - strength) + colour * strength).round().astype(np.uint8)
    return result


def _figure(picture: str, caption: str) -> None:
    st.html(f'{picture}<div style="font-size:.85rem;padding-top:.3rem;font-weight:600">{html_text(caption)}</div>')


def _nearest(choices: DrawChoices, seen: CanvasPredictions, target: int) -> None:
    """Show the training images nearest to the drawing, of the target and of what the model says."""
    wanted = list(dict.fromkeys([target, seen.first.predicted]))
    places = st.columns(2, gap="medium")
    checksum = catalog.get(choices.dataset).checksum
    train = load_split(choices.dataset, "train")
    for place, label in zip(places, wanted, strict=False):
        with place:
            name = markdown(choices.classes[label])
            st.markdown(f"**Nearest training images of {name}**" + (" :small[(the target)]" if label == target else ""))
            rows, distances = _nearest_of(seen.image.tobytes(), checksum, choices.dataset, label)
            items = [
                Tile(row, train.images[row], f"d = {distance / 255:.2f}")
                for row, distance in zip(rows, distances, strict=True)
            ]
            tiles(f"draw-nearest-{'target' if label == target else 'predicted'}", items, clickable=False)
    st.caption(NEAREST_TEXT)


@st.cache_data(max_entries=128, show_spinner=False)
def _nearest_of(image: bytes, checksum: str, dataset: str, label: int) -> tuple[list[int], list[float]]:
    """Return rows and distances of the nearest training images of a class; unlike all others they cost 10 ms."""
    from explorer.analysis.drawings.neighbours import nearest

    train = load_split(dataset, "train")
    rows = np.flatnonzero(train.labels == label)
    query = np.frombuffer(image, np.uint8).reshape(train.images.shape[1:])
    found = nearest(query, _of_class(checksum, dataset, label), NEAREST)
    return rows[found.rows].tolist(), found.distances.tolist()


@st.cache_resource(max_entries=20, show_spinner=False)
def _of_class(checksum: str, dataset: str, label: int) -> Grey:
    train = load_split(dataset, "train")
    images: Grey = train.images[train.labels == label]
    return images


VISIBLE = 0.02
"""A change of a pixel that counts, as a share of white."""
PROBABILITY = "The share of 100% that the model gives to what you meant."
LOSS = "Minus the natural logarithm of that probability: 0 would be perfect, and it has no upper limit."
RANK = "Its place when all classes are sorted by their probability."
NEAREST_TEXT = (
    "Among all training images of each class, those whose pixels (0 to 1) are nearest to what the model sees, by "
    "Euclidean distance d. The model itself does not compare images; these show what it has learnt from."
)


def rival_text(view: ModelPrediction, target: int) -> int:
    """Return the class with the highest logit besides the target."""
    order = (-view.logits).argsort(kind="stable")
    return int(order[0] if order[0] != target else order[1])


def margin(name: str, other: str, gradient: NDArray[np.float32]) -> str:
    """Explain the saliency of the margin; names are escaped already."""
    row, column = divmod(int(np.abs(gradient).argmax()), gradient.shape[1])
    return (
        f"**How to read this.** The margin is the score of {name} less that of {other}. Brighter ink on a warm pixel "
        f"raises it, on a cold pixel lowers it. The steepest pixel is at row {row}, column {column}."
    )


def change_text(name: str, step: "GradientStep") -> str:
    """Explain where ink is to be added and removed; the name is escaped already."""
    if not step.moved:
        return f"No small change of the ink makes it more {name}: every pixel that matters is at its limit."
    before, after = percents(float(step.before[step.target]), float(step.after[step.target]))
    added, removed = int((step.change > VISIBLE).sum()), int((step.change < -VISIBLE).sum())
    return (
        f"**How to read this.** Warm: add ink; cold: remove it. This step makes {many(added, 'pixel')} brighter and "
        f"{count(removed)} darker by more than {percent(VISIBLE, 0)} of white, and takes {name} from {before} to "
        f"{after}."
    )


def undo(step: "GradientStep", name: str) -> str:
    """Say what the buttons do."""
    if not step.moved:
        return f"No step raises {markdown(name)} any further."
    return (
        "A step follows the gradient where ink can still be added or removed, as a soft brush would. Undo at the "
        "canvas takes it back."
    )


def taken_text(steps: int, name: str, share: float, most: int) -> str:
    """Say what has been done."""
    text = f"{many(steps, 'step')} taken: {markdown(name)} now has {percent(share)}."
    if most > 1 and steps == most:
        text += " Press again to go on."
    return f"{text} Undo at the canvas takes {'them' if most > 1 and steps > 1 else 'it'} back."
