"""The example user: chosen by a fixed rule, with the real lists of both models, in 80 columns."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from kd_tf import rng
from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.histories import from_lists
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.errors import UserError
from kd_tf.models.batch_scoring import compute_scores
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.report.example_user import UserExample, build_user_example, print_user_example
from kd_tf.runtime.bundle import BundleConfig, write_bundle
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

V, L = 60, 10
LENGTHS = (3, 16, 12, 9)
"""History lengths of the test users: the third is the first with 8 to 15."""


def _model(seed):
    rng.set_seed(seed)
    model = MLPStudent(num_items=V, max_length=L, embedding_dim=8)
    model.create_weights()
    random = np.random.default_rng(seed)
    # Fresh weights may score all books alike.
    model.set_weights([random.normal(size=one.shape) for one in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def teacher():
    return _model(1)


@pytest.fixture(scope="module")
def student():
    return _model(2)


@pytest.fixture(scope="module")
def catalog():
    # The caller's ids run against the model's, and some look like those of the model.
    return Catalog(
        pl.DataFrame(
            {
                "item_id": [str(V + 1 - item) for item in range(1, V + 1)],
                "title": [f"Title {item}" for item in range(1, V + 1)],
                "genre": [f"genre-{item % 3}" for item in range(1, V + 1)],
            }
        )
    )


@pytest.fixture(scope="module")
def bundle(student, catalog, tmp_path_factory):
    return write_bundle(
        tmp_path_factory.mktemp("run") / "bundle",
        model=convert(student, Quantization.FLOAT32, recommendations=30),
        catalog=catalog.frame.iter_rows(named=True),
        config=BundleConfig(
            name="test",
            num_items=V,
            max_length=L,
            recommendations=30,
            candidates=100,
            signatures=("explain", "recommend", "score", "similar"),
            min_runtime_version="2.4.0",
            quantization="float32",
            metrics={},
            dataset={},
        ),
        model_card="# Test\n",
    )


def _split(lengths):
    random = np.random.default_rng(3)
    drawn = [random.permutation(V)[: length + 2] + 1 for length in lengths]
    shown, held_out = [row[:-2] for row in drawn], [row[-2:] for row in drawn]
    judged = HeldOutSet(
        from_lists(shown), from_lists(held_out), np.arange(len(lengths), dtype=np.int32)
    )
    return Split(from_lists([[1, 2]]), np.zeros(1, np.int32), judged, judged, "unseen-users", 42, V)


def _dataset(catalog, timestamp=True):
    one = np.ones(1, np.int32)
    times = np.zeros(1, np.int64) if timestamp else None
    return Dataset("test", Interactions(one - 1, one, None, times, ["r"], V), catalog)


def _best(model, history, k):
    """Model ids by score, without the history: the oracle for both lists."""
    row = np.zeros((1, L), np.int32)
    newest = history[-L:]
    row[0, : len(newest)] = newest
    scored = compute_scores(model, row)[0]
    order = [int(item) for item in np.argsort(-scored, kind="stable") if item]
    return tuple([item for item in order if item not in set(history.tolist())][:k])


@pytest.mark.slow
def test_the_user_is_the_first_with_8_to_15_shown_items(catalog, teacher, bundle):
    shelf = build_user_example(_dataset(catalog), _split(LENGTHS), teacher, bundle)
    assert (shelf.user_index, shelf.num_test_users) == (2, 4)
    assert shelf.selection_rule == "the first one with 8 to 15 books in the history"


@pytest.mark.parametrize(("lengths", "chosen"), [((7, 8), 1), ((16, 15), 1), ((7, 16), 0)])
def test_the_bounds_belong_to_the_rule_and_without_a_fit_the_first_is_taken(
    catalog, teacher, bundle, lengths, chosen
):
    shelf = build_user_example(_dataset(catalog), _split(lengths), teacher, bundle)
    assert shelf.user_index == chosen
    assert shelf.selection_rule == (
        "the first one with 8 to 15 books in the history" if chosen else "the first one"
    )


@pytest.mark.parametrize("user", range(len(LENGTHS)))
def test_both_lists_are_what_the_models_answer(catalog, teacher, student, bundle, user):
    split = _split(LENGTHS)
    shelf = build_user_example(_dataset(catalog), split, teacher, bundle, user_index=user)
    history = split.test.histories[user]
    assert shelf.history == tuple(history.tolist())
    assert shelf.targets == tuple(split.test.targets[user].tolist())
    assert shelf.teacher_recommendations == _best(teacher, history, 10)
    assert shelf.bundle_recommendations == _best(student, history, 10)
    assert shelf.num_shared == len(
        set(shelf.teacher_recommendations) & set(shelf.bundle_recommendations)
    )


@pytest.mark.parametrize("user", [-1, 4])
def test_a_user_that_is_not_there_is_refused(catalog, teacher, bundle, user):
    with pytest.raises(UserError, match=f"no test user {user}: choose one from 0 to 3"):
        build_user_example(_dataset(catalog), _split(LENGTHS), teacher, bundle, user_index=user)


def test_whether_the_order_of_reading_is_known_comes_from_the_data(catalog, teacher, bundle):
    for timestamp in (True, False):
        dataset = _dataset(catalog, timestamp)
        assert build_user_example(dataset, _split(LENGTHS), teacher, bundle).is_ordered is timestamp


@pytest.fixture
def shelf(catalog):
    return UserExample(
        user_index=2,
        num_test_users=1234,
        selection_rule="the first one with 8 to 15 books in the history",
        is_ordered=True,
        history=tuple(range(1, 15)),
        targets=(30, 31, 50),
        teacher_recommendations=tuple(range(21, 31)),
        bundle_recommendations=(31, *range(23, 32))[:10],
        bundle_name="model.tflite (int8)",
        catalog=catalog,
    )


def printed(shelf, width=80):
    stream = io.StringIO()
    print_user_example(shelf, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def lists(text):
    """The lines of the two lists, by place."""
    places = {f"{place}." for place in range(1, 11)}
    return [line for line in text.splitlines() if line.split()[:1] and line.split()[0] in places]


def test_the_newest_twelve_of_a_long_shelf_are_printed_oldest_first(shelf):
    lines = printed(shelf).splitlines()
    start = lines.index("History: 14 books, the newest 12 (oldest first)") + 1
    expected = [["Title", str(item), f"genre-{item % 3}"] for item in range(3, 15)]
    assert [line.split() for line in lines[start : start + 12]] == expected
    assert not lines[start + 12].strip()


def test_a_short_shelf_is_printed_whole(shelf):
    text = printed(dataclasses.replace(shelf, history=(7,)))
    assert "History: 1 book (oldest first)" in text
    assert "Title 7 " in text


def test_held_out_items_are_marked_in_both_lists_and_no_others(shelf):
    rows = lists(printed(shelf))
    assert len(rows) == 10
    for place, (row, left, right) in enumerate(
        zip(rows, shelf.teacher_recommendations, shelf.bundle_recommendations, strict=True), start=1
    ):
        marks = ["* " if item in (30, 31, 50) else "" for item in (left, right)]
        assert " ".join(row.split()) == (f"{place}. {marks[0]}Title {left} {marks[1]}Title {right}")


def test_what_is_shared_and_what_was_found_are_counted(shelf):
    # teacher: 21..30; bundle: 31 and 23..31 cut to ten, so 31 and 23..30 twice over
    shelf = dataclasses.replace(shelf, bundle_recommendations=(31, 50, *range(23, 31)))
    text = " ".join(printed(shelf).split())
    assert (
        "8 of 10 books are in both lists. Of 3 held-out books the teacher found 1, "
        "the .tflite file 3."
    ) in text


def test_without_times_nothing_is_said_about_an_order(shelf):
    text = printed(dataclasses.replace(shelf, is_ordered=False))
    assert "14 books, the last 12 (reading order unknown)" in text
    assert "really also read" in text
    for word in ("newest", "oldest", "read next"):
        assert word not in text


def test_without_titles_items_are_known_by_their_ids(shelf):
    bare = Catalog(pl.DataFrame({"item_id": [f"b-{item}" for item in range(1, V + 1)]}))
    text = printed(dataclasses.replace(shelf, catalog=bare))
    assert "book b-14" in text
    assert " ".join(lists(text)[0].split()) == "1. book b-21 * book b-31"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("title", ["A very long title " * 10, "千夜一夜物語" * 20])
def test_long_titles_are_cut_and_no_line_is_too_wide(shelf, title, width):
    frame = shelf.catalog.frame.with_columns(
        title=pl.lit(title), authors=pl.lit("Somebody"), genre=pl.lit("A long genre " * 9)
    )
    text = printed(dataclasses.replace(shelf, catalog=Catalog(frame)), width)
    assert len(lists(text)) == 10
    assert all(line.count("…") == 2 for line in lists(text))
    console = Console(width=width)
    assert max(console.measure(line).maximum for line in text.splitlines()) <= min(width, 120)


def test_names_cannot_steer_the_terminal_or_break_a_line(shelf):
    frame = shelf.catalog.frame.with_columns(
        title=pl.lit("a\x1b[2J\nb [red]c[/red] [/d]"), genre=pl.lit("e\r\x07f")
    )
    text = printed(dataclasses.replace(shelf, catalog=Catalog(frame)), 120)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "a [2J b [red]c[/red] [/d]" in text
    assert "e f" in text
    assert len(lists(text)) == 10


def test_lists_of_different_length_stand_side_by_side(shelf):
    text = printed(
        dataclasses.replace(shelf, teacher_recommendations=(21, 22), bundle_recommendations=(22,))
    )
    assert [" ".join(line.split()) for line in lists(text)] == [
        "1. Title 21 Title 22",
        "2. Title 22",
    ]
    assert "1 of 2 books are in both lists" in text
