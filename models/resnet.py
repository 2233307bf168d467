"""A compact residual network for 28x28 images."""

from pydantic import Field
from torch import Tensor, nn

from models.registry import InputShape, Options, register

STAGES = 3


class ResnetOptions(Options):
    """Options of `resnet`."""

    width: int = Field(24, ge=1, le=256, description="Channels of the first stage; each later stage has twice as many.")
    depth: int = Field(4, ge=3, le=30, description="Residual blocks in all, shared out over three stages.")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut (He et al., 2016, Fig. 2).

    Where the shape changes, the short cut averages 2x2 pixels and then projects with a 1x1 convolution
    (ResNet-D, He et al., 2019, Fig. 2c). Each ReLU is a module of its own, so that attribution methods
    which hook modules work.
    """

    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, features, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(features)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(features)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != features:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels, features, 1, bias=False),
                nn.BatchNorm2d(features),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, features, H/stride, W/stride)."""
        out = self.relu1(self.norm1(self.conv1(x)))
        total: Tensor = self.relu2(self.norm2(self.conv2(out)) + self.shortcut(x))
        return total


@register(
    "resnet",
    title="Compact ResNet",
    summary="Residual blocks in three stages of 28x28, 14x14 and 7x7: the most accurate here, and the slowest.",
    options=ResnetOptions,
)
def build(options: ResnetOptions, shape: InputShape) -> nn.Module:
    """Stem, three stages of residual blocks, global average pooling, output layer.

    Blocks that do not divide evenly go to the later stages, where they cost the same and see more.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(shape.channels, options.width, 3, padding=1, bias=False),
        nn.BatchNorm2d(options.width),
        nn.ReLU(),
    ]
    channels = options.width
    for stage in range(STAGES):
        features = options.width * 2**stage
        blocks = (options.depth + stage) // STAGES
        for block in range(blocks):
            layers.append(ResidualBlock(channels, features, stride=2 if stage and not block else 1))
            channels = features
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, shape.classes)]
    return nn.Sequential(*layers)
