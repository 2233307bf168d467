"""The section All images: the gradient of every image of the split with respect to every input."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from explorer.analysis.gradients.bulk import Of
from explorer.analysis.gradients.files import save_gradients
from explorer.analysis.gradients.statistics import GradientStatistics, GradientTrials, Moments, RankedInput
from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.paths import home
from explorer.store.checkpoints import Checkpoint
from explorer.ui.charts.attribution import deviation_map, deviation_table
from explorer.ui.kit import address, background, cache, checkpoints, controls, messages, numbers
from explorer.ui.kit import figure as kit_figure
from explorer.ui.kit.background import Steps, WorkProgress
from explorer.ui.kit.models import classifier
from explorer.ui.kit.numbers import many, short
from explorer.ui.kit.state import Selection
from explorer.ui.kit.text import markdown, plain, shorten

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


@dataclass(frozen=True)
class Trial:
    """One network.

    Attributes
    ----------
    code : str
        How it stands in the URL: a reference, with `@` and the epoch where one of several is meant.
    name : str
        For people; may hold a user's own words.
    selection : Selection
    """

    code: str
    name: str
    selection: Selection

    @property
    def checkpoint(self) -> Checkpoint:
        """Its checkpoint.

        Raises
        ------
        ExplorerError
            It cannot be used.
        """
        return cache.checkpoint(self.selection)


def offered(selection: Selection) -> dict[str, Trial]:
    """Return what can be chosen for a data set, by code: that of the sidebar first, with all epochs of its run."""
    entries = checkpoints.load().of_dataset(selection.dataset)
    own = [entry for entry in entries if entry.reference == selection.checkpoint]
    found: dict[str, Trial] = {}
    for entry in own:
        for epoch in entry.weights if len(entry.weights) > 1 else ():
            code = f"{entry.reference}@{epoch}"
            found[code] = Trial(code, f"{entry.title}, epoch {epoch}", replace(selection, epoch=epoch))
        if not found:
            found[entry.reference] = Trial(entry.reference, entry.title, selection)
    for entry in entries:
        if entry not in own:
            other = replace(selection, checkpoint=entry.reference, epoch=None)
            found[entry.reference] = Trial(entry.reference, entry.title, other)
    return found


def usual(selection: Selection, among: dict[str, Trial]) -> str:
    """Return the code of what the sidebar says."""
    return next(code for code, trial in among.items() if trial.selection == selection)


TRIALS, OF, FILES, SHOWN = "trials", "gradient-of", "files", "trial"
"""Widgets and URL parameters."""
KINDS = {"csv": ("CSV", "text/csv"), "parquet": ("Parquet", "application/vnd.apache.parquet")}
EVERY = "every"
KEPT = 6
"""Files that stay on disk beside those of the chosen trials."""


def show(selection: Selection) -> None:
    """Let the user choose networks and what to differentiate; compute, show and offer the results."""
    split = load_split(selection.dataset, selection.split)
    left, right = st.columns([1.2, 2.9], gap="medium")
    with left, messages.shown():
        chosen = _trials(selection)
        of = _of(cache.checkpoint(selection).classes)
        kinds = _files()
    with right, messages.shown():
        if not len(split):
            st.info("This split holds no images. Choose another one in the sidebar.")
            return
        found = _computed(chosen, split, of, kinds)
        if found is None:
            st.caption(ABOUT)
            return
        _results(found, selection)
        _downloads(chosen, split, of, kinds)


def _trials(selection: Selection) -> list[Trial]:
    among = offered(selection)
    default = [usual(selection, among)]
    codes, _ = address.adopt_several(TRIALS, lambda code: code in among, default)
    st.multiselect(
        "Trials",
        list(among),
        format_func=lambda code: plain(among[code].name if code in among else str(code)),
        key=address.widget(TRIALS),
        on_change=address.changed(TRIALS),
        help="The networks whose gradients are compared: checkpoints, runs with other seeds, epochs of this run.",
    )
    return [among[code] for code in codes or default]


def _of(classes: Sequence[str]) -> Of:
    titles = {
        "loss": "the loss",
        "true": "the score of the true class",
        "predicted": "the score of the predicted class",
    }
    titles |= {str(number): f"the score of {name}" for number, name in enumerate(classes)}
    address.adopt(OF, list(titles), "loss")
    chosen = st.selectbox(
        "Gradient of",
        list(titles),
        format_func=lambda name: titles.get(str(name), str(name)),
        key=OF,
        help="What is differentiated with respect to each of the inputs, which are the pixels between 0 and 1.",
        on_change=address.touched,
        args=(OF,),
    )
    address.keep({OF: chosen}, {OF: "loss"})
    match chosen:
        case "loss" | "true" | "predicted":
            return chosen
        case _:
            return int(chosen)


def _files() -> list[str]:
    """Let the user choose the files that are written on the way."""
    kinds, _ = address.adopt_several(FILES, lambda kind: kind in KINDS, ["csv"])
    st.pills(
        "Write all gradients to",
        list(KINDS),
        format_func=lambda kind: KINDS[kind][0] if kind in KINDS else str(kind),
        selection_mode="multi",
        key=address.widget(FILES),
        on_change=address.changed(FILES),
        help="One row for each image: its place in the file of the data set, label, prediction and the gradient of "
        "each input, row by row. Of 10,000 images a CSV has about 100 MB.",
    )
    return kinds


def _computed(chosen: Sequence[Trial], split: Split, of: Of, kinds: Sequence[str]) -> GradientTrials | None:
    """Return the statistics of all trials, once they are computed and their files written."""
    missing = [path for trial in chosen for kind in kinds if not (path := _path(trial, split, of, kind)).is_file()]
    places = [_place(trial, split, of) for trial in chosen]
    known = [background.known(place) for place in places]
    if not missing and all(known):
        return GradientTrials.of([replace(one, name=trial.name) for one, trial in zip(known, chosen, strict=True)])
    passes = numbers.many(len(split), "image") + (f" in {len(chosen)} trials" if len(chosen) > 1 else "")
    return background.result(
        "gradients",
        (tuple(places), tuple(kinds), tuple(str(path) for path in missing)),
        f"Differentiate {passes}",
        lambda: _steps(chosen, split, of, kinds),
    )


def _steps(chosen: Sequence[Trial], split: Split, of: Of, kinds: Sequence[str]) -> Steps[GradientTrials]:
    found: list[GradientStatistics] = []
    for number, trial in enumerate(chosen):
        place = _place(trial, split, of)
        paths = {kind: _path(trial, split, of, kind) for kind in kinds}
        missing = {kind: path for kind, path in paths.items() if not path.is_file()}
        kept: GradientStatistics | None = background.known(place)
        if kept is None or missing:
            _tidy({path for other in chosen for path in _paths(other, split, of)})
            moments = Moments()
            saving = save_gradients(
                classifier(trial.checkpoint),
                split,
                csv=missing.get("csv"),
                parquet=missing.get("parquet"),
                of=of,
                listen=moments.add,
            )
            for done in saving:
                share = (number + done / len(split)) / len(chosen)
                said = f"{trial.name}: {numbers.count(done)} of {numbers.many(len(split), 'image')}"
                yield WorkProgress(share, markdown(said), GradientTrials(tuple(found)))
            kept = moments.statistics(trial.name, of)
            background.keep(place, kept)
        found.append(replace(kept, name=trial.name))
    yield WorkProgress(1.0, "Done", GradientTrials.of(found))


def _place(trial: Trial, split: Split, of: Of) -> tuple[str, str, str, str, str]:
    return "gradients-of", trial.checkpoint.digest, catalog.get(split.dataset).checksum, split.name, f"{of}"


def _path(trial: Trial, split: Split, of: Of, kind: str) -> Path:
    """Return the place of a file, named by what it holds alone."""
    _, digest, checksum, name, _ = _place(trial, split, of)
    return home() / "gradients" / f"{digest[:24]}-{re.sub('[^0-9a-f]', '', checksum)[:12]}-{name}-{of}.{kind}"


def _paths(trial: Trial, split: Split, of: Of) -> list[Path]:
    return [_path(trial, split, of, kind) for kind in KINDS]


def _tidy(needed: set[Path]) -> None:
    """Delete the oldest files that are not needed now, so that few others stay."""
    folder = home() / "gradients"
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(set(folder.glob("*-*-*-*.*")) - needed, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT:]:
        path.unlink(missing_ok=True)


def _results(found: GradientTrials, selection: Selection) -> None:
    """Show the map of the standard deviations and the highest ones, of a trial or of all together."""
    names = {str(number): shorten(one.name, 28) for number, one in enumerate(found.trials)}
    shown = EVERY
    if len(found.trials) > 1:
        shown = controls.segments("Trial", {EVERY: "Mean of all"} | names, SHOWN, labelled=False)
    one = found.trials[0 if shown == EVERY else int(shown)]
    several_at_once = shown == EVERY and len(found.trials) > 1
    values, top = (found.mean, found.top()) if several_at_once else (one.deviation, one.top())
    title = "Mean over the trials" if several_at_once else shorten(one.name, 34)
    left, right = st.columns([1.05, 1], gap="small")
    with left:
        kit_figure.figure(
            deviation_map(values, top, title),
            name="standard-deviations",
            how_to_read=figure(top, one.n, len(found.trials) if several_at_once else 1),
            table=lambda: deviation_table(found),
            stretch=False,
        )
    with right:
        st.markdown("**The ten highest**")
        right_aligned = st.column_config.TextColumn(alignment="right")
        rows = highest(top, several_at_once)
        columns = dict.fromkeys(rows[0], right_aligned)
        st.dataframe(rows, hide_index=True, column_config=columns, height="content", row_height=28, key="highest")
    if len(found.trials) > 1:
        st.markdown("**The trials**")
        lines = table(found)
        columns = dict.fromkeys(list(lines[0])[1:], right_aligned)
        st.dataframe(lines, hide_index=True, column_config=columns, height="content", row_height=28, key="trials-table")
        st.caption(spread(found))


def _downloads(chosen: Sequence[Trial], split: Split, of: Of, kinds: Sequence[str]) -> None:
    """Offer the files; each is read when it is asked for."""
    with st.container(horizontal=True, gap="small"):
        for number, trial in enumerate(chosen):
            for kind in kinds:
                path = _path(trial, split, of, kind)
                if not path.is_file():
                    continue
                title, mime = KINDS[kind]
                size = f"{short(path.stat().st_size / 1e6)} MB"
                of_trial = f" of {markdown(shorten(trial.name, 24))}" if len(chosen) > 1 else ""
                st.download_button(
                    f"{title}{of_trial} ({size})",
                    partial(path.open, "rb"),
                    f"gradients-{split.name}-{of}-{number + 1}.{kind}",
                    mime,
                    key=f"gradients-{kind}-{number}",
                    on_click="ignore",
                    icon=":material/download:",
                )
