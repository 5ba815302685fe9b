"""Prints the results of a run, a comparison, a data set or a benchmark as terminal tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # importing them needs the extra train, a benchmark of a file does not
    from kd_tf.report.results import (
        CandidateResult,
        ComparisonResult,
        DatasetResult,
        DataSummary,
        ModelResult,
        ModelTable,
        Results,
    )
    from kd_tf.tflite.artifact import Artifact

NOT_MEASURED = "-"
"""What tables show in place of a metric without test users."""


def print_results(results: Results, console: Console) -> None:
    """Prints baselines, teachers, students, artifacts and comparisons at the end of a run."""
    data = results.dataset
    threads = results.shipped_artifact.latency_us["threads"]
    caption = [
        "Evaluated on the test users, artifacts by running the .tflite file.",
        "Recall is divided by all held-out items.",
        f"Latency: {threads:.0f} thread{'' if threads == 1 else 's'}, this machine.",
    ]
    # Must fit into 80 columns: names may wrap, but numbers are never truncated.
    third_heading = "cover-\nage@10"
    if results.has_hidden_items:
        third_heading = "new\nbooks"
        caption.append("New books: NDCG@10 of those that training did not see, ranked among all.")
    table = make_table(_format_title(data), " ".join(caption))
    table.add_column("")
    for heading in (
        *("NDCG\n@10", "Recall\n@20", third_heading, "bytes"),
        *("x\nfloor", "p50/p99\nus", "top-10\noverlap"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in results.models:
        table.add_row(
            f"{model.name} ({model.kind})" if model.kind != model.name else model.name,
            *_format_quality(results, model),
            f"{model.bytes:,}",
            *("", "", ""),
        )
    table.add_section()
    for artifact in results.artifacts:
        table.add_row(
            f"{artifact.name}.tflite" + (" *" if artifact.name == results.chosen else ""),
            *_format_quality(results, artifact),
            f"{artifact.bytes:,}",
            f"{artifact.bytes / artifact.floor_bytes:.3f}",
            f"{artifact.latency_us['p50']:.0f}/{artifact.latency_us['p99']:.0f}",
            f"{artifact.parity['top10_overlap']:.4f}",
        )
    console.print(table)
    console.print("* in the bundle", markup=False)
    _print_caution(data, console)
    _print_comparisons(results.comparisons, console)
    _print_candidates(results.candidate_students, console)


def print_models(model_table: ModelTable, console: Console) -> None:
    """Prints models that were evaluated on the same users, and paired comparisons with the best."""
    data = model_table.dataset
    ks = sorted(
        int(name.partition("@")[2]) for name in model_table.models[0].metrics if "ndcg@" in name
    )
    min_k, max_k = (ks[0], ks[-1]) if ks else (10, 20)
    metric_by_heading = {
        f"NDCG\n@{min_k}": f"ndcg@{min_k}",
        f"NDCG\n@{max_k}": f"ndcg@{max_k}",
        f"recall\n@{max_k}": f"recall@{max_k}",
        f"hits\n@{min_k}": f"hit_rate@{min_k}",
        "AUC": "auc",
        f"cover-\nage@{min_k}": f"coverage@{min_k}",
    }
    table = make_table(
        _format_title(data),
        f"95 %: bootstrap interval of NDCG@{min_k} over users. Recall is divided by all held-out "
        "items.",
        (0, 1, 0, 0),
    )
    # Must fit into 80 columns: numbers are never truncated.
    table.add_column("", no_wrap=True)
    for heading in metric_by_heading:
        table.add_column(heading, justify="right", no_wrap=True)
        if len(table.columns) == 2:
            table.add_column("95 %", no_wrap=True)
    table.add_column("fit\ns", justify="right", no_wrap=True)
    for model in model_table.models:
        first, *other_metrics = [
            _format_share(model.metrics[name]) if name in model.metrics else NOT_MEASURED
            for name in metric_by_heading.values()
        ]
        interval = model.intervals.get(f"ndcg@{min_k}")
        table.add_row(
            model.name,
            first,
            "-".join(map(_format_share, interval)) if interval else NOT_MEASURED,
            *other_metrics,
            f"{model.train_seconds:.0f}",
        )
    console.print(table)
    _print_caution(data, console)
    _print_comparisons(model_table.comparisons, console)


def _format_share(fraction: float) -> str:
    """Formats a fraction with four digits and no leading zero."""
    return f"{fraction:.4f}".removeprefix("0")


def print_data(summary: DataSummary, console: Console) -> None:
    """Prints the counts after each cleaning step, and statistics of the clean data."""
    table = make_table(summary.name)
    table.add_column("")
    for heading in ("removed", "interactions", "users", "items"):
        table.add_column(heading, justify="right", no_wrap=True)
    steps = summary.cleaning_steps
    read = steps[0].before if steps else summary.raw_counts
    rows = [("rows of the files", read.interactions, read)]
    rows += [(step.name, step.before.interactions, step.after) for step in steps]
    for name, before, counts in rows:
        table.add_row(
            Text(name),
            f"{before - counts.interactions:,}" if before > counts.interactions else "",
            *(f"{count:,}" for count in (counts.interactions, counts.users, counts.items)),
        )
    console.print(table)
    if summary.id_match is not None:
        console.print(f"{summary.id_match.describe()}.", markup=False)
    console.print(f"density {summary.density:.5f}, columns: {', '.join(summary.columns) or '-'}")
    for heading, quantiles in (
        ("items per user", summary.items_per_user),
        ("users per item", summary.users_per_item),
    ):
        values = ", ".join(f"{level}: {value:g}" for level, value in quantiles.items())
        console.print(f"{heading}, quantiles {values}", markup=False)
    for note in summary.notes:
        console.print(f"Note: {note}.", markup=False)


def _print_candidates(candidates: Sequence[CandidateResult], console: Console) -> None:
    """Prints the best candidate student of each architecture."""
    best: dict[str, CandidateResult] = {}
    for candidate in candidates:
        current = best.get(candidate.kind)
        if current is None or candidate.validation_ndcg > current.validation_ndcg:
            best[candidate.kind] = candidate
    if not best:
        return
    console.print(
        f"Candidate students ({len(candidates)} settings; validation NDCG@10 of the best of each "
        "architecture, * chosen):",
        markup=False,
    )
    for candidate in sorted(best.values(), key=lambda candidate: -candidate.validation_ndcg):
        console.print(
            f"{'*' if candidate.is_chosen else ' '} {candidate.validation_ndcg:.4f} "
            f"{candidate.kind} ({candidate.description}), {candidate.bytes:,} bytes",
            markup=False,
        )


def _print_comparisons(pairs: Sequence[ComparisonResult], console: Console) -> None:
    for pair in pairs:
        console.print(
            f"{pair.model} - {pair.reference}: {pair.metric} {pair.difference:+.4f} "
            f"(paired SE {pair.standard_error:.4f}, p {pair.p_value:.2g})",
            markup=False,
        )


def _print_caution(data: DatasetResult, console: Console) -> None:
    """Prints what metrics of few test users are worth."""
    if data.caution:
        console.print(f"Note: {data.caution}.", markup=False)


def _format_title(data: DatasetResult) -> str:
    """Says what a table was measured on."""
    candidates = "" if data.candidates == "full" else f", candidates {data.candidates}"
    return f"{data.name}: {data.protocol}{candidates}, {data.test_size}, seed {data.seed}"


def _format_quality(results: Results, result: ModelResult | Artifact) -> list[str]:
    """Formats NDCG@10, Recall@20, and coverage, or NDCG@10 of hidden items where there are any."""
    figures = [result.metrics.get(name) for name in ("ndcg@10", "recall@20", "coverage@10")]
    if results.has_hidden_items:
        figures[-1] = results.get_hidden_ndcg(result)
    return [NOT_MEASURED if value is None else f"{value:.4f}" for value in figures]


def print_benchmark(benchmark: Mapping[str, Any], console: Console) -> None:
    """Prints the results of a benchmark, a row per model and number of threads.

    Args:
        benchmark: The results of `kd_tf.tflite.benchmark.benchmark.benchmark`.
        console: Where to print.
    """
    embedding_dim = f", d={benchmark['embedding_dim']}" if benchmark["embedding_dim"] else ""
    items = (
        f"{benchmark['num_items']:,} items" if benchmark["num_items"] else "number of items unknown"
    )
    table = make_table(
        f"{items}{embedding_dim}, L={benchmark['max_length']}, seed {benchmark['seed']}",
        f"{benchmark['runs']:,} calls per model, interleaved; a fresh process for each model. "
        "Overlap: fraction of the top 10 items of the float32 student.",
    )
    table.add_column("")
    for heading in (
        *("bytes", "x\nfloor", "p50\nus", "p90\nus", "p99\nus"),
        *("thr.", "load\nms", "peak\nMB", "over-\nlap"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in benchmark["models"]:
        overlap = model["top10_overlap"]
        table.add_row(
            model["name"],
            f"{model['bytes']:,}",
            f"{model['bytes'] / model['floor_bytes']:.3f}",
            *(f"{model['latency_us'][key]:,.0f}" for key in ("p50", "p90", "p99")),
            str(model["threads"]),
            f"{model['init_seconds'] * 1000:,.0f}",
            f"{model['peak_memory_growth_bytes'] / 1e6:,.1f}",
            "" if overlap is None else f"{overlap:.3f}",
        )
    console.print(table)


def make_table(
    title: str, caption: str | None = None, padding: int | tuple[int, int, int, int] = 0
) -> Table:
    """Makes a table that is as narrow as possible."""
    return Table(
        # Text, because rich would interpret brackets in a name as markup.
        title=Text(title),
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=padding,
    )
