"""A run as a short script of plain PyTorch, which needs nothing of this project."""

import platform
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import torch

import explorer
import models
from explorer.data.splits import SPLIT_SEED, load_split, stratify
from explorer.training.config import TrainConfig
from explorer.training.records import Cut
from explorer.training.script import network, steps
from explorer.training.script.layout import INDENT, WIDTH, indented, lists
from explorer.training.script.recipe import ScriptRecipe, make_recipe

FUNCTIONS = """\
def read(name):
    return torch.frombuffer(bytearray(gzip.open(folder + name).read()), dtype=torch.uint8)


def seed(key):
    torch.manual_seed(int(blake2b(key.encode(), digest_size=4).hexdigest(), 16))
"""
SHUFFLE = """\
for last in range(len(places) - 1, 0, -1):
    other = next(n for bit in bits if (n := bit % 2 ** last.bit_length()) <= last)
    places[last], places[other] = places[other], places[last]
"""


def plain_script(
    config: TrainConfig,
    *,
    rates: Mapping[int, float] | None = None,
    cut: Cut | None = None,
    parent: Mapping[str, object] | None = None,
) -> str:
    """Return a Python script that trains the same network from scratch, with PyTorch alone.

    It draws weights, batches, dropout and augmentation as the run did, holds out the very images that the run held
    out, and prints the validation accuracy of every epoch. It holds no weights and no text of a user.

    Parameters
    ----------
    config : TrainConfig
    rates : mapping, optional
        Learning rates set while the run was computed, by the epoch from which they hold.
    cut : Cut, optional
        Where the clock or the user ended the run.
    parent : mapping, optional
        `run` and `epoch` that the run goes on from. The script says so, and starts from random weights.

    Raises
    ------
    ConfigError
        The model cannot be built, or is of a kind that no script has been written for.
    """
    recipe = make_recipe(config, dict(rates or {}), cut)
    start = [f'seed("{config.seed}/weights")', *network.network(recipe), *_initial(config), *steps.setup(recipe)]
    parts = [_reading(recipe), _division(recipe), start, steps.epochs(recipe)]
    functions = [FUNCTIONS, network.definitions(recipe), steps.definitions(recipe)]
    before = "".join(line + "\n" for line in [*_imports(config), "", *_settings(recipe)])
    body = "\n".join("\n".join(part) + "\n" for part in parts)
    return "\n\n".join([_docstring(recipe, cut, parent) + before, *filter(None, functions), body])


def _docstring(recipe: ScriptRecipe, cut: Cut | None, parent: Mapping[str, object] | None) -> str:
    config = recipe.config
    usage = "python train.py FOLDER" + (" START.pt" if config.initial else "")
    versions = f"PyTorch {torch.__version__.partition('+')[0]}, Python {platform.python_version()}"
    details = [
        f"FOLDER holds the set's gzip files, from {recipe.spec.source.rpartition(', ')[2]}.",
        f"Made by Fashion-MNIST Explorer {explorer.__version__} with {versions}.",
        *([] if parent else ["With these, and the device and threads of the run, it prints the run's accuracies."]),
        *(["START.pt holds the weights that the run began with."] if config.initial else []),
        *_notes(config, cut, parent),
    ]
    text = "\n".join(textwrap.wrap(" ".join(details), WIDTH, break_on_hyphens=False))
    title = f"{models.get(config.model).title} on {recipe.spec.title}"
    return f'"""{title}, in plain PyTorch. Run it with: {usage}\n\n{text}\n"""\n\n'


def _notes(config: TrainConfig, cut: Cut | None, parent: Mapping[str, object] | None) -> list[str]:
    notes = []
    if parent:
        epoch = int(str(parent.get("epoch", 0)))
        notes += [f"The run itself went on from epoch {epoch} of another one; this starts from random weights."]
    if cut is not None:
        notes += [f"The run was ended in epoch {cut.epoch}, and so is this."]
    elif config.time_budget is not None:
        notes += [f"The run had {config.time_budget:g} s; this does not look at the clock."]
    return notes


def _imports(config: TrainConfig) -> list[str]:
    hashes = "from hashlib import blake2b"
    lines = ["import gzip", "import sys", hashes, "", "import torch", "from torch import nn, optim"]
    return lines + (["from torchvision.models import resnet18"] if config.model == "resnet18" else [])


def _settings(recipe: ScriptRecipe) -> list[str]:
    threads = recipe.config.threads
    lines = [f"torch.set_num_threads({threads})"] if threads else []
    lines += ['device = "cuda" if torch.cuda.is_available() else "cpu"'] if recipe.device == "device" else []
    arguments = 2 if recipe.config.initial else 1
    return [*lines, f'folder = sys.argv[1] + "/" if len(sys.argv) > {arguments} else sys.exit(__doc__)']


def _initial(config: TrainConfig) -> Sequence[str]:
    if not config.initial:
        return []
    return ["network.load_state_dict(dict(zip(network.state_dict(), torch.load(sys.argv[2]).values())))"]


def _reading(recipe: ScriptRecipe) -> list[str]:
    """Return the lines that read the training file into normalised images and labels."""
    spec, onto = recipe.spec, recipe.onto
    shape = f"(-1, {spec.channels}, {spec.size}, {spec.size})"
    return [
        f'images = read("{spec.files.train_images.name}")[16:].view{shape}{onto}',
        f"images = images * (1 / (255 * {spec.std!r})) - {spec.mean!r} / {spec.std!r}",
        f'labels = read("{spec.files.train_labels.name}")[8:].long(){onto}',
    ]


def _division(recipe: ScriptRecipe) -> list[str]:
    """Return the lines that make `validation` and `train`, the positions of the images of both parts."""
    held_out = _counts(load_split(recipe.config.dataset, "validation").labels)
    comment = "# So many images of each class, the same ones as NumPy's RandomState would draw."
    labels = load_split(recipe.config.dataset, "train").labels
    if recipe.config.subset >= len(labels):
        return [
            comment,
            "validation = []",
            *_shuffled("validation", "labels == label", held_out),
            "train = torch.tensor(sorted(set(range(len(labels))) - set(validation)))",
        ]
    both = [held_out, _counts(labels[stratify(labels, recipe.config.subset)[1]])]
    head = [f"for counts in ({', '.join(both)}):"]
    if len(head[0]) > WIDTH:
        head = [*lists("quotas", both), "for counts in quotas:"]
    return [
        comment,
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


def _counts(labels: np.ndarray) -> str:
    """Write how many images of each class there are."""
    numbers = np.bincount(labels).tolist()
    return f"{len(numbers)} * [{numbers[0]}]" if len(set(numbers)) == 1 else f"[{', '.join(map(str, numbers))}]"
