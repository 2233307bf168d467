"""Put a trained checkpoint among those that ship, in half precision where that costs no accuracy.

    python scripts/publish_checkpoint.py RUN [--images FOLDER]

takes the best epoch of a run by validation, writes `checkpoints/<dataset>-<model>.safetensors` and refreshes the
table in `checkpoints/README.md`. The weights are rounded to half precision only if the validation accuracy stays.
Whatever it is given, it then renews the predictions of the validation and test images beside every checkpoint whose
predictions are not its own, `checkpoints/<name>.predictions.npz`. FOLDER holds pictures of the classes from elsewhere
and `labels.json`, a list of `file`, `dataset` and `label`; how many of them each checkpoint gets right is then noted
there, and said where a picture is brought.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from explorer.analysis.drawings.verdicts import predict_images
from explorer.analysis.evaluation.prediction_files import load_pictures, load_shipped, save_shipped, shipped_file
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.splits import load_split
from explorer.paths import SHIPPED_CHECKPOINTS
from explorer.store.catalog import resolve, shipped
from explorer.store.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from explorer.store.runs import RUN_ID
from explorer.training.config import TrainConfig

TABLE = "<!-- table -->"


def publish(reference: str) -> Path:
    """Write the shipped file for a run or checkpoint and return its path."""
    source = load_checkpoint(resolve(reference))
    target = SHIPPED_CHECKPOINTS / f"{source.dataset}-{source.model}.safetensors"
    network = source.classifier().network
    save_checkpoint(target, network, source.metadata, half=True)
    if _accuracy(load_checkpoint(target), "validation") < _accuracy(source, "validation"):
        save_checkpoint(target, network, source.metadata)
    figures = {f"{split}_accuracy": _accuracy(load_checkpoint(target), split) for split in ("validation", "test")}
    metadata = source.metadata.model_copy(update={"metrics": source.metrics | figures})
    save_checkpoint(target, network, metadata, half=target.stat().st_size < source.path.stat().st_size * 0.75)
    return target


def renew_predictions(images: Path | None) -> None:
    """Write the predictions beside the shipped checkpoints that have none of their very weights and images."""
    for path in shipped():
        checkpoint = load_checkpoint(path)
        splits = [load_split(str(checkpoint.dataset), name) for name in ("validation", "test")]
        found = [load_shipped(checkpoint, split) for split in splits]
        pictures = _pictures(checkpoint, images) if images else load_pictures(checkpoint)
        if images or not all(found):
            pairs = zip(found, splits, strict=True)
            save_shipped(checkpoint, [one or Predictions.compute(checkpoint, split) for one, split in pairs], pictures)
            print(shipped_file(path), "" if pictures is None else f"{pictures[0]} of {pictures[1]} pictures")


def _pictures(checkpoint: Checkpoint, folder: Path) -> tuple[int, int] | None:
    """Count the pictures of a checkpoint's classes, and those that it gets right."""
    labels = json.loads((folder / "labels.json").read_text())
    wanted = {folder / one["file"]: str(one["label"]) for one in labels if one["dataset"] == checkpoint.dataset}
    answers = predict_images(checkpoint, list(wanted))
    right = sum(one.get("class") == label for one, label in zip(answers, wanted.values(), strict=True))
    return (right, len(wanted)) if wanted else None


def write_table() -> None:
    """Refresh the table of shipped checkpoints, each with the command that trained it."""
    readme = SHIPPED_CHECKPOINTS / "README.md"
    head, _, rest = readme.read_text().partition(TABLE)
    _, _, tail = rest.partition(TABLE)
    readme.write_text(f"{head}{TABLE}\n{_table()}\n{TABLE}{tail}")


def _table() -> str:
    lines = ["| name | parameters | size | epoch | validation | test |", "|---|---:|---:|---:|---:|---:|"]
    commands = []
    for path in shipped():
        checkpoint = load_checkpoint(path)
        figures = checkpoint.metrics
        lines.append(
            f"| `{checkpoint.name}` | {checkpoint.parameters:,} | {path.stat().st_size / 1e3:,.0f} kB "
            f"| {figures['epoch']} of {checkpoint.config['epochs']} | {figures['validation_accuracy']:.2%} "
            f"| {figures['test_accuracy']:.2%} |"
        )
        commands.append(f"# {checkpoint.name}\n{_command(checkpoint)}")
    return "\n".join([*lines, "", "```bash", *commands, "```"])


def _command(checkpoint: Checkpoint) -> str:
    """Return the `train` command that repeats a checkpoint's run."""
    config = TrainConfig.parse(checkpoint.config)
    plain = TrainConfig(dataset=config.dataset, model=config.model)
    changed = {
        name: value
        for name, value in config.model_dump(mode="json").items()
        if name not in ("dataset", "model", "options") and value != getattr(plain, name)
    }
    changed |= {f"model.{name}": value for name, value in config.options.items() if value != plain.options[name]}
    if RUN_ID.fullmatch(changed.get("initial", "")):
        changed["initial"] = "RUN"  # the id of a run is made anew each time
    settings = "".join(f" --set {name}={_text(value)}" for name, value in changed.items())
    return f"python -m explorer train --dataset {config.dataset} --model {config.model}{settings}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _accuracy(checkpoint: Checkpoint, split: str) -> float:
    assert checkpoint.dataset is not None
    return Predictions.compute(checkpoint, load_split(checkpoint.dataset, split)).accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publish checkpoints.")
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--images", type=Path, metavar="FOLDER")
    chosen = parser.parse_args()
    for run in chosen.runs:
        print(publish(run))
    renew_predictions(chosen.images)
    write_table()
