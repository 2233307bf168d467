"""One way to attribute a score to the pixels, with its options and what is said about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from torch import Tensor, nn

from explorer.analysis.attribution import baselines
from explorer.analysis.attribution.target import Target
from explorer.analysis.trace import IMAGE_SHAPE
from explorer.errors import ConfigError
from models.registry import Options, describe

Attribute = Callable[..., Tensor]
Explain = Callable[[nn.Module, Tensor, Tensor | Target], Tensor]
"""Given a classifier, pixels and a target, returns maps shaped like the pixels."""


class NoOptions(Options):
    """A method without options."""


def _suits_every_model(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> str | None:
    return None


@dataclass(frozen=True)
class Method:
    """One way to attribute a score to the pixels.

    Attributes
    ----------
    name, title : str
        For scripts and for people.
    summary : str
        One sentence that explains the map to a student.
    unit : str
        What the values of the map are measured in.
    reference : str
        The paper and its year.
    attribute : callable
        The function, with the signature of this package; its keyword arguments are the fields of `options`, and a
        `baseline` is given as an image.
    options : type of Options
        The options with their ranges, each with a title and a sentence of help. A field `baseline` holds the name of
        one of `baselines.KINDS`, a field `layer` the name of one of `layers.candidates`.
    objection : callable
        Given a model and the shape of an image, says why the method does not suit the model, or None where it does.
    uses_target : bool
        Whether the map depends on the class that is explained.
    complete : bool
        Whether the map of an image adds up to the difference of the score between image and baseline; see
        `completeness.completeness_error`.
    """

    name: str
    title: str
    summary: str
    unit: str
    reference: str
    attribute: Attribute
    options: type[Options] = NoOptions
    objection: Callable[..., str | None] = _suits_every_model
    uses_target: bool = True
    complete: bool = False

    def is_compatible(self, classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> bool:
        """Whether the method suits the model."""
        return self.objection(classifier, shape) is None

    def validate(self, options: Mapping[str, Any]) -> Options:
        """Return the typed options, defaults filled in.

        Raises
        ------
        ConfigError
            Names the option and the values it may take.
        """
        try:
            return self.options.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigError(describe(error, f"method {self.name!r}", "option", self.options)) from None

    def with_options(self, options: Mapping[str, Any] | Options | None = None, mean: Tensor | None = None) -> Explain:
        """Return the method with its options set: a function of classifier, pixels and target.

        Parameters
        ----------
        options : mapping or Options, optional
            Values of the fields of `options`; defaults where they are missing.
        mean : Tensor, optional
            The mean training image (1, channels, height, width), for the baseline of that name.

        Raises
        ------
        ConfigError
            An option is unknown or out of range, or the mean image is missing.
        """
        chosen = options if isinstance(options, Options) else self.validate(options or {})
        keywords = chosen.model_dump()
        kind = keywords.pop("baseline", None)
        if kind is None:
            return lambda classifier, pixels, target: self.attribute(classifier, pixels, target, **keywords)
        baselines.check(kind, mean)
        return lambda classifier, pixels, target: self.attribute(
            classifier, pixels, target, baseline=baselines.image(kind, pixels, mean), **keywords
        )

    def explain(
        self,
        classifier: nn.Module,
        pixels: Tensor,
        target: Tensor | Target,
        options: Mapping[str, Any] | Options | None = None,
        mean: Tensor | None = None,
    ) -> Tensor:
        """Return the maps of images, having checked that the method suits the model.

        Parameters
        ----------
        classifier, pixels, target
            See this package.
        options, mean
            See `with_options`.

        Raises
        ------
        ConfigError
            The method does not suit the model, or an option or a class does not exist.
        CheckpointError
            Outputs of the model or values of a map are not finite.
        """
        explain = self.with_options(options, mean)
        if objection := self.objection(classifier, tuple(pixels.shape[1:])):
            raise ConfigError(objection)
        return explain(classifier, pixels, target)
