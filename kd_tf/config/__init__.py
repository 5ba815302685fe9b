"""The configuration of a run: TOML in, validated settings out.

Example:
    >>> from kd_tf import config
    >>> settings = config.from_values({"student": {"architecture": "mlp"}})
    >>> settings.student.architecture, settings.teacher.architecture
    ('mlp', 'ensemble')
"""

from kd_tf.config.config import Config
from kd_tf.config.data import (
    Cleaning,
    Columns,
    Content,
    Data,
    Evaluation,
    ItemColumns,
    ItemTable,
    Split,
)
from kd_tf.config.distillation import Distillation, Examples, LossSettings, Pruning
from kd_tf.config.export import Export
from kd_tf.config.models import (
    MATRIX_FACTORIZATION,
    Student,
    Teacher,
    TeacherTrainingSettings,
    TrainingSettings,
)
from kd_tf.config.ranking import RankingConfig
from kd_tf.config.run import (
    check_effects,
    from_values,
    list_settings,
    read,
    read_values,
    write,
)

__all__ = [
    "MATRIX_FACTORIZATION",
    "Cleaning",
    "Columns",
    "Config",
    "Content",
    "Data",
    "Distillation",
    "Evaluation",
    "Examples",
    "Export",
    "ItemColumns",
    "ItemTable",
    "LossSettings",
    "Pruning",
    "RankingConfig",
    "Split",
    "Student",
    "Teacher",
    "TeacherTrainingSettings",
    "TrainingSettings",
    "check_effects",
    "from_values",
    "list_settings",
    "read",
    "read_values",
    "write",
]
