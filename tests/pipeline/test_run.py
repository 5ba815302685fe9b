"""A whole small run: what it leaves, and that what is finished is kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from kd_tf import config
from kd_tf.baselines import list_baselines
from kd_tf.config import Config
from kd_tf.data.split import load as load_split
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.errors import UserError
from kd_tf.pipeline.run import RunResult, run
from kd_tf.pipeline.run_folder import MARKER_FILE
from kd_tf.pipeline.stages import train_student, training
from kd_tf.runtime.recommender import Recommender
from kd_tf.training import checkpoint, resume
from kd_tf.training.resume import ResumeFolder

SETTINGS = config.from_values(
    {
        "name": "small",
        "data": {"synthetic_items": 200, "synthetic_users": 200},
        "teacher": {"architecture": "cnn", "embedding_dim": 16, "training": {"epochs": 2}},
        "student": {"architecture": "mlp", "embedding_dim": 8, "training": {"epochs": 4}},
        "export": {"recommendations": 20},
    }
)

ONE_FILE = {"recommendations": 20, "quantizations": ["dynamic-int8"]}
"""Export settings of runs whose files are not what a test looks at."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(SETTINGS, tmp_path_factory.mktemp("runs") / "small")


def fail(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_leaves_what_the_readme_says(finished: RunResult) -> None:
    for name in ("config.toml", "results.json", "report.html", "targets/teacher_ids.npy"):
        assert (finished.folder / name).is_file()
    written = json.loads((finished.folder / "results.json").read_text("utf-8"))
    assert written["version"] == 2
    names = [one["name"] for one in written["models"]]
    assert names == [
        *list_baselines(finished.split),
        "teacher",
        "student-alone",
        "student-distilled",
    ]
    for one in written["models"]:
        low, high = one["intervals"]["ndcg@10"]
        assert low <= one["metrics"]["ndcg@10"] <= high
        assert "warm-users" in one["slices"]
    split = load_split(finished.folder / "split.npz")
    assert split.fingerprint() == finished.split.fingerprint()
    floors = {one["name"]: one["floor_bytes"] for one in written["artifacts"]}
    assert floors["float32"] == 2 * floors["float16"] >= 4 * floors["int8"]
    for one in written["artifacts"]:
        assert (finished.folder / one["path"]).stat().st_size == one["bytes"]
        # Of the file itself: all users of this split are warm.
        assert one["slices"]["warm-users"]["metrics"]["ndcg@10"] == one["metrics"]["ndcg@10"]
    assert config.read(finished.folder / "config.toml") == SETTINGS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["results", "config"])
def test_its_files_follow_the_published_schemas(finished: RunResult, name: str) -> None:
    folder = finished.folder if name == "results" else finished.bundle.folder
    schemas = Path(__file__).parents[2] / "docs" / "reference"
    schema = json.loads((schemas / f"{name}.schema.json").read_text("utf-8"))
    content = json.loads((folder / f"{name}.json").read_text("utf-8"))
    jsonschema.validate(content, schema)
    # `kd-tf add-ranker` writes the hash of a ranker.
    later_names = {"ranker_sha256"} if name == "config" else set()
    assert not later_names & content.keys()
    assert content.keys() | later_names == schema["properties"].keys()


@pytest.mark.slow
def test_the_bundle_is_the_chosen_file_and_answers(finished: RunResult) -> None:
    shipped = finished.folder / finished.results.shipped_artifact.path
    assert finished.bundle.model_path.read_bytes() == shipped.read_bytes()
    recommender = Recommender.load(finished.bundle.folder)
    first = recommender.bundle.items[0].item_id
    assert first not in [one.item.item_id for one in recommender.recommend([first])]


