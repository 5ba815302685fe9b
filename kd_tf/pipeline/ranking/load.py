"""Reads the rows of a run of the ranking task."""

from __future__ import annotations

from typing import Any

from kd_tf.cache_folder import find_cache_folder
from kd_tf.config import RankingConfig
from kd_tf.data.ranking.encode_texts import encode_texts
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.ranking_data import RankingData
from kd_tf.data.ranking.read_ranking import read_ranking_data
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.data.synthetic.clicks import generate_clicks
from kd_tf.progress import Progress


def load_ranking_split(settings: RankingConfig, progress: Progress) -> RankingSplit:
    """Reads, splits and encodes the table of a run; without one, generates a click log.

    Raises:
        UserError: A file, a column, a row or a setting cannot be used.
    """
    return load_ranking_data(settings, progress).split(make_split_rules(settings))


def load_ranking_data(settings: RankingConfig, progress: Progress) -> RankingData:
    """Reads the table of a run, to split it once or into folds.

    Raises:
        UserError: A file, a column, a row or a setting cannot be used.
    """
    data = settings.data
    source: dict[str, Any] = {
        "interactions": data.interactions,
        "train": data.train,
        "validation": data.validation,
        "test": data.test,
        "label": data.label,
        "name": None if data.is_synthetic else settings.name,
    }
    if data.is_synthetic:
        log = generate_clicks(num_impressions=data.synthetic_impressions, seed=settings.seed)
        source |= {"interactions": log.frame, "label": "clicked", "name": "synthetic clicks"}
    options: dict[str, Any] = {
        name: value
        for name, value in {
            **data.format.model_dump(),
            "decimal": data.decimal,
            "null_values": data.null_values,
            "time_format": data.time_format,
            "time_unit": data.time_unit,
            "where": data.where,
            "on_bad_rows": data.on_bad_rows,
        }.items()
        if value is not None
    }
    with progress.task("reading the table", 0) as advance:
        return read_ranking_data(
            **source,
            features=_make_feature_options(settings),
            threshold=data.threshold,
            positive=data.positive,
            negatives=data.negatives,
            user=data.user,
            item=data.item,
            time=data.timestamp,
            users=data.users,
            user_id=data.user_id,
            items=data.items,
            item_id=data.item_id,
            progress=lambda _: advance(0),
            **options,
        )


def make_split_rules(settings: RankingConfig) -> SplitRules:
    """Returns how the rows of a run are split."""
    split = settings.split
    return SplitRules(
        protocol=split.protocol,
        test_share=split.test_share,
        validation_share=split.validation_share,
        seed=settings.seed,
        num_folds=split.num_folds,
        fold=split.fold,
    )


def _make_feature_options(settings: RankingConfig) -> FeatureOptions:
    values = settings.features.model_dump(exclude={"encoder"})
    values["crosses"] = tuple(dict.fromkeys((*values["crosses"], *settings.student.crosses)))
    return FeatureOptions(features=values.pop("only"), **values)


def encode_needed_texts(
    settings: RankingConfig, split: RankingSplit, progress: Progress
) -> RankingSplit:
    """Encodes the columns of texts if a teacher of the settings reads them.

    Vectors of pretrained encoders are kept in the user's cache.

    Raises:
        UserError: There is no such column, or the encoder is unknown.
        MissingExtraError: The extra of an encoder is not installed.
    """
    if not settings.teacher.reads_texts or split.train.texts is not None:
        return split
    return encode_texts(
        split,
        settings.features.encoder,
        cache=find_cache_folder() / "vectors",
        progress=progress,
    )
