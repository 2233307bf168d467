"""The loop over epochs and steps, as source."""

from explorer.training.script._layout import INDENT, WIDTH, call, indented
from explorer.training.script._recipe import Recipe

EVALUATED = 500
"""Images that a convolutional network evaluates at once."""


def epochs(recipe: Recipe) -> list[str]:
    """Return the loop over the epochs: train, evaluate, report."""
    config = recipe.config
    last = recipe.cut.epoch if recipe.cut else config.epochs
    body = [*_changed_rate(recipe)]
    body += ["network.train()"] if _switches(recipe) else []
    body += [f'seed(f"{config.seed}/order/{{epoch}}")'] if recipe.same_draws else []
    body += [*_batches(recipe), *indented(_step(recipe))]
    body += ["scheduler.step()"] if config.schedule in ("step", "cosine") else []
    body += ["network.eval()"] if _switches(recipe) else []
    return [f"for epoch in range(1, {last + 1}):", *indented([*body, *_evaluation(recipe), *_patience(recipe)])]


def _switches(recipe: Recipe) -> bool:
    return recipe.has_modes and not recipe.config.ema


def _changed_rate(recipe: Recipe) -> list[str]:
    """Multiply the learning rate in the epochs in which the user changed it."""
    before, factors = recipe.config.learning_rate, {}
    for epoch, rate in sorted(recipe.rates.items()):
        factors[epoch], before = rate / before, rate
    if not factors:
        return []
    table = ", ".join(f"{epoch}: {factor!r}" for epoch, factor in factors.items())
    change = f'optimizer.param_groups[0]["lr"] *= {{{table}}}.get(epoch, 1)'
    if recipe.config.schedule != "one-cycle":
        return [change]
    return ['for key in ("lr", "initial_lr", "max_lr", "min_lr"):', INDENT + change.replace('"lr"', "key")]


def _batches(recipe: Recipe) -> list[str]:
    """Return the lines that go through the batches of an epoch, but for what is done with them."""
    bounds = recipe.plan.bounds
    order, batch, before = "train[torch.randperm(len(train))]", bounds[1], []
    parts = f"{order}.split({batch})"
    if bounds[-1] - bounds[-2] > batch:  # a single image at the end, which batch norm cannot take, joined the others
        before = [f"order = {order}"]
        parts = f"order.tensor_split([*range({batch}, {bounds[-2] + 1}, {batch})])"
    numbered = recipe.ends_within or (recipe.same_draws and (recipe.augments or recipe.drops_out))
    return [*before, f"for step, batch in enumerate({parts}):" if numbered else f"for batch in {parts}:"]


def _step(recipe: Recipe) -> list[str]:
    config = recipe.config
    lines = augmentation(recipe) if recipe.augments else []
    lines += [f'seed(f"{config.seed}/step/{{epoch}}/{{step}}")'] if recipe.same_draws and recipe.drops_out else []
    lines += ["optimizer.zero_grad()", *_gradient(recipe), "optimizer.step()"]
    lines += ["scheduler.step()"] if config.schedule == "one-cycle" else []
    lines += ["average.update_parameters(network)"] if config.ema else []
    if recipe.ends_within and recipe.cut:
        lines += [f"if (epoch, step) == ({recipe.cut.epoch}, {recipe.cut.step - 1}):", f"{INDENT}break"]
    return lines


def _gradient(recipe: Recipe) -> list[str]:
    own = recipe.augments or bool(recipe.config.adversarial)
    x, y = "x" if own else "images[batch]", "labels[batch]"
    if not recipe.pieces:
        gathered = ["x = images[batch]"] if own and not recipe.augments else []
        return [*gathered, *adversarial(recipe, y), *loss(recipe, x, y), "loss.backward()"]
    size = recipe.plan.piece
    if not recipe.augments:
        head, some_x, some_y = f"for part in batch.split({size}):", "x" if own else "images[part]", "labels[part]"
    else:
        head, some_x, some_y = f"for part, x in zip(batch.split({size}), x.split({size})):", "x", "labels[part]"
    body = ["x = images[part]"] if own and not recipe.augments else []
    body += [*adversarial(recipe, some_y), *loss(recipe, some_x, some_y)]
    return [head, *indented([*body, "(loss * (len(part) / len(batch))).backward()"])]


def adversarial(recipe: Recipe, y: str) -> list[str]:
    """Return the lines that change every second image of `x` against the network."""
    if not (epsilon := recipe.config.adversarial):
        return []
    return [
        *(["network.eval()"] if recipe.has_modes else []),
        "some = x[::2].clone().requires_grad_()",
        f"fooled = nn.functional.cross_entropy(network(some), {y}[::2])",
        "slope = torch.autograd.grad(fooled, some)[0]",
        *(["network.train()"] if recipe.has_modes else []),
        f"some = some.detach() + {epsilon!r} / {recipe.spec.std!r} * slope.sign()",
        f"x[::2] = some.clamp({recipe.black}, {recipe.white})",
    ]


def loss(recipe: Recipe, x: str, y: str) -> list[str]:
    """Return the lines that compute the loss of images `x` with labels `y`."""
    config = recipe.config
    depth = 3 if recipe.pieces else 2
    if config.loss == "mse":
        target = f"torch.eye({len(recipe.spec.classes)}){recipe.onto}[{y}]"
        lines = [f"loss = (network({x}).softmax(1) - {target}).square().sum(1).mean()"]
        if len(lines[0]) + depth * len(INDENT) > WIDTH:
            lines = [f"target = {target}", lines[0].replace(target, "target")]
        return lines
    smoothing = [f"label_smoothing={config.label_smoothing!r}"] if config.label_smoothing else []
    return call("loss = nn.functional.cross_entropy(", [f"network({x})", y, *smoothing], depth=depth)


def augmentation(recipe: Recipe) -> list[str]:
    """Return the lines that make the batch's images `x`, changed at random."""
    config, onto, size = recipe.config, recipe.onto, recipe.spec.size
    lines = [f'seed(f"{config.seed}/augmentation/{{epoch}}/{{step}}")'] if recipe.same_draws else []
    lines += ["x = images[batch]"]
    if config.flip:
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
            f"x = x.masked_fill((row // tall == 0) & (column // wide == 0) & (chance < {config.erase!r}), 0.0)",
        ]
    return lines


def _evaluation(recipe: Recipe) -> list[str]:
    name = "average" if recipe.config.ema else "network"
    lines = ["with torch.inference_mode():"]
    if recipe.convolves:
        parts = f"for x in images[validation].split({EVALUATED})"
        lines += [f"{INDENT}found = torch.cat([{name}(x).argmax(1) {parts}])"]
    else:
        lines += [f"{INDENT}found = {name}(images[validation]).argmax(1)"]
    if not recipe.same_split:  # the shortest script: gradients that nobody asks for cost a little memory alone
        lines = [lines[1].strip()]
    accuracy = "(found == labels[validation]).float().mean()"
    if recipe.config.patience:
        lines += [f"accuracy = {accuracy}.item()"]
        accuracy = "accuracy"
    return [*lines, f'print(f"epoch {{epoch}}: validation accuracy {{{accuracy}:.2%}}")']


def _patience(recipe: Recipe) -> list[str]:
    if not recipe.config.patience:
        return []
    best = "best = max(best, (accuracy, -epoch))"
    return [
        f"{best} if epoch > 1 else (accuracy, -1)" if recipe.densest else best,
        f"if epoch + best[1] >= {recipe.config.patience}:",
        f"{INDENT}break",
    ]
