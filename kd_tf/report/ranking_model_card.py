"""Renders MODEL_CARD.md of a bundle of the ranking task.

The sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from kd_tf.report.model_card import escape
from kd_tf.report.ranking_results import RankingResults

PROTOCOL_DESCRIPTIONS = {
    "random": "the test rows were drawn at random",
    "temporal": "the test rows are the latest ones",
    "unseen-users": "the users of the test rows are not in the training rows",
    "cold-items": "the items of the test rows are not in the training rows",
    "published": "the split was published with the data",
}


def render(results: RankingResults) -> str:
    """Renders the model card as Markdown; names that come from the data are escaped."""
    dataset, artifact = results.dataset, results.shipped_artifact
    label = dataset.label
    what = "the probability of a click" if label["kind"] == "click" else "a rating"
    columns = [column for column in dataset.columns if column["kind"] not in ("label", "ignored")]
    rows = [
        f"| {escape(name)} | {size:,} | "
        + " | ".join(f"{value:.4f}" for value in metrics.values())
        + " |"
        for name, size, metrics in [
            *((model.name, model.bytes, model.metrics) for model in results.models),
            (f"{artifact.name}.tflite (this file)", artifact.bytes, artifact.metrics),
        ]
    ]
    names = list(artifact.metrics)
    sections = [
        f"# Prediction of {escape(label['name'])}: {escape(dataset.name)}",
        f"""\
A small model that predicts {what} from the features of a row. It was distilled from a larger
teacher and runs on the device, as `model.tflite` ({escape(artifact.quantization)},
{artifact.bytes:,} bytes, signatures {", ".join(f"`{name}`" for name in artifact.signatures)}).
`features.json` says how a row of raw values is encoded.""",
        f"""\
## Training data

{dataset.rows:,} rows, {dataset.train_rows:,} for training. Columns: \
{", ".join(f"{escape(column['name'])} ({column['kind']})" for column in columns)}.""",
        f"""\
## Quality

Measured by running the file on {dataset.test_rows:,} test rows that chose nothing:
{PROTOCOL_DESCRIPTIONS.get(dataset.protocol, escape(dataset.protocol))} (seed {dataset.seed}).

| model | bytes | {" | ".join(names)} |
|---|---|{"---|" * len(names)}
"""
        + "\n".join(rows),
        f"""\
## Cost

{artifact.latency_us["p50"]:.0f} microseconds per row (median, one thread, on the machine of the
run). Needs TensorFlow Lite {escape(artifact.min_runtime_version)} or later.""",
        """\
## Limitations

Values that training has not seen count as unknown. The predictions are those of the past: prices,
tastes and layouts change, and a model that chooses what people see changes what they click on.
Check that errors are equally rare for all groups of people before you decide by it.""",
    ]
    return "\n\n".join(sections) + "\n"
