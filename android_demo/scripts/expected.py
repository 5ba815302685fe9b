"""Writes what Python's runtime answers for a bundle, for the app's tests to compare with.

    expected.py BUNDLE OUT.json

Python's runtime takes XNNPACK's kernels where it can, TensorFlow Lite 2.16.1 on a phone does not
take them for layers with int8 weights and float32 inputs. The two round such inputs differently,
which moves a score by a thousandth or so and may swap neighbours. So Python answers with the
built-in kernels here, as the phone does; how often its answers with XNNPACK's are the same is
printed and must stay above `MIN_AGREEMENT`.
"""

from __future__ import annotations

import functools
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kd_tf import atomic
from kd_tf.runtime import signature_model
from kd_tf.runtime.model import TFLiteModel, pad_history
from kd_tf.runtime.recommender import Recommender

NUM_HISTORIES = 200
NUM_SIMILAR = 8
SEED = 0

DEVICES = ((1_712_084_709, 120, "de-AT"), (1_704_067_199, 345, None), (1_709_164_800, -210, "en"))
"""Unix time, minutes ahead of UTC and language of the devices that re-rank."""

TOP = 10
MIN_AGREEMENT = 0.98
"""Least share of the first ten books that both kinds of kernels give."""


def main(bundle: Path, out: Path) -> None:
    with_xnnpack = Recommender.load(bundle)
    signature_model.Interpreter = functools.partial(
        Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    recommender = Recommender.load(bundle)
    random = np.random.default_rng(SEED)
    compare_kernels(with_xnnpack.model, recommender.model, len(recommender.bundle.items))
    atomic.write_json(
        out,
        {
            "shelves": [
                answer_for_shelf(recommender, size, random)
                for size in choose_shelf_sizes(recommender)
            ],
            "similar": find_similar(recommender, random),
            "histories": [
                answer_history(recommender, history)
                for history in make_histories(recommender, random)
            ],
            "reranked": [
                rerank_for_device(recommender, size, device, random)
                for device in DEVICES
                for size in (0, *choose_shelf_sizes(recommender))
            ]
            if recommender.ranker is not None
            else [],
        },
    )


def compare_kernels(first: TFLiteModel, second: TFLiteModel, num_items: int) -> None:
    """Prints how often the two models agree; ends the program if that is too rare."""
    random = np.random.default_rng(SEED)
    num_shared, num_compared = 0, 0
    for _ in range(NUM_HISTORIES):
        length = int(random.integers(1, min(first.max_length, num_items)))
        row = pad_history(random.permutation(num_items)[:length] + 1, first.max_length)
        item = int(row[0])
        for answers in (
            (first.recommend(row), second.recommend(row)),
            (first.similar(item), second.similar(item)),
        ):
            best = [set(ids[:TOP].tolist()) for ids, _ in answers]
            num_shared += len(best[0] & best[1])
            num_compared += len(best[0])
    agreement = num_shared / num_compared
    print(f"XNNPACK's kernels and the built-in ones share {agreement:.4f} of the first ten books")
    if agreement < MIN_AGREEMENT:
        sys.exit(f"that is less than {MIN_AGREEMENT}: on phones this model answers otherwise")


def choose_shelf_sizes(recommender: Recommender) -> list[int]:
    """Chooses sizes from one book to more than the model takes."""
    length, num_items = recommender.model.max_length, len(recommender.bundle.items)
    return [size for size in (1, 2, 3, 5, 8, length + 10) if size < num_items]


def answer_for_shelf(
    recommender: Recommender, size: int, random: np.random.Generator
) -> dict[str, Any]:
    """Draws a shelf, as item ids, oldest first, and returns what the app shows for it."""
    catalog = recommender.bundle.items
    positions = random.choice(len(catalog), size, replace=False)
    items = [catalog[position].item_id for position in positions.tolist()]
    suggestions = recommender.recommend(items)
    return {
        "items": items,
        "recommend": [suggestion.item.item_id for suggestion in suggestions],
        "titles": [
            suggestion.item.title or f"book {suggestion.item.item_id}" for suggestion in suggestions
        ],
        "because": [
            [
                reason.item.item_id
                for reason in recommender.explain(items, suggestion.item.item_id, 2)
            ]
            for suggestion in suggestions
        ],
    }


def rerank_for_device(
    recommender: Recommender,
    size: int,
    device: tuple[int, int, str | None],
    random: np.random.Generator,
) -> dict[str, Any]:
    """Draws a shelf, as model ids, oldest first, and re-ranks what is recommended for it."""
    assert recommender.bundle.ranker is not None
    assert recommender.bundle.ranker.sources is not None
    seconds, offset_minutes, language = device
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset_minutes)))
    context = recommender.bundle.ranker.sources.make_context(moment, language)
    catalog = recommender.bundle.items
    history = (random.permutation(len(catalog))[:size] + 1).tolist()
    items = [catalog[number - 1].item_id for number in history]
    suggestions = recommender.rerank(items, context=context)
    return {
        "history": history,
        "items": items,
        "seconds": seconds,
        "offset_minutes": offset_minutes,
        "language": language,
        "ids": [suggestion.item.id for suggestion in suggestions],
        "titles": [
            suggestion.item.title or f"book {suggestion.item.item_id}" for suggestion in suggestions
        ],
        "predictions": [suggestion.prediction for suggestion in suggestions],
    }


