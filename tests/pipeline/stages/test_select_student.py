"""The byte budget is checked before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kd_tf import config
from kd_tf.errors import UserError
from kd_tf.pipeline.stages.select_student import check_max_bytes


def make_context(num_items: int, **student: Any) -> Any:
    return SimpleNamespace(
        settings=config.from_values({"student": student}),
        split=SimpleNamespace(num_items=num_items),
    )


@pytest.mark.parametrize(
    ("architecture", "num_items", "max_bytes", "where", "message"),
    [
        ("auto", 999, 4023, "student.max_bytes", r"no student for 999 .*\n.* 4,024 bytes"),
        ("low-rank", 999, 1, "student.max_bytes", r"no low-rank student .*\n.* 4,024 bytes"),
        ("fold-in", 31, 10**6, "student.architecture", "no fold-in student can hold 31 items"),
        ("kernel-residual", 40_001, 10**9, "student.architecture", "student can hold 40,001 items"),
    ],
)
def test_a_budget_or_a_catalog_without_any_student_is_refused(
    architecture: str, num_items: int, max_bytes: int, where: str, message: str
) -> None:
    context = make_context(num_items, architecture=architecture, max_bytes=max_bytes)
    with pytest.raises(UserError, match=message) as refusal:
        check_max_bytes(context)
    assert refusal.value.where == where


@pytest.mark.parametrize(
    "student", [{"max_bytes": 4024}, {"architecture": "low-rank"}, {"architecture": "mlp"}]
)
def test_a_budget_for_the_smallest_student_is_enough(student: dict[str, Any]) -> None:
    check_max_bytes(make_context(999, **student))
