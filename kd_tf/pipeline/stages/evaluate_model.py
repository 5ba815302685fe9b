"""Evaluates a model, a baseline, a bundle or a .tflite file on held-out users: ``kd.evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_tf.backend import keras
from kd_tf.baselines.base import Baseline
from kd_tf.data.split import HeldOutSet, TrainingSet
from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate, evaluate_lists
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.runtime.bundle import MODEL_FILE
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.artifact import make_tflite_ranker


def evaluate_model(
    model: keras.Model | Baseline | str | Path,
    held_out: HeldOutSet,
    *,
    train: TrainingSet | None = None,
    ks: Sequence[int] = (10, 20),
) -> dict[str, float]:
    """Ranks the whole catalog for every held-out user and measures the lists.

    Args:
        model: A model, a `Distiller` (its student), a baseline, or the path of a bundle or .tflite
            file, which is then run itself.
        held_out: ``split.test``, or ``split.validation``.
        train: The training histories, for coverage and novelty; by default those of the split that
            `held_out` comes from.
        ks: Cut-offs k of the metrics.

    Returns:
        Means over the users by name: ``ndcg@10``, ``recall@10``, ``mrr@10``, ``coverage@10`` and
        more (docs/reference/metrics.md), each for every k.

    Raises:
        ValueError: `held_out` comes from no split and `train` is missing, or the model has another
            catalog.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> teacher = kd.models.LocalRidgeTeacher(split.num_items, max_length=20)
        >>> history = teacher.fit(split.train, validation_data=split.validation)
        >>> metrics = kd.evaluate(teacher, split.test)
        >>> 0 < metrics["ndcg@10"] < 1
        True
    """
    train = train or held_out.train
    if train is None:
        raise ValueError("these held-out users belong to no split: give train=split.train")
    statistics = TrainingStatistics.from_histories(train, train.num_items)
    if isinstance(model, str | Path):
        file = Path(model)
        tflite = TFLiteModel(file / MODEL_FILE if file.is_dir() else file)
        return evaluate_lists(make_tflite_ranker(tflite), held_out, statistics, ks=ks).overall
    if isinstance(model, keras.Model):
        scored = model if isinstance(model, HistoryModel) else model.student
        if scored.num_items != train.num_items:
            raise ValueError(
                f"the model has {scored.num_items} items, the split has {train.num_items}: they "
                "belong to different catalogs"
            )
        score = make_score_fn(scored)
    else:
        score = model.score
    return evaluate(score, held_out, statistics, ks=ks).overall
