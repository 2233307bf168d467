"""A run as a short script of plain PyTorch, which needs nothing of this project."""

import platform
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

import explorer
import models
from explorer.training.config import TrainConfig
from explorer.training.records import Cut
from explorer.training.script import _data, _network, _setup, _steps
from explorer.training.script._layout import WIDTH, function
from explorer.training.script._recipe import DENSEST, Recipe, make_recipe

MOST_LINES = 59
TIERS = (*((True, True, density) for density in range(DENSEST + 1)), (False, True, DENSEST), (False, False, DENSEST))
"""Whether to draw as the run did, whether to divide the data as it did, and how densely to write: the first that
fits is taken."""

READ = "torch.frombuffer(bytearray(gzip.open(folder + name).read()), dtype=torch.uint8)"
SEED = "torch.manual_seed(int(blake2b(key.encode(), digest_size=4).hexdigest(), 16))"


def plain_script(
    config: TrainConfig,
    *,
    rates: Mapping[int, float] | None = None,
    cut: Cut | None = None,
    parent: Mapping[str, object] | None = None,
) -> str:
    """Return a Python script that trains the same network from scratch, with PyTorch alone.

    It prints the validation accuracy of every epoch. It holds no weights and no text of a user, and has fewer than
    60 lines wherever the configuration can be said in so many; otherwise it is as short as it can be.

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
    text = ""
    for same_draws, same_split, density in TIERS:
        recipe = replace(recipe, same_draws=same_draws, same_split=same_split, density=density)
        text = _script(recipe, _notes(config, cut, parent), forked=bool(parent))
        if text.count("\n") <= MOST_LINES:
            break
    return text


def _script(recipe: Recipe, notes: Sequence[str], forked: bool) -> str:
    definitions = _definitions(recipe)
    parts = [
        _data.reading(recipe),
        _data.division(recipe),
        [*_draws(recipe), *_network.network(recipe), *_start(recipe), *_setup.setup(recipe)],
        _steps.epochs(recipe),
    ]
    body = ("\n\n" if recipe.gaps else "\n").join("\n".join(part) for part in parts)
    return f"{_docstring(recipe, notes, forked)}\n{_imports(recipe, body)}\n{definitions}{body}\n"


def _definitions(recipe: Recipe) -> str:
    """Return settings, and the functions and classes with the blank lines that belong around them."""
    short = recipe.lambdas
    functions = [function("read", "name", READ, short=short)]
    functions += [function("seed", "key", SEED, short=short)] if recipe.same_draws else []
    functions += [*_network.definitions(recipe), _setup.definitions(recipe)]
    inline = [line for lines in functions if len(lines) == 1 for line in lines]
    blocks = ["\n".join(lines) for lines in functions if len(lines) > 1]
    apart = "\n\n" + "\n\n\n".join(blocks) + "\n\n\n" if blocks else "\n"
    return apart + "".join(line + "\n" for line in [*_settings(recipe), *inline])


def _docstring(recipe: Recipe, notes: Sequence[str], forked: bool) -> str:
    what = f"{models.get(recipe.config.model).title} on {recipe.spec.title}"
    usage = "python train.py FOLDER" + (" START.pt" if recipe.config.initial else "")
    pytorch = f"PyTorch {torch.__version__.partition('+')[0]}"
    if recipe.densest:
        short = " ".join([f'"""{what}, for {pytorch}. Run: {usage}', *notes])
        return "\n".join(textwrap.wrap(short, WIDTH - 3, break_on_hyphens=False)) + '"""\n'
    versions = f"{pytorch}, Python {platform.python_version()}"
    same = "With these, and the device and threads of the run, it prints the run's accuracies."
    begin = "START.pt holds the weights that the run began with."
    details = [
        f"FOLDER holds the set's gzip files. Made by Fashion-MNIST Explorer {explorer.__version__} with {versions}.",
        *([] if forked else [same]),
        *([begin] if recipe.config.initial else []),
        *notes,
    ]
    text = "\n".join(textwrap.wrap(" ".join(details), WIDTH - 3, break_on_hyphens=False))
    opening = f'"""{what}, in plain PyTorch. Run it with: {usage}'
    return f'{opening}\n\n{text}\n"""\n' if recipe.gaps else f'{opening}\n{text}"""\n'


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


def _imports(recipe: Recipe, body: str) -> str:
    hashes = ["from hashlib import blake2b"] if recipe.same_draws else []
    lines = ["import gzip", "import sys", *hashes, "", "import torch", "from torch import nn, optim"]
    return "\n".join(lines + (["from torchvision.models import resnet18"] if "resnet18(" in body else []))


def _settings(recipe: Recipe) -> list[str]:
    config = recipe.config
    lines = [f"torch.set_num_threads({config.threads})"] if config.threads and recipe.same_draws else []
    lines += [] if recipe.same_draws else [f"torch.manual_seed({config.seed})"]
    lines += ['device = "cuda" if torch.cuda.is_available() else "cpu"'] if recipe.device == "device" else []
    return [*lines, 'folder = sys.argv[1] + "/" if len(sys.argv) > 1 else ""']


def _draws(recipe: Recipe) -> list[str]:
    return [f'seed("{recipe.config.seed}/weights")'] if recipe.same_draws else []


def _start(recipe: Recipe) -> list[str]:
    if not recipe.config.initial:
        return []
    if recipe.config.model != "resnet":
        return ["network.load_state_dict(torch.load(sys.argv[2]))"]
    return ["network.load_state_dict(dict(zip(network.state_dict(), torch.load(sys.argv[2]).values())))"]
