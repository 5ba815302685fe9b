"""`kd-tf`: every command is one call into a room."""

from __future__ import annotations

import json
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf import __version__
from kd_tf.errors import ParityError, UserError
from kd_tf.native_stderr import quiet_native_stderr
from kd_tf.progress import Progress, Silent

app = typer.Typer(
    name="kd-tf",
    help="From a table of who read what to a book recommender small enough for an app.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STOPPED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Any setting of the configuration, e.g. student.dimensions=64. May be repeated.",
    ),
]


class DatasetName(StrEnum):
    """Where interactions come from."""

    synthetic = "synthetic"
    goodbooks = "goodbooks"
    csv = "csv"


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"kd-tf {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the run leaves.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the shop, the split and the training.")] = 42,
    settings: Settings = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """The main job on the embedded bookshop, and what it recommends to one of its readers."""
    _run({"name": "synthetic", "seed": seed}, settings, out, quiet, as_json)


@app.command()
def run(
    config: Annotated[Path | None, typer.Option(help="A TOML file; see docs/config.md.")] = None,
    dataset: Annotated[
        DatasetName | None, typer.Option(help="Which reader; csv is for a table of your own.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="goodbooks: the folder with the published files.")
    ] = None,
    interactions: Annotated[
        Path | None, typer.Option(help="csv: the table of who read what (.csv, .tsv, .zip, .gz).")
    ] = None,
    books: Annotated[Path | None, typer.Option(help="csv: the table of books.")] = None,
    user: Annotated[str | None, typer.Option(help="csv: column of the reader.")] = None,
    item: Annotated[str | None, typer.Option(help="csv: column of the book.")] = None,
    rating: Annotated[str | None, typer.Option(help="csv: column of the rating.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="csv: column of the time.")] = None,
    book_id: Annotated[
        str | None, typer.Option(help="csv: the books' id column (default: as --item).")
    ] = None,
    title: Annotated[str | None, typer.Option(help="csv: the books' title column.")] = None,
    authors: Annotated[str | None, typer.Option(help="csv: the books' authors column.")] = None,
    min_rating: Annotated[
        float | None, typer.Option(help="Rows rated lower do not count as liked.")
    ] = None,
    on_bad_rows: Annotated[
        str | None, typer.Option(help="stop (names file and line) or skip (counts and lists).")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="gru or cnn.")] = None,
    student: Annotated[str | None, typer.Option(help="mlp or shallow-cnn.")] = None,
    name: Annotated[str | None, typer.Option(help="What tables call the run.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for everything the run leaves [runs/NAME].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and the training.")] = None,
    settings: Settings = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train, distil, prune, quantize, export, measure and bundle.

    For a table of your own: kd-tf run --dataset csv --interactions loans.csv --user reader
    --item book --books books.csv --title title --out runs/mine
    """
    values: dict[str, Any] = {}
    if config is not None:
        from kd_tf import config as configuration

        values = configuration.read(config).model_dump(mode="json", exclude_unset=True)

    def put(section: str, key: str, value: Any) -> None:
        if value is not None:
            values.setdefault(section, {})[key] = value

    put("data", "dataset", dataset.value if dataset else None)
    put("data", "data_dir", _text(data_dir))
    put("data", "interactions", _text(interactions))
    put("data", "books", _text(books))
    put("data", "min_rating", min_rating)
    put("data", "on_bad_rows", on_bad_rows)
    put("teacher", "kind", teacher)
    put("student", "kind", student)
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    for key, value in columns.items():
        if value is not None:
            values.setdefault("data", {}).setdefault("columns", {})[key] = value
    book_columns = {"item_id": book_id or item, "title": title, "authors": authors}
    for key, value in book_columns.items():
        if value is not None:
            values.setdefault("data", {}).setdefault("book_columns", {})[key] = value
    if seed is not None:
        values["seed"] = seed
    values["name"] = name or values.get("name") or values.get("data", {}).get("dataset", "run")
    _run(values, settings, out or Path("runs") / values["name"], quiet, as_json)


@app.command()
def recommend(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder, e.g. runs/demo/bundle.")],
    history: Annotated[
        list[str],
        typer.Option(
            "--history", "-r", help="A book that was read, by id or title, oldest first. Repeat."
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="How many books.")] = 10,
    as_json: AsJson = False,
) -> None:
    """What to read next, by running the bundle's .tflite."""
    # No TensorFlow here: an answer takes well under a second, start included.
    from kd_tf.runtime.recommender import Recommender

    with quiet_native_stderr():
        recommender = Recommender.load(bundle)
    read = [recommender.titles.resolve(one).book for one in history]
    found = recommender.recommend([book.item_id for book in read], k)
    if as_json:
        rows = [
            {
                "id": one.book.item_id,
                "title": one.book.title,
                "authors": one.book.authors,
                "score": one.score,
            }
            for one in found
        ]
        _print_json({"history": [book.item_id for book in read], "recommendations": rows})
        return
    console = Console(highlight=False)
    console.print("You read:", style="bold")
    for book in read:
        console.print(f"  {book.label}", markup=False)
    console.print("You may like:", style="bold")
    for place, one in enumerate(found, start=1):
        console.print(f"{place:4d}. {one.book.label}  [{one.score:.2f}]", markup=False)


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
        if end.code == STOPPED:
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


def _run(
    values: dict[str, Any], settings: list[str] | None, out: Path, quiet: bool, as_json: bool
) -> None:
    from kd_tf import config as configuration

    for one in settings or []:
        _apply(values, one)
    resolved = configuration.from_values(values)
    progress: Progress = Silent()
    if not quiet:
        from kd_tf.console import ConsoleProgress

        progress = ConsoleProgress()
        progress.say("starting TensorFlow")
    # Imported late: `kd-tf --help` and `kd-tf recommend` answer at once.
    from kd_tf.pipeline.run import run as run_pipeline
    from kd_tf.report import shelf, table

    finished = run_pipeline(resolved, out, progress)
    if as_json:
        _print_json(finished.results.to_json())
        return
    console = Console(highlight=False)
    table.print_results(finished.results, console)
    with quiet_native_stderr():
        chosen = shelf.choose_shelf(
            finished.dataset, finished.split, finished.teacher, finished.bundle
        )
    shelf.print_shelf(chosen, console)
    console.print(f"\nBundle: {finished.bundle.folder}", markup=False)
    console.print(f"Report: {out / 'report.html'}", markup=False)


def _apply(values: dict[str, Any], setting: str) -> None:
    """Puts ``section.key=value`` into nested `values`; the value is read as TOML, else as text."""
    import tomllib

    path, separator, text = setting.partition("=")
    if not separator or not path.strip():
        raise UserError(
            f"--set {setting!r} is not SECTION.KEY=VALUE",
            hint="For example --set student.dimensions=64.",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, key = path.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {setting!r}: {section} is not a section")
    values[key] = value


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
