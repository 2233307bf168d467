"""How quick is the training loop: `python -m benchmarks.training`.

In one run, in turn, each in a process of its own (some libraries change what PyTorch does), with the same model,
optimizer, threads and number of steps, training steps only:

* this project's loop, and apart from it its evaluation of the 16,000 validation and test images;
* the floor: forward, backward and step repeated on one batch that stays in memory;
* the usual PyTorch loop: torchvision's data set with ToTensor and Normalize in a DataLoader, 0 or 2 workers,
  whichever is quicker;
* what a user might pick instead: scikit-learn's MLPClassifier, a DataLoader over a TensorDataset, skorch,
  Lightning, Keras on PyTorch (`pip install -r requirements-benchmarks.txt`; those not installed are left out).

The figures are medians over the repeats with their range, scaled to an epoch of 54,000 images. Epochs follow one
another in a training, so each that counts follows one that does not: a process that has slept begins with cold caches.
Run it on an otherwise idle machine.
"""

import argparse
import statistics
import sys
import time

import torch

from benchmarks import contestants
from benchmarks.isolation import Isolated
from benchmarks.measure import print_machine
from benchmarks.task import Task
from explorer import devices

CASES = {"mlp-64": ("mlp", 64, 844), "mlp-256": ("mlp", 256, 211), "lenet-256": ("lenet", 256, 40)}
"""Model, batch size, and steps timed at once; the mlp runs whole epochs."""


def main() -> None:
    """Time every contestant in turn and print the table of each case."""
    parser = argparse.ArgumentParser(description="Time the training loop against its floor and its peers.")
    parser.add_argument("--case", choices=CASES, action="append", help="one case; may be given again (default: all)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=devices.cores())
    parser.add_argument("--only", nargs="*", help="contestants by name")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print_machine()
    for case in arguments.case or CASES:
        run_case(case, arguments.repeats, arguments.threads, arguments.only)


def run_case(case: str, repeats: int, threads: int, only: list[str] | None) -> None:
    """Time one case and print its table."""
    model, batch, steps = CASES[case]
    names = contestants.names(model, only)
    runners = {name: Isolated(contestants.make, name, model, batch, steps, threads) for name in names}
    scale = Task(model, batch, steps, threads).steps_per_epoch / steps
    times: dict[str, list[float]] = {name: [] for name in runners}
    for repeat in range(repeats + 1):
        for name, runner in runners.items():
            started = time.perf_counter()
            runner.run()
            seconds = runner.run()
            if repeat:  # the first round warms up
                times[name].append(seconds * scale)
            print(
                f"\r{case} {repeat}/{repeats} {name:<30} {time.perf_counter() - started:6.1f} s",
                end="",
                file=sys.stderr,
            )
    print("\r" + " " * 60, end="\r", file=sys.stderr)
    print(f"\n{model}, batch {batch}: seconds an epoch, n = {repeats}")
    peaks = {name: runner.close() for name, runner in runners.items()}
    own = statistics.median(times["this loop"]) if "this loop" in times else float("nan")
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"  {name:<34}{median:8.3f}  ({min(values):.3f} to {max(values):.3f})"
            f"   {median / own:6.2f} x this loop   this loop / it {own / median:6.3f}"
            f"   peak {peaks[name]:5,.0f} MiB"
        )


if __name__ == "__main__":
    main()
