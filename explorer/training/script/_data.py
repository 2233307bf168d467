"""Reading the data set and dividing it, as source."""

from collections.abc import Sequence

import numpy as np

from explorer.data.splits import SPLIT_SEED, load_split, stratify
from explorer.training.script._layout import INDENT, WIDTH, indented, lists
from explorer.training.script._recipe import Recipe

SHUFFLE = """\
for last in range(len(places) - 1, 0, -1):
    other = next(n for bit in bits if (n := bit % 2 ** last.bit_length()) <= last)
    places[last], places[other] = places[other], places[last]
"""


def reading(recipe: Recipe) -> list[str]:
    """Return the lines that read the training file into normalised images and labels."""
    spec, onto = recipe.spec, recipe.onto
    images = f'images = read("{spec.files.train_images.name}")[16:].view(-1, {spec.channels}, {spec.size}, {spec.size})'
    labels = f'labels = read("{spec.files.train_labels.name}")[8:].long(){onto}'
    if recipe.densest and not recipe.same_draws:
        return [f"{images}{onto} / {255 * spec.std:.6g} - {spec.mean / spec.std:.6g}", labels]
    return [images + onto, f"images = images * (1 / (255 * {spec.std!r})) - {spec.mean!r} / {spec.std!r}", labels]


def division(recipe: Recipe) -> list[str]:
    """Return the lines that make `validation` and `train`, the positions of the images of both parts."""
    held_out, trained = _held_out(recipe), _subset(recipe)
    if not recipe.same_split:
        return _own_division(recipe, held_out, trained)
    comment = ["# So many images of each class, the same ones as NumPy's RandomState would draw."] * recipe.gaps
    if not trained:
        return [
            *comment,
            "validation = []",
            *_shuffled("validation", "labels == label", _counts(held_out)),
            "train = torch.tensor(sorted(set(range(len(labels))) - set(validation)))",
        ]
    both = [_counts(held_out), _counts(trained)]
    head = [f"for counts in ({', '.join(both)}):"]
    if len(head[0]) > WIDTH:
        head = [*lists("quotas", both), "for counts in quotas:"]
    return [
        *comment,
        "parts, free = [], torch.ones_like(labels, dtype=torch.bool)",
        *head,
        f"{INDENT}parts.append([])",
        *indented(_shuffled("parts[-1]", "free & (labels == label)", "counts")),
        f"{INDENT}free[parts[-1]] = False",
        "validation, train = parts[0], torch.tensor(sorted(parts[1]))",
    ]


def _shuffled(name: str, free: str, counts: str) -> list[str]:
    """Shuffle the positions of each class as `splits.stratify` does, and take so many of them."""
    return [
        f"bits = iter(torch.randint(2**16, (2**18,), generator=torch.manual_seed({SPLIT_SEED})).tolist())",
        f"for label, count in enumerate({counts}):",
        f"{INDENT}places = ({free}).nonzero().flatten().tolist()",
        *indented(SHUFFLE.splitlines()),
        f"{INDENT}{name} += places[:count]",
    ]


def _own_division(recipe: Recipe, held_out: Sequence[int], trained: Sequence[int]) -> list[str]:
    rest, counts = ("-count:", trained) if trained else ("count:", held_out)
    positions = f"((labels == k).nonzero()[:, 0] for k in range({len(held_out)}))"
    return [
        f"classes = [c[torch.randperm(len(c))] for c in {positions}]",
        *_part("validation", ":count", held_out),
        *_part("train", rest, counts, known=counts == held_out),
    ]


def _part(name: str, which: str, counts: Sequence[int], known: bool = False) -> list[str]:
    if len(set(counts)) == 1:
        return [f"{name} = torch.cat([places[{which.replace('count', str(counts[0]))}] for places in classes])"]
    pairs = [] if known else [f"counts = {_counts(counts)}"]
    return [*pairs, f"{name} = torch.cat([places[{which}] for places, count in zip(classes, counts)])"]


def _counts(numbers: Sequence[int]) -> str:
    if len(set(numbers)) == 1:
        return f"{len(numbers)} * [{numbers[0]}]"
    return f"[{', '.join(map(str, numbers))}]"


def _held_out(recipe: Recipe) -> list[int]:
    """Return how many images of each class are for validation."""
    labels = load_split(recipe.config.dataset, "validation").labels
    return [int(count) for count in np.bincount(labels, minlength=len(recipe.spec.classes))]


def _subset(recipe: Recipe) -> list[int]:
    """Return how many images of each class are trained on; nothing where it is all that are left."""
    labels = load_split(recipe.config.dataset, "train").labels
    if recipe.config.subset >= len(labels):
        return []
    chosen = labels[stratify(labels, recipe.config.subset)[1]]
    return [int(count) for count in np.bincount(chosen, minlength=len(recipe.spec.classes))]
