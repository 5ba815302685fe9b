"""Encoders: the laws that all keep, and what the files of packages and folders hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kd_tf.encoders.base import TextEncoder, normalize_rows
from kd_tf.encoders.registry import ENCODERS, open_encoder
from kd_tf.errors import UserError

TEXTS = [
    "The Hobbit by J. R. R. Tolkien",
    "A cookbook of soups",
    "Der Hobbit",
    "soups and stews, a cookbook",
    "Quixote \N{SNOWMAN} \ud800 ﷽",
    "word",
    "the Hobbit " * 3000,
    "<b>The</b> Hobbit",
]


def make_dense(vectors) -> np.ndarray:
    return vectors if isinstance(vectors, np.ndarray) else vectors.toarray()


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    return open_encoder(request.param).fit(TEXTS)


def test_rows_have_length_one_and_blank_texts_none(encoder: TextEncoder) -> None:
    vectors = make_dense(encoder.encode([*TEXTS, "", " \n\t"]))
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert lengths[0] > 0.99
    assert lengths[-2:].tolist() == [0, 0]


def test_the_vector_of_a_text_depends_on_nothing_beside_it(encoder: TextEncoder) -> None:
    texts = [text for text in TEXTS if len(text) < 100]
    together = make_dense(encoder.encode(texts))
    for row, text in enumerate(texts):
        np.testing.assert_allclose(make_dense(encoder.encode([text]))[0], together[row], atol=0.03)


def test_texts_on_the_same_subject_are_closer(encoder: TextEncoder) -> None:
    vectors = make_dense(encoder.encode(TEXTS))
    assert vectors[1] @ vectors[3] > vectors[1] @ vectors[0] + 0.1


def test_fingerprints_tell_encoders_apart() -> None:
    assert len({open_encoder(name).fingerprint for name in ENCODERS}) == len(ENCODERS)


def test_the_multilingual_encoder_knows_a_text_and_its_translation() -> None:
    encoder = open_encoder("multilingual")
    vectors = make_dense(
        encoder.encode(["a story of the sea", "une histoire de la mer", "un livre de cuisine"])
    )
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_numbers_that_are_not_finite_become_zero() -> None:
    rows = normalize_rows(np.array([[np.inf, 1], [2, 0], [np.nan, 0]], np.float32))
    assert rows.tolist() == [[0, 0], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", "hub is not downloaded"),
        ("word2vec", "Choose from tfidf"),
        ("", "no encoder"),
    ],
)
def test_what_is_no_encoder_is_refused_and_never_fetched(name: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        open_encoder(name)


def test_a_file_is_no_encoder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(UserError, match="an encoder is a folder"):
        open_encoder(str(tmp_path / "model.onnx"))


TOKENIZER = {
    "version": "1.0",
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {
        "type": "WordLevel",
        "vocab": {"[UNK]": 0, "red": 1, "fish": 2},
        "unk_token": "[UNK]",
    },
}


def write_static_table(folder: Path) -> None:
    from safetensors.numpy import save_file

    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    table = np.array([[0, 0, 1], [3, 0, 0], [0, 4, 0]], np.float16)
    save_file({"embeddings": table}, folder / "model.safetensors")


def write_onnx_model(folder: Path) -> None:
    """A "transformer" that looks up a row of its own for every token."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    table = numpy_helper.from_array(
        np.array([[0, 0, 9], [1, 0, 0], [0, 3, 0]], np.float32), name="table"
    )
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "encoder",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "t", 3])],
        [table],
    )
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, folder / "model.onnx")


def test_a_folder_with_a_static_table(tmp_path: Path) -> None:
    write_static_table(tmp_path)
    encoder = open_encoder(str(tmp_path))
    # The mean of (3, 0, 0) and (0, 4, 0), of length 1.
    np.testing.assert_allclose(encoder.encode(["red fish"]), [[0.6, 0.8, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (None, [0.6, 0.8, 0]),
        ({"pooling_mode_mean_tokens": True}, [0.6, 0.8, 0]),
        ({"pooling_mode_cls_token": True}, [1, 0, 0]),
    ],
)
def test_a_folder_with_an_onnx_model(tmp_path: Path, pooling: dict | None, expected) -> None:
    write_onnx_model(tmp_path)
    if pooling is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    encoder = open_encoder(str(tmp_path))
    # Padding beside a longer text changes nothing: (4 * red + fish) / 5 has this direction too.
    vectors = encoder.encode(["red red red red fish", "fish fish fish fish fish fish fish"])
    mean = np.array([4 / 5, 3 / 5, 0])
    want = mean / np.linalg.norm(mean) if expected[1] else expected
    np.testing.assert_allclose(vectors[0], want, atol=1e-6)
    np.testing.assert_allclose(vectors[1], [0, 1, 0], atol=1e-6)


def test_a_kind_of_pooling_that_is_not_known_is_refused(tmp_path: Path) -> None:
    write_onnx_model(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(UserError, match="pooling_mode_max_tokens is not supported"):
        open_encoder(str(tmp_path))


@pytest.mark.slow
def test_a_folder_with_a_saved_model(tmp_path: Path) -> None:
    from kd_tf.backend import keras, tf

    layer = keras.layers.TextVectorization(vocabulary=["red", "fish"], output_mode="count")
    model = keras.Sequential([keras.Input((1,), dtype=tf.string), layer])
    model.export(str(tmp_path / "mine"))
    encoder = open_encoder(str(tmp_path / "mine"))
    np.testing.assert_allclose(encoder.encode(["red red", "fish"]), [[0, 1, 0], [0, 0, 1]])


def break_json(folder: Path) -> None:
    write_onnx_model(folder)
    (folder / "tokenizer.json").write_text("{")


def break_onnx(folder: Path) -> None:
    write_onnx_model(folder)
    (folder / "model.onnx").write_bytes(b"no model")


def break_weights(folder: Path) -> None:
    write_static_table(folder)
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)


def leave_out_onnx(folder: Path) -> None:
    write_static_table(folder)
    (folder / "config.json").write_text('{"num_hidden_layers": 6}')


def break_saved_model(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"no graph")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (break_json, "no tokenizer"),
        (break_onnx, "ONNX Runtime cannot open"),
        (break_weights, "safetensors"),
        (leave_out_onnx, "no ONNX file"),
        (break_saved_model, "cannot load this SavedModel"),
        (lambda folder: None, "holds no text encoder"),
    ],
)
def test_a_folder_that_is_no_encoder_is_explained(tmp_path: Path, spoil, match: str) -> None:
    spoil(tmp_path)
    with pytest.raises(UserError, match=match):
        open_encoder(str(tmp_path))


def test_a_model_that_takes_no_tokens_is_refused(tmp_path: Path) -> None:
    import onnx

    write_onnx_model(tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.input[1].name = "pixels"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="a text encoder takes input_ids"):
        open_encoder(str(tmp_path))
