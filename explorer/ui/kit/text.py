"""Text of users, shown as text: neither Markdown nor HTML in a name may take effect."""

import html
import re

_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of writing, of what follows them too."""
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&=^\"'])")


def plain(text: str) -> str:
    """Put text on one line, without control characters and marks of direction."""
    return " ".join(_CONTROLS.sub(" ", _DIRECTION.sub("", text)).split())


def markdown(text: str) -> str:
    """Escape text for Streamlit's Markdown, its `:colour[...]` and `$formula$` included, on one line."""
    return _SPECIAL.sub(r"\\\1", plain(text))


def html_text(text: str) -> str:
    """Escape text for HTML, inside and outside of attributes."""
    return html.escape(text, quote=True)


def shorten(text: str, length: int = 40) -> str:
    """Cut text that is too long for its place, with an ellipsis."""
    text = plain(text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def with_article(name: str) -> str:
    """Put the indefinite article in front of a word, by its first letter."""
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"


SPELLINGS = {
    "relu": "ReLU",
    "leaky-relu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "nesterov": "SGD with Nesterov momentum",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "radam": "RAdam",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "asgd": "ASGD",
    "rprop": "Rprop",
    "mse": "mean squared error",
    "cross-entropy": "cross entropy",
    "xavier": "Xavier (Glorot)",
    "he": "He (Kaiming)",
    "cpu": "CPU",
    "cuda": "CUDA",
    "mps": "MPS",
    "conv1": "1st convolution",
    "conv2": "2nd convolution",
    "pool1": "1st pooling",
    "pool2": "2nd pooling",
    "dropout2d": "1st dropout (whole maps)",
    "batch-norm": "batch norm",
    "batch-norm-dropout": "batch norm, then dropout",
    "dropout-batch-norm": "dropout, then batch norm",
}
"""Choices whose usual spelling is not their name."""
ABBREVIATIONS = {"ema": "EMA", "conv": "convolution", "sgd": "SGD"}
TITLES = {
    "initial": "Initial weights",
    "subset": "Training images",
    "adversarial": "Adversarial examples (epsilon)",
    "patience": "Patience (epochs)",
    "time_budget": "Time budget (seconds)",
    "snapshots": "Snapshots (MB)",
}
"""Fields whose title is more than their name."""


def label(name: str) -> str:
    """Return the name of a field as people write it: `batch_norm` becomes `Batch norm`."""
    if name in TITLES:
        return TITLES[name]
    words = " ".join(ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def choice(name: object) -> str:
    """Return one of a field's choices as people write it: `one-cycle` becomes `One cycle`, `relu` ReLU."""
    words = SPELLINGS.get(str(name), str(name).replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:] if words.islower() or " " in words else words
