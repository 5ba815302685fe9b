"""The table at the end of a run."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_tf.report.results import Results


def print_results(results: Results, console: Console) -> None:
    """Prints baselines, teacher, students and every artifact, and what distilling added."""
    data = results.dataset
    threads = results.shipped.latency_us["threads"]
    # Narrow enough for 80 columns: only the names may break, a figure is never cut.
    table = Table(
        # Text, for rich would read brackets in a name as markup.
        title=Text(
            f"{data.name}: {data.protocol}, {data.test_users:,} test readers, seed {data.seed}"
        ),
        caption="Measured on the test readers, artifacts by running the .tflite file; "
        "recall divides by min(20, held out). "
        f"Latency: {threads:.0f} thread{'' if threads == 1 else 's'}, this machine.",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
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
            *_quality(model.metrics),
            f"{model.bytes:,}",
            *("", "", ""),
        )
    table.add_section()
    for one in results.artifacts:
        table.add_row(
            f"{one.name}.tflite" + (" *" if one.name == results.chosen else ""),
            *_quality(one.metrics),
            f"{one.bytes:,}",
            f"{one.bytes / one.floor_bytes:.3f}",
            f"{one.latency_us['p50']:.0f}/{one.latency_us['p99']:.0f}",
            f"{one.parity['top10_overlap']:.4f}",
        )
    console.print(table)
    console.print("* in the bundle", markup=False)
    for pair in results.comparisons:
        console.print(
            f"{pair.model} - {pair.against}: {pair.metric} {pair.difference:+.4f} "
            f"(paired standard error {pair.standard_error:.4f}, {pair.readers:,} readers)",
            markup=False,
        )


def _quality(metrics: dict[str, float]) -> list[str]:
    return [f"{metrics[name]:.4f}" for name in ("ndcg@10", "recall@20", "coverage@10")]
