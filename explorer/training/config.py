"""`TrainConfig`: everything that decides a training run, validated, to and from JSON."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import models
from explorer.data import catalog
from explorer.errors import ConfigError, ExplorerError
from models.registry import describe

OptimizerName = Literal[
    "sgd",
    "momentum",
    "nesterov",
    "rmsprop",
    "adam",
    "adamw",
    "nadam",
    "adagrad",
    "adadelta",
    "adamax",
    "radam",
    "asgd",
    "rprop",
]
Schedule = Literal["constant", "step", "cosine", "one-cycle"]
Loss = Literal["cross-entropy", "mse"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["float32", "bf16", "auto"]
FlipOrder = Literal["random", "alternating"]
EraseFill = Literal["mean", "random"]


class TrainConfig(BaseModel):
    """The settings of one run. Two runs of one configuration on one machine end bit for bit alike."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dataset: str = Field("fashion-mnist", max_length=64, description="The data set to train on.")
    model: str = Field("mlp", max_length=64, description="The architecture.")
    options: dict[str, Any] = Field(default_factory=dict, description="The options of the architecture.")
    initial: str = Field(
        "",
        max_length=128,
        description="Start from the weights of this checkpoint (a name, a run id or RUN@k) instead of random ones.",
    )
    optimizer: OptimizerName = Field("adam", description="How the weights follow the gradient.")
    learning_rate: float = Field(0.001, gt=0, le=100, description="Size of the optimizer's steps.")
    momentum: float = Field(
        0.9, ge=0, lt=1, description="Share of the last step kept in the next, for momentum and Nesterov."
    )
    schedule: Schedule = Field("constant", description="How the learning rate changes during the run.")
    step_epochs: int = Field(5, ge=1, le=10_000, description="Step schedule: epochs from one drop to the next.")
    step_factor: float = Field(0.1, gt=0, le=1, description="Step schedule: factor of each drop.")
    warmup: float = Field(0.3, gt=0, lt=1, description="One-cycle: share of the run in which the rate rises.")
    weight_decay: float = Field(0.0, ge=0, le=10, description="Strength of the pull of the weights towards zero.")
    decay_biases: bool = Field(
        True, description="Let weight decay pull biases and the factors of normalisation too, not the weights alone."
    )
    loss: Loss = Field("cross-entropy", description="What is minimised; mse compares softmax outputs with 0 and 1.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of each target spread over all classes (cross entropy)."
    )
    batch_size: int = Field(64, ge=1, le=54_000, description="Images per step, from 1 to the whole training set.")
    epochs: int = Field(10, ge=1, le=10_000, description="Passes over the training set.")
    subset: int = Field(
        54_000, ge=10, le=54_000, description="Use only so many training images, drawn in equal parts from all classes."
    )
    flip: bool = Field(False, description="Mirror half of the images left to right.")
    flip_order: FlipOrder = Field(
        "random",
        description="Which half: drawn anew for every batch, or each image in every second epoch (alternating).",
    )
    shift: int = Field(0, ge=0, le=14, description="Move each image by up to so many pixels in each direction.")
    erase: float = Field(0.0, ge=0, le=1, description="Share of images in which a random rectangle is erased.")
    erase_fill: EraseFill = Field(
        "mean", description="What the erased rectangle shows: the mean of all pixels, or a random value in each pixel."
    )
    adversarial: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Change each pixel of every second image by up to so much (black is 0, white 1) in the direction "
        "that misleads the network most, so that it learns to resist (FGSM); 0 is off.",
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="Average the weights over steps with this decay and use the average; 0 is off."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Decides initial weights, order of batches and all chance.")
    device: Device = Field("auto", description="Where to compute: auto takes CUDA, else MPS, else the CPU.")
    precision: Precision = Field(
        "float32",
        description="Numbers that the layers compute with; bf16 has fewer digits and is quicker on some processors "
        "(weights stay float32). auto measures both once and takes the quicker.",
    )
    threads: int = Field(
        0, ge=0, le=256, description="CPU threads; 0 takes one for a small network, else one for each core."
    )
    time_budget: float | None = Field(
        None, gt=0, le=30 * 86_400, description="Stop after so many seconds of training, even within an epoch."
    )
    patience: int | None = Field(
        None, ge=1, le=10_000, description="Stop when the validation accuracy has not risen for so many epochs."
    )
    snapshots: float = Field(
        100.0,
        ge=0,
        le=100_000,
        description="Megabytes of disk for the weights of epochs other than the first, the best and the last.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Check the names and fill in the defaults of the model's options."""
        try:
            catalog.get(self.dataset)
            options = models.get(self.model).validate(self.options).model_dump(mode="json")
        except ExplorerError as error:
            raise ValueError(str(error).removesuffix(".")) from None
        if self.optimizer == "nesterov" and not self.momentum:
            raise ValueError("field 'momentum' must be greater than 0 for the optimizer 'nesterov'")
        object.__setattr__(self, "options", options)
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return the configuration with these values.

        Raises
        ------
        ConfigError
            Names every field that is unknown or out of range, and its range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_sentence(describe(error, "the configuration", "field", cls))) from None

    @classmethod
    def parse_json(cls, text: str | bytes) -> Self:
        """Return the configuration in a JSON document, or raise `ConfigError`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(_sentence(describe(error, "the configuration", "field", cls))) from None


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
