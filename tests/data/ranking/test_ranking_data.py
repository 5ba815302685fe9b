"""A table becomes encoded rows: as the schema encodes raw rows, fitted on training rows alone."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import polars as pl
import pytest

from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_ranking import read_ranking_data, read_ranking_split
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION
from kd_tf.errors import UserError

NUM_ROWS = 600


def make_table(seed: int = 0, num_rows: int = NUM_ROWS) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    start = datetime.datetime(2023, 1, 1)
    moments = [start + datetime.timedelta(minutes=37 * row) for row in range(num_rows)]
    prices = [f"{price:.2f}" for price in random.lognormal(2, 1, num_rows)]
    for row in random.integers(0, num_rows, 40):
        prices[row] = ""
    return pl.DataFrame(
        {
            "user": random.integers(0, 40, num_rows),
            "item": [f"i{item}" for item in random.integers(0, 50, num_rows)],
            "device": random.choice(["phone", "desktop", "", "TV "], num_rows),
            "genres": random.choice(["a|b", "c", "", "b|a|d", "d"], num_rows),
            "price": prices,
            "when": [moment.strftime("%Y-%m-%d %H:%M") for moment in moments],
            "label": random.integers(0, 2, num_rows),
        }
    )


CROSS_OF_PRICE = FeatureOptions(crosses=(("device", "price"),))
OPTIONS = FeatureOptions(crosses=(("device", "item"),), max_vocabulary=45, hash_buckets=100)


@pytest.mark.parametrize("features", [OPTIONS, FeatureOptions(scaling="min-max", num_buckets=0)])
@pytest.mark.parametrize("protocol", ["random", "temporal", "unseen-users"])
def test_rows_are_encoded_as_the_schema_encodes_their_raw_values(features, protocol):
    table = make_table()
    split = read_ranking_split(
        table, label="label", time="when", features=features, split=SplitRules(protocol)
    )
    parts = [split.train, split.validation, split.test]
    assert [len(part) for part in parts if protocol != "unseen-users"] in ([420, 60, 120], [])
    assert sum(map(len, parts)) == NUM_ROWS
    ids, numbers = split.schema.encode(table.to_dict(as_series=False))

    def sort(ids, numbers, labels):
        rows = np.column_stack([ids, numbers, labels])
        return rows[np.lexsort(rows.T)]

    np.testing.assert_array_equal(
        sort(
            np.concatenate([part.categorical for part in parts]),
            np.concatenate([part.numeric for part in parts]),
            np.concatenate([part.labels for part in parts]),
        ),
        sort(ids, numbers, table["label"].to_numpy()),
    )
    assert split.train.categorical.dtype == np.int32
    assert split.train.numeric.dtype == np.float32
    assert split.schema.layout == split.train.layout


def test_training_rows_are_scaled_to_mean_0_and_deviation_1():
    split = read_ranking_split(make_table(), label="label")
    assert split.schema.layout.numeric == ("price", "price:missing")
    is_present = split.train.numeric[:, 1] == 0
    prices = split.train.numeric[is_present, 0]
    assert abs(prices.mean()) < 1e-5
    assert abs(prices.std() - 1) < 1e-5
    assert (split.train.numeric[~is_present, 0] == 0).all()
    place = [feature.name for feature in split.schema.layout.categorical].index("price:bucket")
    column = split.schema.layout.feature_of_place.index(place)
    counts = np.bincount(split.train.categorical[is_present, column])[2:]
    assert counts.max() - counts.min() <= 2


def test_test_rows_change_nothing_that_is_fitted():
    table = make_table()
    parts = np.array([TRAIN] * 400 + [VALIDATION] * 100 + [TEST] * 100)
    train, validation, test = (table.filter(pl.Series(parts == part)) for part in range(3))
    split = read_ranking_split(label="label", train=train, validation=validation, test=test)
    wild = test.with_columns(
        device=pl.lit("new"), price=pl.lit("1e30"), genres=pl.lit("x|y|z|w"), user=pl.lit(10**9)
    )
    other = read_ranking_split(label="label", train=train, validation=validation, test=wild)
    assert split.protocol == "published"
    assert other.schema == split.schema
    np.testing.assert_array_equal(other.train.categorical, split.train.categorical)
    np.testing.assert_array_equal(other.train.numeric, split.train.numeric)
    np.testing.assert_array_equal(other.validation.numeric, split.validation.numeric)
    limits = [
        split.schema.categorical[place].num_ids for place in split.schema.layout.feature_of_place
    ]
    assert (other.test.categorical < limits).all()
    assert np.abs(other.test.numeric).max() < 10


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    table = make_table()
    first, second, third = (
        read_ranking_split(table, label="label", split=SplitRules(seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.test.categorical, second.test.categorical)
    assert not np.array_equal(first.test.categorical, third.test.categorical)


def test_every_row_is_tested_in_one_fold():
    data = read_ranking_data(
        make_table().with_columns(price=pl.int_range(NUM_ROWS)),
        label="label",
        features=FeatureOptions(numeric=("price",), scaling="none"),
    )
    folds = list(data.split_folds(SplitRules(num_folds=5)))
    tested = np.concatenate([fold.test.numeric[:, 0] for fold in folds])
    assert len(folds) == 5
    for fold in folds:
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (420, 60, 120)
    # Numbers are cut to the range of training: the first and last may be another row's.
    np.testing.assert_array_equal(np.sort(tested)[10:-10], np.arange(NUM_ROWS)[10:-10])


def test_users_are_numbered_for_metrics():
    table = make_table()
    split = read_ranking_split(table, label="label", split=SplitRules("unseen-users"))
    parts = [set(part.users.tolist()) for part in (split.train, split.validation, split.test)]
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])
    assert sum(map(len, parts)) == table["user"].n_unique()
    assert read_ranking_split(table.drop("user"), label="label").train.users is None


@pytest.mark.parametrize("leak", [
    lambda y: np.where(y == 1, "bought", "left"),
    lambda y: 1 - y,
    lambda y: np.where(y == 1, "yes", ""),
    lambda y: np.where(y == 1, [f"2023-01-{row % 28 + 1:02d}" for row in range(len(y))], ""),
])  # fmt: skip
def test_a_column_that_tells_the_label_is_named_and_refused(leak):
    table = make_table()
    table = table.with_columns(outcome=pl.Series(leak(table["label"].to_numpy())))
    with pytest.raises(UserError, match=r"'outcome'.*a model would learn nothing else"):
        read_ranking_split(table, label="label")
    features = FeatureOptions(ignore=("outcome",))
    split = read_ranking_split(table, label="label", features=features)
    assert "outcome" not in {column.name for column in split.schema.columns}


def test_a_column_that_decides_the_label_is_noted():
    table = make_table()
    stars = table["label"].to_numpy() * 2 + np.arange(NUM_ROWS) % 2
    split = read_ranking_split(table.with_columns(stars=stars), label="label")
    assert any("every value of stars goes with a single value" in note for note in split.notes)


def test_the_column_of_a_threshold_is_a_feature_only_if_it_is_named():
    table = make_table().with_columns(stars=np.arange(NUM_ROWS) % 5 + 1).drop("label")
    split = read_ranking_split(table, label="stars", threshold=4)
    assert split.label.kind == "click"
    assert 0.35 < split.train.labels.mean() < 0.45
    assert "stars" not in {column.name for column in split.schema.columns}
    split = read_ranking_split(
        table, label="stars", threshold=4, features=FeatureOptions(numeric=("stars",))
    )
    assert "stars" in {column.name for column in split.schema.columns}
    with pytest.raises(UserError, match="the label 'stars' is among the features"):
        read_ranking_split(table, label="stars", features=FeatureOptions(numeric=("stars",)))


def test_what_cannot_be_learnt_from_is_left_out_with_a_note_and_refused_if_named():
    table = make_table().with_columns(
        constant=pl.lit("x"), empty=pl.lit(None, pl.String), row=pl.int_range(NUM_ROWS)
    )
    split = read_ranking_split(table, label="label")
    names = {column.name for column in split.schema.columns}
    assert names == {"user", "item", "device", "genres", "price", "when"}
    for name, what in (("constant", "is constant"), ("empty", "is empty"), ("row", "identifies")):
        assert any(f"column {name} is left out: it {what}" in note for note in split.notes)
    for name in ("constant", "empty"):
        with pytest.raises(UserError, match=f"column '{name}' is no feature"):
            read_ranking_split(table, label="label", features=FeatureOptions(categorical=(name,)))
    named = read_ranking_split(table, label="label", features=FeatureOptions(numeric=("row",)))
    assert "row" in named.schema.layout.numeric


def test_a_column_that_repeats_another_one_is_left_out_unless_it_is_named():
    table = make_table().with_columns(title=pl.concat_str(pl.lit("The "), "item"))
    split = read_ranking_split(table, label="label")
    assert "title" not in {column.name for column in split.schema.columns}
    assert any("says nothing new (one value for each value of item)" in n for n in split.notes)
    features = FeatureOptions(categorical=("title",))
    split = read_ranking_split(table, label="label", features=features)
    assert {"item", "title"} <= {column.name for column in split.schema.columns}
    table = table.with_columns(title=pl.concat_str("title", "device"))
    split = read_ranking_split(table, label="label")
    assert "title" in {column.name for column in split.schema.columns}


def test_named_columns_are_what_they_are_named():
    features = FeatureOptions(features=("device",), categorical=("price",), multi=("item",))
    split = read_ranking_split(make_table(), label="label", features=features)
    assert [(column.name, column.type) for column in split.schema.columns] == [
        ("item", "list"), ("device", "category"), ("price", "category"),
    ]  # fmt: skip
    kinds = {column.name: column.kind for column in split.columns}
    assert kinds == {
        "user": "ignored", "item": "multi", "device": "categorical", "price": "categorical",
        "label": "label",
    }  # fmt: skip


def test_rare_values_are_unknown_and_many_are_hashed():
    table = make_table()
    items = table["item"].to_list()
    rare_items = [items[row] if row % 9 else f"rare{row // 2}" for row in range(NUM_ROWS)]
    rare_table = table.with_columns(item=pl.Series(rare_items))
    split = read_ranking_split(
        label="label", train=rare_table, test=table, validation=table,
        features=FeatureOptions(min_count=10),
    )  # fmt: skip
    (item,) = [feature for feature in split.schema.categorical if feature.name == "item"]
    counts = rare_table["item"].value_counts()
    assert set(item.values) == set(counts.filter(pl.col("count") >= 10)["item"])
    place = split.schema.layout.feature_of_place.index(split.schema.categorical.index(item))
    num_unknown = int(counts.filter(pl.col("count") < 10)["count"].sum())
    assert (split.train.categorical[:, place] == 1).sum() == num_unknown > 60
    hashed = read_ranking_split(table, label="label", features=OPTIONS)
    (item,) = [feature for feature in hashed.schema.categorical if feature.name == "item"]
    assert item.num_ids == 102
    assert any("column item is hashed to 100 ids" in note for note in hashed.notes)


def test_negatives_are_items_that_a_user_does_not_have():
    table = make_table().drop("label", "price", "when")
    item_years = {f"i{item}": 1950 + item for item in range(50)}
    table = table.with_columns(year=pl.col("item").replace_strict(item_years))
    data = read_ranking_data(table, negatives=2, features=FeatureOptions(scaling="none"))
    split = data.split(SplitRules(seed=3))
    again = data.split(SplitRules(seed=3))
    np.testing.assert_array_equal(split.train.categorical, again.train.categorical)
    assert split.label.name == "interaction"
    (item,) = [feature for feature in split.schema.categorical if feature.name == "item"]
    users = {
        value: place
        for place, value in enumerate(data.table.columns["user"].as_codes.texts.to_list())
    }
    positives = {
        (users[str(user)], name) for user, name in table.select("user", "item").iter_rows()
    }
    names = [feature.name for feature in split.schema.layout.categorical]
    column = split.schema.layout.feature_of_place.index(names.index("item"))
    for part in (split.train, split.validation, split.test):
        assert part.labels.mean() == pytest.approx(1 / 3)
        for user, code, label, year in zip(
            part.users, part.categorical[:, column], part.labels, part.numeric[:, 0], strict=True
        ):
            name = item.values[code - 2]
            assert ((int(user), name) in positives) == (label == 1)
            assert year == item_years[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no label is named"),
        ({"label": "label", "negatives": 1}, "so it has negatives already"),
        ({"negatives": -1}, "negatives must be 0 or more"),
        ({"label": "labell"}, "does not exist.*\n.*'label'"),
        ({"label": "label", "time": "then"}, "time names the column 'then'"),
        ({"label": "label", "features": FeatureOptions(date=("then",))}, "column 'then'"),
        ({"label": "label", "features": CROSS_OF_PRICE}, "'price' is none"),
        ({"label": "label", "features": FeatureOptions(features=())}, "no column is left"),
        ({"label": "label", "split": SplitRules("published")}, "needs files of a split"),
        ({"label": "label", "normalize_ids": "isbn"}, "normalize_ids has no effect"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_in_words(options, message):
    with pytest.raises(UserError, match=message):
        read_ranking_split(make_table(), **options)


def test_a_misspelt_option_is_refused():
    with pytest.raises(TypeError, match="there is no option 'tresh'"):
        read_ranking_split(make_table(), label="label", tresh=1)


def test_split_needs_what_its_protocol_needs():
    table = make_table().drop("user", "when")
    with pytest.raises(UserError, match="temporal split needs times"):
        read_ranking_split(table, label="label", split=SplitRules("temporal"))
    with pytest.raises(UserError, match="split by users needs users"):
        read_ranking_split(table, label="label", split=SplitRules("unseen-users"))
    with pytest.raises(UserError, match="need users and items"):
        read_ranking_split(table.drop("label"), negatives=1)


def test_tables_of_users_and_items_are_joined():
    table = make_table()
    items = pl.DataFrame(
        {"id": [f"i{item}" for item in range(45)], "price": range(45), "year": range(1950, 1995)}
    )
    users = pl.DataFrame({"user": [float(user) for user in range(40)], "age": range(20, 60)})
    split = read_ranking_split(
        table, label="label", items=items, item_id="id", users=users,
        features=FeatureOptions(scaling="none", num_buckets=0),
    )  # fmt: skip
    assert split.schema.layout.numeric == (
        "price", "price:missing", "age", "item price", "item price:missing", "year", "year:missing",
    )  # fmt: skip
    numbers = split.train.numeric
    is_present = numbers[:, 6] == 0
    np.testing.assert_array_equal(numbers[is_present, 5] - numbers[is_present, 3], 1950)
    assert any("ids that are not in the table of items" in note for note in split.notes)
    with pytest.raises(UserError, match="'i3' is in two rows of the table of items"):
        read_ranking_split(table, label="label", items=pl.concat([items, items[3:4]]), item_id="id")
    with pytest.raises(UserError, match="only 0% of the items"):
        read_ranking_split(
            table, label="label", items=items.with_columns(id=pl.col("id") + "x"), item_id="id"
        )


def test_bad_rows_name_their_line_or_are_skipped(tmp_path):
    table = make_table()
    prices = table["price"].to_list()
    prices[9] = "12abc"
    labels = table["label"].cast(pl.String).to_list()
    labels[19] = ""
    path = tmp_path / "clicks.csv"
    table.with_columns(price=pl.Series(prices)).write_csv(path)
    with pytest.raises(UserError, match=r'clicks\.csv:11, column "price": \'12abc\' is no finite'):
        read_ranking_split(path, label="label")
    table.with_columns(price=pl.Series(prices), label=pl.Series(labels)).write_csv(path)
    with pytest.raises(UserError, match=r'clicks\.csv:21, column "label": \'\' is no label'):
        read_ranking_split(path, label="label")
    data = read_ranking_data(path, label="label", on_bad_rows="skip")
    for _ in range(2):
        split = data.split()
        assert len(split.train) + len(split.validation) + len(split.test) == NUM_ROWS - 2
        assert sum("bad row was skipped" in note for note in split.notes) == 2


def test_published_tables_must_have_the_same_columns():
    table = make_table()
    with pytest.raises(UserError, match="'price', which does not exist"):
        read_ranking_split(label="label", train=table, test=table.drop("price"))
    split = read_ranking_split(label="label", train=table, test=table.reverse())
    assert (len(split.train), len(split.validation), len(split.test)) == (540, 60, 600)
    with pytest.raises(UserError, match="a published split has no folds"):
        read_ranking_split(
            label="label", train=table, test=table, split=SplitRules("random", num_folds=3)
        )


def test_conditions_choose_rows_and_a_file_of_bad_rows_alone_is_refused():
    table = make_table()
    split = read_ranking_split(table, label="label", where=["device!=phone"])
    assert len(split.train) + len(split.test) + len(split.validation) == (
        NUM_ROWS - table["device"].eq("phone").sum()
    )
    bad = table.head(50).with_columns(price=pl.lit("12abc"))
    with pytest.raises(UserError, match="every row is bad"):
        read_ranking_split(
            label="label", train=table, validation=bad, test=table, on_bad_rows="skip"
        )


def test_options_out_of_range_are_refused():
    for options in ({"scaling": "log"}, {"min_count": 0}, {"hash_buckets": 2**30}):
        with pytest.raises(UserError):
            FeatureOptions(**options)
    with pytest.raises(UserError, match="'user' is named as numeric and as ignore"):
        read_ranking_split(
            make_table(),
            label="label",
            features=FeatureOptions(numeric=("user",), ignore=("user",)),
        )


def test_training_of_one_class_is_refused():
    table = make_table().sort("label")
    with pytest.raises(UserError, match="training rows have the same label"):
        read_ranking_split(
            label="label", train=table.head(200), test=table.tail(300), validation=table.tail(300)
        )
    split = read_ranking_split(
        label="label", train=table, validation=table.head(50), test=table.tail(50)
    )
    assert "all 50 validation rows have the same label" in split.notes


def test_a_split_is_replaced_field_by_field():
    split = read_ranking_split(make_table(), label="label")
    assert dataclasses.replace(split, notes=()).schema is split.schema
