"""A file of the ranking task answers as its student does, or is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import ParityError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import RANKING_STUDENTS
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
from kd_tf.runtime.prediction_model import PredictionModel, check_features
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking import calibration
from kd_tf.tflite.ranking.convert import QUANTIZATIONS, convert_ranking_model
from kd_tf.tflite.ranking.edge_rows import make_edge_rows
from kd_tf.tflite.ranking.numpy_reference import make_numpy_predict_fn
from kd_tf.tflite.ranking.parity import check_prediction_parity
from kd_tf.tflite.ranking.signatures import PredictionSignatures

BATCH_SIZE = 8

SCALE = {"logistic-regression": 0.25, "factorization-machine": 0.1, "mlp": 0.25}
"""Spread of the weights: int8 cuts off what large products of a factorization machine reach."""


def convert(student: RankingModel, quantization: Quantization, rows) -> bytes:
    examples = rows.draw(200, seed=1)
    return convert_ranking_model(student, quantization, batch_size=BATCH_SIZE, calibration=examples)


@pytest.fixture(scope="module")
def student(rows) -> Callable[[str], RankingModel]:
    return lambda name: rows.make(RANKING_STUDENTS[name], scale=SCALE[name])


@pytest.fixture(scope="module")
def file(student, rows) -> Callable[..., bytes]:
    made: dict[tuple[str, Quantization], bytes] = {}

    def make(name: str, quantization: Quantization = Quantization.FLOAT32) -> bytes:
        if (name, quantization) not in made:
            made[name, quantization] = convert(student(name), quantization, rows)
        return made[name, quantization]

    return make


def draw_rows(rows) -> RankingExamples:
    """Rows within what int8 was calibrated with; edge cases are added by the check itself."""
    return rows.draw(200, seed=1)


@pytest.mark.parametrize(
    "quantization",
    [
        pytest.param(form, marks=() if form is Quantization.FLOAT32 else pytest.mark.slow)
        for form in QUANTIZATIONS
    ],
)
@pytest.mark.parametrize("name", RANKING_STUDENTS)
def test_every_file_answers_as_its_student(
    name: str, quantization: Quantization, student, file, rows
) -> None:
    content = file(name, quantization)
    parity = check_prediction_parity(
        content, student(name), draw_rows(rows), quantization=quantization
    )
    assert parity.rows == 200
    assert parity.max_numpy_error is not None
    model = PredictionModel(content)
    assert (model.num_places, model.num_numeric, model.batch_size) == (6, 2, BATCH_SIZE)


def test_a_float_file_equals_numpy_on_rows_that_real_data_seldom_has(student, file, rows) -> None:
    for name in RANKING_STUDENTS:
        model, predict = PredictionModel(file(name)), make_numpy_predict_fn(student(name))
        assert predict is not None
        edge_rows = make_edge_rows(rows.layout, rows.draw(20))
        ids = edge_rows.categorical
        assert (ids < 0).any()
        assert (ids > 100).any()
        assert (ids == 0).all(axis=1).any()
        for examples in (edge_rows, rows.draw(BATCH_SIZE * 2 + 3)):
            expected = predict(examples.categorical, examples.numeric)
            actual = model.predict_all(examples.categorical, examples.numeric)
            np.testing.assert_allclose(actual, expected, atol=2e-6)
            for row in range(0, len(examples), 4):
                one = slice(row, row + 1)
                probability = model.predict(examples.categorical[one], examples.numeric[one])
                assert probability == pytest.approx(actual[row], abs=1e-6)


def test_the_numpy_reference_reads_a_row_as_its_formula_says(student, rows) -> None:
    """One row by hand: user 3, genres 2 and 5, no device, hour beyond its last, two numbers."""
    machine = student("factorization-machine")
    predict = make_numpy_predict_fn(machine)
    ids = np.array([[3, 5, 2, 0, 0, 6]], np.int32)
    numbers = np.array([[0.5, -2.0]], np.float32)
    vectors, linear = (
        np.array(
            [
                table[3],
                (table[9 + 2] + table[9 + 5]) / 2,
                table[16],
                table[20],
                0.5 * numeric_table[0],
                -2.0 * numeric_table[1],
            ]
        )
        for table, numeric_table in (
            (layer.table.numpy().astype(float), layer.numeric_table.numpy().astype(float))
            for layer in (machine.embedding, machine.linear)
        )
    )
    pairs = sum(vectors[i] @ vectors[j] for i in range(6) for j in range(i))
    logit = linear.sum() + pairs + float(machine.bias)
    assert predict is not None
    assert predict(ids, numbers)[0] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-9)
    assert machine.predict_probabilities({"categorical": ids, "numeric": numbers})[
        0
    ] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_the_file_of_other_weights_is_refused(student, file, rows) -> None:
    for name in RANKING_STUDENTS:
        other = rows.make(RANKING_STUDENTS[name], seed=1, scale=SCALE[name])
        for quantization in (Quantization.FLOAT32, Quantization.INT8):
            # Even with the tolerance of int8.
            with pytest.raises(ParityError, match="differ from the student's"):
                check_prediction_parity(
                    file(name), other, draw_rows(rows), quantization=quantization
                )


def change_row(student: RankingModel) -> None:
    table = student.embedding.table.numpy()
    table[5] += 0.2
    student.embedding.table.assign(table)


def change_last_row(student: RankingModel) -> None:
    """The last id of the last feature, which no real row here has: an edge case sees it."""
    table = student.embedding.table.numpy()
    table[-1] += 0.2
    student.embedding.table.assign(table)


def swap_numbers(student: RankingModel) -> None:
    student.embedding.numeric_table.assign(student.embedding.numeric_table.numpy()[::-1])


def swap_users_and_hours(student: RankingModel) -> None:
    table = student.embedding.table.numpy()
    table[:6], table[20:26] = table[20:26].copy(), table[:6].copy()
    student.embedding.table.assign(table)


@pytest.mark.parametrize(
    "change", [change_row, change_last_row, swap_numbers, swap_users_and_hours]
)
@pytest.mark.parametrize("name", ["logistic-regression", "mlp"])
def test_a_student_that_changed_after_its_file_is_refused(
    change: Callable[[RankingModel], None], name: str, student, file, rows
) -> None:
    changed = student(name)
    change(changed)
    examples = draw_rows(rows)
    if change is change_last_row:
        examples = examples.take(np.flatnonzero(examples.categorical[:, -1] != 5))
    with pytest.raises(ParityError, match="differ from the student's"):
        check_prediction_parity(file(name), changed, examples, quantization=Quantization.FLOAT32)


class _Wrong(PredictionSignatures):
    """Signatures with one mistake each."""

    def __init__(self, student: RankingModel, mistake: str) -> None:
        self.mistake = mistake
        super().__init__(student, BATCH_SIZE)

    def _predict(self, *arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = dict(zip(("categorical", "numeric"), arrays, strict=True))
        student, is_batch = self.student, arrays[0].shape[0] > 1
        if self.mistake == "features":
            inputs["categorical"] = tf.gather(inputs["categorical"], [5, 4, 3, 2, 1, 0], axis=1)
        if self.mistake == "layer":
            vectors = student.core.layers[0](
                student.flatten_features(inputs, student.embedding(inputs))
            )
            return {"probability": tf.sigmoid(vectors[:, 0])}
        logits = student.call(inputs, training=False)
        if self.mistake == "logit":
            return {"probability": logits}
        if self.mistake == "predict" and not is_batch:
            logits += 0.01
        if self.mistake == "order" and is_batch:
            logits = tf.gather(logits, list(range(BATCH_SIZE))[::-1])
        if self.mistake == "name":
            return {"score": tf.sigmoid(logits)}
        if self.mistake == "shape":
            return {"probability": tf.sigmoid(logits)[:, tf.newaxis]}
        return {"probability": tf.sigmoid(logits)}


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        pytest.param("features", "differ from the student's", marks=pytest.mark.slow),
        ("layer", "differ from the student's"),
        pytest.param("logit", "the file predicts", marks=pytest.mark.slow),
        ("predict", "predict and predict_batch differ"),
        pytest.param("order", "differ from the student's", marks=pytest.mark.slow),
        pytest.param("name", "returns", marks=pytest.mark.slow),
        pytest.param("shape", "returns", marks=pytest.mark.slow),
    ],
)
def test_a_file_with_a_mistake_is_refused(mistake: str, words: str, student, rows) -> None:
    signatures = _Wrong(student("mlp"), mistake)
    content = _convert_signatures(signatures)
    with pytest.raises(ParityError, match=words):
        check_prediction_parity(
            content, student("mlp"), draw_rows(rows), quantization=Quantization.FLOAT32
        )


def _convert_signatures(signatures: PredictionSignatures) -> bytes:
    from kd_tf.tflite.converter import run_converter

    return run_converter(signatures, signatures.functions, Quantization.FLOAT32, lambda: iter(()))


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_a_model_of_features_of_one_kind_takes_one_input(kind: str) -> None:
    layout = FeatureLayout(
        (CategoricalFeature("user", 5),) if kind == "categorical" else (),
        () if kind == "categorical" else ("price", "age"),
    )
    random = np.random.default_rng(0)
    examples = RankingExamples(
        layout,
        random.integers(0, 5, (20, layout.num_places)).astype(np.int32),
        random.normal(0, 1, (20, layout.num_numeric)).astype(np.float32),
        np.zeros(20, np.float32),
    )
    student = RANKING_STUDENTS["mlp"](layout)
    student.create_weights()
    content = convert_ranking_model(student, Quantization.FLOAT32, batch_size=4)
    check_prediction_parity(content, student, examples, quantization=Quantization.FLOAT32)
    model = PredictionModel(content)
    assert (model.num_places, model.num_numeric) == (layout.num_places, layout.num_numeric)


def test_rows_of_another_form_are_refused(file, rows) -> None:
    model, examples = PredictionModel(file("logistic-regression")), rows.draw(2)
    ids, numbers = examples.categorical, examples.numeric
    for wrong_ids, wrong_numbers, words in (
        (ids[:, :5], numbers, "categorical must be"),
        (ids.astype(np.int64), numbers, "categorical must be"),
        (ids, numbers.astype(np.float64), "numeric must be"),
        (ids, numbers[:1], "has 2 rows, numeric 1"),
    ):
        with pytest.raises(ValueError, match=words):
            model.predict_all(wrong_ids, wrong_numbers)
    with pytest.raises(ValueError, match="takes one row, not 2"):
        model.predict(ids, numbers)
    assert model.predict_all(ids[:0], numbers[:0]).shape == (0,)
    with pytest.raises(Exception, match="rows of 6 ids and 1 numbers"):
        check_features(model, 6, 1, "here")


def test_what_cannot_be_converted_is_refused_in_words(student, rows) -> None:
    model = student("logistic-regression")
    with pytest.raises(ValueError, match="does not support"):
        convert_ranking_model(model, Quantization.INT4)
    with pytest.raises(ValueError, match="calibration row"):
        convert_ranking_model(model, Quantization.INT8)
    with pytest.raises(ValueError, match="no weights yet"):
        convert_ranking_model(RANKING_STUDENTS["mlp"](rows.layout), Quantization.FLOAT32)
    with pytest.raises(ValueError, match="batch_size"):
        convert_ranking_model(model, Quantization.FLOAT32, batch_size=0)
    with pytest.raises(ParityError):
        check_prediction_parity(b"TFL3", model, rows.draw(1), quantization=Quantization.FLOAT32)
    with pytest.raises(ValueError, match="at least one row"):
        check_prediction_parity(b"", model, rows.draw(0), quantization=Quantization.FLOAT32)


def give_missing_values_weight(student: RankingModel) -> None:
    """Ids of missing values that no calibration row has become the heaviest of all."""
    for layer in (student.embedding, student.linear):
        table = layer.table.numpy()
        table[[0, 16, 20]] = 0.6
        layer.table.assign(table)


def draw_present_rows(rows) -> RankingExamples:
    """Rows in which user, device and hour are never missing."""
    examples = rows.draw(300, seed=2)
    return examples.take(np.flatnonzero((examples.categorical[:, [0, 4, 5]] > 0).all(axis=1)))


@pytest.mark.parametrize("has_edge_rows", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_int8_factorization_machine_answers_rows_that_training_has_not(
    has_edge_rows: bool, student, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products of weights that no training row multiplies; calibrated with edge cases alone."""
    machine, examples = student("factorization-machine"), draw_present_rows(rows)
    give_missing_values_weight(machine)
    if not has_edge_rows:
        monkeypatch.setattr(calibration, "make_edge_rows", lambda layout, usual: usual)
    content = convert_ranking_model(
        machine, Quantization.INT8, batch_size=BATCH_SIZE, calibration=examples
    )
    if has_edge_rows:
        check_prediction_parity(content, machine, examples, quantization=Quantization.INT8)
    else:
        with pytest.raises(ParityError, match="edge cases"):
            check_prediction_parity(content, machine, examples, quantization=Quantization.INT8)


def test_calibration_has_the_most_extreme_rows(student, rows) -> None:
    machine, examples = student("factorization-machine"), rows.draw(4000)
    chosen = calibration.choose_calibration_rows(machine, examples)
    assert len(chosen) < 800
    logits, chosen_logits = machine.predict_logits(examples), machine.predict_logits(chosen)
    assert chosen_logits.max() >= logits.max() - 1e-5
    assert chosen_logits.min() <= logits.min() + 1e-5
    for find in (np.min, np.max):
        np.testing.assert_array_equal(
            find(chosen.numeric, axis=0), find(np.append(examples.numeric, [[0, 0]], 0), axis=0)
        )
