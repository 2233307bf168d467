"""The optimizer, its schedule and the loop over epochs and steps, as source."""

from explorer.training.script.layout import INDENT, WIDTH, call, indented
from explorer.training.script.recipe import ScriptRecipe

EVALUATED = 500
"""Images that a network evaluates at once."""
CLASSES = {
    "sgd": "SGD",
    "momentum": "SGD",
    "nesterov": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "radam": "RAdam",
    "asgd": "ASGD",
    "rprop": "Rprop",
}
FUSED = ("sgd", "momentum", "nesterov", "adam", "adamw", "adagrad")
DECAYS_BY_DEFAULT = ("adamw",)


def definitions(recipe: ScriptRecipe) -> str:
    """Return the function that mixes the average of the weights with new ones."""
    if not (decay := recipe.config.ema):
        return ""
    mixed = f"mean + (new - mean) * (1 - min({decay!r}, (1 + int(t)) / (10 + int(t))))"
    return f"def mix(mean, new, t):\n{INDENT}return {mixed}\n"


def setup(recipe: ScriptRecipe) -> list[str]:
    """Return the lines between the network and the loop."""
    config = recipe.config
    lines, weights = [], "network.parameters()"
    if recipe.spares_biases:
        lines = [
            "weights = [one for one in network.parameters() if one.ndim > 1]",
            "biases = [one for one in network.parameters() if one.ndim < 2]",
            'groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]',
        ]
        weights = "groups"
    lines += call(f"optimizer = optim.{CLASSES[config.optimizer]}(", [weights, *_settings(recipe)])
    lines += _scheduler(recipe)
    if config.ema:
        lines += [
            "average = optim.swa_utils.AveragedModel(network, avg_fn=mix, use_buffers=True).eval()",
            "average.update_parameters(network)",
        ]
    if recipe.alternates:
        lines += [
            f'seed("{config.seed}/flip")',
            "first = torch.zeros(len(labels), dtype=torch.bool)  # what is mirrored in odd epochs",
            "first[train] = torch.rand(len(train)) < 0.5",
        ]
    return lines + (["best = (0.0, 0)"] if config.patience else [])


def _settings(recipe: ScriptRecipe) -> list[str]:
    config = recipe.config
    settings = [f"lr={config.learning_rate!r}"]
    if config.optimizer in ("momentum", "nesterov"):
        settings += [f"momentum={config.momentum!r}"]
    if config.optimizer == "nesterov":
        settings += ["nesterov=True"]
    if config.optimizer != "rprop" and (config.weight_decay or config.optimizer in DECAYS_BY_DEFAULT):
        settings += [f"weight_decay={config.weight_decay!r}"]
    if config.optimizer in FUSED and config.device != "mps":
        settings += ["fused=True"]
    return settings


def _scheduler(recipe: ScriptRecipe) -> list[str]:
    config = recipe.config
    opening = "scheduler = optim.lr_scheduler."
    if config.schedule == "step":
        return call(f"{opening}StepLR(", ["optimizer", str(config.step_epochs), f"gamma={config.step_factor!r}"])
    if config.schedule == "cosine":
        return call(f"{opening}CosineAnnealingLR(", ["optimizer", f"T_max={config.epochs}"])
    if config.schedule == "one-cycle":
        steps = config.epochs * recipe.plan.steps
        share = config.warmup
        if share * steps == 1:  # OneCycleLR would divide by the zero steps of the rise
            share -= 1e-9
        named = [*([] if share == 0.3 else [f"pct_start={share!r}"]), "cycle_momentum=False"]
        return call(f"{opening}OneCycleLR(", ["optimizer", repr(config.learning_rate), str(steps), *named])
    return []


def epochs(recipe: ScriptRecipe) -> list[str]:
    """Return the loop over the epochs: train, evaluate, report."""
    config = recipe.config
    last = recipe.cut.epoch if recipe.cut else config.epochs
    switches = recipe.has_modes and not config.ema
    body = [*_changed_rate(recipe)]
    body += ["network.train()"] if switches else []
    body += [f'seed(f"{config.seed}/order/{{epoch}}")', *_batches(recipe), *indented(_step(recipe))]
    body += ["scheduler.step()"] if config.schedule in ("step", "cosine") else []
    body += ["network.eval()"] if switches else []
    return [f"for epoch in range(1, {last + 1}):", *indented([*body, *_evaluation(recipe)])]


