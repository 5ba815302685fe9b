"""The command `kd-tf recommend`: recommends books with a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.native_stderr import suppress_native_stderr

if TYPE_CHECKING:
    from kd_tf.runtime.catalog import Item

MAX_REASONS = 3
"""Maximum number of books of the history that explain a recommendation."""


def recommend(
    bundle: options.Bundle,
    history: Annotated[
        list[str] | None,
        typer.Option(
            "--history",
            "-r",
            help="A book that you have read, by title or id. Repeat it, oldest book first.",
            metavar="BOOK",
            show_default="none: a new reader",
        ),
    ] = None,
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
    titles = recommender.titles
    notes: list[str] = []

    def find(names: list[str] | None) -> list[Item]:
        matches = [titles.resolve(name) for name in names or ()]
        notes.extend(match.note for match in matches if not match.is_exact)
        return [match.item for match in matches]

    items, excluded_items, only_items = find(history), find(exclude), find(only)
    history_ids = [item.item_id for item in items]
    recommendations = recommender.recommend(
        history_ids,
        k,
        exclude=[item.item_id for item in excluded_items],
        only=[item.item_id for item in only_items] if only else None,
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
        content = {"history": history_ids, "notes": notes, "recommendations": rows}
        if write_json(json, content):
            return
    # Without line breaks of its own, so that a title can be copied.
    console = make_console(soft_wrap=True)
    for note in notes:
        console.print(note, markup=False, style="yellow")
    if items:
        console.print("You read:", style="bold")
        for item in items:
            console.print(f"  {titles.make_label(item)}", markup=False)
    else:
        console.print("You named no book that you have read. A new reader gets this list.")
    if not recommendations:
        console.print(
            "Nothing is left to recommend: "
            + (
                "every book that could be listed is in --history or --exclude."
                if min_score is None
                else f"no other book that could be listed has a score of {min_score:g} or more."
            )
        )
        return
    console.print("You may like:", style="bold")
    for rank, (recommendation, item_reasons) in enumerate(
        zip(recommendations, reasons, strict=True), start=1
    ):
        label = titles.make_label(recommendation.item)
        console.print(f"{rank:4d}. {label}  [{recommendation.score:.2f}]", markup=False)
        if item_reasons:
            names = "; ".join(titles.make_label(reason.item) for reason in item_reasons)
            console.print(f"      because you read {names}", markup=False, style="dim")
