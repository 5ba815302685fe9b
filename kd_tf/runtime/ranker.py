"""Predicts clicks or ratings with a bundle in Python: raw values in, one number out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.runtime.features.label import Label
from kd_tf.runtime.prediction_model import PredictionModel, check_features
from kd_tf.runtime.ranker_bundle import RankerBundle


class Ranker:
    """Predicts the label of rows of raw values. Safe to share between threads.

    Attributes:
        bundle: The bundle.
        model: The bundle's model.

    Example:
        >>> ranker = Ranker.load("runs/clicks")  # doctest: +SKIP
        >>> ranker.predict({"user": "ann", "item": "dune", "hour": 21})  # doctest: +SKIP
        0.31
    """

    def __init__(self, bundle: RankerBundle, model: PredictionModel) -> None:
        self.bundle, self.model = bundle, model

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> Ranker:
        """Opens a bundle and loads its model.

        Args:
            folder: The bundle's folder, or the folder of a run that has one.
            threads: Number of threads for one answer.

        Raises:
            UserError: The bundle or its model is invalid.
        """
        return cls.from_bundle(RankerBundle.open(folder), threads)

    @classmethod
    def from_bundle(cls, bundle: RankerBundle, threads: int = 1) -> Ranker:
        """Loads the model of a bundle that is open already, and runs its signatures once.

        Raises:
            UserError: The model is invalid or is not the one that config.json describes.
        """
        model = PredictionModel(bundle.model, threads, name=str(bundle.model_path))
        layout = bundle.schema.layout
        check_features(model, layout.num_places, layout.num_numeric, str(bundle.model_path))
        return cls(bundle, model)

    @property
    def label(self) -> Label:
        """What is predicted."""
        return self.bundle.schema.label

    def predict(self, row: Mapping[str, Any]) -> float:
        """Predicts the label of one row.

        Args:
            row: Its values by the names of the columns; other columns are ignored.

        Returns:
            The probability of a click, or the rating in the table's own units.

        Raises:
            UserError: A column is missing, or a value is not of its kind.
        """
        prediction = np.array(self.model.predict(*self.bundle.schema.encode_row(row)))
        return float(self.label.unscale(prediction))

    def predict_all(self, rows: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Predicts the labels of many rows.

        Args:
            rows: Their values, a sequence for each column.

        Returns:
            float64 [n], as for `predict`.

        Raises:
            UserError: A column is missing, or a value is not of its kind.
        """
        predictions = self.model.predict_all(*self.bundle.schema.encode(rows))
        return np.asarray(self.label.unscale(predictions.astype(np.float64)))
