"""Settings of a distillation as a Distiller."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_tf import config, rng
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.pipeline.stages import teacher
from kd_tf.pipeline.stages.distillation import DistillationPlan, build_distiller
from kd_tf.pipeline.stages.examples import STUDENT_EXAMPLES, draw_examples
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import build_student
from kd_tf.pipeline.stages.training import make_schedule
from kd_tf.progress import NullProgress


@pytest.mark.slow
@pytest.mark.parametrize(("given", "weights"), [({}, (0.1, 1.0)), ({"weight": 0.0}, (0.0, 1.0))])
def test_a_loss_weighs_what_its_method_says_unless_the_settings_do(
    given: dict[str, float], weights: tuple[float, float], tmp_path: Path
):
    settings = config.from_values(
        {
            "data": {"synthetic_items": 60, "synthetic_users": 150},
            "teacher": {"architecture": "local-ridge"},
            "distillation": {"losses": ["rrd", "soft-targets"], "loss_settings": {"rrd": given}},
        }
    )
    context = RunContext.create(settings, tmp_path, NullProgress(), load_dataset(settings))
    teaching = DistillationPlan(settings.distillation, teacher.load_or_train_teachers(context))
    rng.set_seed(0)
    schedule = make_schedule(settings.student.training, context.split)
    model = build_student(context, "mlp", 4)
    distiller, _ = build_distiller(
        context, model, teaching, draw_examples(context, STUDENT_EXAMPLES), schedule, seed=0
    )
    assert isinstance(distiller.weighting, ConstantWeights)
    assert tuple(distiller.weighting.distillation_loss_weights) == weights
