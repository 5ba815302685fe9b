"""The command `kd-tf recommend`: recommends books with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kd_tf.cli.output import AsJson, print_json
from kd_tf.native_stderr import suppress_native_stderr

MAX_REASONS = 3
"""Maximum number of books of the history that explain a recommendation."""


def recommend(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder, e.g. runs/demo/bundle.")],
    history: Annotated[
        list[str],
        typer.Option(
            "--history", "-r", help="A book you have read, by ID or title, oldest first. Repeat."
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="Number of recommendations.")] = 10,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="A book not to recommend. Repeat."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Recommend only from these books. Repeat."),
    ] = None,
    min_score: Annotated[float | None, typer.Option("--min-score", help="Minimum score.")] = None,
    diversity: Annotated[
        float,
        typer.Option("--diversity", help="0: best first; 1: most diverse."),
    ] = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which books of the history are the reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Recommend books with the .tflite file of a bundle."""
    # Without TensorFlow, so that the command takes well under a second.
    from kd_tf.runtime.recommender import Recommender

    with suppress_native_stderr():
        recommender = Recommender.load(bundle)
    items = [recommender.titles.resolve(name).item for name in history]
    history_ids = [item.item_id for item in items]
    recommendations = recommender.recommend(
        history_ids,
        k,
        exclude=exclude or (),
        only=only or None,
        min_score=min_score,
        diversity=diversity,
    )
    reasons = [
        recommender.explain(history_ids, recommendation.item.item_id, MAX_REASONS)
        if explain
        else []
        for recommendation in recommendations
    ]
    if as_json:
        rows = [
            {
                "id": recommendation.item.item_id,
                "title": recommendation.item.title,
                "authors": recommendation.item.authors,
                "score": recommendation.score,
                **(
                    {
                        "because": [
                            {"id": reason.item.item_id, "contribution": reason.contribution}
                            for reason in item_reasons
                        ]
                    }
                    if explain
                    else {}
                ),
            }
            for recommendation, item_reasons in zip(recommendations, reasons, strict=True)
        ]
        print_json({"history": history_ids, "recommendations": rows})
        return
    console = Console(highlight=False)
    console.print("You read:", style="bold")
    for item in items:
        console.print(f"  {item.label}", markup=False)
    console.print("You may like:", style="bold")
    for rank, (recommendation, item_reasons) in enumerate(
        zip(recommendations, reasons, strict=True), start=1
    ):
        console.print(
            f"{rank:4d}. {recommendation.item.label}  [{recommendation.score:.2f}]", markup=False
        )
        if item_reasons:
            names = "; ".join(reason.item.label for reason in item_reasons)
            console.print(f"      because you read {names}", markup=False, style="dim")
