"""What the gradients of all images say, in plain words."""

from collections.abc import Sequence

import numpy as np

from explorer.analysis.gradient_statistics import GradientTrials, RankedInput
from explorer.ui.explain.figures import short
from explorer.ui.formats import many

ABOUT = (
    "For every image of the split, the gradient of the loss or of a score with respect to each input: how much it "
    "changes if this pixel becomes a little brighter. An input whose gradient differs much from image to image, so "
    "has a high standard deviation, is one to which the network is sensitive."
)


def figure(top: Sequence[RankedInput], images: int, trials: int) -> str:
    """Explain the map by its highest input."""
    first, last = top[0], top[-1]
    over = f" and the mean over {trials} trials" if trials > 1 else ""
    return (
        f"Each square is an input; the stronger, the more its gradient differs over {many(images, 'image')}{over}. "
        f"The highest standard deviation, {short(first.value)}, is at row {first.row}, column {first.column}. The "
        f"{len(top)} highest are framed, down to {short(last.value)}."
    )


def highest(top: Sequence[RankedInput], several: bool) -> list[dict[str, str]]:
    """Return the rows of the table of the highest inputs."""
    rows = []
    for one in top:
        row = {"Input": f"{one.input}", "Row": f"{one.row}", "Col.": f"{one.column}", "Std. dev.": short(one.value, 3)}
        rows.append(row | ({"Spread": short(one.spread)} if several else {}))
    return rows


def table(found: GradientTrials) -> list[dict[str, str]]:
    """Return a row for each trial, then the mean and the spread over all."""
    means = [float(one.deviation.mean()) for one in found.trials]
    tops = [one.top(1)[0] for one in found.trials]
    rows = [
        {
            "Trial": one.name,
            "Mean of all inputs": short(mean),
            "Highest": short(top.value),
            "at row": f"{top.row}",
            "column": f"{top.column}",
        }
        for one, mean, top in zip(found.trials, means, tops, strict=True)
    ]
    highest = [top.value for top in tops]
    for title, of in (("Mean", np.mean), ("Spread", lambda values: np.std(values, ddof=1))):
        figures = {"Mean of all inputs": short(float(of(means))), "Highest": short(float(of(highest)))}
        rows.append({"Trial": title} | figures | {"at row": "", "column": ""})
    return rows


def spread(found: GradientTrials) -> str:
    """Explain the spread."""
    sets = [{one.input for one in trial.top()} for trial in found.trials]
    common = len(set.intersection(*sets))
    return (
        f"Spread: standard deviation over the {len(found.trials)} trials (dividing by one less). Of the ten highest "
        f"inputs {common} are the same in all trials."
    )
