"""Adds a ranker with random weights to a bundle, for tests of whatever re-ranks.

    make_bundle.py BUNDLE OUT

The ranker takes every kind of source. Its weights are such that the order depends on all of them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.models.ranking.students import RankingMLPStudent
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.pipeline.ranking.add_ranker import AddedRanker, add_ranker
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.features.features_json import from_json
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValues
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.ranker_bundle import RankerConfig, write_ranker_bundle
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import convert_ranking_model

BATCH_SIZE = 8
"""Less than a shortlist has: several calls, and a last one that is not full."""

GENRES = ("Sea", "Crime", "Poetry", "Gardens")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def make_schema(item_ids: list[str]) -> FeatureSchema:
    """Makes the features: an id, a list, numbers, a time, a combination."""
    types = {
        "shown": "date", "hour": "number", "weekday": "category", "language": "category",
        "book": "category", "genre": "list", "pages": "number", "history_pages": "number",
        "position": "number", "user": "category",
    }  # fmt: skip

    def scale(name: str, low: float, high: float) -> dict[str, Any]:
        return {
            "name": name, "kind": "scaled", "column": name, "low": low, "high": high,
            "offset": (low + high) / 2, "divisor": (high - low) / 2, "fill": 0.0, "log": False,
        }  # fmt: skip

    def look_up(name: str, values: list[str], **more: int) -> dict[str, Any]:
        return {"name": name, "kind": "vocabulary", "column": name, "values": values, **more}

    return from_json(
        {
            "version": 1,
            "missing": [],
            "label": {"name": "clicked", "kind": "click", "low": 0, "high": 1},
            "columns": [
                {"name": name, "type": kind, **({"separator": "|"} if kind == "list" else {})}
                for name, kind in types.items()
            ],
            "categorical": [
                {"name": "shown:weekday", "kind": "date", "column": "shown", "part": "weekday"},
                {"name": "hours", "kind": "bucket", "column": "hour", "boundaries": [6, 12, 18]},
                look_up("weekday", list(WEEKDAYS)),
                look_up("language", ["en", "de", "zh"]),
                look_up("book", item_ids[: len(item_ids) // 2]),
                look_up("genre", list(GENRES), max_values=2),
                look_up("user", ["ann"]),
                {
                    "name": "language*weekday", "kind": "cross",
                    "columns": ["language", "weekday"], "buckets": 50,
                },
            ],
            "numeric": [
                scale("hour", 0, 23), scale("pages", 50, 900), scale("history_pages", 50, 900),
                scale("position", 1, 10),
            ],
        }
    )  # fmt: skip


def write_ranker(folder: Path, item_ids: list[str], seed: int = 0) -> None:
    """Writes a bundle of the ranking task on the books of a catalog, some of them without pages."""
    random = np.random.default_rng(seed)
    schema = make_schema(item_ids)
    model = RankingMLPStudent(schema.layout, label_kind="click", embedding_dim=4, hidden=(16,))
    model.create_weights()
    for weight in model.trainable_variables:
        weight.assign(random.normal(0, 0.45, weight.shape))
    with suppress_native_stderr():
        content = convert_ranking_model(model, Quantization.FLOAT32, batch_size=BATCH_SIZE)
    num_items = len(item_ids)
    genres = random.integers(len(GENRES), size=(num_items, 2))
    pages = random.integers(40, 1000, num_items).tolist()
    items = ItemValues(
        "book",
        (*item_ids, "of no catalog"),
        {
            "genre": (*("|".join(dict.fromkeys(GENRES[n] for n in row)) for row in genres), None),
            "pages": (*(None if number % 7 == 0 else number for number in pages), 10),
        },
    )
    write_ranker_bundle(
        folder,
        model=content,
        schema=schema,
        items=items,
        config=RankerConfig(
            name="invented clicks",
            num_places=schema.layout.num_places,
            num_numeric=schema.layout.num_numeric,
            batch_size=BATCH_SIZE,
            signatures=("predict", "predict_batch"),
            min_runtime_version="2.5.0",
            quantization="float32",
            threshold=0.5,
            metrics={},
            dataset={"name": "invented"},
        ),
        model_card="# Invented clicks\n",
        check=Ranker.from_bundle,
    )


def make_reranking_bundle(bundle: Path, out: Path) -> AddedRanker:
    """Copies a bundle to a new folder and adds a ranker to it."""
    shutil.copytree(bundle, out)
    ranker = out.parent / f"{out.name}-ranker"
    write_ranker(ranker, Bundle.open(out).items.list_item_ids())
    return add_ranker(out, ranker, values={"position": 1})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for line in make_reranking_bundle(Path(sys.argv[1]), Path(sys.argv[2])).describe():
        print(line)
