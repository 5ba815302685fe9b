"""The command `kd-tf recommend`: recommends books with a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.cli.options import parse_pairs, split_names
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

if TYPE_CHECKING:
    from kd_tf.runtime.catalog import Item
    from kd_tf.runtime.recommender import Reason, Recommendation
    from kd_tf.runtime.titles import TitleIndex

DEFAULT_K = 10
"""Number of recommendations, if the model gives so many."""

MAX_REASONS = 3
"""Maximum number of books of the history that explain a recommendation."""

MAX_HISTORY_LINES = 20
"""Maximum number of books of the history that are listed: the newest."""


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
    k: Annotated[
        int | None,
        typer.Option(
            "--k", "-k", help="Number of recommendations.", show_default="10, if there are so many"
        ),
    ] = None,
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
    rerank: Annotated[
        bool,
        typer.Option(
            "--rerank",
            help="Sort the list by the bundle's ranker; kd-tf add-ranker adds one.",
        ),
    ] = False,
    context: Annotated[
        str | None,
        typer.Option(
            help="What the ranker knows of the moment, by its columns: hour=21,language=de.",
            metavar="COLUMN=VALUE,...",
            show_default="none",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show which of your books are the reason, and what they share."
        ),
    ] = False,
    json: options.Json = None,
) -> None:
    """Recommend books with a bundle: the file that an app would use."""
    # Without TensorFlow, so that the command takes well under a second.
    from kd_tf.runtime.recommender import Recommender, RerankedRecommendation

    with suppress_native_stderr():
        recommender = Recommender.load(bundle)
    titles = recommender.titles
    notes: list[str] = []

    def find(names: list[str] | None) -> list[Item]:
        matches = [titles.resolve(name) for name in names or ()]
        notes.extend(match.note for match in matches if not match.is_exact)
        return [match.item for match in matches]

    items, excluded_items, only_items = find(history), find(exclude), find(only)
    reading_list = list_match = None
    if history_file is not None:
        reading_list = read_reading_list(history_file)
        list_match = match_reading_list(reading_list, recommender.bundle.items, min_history_rating)
        history_numbers = {item.id for item in items}
        items = [
            *(item for item in list_match.history if item.id not in history_numbers),
            *items,
        ]
        excluded_items += [
            item for item in list_match.excluded_items if item.id not in history_numbers
        ]
        if not items:
            raise _make_no_history_error(reading_list, list_match)
    history_ids = [item.item_id for item in items]
    k = min(DEFAULT_K, recommender.model.k) if k is None else k
    excluded_ids = [item.item_id for item in excluded_items]
    only_ids = [item.item_id for item in only_items] if only else None
    recommendations: Sequence[Recommendation]
    if rerank:
        _check_rerank_options(min_score, diversity)
        recommendations = recommender.rerank(
            history_ids,
            k,
            context=parse_pairs(split_names(context), "--context"),
            shortlist=only_ids,
            exclude=excluded_ids,
        )
    elif context is not None:
        raise UserError("--context has no effect without --rerank", hint="Add --rerank.")
    else:
        recommendations = recommender.recommend(
            history_ids,
            k,
            exclude=excluded_ids,
            only=only_ids,
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
                "new": recommendation.item.new,
                "score": recommendation.score,
                **(
                    {"prediction": recommendation.prediction}
                    if isinstance(recommendation, RerankedRecommendation)
                    else {}
                ),
                **(
                    {
                        "because": [
                            {
                                "id": reason.item.item_id,
                                "contribution": reason.contribution,
                                "shared_authors": reason.shared_authors,
                                "same_series": reason.same_series,
                                "shared_words": reason.shared_words,
                            }
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
        if reading_list is not None and list_match is not None:
            content["reading_list"] = describe_reading_list(reading_list, list_match)
        if write_json(json, content):
            return
    # Without line breaks of its own, so that a title can be copied.
    console = make_console(soft_wrap=True)
    if reading_list is not None and list_match is not None:
        for line in summarize_reading_list(reading_list, list_match, min_history_rating):
            console.print(line)
    for note in notes:
        console.print(note, style="yellow")
    if items:
        console.print("You read:", style="bold")
        if len(items) > MAX_HISTORY_LINES:
            console.print(f"  {len(items) - MAX_HISTORY_LINES:,} older books, and", style="dim")
        for item in items[-MAX_HISTORY_LINES:]:
            console.print(f"  {titles.make_label(item)}")
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
        mark = ", new" if recommendation.item.new else ""
        scores = f"{recommendation.score:.2f}"
        if isinstance(recommendation, RerankedRecommendation):
            scores += f", predicted {recommendation.prediction:.2f}"
        console.print(f"{rank:4d}. {label}  [{scores}{mark}]")
        for number, reason in enumerate(item_reasons):
            beginning = "and" if number else "because you read"
            line = f"{beginning} {_describe_reason(reason, titles)}"
            console.print(f"      {line}", style="dim")


def _check_rerank_options(min_score: float | None, diversity: float) -> None:
    """Checks that no option is given that sorts or cuts the list by the first model's scores."""
    for name, is_given in (("--min-score", min_score is not None), ("--diversity", diversity > 0)):
        if is_given:
            raise UserError(f"{name} has no effect with --rerank", hint="Leave one of them out.")


def _describe_reason(reason: Reason, titles: TitleIndex) -> str:
    """Describes a book of the history and what it shares with the recommended one."""
    traits = []
    if reason.shared_authors:
        traits.append("same author" if len(reason.shared_authors) == 1 else "same authors")
    if reason.same_series:
        traits.append("same series")
    if reason.shared_words:
        traits.append(f"both about {', '.join(reason.shared_words)}")
    # Without its authors, who would be in brackets too.
    title = titles.make_label(dataclasses.replace(reason.item, authors=None))
    return f"{title} ({'; '.join(traits)})" if traits else title


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
