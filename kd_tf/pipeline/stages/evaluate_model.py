"""Evaluates a model, a baseline, a bundle or a .tflite file on held-out users: ``kd.evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.backend import keras
from kd_tf.baselines.base import Baseline
from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, TrainingSet
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import RankFn, TrainingStatistics, evaluate, evaluate_lists
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.runtime.bundle import Bundle
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
        UserError: There are no users to evaluate on.
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
    if not isinstance(held_out, HeldOutSet):
        raise TypeError(f"give split.test or split.validation, not a {type(held_out).__name__}")
    if not len(held_out.histories):
        raise UserError(
            "there are no users to evaluate on: nothing can be measured",
            hint="The split found nobody to hold out (split.notes). A model of few users can be "
            "exported without metrics.",
        )
    train = train or held_out.train
    if train is None:
        raise ValueError("these held-out users belong to no split: give train=split.train")
    statistics = TrainingStatistics.from_histories(train, train.num_items)
    if isinstance(model, str | Path):
        rank = _open_ranker(Path(model), train, held_out.candidate_items)
        return evaluate_lists(rank, held_out, statistics, ks=ks).overall
    if isinstance(model, keras.Model):
        keras_model = model if isinstance(model, HistoryModel) else model.student
        if keras_model.num_items != train.num_items:
            raise ValueError(
                f"the model has {keras_model.num_items} items, the split has {train.num_items}: "
                "they belong to different catalogs"
            )
        score = make_score_fn(keras_model)
    else:
        score = model.score
    return evaluate(score, held_out, statistics, ks=ks).overall


def _open_ranker(path: Path, train: TrainingSet, candidate_items: np.ndarray | None) -> RankFn:
    """Opens a .tflite file or a bundle, whose items may be in another order than the split's.

    Args:
        path: The file or bundle.
        train: Its catalog has the split's order of the items.
        candidate_items: int32 [c], the only items to rank; None to rank all.
    """
    if not path.is_dir():
        return make_tflite_ranker(TFLiteModel(path), candidate_items)
    bundle = Bundle.open(path)
    if train.catalog is None:
        return make_tflite_ranker(TFLiteModel(bundle.model), candidate_items)
    ids = {item_id: number for number, item_id in enumerate(train.catalog.item_ids, start=1)}
    if ids.keys() != {item.item_id for item in bundle.items}:
        raise ValueError(f"the bundle {path} has other items than the split")
    to_split = np.array([0, *(ids[item.item_id] for item in bundle.items)], np.int32)
    to_bundle = np.argsort(to_split).astype(np.int32)
    rank = make_tflite_ranker(
        TFLiteModel(bundle.model), None if candidate_items is None else to_bundle[candidate_items]
    )

    def rank_split_items(histories: Histories, k: int) -> np.ndarray:
        bundle_histories = Histories(to_bundle[histories.items], histories.offsets)
        return np.asarray(to_split[rank(bundle_histories, k)])

    return rank_split_items
