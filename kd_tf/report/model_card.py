"""MODEL_CARD.md of the bundle: what the model is, how good, and what it must not be used for.

The sections follow Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from __future__ import annotations

import re

from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT
from kd_tf.data.splits.published import PUBLISHED
from kd_tf.data.splits.random_holdout import RANDOM
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.splits.unseen_users import UNSEEN_USERS
from kd_tf.report.results import ComparisonResult, ModelResult, Results
from kd_tf.runtime.bundle import CONTRACT_VERSION
from kd_tf.tflite.artifact import Artifact

METRICS = ("ndcg@10", "recall@10", "recall@20", "coverage@10", "novelty@10")
"""What the table shows; results.json has every metric."""

PROTOCOL_DESCRIPTIONS = {
    UNSEEN_USERS: "the test readers are nowhere in training; a part of each one's books is "
    "hidden, and a model has to find them among all books of the catalogue",
    LEAVE_ONE_OUT: "the last book of each reader is hidden, and a model that learnt from the "
    "earlier ones has to find it among all books of the catalogue",
    TEMPORAL: "all that was read after one moment is hidden, and a model that learnt from what was "
    "read before has to find it among all books of the catalogue",
    RANDOM: "a random share of each reader's books is hidden, and a model that learnt from the "
    "others has to find them among all books of the catalogue",
    PUBLISHED: "the division is its publisher's; a model has to find the test books among all books of "
    "the catalogue",
}


def render(results: Results) -> str:
    """Markdown from a run's figures; names that come from data are escaped."""
    sections = [
        f"# Book recommender: {escape(results.dataset.name)}",
        _describe_model(results.shipped_artifact),
        _describe_intended_use(),
        _describe_data(results),
        _describe_training(results),
        _describe_metrics(results),
        _describe_cost(results),
        _describe_limitations(),
        _describe_privacy(),
        _describe_versions(results),
    ]
    return "\n\n".join(sections) + "\n"


def escape(text: str) -> str:
    """`text` as one line of Markdown that shows every character as it is."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", line)


def _describe_model(shipped: Artifact) -> str:
    signatures = ", ".join(f"`{name}`" for name in shipped.signatures)
    return f"""\
A small neural network that gets the books that a reader has read and names those to read next.
It was distilled from a larger teacher and runs on the device, as `model.tflite`
({escape(shipped.quantization)}, {shipped.bytes:,} bytes, signatures {signatures})."""


def _describe_intended_use() -> str:
    return """\
## Intended use

Ranking the books of this one catalogue for one reader in an app, a shop or a library: what to
read next, and what is like a given book. It is made for suggestions that a person looks at. It
is not made to judge people, to decide for them, or to guess anything else about them."""


def _describe_data(results: Results) -> str:
    data = results.dataset
    protocol = f"`{data.protocol}`"
    if data.protocol in PROTOCOL_DESCRIPTIONS:
        protocol += f": {PROTOCOL_DESCRIPTIONS[data.protocol]}"
    lines = [
        "## Data",
        "",
        f"- Name: {escape(data.name)}",
        f"- Readers: {data.users:,}; books: {data.items:,}; interactions: {data.interactions:,}",
        f"- Readers who train: {data.train_users:,}; who choose (when to stop, which file): "
        f"{data.validation_users:,}; who judge: {data.test_users:,}",
        f"- Protocol: {protocol}",
        f"- Seed: {data.seed}",
    ]
    lines += [
        f"- Cleaning, {escape(step['name'])}: "
        f"{step['before']['interactions'] - step['after']['interactions']:,} interactions and "
        f"{step['before']['users'] - step['after']['users']:,} readers left out"
        for step in data.cleaning
    ]
    lines += [f"- Note: {escape(note)}" for note in data.notes]
    return "\n".join(lines)


def _describe_training(results: Results) -> str:
    teacher = _filter_by_role(results, "teacher")
    student = _filter_by_role(results, "student")
    shipped = results.shipped_artifact
    kinds = ", ".join(
        dict.fromkeys(f"{one.kind}, {one.parameters:,} parameters" for one in student)
    )
    pruned = (
        f"{shipped.sparsity:.1%} of the numbers in its dense core are zero after magnitude pruning"
        if shipped.sparsity
        else "its dense core was not pruned"
    )
    steps = [
        f"Teacher: {escape(one.kind)}, {one.parameters:,} parameters, trained on the histories of "
        "the training readers."
        for one in teacher
    ]
    steps += [
        f"Student: {escape(kinds)}, trained on the same books and on what the teacher thinks of "
        "them (soft targets).",
        f"Pruning: {pruned}.",
        f"Quantization: {escape(shipped.quantization)}, chosen on the validation readers or by "
        "the configuration, never on the test readers.",
    ]
    numbered = [f"{place}. {step}" for place, step in enumerate(steps, start=1)]
    return "\n".join(["## How it was made", "", *numbered])


def _describe_metrics(results: Results) -> str:
    shipped = results.shipped_artifact
    rows = [("**model.tflite** (this file)", shipped.bytes, shipped.metrics)]
    for role in ("student", "teacher", "baseline"):
        rows += [
            (_format_model_name(one), one.bytes, one.metrics)
            for one in _filter_by_role(results, role)
        ]
    headings = ["", *(_format_heading(name) for name in METRICS), "bytes"]
    lines = [
        "## Figures",
        "",
        f"On the {results.dataset.test_users:,} test readers; this file by running it.",
        "",
        f"| {' | '.join(headings)} |",
        f"|---|{'---:|' * (len(headings) - 1)}",
    ]
    for name, size, metrics in rows:
        figures = [f"{metrics[metric]:.4f}" for metric in METRICS]
        lines.append(f"| {' | '.join([name, *figures, f'{size:,}'])} |")
    lines += ["", "Recall divides by all books held out. Novelty is in bits."]
    if results.comparisons:
        lines += ["", *(f"- {_format_comparison(one)}" for one in results.comparisons)]
    return "\n".join(lines)


def _describe_cost(results: Results) -> str:
    one = results.shipped_artifact
    threads = round(one.latency_us["threads"])
    machine = escape(results.environment.get("machine", "unknown"))
    return f"""\
