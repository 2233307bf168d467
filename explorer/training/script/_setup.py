"""The optimizer, its schedule and the average of the weights, as source."""

from explorer.training.script._layout import call, function
from explorer.training.script._recipe import Recipe

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


def definitions(recipe: Recipe) -> list[str]:
    """Return the function that mixes the average of the weights with new ones."""
    if not (decay := recipe.config.ema):
        return []
    early = 0 if recipe.same_draws else 1  # the average then starts from the weights after the first step
    rate = f"min({decay!r}, ({1 + early} + int(t)) / ({10 + early} + int(t)))"
    mixed = f"mean + (new - mean) * (1 - {rate})"
    return function("mix", "mean, new, t", mixed, short=recipe.lambdas)


def setup(recipe: Recipe) -> list[str]:
    """Return the lines between the network and the loop."""
    config = recipe.config
    lines = call(f"optimizer = optim.{CLASSES[config.optimizer]}(", ["network.parameters()", *_settings(recipe)])
    lines += _scheduler(recipe)
    if config.ema:
        lines += [
            "average = optim.swa_utils.AveragedModel(network, avg_fn=mix, use_buffers=True).eval()",
            *(["average.update_parameters(network)"] if recipe.same_draws else []),
        ]
    return lines + (["best = (0.0, 0)"] if config.patience and not recipe.densest else [])


def _settings(recipe: Recipe) -> list[str]:
    config = recipe.config
    settings = [f"lr={_rate(recipe)}"]
    if config.optimizer in ("momentum", "nesterov"):
        settings += [f"momentum={config.momentum!r}"]
    if config.optimizer == "nesterov":
        settings += ["nesterov=True"]
    if config.optimizer != "rprop" and (config.weight_decay or config.optimizer in DECAYS_BY_DEFAULT):
        settings += [f"weight_decay={config.weight_decay!r}"]
    if recipe.same_draws and config.optimizer in FUSED and config.device != "mps":
        settings += ["fused=True"]
    return settings


def _scheduler(recipe: Recipe) -> list[str]:
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
        first = ["optimizer", _rate(recipe), str(steps)]
        named = [*([] if share == 0.3 else [f"pct_start={share!r}"]), "cycle_momentum=False"]
        lines = call(f"{opening}OneCycleLR(", [*first, *named])
        if recipe.densest and len(lines) > 1:
            lines = call(f"{opening}OneCycleLR(", [*first, "None", "None", repr(share), '"cos"', "False"])
        return lines
    return []


def _rate(recipe: Recipe) -> str:
    """Write the learning rate; with all its digits only where the script is to repeat the run exactly."""
    rate = recipe.config.learning_rate
    return repr(rate) if recipe.same_draws else repr(float(f"{rate:.6g}"))
