"""Summarizes the table of the ranking task: its columns, their features, and the split."""

from __future__ import annotations

import numpy as np

from kd_tf.config import RankingConfig
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.pipeline.ranking.load import load_ranking_split
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.ranking_data_summary import (
    ColumnResult,
    FeatureResult,
    PartResult,
    RankingDataSummary,
)
from kd_tf.runtime.features.categorical import VocabularyFeature
from kd_tf.runtime.features.features_json import to_json
from kd_tf.runtime.features.layout import MISSING_ID, UNKNOWN_ID
from kd_tf.runtime.features.schema import FeatureSchema


def summarize_ranking_data(
    settings: RankingConfig, progress: Progress | None = None, *, split: RankingSplit | None = None
) -> RankingDataSummary:
    """Reads, splits and encodes a table, and says what became of every column.

    Args:
        settings: Data, features and split; other sections are ignored.
        progress: Where to report; by default nowhere.
        split: Rows in memory; by default the tables that ``settings.data`` names are read.

    Raises:
        UserError: The data or a setting cannot be used; a column that tells the label is named.
    """
    split = split or load_ranking_split(settings, progress or NullProgress())
    features = {} if split.schema is None else _list_features(split.schema, split.test)
    label = split.label
    return RankingDataSummary(
        name=split.name,
        label={"name": label.name, "kind": label.kind, "low": label.low, "high": label.high},
        protocol=split.protocol,
        seed=split.seed,
        parts={
            name: _summarize_part(part, label.kind == "click")
            for name, part in (
                ("train", split.train), ("validation", split.validation), ("test", split.test)
            )
        },
        columns=[
            ColumnResult(
                name=column.name,
                kind=column.kind,
                reason=column.reason,
                values=column.num_values,
                missing_share=column.missing_share,
                examples=list(column.examples),
                features=features.get(column.name, []),
            )
            for column in split.columns
        ],
        crosses=features.get("", []),
        places=split.train.layout.num_places,
        numbers=split.train.layout.num_numeric,
        notes=list(split.notes),
    )  # fmt: skip


def _summarize_part(part: RankingExamples, is_click: bool) -> PartResult:
    return PartResult(
        rows=len(part),
        users=None if part.users is None else len(np.unique(part.users)),
        positive_share=float(part.labels.mean()) if is_click else None,
    )


def _list_features(schema: FeatureSchema, test: RankingExamples) -> dict[str, list[FeatureResult]]:
    """Lists the features of each column; those of several columns under an empty name."""
    features: dict[str, list[FeatureResult]] = {}
    content, place = to_json(schema), 0
    for feature, values in zip(schema.categorical, content["categorical"], strict=True):
        end = place + feature.num_values
        ids = test.categorical[:, place:end]
        place = end
        present_ids = ids[ids != MISSING_ID]
        has_vocabulary = isinstance(feature, VocabularyFeature) and len(present_ids)
        column = feature.columns[0] if len(feature.columns) == 1 else ""
        features.setdefault(column, []).append(
            FeatureResult(
                name=feature.name,
                kind=values["kind"],
                ids=feature.num_ids,
                places=feature.num_values,
                unknown_share=float((present_ids == UNKNOWN_ID).mean()) if has_vocabulary else None,
            )
        )
    for number, values in zip(schema.numeric, content["numeric"], strict=True):
        features.setdefault(number.column, []).append(
            FeatureResult(number.name, values["kind"], None, 1, None)
        )
    return features
