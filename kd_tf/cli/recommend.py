"""`kd-tf recommend`: a bundle answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kd_tf.cli.output import AsJson, print_json
from kd_tf.native_stderr import suppress_native_stderr

MAX_REASONS = 3
"""So many books of the history are named for a recommendation at most."""


def recommend(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder, e.g. runs/demo/bundle.")],
    history: Annotated[
        list[str],
        typer.Option(
            "--history", "-r", help="A book that was read, by id or title, oldest first. Repeat."
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="How many books.")] = 10,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="A book that is not recommended. Repeat."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Recommend nothing but these books. Repeat."),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Leave out books that score less.")
    ] = None,
    diversity: Annotated[
        float,
        typer.Option("--diversity", help="0: best first; 1: each unlike those before it."),
    ] = 0.0,
    explain: Annotated[
        bool, typer.Option("--why", help="Say because of which books of the history.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What to read next, by running the bundle's .tflite."""
    # No TensorFlow here: an answer takes well under a second, start included.
    from kd_tf.runtime.recommender import Recommender

    with suppress_native_stderr():
        recommender = Recommender.load(bundle)
    read = [recommender.titles.resolve(one).item for one in history]
    history_ids = [item.item_id for item in read]
    found = recommender.recommend(
        history_ids,
        k,
        exclude=exclude or (),
        only=only or None,
        min_score=min_score,
        diversity=diversity,
    )
    reasons = [
        recommender.explain(history_ids, one.item.item_id, MAX_REASONS) if explain else []
        for one in found
    ]
    if as_json:
        rows = [
            {
                "id": one.item.item_id,
                "title": one.item.title,
                "authors": one.item.authors,
                "score": one.score,
                **(
                    {
                        "because": [
                            {"id": because.item.item_id, "contribution": because.contribution}
                            for because in reason
                        ]
                    }
                    if explain
                    else {}
                ),
            }
            for one, reason in zip(found, reasons, strict=True)
        ]
        print_json({"history": history_ids, "recommendations": rows})
        return
    console = Console(highlight=False)
    console.print("You read:", style="bold")
    for item in read:
        console.print(f"  {item.label}", markup=False)
    console.print("You may like:", style="bold")
    for place, (one, reason) in enumerate(zip(found, reasons, strict=True), start=1):
        console.print(f"{place:4d}. {one.item.label}  [{one.score:.2f}]", markup=False)
        if reason:
            names = "; ".join(because.item.label for because in reason)
            console.print(f"      because you read {names}", markup=False, style="dim")
