"""A gate is worth what it stops: files that are wrong in every way that was seen or feared."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.errors import ParityError, UserError
from kd_tf.models.batch_scoring import compute_scores
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.runtime import signature_model as model_module
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite import convert as convert_module
from kd_tf.tflite.checks import parity as parity_module
from kd_tf.tflite.checks.parity import check_parity
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.signatures import Signatures

V, L, d, K = 250, 10, 16, 20


class DoublesScores(MLPStudent):
    def call(self, inputs, training=False):
        return 2 * super().call(inputs, training)


class TakesAnyId(MLPStudent):
    """Reads outside the table where an id is out of range."""

    def mask_unknown_ids(self, ids):
        return ids


class TakesNegativeIdsForTheFirstItem(MLPStudent):
    def mask_unknown_ids(self, ids):
        return tf.where(ids < 0, 1, super().mask_unknown_ids(ids))


class ForgetsAllButSixItems(MLPStudent):
    """Right for short histories."""

    def encoder_ids(self, history):
        ids = super().encoder_ids(history)
        return ids * tf.cast(tf.range(L) < 6, tf.int32)


class ScoreIsScaled(MLPStudent):
    def score(self, history, candidates):
        return 1.6 * super().score(history, candidates)


class SimilarIsReversed(MLPStudent):
    def similar(self, item):
        return -super().similar(item)


class Remembers(MLPStudent):
    """Every call leaves a trace in the next, far below what the bounds allow."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, inputs, training=False):
        self.calls.assign_add(1e-7)
        return super().call(inputs, training) + self.calls


def converted(kind, student, form=Quantization.FLOAT32, calibration=None):
    """A file of the same weights in a student of another `kind`."""
    other = kind(num_items=V, max_length=L, embedding_dim=d)
    other.create_weights()
    for weight, trained in zip(other.trainable_weights, student.trainable_weights, strict=True):
        weight.assign(trained)
    return convert(other, form, recommendations=K, calibration=calibration)


def with_damaged_table(content, first, last):
    """`content` with the bytes of these rows of the table in reverse order."""
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    buffer = next(
        graph.Tensors(index).Buffer()
        for index in range(graph.TensorsLength())
        if graph.Tensors(index).ShapeLength() == 2
        and graph.Tensors(index).Shape(0) == V + 1
        and not isinstance(model.Buffers(graph.Tensors(index).Buffer()).DataAsNumpy(), int)
    )
    table = model.Buffers(buffer).DataAsNumpy().tobytes()
    place, row = content.index(table), len(table) // (V + 1)
    begin, end = place + first * row, place + last * row
    return content[:begin] + content[begin:end][::-1] + content[end:]


@pytest.fixture(scope="module")
def doubled(student):
    with pytest.MonkeyPatch.context() as patch:
        # The converter doubles a copy of the table, which is what is stopped first.
        patch.setattr(convert_module, "check_stored_weights", lambda content, student: None)
        return converted(DoublesScores, student("mlp"))


@pytest.fixture(scope="module")
def stranger():
    student = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    return student


@pytest.mark.slow
def test_the_figures_are_those_of_counting_by_hand(file, student, histories):
    content = file("mlp", Quantization.INT8)
    parity = check_parity(content, student("mlp"), histories, quantization=Quantization.INT8)
    model, scores = TFLiteModel(content), compute_scores(student("mlp"), histories)
    found, error = 0, 0.0
    for history, row in zip(histories, scores, strict=True):
        ids, given = model.recommend(history)
        items = [item for item in range(1, V + 1) if item not in history]
        best = sorted(items, key=lambda item: -row[item])[:10]
        found += len(set(best) & set(ids[:10].tolist()))
        error = max(error, *np.abs(given - row[ids]))
    assert parity.histories == len(histories) == 300
    assert parity.top10_overlap == pytest.approx(found / 3000, abs=1e-9)
    assert parity.max_score_error == pytest.approx(error, rel=1e-6)
    assert 0.9 < parity.top10_overlap < 1


@pytest.mark.slow
@pytest.mark.parametrize("form", Quantization)
def test_the_file_of_another_student_is_refused(file, stranger, histories, form):
    with pytest.raises(ParityError, match=r"top-10 overlap .* is 0\.\d+, below 0\.[79]"):
        check_parity(file("mlp", form), stranger, histories, quantization=form)


