"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_tf.report.results import (
    CandidateResult,
    ComparisonResult,
    DataSummary,
    ModelTable,
    Results,
)


def print_results(results: Results, console: Console) -> None:
    """Prints baselines, teacher, students and every artifact, and what distilling added."""
    data = results.dataset
    threads = results.shipped_artifact.latency_us["threads"]
    # Narrow enough for 80 columns: only the names may break, a figure is never cut.
    table = _make_table(
        f"{data.name}: {data.protocol}, {data.test_users:,} test readers, seed {data.seed}",
        "Measured on the test readers, artifacts by running the .tflite file; "
        "recall divides by all books held out. "
        f"Latency: {threads:.0f} thread{'' if threads == 1 else 's'}, this machine.",
    )
    table.add_column("")
    for heading in (
        *("NDCG\n@10", "Recall\n@20", "cover-\nage@10", "bytes"),
        *("x\nfloor", "p50/p99\nus", "top-10\noverlap"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in results.models:
        table.add_row(
            f"{model.name} ({model.kind})" if model.kind != model.name else model.name,
            *_format_quality(model.metrics),
            f"{model.bytes:,}",
            *("", "", ""),
        )
    table.add_section()
    for one in results.artifacts:
        table.add_row(
            f"{one.name}.tflite" + (" *" if one.name == results.chosen else ""),
            *_format_quality(one.metrics),
            f"{one.bytes:,}",
            f"{one.bytes / one.floor_bytes:.3f}",
            f"{one.latency_us['p50']:.0f}/{one.latency_us['p99']:.0f}",
            f"{one.parity['top10_overlap']:.4f}",
        )
    console.print(table)
    console.print("* in the bundle", markup=False)
    _print_comparisons(results.comparisons, console)
    _print_candidates(results.candidate_students, console)


def print_models(model_table: ModelTable, console: Console) -> None:
    """Prints models that were measured on the same readers, and how the best compares."""
    data = model_table.dataset
    ks = sorted(
        int(name.partition("@")[2]) for name in model_table.models[0].metrics if "ndcg@" in name
    )
    short, long = ks[0], ks[-1]
    shown = {
        f"NDCG\n@{short}": f"ndcg@{short}",
        f"NDCG\n@{long}": f"ndcg@{long}",
        f"recall\n@{long}": f"recall@{long}",
        f"hits\n@{short}": f"hit_rate@{short}",
        "AUC": "auc",
        f"cover-\nage@{short}": f"coverage@{short}",
    }
    sampled = "" if data.candidates == "full" else f", candidates {data.candidates}"
    table = _make_table(
        f"{data.name}: {data.protocol}{sampled}, {data.test_users:,} test readers, "
        f"seed {data.seed}",
        f"95 %: bootstrap interval of NDCG@{short} over the readers; recall divides by all books "
        "held out.",
        (0, 1, 0, 0),
    )
    # Narrow enough for 80 columns: a figure is never cut.
    table.add_column("", no_wrap=True)
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
        if len(table.columns) == 2:
            table.add_column("95 %", no_wrap=True)
    table.add_column("fit\ns", justify="right", no_wrap=True)
    for model in model_table.models:
        first, *others = [_format_share(model.metrics[name]) for name in shown.values()]
        low, high = model.intervals[f"ndcg@{short}"]
        table.add_row(
            model.name,
            first,
            f"{_format_share(low)}-{_format_share(high)}",
            *others,
            f"{model.train_seconds:.0f}",
        )
    console.print(table)
    _print_comparisons(model_table.comparisons, console)


def _format_share(share: float) -> str:
    """Four digits, and no zero before the point."""
    return f"{share:.4f}".removeprefix("0")


def print_data(summary: DataSummary, console: Console) -> None:
    """Prints what each cleaning step left."""
    table = _make_table(summary.name)
    table.add_column("")
    for heading in ("interactions", "readers", "books"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [("read", summary.raw_counts)]
    rows += [(step.name, step.after) for step in summary.cleaning_steps]
    for name, counts in rows:
        table.add_row(
            Text(name), f"{counts.interactions:,}", f"{counts.users:,}", f"{counts.items:,}"
        )
    console.print(table)
    console.print(f"density {summary.density:.5f}, columns: {', '.join(summary.columns) or '-'}")
    for heading, quantiles in (
        ("books a reader", summary.items_per_user),
        ("readers a book", summary.users_per_item),
    ):
        shares = ", ".join(f"{share}: {value:g}" for share, value in quantiles.items())
        console.print(f"{heading}, quantiles {shares}", markup=False)


def _print_candidates(tried: Sequence[CandidateResult], console: Console) -> None:
    """The best of each family that validation chose among."""
    best: dict[str, CandidateResult] = {}
    for one in tried:
        known = best.get(one.kind)
        if known is None or one.validation_ndcg > known.validation_ndcg:
            best[one.kind] = one
    if not best:
        return
    console.print(
        f"Students tried ({len(tried)} settings; the best of each kind by validation, * chosen):",
        markup=False,
    )
    for one in sorted(best.values(), key=lambda one: -one.validation_ndcg):
        console.print(
            f"{'*' if one.is_chosen else ' '} {one.validation_ndcg:.4f} {one.kind} ({one.description}), "
            f"{one.bytes:,} bytes",
            markup=False,
        )


def _print_comparisons(pairs: Sequence[ComparisonResult], console: Console) -> None:
    for pair in pairs:
        console.print(
            f"{pair.model} - {pair.reference}: {pair.metric} {pair.difference:+.4f} "
            f"(paired SE {pair.standard_error:.4f}, p {pair.p_value:.2g})",
            markup=False,
        )


def _format_quality(metrics: dict[str, float]) -> list[str]:
    return [f"{metrics[name]:.4f}" for name in ("ndcg@10", "recall@20", "coverage@10")]


def print_benchmark(benchmark: Mapping[str, Any], console: Console) -> None:
    """Prints what `kd_tf.tflite.benchmark.benchmark.benchmark` gave: a row a contestant."""
    width = f", d={benchmark['dimensions']}" if benchmark["dimensions"] else ""
    items = f"{benchmark['books']:,} books" if benchmark["books"] else "books unknown"
    table = _make_table(
        f"{items}{width}, L={benchmark['history']}, seed {benchmark['seed']}",
        f"{benchmark['runs']:,} answers each, in turns; a fresh process each. Overlap: of the ten best "
        "books with those of the student in float32.",
    )
    table.add_column("")
    for heading in (
        *("bytes", "x\nfloor", "p50\nus", "p90\nus", "p99\nus"),
        *("thr.", "load\nms", "peak\nMB", "over-\nlap"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in benchmark["contestants"]:
        overlap = one["top10_overlap"]
        table.add_row(
            one["name"],
            f"{one['bytes']:,}",
            f"{one['bytes'] / one['floor_bytes']:.3f}",
            *(f"{one['latency_us'][key]:,.0f}" for key in ("p50", "p90", "p99")),
            str(one["threads"]),
            f"{one['init_seconds'] * 1000:,.0f}",
            f"{one['peak_memory_growth_bytes'] / 1e6:,.1f}",
            "" if overlap is None else f"{overlap:.3f}",
        )
    console.print(table)


def _make_table(
    title: str, caption: str | None = None, padding: int | tuple[int, int, int, int] = 0
) -> Table:
    """A table as narrow as can be."""
    return Table(
        # Text, for rich would read brackets in a name as markup.
        title=Text(title),
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=padding,
    )
