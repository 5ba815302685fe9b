"""Networks of keras.applications: built by name, with numbers from a file and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from kd_tf.encoders.images import keras_weights
from kd_tf.encoders.images.image_files import find_image
from kd_tf.encoders.images.registry import open_image_encoder
from kd_tf.errors import UserError

pytestmark = pytest.mark.slow

NAME = "MobileNet"


def build_network(alpha: float) -> Any:
    """Builds a network with its classifier and random weights."""
    from kd_tf.backend import keras

    keras.utils.set_random_seed(1)
    return keras.applications.MobileNet(
        alpha=alpha, input_shape=(224, 224, 3), weights=None, classes=7
    )


def find_features(network: Any) -> Any:
    """Returns the network up to its features."""
    return type(network)(network.input, network.get_layer(index=-6).output)


@pytest.fixture(scope="module")
def network() -> Any:
    return build_network(1.0)


@pytest.fixture(scope="module")
def folder(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights in all layouts, and a file of a network without a classifier."""
    folder = tmp_path_factory.mktemp("weights")
    network.save_weights(folder / "weights.h5")
    network.save(folder / "model.h5")
    network.save_weights(folder / "new.weights.h5")
    network.save(folder / "model.keras")
    find_features(network).save_weights(folder / "notop.h5")
    pixels = np.random.default_rng(0).integers(0, 256, (90, 60, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "cover.png")
    return folder


def check_features(network: Any, weights: Path) -> None:
    from kd_tf.backend import keras

    encoder = open_image_encoder(f"{NAME}:{weights}")
    pixels = np.random.default_rng(2).integers(0, 256, (2, 224, 224, 3), np.uint8)
    images = keras.applications.mobilenet.preprocess_input(pixels.astype(np.float32))
    expected = np.asarray(find_features(network)(images, training=False)).mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.encode_pixels(pixels), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "file", ["weights.h5", "model.h5", "new.weights.h5", "model.keras", "notop.h5"]
)
def test_features_are_those_of_the_network_before_its_classifier(
    network: Any, folder: Path, file: str
) -> None:
    check_features(network, folder / file)


def test_the_weights_show_how_wide_the_network_is(tmp_path: Path) -> None:
    narrow = build_network(0.5)
    narrow.save_weights(tmp_path / "narrow.h5")
    check_features(narrow, tmp_path / "narrow.h5")


def test_vectors_of_files_have_length_1_and_other_weights_are_another_encoder(
    network: Any, folder: Path, tmp_path: Path
) -> None:
    encoder = open_image_encoder(f"{NAME}:{folder / 'notop.h5'}")
    (vector,) = encoder.encode([find_image("cover.png", [folder])])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    content = (folder / "notop.h5").read_bytes()
    (tmp_path / "other.h5").write_bytes(content + b"\0")
    other = open_image_encoder(f"{NAME}:{tmp_path / 'other.h5'}")
    assert encoder.fingerprint != other.fingerprint


def write_h5(path: Path, **datasets: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MobileNetV9:{folder}/weights.h5", "no network 'MobileNetV9'.*\n.*MobileNetV"),
        ("os:{folder}/weights.h5", "no network 'os'"),
        ("MobileNet:{folder}/missing.h5", "no such file with weights\n.*never downloaded"),
        ("MobileNet:{folder}", "no such file with weights"),
        ("MobileNetV2", "no image encoder 'MobileNetV2'\n.*MobileNetV2:weights.h5"),
        ("MobileNetV2:", "no image encoder"),
        ("resnet", "no image encoder 'resnet'"),
        ("VGG16:{folder}/weights.h5", "no weights of VGG16: "),
        ("MobileNet:{folder}/text.h5", "no readable file with weights of Keras"),
        ("MobileNet:{folder}/cut.h5", "no readable file with weights of Keras"),
        ("MobileNet:{folder}/other.h5", "no readable file with weights of Keras.*layer_names"),
        ("MobileNet:{folder}/empty.keras", "no readable file with weights of Keras"),
        ("MobileNet:{folder}/link.h5", "the file itself has no"),
    ],
)
def test_what_is_no_file_of_weights_is_said(folder: Path, name: str, message: str) -> None:
    (folder / "text.h5").write_text("weights")
    (folder / "cut.h5").write_bytes((folder / "weights.h5").read_bytes()[:20_000])
    write_h5(folder / "other.h5", x=np.zeros(3))
    with zipfile.ZipFile(folder / "empty.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with h5py.File(folder / "link.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1"]
        file["conv1"] = h5py.ExternalLink(str(folder / "weights.h5"), "/conv1")
    with pytest.raises(UserError, match=f"(?s){message}"):
        open_image_encoder(name.format(folder=folder))


def test_numbers_in_another_file_are_refused(network: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(216))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = [b"Conv1"]
        group = file.create_group("Conv1")
        group.attrs["weight_names"] = [b"kernel"]
        group.create_dataset(
            "kernel", (3, 3, 3, 2), np.float32, external=[(str(tmp_path / "secret"), 0, 216)]
        )
    with pytest.raises(UserError, match="kernel lies in another file"):
        keras_weights.load_weights(network, tmp_path / "x.h5")