@pytest.mark.slow
@pytest.mark.parametrize("form", Quantization)
@pytest.mark.parametrize("name", ["mlp", "shallow-cnn"])
def test_a_file_with_damaged_weights_is_refused(file, student, histories, name, form):
    damaged = with_damaged_table(file(name, form), 80, 160)
    with pytest.raises(ParityError):
        check_parity(damaged, student(name), histories, quantization=form)


@pytest.mark.slow
def test_a_single_damaged_row_of_a_float32_file_is_found(file, student, histories):
    content = file("mlp", Quantization.FLOAT32)
    table = student("mlp").table.numpy()[100].tobytes()
    assert content.count(table) == 1
    worse = (student("mlp").table.numpy()[100] * 1.01).astype(np.float32).tobytes()
    with pytest.raises(ParityError):
        check_parity(
            content.replace(table, worse),
            student("mlp"),
            histories,
            quantization=Quantization.FLOAT32,
        )


@pytest.mark.slow
@pytest.mark.parametrize("form", Quantization)
def test_a_file_with_scaled_scores_is_refused_though_its_ids_are_right(
    doubled, student, histories, form
):
    with pytest.raises(ParityError, match="a score differs from the Keras student's by"):
        check_parity(doubled, student("mlp"), histories, quantization=form)


