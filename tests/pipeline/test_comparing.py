"""`compare`: methods against the student alone, on one teacher and several seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kd_tf import config
from kd_tf.distill.knowledge import COMBINED, METHODS
from kd_tf.errors import UserError
from kd_tf.pipeline import comparing
from kd_tf.pipeline.comparing import ALONE, compare
from kd_tf.pipeline.run import run
from kd_tf.report.results import ModelTable

VALUES = {
    "name": "shop",
    "data": {"synthetic_books": 120, "synthetic_readers": 150},
    "split": {"protocol": "leave-one-out"},
    "teacher": {"kind": "matrix-factorization", "dimensions": 16, "learning": {"epochs": 12}},
    "student": {"kind": "matrix-factorization", "dimensions": 4, "learning": {"epochs": 6}},
    "distillation": {"methods": {"soft-targets": {"weight": 0.5, "settings": {"temperature": 2}}}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def found(folder: Path) -> ModelTable:
    return compare(config.from_values(VALUES), folder, methods=["soft-targets"], seeds=2)


def changed(**sections: dict[str, object]) -> config.Config:
    return config.from_values(
        {**VALUES, **{name: {**VALUES[name], **more} for name, more in sections.items()}}
    )


def test_teacher_student_alone_and_every_method_stand_side_by_side(found: ModelTable):
    assert [one.name for one in found.models] == ["teacher", ALONE, "soft-targets"]
    assert [one.role for one in found.models] == ["teacher", "student", "student"]
    assert {one.kind for one in found.models} == {"matrix-factorization"}
    (pair,) = found.comparisons
    assert (pair.model, pair.against) == ("soft-targets", ALONE)
    alone, distilled = found.models[1:]
    difference = distilled.metrics["ndcg@10"] - alone.metrics["ndcg@10"]
    assert pair.difference == pytest.approx(difference, abs=1e-9)
    json.dumps(found.to_json())


def test_a_figure_is_the_mean_of_its_seeds_and_its_deviation_that_of_them(
    found: ModelTable, folder: Path
):
    for one in found.models[1:]:
        figures = [
            json.loads((folder / "compare" / f"{one.name}-{seed}" / "figures.json").read_text())
            for seed in range(2)
        ]
        for metric in ("ndcg@10", "recall@20"):
            seeds = [each["overall"][metric] for each in figures]
            assert one.metrics[metric] == pytest.approx(np.mean(seeds))
            assert one.deviations[metric] == pytest.approx(np.std(seeds, ddof=1))
        assert seeds[0] != seeds[1]
    assert not found.models[0].deviations


def test_what_is_finished_is_kept(found: ModelTable, folder: Path, monkeypatch):
    monkeypatch.setattr(comparing, "_trained", lambda *_: pytest.fail("trained again"))
    again = compare(config.from_values(VALUES), folder, methods=["soft-targets"], seeds=2)
    assert again.models[1:] == found.models[1:]
    assert again.comparisons == found.comparisons


def test_a_method_of_other_settings_is_made_anew_and_the_student_alone_is_not(
    found: ModelTable, folder: Path, monkeypatch
):
    trained = []
    real = comparing._trained
    monkeypatch.setattr(
        comparing, "_trained", lambda *given: trained.append(given[1]) or real(*given)
    )
    settings = changed(distillation={"methods": {"soft-targets": {"weight": 2.0}}})
    compare(settings, folder, methods=["soft-targets"], seeds=1)
    assert trained == ["soft-targets"]


@pytest.mark.parametrize("kind", ["mlp", "two-tower"])
def test_other_students_are_compared_too(kind: str, tmp_path: Path):
    settings = changed(
        student={"kind": kind, "dimensions": 8, "learning": {"epochs": 2}},
        teacher={"kind": "local-ridge"},
    )
    found = compare(settings, tmp_path, methods=["soft-targets"], seeds=1)
    assert [one.kind for one in found.models] == ["local-ridge", kind, kind]


@pytest.mark.parametrize("kind", ["mlp", "matrix-factorization"])
def test_every_method_teaches_or_says_why_not(kind: str, tmp_path: Path):
    settings = changed(
        student={"kind": kind, "dimensions": 8, "learning": {"epochs": 1}},
        teacher={
            "kind": "two-tower" if kind == "mlp" else kind,
            "dimensions": 16,
            "learning": {"epochs": 1},
        },
        distillation={"methods": {}},
    )
    found = compare(settings, tmp_path, seeds=1)
    told = [one.name for one in found.models[2:]]
    left_out = [note.split()[0] for note in found.dataset.notes if "is left out" in note]
    assert {*told, *left_out} == {*METHODS, *COMBINED}
    assert set(left_out) <= {"attention-transfer"}
    assert all(np.isfinite(one.metrics["ndcg@10"]) for one in found.models)


def test_a_method_that_cannot_teach_is_left_out_and_the_others_are_not(tmp_path: Path):
    settings = changed(
        student={"kind": "mlp", "dimensions": 8, "learning": {"epochs": 1}},
        teacher={"kind": "local-ridge"},
    )
    found = compare(settings, tmp_path, methods=["hint", "rrd"], seeds=1)
    assert [one.name for one in found.models] == ["teacher", ALONE, "rrd"]
    assert any("hint is left out" in note for note in found.dataset.notes)
    with pytest.raises(UserError, match="hint cannot teach this student"):
        compare(settings, tmp_path, methods=["hint"], seeds=1)


def test_impossible_wishes_are_refused(tmp_path: Path):
    settings = config.from_values(VALUES)
    with pytest.raises(UserError, match="no method 'soft-target'"):
        compare(settings, tmp_path, methods=["soft-target"])
    with pytest.raises(UserError, match="not trained from nothing"):
        compare(changed(student={"kind": "neighbours"}), tmp_path)
    wrong = {"methods": {"soft-targets": {"settings": {"temperature": -1}}}}
    with pytest.raises(UserError, match="soft-targets cannot be made"):
        compare(changed(distillation=wrong), tmp_path, seeds=1)
    with pytest.raises(UserError, match="none of them is tested"):
        compare(changed(split={"protocol": "unseen-users"}), tmp_path)


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_no_app_gets_a_model_of_readers_by_number(role: str, tmp_path: Path):
    settings = config.from_values({role: {"kind": "matrix-factorization"}})
    with pytest.raises(UserError, match="no app can use it"):
        run(settings, tmp_path)
