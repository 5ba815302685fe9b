"""The command `kd-tf recommend`: recommends books with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.cli.reading_list_summary import describe_reading_list, summarize_reading_list
from kd_tf.errors import UserError
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.reading_lists import (
    DEFAULT_MIN_RATING,
    ReadingList,
    ReadingListMatch,
    match_reading_list,
    read_reading_list,
)

MAX_REASONS = 3
"""Maximum number of books of the history that explain a recommendation."""

MAX_HISTORY_LINES = 20
"""Maximum number of books of the history that are listed: the newest."""


def recommend(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, e.g. runs/demo/bundle.")],
    history: Annotated[
        list[str] | None,
        typer.Option(
            "--history",
            "-r",
            help="A book that you have read, by title or id. Repeat it, oldest book first.",
            metavar="BOOK",
            show_default="none",
        ),
    ] = None,
    history_file: Annotated[
        Path | None,
        typer.Option(
            help="What you have read, as Goodreads, StoryGraph, LibraryThing, Calibre, BookWyrm, "
            "Openreads or Open Library exports it. Books of --history come after it.",
            metavar="FILE",
            show_default="none",
        ),
    ] = None,
    min_history_rating: Annotated[
        float,
        typer.Option(
            min=0,
            max=5,
            help="Books of --history-file that you rated lower are not in your history.",
        ),
    ] = DEFAULT_MIN_RATING,
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

    if not history and history_file is None:
        raise UserError("there is no history", hint="Give --history BOOK or --history-file FILE.")
    with suppress_native_stderr():
        recommender = Recommender.load(bundle)
    items = [recommender.titles.resolve(name).item for name in history or ()]
    hidden_ids = list(exclude or ())
    reading_list = match = None
    if history_file is not None:
        reading_list = read_reading_list(history_file)
        match = match_reading_list(reading_list, recommender.bundle.items, min_history_rating)
        given_ids = {item.id for item in items}
        items = [*(item for item in match.history if item.id not in given_ids), *items]
        hidden_ids += [item.item_id for item in match.excluded_items if item.id not in given_ids]
        if not items:
            raise _make_no_history_error(reading_list, match)
    history_ids = [item.item_id for item in items]
    recommendations = recommender.recommend(
        history_ids,
        k,
        exclude=hidden_ids,
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
        content = {"history": history_ids, "recommendations": rows}
        if reading_list is not None and match is not None:
            content["reading_list"] = describe_reading_list(reading_list, match)
        if write_json(json, content):
            return
    console = make_console()
    if reading_list is not None and match is not None:
        for line in summarize_reading_list(reading_list, match, min_history_rating):
            console.print(line, markup=False, highlight=False)
    console.print("You read:", style="bold")
    if len(items) > MAX_HISTORY_LINES:
        console.print(f"  {len(items) - MAX_HISTORY_LINES:,} older books, and", style="dim")
    for item in items[-MAX_HISTORY_LINES:]:
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


def _make_no_history_error(reading_list: ReadingList, match: ReadingListMatch) -> UserError:
    num_read = reading_list.count("read") - match.num_low_rated
    if not num_read:
        return UserError(
            f"none of the {len(reading_list.entries):,} books was read and liked",
            where=reading_list.path,
            hint="Books to read, being read, abandoned or rated low are no history. "
            "--min-history-rating 0 takes those rated low.",
        )
    titles = "; ".join(entry.title for entry in match.unmatched_entries[:3])
    return UserError(
        f"none of the {num_read:,} books that you read is in this catalog",
        where=reading_list.path,
        hint=f"The first are: {titles}. Use a bundle whose catalog has such books.",
    )
