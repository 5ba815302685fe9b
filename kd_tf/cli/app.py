"""Defines the `kd-tf` command with its subcommands, and how errors are shown."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf import __version__
from kd_tf.cli.add_ranker import add_ranker
from kd_tf.cli.baselines import evaluate_baselines
from kd_tf.cli.benchmark import benchmark
from kd_tf.cli.compare import compare
from kd_tf.cli.console import make_console
from kd_tf.cli.data import download, summarize_data
from kd_tf.cli.preview import preview
from kd_tf.cli.recommend import recommend
from kd_tf.cli.run import run, run_demo
from kd_tf.cli.streams import wrap_standard_streams
from kd_tf.errors import ParityError, UserError
from kd_tf.extras import convert_import_errors

app = typer.Typer(
    name="kd-tf",
    help="Distill a large book recommender into one that is small enough for an app.",
    no_args_is_help=True,
    # Brackets in a help text are text: rich markup would drop them.
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED_EXIT_CODE = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as in shells."""

_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""Base class of all errors in options. Only some versions of Typer have it at a public place."""

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": run_demo,
    "run": run,
    "add-ranker": add_ranker,
    "recommend": recommend,
    "preview": preview,
    "benchmark": benchmark,
    "data": summarize_data,
    "download": download,
    "baselines": evaluate_baselines,
    "compare": compare,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


@app.callback(invoke_without_command=True)
def print_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Prints the version if asked to; runs before every subcommand."""
    if version:
        make_console().print(f"kd-tf {__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line. Exit codes: 2 user error, 1 internal error, 130 Ctrl-C."""
    wrap_standard_streams()
    # Without line breaks of its own, so that paths and commands can be copied.
    errors = make_console(stderr=True, soft_wrap=True)
    try:
        with convert_import_errors():
            # Typer would print errors about options in a box, from which nothing can be copied, and
            # past the console.
            exit_code = app(prog_name="kd-tf", standalone_mode=False)
    except _USAGE_ERROR as error:
        _print_usage_error(error, errors)
        sys.exit(error.exit_code)
    except UserError as error:
        errors.print(f"kd-tf: {error}", style="red")
        sys.exit(2)
    except ParityError as error:
        errors.print(f"kd-tf: export failed: {error}", style="red")
        sys.exit(1)
    except MemoryError:
        errors.print(
            "kd-tf: out of memory. For a run, use a smaller teacher or fewer examples, for example "
            "--set teacher.embedding_dim=128 or --set examples.num_passes=4.",
            style="red",
        )
        sys.exit(1)
    except Exception:
        errors.print("kd-tf: internal error. Please report it with these lines:", style="red")
        errors.print(traceback.format_exc())
        sys.exit(1)
    # Typer turns Ctrl-C into this exit code without a message.
    if exit_code == INTERRUPTED_EXIT_CODE:
        errors.print(
            "\nkd-tf: interrupted. Run the same command again: run, demo, compare and download "
            "resume from what is finished."
        )
    sys.exit(exit_code or 0)


def _print_usage_error(error: Any, errors: Console) -> None:
    """Prints what is wrong with the options, as errors of other kinds are printed."""
    message = error.format_message()
    if message:  # `kd-tf` alone has printed the help
        command = error.ctx.command_path if error.ctx else "kd-tf"
        errors.print(f"kd-tf: {message}\n  {command} --help lists all options.", style="red")
