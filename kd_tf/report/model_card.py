"""Renders MODEL_CARD.md of the bundle: what the model is, its quality, intended use and limits.

The sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

import re

from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.data.splits.cold_users import COLD_USERS
from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT
from kd_tf.data.splits.published import PUBLISHED
from kd_tf.data.splits.random_holdout import RANDOM
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.splits.unseen_users import UNSEEN_USERS
from kd_tf.report.results import ComparisonResult, ModelResult, Results
from kd_tf.runtime.bundle import CONTRACT_VERSION
from kd_tf.tflite.artifact import Artifact

METRICS = ("ndcg@10", "recall@10", "recall@20", "coverage@10", "novelty@10")
"""Metrics in the table; results.json has all metrics."""

PROTOCOL_DESCRIPTIONS = {
    UNSEEN_USERS: "the test users are not in the training data; some books of each test user are "
    "held out, and the model must find them among all books of the catalog",
    COLD_ITEMS: "the test users are not in the training data, and some books are hidden from it "
    "as if nobody had read them; the model must find these and other held-out books",
    COLD_USERS: "the test users are not in the training data, and the model sees only a few books "
    "of each; it must find held-out books among all books of the catalog",
    LEAVE_ONE_OUT: "the last book of each user is held out, and a model trained on the earlier "
    "books must find it among all books of the catalog",
    TEMPORAL: "all interactions after one point in time are held out, and a model trained on the "
    "earlier ones must find them among all books of the catalog",
    RANDOM: "a random fraction of each user's books is held out, and a model trained on the other "
    "books must find them among all books of the catalog",
    PUBLISHED: "the split was published with the data; a model must find the test books among all "
    "books of the catalog",
}


def render(results: Results) -> str:
    """Renders the model card as Markdown; names that come from the data are escaped."""
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
    """Escapes a text for Markdown, so that one line shows every character literally.

    Example:
        >>> print(escape("a *bold* title"))
        a \\*bold\\* title
    """
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", line)


def _describe_model(artifact: Artifact) -> str:
    signatures = ", ".join(f"`{name}`" for name in artifact.signatures)
    return f"""\
A small neural network that takes the books a user has read and recommends books to read next.
It was distilled from a larger teacher model and runs on the device, as `model.tflite`
({escape(artifact.quantization)}, {artifact.bytes:,} bytes, signatures {signatures})."""


def _describe_intended_use() -> str:
    return """\
## Intended use

Ranking the books of this catalog for one user in an app, a shop or a library: what to read next,
and which books are similar to a given book. It is made for suggestions that a person reviews. It
is not made to judge people, to make decisions for them, or to infer anything else about them."""


def _describe_data(results: Results) -> str:
    data = results.dataset
    protocol = f"`{data.protocol}`"
    if data.protocol in PROTOCOL_DESCRIPTIONS:
        protocol += f": {PROTOCOL_DESCRIPTIONS[data.protocol]}"
    lines = [
        "## Data",
        "",
        f"- Name: {escape(data.name)}",
        f"- Users: {data.users:,}; books: {data.items:,}; interactions: {data.interactions:,}",
        f"- Split: {format_count(data.train_users, 'training user')}, "
        f"{format_count(data.validation_users, 'validation user')} (early stopping and model "
        f"selection), {format_count(data.test_users, 'test user')}",
        f"- Protocol: {protocol}",
        *([] if data.candidates == "full" else [f"- Ranked candidates: {data.candidates}"]),
        f"- Seed: {data.seed}",
    ]
    lines += [
        f"- Cleaning, {escape(step['name'])}: "
        f"{step['before']['interactions'] - step['after']['interactions']:,} interactions and "
        f"{step['before']['users'] - step['after']['users']:,} users removed"
        for step in data.cleaning
    ]
    lines += [f"- Note: {escape(note)}" for note in data.notes]
    return "\n".join(lines)


def _describe_training(results: Results) -> str:
    teachers = _filter_by_role(results, "teacher")
    students = _filter_by_role(results, "student")
    artifact = results.shipped_artifact
    architectures = ", ".join(
        dict.fromkeys(f"{model.kind}, {model.parameters:,} parameters" for model in students)
    )
    pruning = (
        f"{artifact.sparsity:.1%} of the weights in its dense core are zero after magnitude pruning"
        if artifact.sparsity
        else "its dense core was not pruned"
    )
    steps = [
        f"Teacher: {escape(model.kind)}, {model.parameters:,} parameters, trained on "
        "the histories of the training users."
        for model in teachers
    ]
    steps += [
        f"Student: {escape(architectures)}, trained on the same histories and on the teacher's "
        "outputs (soft targets).",
        f"Pruning: {pruning}.",
        f"Quantization: {escape(artifact.quantization)}, chosen on the validation users or by the "
        "configuration, never on the test users.",
    ]
    numbered_steps = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    return "\n".join(["## Training", "", *numbered_steps])


def _describe_metrics(results: Results) -> str:
    artifact, data = results.shipped_artifact, results.dataset
    if not data.test_users:
        return f"## Metrics\n\nNone: {data.caution}."
    rows = [("**model.tflite** (this file)", artifact.bytes, artifact.metrics)]
    for role in ("student", "teacher", "baseline"):
        rows += [
            (_format_model_name(model), model.bytes, model.metrics)
            for model in _filter_by_role(results, role)
        ]
    headings = ["", *(_format_heading(name) for name in METRICS), "bytes"]
    lines = [
        "## Metrics",
        "",
        f"On the {format_count(data.test_users, 'test user')}; this file was evaluated by running "
        "it.",
        *(["", f"Caution: {data.caution}."] if data.caution else []),
        "",
        f"| {' | '.join(headings)} |",
        f"|---|{'---:|' * (len(headings) - 1)}",
    ]
    for name, size, metrics in rows:
        values = [f"{metrics[metric]:.4f}" for metric in METRICS]
        lines.append(f"| {' | '.join([name, *values, f'{size:,}'])} |")
    lines += ["", "Recall is divided by the number of all held-out books. Novelty is in bits."]
    if results.new_items:
        lines += ["", f"{escape(results.new_items)}."]
    if results.comparisons:
        lines += ["", *(f"- {_format_comparison(pair)}" for pair in results.comparisons)]
    return "\n".join(lines)


def _describe_cost(results: Results) -> str:
    artifact = results.shipped_artifact
    ratio = artifact.bytes / artifact.floor_bytes
    return f"""\
