"""Students with fewer features, shorter embeddings, or components in place of numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.row.logit_matching import RowLogitMatching
from kd_tf.distill.losses.row.mutual import RowMutualLearning
from kd_tf.layers.principal_components import PrincipalComponents
from kd_tf.models.ranking.students import (
    RANKING_STUDENTS,
    LogisticRegressionStudent,
    RankingMLPStudent,
)
from kd_tf.models.ranking.teachers import DeepTeacher
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import QUANTIZATIONS, convert_ranking_model
from kd_tf.tflite.ranking.parity import check_prediction_parity
from kd_tf.training import checkpoint


def drop_genres_and_price(layout: FeatureLayout) -> FeatureLayout:
    user, _, *others = layout.categorical
    return FeatureLayout((user, *others), layout.numeric[1:])


def make_student(layout: FeatureLayout, **settings) -> RankingMLPStudent:
    rng.set_seed(0)
    student = RankingMLPStudent(layout, hidden=(8,), **settings)
    student.create_weights()
    random = np.random.default_rng(0)
    for weight in student.weights:
        weight.assign(random.normal(0, 0.25, weight.shape))
    return student


def test_a_student_takes_its_own_features_by_name(rows) -> None:
    examples = rows.draw(50)
    layout = drop_genres_and_price(rows.layout)
    student = make_student(layout)
    own_rows = RankingExamples(
        layout, examples.categorical[:, [0, 4, 5]], examples.numeric[:, 1:], examples.labels
    )
    expected = student.predict_logits(own_rows)
    np.testing.assert_array_equal(student.predict_logits(examples), expected)
    # What it has not changes nothing.
    ids, numbers = examples.categorical.copy(), examples.numeric.copy()
    ids[:, 1:4], numbers[:, 0] = 1, 7
    others = dataclasses.replace(examples, categorical=ids, numeric=numbers)
    np.testing.assert_array_equal(student.predict_logits(others), expected)
    with pytest.raises(ValueError, match="lack the feature 'genres'"):
        make_student(rows.layout).predict_logits(own_rows)


def test_a_teacher_with_more_features_teaches_from_its_cache(rows, tmp_path: Path) -> None:
    student, teacher = make_student(drop_genres_and_price(rows.layout)), rows.make(DeepTeacher)
    examples = rows.draw(64)
    distiller = Distiller(teacher, student, RowLogitMatching(), cache_dir=tmp_path)
    distiller.compile("adam")
    distiller.fit(examples, epochs=1, batch_size=32, verbose=0)
    live = Distiller(teacher, student, RowLogitMatching())
    live.compile("adam")
    with pytest.raises(ValueError, match="outputs must be cached"):
        live.fit(examples, epochs=1, batch_size=32, verbose=0)
    mutual = Distiller(teacher, student, RowMutualLearning())
    mutual.compile("adam")
    with pytest.raises(ValueError, match="all features of the teacher"):
        mutual.fit(examples, epochs=1, batch_size=32, verbose=0)


def test_a_student_with_more_features_learns_from_a_cache_too(rows, tmp_path: Path) -> None:
    layout = drop_genres_and_price(rows.layout)
    teacher, student = DeepTeacher(layout, hidden=(4,)), make_student(rows.layout)
    teacher.create_weights()
    distiller = Distiller(teacher, student, RowLogitMatching(), cache_dir=tmp_path)
    distiller.compile("adam")
    distiller.fit(rows.draw(64), epochs=1, batch_size=32, verbose=0)
    live = Distiller(teacher, student, RowLogitMatching())
    live.compile("adam")
    with pytest.raises(ValueError, match="outputs must be cached"):
        live.fit(rows.draw(64), epochs=1, batch_size=32, verbose=0)
    other_layout = FeatureLayout((CategoricalFeature("shop", 5),), ())
    with pytest.raises(ValueError, match="the same features in the same order"):
        Distiller(DeepTeacher(other_layout), student)


@pytest.mark.parametrize(
    "quantization",
    [
        pytest.param(form, marks=() if form is Quantization.FLOAT32 else pytest.mark.slow)
        for form in QUANTIZATIONS
    ],
)
@pytest.mark.parametrize("how", ["features", "width", "components"])
def test_the_file_of_a_compressed_student_answers_as_it(
    how: str, quantization: Quantization, rows, tmp_path: Path
) -> None:
    """Also once the student is saved and loaded, and in plain NumPy."""
    examples = rows.draw(300)
    layout = drop_genres_and_price(rows.layout) if how == "features" else rows.layout
    settings = {"width": {"embedding_width": "by-cardinality"}, "components": {"num_components": 1}}
    student = make_student(layout, **settings.get(how, {}))
    content = convert_ranking_model(student, quantization, batch_size=8, calibration=examples)
    parity = check_prediction_parity(content, student, examples, quantization=quantization)
    assert parity.max_numpy_error is not None
    model = PredictionModel(content)
    assert (model.num_places, model.num_numeric) == ((3, 1) if how == "features" else (6, 2))
    checkpoint.save(student, tmp_path / "student")
    loaded = checkpoint.load(tmp_path / "student")
    np.testing.assert_array_equal(loaded.predict_logits(examples), student.predict_logits(examples))


def test_embeddings_are_as_long_as_the_fourth_root_of_their_values() -> None:
    sizes = {"day": 9, "user": 1000, "list": 100, "flag": 3}
    layout = FeatureLayout(
        tuple(
            CategoricalFeature(name, size, 2 if name == "list" else 1)
            for name, size in sizes.items()
        ),
        ("price",),
    )
    student = make_student(layout, embedding_dim=4, embedding_width="by-cardinality")
    assert student.embedding.num_outputs == 2 + 4 + 3 + 1
    parameters = {part.dim: part.table.shape[0] for part in student.embedding.parts}
    assert parameters == {1: 3, 2: 9, 3: 100, 4: 1000}
    # Each feature counts, and none for another one.
    ids = np.array([[2, 5, 3, 4, 2]], np.int32)
    base = student.predict_logits({"categorical": ids, "numeric": np.zeros([1, 1], np.float32)})
    for place in range(5):
        other_ids = ids.copy()
        other_ids[0, place] = 1
        logits = student.predict_logits(
            {"categorical": other_ids, "numeric": np.zeros([1, 1], np.float32)}
        )
        assert abs(logits - base)[0] > 1e-4


def test_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    random = np.random.default_rng(0)
    numbers = random.normal(0, 1, (500, 3)) @ random.normal(0, 1, (3, 6)) + 5
    layer = PrincipalComponents(6, 2)
    layer.fit(numbers.astype(np.float32))
    expected = PCA(2, whiten=True).fit_transform(numbers)
    actual = layer(numbers.astype(np.float32)).numpy()
    np.testing.assert_allclose(np.abs(actual), np.abs(expected), atol=0.01)


@pytest.mark.parametrize("name", RANKING_STUDENTS)
def test_every_student_can_have_components(name: str, rows) -> None:
    examples = rows.draw(100)
    student = RANKING_STUDENTS[name](rows.layout, num_components=1)
    student.compile("sgd")
    student.fit(examples, epochs=1, verbose=0)
    kernel = student.components.kernel.numpy()
    assert np.abs(student.components(examples.numeric)).max() > 0.1
    student.fit(examples.take(np.arange(50)), epochs=1, verbose=0)
    np.testing.assert_array_equal(student.components.kernel.numpy(), kernel)


def test_settings_without_sense_are_refused(rows) -> None:
    with pytest.raises(ValueError, match="need more numbers than that; there are 2"):
        LogisticRegressionStudent(rows.layout, num_components=2)
    with pytest.raises(ValueError, match="embedding_width must be"):
        RankingMLPStudent(rows.layout, embedding_width="short")
