"""A setting that was changed in vain is an error, and no other is."""

from __future__ import annotations

from typing import Any

import pytest

from kd_tf import config
from kd_tf.config import Config, check_effects, from_values, list_settings
from kd_tf.config.effects import COMPARE_RULES, PRUNED_STUDENTS, RULES, RUN_RULES
from kd_tf.errors import UserError

OWN = {"dataset": "csv", "interactions": "loans.csv"}
LOSS = "my.losses:Mine"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        # Data sets and columns.
        ({"data": {"where": ["a=b"]}}, "data.where has no effect with data.dataset synthetic"),
        ({"data": {"columns": {"user": "x"}}}, "data.columns has no effect with data.dataset"),
        ({"data": {"data_dir": "x"}}, "data.data_dir has no effect"),
        (
            {"data": {**OWN, "synthetic_items": 9, "synthetic_users": 9}},
            "data.synthetic_items and data.synthetic_users have no effect with data.dataset csv; "
            "remove them, or set data.dataset to synthetic",
        ),
        ({"data": {**OWN, "time_unit": "ms"}}, "data.time_unit has no effect without a timestamp"),
        ({"data": {**OWN, "decimal": ","}}, "data.decimal has no effect without a rating column"),
        ({"data": {**OWN, "item_format": {"encoding": "cp1252"}}}, "no effect without data.items"),
        ({"data": {**OWN, "item_columns": {"item_id": "isbn"}}}, "item_id has no effect without"),
        # Content.
        ({"content": {"encoder": "static"}}, "content.encoder has no effect without content.text"),
        (
            {
                "content": {"encoder": "static", "image": ["cover"]},
                "split": {"protocol": "cold-items"},
            },
            "content.encoder has no effect without content.text",
        ),
        (
            {"content": {"image_encoder": "MobileNetV2:w.h5", "image_folder": "covers"}},
            "content.image_encoder and content.image_folder have no effect without content.image",
        ),
        ({"data": {"synthetic_covers": True}}, "synthetic_covers has no effect without content.im"),
        (
            {"data": {**OWN, "synthetic_covers": True}, "content": {"image": ["cover"]}},
            "data.synthetic_covers has no effect with data.dataset csv",
        ),
        (
            {
                "data": {"synthetic_covers": True},
                "content": {"image": ["cover"], "image_folder": "covers"},
            },
            "content.image_folder has no effect with data.synthetic_covers",
        ),
        # Protocols.
        (
            {"split": {"protocol": "temporal", "test_users": 9}},
            "split.test_users has no effect with split.protocol temporal; remove it, or set "
            "split.protocol to unseen-users",
        ),
        ({"split": {"test_share": 0.3}}, "no effect with split.protocol unset; .* random or temp"),
        ({"split": {"protocol": "leave-one-out", "held_out_share": 0.3}}, "split.held_out_share"),
        ({"split": {"protocol": "random", "show_validation": True}}, "split.show_validation"),
        ({"split": {"protocol": "temporal", "num_folds": 3}}, "split.num_folds has no effect"),
        ({"split": {"num_folds": 3, "test_users": 9}}, "no effect with split.num_folds 3"),
        (
            {
                "data": {"dataset": "csv", "train": "a.csv", "test": "b.csv"},
                "split": {"test_users": 9},
            },
            "no effect with the published split",
        ),
        # Teachers.
        ({"teacher": {"architecture": "gru", "members": ["cnn", "vae"]}}, "teacher.members has no"),
        (
            {"data": {"friends": "f.csv"}, "teacher": {"architecture": "ials"}},
            "data.friends has no effect on teachers that look at no friends; remove it, or take",
        ),
        (
            {"data": {"synthetic_friends": True}, "teacher": {"members": ["ials", "spectral"]}},
            "data.synthetic_friends has no effect on teachers",
        ),
        ({"teacher": {"architecture": "ials", "embedding_dim": 9}}, "on teachers in closed form"),
        (
            {"teacher": {"members": ["ials", "spectral"], "training": {"epochs": 9}}},
            "teacher.training.epochs has no effect on teachers in closed form",
        ),
        (
            {"teacher": {"architecture": "matrix-factorization", "objective": "in-batch"}},
            "teacher.objective has no effect with teacher.architecture matrix-factorization",
        ),
        ({"teacher": {"training": {"momentum": 0.5}}}, "teacher.training.optimizer to sgd"),
        # Students.
        ({"student": {"architecture": "mlp", "max_bytes": 9}}, "student.max_bytes has no effect"),
        ({"student": {"embedding_dim": 9}}, "no effect with student.architecture auto"),
        ({"student": {"architecture": "low-rank", "quantization_aware": True}}, "tion_aware has"),
        ({"student": {"architecture": "mlp", "fine_tuning_epochs": 9}}, "fine_tuning_epochs has"),
        (
            {"student": {"architecture": "neighbours", "training": {"epochs": 9, "l2": 0.1}}},
            "student.training.epochs and student.training.l2 have no effect",
        ),
        ({"student": {"training": {"momentum": 0.5}}}, "student.training.optimizer to sgd"),
        # Distillation.
        (
            {"student": {"architecture": "fold-in"}, "distillation": {"weighting": "uncertainty"}},
            "distillation.weighting has no effect with student.architecture fold-in",
        ),
        ({"student": {"architecture": "logistic"}, "pruning": {"sparsity": 0.7}}, "pruning.spars"),
        ({"pruning": {"sparsity": 0, "end": 0.7}}, "pruning.end has no effect with pruning.spars"),
    ],
)
def test_a_setting_that_has_no_effect_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_values(values)


