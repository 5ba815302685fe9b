"""What every teacher and student of the ranking task does with the features of a row."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import RANKING_STUDENTS
from kd_tf.models.ranking.teachers import RANKING_TEACHERS
from kd_tf.models.ranking.teachers.ensemble import RankingEnsemble, choose_member_weights
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
from kd_tf.training import checkpoint

TEACHERS = {name: model for name, model in RANKING_TEACHERS.items() if name != "text"}
"""The teacher of texts has a test of its own, test_text_teacher.py."""

MODELS = {**RANKING_STUDENTS, **TEACHERS}


@pytest.fixture(params=[*MODELS, "ensemble"])
def model(request: pytest.FixtureRequest, rows) -> RankingModel:
    if request.param == "ensemble":
        members = [rows.make(MODELS[name]) for name in ("mlp", "deepfm")]
        return RankingEnsemble(members, weights=[3, 1])
    return rows.make(MODELS[request.param])


def test_rows_are_seen_alone_and_through_their_features(
    model: RankingModel, rows, tmp_path: Path
) -> None:
    """One test of all: tracing a model takes longer than all that is asked of it."""
    examples = rows.draw(60)
    logits = model.predict_logits(examples)
    assert np.std(logits) > 0.05

    # A row's logit depends on no other row.
    some = np.array([7, 3, 59])
    np.testing.assert_allclose(model.predict_logits(examples.take(some)), logits[some], atol=1e-5)
    np.testing.assert_allclose(model.predict_logits(examples, batch_size=7), logits, atol=1e-5)

    # Every feature counts.
    for place in (0, 1, 4, 5):
        ids = examples.categorical.copy()
        ids[:, place] = np.where(ids[:, place] == 2, 3, 2)
        other = dataclasses.replace(examples, categorical=ids)
        assert np.mean(np.abs(model.predict_logits(other) - logits) > 1e-5) > 0.5, place
    for place in range(2):
        numbers = examples.numeric.copy()
        numbers[:, place] += 1
        other = dataclasses.replace(examples, numeric=numbers)
        assert np.mean(np.abs(model.predict_logits(other) - logits) > 1e-5) > 0.5, place

    # An id that no feature has counts as missing, on either side.
    ids = examples.categorical.copy()
    ids[:, [0, 4]] = 0
    missing = model.predict_logits(dataclasses.replace(examples, categorical=ids))
    for user, device in ((-1, 4), (9, -5), (2**31 - 1, -(2**31))):
        ids[:, 0], ids[:, 4] = user, device
        beyond = model.predict_logits(dataclasses.replace(examples, categorical=ids))
        np.testing.assert_array_equal(beyond, missing)

    # A list is a set: the order and the unused places of its values do not count.
    ids = examples.categorical.copy()
    ids[:, 1:4] = ids[:, [3, 1, 2]]
    turned = model.predict_logits(dataclasses.replace(examples, categorical=ids))
    np.testing.assert_allclose(turned, logits, atol=1e-5)

    # What is saved answers as before.
    checkpoint.save(model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert isinstance(loaded, type(model))
    assert loaded.layout == model.layout
    np.testing.assert_array_equal(loaded.predict_logits(examples), logits)
    assert checkpoint.compute_fingerprint(loaded) == checkpoint.compute_fingerprint(model)


@pytest.mark.parametrize("name", MODELS)
def test_numbers_alone_are_enough(name: str) -> None:
    layout = FeatureLayout((), ("price", "age"))
    model = MODELS[name](layout)
    numbers = np.random.default_rng(0).normal(0, 1, (8, 2)).astype(np.float32)
    assert np.ptp(model({"numeric": numbers})) > 1e-3


def test_a_list_is_the_mean_of_its_values(rows) -> None:
    student = rows.make(MODELS["logistic-regression"])
    table = student.embedding.table.numpy()[:, 0].astype(float)
    examples = rows.draw(1)
    examples.numeric[:] = 0
    for genres, used in (([2, 5, 0], [2, 5]), ([0, 0, 4], [4]), ([0, 0, 0], [0]), ([1, 6, 6],) * 2):
        examples.categorical[:] = [[3, *genres, 2, 1]]
        # The common table: user 0 to 8, genres 9 to 15, device 16 to 19, hour from 20.
        expected = (
            table[3] + np.mean([table[9 + genre] for genre in used]) + table[18] + table[21]
        ) + float(student.bias)
        assert student.predict_logits(examples)[0] == pytest.approx(expected, abs=1e-5), genres


def test_an_ensemble_is_the_weighted_mean_of_logits(rows) -> None:
    members = [rows.make(MODELS["logistic-regression"], seed=seed) for seed in range(2)]
    examples = rows.draw(9)
    expected = np.average(
        [member.predict_logits(examples) for member in members], axis=0, weights=[3, 1]
    )
    ensemble = RankingEnsemble(members, weights=[3, 1])
    np.testing.assert_allclose(ensemble.predict_logits(examples), expected, atol=1e-6)


def test_weights_of_members_prefer_the_better_model(rows) -> None:
    good, bad = (rows.make(MODELS["logistic-regression"], seed=seed) for seed in (0, 1))
    examples = rows.draw(800)
    random = np.random.default_rng(0)
    labels = (random.random(800) < good.predict_probabilities(examples)).astype(np.float32)
    weights = choose_member_weights([bad, good], dataclasses.replace(examples, labels=labels))
    assert sum(weights) == pytest.approx(1)
    assert weights[1] > 0.8


@pytest.mark.slow
def test_another_process_loads_every_model(rows, tmp_path: Path) -> None:
    """What this process has imported hides what `load` has to import."""
    ensemble = RankingEnsemble([rows.make(MODELS[name]) for name in ("mlp", "dcn")])
    checkpoint.save(ensemble, tmp_path / "model")
    code = (
        "import sys, pathlib\nfrom kd_tf.training import checkpoint\n"
        "print(type(checkpoint.load(pathlib.Path(sys.argv[1]))).__name__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.stdout == "RankingEnsemble\n", process.stderr


def test_members_must_agree(rows) -> None:
    click = rows.make(MODELS["logistic-regression"])
    rating = rows.make(MODELS["logistic-regression"], label_kind="rating")
    with pytest.raises(ValueError, match="same features and label"):
        RankingEnsemble([click, rating])


@pytest.mark.parametrize("mean", [0.02, 0.8])
@pytest.mark.parametrize("label_kind", ["click", "rating"])
def test_the_first_prediction_is_the_mean_label(mean: float, label_kind: str, rows) -> None:
    examples = dataclasses.replace(rows.draw(50), labels=np.full(50, mean, np.float32))
    rng.set_seed(0)
    for model_class in (MODELS["mlp"], MODELS["deep"]):
        model = model_class(rows.layout, label_kind=label_kind)
        model.prepare_fit(examples)
        probabilities = model.predict_probabilities(examples)
        assert np.mean(probabilities) == pytest.approx(mean, rel=0.3)
        assert 1 / (1 + np.exp(-float(model.bias))) == pytest.approx(mean, rel=1e-4)


def test_fit_goes_on_where_it_ended(rows) -> None:
    """As in Keras: two calls of one epoch each, and not a second start."""
    examples = rows.draw(64)
    student = rows.make(MODELS["logistic-regression"])
    student.bias.assign(1.5)
    student.compile("sgd")
    student.optimizer.learning_rate = 0.0
    student.fit(examples, epochs=1, verbose=0)
    assert float(student.bias) == pytest.approx(1.5)


def make_xor_rows(count: int, seed: int) -> RankingExamples:
    """Clicks where two features differ: neither says anything alone."""
    layout = FeatureLayout((CategoricalFeature("left", 4), CategoricalFeature("right", 4)), ())
    ids = np.random.default_rng(seed).integers(2, 4, (count, 2)).astype(np.int32)
    labels = (ids[:, 0] != ids[:, 1]).astype(np.float32)
    return RankingExamples(layout, ids, np.zeros((count, 0), np.float32), labels)


@pytest.mark.parametrize(
    "name",
    [*RANKING_STUDENTS, *(pytest.param(name, marks=pytest.mark.slow) for name in TEACHERS)],
)
def test_interactions_are_learnt_by_all_but_logistic_regression(name: str) -> None:
    rng.set_seed(0)
    train, test = make_xor_rows(256, seed=0), make_xor_rows(100, seed=1)
    arguments = {"hidden": (16,), "dropout": 0.0} if name in TEACHERS else {}
    model = MODELS[name](train.layout, **arguments)
    model.compile(keras.optimizers.Adam(0.03))
    history = model.fit(train, validation_data=test, epochs=10, batch_size=32, verbose=0).history
    accuracy = np.mean((model.predict_probabilities(test) > 0.5) == test.labels)
    if name == "logistic-regression":
        assert accuracy < 0.8
        assert history["val_log_loss"][-1] > 0.6
    else:
        assert accuracy == 1
        assert history["val_auc"][-1] == 1
        assert history["val_log_loss"][-1] < 0.2


def test_an_infinite_loss_stops_the_training(rows) -> None:
    from kd_tf.errors import UserError

    examples = rows.draw(64)
    examples.numeric[0] = np.inf
    student = rows.make(MODELS["logistic-regression"])
    student.compile("sgd")
    with pytest.raises(UserError, match=r"the loss is .* after epoch 1"):
        student.fit(examples, validation_data=rows.draw(9), epochs=2, verbose=0)


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        MODELS["mlp"](FeatureLayout((), ()))
    with pytest.raises(ValueError, match="click or rating"):
        MODELS["mlp"](FeatureLayout((), ("price",)), label_kind="stars")
    with pytest.raises(ValueError, match="hidden layers need"):
        MODELS["mlp"](FeatureLayout((), ("price",)), hidden=[])
