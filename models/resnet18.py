"""torchvision's ResNet-18 with as many input channels and classes as the data set has."""

from torch import nn

from models.registry import InputShape, Options, register


class Resnet18Options(Options):
    """`resnet18` has no options: it is torchvision's network as published."""


@register(
    "resnet18",
    title="ResNet-18",
    summary="torchvision's 11-million-parameter network (He et al., 2016), its first convolution for grey images.",
    options=Resnet18Options,
)
def build(options: Resnet18Options, shape: InputShape) -> nn.Module:
    """Build the untrained network; torchvision is imported only here, because it takes seconds."""
    from torchvision.models import resnet18

    network: nn.Module = resnet18(weights=None, num_classes=shape.classes)
    network.conv1 = nn.Conv2d(shape.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return network
