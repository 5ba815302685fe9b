"""Measures what titles, all texts and covers each add for items that nobody has read.

    python benchmarks/covers.py --set data.synthetic_covers=true --seeds 1,2,3
    python benchmarks/covers.py --config books.toml --image-encoder MobileNetV2:weights.h5

Of each seed, items are hidden from training (protocol cold-items) and ranked among themselves
(candidates cold). A local ridge is fitted, and the hidden items become mixtures of others by their
content. The configuration names data and columns of images, by default the cover.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import config
from kd_tf.cli.output import make_progress
from kd_tf.cli.settings import collect_settings
from kd_tf.data.dataset import Dataset
from kd_tf.data.features.encode import encode_items
from kd_tf.data.prepare import split
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.content.item_mixtures import fit_item_mixtures
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher
from kd_tf.pipeline.stages.content import list_image_folders
from kd_tf.pipeline.stages.load import load_dataset

METRICS = ("recall_capped@20", "ndcg@100")
MAX_LENGTH = 200


def main() -> None:
    """Prints a table: the mean and the standard deviation over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file that names the data")
    parser.add_argument("--set", dest="settings", action="append", metavar="SECTION.KEY=VALUE")
    parser.add_argument("--encoder", default="tfidf", help="of texts")
    parser.add_argument("--image", default="cover", help="columns of images")
    parser.add_argument("--image-encoder", default="statistics")
    parser.add_argument("--seeds", default="1,2,3")
    options = parser.parse_args()
    values = collect_settings({**vars(options), "encoder": None})
    choices: dict[str, dict[str, Any]] = {
        "titles": {"columns": ["title"]},
        "all texts": {"columns": None},
        "covers": {"columns": (), "has_images": True},
        "titles and covers": {"columns": ["title"], "has_images": True},
        "all texts and covers": {"columns": None, "has_images": True},
    }
    results: dict[str, list[list[float]]] = {name: [] for name in choices}
    progress = make_progress(quiet=False)
    for seed in map(int, options.seeds.split(",")):
        settings = config.from_values({**values, "seed": seed})
        dataset = load_dataset(settings)
        for name, choice in choices.items():
            encoded = encode_items(
                dataset,
                choice["columns"],
                options.encoder,
                image_columns=settings.content.image if "has_images" in choice else (),
                image_encoder=settings.content.image_encoder,
                image_folders=list_image_folders(settings),
                progress=progress,
            )
            figures = measure_new_items(encoded, seed)
            results[name].append(figures)
            progress.info(f"seed {seed}, {name}: {figures}")
    print(f"| content | {' | '.join(METRICS)} |\n|---|{'---|' * len(METRICS)}")
    for name, rows in results.items():
        means, deviations = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=min(len(rows) - 1, 1))
        cells = [f"{mean:.4f} ± {std:.4f}" for mean, std in zip(means, deviations, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


def measure_new_items(dataset: Dataset, seed: int) -> list[float]:
    """Fits a local ridge, gives new items their place in it, and measures them alone."""
    parts = split(dataset, COLD_ITEMS, seed=seed)
    model = LocalRidgeTeacher(parts.num_items, max_length=MAX_LENGTH)
    model.fit(parts.train, validation_data=parts.validation)
    assert parts.content is not None
    mixtures = fit_item_mixtures(parts.content, parts.popularity())
    if mixtures is None:
        raise UserError("no hidden item has any content")
    model.mix_items(mixtures)
    evaluation = evaluate(
        make_score_fn(model),
        parts.test.select_cold_items(),
        TrainingStatistics.from_split(parts),
        ks=(20, 100),
    )
    return [evaluation.overall[name] for name in METRICS]


if __name__ == "__main__":
    main()
