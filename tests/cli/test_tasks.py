"""Each task has its options: those of another are refused by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kd_tf.cli.app import app
from kd_tf.cli.ranking import (
    RANKING_OPTIONS,
    SETTING_OF_RANKING_OPTION,
    collect_ranking_settings,
)
from kd_tf.cli.tasks import COMMON_OPTIONS, choose_task
from kd_tf.config import RankingConfig, from_values
from kd_tf.config import write as write_config
from kd_tf.errors import UserError

RUN: Any = get_command(app).commands["run"]  # type: ignore[attr-defined]
PARAMETERS = {parameter.name: parameter for parameter in RUN.params}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "2000"})


def say(result: Any) -> str:
    return " ".join((result.output + str(result.exception or "")).split())


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--task", "ranking", "--max-bytes", "60000"], "--max-bytes"),
        (["--task", "ranking", "--min-rating", "4"], "--min-rating"),
        (["--label", "clicked"], "--label"),
        (["--categorical", "user,hour"], "--categorical"),
        (["--negatives", "2"], "--negatives"),
        (["--task", "retrieval", "--threshold", "0"], "--threshold"),
    ],
)
def test_an_option_of_the_other_task_is_refused_by_its_name(
    arguments: list[str], option: str, tmp_path: Path
) -> None:
    result = call("run", *arguments, "--out", str(tmp_path / "out"))
    task = "ranking" if "ranking" in arguments else "retrieval"
    assert result.exit_code != 0
    assert f"{option} has no effect with the task {task}" in say(result)
    assert not (tmp_path / "out").exists()


RANKING = ("--task", "ranking")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", *RANKING, "--min-rating", "4"], "--min-rating has no effect with the task"),
        (["compare", *RANKING, "--dataset", "goodbooks"], "--dataset goodbooks has no effect"),
        (["compare", *RANKING, "--student", "mlp,neighbours"], "no student 'neighbours'"),
        (["compare", *RANKING, "--interactions", "none.csv", "--label", "x"], "none.csv"),
        (["compare", "--label", "clicked"], "--label has no effect with the task retrieval"),
        (["compare", "--student", "mlp,two-tower"], "mlp,two-tower"),
        (["data", *RANKING, "--min-rating", "4"], "--min-rating has no effect with the task"),
        (["data", *RANKING, "goodbooks"], "--dataset goodbooks has no effect"),
        (["data", *RANKING, "--interactions", "none.csv", "--label", "x"], "none.csv"),
        (["data", "csv", "--protocol", "random"], "--protocol has no effect with the task"),
        (["data", "csv", "--label", "clicked"], "--label has no effect with the task retrieval"),
    ],
)
def test_other_commands_choose_by_the_task(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = call(*arguments, *(["--out", str(out)] if arguments[0] == "compare" else []))
    assert result.exit_code != 0
    assert message in say(result)
    assert not out.exists()


def test_data_needs_a_name_or_a_task() -> None:
    assert "no data set is named" in say(call("data"))


def test_ranking_has_the_options_that_the_command_has() -> None:
    assert set(PARAMETERS) >= RANKING_OPTIONS
    assert set(PARAMETERS) >= COMMON_OPTIONS - {"json", "quiet"}


@pytest.mark.parametrize("option", sorted(set(PARAMETERS) - RANKING_OPTIONS - COMMON_OPTIONS))
def test_every_other_option_is_refused(option: str) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} has no effect"):
        collect_ranking_settings({"task": "ranking", option: "x"})


def test_options_set_what_they_say() -> None:
    values = collect_ranking_settings(
        {
            "interactions": Path("data/clicks.csv"),
            "label": "clicked",
            "categorical": "user, hour",
            "features": "user",
            "teacher": "dcn",
            "student": "mlp",
            "where": ["device=phone"],
            "seed": 0,
            "settings": ["teacher.training.epochs=3"],
        }
    )
    settings = from_values(values, RankingConfig)
    assert settings.name == "clicks"
    assert settings.data.label == "clicked"
    assert settings.data.where == ("device=phone",)
    assert settings.features.categorical == ("user", "hour")
    assert settings.features.only == ("user",)
    assert (settings.teacher.architecture, settings.student.architecture) == ("dcn", "mlp")
    assert settings.seed == 0
    assert settings.teacher.training.epochs == 3


@pytest.mark.parametrize("setting", SETTING_OF_RANKING_OPTION.values())
def test_every_option_names_a_setting(setting: str) -> None:
    section: Any = RankingConfig()
    for name in setting.split("."):
        assert name in type(section).model_fields
        section = getattr(section, name)


def test_a_file_of_another_task_than_the_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_config(from_values({"data": {"synthetic_impressions": 900}}, RankingConfig), path)
    assert choose_task({"config": path}) == "ranking"
    assert choose_task({"config": path, "task": "ranking"}) == "ranking"
    assert choose_task({"task": "ranking"}) == "ranking"
    assert choose_task({}) == "retrieval"
    assert collect_ranking_settings({"config": path})["data"]["synthetic_impressions"] == 900
    result = call("run", "--task", "retrieval", "--config", str(path))
    assert result.exit_code != 0
    assert "--task retrieval, but the file is for the task ranking" in say(result)
    other = tmp_path / "other.toml"
    other.write_text('name = "shop"\n')
    with pytest.raises(UserError, match="--task ranking, but the file is for the task retrieval"):
        choose_task({"config": other, "task": "ranking"})


def test_a_data_set_of_the_other_task_is_refused() -> None:
    with pytest.raises(UserError, match="--dataset goodbooks has no effect with the task ranking"):
        collect_ranking_settings({"dataset": "goodbooks"})


def test_the_help_says_what_the_task_takes() -> None:
    output = say(call("run", "--help"))
    for text in ("--task", "--label", "--negatives", "ranking", "factorization-machine", "dcn"):
        assert text in output, text
