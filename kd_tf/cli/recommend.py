"""`kd-tf recommend`: a bundle answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kd_tf.cli.output import AsJson, print_json
from kd_tf.native_stderr import quiet_native_stderr


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
        print_json({"history": [book.item_id for book in read], "recommendations": rows})
        return
    console = Console(highlight=False)
    console.print("You read:", style="bold")
    for book in read:
        console.print(f"  {book.label}", markup=False)
    console.print("You may like:", style="bold")
    for place, one in enumerate(found, start=1):
        console.print(f"{place:4d}. {one.book.label}  [{one.score:.2f}]", markup=False)
