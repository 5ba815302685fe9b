"""The teacher of texts: what it knows of new items, and who learns from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kd_tf import rng
from kd_tf.backend import keras
from kd_tf.data.ranking.encode_texts import encode_texts
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_ranking import read_ranking_split
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.row import ROW_METHODS
from kd_tf.distill.row_teacher_targets import TEACHER_LOGITS, compute_row_targets
from kd_tf.errors import UserError
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import RankingMLPStudent
from kd_tf.models.ranking.teachers import RANKING_TEACHERS
from kd_tf.models.ranking.teachers.ensemble import RankingEnsemble
from kd_tf.models.ranking.teachers.text import TextTeacher
from kd_tf.progress import NullProgress
from kd_tf.training import checkpoint

TOPICS = (("ship", "storm", "harbour"), ("oven", "bread", "spice"), ("castle", "queen", "siege"))


def make_split(num_rows: int = 3000) -> RankingSplit:
    """Users who like one topic of titles; a third of the items is new in the test part."""
    random = np.random.default_rng(5)
    num_users, num_items = 60, 60
    taste, topic = random.integers(0, 3, num_users), random.integers(0, 3, num_items)
    titles = [" ".join([*random.permutation(TOPICS[t])[:2], "book"]) for t in topic]
    user, item = random.integers(0, num_users, num_rows), random.integers(0, num_items, num_rows)
    probability = np.where(taste[user] == topic[item], 0.85, 0.15)
    table = pl.DataFrame(
        {
            "user": [f"u{number}" for number in user],
            "item": [f"i{number}" for number in item],
            "title": [titles[number] for number in item],
            "liked": (random.random(num_rows) < probability).astype(int),
        }
    )
    split = read_ranking_split(
        table,
        label="liked",
        split=SplitRules("cold-items", test_share=0.3, seed=2),
        features=FeatureOptions(text=("title",)),
    )
    return encode_texts(split)


@pytest.fixture(scope="module")
def split() -> RankingSplit:
    return make_split()


def fit(model: RankingModel, split: RankingSplit, epochs: int = 6) -> RankingModel:
    rng.set_seed(0)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(split.train, epochs=epochs, batch_size=128, verbose=0)
    return model


@pytest.fixture(scope="module")
def teacher(split: RankingSplit) -> RankingModel:
    rng.set_seed(0)
    return fit(TextTeacher(split.train.layout, hidden=(16, 8), embedding_dim=4), split)


def test_new_items_are_known_by_their_texts_alone(teacher, split: RankingSplit) -> None:
    aucs = {}
    rng.set_seed(0)
    other = fit(RANKING_TEACHERS["deepfm"](split.train.layout, hidden=(16, 8)), split)
    for name, model in (("text", teacher), ("deepfm", other)):
        aucs[name] = compute_click_auc(split.test.labels, model.predict_probabilities(split.test))
    assert aucs["text"] > 0.8
    assert aucs["deepfm"] < 0.6


def test_a_saved_teacher_answers_as_before(teacher, split: RankingSplit, tmp_path: Path) -> None:
    ensemble = RankingEnsemble([teacher, RankingMLPStudent(split.train.layout)], [3, 1])
    for number, model in enumerate((teacher, ensemble)):
        model.create_weights()
        checkpoint.save(model, tmp_path / str(number))
        loaded = checkpoint.load(tmp_path / str(number))
        np.testing.assert_array_equal(
            loaded.predict_logits(split.test), model.predict_logits(split.test)
        )
        assert checkpoint.compute_fingerprint(loaded) == checkpoint.compute_fingerprint(model)


def test_a_student_without_texts_learns_from_it(
    teacher, split: RankingSplit, tmp_path: Path
) -> None:
    """In memory and from the cache: the student's own inputs have no text."""
    student = RankingMLPStudent(split.train.layout, embedding_dim=4, hidden=(8,))
    assert set(student.to_inputs(split.train)) == {"categorical"}
    for cache_dir in (None, tmp_path):
        rng.set_seed(0)
        student = RankingMLPStudent(split.train.layout, embedding_dim=4, hidden=(8,))
        distiller = Distiller(
            teacher, student, ROW_METHODS["soft-targets"](), student_loss_weight=0.0,
            cache_dir=cache_dir,
        )  # fmt: skip
        distiller.compile(keras.optimizers.Adam(0.01))
        distiller.fit(split.train, epochs=10, batch_size=128, verbose=0)
        correlation = np.corrcoef(
            student.predict_logits(split.train), teacher.predict_logits(split.train)
        )[0, 1]
        assert correlation > 0.8


def test_cached_outputs_are_those_of_the_rows_texts(
    teacher, split: RankingSplit, tmp_path: Path
) -> None:
    targets = compute_row_targets(
        [teacher], split.train, folder=tmp_path / "targets", progress=NullProgress()
    )
    expected = teacher.predict_logits(split.train)
    np.testing.assert_allclose(targets[TEACHER_LOGITS][:, 0], expected, atol=1e-5)


def test_rows_without_texts_are_refused(teacher, split: RankingSplit) -> None:
    bare = read_ranking_split(
        pl.DataFrame({"user": ["a", "b"] * 50, "liked": [0, 1, 1, 0] * 25}), label="liked"
    )
    fresh = TextTeacher(bare.train.layout, hidden=(4,))
    with pytest.raises(UserError, match="needs texts, and none are encoded"):
        fresh.prepare_fit(bare.train)
    with pytest.raises(UserError, match="needs texts, and none are encoded"):
        teacher.predict_logits(dataclasses.replace(split.test, texts=None))


def test_unknown_ids_are_drawn_in_training_alone(split: RankingSplit) -> None:
    rng.set_seed(0)
    teacher = TextTeacher(split.train.layout, hidden=(4,), dropout=0.0, id_dropout=0.5)
    teacher.prepare_fit(split.train)
    inputs = {name: array[:200] for name, array in teacher.to_inputs(split.train).items()}
    first, second = (np.array(teacher(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    first, second = (np.array(teacher(inputs, training=True)) for _ in range(2))
    assert (first != second).mean() > 0.2
