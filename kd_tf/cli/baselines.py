"""`kd-tf baselines`: what a model of one's own must beat."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import add_data_options, set_value
from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json
from kd_tf.errors import UserError


@add_data_options()
def baselines(
    values: dict[str, Any],
    models: Annotated[
        str | None, typer.Option(help="Some of them, separated by commas; all by default.")
    ] = None,
    candidates: Annotated[
        str | None, typer.Option(help="full, or sampled:N: among N books that were not read.")
    ] = None,
    k: Annotated[str | None, typer.Option("-k", "--k", help="Lengths of lists: 10,20.")] = None,
    folds: Annotated[int | None, typer.Option(help="k-fold cross-validation.")] = None,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Fit and measure popularity, neighbours, factorisation, text and linear baselines."""
    from kd_tf import config
    from kd_tf.pipeline.baselines import evaluate_baselines as measure
    from kd_tf.report import console_tables

    set_value(values, ("evaluation", "candidates"), candidates)
    set_value(values, ("evaluation", "ks"), None if k is None else _parse_lengths(k))
    set_value(values, ("split", "folds"), folds)
    names = None if models is None else [name.strip() for name in models.split(",")]
    found = measure(config.from_values(values), make_progress(quiet), models=names)
    write_json(json, found.to_json())
    console_tables.print_models(found, Console(highlight=False))


def _parse_lengths(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        raise UserError(f"--k {text!r} is no list of lengths", hint="For example 10,20.") from error
