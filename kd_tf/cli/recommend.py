"""The command `kd-tf recommend`: recommends books with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.native_stderr import suppress_native_stderr

MAX_REASONS = 3
"""Maximum number of books of the history that explain a recommendation."""


def recommend(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, e.g. runs/demo/bundle.")],
    history: Annotated[
        list[str],
        typer.Option(
            "--history",
            "-r",
            help="A book that you have read, by title or id. Repeat it, oldest book first.",
            metavar="BOOK",
        ),
    ],
    k: Annotated[int, typer.Option("--k", "-k", help="Number of recommendations.")] = 10,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="A book not to recommend. Repeat it for more.", metavar="BOOK"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Recommend only these books. Repeat it for more.",
            metavar="BOOK",
            show_default="all",
        ),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out books with a lower score.", show_default="none")
    ] = None,
    diversity: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="From 0 (the best books) to 1 (books as different as possible)."
        ),
    ] = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which of your books are the reason.")
    ] = False,
    json: options.Json = None,
) -> None:
    """Recommend books with a bundle: the file that an app would use."""
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
    if json is not None:
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
        if write_json(json, {"history": history_ids, "recommendations": rows}):
            return
    console = make_console()
    console.print("You read:", style="bold")
    for item in items:
        console.print(f"  {item.label}")
    console.print("You may like:", style="bold")
    for rank, (recommendation, item_reasons) in enumerate(
        zip(recommendations, reasons, strict=True), start=1
    ):
        console.print(f"{rank:4d}. {recommendation.item.label}  [{recommendation.score:.2f}]")
        if item_reasons:
            names = "; ".join(reason.item.label for reason in item_reasons)
            console.print(f"      because you read {names}", style="dim")