@pytest.mark.parametrize(
    ("command", "values", "message"),
    [
        ("run", {"loss_settings": {"rrd": {}}}, "loss_settings.rrd has no effect on distillation"),
        ("run", {"loss_settings": {LOSS: {}}}, f"{LOSS} has no effect on distillation.losses"),
        (
            "run",
            {"weighting": "confidence", "loss_settings": {"soft-targets": {"weight": 2}}},
            "soft-targets.weight has no effect with distillation.weighting confidence",
        ),
        (
            "run",
            {"weighting": "uncertainty", "student_loss_weight": 0.5},
            "student_loss_weight has",
        ),
        ("compare", {"losses": ["rrd"]}, "distillation.losses has no effect in a comparison"),
    ],
)
def test_a_command_refuses_what_has_no_effect_in_it(
    command: Any, values: dict[str, Any], message: str
) -> None:
    settings = from_values({"distillation": values})
    with pytest.raises(UserError, match=message):
        check_effects(settings, command)
    check_effects(settings, "compare" if command == "run" else "run")


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({"distillation": {"losses": ["rrd"]}}, "distillation.losses has no effect with student"),
        (
            {"teacher": {"architecture": "ials"}, "examples": {"num_passes": 3}},
            "examples.num_passes has no effect where neither teacher nor student",
        ),
    ],
)
def test_a_run_without_training_refuses_what_is_for_training(
    student: dict[str, Any], message: str
) -> None:
    started = {"student": {"architecture": "fold-in", "fine_tuning_epochs": 0}}
    with pytest.raises(UserError, match=message):
        check_effects(from_values({**started, **student}), "run")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"data": {**OWN, "decimal": ",", "where": ["stars>3,5"]}},
        {"data": {**OWN, "columns": {"item": "isbn"}, "item_columns": {"item_id": "isbn"}}},
        {"content": {"encoder": "static"}, "split": {"protocol": "cold-items"}},
        {"content": {"encoder": "static"}, "data": {"dataset": "csv", "items": "books.csv"}},
        {"content": {"image": ["cover"], "image_folder": "covers"}, "data": OWN},
        {"content": {"image": ["cover"]}, "data": {"synthetic_covers": True}},
        {"split": {"test_users": 9, "held_out_share": 0.3}},
        {"split": {"show_validation": True}},
        {"split": {"protocol": "random", "test_share": 0.3}},
        {"split": {"num_folds": 4, "held_out_share": 0.3}},
        {"teacher": {"embedding_dim": 9, "objective": "in-batch", "training": {"epochs": 3}}},
        {"teacher": {"members": ["ials", "vae"], "embedding_dim": 9}},
        {"student": {"max_bytes": 9000, "fine_tuning_epochs": 3, "training": {"epochs": 3}}},
        {"student": {"architecture": "item-kernel", "training": {"batch_size": 9}}},
        {"student": {"architecture": "mlp", "embedding_dim": 9}, "pruning": {"end": 0.7}},
        {"distillation": {"losses": [LOSS], "loss_settings": {LOSS: {"weight": 2.0}}}},
    ],
)
def test_a_setting_that_has_an_effect_is_taken(values: dict[str, Any]) -> None:
    settings = from_values(values)
    check_effects(settings, "run")
    # As the config.toml of a run, which lists all defaults.
    assert from_values(settings.model_dump(mode="json", exclude_none=True)) == settings


def test_every_rule_names_settings_that_exist() -> None:
    names = {*list_settings(Config), *(f"data.{name}" for name in config.Data.model_fields)}
    for rule in (*RULES, *RUN_RULES, *COMPARE_RULES):
        assert {name for name in rule.settings if "*" not in name} <= names


def test_students_with_a_dense_core_are_those_that_are_pruned() -> None:
    from kd_tf.models.students import STUDENTS, TRAINED_STUDENTS

    students = {
        name: model(60, max_length=9, embedding_dim=8) for name, model in TRAINED_STUDENTS.items()
    }
    assert tuple(name for name in STUDENTS if hasattr(students.get(name), "core")) == (
        PRUNED_STUDENTS
    )
