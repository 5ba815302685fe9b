"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from kd_tf.report.results import Results


def print_results(results: Results, console: Console) -> None:
    """Prints baselines, teacher, students and every artifact, and what distilling added."""
    data = results.dataset
    table = Table(
        title=f"{data.name}: {data.protocol}, {data.test_users:,} test readers, seed {data.seed}",
        caption="Measured on the test readers, artifacts by running the .tflite file; "
        "recall divides by min(20, held out). Latency: 1 thread, this machine.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("")
    for heading in ("NDCG@10", "Recall@20", "coverage@10", "bytes", "x floor"):
        table.add_column(heading, justify="right")
    for heading in ("p50 / p99 us", "top-10 overlap"):
        table.add_column(heading, justify="right")
    for model in results.models:
        table.add_row(
            f"{model.name} ({model.kind})" if model.kind != model.name else model.name,
            *_quality(model.metrics),
            f"{model.bytes:,}",
            "",
            "",
            "",
        )
    table.add_section()
    for one in results.artifacts:
        table.add_row(
            f"{one.name}.tflite" + (" *" if one.name == results.chosen else ""),
            *_quality(one.metrics),
            f"{one.bytes:,}",
            f"{one.bytes / one.floor_bytes:.3f}",
            f"{one.latency_us['p50']:.0f} / {one.latency_us['p99']:.0f}",
            f"{one.parity['top10_overlap']:.4f}",
        )
    console.print(table)
    console.print("* in the bundle", markup=False)
    for one in results.comparisons:
        console.print(
            f"{one.model} - {one.against}: {one.metric} {one.difference:+.4f} "
            f"(paired standard error {one.standard_error:.4f}, {one.readers:,} readers)",
            markup=False,
        )


def _quality(metrics: dict[str, float]) -> list[str]:
    return [f"{metrics[name]:.4f}" for name in ("ndcg@10", "recall@20", "coverage@10")]
