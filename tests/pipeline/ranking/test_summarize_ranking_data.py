"""`kd-tf data --task ranking`: what a table has, counted by hand."""

from __future__ import annotations

import json
from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from kd_tf.config import RankingConfig
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_ranking import read_ranking_split
from kd_tf.pipeline.ranking.summarize_data import summarize_ranking_data
from kd_tf.report.ranking_data_summary import RankingDataSummary
from kd_tf.report.ranking_tables import print_ranking_data


@pytest.fixture(scope="module")
def summary() -> RankingDataSummary:
    def make(num_rows: int, shop: list[str | None], clicks: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "user": [f"u{row % 10}" for row in range(num_rows)],
                "shop": [shop[row % len(shop)] for row in range(num_rows)],
                "genres": ["a|b" if row % 2 else "b" for row in range(num_rows)],
                "price": [row + 0.5 for row in range(num_rows)],
                "always": ["x [y]"] * num_rows,
                "clicked": [int(row < clicks) for row in range(num_rows)],
            }
        )

    split = read_ranking_split(
        train=make(100, ["north", "south", None, "north"], 30),
        validation=make(20, ["north"], 5),
        test=make(40, ["north", "east", "west", None], 10),
        label="clicked",
        features=FeatureOptions(crosses=(("user", "shop"),), hash_buckets=50),
    )
    return summarize_ranking_data(RankingConfig(), split=split)


def test_parts_are_counted(summary: RankingDataSummary) -> None:
    parts = summary.parts
    assert [parts[name].rows for name in ("train", "validation", "test")] == [100, 20, 40]
    assert [parts[name].users for name in ("train", "validation", "test")] == [10, 10, 10]
    assert [parts[name].positive_share for name in parts] == pytest.approx([0.3, 0.25, 0.25])


def test_columns_say_what_they_are_and_what_is_made_of_them(summary: RankingDataSummary) -> None:
    columns = {column.name: column for column in summary.columns}
    assert list(columns) == ["user", "shop", "genres", "price", "always", "clicked"]
    shop = columns["shop"]
    assert (shop.kind, shop.values, shop.missing_share) == ("categorical", 2, 0.25)
    assert shop.examples[0] == "north"
    (vocabulary,) = shop.features
    assert (vocabulary.kind, vocabulary.ids, vocabulary.places) == ("vocabulary", 4, 1)
    assert vocabulary.unknown_share == pytest.approx(2 / 3)  # east and west of three present ones
    (genres,) = columns["genres"].features
    assert (genres.places, genres.unknown_share) == (2, 0)
    assert {feature.kind for feature in columns["price"].features} == {"scaled", "bucket"}
    assert columns["always"].features == columns["clicked"].features == []
    assert columns["always"].reason == "always 'x [y]'"
    (cross,) = summary.crosses
    assert (cross.kind, cross.ids, cross.unknown_share) == ("cross", 52, None)
    assert (summary.places, summary.numbers) == (6, 1)
    json.dumps(summary.to_json())


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_shows_it(summary: RankingDataSummary, width: int) -> None:
    stream = StringIO()
    print_ranking_data(summary, Console(file=stream, width=width))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for part in ("click of clicked", "100 10 30.0%", "vocabulary 4", "25.0% 66.7%", "52"):
        assert part in text, part
    if width == 200:
        assert "always 'x [y]'" in text
        assert "column always is left out: it is constant" in text