## Parity and size

- Parity with the Keras student over {artifact.parity["histories"]:,} histories:
  {artifact.parity["top10_overlap"]:.4f} of the top 10 books are the same, scores differ by at most
  {artifact.parity["max_score_error"]:.2g}.
- Size: {artifact.bytes:,} bytes. The weights alone need {artifact.floor_bytes:,} bytes with this
  quantization (the floor); the file is {ratio:.3f} times as large.
- Latency and memory depend on the machine: `results.json` and `report.html` of the run have what
  was measured where it ran, and `kd-tf benchmark` measures them anywhere."""


def _describe_limitations() -> str:
    return """\
## Limits

- It was trained on these users only. Users of other services, countries and times have other
  tastes.
- Popular books are recommended too often and rare books too rarely (popularity bias). Compare
  coverage and novelty above.
- It does not know books that are not in the catalog; new books require retraining. Books that
  hardly any user has read are in the catalog, but are not recommended well.
- Of a history longer than the model's maximum (`max_length` in `config.json`), only the
  newest books are used.
- The metrics show how well held-out books were found. They do not show how much users like
  books that they would not have found themselves."""


def _describe_privacy() -> str:
    return """\
## Privacy

The model runs on the device: a user's history never has to leave it. The bundle contains no
user's history and no user's name. Like every trained model it contains what many users have in
common. If a book was read by only one or two training users, `similar` may reveal what else they
read."""


def _describe_versions(results: Results) -> str:
    min_runtime_version = escape(results.shipped_artifact.min_runtime_version)
    lines = [
        "## Versions",
        "",
        f"- Contract: {CONTRACT_VERSION}",
        f"- Minimum TensorFlow Lite runtime: {min_runtime_version}",
    ]
    # Without the machine: the same run gives the same card, and so the same bundle, everywhere.
    lines += [
        f"- {escape(name)}: {escape(value)}"
        for name, value in results.environment.items()
        if name != "machine"
    ]
    return "\n".join(lines)


def _filter_by_role(results: Results, role: str) -> list[ModelResult]:
    """Returns the models of a role, best NDCG@10 first."""
    models = [model for model in results.models if model.role == role]
    return sorted(models, key=lambda model: -model.metrics.get("ndcg@10", 0.0))


def format_count(number: int, noun: str) -> str:
    """Formats a number and its noun.

    Example:
        >>> format_count(1, "test user"), format_count(2000, "test user")
        ('1 test user', '2,000 test users')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _format_model_name(model: ModelResult) -> str:
    if model.kind == model.name:
        return escape(model.name)
    return escape(f"{model.name} ({model.kind})")


def _format_heading(metric: str) -> str:
    name, k = metric.split("@")
    return f"{'NDCG' if name == 'ndcg' else name.capitalize()}@{k}"


def _format_comparison(pair: ComparisonResult) -> str:
    note = f" ({pair.doubt})" if pair.doubt else ""
    return (
        f"{escape(pair.model)} is {pair.verdict} {escape(pair.reference)}{note}: {pair.metric} "
        f"{pair.difference:+.4f}, paired standard error {pair.standard_error:.4f}, "
        f"{format_count(pair.num_users, 'user')}"
    )
