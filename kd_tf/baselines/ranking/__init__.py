"""Baselines of the ranking task, by their names in the result tables."""

from __future__ import annotations

from collections.abc import Callable

from kd_tf.baselines.ranking import biases, boosted_trees, linear, prior
from kd_tf.baselines.ranking.base import PredictionBaseline
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.progress import Progress

RANKING_BASELINES: dict[str, Callable[[RankingSplit, Progress], PredictionBaseline]] = {
    "prior": lambda split, progress: prior.fit(split),
    "biases": lambda split, progress: biases.fit(split),
    "logistic-regression": linear.fit_logistic_regression,
    "ridge-regression": linear.fit_ridge_regression,
    "gradient-boosted-trees": boosted_trees.fit,
}
"""Functions that fit a baseline to a split. They raise UserError if all training labels are
equal."""

REQUIREMENTS: dict[str, Callable[[RankingSplit], bool]] = {
    "biases": lambda split: split.label.kind == "rating" and biases.find_item_place(split) >= 0,
    "logistic-regression": lambda split: split.label.kind == "click",
    "ridge-regression": lambda split: split.label.kind == "rating",
}
"""What a split must have for some baselines: clicks, ratings, or users and items."""


def list_ranking_baselines(split: RankingSplit) -> list[str]:
    """Lists the baselines that suit a split."""
    return [
        name for name in RANKING_BASELINES if name not in REQUIREMENTS or REQUIREMENTS[name](split)
    ]
