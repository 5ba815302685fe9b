"""The commands `kd-tf demo` and `kd-tf run`: train, distill, export and bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import SetOption, add_data_options, apply_settings, set_value
from kd_tf.cli.output import AsJson, Quiet, make_progress, print_json
from kd_tf.native_stderr import suppress_native_stderr


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Random seed.")] = 42,
    settings: SetOption = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run everything on a synthetic bookshop, and show recommendations for one of its readers."""
    # A small network and a large one, to show distillation, pruning and quantization.
    values: dict[str, Any] = {
        "name": "synthetic",
        "seed": seed,
        "teacher": {"architecture": "cnn"},
        "student": {"architecture": "mlp"},
    }
    apply_settings(values, settings)
    _run(values, out, quiet, as_json)


@add_data_options()
def run(
    values: dict[str, Any],
    teacher: Annotated[
        str | None, typer.Option(help="Architecture; docs/teachers.md [ensemble].")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="Architecture, or auto; docs/students.md [auto].")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="Budget for the student's weights [1 MB, or 40 per item].")
    ] = None,
    catalog_search: Annotated[
        str | None, typer.Option(help="exact, two-stage or auto; docs/export.md [auto].")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(help="Where the file must run: any, android-2.16 or litert [any]."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results [runs/NAME].")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train, distill, prune, quantize, export, evaluate and bundle.

    For your own table: kd-tf run --dataset csv --interactions loans.csv --user reader
    --item book --items books.csv --title title --out runs/mine
    """
    set_value(values, ("teacher", "architecture"), teacher)
    set_value(values, ("student", "architecture"), student)
    set_value(values, ("student", "max_bytes"), max_bytes)
    set_value(values, ("export", "runtime"), runtime)
    set_value(values, ("export", "catalog_search"), catalog_search)
    _run(values, out or Path("runs") / values["name"], quiet, as_json)


def _run(values: dict[str, Any], out: Path, quiet: bool, as_json: bool) -> None:
    """Runs the pipeline and prints its results, with one user as an example."""
    from kd_tf import config as configuration

    resolved = configuration.from_values(values)
    progress = make_progress(quiet)
    progress.info("starting TensorFlow")
    # Imported here, so that `kd-tf --help` and `kd-tf recommend` start fast.
    from kd_tf.pipeline.run import run as run_pipeline
    from kd_tf.report import console_tables, example_user

    finished = run_pipeline(resolved, out, progress)
    if as_json:
        print_json(finished.results.to_json())
        return
    console = Console(highlight=False)
    console_tables.print_results(finished.results, console)
    with suppress_native_stderr():
        example = example_user.build_user_example(
            finished.dataset, finished.split, finished.teacher, finished.bundle
        )
    example_user.print_user_example(example, console)
    console.print(f"\nBundle: {finished.bundle.folder}", markup=False)
    console.print(f"Report: {out / 'report.html'}", markup=False)
