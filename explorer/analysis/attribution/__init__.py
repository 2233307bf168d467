"""Which pixels speak for a class: attribution methods, one in each module, all with one signature.

`attribute(classifier, pixels, target)` takes a model that maps pixels in [0, 1] to logits, pixels float (N,
1, height, width) and target classes int64 (N,), and returns a tensor shaped like the pixels. The model is
only read: whatever a method hooks or switches, it does to a copy.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from explorer.analysis.attribution import input_gradient, integrated_gradients, occlusion
from explorer.errors import ConfigError

Attribute = Callable[[nn.Module, Tensor, Tensor], Tensor]


def _suits_every_model(classifier: nn.Module) -> str | None:
    return None


@dataclass(frozen=True)
class Method:
    """One way to attribute a logit to the pixels.

    Attributes
    ----------
    name, title : str
        For scripts and for people.
    summary : str
        One sentence that explains the map to a student.
    attribute : callable
        The function, with the signature of this package.
    objection : callable
        Says why the method does not suit a model, or None where it does.
    """

    name: str
    title: str
    summary: str
    attribute: Attribute
    objection: Callable[[nn.Module], str | None] = _suits_every_model

    def is_compatible(self, classifier: nn.Module) -> bool:
        """Whether the method suits the model."""
        return self.objection(classifier) is None


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "input-gradient",
            "Input gradient",
            "How much the class score rises (falls, where negative) if this pixel becomes a little brighter.",
            input_gradient.attribute,
        ),
        Method(
            "integrated-gradients",
            "Integrated Gradients",
            "How much each pixel added to the class score on the way from a black image to this one; "
            "all pixels together add up to the whole change of the score.",
            integrated_gradients.attribute,
        ),
        Method(
            "occlusion",
            "Occlusion",
            "How much the class score falls when a small black square covers this place.",
            occlusion.attribute,
        ),
    )
}


def get(name: str) -> Method:
    """Return a method by its name.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no attribution method called {name!r}. Choose one of: {', '.join(METHODS)}.")
    return METHODS[name]