## Parity, speed and size

- Parity with the student in Keras over {one.parity["histories"]:,} histories:
  {one.parity["top10_overlap"]:.4f} of the ten best books are the same, scores differ by
  {one.parity["max_score_error"]:.2g} at most.
- One answer: {one.latency_us["p50"]:.0f} µs in the median, {one.latency_us["p90"]:.0f} µs at the
  90th and {one.latency_us["p99"]:.0f} µs at the 99th percentile, {threads} \
thread{"" if threads == 1 else "s"}; memory: {one.peak_memory_bytes:,} bytes.
  Both were measured on the machine that exported the file ({machine}): a phone differs.
- Size: {one.bytes:,} bytes. The weights alone need {one.floor_bytes:,} bytes in this form (the
  floor); the file is {one.bytes / one.floor_bytes:.3f} times that."""


def _describe_limitations() -> str:
    return """\
## Limits

- It has learnt from these readers only. Other readers, countries and times read otherwise.
- Books that many read are recommended more often than they deserve, and books that few read
  less often. Compare coverage and novelty above.
- A book that is not in the catalogue is unknown to it; new books need a new training. A book
  that hardly anybody read stands in the catalogue without being recommended well.
- Of a history longer than the model's (`history_length` in `config.json`) only the newest books
  count.
- The figures say how well hidden books were found again. They do not say how much readers like
  what they would not have found themselves."""


def _describe_privacy() -> str:
    return """\
## Privacy

The model runs where the history is: a reader's history never has to leave the device. The
bundle holds no reader's history and no reader's name. Like every learnt model it holds what many
readers have in common; where a book was read by one or two training readers only, `similar` may
hint at what else they read."""


def _describe_versions(results: Results) -> str:
    lines = [
        "## Versions",
        "",
        f"- Contract: {CONTRACT_VERSION}",
        f"- Least TensorFlow Lite runtime: {escape(results.shipped_artifact.min_runtime_version)}",
    ]
    lines += [f"- {escape(name)}: {escape(value)}" for name, value in results.environment.items()]
    return "\n".join(lines)


def _filter_by_role(results: Results, role: str) -> list[ModelResult]:
    # The best comes first within a role, as in a ranking.
    found = [one for one in results.models if one.role == role]
    return sorted(found, key=lambda one: -one.metrics["ndcg@10"])


def _format_model_name(model: ModelResult) -> str:
    same = model.kind == model.name
    return escape(model.name if same else f"{model.name} ({model.kind})")


def _format_heading(metric: str) -> str:
    name, k = metric.split("@")
    return f"{'NDCG' if name == 'ndcg' else name.capitalize()}@{k}"


def _format_comparison(one: ComparisonResult) -> str:
    note = " (less than two standard errors)" if one.verdict == "not distinguishable from" else ""
    return (
        f"{escape(one.model)} is {one.verdict} {escape(one.reference)}{note}: {one.metric} "
        f"{one.difference:+.4f}, paired standard error {one.standard_error:.4f}, "
        f"{one.num_users:,} readers"
    )
