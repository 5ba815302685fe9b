"""A configuration file runs no code of its author's, unless the user of the command allows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_tf import config
from kd_tf.cli.settings import collect_settings
from kd_tf.errors import UserError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[distillation]\nlosses = ["soft-targets", "stranger.code:Loss"]\n')
    return path


def test_a_file_that_names_a_class_is_refused(file: Path) -> None:
    with pytest.raises(
        UserError, match=r"names stranger\.code:Loss, which would import"
    ) as refusal:
        config.read(file)
    assert "--allow-code" in str(refusal.value)
    with pytest.raises(UserError, match="would import"):
        collect_settings({"config": file, "allow_code": False})


def test_it_is_read_where_the_user_allows_it(file: Path) -> None:
    losses = ["soft-targets", "stranger.code:Loss"]
    assert list(config.read(file, allow_code=True).distillation.losses) == losses
    settings = collect_settings({"config": file, "allow_code": True})
    assert settings["distillation"]["losses"] == losses


def test_commands_that_distill_nothing_read_it(file: Path) -> None:
    assert collect_settings({"config": file})["distillation"]["losses"]


def test_the_users_own_command_names_classes_freely() -> None:
    settings = collect_settings({"losses": "mine.code:Loss", "allow_code": False})
    assert settings["distillation"]["losses"] == ["mine.code:Loss"]


def test_a_file_of_a_size_that_no_configuration_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("#" * 2_000_000)
    with pytest.raises(UserError, match="more than"):
        config.read(tmp_path / "config.toml")
