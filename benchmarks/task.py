"""What the compared training loops all do."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.training.state import TrainingState


@dataclass(frozen=True)
class Task:
    """What all do: `steps` steps of a model with Adam at `batch` images."""

    model: str
    batch: int
    steps: int
    threads: int

    @cached_property
    def config(self) -> TrainConfig:
        """The same task as a configuration of this project."""
        return TrainConfig(model=self.model, batch_size=self.batch, threads=self.threads, epochs=1)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of a whole epoch."""
        return make_plan(self.config).steps

    @cached_property
    def split(self) -> Split:
        """The training images."""
        return load_split("fashion-mnist", "train")

    def network(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return a fresh network and its optimizer, as this project makes them."""
        state = TrainingState(self.config, torch.device("cpu"))
        return state.network.train(), state.optimizer

    def normalised(self) -> Tensor:
        """Return all training images as normalised floats (54000, 1, 28, 28)."""
        spec = catalog.get("fashion-mnist")
        images = torch.from_numpy(self.split.images.copy()).unsqueeze(1).float().div_(255)
        return images.sub_(spec.mean).div_(spec.std)

    def tensors(self) -> TensorDataset:
        """Return all training images and labels as a data set of PyTorch's."""
        return TensorDataset(self.normalised(), torch.from_numpy(self.split.labels.copy()))