def find_similar(recommender: Recommender, random: np.random.Generator) -> dict[str, list[str]]:
    """Finds the similar books of a few random ones, by item id."""
    catalog = recommender.bundle.items
    positions = random.choice(len(catalog), min(NUM_SIMILAR, len(catalog)), replace=False)
    items = [catalog[position].item_id for position in positions.tolist()]
    return {
        item: [suggestion.item.item_id for suggestion in recommender.similar(item)]
        for item in items
    }


def make_histories(recommender: Recommender, random: np.random.Generator) -> list[list[int]]:
    """Makes histories of model ids of every length, valid ones and invalid ones."""
    length, num_items = recommender.model.max_length, len(recommender.bundle.items)
    invalid: list[list[int]] = [
        [],
        [0],
        [0] * length,
        [-1],
        [num_items + 1],
        [2**31 - 1, -(2**31)],
        [1] * length,
        [num_items] * 3,
        [1, num_items],
        [0, 5, 0, 7, 0],
        [5, -7, num_items + 9, 6],
        list(range(1, length + 1)),
        list(range(num_items, num_items - length - 20, -1)),
        list(range(1, min(num_items, 3 * length))),
    ]
    valid = [
        (random.permutation(num_items)[: random.integers(1, 2 * length)] + 1).tolist()
        for _ in range(NUM_HISTORIES - len(invalid))
    ]
    return invalid + valid


def answer_history(recommender: Recommender, history: list[int]) -> dict[str, Any]:
    """Runs all four signatures for a history."""
    model = recommender.model
    row = pad_history(history, model.max_length)
    num_items = len(recommender.bundle.items)
    ids, scores = drop_fillers(num_items, model.recommend(row), set(history))
    item = ids[0] if ids else 1
    similar_ids, similar_scores = drop_fillers(num_items, model.similar(item), {item})
    candidates = [*ids[: model.candidates // 2], 0, -1, num_items + 1]
    return {
        "history": history,
        "recommend": {"ids": ids, "scores": scores},
        "book": item,
        "similar": {"ids": similar_ids, "scores": similar_scores},
        "candidates": candidates,
        "score": model.score(row, np.array(candidates, np.int32)).tolist(),
        "explain": model.explain(row, item).tolist(),
    }


def drop_fillers(
    num_items: int, answer: tuple[np.ndarray, np.ndarray], excluded: set[int]
) -> tuple[list[int], list[float]]:
    """Drops padding and excluded items, which only fill up an answer."""
    pairs = [
        (number, score)
        for number, score in zip(answer[0].tolist(), answer[1].tolist(), strict=True)
        if 1 <= number <= num_items and number not in excluded
    ]
    return [number for number, _ in pairs], [score for _, score in pairs]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