@pytest.mark.slow
def test_a_second_run_keeps_every_stage(
    finished: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", fail)
    again = run(SETTINGS, finished.folder)
    assert again.results.artifacts == finished.results.artifacts


@pytest.mark.slow
def test_ctrl_c_in_a_stage_keeps_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = config.from_values(
        {
            **SETTINGS.model_dump(mode="json"),
            "student": {**SETTINGS.student.model_dump(mode="json"), "architecture": "shallow-cnn"},
            "export": ONE_FILE,
        }
    )
    with monkeypatch.context() as interrupted:
        interrupted.setattr(train_student.prune, "wrap_core", fail)
        with pytest.raises(KeyboardInterrupt):
            run(small, tmp_path / "run")
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {MARKER_FILE, "config.toml", "split.npz", "teacher", "student", "targets"}
    assert not list((tmp_path / "run" / "student").iterdir())
    run(small, tmp_path / "run")


@pytest.mark.slow
def test_a_run_killed_in_the_midst_of_trainings_makes_the_same_student(
    finished: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "MIN_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(resume, "MAX_TIME_SHARE", 1e9)
    real, written = ResumeFolder.write_if_due, []

    def killed(self: ResumeFolder, snapshot) -> None:
        real(self, snapshot)
        written.append(self.folder.name)
        if written.count(self.folder.name) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(ResumeFolder, "write_if_due", killed)
    settings = config.from_values({**SETTINGS.model_dump(mode="json"), "export": ONE_FILE})
    for _ in range(3):  # the teacher, the student, the student alone
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "run")
    again = run(settings, tmp_path / "run")
    for one in ("teacher", "student"):
        assert checkpoint.compute_fingerprint(
            getattr(again, one)
        ) == checkpoint.compute_fingerprint(getattr(finished, one))
    assert not list((tmp_path / "run" / "resume").iterdir())


@pytest.mark.slow
def test_a_training_that_diverges_leaves_its_last_good_weights_and_says_where(
    tmp_path: Path,
) -> None:
    wild = SETTINGS.student.training.model_copy(update={"learning_rate": 1e30})
    settings = SETTINGS.model_copy(
        update={"student": SETTINGS.student.model_copy(update={"training": wild})}
    )
    with pytest.raises(UserError, match=r"loss is nan") as stopped:
        run(settings, tmp_path / "run")
    model = checkpoint.load(Path(stopped.value.where))
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)