@pytest.mark.slow
def test_a_file_that_reads_outside_its_table_is_refused(student, histories):
    content = converted(TakesAnyId, student("mlp"))
    with pytest.raises(ParityError, match="recommend fails in the interpreter"):
        check_parity(content, student("mlp"), histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_a_file_that_takes_unknown_ids_for_items_is_refused(student, histories):
    content = converted(TakesNegativeIdsForTheFirstItem, student("mlp"))
    with pytest.raises(ParityError, match="does not treat unknown ids as padding"):
        check_parity(content, student("mlp"), histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_a_file_that_is_wrong_in_similar_alone_is_refused(student, histories):
    content = converted(SimilarIsReversed, student("mlp"))
    with pytest.raises(ParityError, match=r"^similar \(float32\) for 200 items: top-10 overlap"):
        check_parity(content, student("mlp"), histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_a_file_that_recommends_what_was_read_is_refused(student, histories, monkeypatch):
    def best_of_all(self, scores, excluded):
        scores, ids = tf.math.top_k(scores, self.recommendations)
        return {"ids": ids, "scores": scores}

    monkeypatch.setattr(Signatures, "_select_best", best_of_all)
    content = converted(MLPStudent, student("mlp"))
    with pytest.raises(ParityError, match="recommend returns an item of the input"):
        check_parity(content, student("mlp"), histories, quantization=Quantization.FLOAT32)


EMPTY_MODEL = {"subgraphs": [], "operator_codes": [], "buffers": []}


@pytest.mark.slow
def test_a_file_that_remembers_is_refused(student, histories, monkeypatch):
    with pytest.raises(UserError, match="which kd_tf never writes"):
        converted(Remembers, student("mlp"))
    # Its operators are refused already; whatever remembers by other means is noticed too.
    monkeypatch.setattr(model_module, "check_model", lambda content: EMPTY_MODEL)
    content = converted(Remembers, student("mlp"))
    with pytest.raises(ParityError, match="different answers for the same input"):
        check_parity(content, student("mlp"), histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_an_int8_file_that_was_calibrated_with_long_histories_only_is_refused(
    student, split, histories
):
    """Its answers are good for long histories, and bad for a single item."""
    whole = split.train.pad(L)[:200]
    assert (whole > 0).sum(axis=1).min() >= 8
    content = convert(student("mlp"), Quantization.INT8, recommendations=K, calibration=whole)
    long_ones = histories[(histories > 0).all(axis=1)]
    with pytest.raises(ParityError, match=r"calibrate .* of every length\) for .* 0 to 2 items"):
        check_parity(content, student("mlp"), long_ones, quantization=Quantization.INT8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "shallow-cnn"])
def test_an_int8_file_that_was_calibrated_with_short_histories_only_is_refused(
    student, histories, name
):
    """Real histories of this kind cannot show it: users of the app may have read more."""
    short = histories.copy()
    short[:, 2:] = 0
    content = convert(student(name), Quantization.INT8, recommendations=K, calibration=short)
    with pytest.raises(ParityError, match=r"calibrate .* of every length\) for .* 3 to 5 items"):
        check_parity(content, student(name), short, quantization=Quantization.INT8)


@pytest.mark.slow
@pytest.mark.parametrize("form", Quantization)
def test_a_file_that_is_wrong_for_long_histories_alone_is_refused(
    student, histories, calibration, form
):
    short = histories.copy()
    short[:, 6:] = 0
    content = converted(ForgetsAllButSixItems, student("mlp"), form, calibration)
    with pytest.raises(ParityError, match=r"for histories of . to \d+ items"):
        check_parity(content, student("mlp"), short, quantization=form)


@pytest.mark.slow
@pytest.mark.parametrize(
    # The student of an int4 file has a `score` of its own, which is not the scaled one.
    "form",
    [form for form in Quantization if form is not Quantization.INT4],
)
def test_a_file_with_another_scale_in_score_than_in_recommend_is_refused(
    student, histories, calibration, form, monkeypatch
):
    monkeypatch.setattr(parity_module, "_check_scores", lambda *arguments: None)
    content = converted(ScoreIsScaled, student("mlp"), form, calibration)
    with pytest.raises(ParityError, match="score differs from recommend by"):
        check_parity(content, student("mlp"), histories, quantization=form)


@pytest.mark.slow
def test_what_is_no_model_is_refused(student, histories):
    with pytest.raises(ParityError, match=r"cannot be used: this is not a \.tflite model"):
        check_parity(b"x" * 99, student("mlp"), histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_a_file_for_histories_of_another_length_is_refused(file, histories):
    longer = MLPStudent(num_items=V, max_length=L + 1, embedding_dim=d)
    longer.create_weights()
    with pytest.raises(ParityError, match="histories of 10 items, the student of 11"):
        check_parity(
            file("mlp", Quantization.FLOAT32),
            longer,
            np.pad(histories, [(0, 0), (0, 1)]),
            quantization=Quantization.FLOAT32,
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((0, L), np.int32), "at least one"),
        (np.zeros((3, L + 1), np.int32), "not int32"),
        (np.zeros((3, L), np.int64), "not int64"),
        (np.zeros(L, np.int32), "not int32"),
    ],
)
def test_histories_of_another_shape_or_none_are_refused(file, student, wrong, message):
    with pytest.raises(ValueError, match=message):
        check_parity(
            file("mlp", Quantization.FLOAT32),
            student("mlp"),
            wrong,
            quantization=Quantization.FLOAT32,
        )


@pytest.mark.slow
def test_items_that_only_rounding_tells_apart_may_stand_in_any_order(histories):
    def nearly_equal_items(noise, seed):
        rng.set_seed(0)
        student = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
        student.create_weights()
        random = np.random.default_rng(seed)
        student.table.assign(1 + noise * random.standard_normal(student.table.shape))
        return student

    content = convert(nearly_equal_items(1e-6, 0), Quantization.FLOAT32, recommendations=K)
    other_noise = nearly_equal_items(1e-6, 1)
    parity = check_parity(content, other_noise, histories, quantization=Quantization.FLOAT32)
    assert parity.top10_overlap == 1
    with pytest.raises(ParityError, match="top-10 overlap"):
        check_parity(
            content, nearly_equal_items(1e-3, 1), histories, quantization=Quantization.FLOAT32
        )


@pytest.mark.slow
def test_a_shop_smaller_than_a_list_is_compared_too():
    student = MLPStudent(num_items=12, max_length=L, embedding_dim=4)
    student.create_weights()
    content = convert(student, Quantization.FLOAT32, recommendations=12)
    read = np.array([list(range(1, 11)), [1] * 10, [0] * 10], np.int32)
    parity = check_parity(content, student, read, quantization=Quantization.FLOAT32)
    assert (parity.histories, parity.top10_overlap) == (3, 1)
