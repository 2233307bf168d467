"""A compact residual network for 28x28 images."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from models.registry import InputShape, Options, register

Channels = Annotated[int, Field(ge=1, le=1024)]
Blocks = Annotated[int, Field(ge=1, le=30)]
MAX_STAGES = 5
"""With each but the first halving the map, 28x28 pixels become 2x2."""


class ResnetOptions(Options):
    """Options of `resnet`; `width` and `depth`, which earlier versions had instead, are understood."""

    stages: tuple[Channels, ...] = Field(
        (24, 48, 96),
        min_length=1,
        max_length=MAX_STAGES,
        description="Channels of each stage; from the second on a stage begins by halving the map.",
    )
    blocks: tuple[Blocks, ...] = Field(
        (1, 1, 2), min_length=1, max_length=MAX_STAGES, description="Residual blocks of each stage."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_width_and_depth(cls, values: Any) -> Any:
        """Understand the options of earlier versions: three stages, each twice as wide, `depth` blocks in all."""
        if not isinstance(values, dict) or not {"width", "depth"} & set(values):
            return values
        width, depth = values.get("width", 24), values.get("depth", 4)
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in (width, depth)):
            raise ValueError("options 'width' and 'depth' must be whole numbers")
        if not (1 <= width <= 256 and 3 <= depth <= 30):
            raise ValueError("option 'width' must be from 1 to 256 and 'depth' from 3 to 30")
        rest = {name: value for name, value in values.items() if name not in ("width", "depth")}
        stages = {
            "stages": [width * 2**stage for stage in range(3)],
            "blocks": [(depth + stage) // 3 for stage in range(3)],
        }
        return stages | rest

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len(self.stages) != len(self.blocks):
            raise ValueError(
                f"options 'stages' and 'blocks' must be equally long, but have {len(self.stages)} and "
                f"{len(self.blocks)} numbers"
            )
        return self


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut (He et al., 2016, Fig. 2).

    Where the shape changes, the short cut averages 2x2 pixels (what there is of them at an odd edge) and then
    projects with a 1x1 convolution (ResNet-D, He et al., 2019, Fig. 2c). Each ReLU is a module of its own, so that
    attribution methods which hook modules work.
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
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels, features, 1, bias=False),
                nn.BatchNorm2d(features),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, features, H/stride, W/stride), rounded up."""
        out = self.relu1(self.norm1(self.conv1(x)))
        total: Tensor = self.relu2(self.norm2(self.conv2(out)) + self.shortcut(x))
        return total


@register(
    "resnet",
    title="Compact ResNet",
    summary="Residual blocks in stages of 28x28, 14x14 and 7x7 pixels: the most accurate here, and the slowest.",
    options=ResnetOptions,
)
def build(options: ResnetOptions, shape: InputShape) -> nn.Module:
    """Stem, stages of residual blocks, global average pooling, output layer."""
    channels = options.stages[0]
    layers: list[nn.Module] = [
        nn.Conv2d(shape.channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
    for stage, (features, count) in enumerate(zip(options.stages, options.blocks, strict=True)):
        for block in range(count):
            layers.append(ResidualBlock(channels, features, stride=2 if stage and not block else 1))
            channels = features
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, shape.classes)]
    return nn.Sequential(*layers)
