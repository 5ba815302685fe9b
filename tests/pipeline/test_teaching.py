"""Settings of a distillation as a Distiller."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_tf import config
from kd_tf.distill.balance.fixed import Fixed
from kd_tf.models import randomness
from kd_tf.pipeline import teachers
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.sources import read
from kd_tf.pipeline.students import untrained
from kd_tf.pipeline.teaching import Teaching, taught
from kd_tf.progress import Silent


@pytest.mark.parametrize(("given", "weights"), [({}, (0.1, 1.0)), ({"weight": 0.0}, (0.0, 1.0))])
def test_a_loss_weighs_what_its_method_says_unless_the_settings_do(
    given: dict[str, float], weights: tuple[float, float], tmp_path: Path
):
    settings = config.from_values(
        {
            "data": {"synthetic_books": 60, "synthetic_readers": 150},
            "teacher": {"kind": "local-ridge"},
            "distillation": {"knowledge": ["rrd", "soft-targets"], "methods": {"rrd": given}},
        }
    )
    context = Context(settings, tmp_path, Silent(), read(settings))
    teaching = Teaching(settings.distillation, teachers.teachers(context))
    randomness.seed(0)
    schedule = context.schedule(settings.student.learning)
    model = untrained(context, "mlp", 4)
    distiller, _ = taught(context, model, teaching, context.examples(2), schedule, seed=0)
    assert isinstance(distiller.balance, Fixed)
    assert tuple(distiller.balance.weights_of_methods) == weights