def _changed_rate(recipe: ScriptRecipe) -> list[str]:
    """Multiply the learning rate in the epochs in which the user changed it."""
    before, factors = recipe.config.learning_rate, {}
    for epoch, rate in sorted(recipe.rates.items()):
        factors[epoch], before = rate / before, rate
    if not factors:
        return []
    table = ", ".join(f"{epoch}: {factor!r}" for epoch, factor in factors.items())
    keys = '("lr", "initial_lr", "max_lr", "min_lr")' if recipe.config.schedule == "one-cycle" else '("lr",)'
    return [
        "for group in optimizer.param_groups:",
        f"{INDENT}for key in {keys}:",
        f"{INDENT * 2}group[key] *= {{{table}}}.get(epoch, 1)",
    ]


def _batches(recipe: ScriptRecipe) -> list[str]:
    """Return the lines that go through the batches of an epoch, but for what is done with them."""
    bounds = recipe.plan.bounds
    order, batch, before = "train[torch.randperm(len(train))]", bounds[1], []
    parts = f"{order}.split({batch})"
    if bounds[-1] - bounds[-2] > batch:  # a single image at the end, which batch norm cannot take, joined the others
        before = [f"order = {order}"]
        parts = f"order.tensor_split([*range({batch}, {bounds[-2] + 1}, {batch})])"
    numbered = recipe.ends_within or recipe.augments or recipe.drops_out
    return [*before, f"for step, batch in enumerate({parts}):" if numbered else f"for batch in {parts}:"]


def _step(recipe: ScriptRecipe) -> list[str]:
    config = recipe.config
    lines = _augmentation(recipe) if recipe.augments else []
    lines += [f'seed(f"{config.seed}/step/{{epoch}}/{{step}}")'] if recipe.drops_out else []
    lines += ["optimizer.zero_grad()", *_gradient(recipe), "optimizer.step()"]
    lines += ["scheduler.step()"] if config.schedule == "one-cycle" else []
    lines += ["average.update_parameters(network)"] if config.ema else []
    if recipe.ends_within and recipe.cut:
        lines += [f"if (epoch, step) == ({recipe.cut.epoch}, {recipe.cut.step - 1}):", f"{INDENT}break"]
    return lines


def _gradient(recipe: ScriptRecipe) -> list[str]:
    own = recipe.augments or bool(recipe.config.adversarial)
    x, y = "x" if own else "images[batch]", "labels[batch]"
    if not recipe.pieces:
        gathered = ["x = images[batch]"] if own and not recipe.augments else []
        return [*gathered, *_adversarial(recipe, y), *_loss(recipe, x, y), "loss.backward()"]
    size = recipe.plan.piece
    if not recipe.augments:
        head, some_x, some_y = f"for part in batch.split({size}):", "x" if own else "images[part]", "labels[part]"
    else:
        head, some_x, some_y = f"for part, x in zip(batch.split({size}), x.split({size})):", "x", "labels[part]"
    body = ["x = images[part]"] if own and not recipe.augments else []
    body += [*_adversarial(recipe, some_y), *_loss(recipe, some_x, some_y)]
    return [head, *indented([*body, "(loss * (len(part) / len(batch))).backward()"])]


def _adversarial(recipe: ScriptRecipe, y: str) -> list[str]:
    """Return the lines that change every second image of `x` against the network."""
    if not (epsilon := recipe.config.adversarial):
        return []
    return [
        *(["network.eval()"] if recipe.has_modes else []),
        "some = x[::2].clone().requires_grad_()",
        f"attacked = nn.functional.cross_entropy(network(some), {y}[::2])",
        "slope = torch.autograd.grad(attacked, some)[0]",
        *(["network.train()"] if recipe.has_modes else []),
        f"some = some.detach() + {epsilon!r} / {recipe.spec.std!r} * slope.sign()",
        f"x[::2] = some.clamp({recipe.black}, {recipe.white})",
    ]


