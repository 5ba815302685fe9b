"""Which settings have an effect beside which others.

A setting that somebody changed in vain is an error: a result would be taken for that of the
setting. Settings that have their default are never one, as the config.toml of a run lists all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from kd_tf.choices import (
    ClosedFormTeacher,
    DatasetName,
    TrainedStudent,
    TrainedTeacher,
    WarmStartedStudent,
    list_choices,
)
from kd_tf.config.config import Config
from kd_tf.config.models import MATRIX_FACTORIZATION, TeacherTrainingSettings, TrainingSettings

TRAINED_TEACHERS = list_choices(TrainedTeacher)
TRAINED_STUDENTS = list_choices(TrainedStudent)
WARM_STARTED_STUDENTS = list_choices(WarmStartedStudent)
PRUNED_STUDENTS = ("mlp", "shallow-cnn", "two-tower")
"""Students with a dense core, which is what pruning prunes."""

_PUBLISHED_DATASETS = tuple(
    name
    for name in list_choices(DatasetName)
    if name not in ("synthetic", "csv", "user-item-lists")
)


@dataclass(frozen=True)
class EffectRule:
    """Settings that have an effect only under a condition.

    Attributes:
        settings: Their names; ``*`` stands for all keys of a section.
        has_effect: The condition. Takes all settings, and the name.
        reason: Why they have none, as it follows "has no effect". ``{split.protocol}`` stands for
            the value of that setting.
        remedy: What to do if not to remove them.
    """

    settings: tuple[str, ...]
    has_effect: Callable[[Config, str], bool]
    reason: str
    remedy: str


def explain_ineffective(config: Config, rules: Sequence[EffectRule]) -> str | None:
    """Says which changed settings have no effect, why, and what to do; None if all have one.

    Example:
        >>> from kd_tf.config import from_values
        >>> config = from_values({"student": {"architecture": "mlp"}})
        >>> rule = EffectRule(
        ...     ("student.architecture",), lambda *_: False, "with seed {seed}", "dream"
        ... )
        >>> explain_ineffective(config, [rule])
        'student.architecture has no effect with seed 42; remove it, or dream'
    """
    defaults = type(config).model_construct()
    rule_of: dict[str, EffectRule] = {}
    for rule in rules:
        for name in (name for pattern in rule.settings for name in _expand(config, pattern)):
            is_changed = _get(config, name) != _get(defaults, name)
            if is_changed and not rule.has_effect(config, name):
                rule_of.setdefault(name, rule)
    sentences = []
    for rule, group in groupby(rule_of, rule_of.__getitem__):
        names = list(group)
        verb, them = ("has", "it") if len(names) == 1 else ("have", "them")
        reason = _PLACEHOLDER.sub(lambda match: _describe(_get(config, match[1])), rule.reason)
        sentences.append(
            f"{' and '.join(names)} {verb} no effect {reason}; remove {them}, or {rule.remedy}"
        )
    return ". ".join(sentences) or None


_PLACEHOLDER = re.compile(r"\{([a-z_.]+)\}")


def _describe(value: object) -> str:
    return "unset" if value is None else str(value)


def _expand(config: Config, pattern: str) -> Iterator[str]:
    """Yields the names that a pattern stands for."""
    section, star, rest = pattern.partition("*")
    if not star:
        yield pattern
        return
    for key in _get(config, section.removesuffix(".")):
        yield f"{section}{key}{rest}"


def _get(config: Config, name: str) -> Any:
    """Returns the value of a setting; None if its section is not there."""
    value: Any = config
    while name and value is not None:
        if isinstance(value, dict):
            # Names of losses, as module:Class, may have dots.
            key = next((key for key in value if f"{name}.".startswith(f"{key}.")), name)
            value = value.get(key)
        else:
            key = name.partition(".")[0]
            value = getattr(value, key)
        name = name[len(key) + 1 :]
    return value


def _make_rule(settings: Sequence[str], other: str, values: Sequence[str | None]) -> EffectRule:
    """Makes the rule that settings have an effect with some values of one other setting.

    Args:
        settings: Their names.
        other: The other setting.
        values: Its values; None is its default.
    """
    # Matrix factorization is for comparisons only: no advice.
    names = [value for value in values if value not in (None, MATRIX_FACTORIZATION)]
    choice = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return EffectRule(
        tuple(settings),
        lambda config, _: _get(config, other) in values,
        f"with {other} {{{other}}}",
        f"set {other} to {choice}",
    )


def _has_trained_teacher(config: Config, _: str = "") -> bool:
    """Says whether a teacher is trained by gradient descent."""
    teacher = config.teacher
    if teacher.architecture == "ensemble":
        # The default members may include a network.
        return teacher.members is None or not {*TRAINED_TEACHERS}.isdisjoint(teacher.members)
    return teacher.architecture in (*TRAINED_TEACHERS, MATRIX_FACTORIZATION)


def _is_student_trained(config: Config, _: str = "") -> bool:
    """Says whether a student is trained or fine-tuned."""
    student = config.student
    return student.architecture not in WARM_STARTED_STUDENTS or student.fine_tuning_epochs > 0


def _has_encoded_text(config: Config) -> bool:
    """Says whether texts are encoded: those that are named, or all where models need some."""
    needs_content = config.split.protocol == "cold-items" or not config.data.has_interactions
    return bool(config.content.text) or (needs_content and not config.content.image)


def _has_friends_teacher(config: Config, _: str = "") -> bool:
    """Says whether a teacher looks at friends: the default ensemble does where they are known."""
    teacher = config.teacher
    if teacher.architecture == "ensemble":
        return teacher.members is None or "friends" in teacher.members
    return teacher.architecture == "friends"


_DATASETS_OF: dict[tuple[str, ...], tuple[str, ...]] = {
    (
        *("interactions", "items", "columns", "item_columns", "format", "item_format"),
        *("null_values", "decimal", "time_format", "time_unit", "normalize_ids", "where"),
        "min_matched_share",
    ): ("csv",),
    ("data_dir",): _PUBLISHED_DATASETS,
    ("on_bad_rows",): ("csv", "user-item-lists", *_PUBLISHED_DATASETS),
    ("amazon_release",): ("amazon-reviews",),
    ("book_crossing_feedback",): ("book-crossing",),
    ("synthetic_items", "synthetic_users", "synthetic_covers", "synthetic_friends"): ("synthetic",),
}

_FINE_TUNED = ("student_loss_weight", "weighting", "curriculum", "assistant_width_multiplier")
"""What fine-tuning sets by itself."""

_TRAINED = ("auto", *TRAINED_STUDENTS, MATRIX_FACTORIZATION)

RULES = (
    *(
        _make_rule([f"data.{name}" for name in names], "data.dataset", datasets)
        for names, datasets in _DATASETS_OF.items()
    ),
    EffectRule(
        ("data.item_format", "data.min_matched_share"),
        lambda config, _: config.data.items is not None or config.data.dataset != "csv",
        "without data.items, the table of items",
        "give that table",
    ),
    EffectRule(
        ("data.item_columns.item_id",),
        # The column of interactions is the default.
        lambda config, _: (
            config.data.items is not None
            or config.data.dataset != "csv"
            or config.data.item_columns.item_id == config.data.columns.item
        ),
        "without data.items, the table of items",
        "give that table",
    ),
    EffectRule(
        ("data.time_format", "data.time_unit"),
        lambda config, _: config.data.columns.timestamp is not None or config.data.dataset != "csv",
        "without a timestamp column",
        "name that column in data.columns.timestamp",
    ),
    EffectRule(
        ("data.decimal",),
        lambda config, _: (
            config.data.columns.rating is not None
            or bool(config.data.where)
            or config.data.dataset != "csv"
        ),
        "without a rating column",
        "name that column in data.columns.rating",
    ),
    _make_rule(
        ("split.test_users", "split.validation_users", "split.held_out_share"),
        "split.protocol",
        ("unseen-users", "cold-items", "cold-users", None),
    ),
    _make_rule(("split.cold_items",), "split.protocol", ("cold-items",)),
    _make_rule(("split.shown_items",), "split.protocol", ("cold-users",)),
    EffectRule(
        ("content.encoder",),
        lambda config, _: _has_encoded_text(config),
        "without content.text, the columns that are encoded",
        "name those columns",
    ),
    EffectRule(
        ("content.transfer_from",),
        lambda config, _: _has_encoded_text(config) or bool(config.content.image),
        "without content.text or content.image, the columns that are encoded",
        "name those columns",
    ),
    EffectRule(
        ("content.image_encoder", "content.image_folder", "data.synthetic_covers"),
        lambda config, _: bool(config.content.image),
        "without content.image, the columns of images that are encoded",
        "name those columns, for example cover",
    ),
    EffectRule(
        ("content.image_folder",),
        lambda config, _: not config.data.synthetic_covers,
        "with data.synthetic_covers, which are kept in the cache",
        "leave out data.synthetic_covers",
    ),
    EffectRule(
        ("data.friends", "data.synthetic_friends"),
        _has_friends_teacher,
        "on teachers that look at no friends",
        "take friends as the teacher or a member of the ensemble",
    ),
    EffectRule(
        ("split.test_users", "split.validation_users", "split.held_out_share"),
        lambda config, _: config.data.train is None or config.split.protocol is not None,
        "with the published split of data.train and data.test",
        "set split.protocol to unseen-users",
    ),
    _make_rule(
        ("split.test_share", "split.validation_share"), "split.protocol", ("random", "temporal")
    ),
    _make_rule(("split.show_validation",), "split.protocol", ("published", None)),
    _make_rule(("split.num_folds",), "split.protocol", ("unseen-users", "random", None)),
    EffectRule(
        tuple(
            f"split.{name}"
            for name in ("test_users", "validation_users", "test_share", "validation_share")
        ),
        lambda config, _: config.split.num_folds is None,
        "with split.num_folds {split.num_folds}, which says how large each part is",
        "leave out split.num_folds",
    ),
    _make_rule(("teacher.members",), "teacher.architecture", ("ensemble",)),
    EffectRule(
        ("teacher.objective",),
        lambda config, _: (
            _has_trained_teacher(config) and config.teacher.architecture != MATRIX_FACTORIZATION
        ),
        "with teacher.architecture {teacher.architecture}, which has no network",
        f"take {', '.join(TRAINED_TEACHERS)} as the teacher or a member of the ensemble",
    ),
    EffectRule(
        (
            "teacher.embedding_dim",
            *(f"teacher.training.{name}" for name in TeacherTrainingSettings.model_fields),
        ),
        _has_trained_teacher,
        f"on teachers in closed form ({', '.join(list_choices(ClosedFormTeacher))})",
        f"take {', '.join(TRAINED_TEACHERS)} as the teacher or a member of the ensemble",
    ),
    _make_rule(("teacher.training.momentum",), "teacher.training.optimizer", ("sgd",)),
    _make_rule(("student.max_bytes",), "student.architecture", ("auto", *WARM_STARTED_STUDENTS)),
    _make_rule(
        ("student.embedding_dim",),
        "student.architecture",
        (*TRAINED_STUDENTS, MATRIX_FACTORIZATION),
    ),
    _make_rule(
        ("student.quantization_aware",), "student.architecture", ("auto", *TRAINED_STUDENTS)
    ),
    _make_rule(
        ("student.fine_tuning_epochs",), "student.architecture", ("auto", *WARM_STARTED_STUDENTS)
    ),
    _make_rule(
        [
            f"student.training.{name}"
            for name in TrainingSettings.model_fields
            if name != "batch_size"  # which fine-tuning takes
        ],
        "student.architecture",
        _TRAINED,
    ),
    _make_rule(("student.training.momentum",), "student.training.optimizer", ("sgd",)),
    _make_rule([f"distillation.{name}" for name in _FINE_TUNED], "student.architecture", _TRAINED),
    _make_rule(
        ("pruning.sparsity", "pruning.begin", "pruning.end"),
        "student.architecture",
        ("auto", *PRUNED_STUDENTS),
    ),
    EffectRule(
        ("pruning.begin", "pruning.end"),
        lambda config, _: config.pruning.sparsity > 0,
        "with pruning.sparsity 0",
        "set a sparsity",
    ),
)
"""What holds for every command."""

RUN_RULES = (
    EffectRule(
        ("distillation.loss_settings.*",),
        lambda config, name: name.split(".", 2)[2] in config.distillation.losses,
        "on distillation.losses, which does not name it",
        "add it there",
    ),
    EffectRule(
        ("distillation.loss_settings.*.weight",),
        lambda config, _: config.distillation.weighting == "constant",
        "with distillation.weighting {distillation.weighting}",
        "set distillation.weighting to constant",
    ),
    EffectRule(
        ("distillation.student_loss_weight", "distillation.loss_settings.*.student_loss_weight"),
        lambda config, _: config.distillation.weighting != "uncertainty",
        "with distillation.weighting uncertainty, which learns it",
        "choose another weighting",
    ),
    EffectRule(
        tuple(
            f"distillation.{name}"
            for name in ("losses", "loss_settings", "teacher_combination", "augmentation", "top_k")
        ),
        _is_student_trained,
        "with student.fine_tuning_epochs 0",
        "fine-tune the student",
    ),
    EffectRule(
        ("examples.num_passes", "examples.num_targets"),
        lambda config, _: _is_student_trained(config) or _has_trained_teacher(config),
        "where neither teacher nor student is trained",
        "fine-tune the student",
    ),
)
"""What holds for `kd-tf run`."""

COMPARE_RULES = (
    EffectRule(
        ("distillation.losses", "student.quantization_aware"),
        lambda *_: False,
        "in a comparison, whose methods set it",
        "name methods with --methods",
    ),
    EffectRule(
        ("pruning.sparsity",),
        lambda config, _: config.pruning.sparsity == 0,
        "in a comparison, whose methods set it",
        "name methods with --methods",
    ),
)
"""What holds for `kd-tf compare`."""
