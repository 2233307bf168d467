"""Start from: nothing, an image of the set, the mean of a class, a photo, the camera or the clipboard."""

import random
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import numpy as np
import streamlit as st

from explorer.data.preparation.pictures import LARGEST_FILE
from explorer.data.preparation.pipeline import prepare_photo, read_picture
from explorer.data.preparation.steps import Pixels
from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.ui.draw import predict, predictions
from explorer.ui.kit import address, drawing, image_picker, numbers
from explorer.ui.kit.text import markdown, plain, shorten

IMAGE = "image"
"""URL parameter: a row of the sidebar's split, as on the page Explain, or `mean-` and a class."""

MEAN = "mean-"

MENU = "draw-start"
UPLOAD, CAMERA, NUMBER, CLASS, KIND = "start-upload", "start-camera", "start-number", "start-class", "start-kind"
OF_CLASS, BY_NUMBER, PHOTO, LIVE = "A class", "A number", "A photo", "The camera"
TYPES = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "pgm", "ppm"]

_FOLLOWED = "start:followed"
_PROBLEM = "start:problem"
_ASKED = "start:asked"


def follow_link(dataset: str, split: str, classes: tuple[str, ...]) -> None:
    """Put on the canvas what the URL names, once; whoever draws on it takes it out of the URL (`forget_link`)."""
    text = st.query_params.get(IMAGE)
    asked = None if text is None else (dataset, split, text[:40])
    if asked is None or asked == st.session_state.get(_FOLLOWED):
        st.session_state[_FOLLOWED] = asked
        return
    st.session_state[_FOLLOWED] = asked
    number = asked[2].removeprefix(MEAN)
    is_mean = number != asked[2]
    if not is_mean and address.is_row(number, len(load_split(dataset, split))):
        _put_row(dataset, split, int(number), classes)
    elif is_mean and address.is_row(number, len(classes)):
        _put_mean(dataset, split, int(number), classes)
    else:
        st.session_state[_PROBLEM] = (
            f"There is no image “{shorten(asked[2], 20)}” in the {split} split. Choose one under Start from."
        )
        st.query_params.pop(IMAGE, None)


def forget_link() -> None:
    """Take the image out of the URL as soon as the canvas shows something else; its drawing is the user's now."""
    found = drawing.origin()
    if IMAGE in st.query_params and st.query_params[IMAGE] != (found.link if found else ""):
        st.query_params.pop(IMAGE, None)
        st.session_state[_FOLLOWED] = None


def menu(dataset: str, split: str, classes: tuple[str, ...], target: int | None) -> None:
    """Show the button and, while it is open, what the canvas can start from."""
    if st.session_state.pop(_ASKED, False):
        st.session_state[MENU], st.session_state[KIND] = True, PHOTO
    place = st.popover("Start from", icon=":material/image:", key=MENU, on_change="rerun", width="stretch")
    if not place.open:
        return
    with place:
        _show_problem()
        st.button("Nothing: empty the canvas", icon=":material/delete:", width="stretch", on_click=_put_nothing)
        kinds = [OF_CLASS, BY_NUMBER, PHOTO, LIVE]
        kind = st.segmented_control("Start from", kinds, default=OF_CLASS, required=True, key=KIND, wrap=True)
        if kind == BY_NUMBER:
            _by_number(dataset, split, classes)
        elif kind == PHOTO:
            _by_photo(dataset)
        elif kind == LIVE:
            _by_camera(dataset)
        else:
            _by_class(dataset, split, classes, target)


def show_problem() -> None:
    """Show what was wrong with the last thing that was to be put on the canvas, where the open menu does not."""
    if not st.session_state.get(MENU):
        _show_problem()


def _show_problem() -> None:
    if problem := st.session_state.get(_PROBLEM):
        st.error(markdown(problem), icon=":material/error:")


def take_pasted(content: bytes, dataset: str) -> None:
    """Put a pasted picture on the canvas.

    Raises
    ------
    ImageError
        Nothing can be made of it.
    """
    _put_photo(content, "The pasted picture", dataset)


def crop(dataset: str) -> None:
    """Let the user crop the picture that the canvas shows, as long as nobody has drawn on it."""
    found = drawing.origin()
    if found is not None and found.whole is not None:
        image_picker.crop(found.whole, lambda whole: _attempt(_put_cropped, whole, found.title, dataset))


def ask_for_upload() -> None:
    """Open the menu at the upload in the next run of the page, in a callback."""
    st.session_state[_ASKED] = True
    predictions.ask()


def reaches_devices(url: str | None) -> bool:
    """Whether a browser lets a page at this address use the camera: HTTPS, or this very machine."""
    parts = urlsplit(url or "")
    host = parts.hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "https" or here


