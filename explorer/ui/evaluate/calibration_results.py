"""Temperature scaling of what the page Evaluate judges, computed once."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data import catalog
from explorer.ui import cache
from explorer.ui.evaluate.results import Results
from explorer.ui.evaluate.scope import Judged

if TYPE_CHECKING:
    from explorer.analysis.calibration import TemperatureScaling
    from explorer.analysis.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Tempered:
    """A temperature and what follows from it.

    Attributes
    ----------
    scaling : TemperatureScaling
    fitted_on : int
        Number of images on which it was fitted.
    results : Results
        Of the judged predictions with their logits divided by the temperature; the untouched ones where there is no
        image to fit it on.
    """

    scaling: "TemperatureScaling"
    fitted_on: int
    results: Results


def tempered(judged: Judged) -> Tempered:
    """Fit a temperature on the validation images of the judged data set and apply it to the judged split.

    Raises
    ------
    ExplorerError
        There are no predictions of the validation images, nor can they be computed.
    """
    fitted_on = cache.predictions(replace(judged.selection, split="validation"))
    found = judged.results.predictions
    rounded = (found.exact_predicted is not None, fitted_on.exact_predicted is not None)
    checksum = catalog.get(found.dataset).checksum
    return _tempered(found.checkpoint, checksum, found.split, rounded, found, fitted_on)


@st.cache_resource(max_entries=24, show_spinner=False)
def _tempered(
    digest: str,
    checksum: str,
    split: str,
    rounded: tuple[bool, bool],
    _judged: "Predictions",
    _fitted_on: "Predictions",
) -> Tempered:
    from explorer.analysis import calibration

    scaling = calibration.TemperatureScaling.from_predictions(_fitted_on, _judged)
    after = calibration.tempered(_judged, scaling.temperature) if _fitted_on.n else _judged
    return Tempered(scaling, _fitted_on.n, Results(after))
