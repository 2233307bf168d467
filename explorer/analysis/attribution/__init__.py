"""Which pixels speak for a class: attribution methods, one in each module, all with one signature.

`attribute(classifier, pixels, target)` takes a model that maps pixels in [0, 1] to logits, pixels float (N,
channels, height, width) and target classes int64 (N,) or a `Target`, and returns a tensor shaped like the pixels.
The model is only read: whatever a method hooks or switches, it does to a copy.

`Method.explain` does the same by the name of the method and with typed options, having checked that it suits the model.
"""

from explorer.analysis.attribution import (
    deep_lift,
    feature_ablation,
    grad_cam,
    guided_backpropagation,
    input_gradient,
    input_x_gradient,
    integrated_gradients,
    layer_activation,
    occlusion,
    smoothgrad,
)
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.target import Target
from explorer.errors import ConfigError

__all__ = ["METHODS", "Method", "Target", "get"]

METHODS: dict[str, Method] = {
    module.METHOD.name: module.METHOD
    for module in (
        input_gradient,
        input_x_gradient,
        smoothgrad,
        integrated_gradients,
        deep_lift,
        guided_backpropagation,
        occlusion,
        feature_ablation,
        grad_cam,
        layer_activation,
    )
}
"""Every method by its name, gradients first."""


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
