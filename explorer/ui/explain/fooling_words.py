"""What small changes do, in plain words. Markdown, names escaped."""

from collections.abc import Mapping, Sequence

from explorer.analysis.adversarial import STEPS
from explorer.analysis.adversarial_images import Adversarial, Method
from explorer.analysis.robustness import RobustPoint, SmallestEpsilon
from explorer.ui.charts.fooling import GREYS
from explorer.ui.formats import interval, many, percent, percents
from explorer.ui.text import markdown

TYPICAL = 0.05
"""The epsilon by which a curve is explained."""
ABOUT = {
    "fgsm": "FGSM (Goodfellow et al., 2015) moves every pixel by epsilon, up or down, as far as black and white allow: "
    "one step along the sign of the gradient, which leads away from the class or towards the one chosen.",
    "pgd": f"PGD (Madry et al., 2018) takes {STEPS} smaller steps of that kind from a random start, and never moves a "
    "pixel by more than epsilon: slower, but mostly stronger.",
}
FAILS: dict[Method, str] = {
    "fgsm": "as it follows the slope at the image alone",
    "pgd": f"as its {STEPS} steps may end in another place",
}
"""Why an attack may fail again at a larger epsilon."""


def epsilon(value: float) -> str:
    """Write an epsilon, in shares of white and in grey levels."""
    return f"{value:.3f} ({value * GREYS:.1f} of {GREYS} grey levels)"


def smallest(found: SmallestEpsilon, classes: Sequence[str], target: int | None) -> str:
    """Say how little it takes."""
    before = markdown(classes[int(found.tried.predicted_before[0])])
    if found.place is None or found.epsilon is None:
        limit = float(found.tried.epsilon[-1])
        aim = "flips it" if target is None else f"leads to {markdown(classes[target])}"
        return f"No change up to epsilon {limit:.2f} that was tried {aim}: it stays {before}."
    if found.epsilon == 0:
        return f"The model says {before} without any change."
    after = markdown(classes[int(found.tried.predicted_after[found.place])])
    return f"The smallest change found that makes {before} into **{after}**: epsilon **{epsilon(found.epsilon)}**."


def attacked(found: Adversarial, classes: Sequence[str]) -> str:
    """Explain the bars before and after."""
    was, now = int(found.predicted_before[0]), int(found.predicted_after[0])
    first, last = float(found.probabilities_before[0, was]), float(found.probabilities_after[0, was])
    size = float(abs(found.perturbation).max())
    text = (
        f"No pixel changed by more than {size * GREYS:.1f} of {GREYS} grey levels. The probability of "
        f"{markdown(classes[was])} went from {' to '.join(percents(first, last))}"
    )
    if was == now:
        return f"{text}, and it is still the first choice."
    return (
        f"{text}; now the model says {markdown(classes[now])} with {percent(float(found.probabilities_after[0, now]))}."
    )


def against_epsilon(found: SmallestEpsilon, method: Method = "fgsm") -> str:
    """Explain the probabilities against epsilon."""
    text = "Each line is the probability of a class while every pixel may change by more; the thin line is the epsilon "
    text += "shown above"
    if found.epsilon:
        text += f", the dashed one the smallest that flips the class, {found.epsilon:.3f}"
    return f"{text}. An attack may fail again at a larger epsilon, {FAILS[method]}."


def accuracy(curves: Mapping[str, Sequence[RobustPoint]]) -> str:
    """Explain accuracy against epsilon, by one epsilon."""
    said = []
    for model, points in curves.items():
        clean = next(point for point in points if point.epsilon == 0)
        hit = next(point for point in points if point.epsilon >= TYPICAL and point.method == "pgd")
        said.append(
            f"{markdown(model)[:1].upper()}{markdown(model)[1:]} is right on {percent(clean.accuracy)} of "
            f"{many(clean.n, 'image')} as they are, and on {percent(hit.accuracy)} ({interval(*hit.interval)}) "
            f"if PGD may change every pixel by {hit.epsilon:g}"
        )
    return (
        f"{'. '.join(said)}. The bands are 95% intervals. Each model is attacked with its own gradients, which is the "
        "worst case."
    )
