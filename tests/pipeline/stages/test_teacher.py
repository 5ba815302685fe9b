"""Which teachers a run trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_tf import config
from kd_tf.errors import UserError
from kd_tf.pipeline.run import run
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.teacher import choose_default_members, load_or_train_teachers
from kd_tf.progress import NullProgress

SHOP = {"synthetic_items": 60, "synthetic_users": 150}


def make_context(folder: Path, data: dict[str, Any], **sections: Any) -> RunContext:
    settings = config.from_values({"data": {**SHOP, **data}, **sections})
    return RunContext.create(settings, folder, NullProgress(), load_dataset(settings))


def write_friends(folder: Path) -> Path:
    path = folder / "friends.csv"
    rows = [f"READER-{user:04d},reader-{user + 1:04d}" for user in range(1, 140)]
    path.write_text("user,friend\n" + "\n".join(rows) + "\n")
    return path


def test_friends_are_a_default_member_where_they_are_known(tmp_path: Path) -> None:
    without = choose_default_members(make_context(tmp_path, {}))
    friends = choose_default_members(make_context(tmp_path, {"synthetic_friends": True}))
    assert set(friends) - set(without) == {"friends"}


def test_the_settings_name_a_table_of_friends_and_how_ids_are_written(tmp_path: Path) -> None:
    loans = tmp_path / "loans.csv"
    rows = [
        f"reader-{user:04d},b{(user + step) % 30}" for user in range(1, 141) for step in range(6)
    ]
    loans.write_text("user,item\n" + "\n".join(rows) + "\n")
    values = {
        "dataset": "csv",
        "interactions": str(loans),
        "friends": str(write_friends(tmp_path)),
        "normalize_ids": "text",
    }
    dataset = load_dataset(config.from_values({"data": values}))
    expected = np.stack([np.arange(139), np.arange(1, 140)], axis=1)
    np.testing.assert_array_equal(dataset.friendships, expected)


def test_other_friends_are_another_key_of_the_cache(tmp_path: Path) -> None:
    keys = [
        make_context(tmp_path, data).cache.shared_key
        for data in ({}, {"synthetic_friends": True}, {"synthetic_friends": True})
    ]
    assert keys[0] != keys[1] == keys[2]


@pytest.mark.parametrize("teacher", [{"architecture": "friends"}, {"members": ["ials", "friends"]}])
def test_a_teacher_of_friends_needs_friends(tmp_path: Path, teacher: dict[str, Any]) -> None:
    context = make_context(tmp_path, {}, teacher=teacher)
    with pytest.raises(UserError, match="needs friends") as caught:
        load_or_train_teachers(context)
    assert "--friends" in (caught.value.hint or "")


@pytest.mark.slow
def test_a_run_distills_friends_and_its_bundle_knows_none(tmp_path: Path) -> None:
    settings = config.from_values(
        {
            "data": {**SHOP, "synthetic_friends": True},
            "split": {"protocol": "cold-users"},
            "teacher": {"members": ["ials", "friends"]},
            "student": {"architecture": "mlp", "embedding_dim": 8, "training": {"epochs": 2}},
            "export": {"quantizations": ["dynamic-int8"], "recommendations": 10},
        }
    )
    result = run(settings, tmp_path / "run")
    assert (result.folder / "targets" / "teacher_ids.npy").is_file()
    for path in result.bundle.folder.rglob("*"):
        if path.is_file():
            assert b"reader-0" not in path.read_bytes()
