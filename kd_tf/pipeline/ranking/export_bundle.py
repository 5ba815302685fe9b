"""Exports a student of the ranking task as a bundle that an app opens: ``kd.export_ranking``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_tf.choices import RankingQuantization, list_choices
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.errors import UserError
from kd_tf.evaluation.prediction_validation import PredictionValidation
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.ranking.evaluate_ranker import evaluate_ranker, make_file_predict_fn
from kd_tf.pipeline.ranking.export_file import export_ranking_file
from kd_tf.report.model_card import escape
from kd_tf.runtime.bundle_files import check_bundle_folder
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.ranker_bundle import RankerBundle, RankerConfig, write_ranker_bundle
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.parity import PredictionParity

DEFAULT_BATCH_SIZE = 64


def export_ranking_bundle(
    student: RankingModel,
    folder: str | Path,
    *,
    split: RankingSplit,
    quantization: str = "dynamic-int8",
    batch_size: int = DEFAULT_BATCH_SIZE,
    name: str | None = None,
    notes: Sequence[str] = (),
) -> RankerBundle:
    """Converts a student, compares the file with it, measures the file, and writes the bundle.

    Args:
        student: The trained student.
        folder: The bundle's folder: new, empty, or an earlier bundle, which is replaced as a whole,
            and only if everything succeeds.
        split: The rows that the student was trained on (`kd_tf.data.read_ranking_split`): its
            schema encodes the rows of the app, training rows calibrate int8, validation rows choose
            the threshold of a click, and on test rows the file is checked and measured.
        quantization: ``float32``, ``float16``, ``dynamic-int8`` or ``int8``.
        batch_size: B, the rows of one call of ``predict_batch``.
        name: Display name of the model; by default that of the data set.
        notes: What the model card says besides, one paragraph each.

    Returns:
        The bundle, opened and verified.

    Raises:
        ParityError: The file does not predict like the student.
        UserError: The folder has other files, the rows have other features than the student, or
            they were encoded without a schema.
        ValueError: There is no such quantization.

    Example:
        >>> import tempfile
        >>> import kd_tf as kd
        >>> from kd_tf.data.synthetic.clicks import generate_clicks
        >>> from kd_tf.models.ranking.students.mlp import RankingMLPStudent
        >>> log = generate_clicks(num_impressions=2000, seed=1)
        >>> split = kd.data.read_ranking_split(log.frame, label="clicked")
        >>> student = RankingMLPStudent(split.train.layout, embedding_dim=2, hidden=(4,))
        >>> student.compile(optimizer="adam")
        >>> history = student.fit(split.train, epochs=1, verbose=0)
        >>> bundle = kd.export_ranking(student, tempfile.mkdtemp() + "/bundle", split=split)
        >>> bundle.config.quantization, "auc" in bundle.config.metrics
        ('dynamic-int8', True)
    """
    check_bundle_folder(Path(folder))
    quantizations = list_choices(RankingQuantization)
    if quantization not in quantizations:
        raise ValueError(
            f"there is no quantization {quantization!r}; choose from {', '.join(quantizations)}"
        )
    if split.schema is None:
        raise make_schema_error()
    content, parity = export_ranking_file(
        student,
        Quantization(quantization),
        train=split.train,
        test=split.test,
        batch_size=batch_size,
        seed=split.seed,
    )
    model = PredictionModel(content)
    validation_metric = PredictionValidation(split.validation, split.label)
    evaluation = evaluate_ranker(
        make_file_predict_fn(model, student.layout), split, validation_metric
    )
    threshold = evaluation.test.threshold
    schema = split.schema.select_features(student.layout)
    config = RankerConfig(
        name=name or split.name,
        num_places=schema.layout.num_places,
        num_numeric=schema.layout.num_numeric,
        batch_size=batch_size,
        signatures=tuple(model.signatures),
        min_runtime_version=model.min_runtime_version,
        quantization=quantization,
        threshold=0.5 if threshold is None else threshold,
        metrics=evaluation.test.metrics,
        dataset={
            "name": split.name,
            "rows": len(split.train) + len(split.validation) + len(split.test),
            "protocol": split.protocol,
            "seed": split.seed,
        },
    )
    return write_ranker_bundle(
        Path(folder),
        model=content,
        schema=schema,
        config=config,
        model_card=_describe(config, len(content), parity, split, notes),
        check=Ranker.from_bundle,
    )


def make_schema_error() -> UserError:
    """Returns the error for rows that were encoded without a schema."""
    return UserError(
        "the rows were encoded without a schema, so that no app can encode them",
        hint="Make the split with read_ranking_split.",
    )


def _describe(
    config: RankerConfig,
    num_bytes: int,
    parity: PredictionParity,
    split: RankingSplit,
    notes: Sequence[str],
) -> str:
    """Writes the model card of a student that was exported without a run."""
    lines = [
        f"# Prediction of {escape(split.label.name)}: {escape(config.name)}",
        "",
        f"`model.tflite`: {config.quantization}, {num_bytes:,} bytes, signatures "
        f"{', '.join(config.signatures)}; needs TensorFlow Lite {config.min_runtime_version} or "
        "later. `features.json` says how a row of raw values is encoded.",
        "",
        f"Compared with the Keras student on {parity.rows:,} rows: predictions differ by at most "
        f"{parity.max_error:.2g}, {parity.mean_error:.2g} on average.",
    ]
    for note in notes:
        lines += ["", note]
    lines += [
        "",
        f"Measured by running the file on {len(split.test):,} test rows:",
        "",
        "| metric | value |",
        "|---|---:|",
        *(f"| {escape(name)} | {value:.4f} |" for name, value in config.metrics.items()),
    ]
    return "\n".join(lines) + "\n"
