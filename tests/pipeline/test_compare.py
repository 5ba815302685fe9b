"""`compare`: methods against the student alone, on one teacher and several seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kd_tf import config
from kd_tf.errors import UserError
from kd_tf.pipeline import compare as comparing
from kd_tf.pipeline import method_presets
from kd_tf.pipeline.compare import STUDENT_ALONE, WARM_START, compare
from kd_tf.pipeline.process_pool import ProcessPool
from kd_tf.pipeline.run import run
from kd_tf.report.results import ModelTable
from kd_tf.training import checkpoint

VALUES = {
    "name": "shop",
    "data": {"synthetic_items": 120, "synthetic_users": 150},
    "split": {"protocol": "leave-one-out"},
    "teacher": {
        "architecture": "matrix-factorization",
        "embedding_dim": 16,
        "training": {"epochs": 12},
    },
    "student": {
        "architecture": "matrix-factorization",
        "embedding_dim": 4,
        "training": {"epochs": 6},
    },
    "distillation": {
        "loss_settings": {"soft-targets": {"weight": 0.5, "arguments": {"temperature": 2}}}
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def found(folder: Path) -> ModelTable:
    return compare(config.from_values(VALUES), folder, methods=["soft-targets"], seeds=2)


def changed(**sections: dict[str, object]) -> config.Config:
    """The settings with some changed; another architecture has none of those of the first."""
    values = dict(VALUES)
    for name, section in sections.items():
        values[name] = section if "architecture" in section else {**VALUES[name], **section}
    return config.from_values(values)


@pytest.mark.slow
def test_teacher_student_alone_and_every_method_stand_side_by_side(found: ModelTable):
    assert [one.name for one in found.models] == ["teacher", STUDENT_ALONE, "soft-targets"]
    assert [one.role for one in found.models] == ["teacher", "student", "student"]
    assert {one.kind for one in found.models} == {"matrix-factorization"}
    (pair,) = found.comparisons
    assert (pair.model, pair.reference) == ("soft-targets", STUDENT_ALONE)
    alone, distilled = found.models[1:]
    difference = distilled.metrics["ndcg@10"] - alone.metrics["ndcg@10"]
    assert pair.difference == pytest.approx(difference, abs=1e-9)
    json.dumps(found.to_json())


@pytest.mark.slow
def test_a_figure_is_the_mean_of_its_seeds_and_its_deviation_that_of_them(
    found: ModelTable, folder: Path
):
    for one in found.models[1:]:
        figures = [
            json.loads((folder / "compare" / f"{one.name}-{seed}" / "metrics.json").read_text())
            for seed in range(2)
        ]
        for metric in ("ndcg@10", "recall@20"):
            seeds = [each["overall"][metric] for each in figures]
            assert one.metrics[metric] == pytest.approx(np.mean(seeds))
            assert one.standard_deviations[metric] == pytest.approx(np.std(seeds, ddof=1))
        assert seeds[0] != seeds[1]
    assert not found.models[0].standard_deviations


@pytest.mark.slow
def test_what_is_finished_is_kept(found: ModelTable, folder: Path, monkeypatch):
    monkeypatch.setattr(comparing, "train_student", lambda *_, **__: pytest.fail("trained again"))
    again = compare(config.from_values(VALUES), folder, methods=["soft-targets"], seeds=2)
    assert again.models[1:] == found.models[1:]
    assert again.comparisons == found.comparisons


@pytest.mark.slow
def test_a_method_of_other_settings_is_made_anew_and_the_student_alone_is_not(
    found: ModelTable, folder: Path, monkeypatch
):
    trained = []
    real = comparing.train_student
    monkeypatch.setattr(
        comparing,
        "train_student",
        lambda *given, **named: trained.append(named["label"]) or real(*given, **named),
    )
    settings = changed(distillation={"loss_settings": {"soft-targets": {"weight": 2.0}}})
    compare(settings, folder, methods=["soft-targets"], seeds=1)
    assert trained == ["soft-targets, seed 0"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "two-tower"])
def test_other_students_are_compared_too(kind: str, tmp_path: Path):
    settings = changed(
        student={"architecture": kind, "embedding_dim": 8, "training": {"epochs": 2}},
        teacher={"architecture": "local-ridge"},
    )
    found = compare(settings, tmp_path, methods=["soft-targets"], seeds=1)
    assert [one.kind for one in found.models] == ["local-ridge", kind, kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "matrix-factorization"])
def test_every_method_teaches_or_says_why_not(kind: str, tmp_path: Path):
    settings = changed(
        student={"architecture": kind, "embedding_dim": 8, "training": {"epochs": 1}},
        teacher={
            "architecture": "two-tower" if kind == "mlp" else kind,
            "embedding_dim": 16,
            "training": {"epochs": 1},
        },
        distillation={"loss_settings": {}},
    )
    found = compare(settings, tmp_path, seeds=1)
    told = [one.name for one in found.models[2:]]
    left_out = [note.split()[0] for note in found.dataset.notes if "is skipped" in note]
    assert {*told, *left_out} == set(method_presets.list_methods())
    # One teacher is no panel; a factorisation looks at no history and has no layers.
    panels = {"average-teachers", "weighted-teachers", "confident-teachers"}
    without = {"attention-transfer", "hierarchical-hints"} if kind != "mlp" else set()
    assert panels <= set(left_out) <= {*panels, *without}
    assert all(np.isfinite(one.metrics["ndcg@10"]) for one in found.models)


@pytest.mark.slow
def test_a_method_that_cannot_teach_is_left_out_and_the_others_are_not(tmp_path: Path):
    settings = changed(
        student={"architecture": "mlp", "embedding_dim": 8, "training": {"epochs": 1}},
        teacher={"architecture": "local-ridge"},
    )
    found = compare(settings, tmp_path, methods=["hint", "rrd"], seeds=1)
    assert [one.name for one in found.models] == ["teacher", STUDENT_ALONE, "rrd"]
    assert any("hint is skipped" in note for note in found.dataset.notes)
    with pytest.raises(UserError, match="hint cannot distill"):
        compare(settings, tmp_path, methods=["hint"], seeds=1)


def test_impossible_wishes_are_refused(tmp_path: Path):
    settings = config.from_values(VALUES)
    with pytest.raises(UserError, match="no method 'soft-target'"):
        compare(settings, tmp_path, methods=["soft-target"])
    with pytest.raises(UserError, match="needs one student architecture, but it is auto"):
        compare(changed(student={"architecture": "auto"}), tmp_path)
    wrong = {"loss_settings": {"soft-targets": {"arguments": {"temperature": -1}}}}
    with pytest.raises(UserError, match="wrong arguments for soft-targets"):
        compare(changed(distillation=wrong), tmp_path, seeds=1)
    with pytest.raises(UserError, match="no test user is one"):
        compare(changed(split={"protocol": "unseen-users"}), tmp_path)


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_no_app_gets_a_model_of_users_by_number(role: str, tmp_path: Path):
    settings = config.from_values({role: {"architecture": "matrix-factorization"}})
    with pytest.raises(UserError, match="no app can use it"):
        run(settings, tmp_path)


@pytest.mark.slow
def test_trainings_in_several_processes_give_the_same_figures(found: ModelTable, tmp_path: Path):
    settings = config.from_values(VALUES)
    spread = compare(settings, tmp_path, methods=["soft-targets"], seeds=2, pool=ProcessPool(2))
    assert [one.name for one in spread.models] == [one.name for one in found.models]
    for one, other in zip(spread.models, found.models, strict=True):
        assert one.metrics["ndcg@10"] == pytest.approx(other.metrics["ndcg@10"], abs=2e-3)


@pytest.mark.slow
def test_any_teacher_teaches_a_factorisation_by_users(tmp_path: Path):
    settings = changed(teacher={"architecture": "ensemble", "members": ["local-ridge", "ials"]})
    methods = ["soft-targets", "average-teachers", "hetcomp"]
    found = compare(settings, tmp_path, methods=methods, seeds=1)
    assert [one.name for one in found.models] == ["teacher", STUDENT_ALONE, *methods]
    vectors = changed(teacher={"architecture": "ials"})
    found = compare(vectors, tmp_path / "vectors", methods=["de", "htd"], seeds=1)
    assert [one.name for one in found.models] == ["teacher", STUDENT_ALONE, "de", "htd"]


@pytest.mark.slow
def test_several_teachers_answer_as_one(tmp_path: Path):
    settings = changed(
        student={"architecture": "mlp", "embedding_dim": 8, "training": {"epochs": 1}},
        teacher={"architecture": "ensemble", "members": ["local-ridge", "spectral"]},
    )
    panels = ["average-teachers", "weighted-teachers", "confident-teachers", "hetcomp"]
    found = compare(settings, tmp_path, methods=panels, seeds=1)
    assert [one.name for one in found.models] == ["teacher", STUDENT_ALONE, *panels]
    rules = ("average", "weighted", "confidence")
    # They are asked for other answers, each in a cache of its own.
    answers = [np.load(tmp_path / f"targets-{who}" / "teacher_logits.npy") for who in rules]
    assert not any(np.array_equal(answers[0], one) for one in answers[1:])
    assert np.load(tmp_path / "targets-stages" / "stage_ids.npy").shape[2] == 3


@pytest.mark.slow
def test_methods_are_joined_and_ones_own_is_named_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "my_method.py").write_text(
        "from kd_tf.distill.losses.response.soft_targets import SoftTargets\n"
        "class Mine(SoftTargets):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = changed(student={"training": {"epochs": 1}}, distillation={"loss_settings": {}})
    names = ["my_method:Mine", "soft-targets", "rrd+my_method:Mine"]
    found = compare(settings, tmp_path / "run", methods=names, seeds=1)
    by_name = {one.name: one for one in found.models}
    assert by_name["my_method:Mine"].metrics == by_name["soft-targets"].metrics
    assert by_name["rrd+my_method:Mine"].metrics != by_name["soft-targets"].metrics
    for wrong, said in [
        ("no_module:Mine", "cannot be imported"),
        ("my_method:Other", "cannot be imported"),
        ("json:JSONDecoder", "not a subclass"),
    ]:
        with pytest.raises(UserError, match=said):
            compare(settings, tmp_path / "run", methods=[wrong], seeds=1)


@pytest.mark.slow
def test_an_assistant_stands_between_and_is_as_much_wider(tmp_path: Path):
    settings = changed(
        student={"training": {"epochs": 1}}, distillation={"assistant_width_multiplier": 5}
    )
    compare(settings, tmp_path, methods=["soft-targets"], seeds=1)
    assistant = checkpoint.load(tmp_path / "assistants" / "soft-targets-seed-0" / "model")
    assert assistant.embedding_dim == 5 * VALUES["student"]["embedding_dim"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["neighbours", "item-kernel"])
def test_a_student_with_a_start_is_compared_with_its_start(kind: str, tmp_path: Path):
    settings = changed(
        student={"architecture": kind, "max_bytes": 4000, "fine_tuning_epochs": 1},
        teacher={"architecture": "local-ridge"},
    )
    found = compare(settings, tmp_path, methods=["soft-targets", "rd"], seeds=2)
    names = [one.name for one in found.models]
    assert names == ["teacher", STUDENT_ALONE, WARM_START, "soft-targets", "rd"]
    assert all(one.bytes <= 4000 for one in found.models[1:])
    assert [(one.model, one.reference) for one in found.comparisons] == [
        (WARM_START, STUDENT_ALONE),
        ("soft-targets", WARM_START),
        ("rd", WARM_START),
    ]
    start, soft = found.models[2:4]
    assert start.metrics["ndcg@10"] != soft.metrics["ndcg@10"]  # it was trained
    assert soft.standard_deviations
    assert not start.standard_deviations
