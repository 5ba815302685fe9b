"""A bundle of the ranking task predicts raw rows as the model does, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kd_tf.runtime.features.features_json import from_json

GOLDEN_RECOMMENDER = Path(__file__).parents[1] / "golden" / "bundle-v1"

ROWS: dict[str, list[Any]] = {
    "user": ["ann", "ben", "nobody", None],
    "tags": ["a|b", "", "b|z", None],
    "price": [3.5, None, 1e6, "2"],
}


def make_schema(**label: Any) -> Any:
    return from_json(
        {
            "version": 1,
            "label": {"name": "stars", "kind": "rating", "low": 1, "high": 5, **label},
            "columns": [
                {"name": "user", "type": "category", "missing": [""]},
                {"name": "tags", "type": "list", "missing": [""], "separator": "|"},
                {"name": "price", "type": "number", "missing": [""]},
            ],
            "categorical": [
                {"name": "user", "column": "user", "kind": "vocabulary", "values": ["ann", "ben"]},
                {
                    "name": "tags",
                    "column": "tags",
                    "kind": "vocabulary",
                    "values": ["a", "b"],
                    "max_values": 2,
                },
            ],
            "numeric": [
                {"name": "price", "column": "price", "offset": 2.0, "scale": 0.5, "missing": 0.0}
            ],
        }
    )
