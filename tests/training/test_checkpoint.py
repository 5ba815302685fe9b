import json

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.errors import UserError
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers import TRAINED_TEACHERS
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.npz import read_npz, write_npz
from kd_tf.training import checkpoint

V, L = 40, 8
KINDS = {**TRAINED_TEACHERS, **TRAINED_STUDENTS}
histories = tf.constant([[3, 1, 4, 0, 0, 0, 0, 0], [0] * L, list(range(1, L + 1))])


@pytest.fixture
def saved(tiny, tmp_path):
    """A folder with a saved student."""
    checkpoint.save(tiny(MLPStudent), tmp_path / "student")
    return tmp_path / "student"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_loaded_model_gives_identical_scores(kind, tiny, tmp_path):
    model = tiny(kind, name="bookworm")
    checkpoint.save(model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert type(loaded) is kind
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(histories), model(histories))
    assert checkpoint.compute_fingerprint(loaded) == checkpoint.compute_fingerprint(model)


def test_a_model_that_was_trained_and_evaluated_loads_like_a_fresh_one(tiny, tmp_path):
    model = tiny(MLPStudent)
    model.compile(optimizer=keras.optimizers.Adam())
    targets = tf.constant([[9], [8], [20]])
    model.fit(tf.data.Dataset.from_tensors((histories, {"targets": targets})), verbose=0)
    checkpoint.save(model, tmp_path / "model")
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "model")(histories), model(histories))


def test_saving_takes_the_place_of_what_was_there_and_leaves_nothing_beside_it(tiny, saved):
    other = tiny(MLPStudent, seed=1)
    checkpoint.save(other, saved)
    np.testing.assert_array_equal(checkpoint.load(saved)(histories), other(histories))
    assert [path.name for path in saved.parent.iterdir()] == ["student"]
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "weights.npz"]


def test_a_save_that_fails_keeps_the_model_that_was_there(tiny, saved, monkeypatch):
    before = checkpoint.load(saved)(histories)
    monkeypatch.setattr(checkpoint, "compute_fingerprint", lambda model: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoint.save(tiny(MLPStudent, seed=1), saved)
    monkeypatch.undo()
    np.testing.assert_array_equal(checkpoint.load(saved)(histories), before)
    assert [path.name for path in saved.parent.iterdir()] == ["student"]


def refused(folder) -> UserError:
    with pytest.raises(UserError) as error:
        checkpoint.load(folder)
    assert error.value.where == str(folder)
    assert error.value.hint
    return error.value


def test_a_missing_folder_or_file_is_refused(saved, tmp_path):
    refused(tmp_path / "nowhere")
    (saved / "weights.npz").unlink()
    refused(saved)


def test_a_missing_description_is_refused(saved):
    (saved / "model.json").unlink()
    refused(saved)


@pytest.mark.parametrize("cut", [0, 100, -100])
def test_a_weights_file_that_was_cut_off_is_refused(saved, cut):
    path = saved / "weights.npz"
    path.write_bytes(path.read_bytes()[:cut])
    refused(saved)


def test_weights_that_were_changed_afterwards_are_refused(saved):
    arrays = read_npz(saved / "weights.npz")
    table = next(array for array in arrays.values() if array.shape == (V + 1, 6))
    table[5, 2] += 1e-4
    write_npz(saved / "weights.npz", arrays)
    assert "do not match the saved fingerprint" in refused(saved).what


def test_the_weights_of_another_model_of_the_same_shape_are_refused(tiny, saved, tmp_path):
    checkpoint.save(tiny(MLPStudent, seed=1), tmp_path / "other")
    (tmp_path / "other" / "weights.npz").replace(saved / "weights.npz")
    assert "do not match the saved fingerprint" in refused(saved).what


@pytest.mark.parametrize("kind", ["gru", "shallow-cnn"])
def test_weights_under_the_description_of_another_kind_are_refused(kind, tiny, saved, tmp_path):
    checkpoint.save(tiny(KINDS[kind]), tmp_path / "other")
    (tmp_path / "other" / "model.json").replace(saved / "model.json")
    refused(saved)


def edited(folder, change) -> None:
    description = json.loads((folder / "model.json").read_text("utf-8"))
    description = change(description) or description
    (folder / "model.json").write_text(json.dumps(description), "utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["model"]["config"].update(num_items=V + 1),
        lambda d: d["model"]["config"].update(num_items=-1),
        lambda d: d["model"]["config"].update(hidden="wide"),
        lambda d: d["model"]["config"].pop("max_length"),
        lambda d: d["model"].update(config=None),
        lambda d: d["model"].update(class_name="Nobody", registered_name="kd_tf>Nobody"),
        lambda d: d.update(model=keras.saving.serialize_keras_object(keras.layers.Dense(3))),
        lambda d: d["model"]["config"].update(num_items=10**9),
        lambda d: d["model"]["config"].update(embedding_dim=10**9),
        lambda d: d.update(model="mlp"),
        lambda d: d.update(model=None),
        lambda d: d.update(fingerprint="0" * 64),
        lambda d: d.pop("fingerprint"),
        lambda d: ["not", "an", "object"],
    ],
    ids=range(14),
)
def test_a_description_that_does_not_fit_is_refused(saved, change):
    edited(saved, change)
    refused(saved)


def test_a_description_that_is_not_json_is_refused(saved):
    for content in (b"", b"{", b"\xff\xfe\x00"):
        (saved / "model.json").write_bytes(content)
        refused(saved)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_fingerprint_changes_with_every_weight_and_not_with_the_name(kind, tiny):
    model = tiny(kind)
    same = checkpoint.compute_fingerprint(tiny(kind, name="another"))
    assert checkpoint.compute_fingerprint(model) == same
    actual = {same}
    for weight in checkpoint.get_inference_weights(model):
        changed = np.atleast_1d(weight.numpy())
        changed.flat[-1] += 1 if weight.dtype.is_integer else 1e-3
        weight.assign(changed.reshape(weight.shape))
        actual.add(checkpoint.compute_fingerprint(model))
    assert len(actual) == 1 + len(checkpoint.get_inference_weights(model)) > 1 + len(model.metrics)


def test_what_the_metrics_counted_is_no_part_of_the_fingerprint(tiny):
    model = tiny(MLPStudent)
    before = checkpoint.compute_fingerprint(model)
    model.metrics[0].update_state(3.0)
    assert checkpoint.compute_fingerprint(model) == before
    assert {id(weight) for weight in model.trainable_weights} <= {
        id(weight) for weight in checkpoint.get_inference_weights(model)
    }


def test_models_that_differ_in_their_configuration_alone_have_other_fingerprints(tiny):
    parts = [tiny(MLPStudent), tiny(MLPStudent)]

    def blend(weights):
        model = WeightedEnsemble(members=parts, weights=weights)
        model.create_weights()
        return checkpoint.compute_fingerprint(model)

    assert blend([1.0, 2.0]) == blend([1.0, 2.0]) != blend([1.0, 3.0])
