"""`kd-tf demo` and `kd-tf run`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import SetOption, add_data_options, apply_settings, set_value
from kd_tf.cli.output import AsJson, Quiet, make_progress, print_json
from kd_tf.native_stderr import suppress_native_stderr


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the run leaves.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the shop, the split and the training.")] = 42,
    settings: SetOption = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """The main job on the embedded bookshop, and what it recommends to one of its readers."""
    # A small network taught by a large one: what distilling, pruning and quantizing do.
    values: dict[str, Any] = {
        "name": "synthetic",
        "seed": seed,
        "teacher": {"kind": "cnn"},
        "student": {"kind": "mlp"},
    }
    apply_settings(values, settings)
    _run(values, out, quiet, as_json)


@add_data_options()
def run(
    values: dict[str, Any],
    teacher: Annotated[
        str | None, typer.Option(help="Its kind; docs/teachers.md [ensemble].")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="Its kind, or auto; docs/students.md [auto].")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="Of the student's weights [1 MB, or 40 a book].")
    ] = None,
    catalog_search: Annotated[
        str | None, typer.Option(help="exact, two-stage or auto; docs/export.md [auto].")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(help="What the file must run on: any, android-2.16 or litert [any]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for everything the run leaves [runs/NAME].")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train, distil, prune, quantize, export, measure and bundle.

    For a table of your own: kd-tf run --dataset csv --interactions loans.csv --user reader
    --item book --books books.csv --title title --out runs/mine
    """
    set_value(values, ("teacher", "kind"), teacher)
    set_value(values, ("student", "kind"), student)
    set_value(values, ("student", "max_bytes"), max_bytes)
    set_value(values, ("export", "runtime"), runtime)
    set_value(values, ("export", "catalogue_search"), catalog_search)
    _run(values, out or Path("runs") / values["name"], quiet, as_json)


def _run(values: dict[str, Any], out: Path, quiet: bool, as_json: bool) -> None:
    from kd_tf import config as configuration

    resolved = configuration.from_values(values)
    progress = make_progress(quiet)
    progress.info("starting TensorFlow")
    # Imported late: `kd-tf --help` and `kd-tf recommend` answer at once.
    from kd_tf.pipeline.run import run as run_pipeline
    from kd_tf.report import console_tables, example_user

    finished = run_pipeline(resolved, out, progress)
    if as_json:
        print_json(finished.results.to_json())
        return
    console = Console(highlight=False)
    console_tables.print_results(finished.results, console)
    with suppress_native_stderr():
        chosen = example_user.build_user_example(
            finished.dataset, finished.split, finished.teacher, finished.bundle
        )
    example_user.print_user_example(chosen, console)
    console.print(f"\nBundle: {finished.bundle.folder}", markup=False)
    console.print(f"Report: {out / 'report.html'}", markup=False)
