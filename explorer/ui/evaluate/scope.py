"""What the page Evaluate judges: one checkpoint, or two side by side, on one split of one data set."""

from dataclasses import dataclass

from explorer.data.splits import Split, load_split
from explorer.ui.evaluate.results import Results
from explorer.ui.state import Selection


@dataclass(frozen=True, eq=False)
class Judged:
    """One checkpoint on the images.

    Attributes
    ----------
    selection : Selection
        The checkpoint and its epoch; `dataset` and `split` are those of the images, whatever it was trained on.
    name : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    results : Results
        Of its predictions.
    """

    selection: Selection
    name: str
    results: Results


@dataclass(frozen=True, eq=False)
class Scope:
    """What the page judges.

    Attributes
    ----------
    a : Judged
        The checkpoint of the sidebar, which every section is about.
    b : Judged or None
        The second one, where the user has chosen one, on the same images.
    foreign : str or None
        Title of the data set that A was trained on, where the images are from another one.
    own : bool
        Whether the images are of the very set that A was trained on, not of drawings for its classes.
    """

    a: Judged
    b: Judged | None = None
    foreign: str | None = None
    own: bool = True

    @property
    def both(self) -> tuple[Judged, ...]:
        """A, and B where there is one."""
        return (self.a,) if self.b is None else (self.a, self.b)

    @property
    def images(self) -> Split:
        """The images that are judged, in the order of the predictions."""
        return load_split(self.a.selection.dataset, self.a.selection.split)
