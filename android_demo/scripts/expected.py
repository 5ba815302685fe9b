"""What Python's runtime answers for a bundle, for the app's tests to compare with.

    expected.py BUNDLE OUT.json

Python's runtime takes XNNPACK's kernels where it can, TensorFlow Lite 2.16.1 on a phone does not
take them for layers with int8 weights and float32 inputs. The two round such inputs differently,
which moves a score by a thousandth or so and may swap neighbours. So Python answers with the
built-in kernels here, as the phone does; how often its answers with XNNPACK's are the same is
printed and must stay above `LEAST_AGREEMENT`.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kd_tf import atomic
from kd_tf.runtime import model as runtime_model
from kd_tf.runtime.model import TFLiteModel, pad_history
from kd_tf.runtime.recommender import Recommender

HISTORIES = 200
SIMILAR = 8
SEED = 0

AGREEMENT_AT = 10
LEAST_AGREEMENT = 0.98
"""Of the first ten books, how many both kinds of kernels give."""


def main(bundle: Path, out: Path) -> None:
    with_xnnpack = Recommender.load(bundle)
    runtime_model.Interpreter = functools.partial(
        Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    recommender = Recommender.load(bundle)
    random = np.random.default_rng(SEED)
    compare_kernels(with_xnnpack.model, recommender.model, len(recommender.bundle.items))
    atomic.write_json(
        out,
        {
            "shelves": [shelf(recommender, size, random) for size in shelf_sizes(recommender)],
            "similar": similar(recommender, random),
            "histories": [answers(recommender, one) for one in histories(recommender, random)],
        },
    )


def compare_kernels(one: TFLiteModel, other: TFLiteModel, books: int) -> None:
    random = np.random.default_rng(SEED)
    shared, places = 0, 0
    for _ in range(HISTORIES):
        length = int(random.integers(1, min(one.max_length, books)))
        row = pad_history(random.permutation(books)[:length] + 1, one.max_length)
        book = int(row[0])
        for left, right in (
            (one.recommend(row), other.recommend(row)),
            (one.similar(book), other.similar(book)),
        ):
            best = [set(ids[:AGREEMENT_AT].tolist()) for ids, _ in (left, right)]
            shared += len(best[0] & best[1])
            places += len(best[0])
    agreement = shared / places
    print(f"XNNPACK's kernels and the built-in ones share {agreement:.4f} of the first ten books")
    if agreement < LEAST_AGREEMENT:
        sys.exit(f"that is less than {LEAST_AGREEMENT}: on phones this model answers otherwise")


def shelf_sizes(recommender: Recommender) -> list[int]:
    """From the first book to more than the model sees."""
    length, books = recommender.model.max_length, len(recommender.bundle.items)
    return [size for size in (1, 2, 3, 5, 8, length + 10) if size < books]


def shelf(recommender: Recommender, size: int, random: np.random.Generator) -> dict[str, Any]:
    """A shelf by item ids, oldest first, and what a reader sees for it."""
    books = recommender.bundle.items
    chosen = random.choice(len(books), size, replace=False)
    items = [books[place].item_id for place in chosen.tolist()]
    suggestions = recommender.recommend(items)
    return {
        "items": items,
        "recommend": [one.item.item_id for one in suggestions],
        "titles": [one.item.title or f"book {one.item.item_id}" for one in suggestions],
        "because": [
            [reason.item.item_id for reason in recommender.explain(items, one.item.item_id, 2)]
            for one in suggestions
        ],
    }


def similar(recommender: Recommender, random: np.random.Generator) -> dict[str, list[str]]:
    books = recommender.bundle.items
    chosen = random.choice(len(books), min(SIMILAR, len(books)), replace=False).tolist()
    return {
        books[place].item_id: [
            one.item.item_id for one in recommender.similar(books[place].item_id)
        ]
        for place in chosen
    }


def histories(recommender: Recommender, random: np.random.Generator) -> list[list[int]]:
    """Histories of model ids of every length, ordinary ones and those that nobody means."""
    length, books = recommender.model.max_length, len(recommender.bundle.items)
    odd: list[list[int]] = [
        [],
        [0],
        [0] * length,
        [-1],
        [books + 1],
        [2**31 - 1, -(2**31)],
        [1] * length,
        [books] * 3,
        [1, books],
        [0, 5, 0, 7, 0],
        [5, -7, books + 9, 6],
        list(range(1, length + 1)),
        list(range(books, books - length - 20, -1)),
        list(range(1, min(books, 3 * length))),
    ]
    ordinary = [
        (random.permutation(books)[: random.integers(1, 2 * length)] + 1).tolist()
        for _ in range(HISTORIES - len(odd))
    ]
    return odd + ordinary


def answers(recommender: Recommender, history: list[int]) -> dict[str, Any]:
    """All four signatures for one history."""
    model = recommender.model
    row = pad_history(history, model.max_length)
    ids, scores = kept(model, len(recommender.bundle.items), model.recommend(row), set(history))
    book = ids[0] if ids else 1
    like, likeness = kept(model, len(recommender.bundle.items), model.similar(book), {book})
    candidates = [*ids[: model.candidates // 2], 0, -1, len(recommender.bundle.items) + 1]
    return {
        "history": history,
        "recommend": {"ids": ids, "scores": scores},
        "book": book,
        "similar": {"ids": like, "scores": likeness},
        "candidates": candidates,
        "score": model.score(row, np.array(candidates, np.int32)).tolist(),
        "explain": model.explain(row, book).tolist(),
    }


def kept(
    model: TFLiteModel, books: int, answer: tuple[np.ndarray, np.ndarray], but: set[int]
) -> tuple[list[int], list[float]]:
    """An answer without what only fills it up, as a reader sees it."""
    pairs = [
        (number, score)
        for number, score in zip(answer[0].tolist(), answer[1].tolist(), strict=True)
        if 1 <= number <= books and number not in but
    ]
    return [number for number, _ in pairs], [score for _, score in pairs]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
