"""Writes the bundle of a run: the selected file and the catalog, for an app."""

from __future__ import annotations

from kd_tf.pipeline.stages.catalog_rows import make_catalog_rows
from kd_tf.pipeline.stages.chosen_file import read_measured_file
from kd_tf.pipeline.stages.export import load_item_order
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.report import model_card
from kd_tf.report.results import Results
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
from kd_tf.runtime.bundle_files import BUNDLE_FOLDER
from kd_tf.runtime.recommender import Recommender


def write_run_bundle(context: RunContext, results: Results) -> Bundle:
    """Writes the bundle with the shipped file and the catalog in the order of its item IDs."""
    artifact = results.shipped_artifact
    model = read_measured_file(context.folder, artifact)
    items = make_catalog_rows(context.dataset.catalog, context.split.popularity())
    order = load_item_order(context)
    if order is not None:
        items = [items[item - 1] for item in order]
    return write_bundle(
        context.folder / BUNDLE_FOLDER,
        model=model,
        catalog=items,
        config=BundleConfig(
            name=context.settings.name,
            num_items=context.split.num_items,
            max_length=context.max_length,
            recommendations=context.recommendations,
            candidates=context.candidates_per_call,
            signatures=tuple(artifact.signatures),
            min_runtime_version=artifact.min_runtime_version,
            quantization=artifact.quantization,
            metrics=artifact.metrics,
            dataset={
                "name": results.dataset.name,
                "users": results.dataset.users,
                "items": results.dataset.items,
                "interactions": results.dataset.interactions,
                "protocol": results.dataset.protocol,
                "seed": results.dataset.seed,
            },
        ),
        model_card=model_card.render(results),
        check=Recommender.from_bundle,
    )