@pytest.mark.slow
def test_a_published_split_without_validation_is_trained_on_and_measured(tmp_path: Path) -> None:
    shop = generate_bookshop(num_items=120, num_users=150, seed=1)
    data = shop.interactions
    pair = data.user.astype(np.int64) * 1000 + data.item
    _, first = np.unique(pair, return_index=True)
    rows = np.zeros(len(data), bool)
    rows[first] = True
    data = data.keep(rows)
    part = np.where(np.random.default_rng(0).random(len(data)) < 0.2, 2, 0).astype(np.int8)
    divided = dataclasses.replace(shop, interactions=data, split_labels=part)
    settings = config.from_values({**SETTINGS.model_dump(mode="json"), "export": ONE_FILE})
    found = run(settings, tmp_path / "run", dataset=divided)
    described = found.results.dataset
    assert described.protocol == "published"
    assert described.cleaning == []
    assert any("no validation part" in note for note in described.notes)
    assert described.test_users == len(np.unique(data.user[part == 2]))
    assert described.validation_users > 0
    assert found.results.shipped_artifact.metrics["ndcg@10"] > 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"split": {"num_folds": 3}}, "needs a single split"),
    ],
)
def test_what_a_run_cannot_measure_is_refused_before_anything_is_trained(
    section: dict[str, object], message: str, tmp_path: Path
) -> None:
    settings = config.from_values({**SETTINGS.model_dump(mode="json"), **section})
    with pytest.raises(UserError, match=message):
        run(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


SEARCHED = config.from_values(
    {
        "name": "searched",
        "data": {"synthetic_items": 200, "synthetic_users": 300},
        "teacher": {"architecture": "ensemble", "members": ["local-ridge", "ials", "spectral"]},
        "student": {"max_bytes": 6000, "training": {"epochs": 3}},
        "examples": {"num_passes": 2},
        "export": ONE_FILE,
    }
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(SEARCHED, tmp_path_factory.mktemp("runs") / "searched")


@pytest.mark.slow
def test_the_best_student_within_the_bytes_is_shipped(searched: RunResult) -> None:
    tried = searched.results.candidate_students
    assert {one.kind for one in tried} >= {
        "neighbours",
        "item-kernel",
        "fold-in",
        "low-rank",
    }
    chosen = [one for one in tried if one.is_chosen]
    assert len(chosen) == 1
    assert chosen[0].validation_ndcg == max(one.validation_ndcg for one in tried)
    assert all(one.bytes <= 6000 for one in tried)
    by_name = {one.name: one for one in searched.results.models}
    assert by_name["student-distilled"].kind == by_name["student-alone"].kind == chosen[0].kind
    assert by_name["student-distilled"].bytes <= 6000


@pytest.mark.slow
def test_every_member_of_the_ensemble_is_in_the_table(searched: RunResult) -> None:
    teachers_named = [one.name for one in searched.results.models if one.role == "teacher"]
    assert teachers_named == ["teacher-local-ridge", "teacher-ials", "teacher-spectral", "teacher"]


@pytest.mark.slow
def test_a_budget_below_any_student_is_refused_with_the_least_one_before_training(
    tmp_path: Path,
) -> None:
    def limit(max_bytes: int) -> Config:
        student = SEARCHED.student.model_copy(update={"max_bytes": max_bytes})
        return SEARCHED.model_copy(update={"student": student})

    with pytest.raises(UserError, match="fits into 500 bytes") as refusal:
        run(limit(500), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    least = int("".join(filter(str.isdigit, str(refusal.value.hint))))
    with pytest.raises(UserError, match="no student"):
        run(limit(least - 1), tmp_path / "run")
    assert run(limit(least), tmp_path / "run").results.candidate_students


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kernel-residual", "fold-in-residual", "logistic"])
def test_a_student_that_is_asked_for_is_made(kind: str, tmp_path: Path) -> None:
    settings = SEARCHED.model_copy(
        update={
            "teacher": SEARCHED.teacher.model_copy(update={"architecture": "local-ridge"}),
            "student": SEARCHED.student.model_copy(
                update={"architecture": kind, "max_bytes": 20_000}
            ),
        }
    )
    found = run(settings, tmp_path / "run")
    assert {one.kind for one in found.results.models if one.role == "student"} == {kind}
    assert {one.kind for one in found.results.candidate_students} <= {kind}
    assert found.results.shipped_artifact.metrics["ndcg@10"] > 0


@pytest.mark.slow
def test_models_can_be_measured_on_sampled_candidates(tmp_path: Path) -> None:
    settings = SEARCHED.model_copy(
        update={
            "evaluation": SEARCHED.evaluation.model_copy(update={"candidates": "sampled:50"}),
            "teacher": SEARCHED.teacher.model_copy(update={"architecture": "ials"}),
            "student": SEARCHED.student.model_copy(update={"architecture": "fold-in"}),
        }
    )
    found = run(settings, tmp_path / "run").results
    assert found.dataset.candidates == "sampled:50"
    assert any("not comparable" in note for note in found.dataset.notes)
    distilled = next(one for one in found.models if one.name == "student-distilled")
    assert distilled.metrics["ndcg@10"] > found.shipped_artifact.metrics["ndcg@10"]


@pytest.mark.slow
def test_a_form_that_a_student_has_not_is_refused(tmp_path: Path) -> None:
    settings = SEARCHED.model_copy(
        update={
            "teacher": SEARCHED.teacher.model_copy(update={"architecture": "local-ridge"}),
            "student": SEARCHED.student.model_copy(update={"architecture": "neighbours"}),
            "export": SEARCHED.export.model_copy(update={"quantizations": ("int8",)}),
        }
    )
    with pytest.raises(UserError, match="does not support int8"):
        run(settings, tmp_path / "run")
