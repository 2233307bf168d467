"""Which networks the gradients of all images are computed for: checkpoints, runs, epochs of a run."""

from dataclasses import dataclass, replace

from explorer.store.checkpoints import Checkpoint
from explorer.ui import cache, listing
from explorer.ui.state import Selection


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
    entries = listing.load().of_dataset(selection.dataset)
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
