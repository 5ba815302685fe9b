"""The label of a row is a click, a rating, or a click made of a number."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kd_tf.data.ranking.labels import LabelRules, read_labels
from kd_tf.data.ranking.read_table import open_source, read_raw_table
from kd_tf.data.sources.table_options import make_rules
from kd_tf.errors import UserError


def read(values, **options):
    on_bad_rows = options.pop("on_bad_rows", "stop")
    table = open_source(pl.DataFrame({"y": list(map(str, values))}))
    raw_table = read_raw_table([table], ["y"], make_rules(on_bad_rows=on_bad_rows))
    _, labels, label, notes = read_labels(raw_table, LabelRules("y", **options))
    return labels.tolist(), label.kind, (label.low, label.high), bool(notes)


@pytest.mark.parametrize(
    ("values", "labels", "has_note"),
    [
        ([0, 1, 1], [0, 1, 1], False),
        (["1.0", "0.0"], [1, 0], False),
        ([1, -1], [1, 0], False),
        ([True, False], [1, 0], False),
        (["Yes", "No"], [1, 0], False),
        (["n", "y"], [0, 1], False),
        (["T", "F"], [1, 0], False),
        ([4, 10], [0, 1], True),
        ([" <=50K", " >50K"], [0, 1], True),
        (["good", "bad"], [1, 0], True),
    ],
)
def test_two_values_are_a_click(values, labels, has_note):
    assert read(values) == (labels, "click", (0, 1), has_note)


def test_more_numbers_are_a_rating_from_the_least_to_the_largest():
    assert read([1, 3, "5.0", 2]) == ([0, 0.5, 1, 0.25], "rating", (1, 5), False)
    assert read([0.5, 1.5, 2.5])[0] == [0, 0.5, 1]


def test_a_threshold_or_a_value_makes_a_click():
    assert read([1, 4, 5, 3.9], threshold=4) == ([0, 1, 1, 0], "click", (0, 1), False)
    assert read(["a", "b", "c"], positive="b") == ([0, 1, 0], "click", (0, 1), False)
    assert read([1, 2, 3], positive="2")[0] == [0, 1, 0]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1, 1], {}, "one class only: every label is '1'"),
        (["", ""], {}, "no row has a label"),
        ([1, "", 0], {}, "row 1, column \"y\": '' is no label; 1 of 3 rows have none"),
        ([1, 2, "inf"], {}, "row 2.*'inf' is no finite number"),
        ([1, 2, "1e999"], {}, "row 2.*'1e999' is no finite number"),
        ([1, "inf"], {}, "row 1.*'inf' is no finite number"),
        ([1, 2, 3, "bad"], {}, "row 3.*'bad' is no finite number"),
        (["a", "b", "c"], {}, "3 values that are no numbers: 'a', 'b', 'c'"),
        ([1, 2], {"threshold": 9}, "one class only: no label is not below 9"),
        (["a", "b"], {"threshold": 9}, "no numbers"),
        ([1, 2], {"positive": "3"}, "no label is '3'; there are '1', '2'"),
        ([2, 2], {"positive": "2"}, "every label is '2'"),
        ([1, 2], {"positive": "2", "threshold": 1}, "both a threshold and a positive value"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(values, options, message):
    with pytest.raises(UserError, match=message):
        read(values, **options)


def test_bad_labels_are_skipped_where_that_is_wished():
    assert read([1, "", 3, "bad", 5], on_bad_rows="skip")[:2] == ([0, 0.5, 1], "rating")


def test_labels_return_to_their_values():
    _, labels, label, _ = read_labels(
        read_raw_table([open_source(pl.DataFrame({"y": [1.0, 2.5, 5.0]}))], ["y"], make_rules()),
        LabelRules("y"),
    )
    np.testing.assert_allclose(label.unscale(labels), [1, 2.5, 5])
