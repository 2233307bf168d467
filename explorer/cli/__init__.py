"""The command line: every capability without a browser.

Each command prints for people, or with `--json` one JSON document on standard output and nothing else; progress
and messages go to standard error. Errors exit with 1, wrong usage with 2.
"""

import os
import sys

import typer

from explorer.cli import analyse, archives, listing, training
from explorer.errors import ExplorerError

app = typer.Typer(
    name="python -m explorer",
    help="Train small image classifiers and look inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (listing, training, archives, analyse):
    module.add_commands(app)


def main() -> None:
    """Run the command line and turn every foreseen error into one line and an exit code."""
    # Read when PyTorch is imported, which commands do only where they need it. Waiting OpenMP threads must sleep:
    # spinning, they make training many times slower as soon as another process uses the processor.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except ExplorerError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        print(f"Error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        sys.exit(1)
