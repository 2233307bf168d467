"""What the page Inside looks into: a checkpoint and the images of a split."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.ui import cache, messages, state
from explorer.ui.state import Selection

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


@dataclass(frozen=True, eq=False)
class Subject:
    """A checkpoint and a split.

    Attributes
    ----------
    selection : Selection
        What the sidebar says.
    checkpoint : Checkpoint
    """

    selection: Selection
    checkpoint: "Checkpoint"

    @property
    def split(self) -> Split:
        """The images of the sidebar's split."""
        return load_split(self.selection.dataset, self.selection.split)

    @property
    def images_key(self) -> tuple[str, str, str]:
        """What tells the images from others: data set, its checksum, split."""
        dataset = self.selection.dataset
        return dataset, catalog.get(dataset).checksum, self.selection.split

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the network's outputs."""
        return self.checkpoint.classes


def subject() -> Subject:
    """Return what the sidebar says, or stop and say what to do.

    Raises
    ------
    ExplorerError
        The checkpoint cannot be used.
    """
    selection = state.selection()
    if selection.checkpoint is None:
        messages.no_checkpoint()
    return Subject(selection, cache.checkpoint(selection))