def _by_class(dataset: str, split: str, classes: tuple[str, ...], target: int | None) -> None:
    wanted = st.selectbox(
        "Class",
        range(len(classes)),
        index=target or 0,
        format_func=lambda number: classes[number],
        key=f"{CLASS}-{target}",
    )
    with st.container(horizontal=True, gap="small"):
        st.button("Random image", key="start-random", on_click=_put_random, args=(dataset, split, wanted, classes))
        st.button(
            "Mean of the class",
            key="start-mean",
            on_click=_put_mean,
            args=(dataset, split, wanted, classes),
            help="The average of all training images of the class, pixel by pixel.",
        )


def _by_number(dataset: str, split: str, classes: tuple[str, ...]) -> None:
    last = len(load_split(dataset, split)) - 1
    st.number_input(f"Image of the {split} split, 0 to {numbers.count(last)}", 0, last, key=NUMBER)
    st.button("Put it on the canvas", key="start-row", on_click=_put_number, args=(dataset, split, classes))


def _by_photo(dataset: str) -> None:
    st.file_uploader(
        "A photo or a scan",
        type=TYPES,
        max_upload_size=min(LARGEST_FILE >> 20, int(st.get_option("server.maxUploadSize"))),
        key=UPLOAD,
        on_change=_put_file,
        args=(UPLOAD, dataset),
        help=predict.PHOTO_HINT,
    )
    st.caption(predict.CLIPBOARD)


def _by_camera(dataset: str) -> None:
    if not reaches_devices(st.context.url):
        st.info(predict.NO_CAMERA)
        return
    st.camera_input("The camera", key=CAMERA, on_change=_put_file, args=(CAMERA, dataset), help=predict.PHOTO_HINT)


def _put_nothing() -> None:
    drawing.begin(None)
    _done()


def _put_random(dataset: str, split: str, label: int, classes: tuple[str, ...]) -> None:
    rows = np.flatnonzero(load_split(dataset, split).labels == label)
    if not len(rows):
        st.session_state[_PROBLEM] = f"The {split} split has no image of {classes[label]}."
        return
    _put_row(dataset, split, int(random.choice(rows)), classes)


def _put_number(dataset: str, split: str, classes: tuple[str, ...]) -> None:
    row = int(st.session_state.get(NUMBER, 0))
    if 0 <= row < len(load_split(dataset, split)):
        _put_row(dataset, split, row, classes)


def _put_row(dataset: str, split: str, row: int, classes: tuple[str, ...]) -> None:
    images = load_split(dataset, split)
    label = int(images.labels[row])
    name = classes[label] if label < len(classes) else str(label)
    title = f"Image {numbers.count(row)} of the {split} split, {name}"
    drawing.begin(images.images[row], title, str(row), label)
    _done(dataset, split, str(row))


def _put_mean(dataset: str, split: str, label: int, classes: tuple[str, ...]) -> None:
    train = load_split(dataset, "train")
    chosen = train.images[train.labels == label]
    mean = chosen.mean(axis=0).round().astype(np.uint8)
    title = f"The mean of {numbers.many(len(chosen), 'training image')} of {classes[label]}"
    drawing.begin(mean, title, f"{MEAN}{label}", label)
    _done(dataset, split, f"{MEAN}{label}")


def _put_file(key: str, dataset: str) -> None:
    file = st.session_state.get(key)
    if file is None:
        st.session_state.pop(_PROBLEM, None)
        return
    name = "The camera's picture" if key == CAMERA else shorten(plain(file.name), 60)
    _attempt(_put_photo, file.getvalue(), name, dataset)


def _attempt(put: Callable[..., None], *given: object) -> None:
    """Put something on the canvas; what is wrong with it is shown by the whole page."""
    try:
        put(*given)
    except ExplorerError as error:
        st.session_state[_PROBLEM] = str(error)
    predictions.ask()


def _put_photo(content: bytes, name: str, dataset: str) -> None:
    _put_cropped(read_picture(content, name), name, dataset)


def _put_cropped(whole: Pixels, name: str, dataset: str) -> None:
    top, bottom, left, right = image_picker.cropped(whole)
    photo = np.ascontiguousarray(whole[top:bottom, left:right])
    drawing.begin(prepare_photo(photo, dataset).image, name, photo=photo, whole=whole)
    _done()


def _done(dataset: str = "", split: str = "", link: str = "") -> None:
    """Close the menu, and let the URL say what is on the canvas."""
    st.session_state.pop(_PROBLEM, None)
    st.session_state[MENU] = False
    st.session_state[_FOLLOWED] = (dataset, split, link) if link else None
    if link:
        st.query_params[IMAGE] = link
    else:
        st.query_params.pop(IMAGE, None)
