"""What is explained: one output of a classifier, or by how much it exceeds another one."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.errors import CheckpointError, ConfigError


@dataclass(frozen=True, eq=False)
class Target:
    """The number whose causes are sought, for each of N images.

    Attributes
    ----------
    classes : Tensor
        int64, shape (N,): explain the logit of this class.
    against : Tensor, optional
        int64, shape (N,): explain by how much that logit exceeds the one of this class (their margin: why this and
        not that).
    """

    classes: Tensor
    against: Tensor | None = None

    def __len__(self) -> int:
        return len(self.classes)

    def rows(self, rows: slice) -> "Target":
        """Return the target of some of the images."""
        return Target(self.classes[rows], None if self.against is None else self.against[rows])

    def repeated(self, times: int) -> "Target":
        """Return the target of one image for as many images."""
        return Target(self.classes.expand(times), None if self.against is None else self.against.expand(times))

    def score(self, logits: Tensor) -> Tensor:
        """Return the explained number (N,) of logits (N, C)."""
        chosen = logits.gather(1, self.classes.to(logits.device)[:, None]).squeeze(1)
        if self.against is None:
            return chosen
        return chosen - logits.gather(1, self.against.to(logits.device)[:, None]).squeeze(1)

    def probability(self, logits: Tensor) -> Tensor:
        """Return the target's probability of logits (N, C), float64 on the CPU, shape (N,).

        The softmax output of the class; of a margin the probability of the class if only it and the other one were
        possible, which is the logistic function of the margin.
        """
        precise = logits.cpu().double()
        if self.against is not None:
            return torch.sigmoid(self.score(precise))
        return self.score(torch.softmax(precise, dim=1))


def as_target(target: Tensor | Target) -> Target:
    """Return a target; plain classes (N,) mean their logits."""
    return target if isinstance(target, Target) else Target(target)


class Scores(nn.Module):
    """A classifier followed by what its logits are asked for.

    Its outputs are the logits or, for margins, one difference of logits for each pair of classes that occurs; `wanted`
    says which output is each image's own. So each method of Captum, which knows outputs only, explains margins too.

    Raises
    ------
    ConfigError
        A class has no output, or is set against itself.
    CheckpointError
        While it computes: an output of the classifier is not a finite number.
    """

    def __init__(self, classifier: nn.Module, target: Target, device: torch.device) -> None:
        super().__init__()
        self.classifier = classifier
        self.pairs: Tensor | None = None
        self.wanted = target.classes.to(device).clone()
        self.named = (target.classes,) if target.against is None else (target.classes, target.against)
        if target.against is not None:
            if (target.classes.cpu() == target.against.cpu()).any():
                raise ConfigError("A class cannot be set against itself. Choose two different classes.")
            both = torch.stack([self.wanted, target.against.to(device)])
            self.pairs, self.wanted = torch.unique(both, dim=1, return_inverse=True)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels (N, channels, height, width) to logits (N, C) or margins (N, pairs)."""
        logits = self.logits(pixels)
        if self.pairs is None:
            return logits
        return logits[:, self.pairs[0]] - logits[:, self.pairs[1]]

    def logits(self, pixels: Tensor) -> Tensor:
        """Map pixels (N, channels, height, width) to logits (N, C), and check them."""
        logits: Tensor = self.classifier(pixels)
        outputs = logits.shape[1]
        if any(bool(((classes < 0) | (classes >= outputs)).any()) for classes in self.named):
            raise ConfigError(f"This model has {outputs} classes, numbered from 0. Choose one of them.")
        if not bool(torch.isfinite(logits).all()):
            raise CheckpointError(
                "The outputs of this model are not finite numbers, so its weights are unusable and there is nothing to "
                "explain. Choose another epoch or another checkpoint."
            )
        return logits