def _loss(recipe: ScriptRecipe, x: str, y: str) -> list[str]:
    """Return the lines that compute the loss of images `x` with labels `y`."""
    config = recipe.config
    depth = 3 if recipe.pieces else 2
    before, logits = [], f"network({x})"
    if config.precision == "bf16":
        kind = recipe.device or '"cpu"'
        before = [f"with torch.autocast({kind}, torch.bfloat16):", f"{INDENT}logits = {logits}.float()"]
        logits = "logits"
    if config.loss == "mse":
        target = f"torch.eye({len(recipe.spec.classes)}){recipe.onto}[{y}]"
        lines = [f"loss = ({logits}.softmax(1) - {target}).square().sum(1).mean()"]
        if len(lines[0]) + depth * len(INDENT) > WIDTH:
            lines = [f"target = {target}", lines[0].replace(target, "target")]
        return [*before, *lines]
    smoothing = [f"label_smoothing={config.label_smoothing!r}"] if config.label_smoothing else []
    return [*before, *call("loss = nn.functional.cross_entropy(", [logits, y, *smoothing], depth=depth)]


def _augmentation(recipe: ScriptRecipe) -> list[str]:
    """Return the lines that make the batch's images `x`, changed at random."""
    config, onto, size = recipe.config, recipe.onto, recipe.spec.size
    lines = [f'seed(f"{config.seed}/augmentation/{{epoch}}/{{step}}")', "x = images[batch]"]
    if recipe.alternates:
        lines += [f"mirrored = (first[batch] ^ (epoch % 2 == 0)){onto}[:, None, None, None]"]
        lines += ["x = torch.where(mirrored, x.flip(3), x)"]
    elif config.flip:
        lines += [f"x = torch.where(torch.rand(len(x), 1, 1, 1){onto} < 0.5, x.flip(3), x)"]
    if pixels := config.shift:
        lines += [
            f"rows, columns = torch.randint({2 * pixels + 1}, (2, len(x), 1)) + torch.arange({size})",
            f"x = nn.functional.pad(x, 4 * ({pixels},), value={recipe.black})",
            "x = x[torch.arange(len(x))[:, None, None], 0, rows[:, :, None], columns[:, None]][:, None]",
        ]
    if config.erase:
        lines += [
            f"area, shape, top, left, chance = torch.rand(5, len(x), 1, 1, 1){onto}",
            f"area, shape = {size**2} * (0.02 + 0.31 * area), 0.3 * 11**shape",
            f"tall, wide = (side.sqrt().round().clamp(1, {size}) for side in (area * shape, area / shape))",
            f"row = torch.arange({size}){onto}[:, None] - (top * ({size + 1} - tall)).floor()",
            f"column = torch.arange({size}){onto} - (left * ({size + 1} - wide)).floor()",
            f"erased = (row // tall == 0) & (column // wide == 0) & (chance < {config.erase!r})",
        ]
        noise = config.erase_fill == "random"
        lines += [f"x = torch.where(erased, torch.randn(x.shape){onto}, x)" if noise else "x[erased] = 0.0"]
    return lines


def _evaluation(recipe: ScriptRecipe) -> list[str]:
    config = recipe.config
    name = "average" if config.ema else "network"
    parts = f"[{name}(x).argmax(1) for x in images[validation].split({EVALUATED})]"
    accuracy = "(found == labels[validation]).float().mean()"
    before, after = [], []
    if config.patience:
        before, accuracy = [f"accuracy = {accuracy}.item()"], "accuracy"
        after = ["best = max(best, (accuracy, -epoch))", f"if epoch + best[1] >= {config.patience}:", f"{INDENT}break"]
    return [
        "with torch.inference_mode():",
        f"{INDENT}found = torch.cat({parts})",
        *before,
        f'print(f"epoch {{epoch}}: validation accuracy {{{accuracy}:.2%}}")',
        *after,
    ]
