"""Files that do not answer like their student: which stop a run, and which it leaves out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import kd_tf as kd
from kd_tf import config
from kd_tf.errors import ParityError, UserError
from kd_tf.pipeline.stages import export
from kd_tf.progress import NullProgress
from kd_tf.tflite.artifact import Artifact


class Messages(NullProgress):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def info(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture(scope="module")
def split():
    return kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)


@pytest.fixture(scope="module")
def student(split):
    model = kd.models.MLPStudent(split.num_items, max_length=5, embedding_dim=4)
    model.create_weights()
    return model


@pytest.fixture
def export_all(split, student, monkeypatch, tmp_path):
    """``export_all(refused, **settings)``: a run's export in which these files do not pass."""

    def export_files(refused: set[str], **settings):
        def export_artifact(context, item_order, statistics, quantization, folder):
            name = quantization.value
            if name in refused:
                raise ParityError("recommend is wrong")
            values = dict.fromkeys(Artifact.__dataclass_fields__, 0)
            return Artifact(**{**values, "name": name, "signatures": [], "metrics": {}})

        def build_once(folder, key, build):
            folder.mkdir()
            build(folder)

        monkeypatch.setattr(export, "_export_artifact", export_artifact)
        monkeypatch.setattr(
            export, "read_record", lambda path, kind: [path.read_text(encoding="utf-8")]
        )
        context = SimpleNamespace(
            folder=tmp_path,
            cache=SimpleNamespace(make_key=lambda **parts: "key", build_once=build_once),
            settings=config.from_values({"export": settings}),
            split=split,
            statistics=None,
            progress=Messages(),
        )
        (record,) = export.export_artifacts(context, student)
        names = ("float32", "float16", "dynamic-int8", "int8", "int4")
        return [name for name in names if f'"{name}"' in record], context.progress.messages

    return export_files


def test_int8_and_int4_are_left_out_with_a_message_where_nobody_named_them(export_all):
    names, messages = export_all({"int8", "int4"})
    assert names == ["float32", "float16", "dynamic-int8"]
    assert messages == [f"{name} is skipped: recommend is wrong" for name in ("int8", "int4")]


@pytest.mark.parametrize(
    ("refused", "settings"),
    [
        ("float16", {}),
        ("dynamic-int8", {}),
        ("int8", {"quantizations": ["float32", "int8"]}),
        ("int4", {"quantizations": ["int4"]}),
    ],
)
def test_every_other_file_that_does_not_pass_stops_the_run(export_all, refused, settings):
    with pytest.raises(ParityError, match="recommend is wrong"):
        export_all({refused}, **settings)


def test_a_file_that_was_left_out_cannot_be_bundled():
    context = SimpleNamespace(
        settings=config.from_values({"export": {"bundle_quantization": "int8"}})
    )
    artifacts = [SimpleNamespace(name="float32"), SimpleNamespace(name="dynamic-int8")]
    with pytest.raises(
        UserError, match=r"no int8 file(.|\n)*Use one of auto, float32, dynamic-int8"
    ):
        export.choose_artifact(context, artifacts)
