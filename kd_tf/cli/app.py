"""The command itself: its sub-commands, and what faults look like to the caller."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer
from rich.console import Console

from kd_tf import __version__
from kd_tf.cli.baselines import baselines
from kd_tf.cli.benchmark import benchmark
from kd_tf.cli.compare import compare
from kd_tf.cli.data import data, download
from kd_tf.cli.preview import preview
from kd_tf.cli.recommend import recommend
from kd_tf.cli.run import demo, run
from kd_tf.errors import ParityError, UserError

app = typer.Typer(
    name="kd-tf",
    help="From a table of who read what to a book recommender small enough for an app.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED_EXIT_CODE = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

for _command in (demo, run, recommend, preview, benchmark, data, download, baselines, compare):
    app.command()(_command)


@app.callback(invoke_without_command=True)
def print_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"kd-tf {__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line; exit code 2 for the user's faults, 1 for ours, 130 for Ctrl-C."""
    errors = Console(stderr=True, highlight=False)
    try:
        app()
    except UserError as error:
        errors.print(f"kd-tf: {error}", style="red", markup=False)
        sys.exit(2)
    except ParityError as error:
        errors.print(f"kd-tf: the export was stopped: {error}", style="red", markup=False)
        sys.exit(1)
    except SystemExit as end:
        # Typer turns Ctrl-C into this exit code without a word.
        if end.code == INTERRUPTED_EXIT_CODE:
            errors.print(
                "\nkd-tf: stopped. Finished stages are kept: the same command goes on from there.",
                markup=False,
            )
        raise
    except MemoryError:
        errors.print(
            "kd-tf: the machine has too little memory for this. Lower teacher.dimensions or "
            "examples.passes (--set).",
            style="red",
            markup=False,
        )
        sys.exit(1)
    except Exception:
        errors.print(
            "kd-tf: this is a fault of kd_tf, not yours. Please report it with these lines:",
            style="red",
            markup=False,
        )
        traceback.print_exc()
        sys.exit(1)
