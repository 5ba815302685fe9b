"""Names that settings and command-line options choose from.

Nothing else is imported here, so that the command line can list and complete the names at once.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

DatasetName = Literal[
    "synthetic",
    "csv",
    "goodbooks",
    "movielens",
    "book-crossing",
    "amazon-reviews",
    "netflix-prize",
    "gowalla",
    "user-item-lists",
]
"""Data sets and formats that can be read."""

DownloadName = Literal[
    "movielens-100k",
    "movielens-1m",
    "movielens-20m",
    "movielens-25m",
    "movielens-32m",
    "goodbooks-10k",
]
"""Published data sets that ``kd-tf download`` fetches."""

ProtocolName = Literal[
    "unseen-users",
    "leave-one-out",
    "temporal",
    "random",
    "cold-items",
    "cold-users",
    "published",
]
"""Ways to split the data into training, validation and test part."""

BadRowsRule = Literal["stop", "skip"]
"""What to do with malformed rows of a table."""

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "excel"]
"""What a time that is a number counts, since 1970; ``excel``: days since 1899-12-30. ``auto`` tells
seconds from the finer units by their size."""

NormalizeIds = Literal["none", "text", "integers", "isbn"]
"""How ids are changed before they are compared: not at all; blanks around them removed and case
ignored; as whole numbers (``007``, ``7.0`` and ``="7"`` are 7); as ISBN-13. The last two leave
other ids as they are, without blanks around them."""

TrainedTeacher = Literal["gru", "cnn", "transformer", "vae", "two-tower"]
"""Teachers that are trained by gradient descent."""

ClosedFormTeacher = Literal[
    "local-ridge", "linear-autoencoder", "ials", "spectral", "content", "content-tower", "friends"
]
"""Teachers that are made in one go, without settings of training."""

MemberArchitecture = Literal[TrainedTeacher, ClosedFormTeacher]
"""Teachers that can be members of an ensemble."""

TeacherArchitecture = Literal[MemberArchitecture, "ensemble", "matrix-factorization"]
"""All teachers."""

TrainedStudent = Literal["mlp", "shallow-cnn", "logistic", "two-tower", "multi-interest"]
"""Students that are initialized at random and trained by gradient descent."""

WarmStartedStudent = Literal[
    "neighbours",
    "item-kernel",
    "low-rank",
    "fold-in",
    "low-rank-residual",
    "kernel-residual",
    "fold-in-residual",
]
"""Students that are initialized from a teacher's item scores."""

StudentArchitecture = Literal["auto", TrainedStudent, WarmStartedStudent, "matrix-factorization"]
"""All students; ``auto`` selects one of them."""

TaskName = Literal["retrieval", "ranking"]
"""What is learnt, in the words of TensorFlow Recommenders: lists of items for a history, or one
probability for a row of features."""

RankingProtocol = Literal["random", "temporal", "unseen-users", "cold-items", "published"]
"""Ways to split the rows of the ranking task."""

RankingMember = Literal["bayesian-fm", "deep", "dcn", "deepfm", "two-stream", "cnn", "text"]
"""Teachers of the ranking task that can be members of an ensemble."""

RankingTeacherName = Literal[RankingMember, "ensemble"]
"""All teachers of the ranking task."""

RankingStudentName = Literal["logistic-regression", "factorization-machine", "mlp"]
"""All students of the ranking task."""

RankingLossName = Literal["cross-entropy", "soft-targets", "logit-matching", "hint", "mutual"]
"""Distillation losses of the ranking task."""

RankingQuantization = Literal["float32", "float16", "dynamic-int8", "int8"]
"""How a file of the ranking task stores its weights."""

ScalingName = Literal["standard", "min-max", "none"]
"""How numbers are scaled for models."""

OptimizerName = Literal["adam", "adamw", "sgd"]
"""Optimizers of models that are trained."""

LearningRateScheduleName = Literal["cosine", "exponential", "constant"]
"""How the learning rate changes during a training."""

LossName = Literal[
    "soft-targets",
    "top-k-with-tail",
    "logit-matching",
    "hard-predictions",
    "rd",
    "cd",
    "rrd",
    "dcd",
    "unkd",
    "rce-kd",
    "item-side",
    "item-similarity",
    "hint",
    "de",
    "attention-transfer",
    "adversarial",
    "relational-distances",
    "relational-angles",
    "ftd",
    "htd",
    "hard-parameter",
    "soft-parameter",
    "hetcomp",
    "adaptive-temperature",
    "dcd-item",
    "hierarchical-hints",
    "mutual",
    "shared-table",
]
"""Distillation losses."""

PresetName = Literal[
    "ir-rrd",
    "dcd-both",
    "average-teachers",
    "weighted-teachers",
    "confident-teachers",
    "teacher-assistant",
    "augmentation",
    "curriculum",
    "uncertainty",
    "gradient-norm",
    "confidence",
    "mixed",
]
"""Methods of ``kd-tf compare`` that are more than a loss."""

WeightingName = Literal["constant", "uncertainty", "gradient-norm", "confidence"]
"""Ways to weight the student loss and the distillation losses."""

QuantizationName = Literal["float32", "float16", "dynamic-int8", "int8", "int4"]
"""How a file stores its weights."""

CatalogSearch = Literal["auto", "exact", "two-stage"]
"""How a file searches the catalog."""

RuntimeName = Literal["any", "android-2.16", "litert"]
"""Runtimes that a file must work with."""

BaselineName = Literal[
    "random",
    "popularity",
    "content",
    "frozen-text",
    "friends",
    "item-knn",
    "item-knn-history",
    "item-knn-bm25",
    "ials",
    "ease",
]
"""Baselines of ``kd-tf baselines``."""

CompetitorName = Literal["numpy", "onnxruntime", "naive"]
"""Runtimes that ``kd-tf benchmark`` compares a file with."""


def list_choices(choices: Any) -> tuple[str, ...]:
    """Returns the names of a ``Literal``.

    Example:
        >>> list_choices(BadRowsRule)
        ('stop', 'skip')
    """
    return get_args(choices)
