"""The synthetic bookshop: readable, repeatable, with preferences that a model can learn."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.clean import clean
from kd_tf.data.dataset import Dataset
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.data.synthetic.bookshop import MAX_ITEMS, generate_bookshop
from kd_tf.data.synthetic.words import GENRES
from kd_tf.errors import UserError

FINGERPRINT = """
import hashlib
from kd_tf.data.synthetic.bookshop import generate_bookshop
data = generate_bookshop(num_items=300, num_users=200)
digest = hashlib.sha256(data.catalog.frame.write_csv().encode())
digest.update(" ".join(data.interactions.user_ids).encode())
for column in (data.interactions.user, data.interactions.item, data.interactions.timestamp):
    digest.update(column.tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def shop() -> Dataset:
    return generate_bookshop()


@pytest.fixture(scope="module")
def log(shop: Dataset) -> pl.DataFrame:
    """One row a reading, with the item's columns and the volume that its title shows."""
    readings = pl.DataFrame(
        {
            "user": shop.interactions.user,
            "book": shop.interactions.item,
            "time": shop.interactions.timestamp,
        }
    ).with_row_index("row")
    items = shop.catalog.frame.with_row_index("book", offset=1).with_columns(
        pl.col("book").cast(pl.Int32),
        pl.col("title").str.extract(r", #(\d+)\)$").cast(pl.Int64).alias("volume"),
    )
    return readings.join(items, on="book", maintain_order="left")


@pytest.fixture(scope="module")
def read_by(shop: Dataset) -> scipy.sparse.csc_matrix:
    """1 where a user (row) has read an item (column)."""
    interactions = shop.interactions
    return scipy.sparse.csc_matrix(
        (np.ones(len(interactions)), (interactions.user, interactions.item - 1)),
        shape=(interactions.num_users, interactions.num_items),
    )


def cosine(read_by: scipy.sparse.spmatrix) -> np.ndarray:
    """[V, V] cosine of the items' sets of users, 0 on the diagonal."""
    together = (read_by.T @ read_by).toarray()
    length = np.sqrt(np.maximum(together.diagonal(), 1.0))
    similar = together / length / length[:, None]
    np.fill_diagonal(similar, 0.0)
    return similar


# --- Repeatable ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_process_invents_the_same_bytes_whatever_its_hash_seed() -> None:
    digests = [
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert re.fullmatch(r"[0-9a-f]{64}\n", digests[0])
    assert digests[0] == digests[1]


def test_the_global_random_state_of_numpy_changes_nothing() -> None:
    np.random.seed(1)  # noqa: NPY002  the legacy global state is what must not matter
    first = generate_bookshop(num_items=60, num_users=12)
    np.random.seed(2)  # noqa: NPY002
    second = generate_bookshop(num_items=60, num_users=12)
    assert first.catalog.frame.equals(second.catalog.frame)
    np.testing.assert_array_equal(first.interactions.item, second.interactions.item)
    np.testing.assert_array_equal(first.interactions.timestamp, second.interactions.timestamp)


def test_another_seed_invents_other_items_and_other_users() -> None:
    first = generate_bookshop(num_items=300, num_users=200, seed=1)
    second = generate_bookshop(num_items=300, num_users=200, seed=2)
    same_place = (first.catalog.frame["title"] == second.catalog.frame["title"]).sum()
    assert same_place < 0.05 * 300
    assert not np.array_equal(first.interactions.timestamp, second.interactions.timestamp)


# --- Laws for every size and seed ----------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    items=st.integers(50, 400),
    users=st.integers(10, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_shop_has_clean_interactions(items: int, users: int, seed: int) -> None:
    data = generate_bookshop(num_items=items, num_users=users, seed=seed)
    interactions = data.interactions
    assert len(data.catalog) == items
    assert interactions.num_users == users
    assert interactions.rating is None
    lengths = np.bincount(interactions.user)
    assert 8 <= lengths.min() <= lengths.max() <= max(8, items // 4)
    pairs = interactions.user.astype(np.int64) * (items + 1) + interactions.item
    assert len(np.unique(pairs)) == len(pairs)
    assert_time_runs_forward(interactions.user, interactions.timestamp)
    assert data.catalog.frame["title"].n_unique() == items
    assert data.catalog.frame.drop("series").null_count().sum_horizontal().item() == 0


def assert_time_runs_forward(user: np.ndarray, timestamp: np.ndarray) -> None:
    """Rows lie by user, and each user's times strictly increase within 2018 to 2024."""
    assert (np.diff(user) >= 0).all()
    same_user = user[1:] == user[:-1]
    assert same_user.any()
    assert (np.diff(timestamp)[same_user] > 0).all()
    years = timestamp.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    assert years.min() >= 2018
    assert years.max() <= 2024


@pytest.mark.slow
@pytest.mark.parametrize("items", [50, 300, 5000, MAX_ITEMS])
def test_the_word_stocks_last_for_shops_of_every_size(items: int) -> None:
    data = generate_bookshop(num_items=items, num_users=10, seed=3)
    frame = data.catalog.frame
    assert frame["title"].n_unique() == items
    assert frame["item_id"][0] == "bk-00001"
    assert frame["item_id"][-1] == f"bk-{items:05d}"
    assert data.interactions.user_ids[0] == "reader-0001"
    left_open = frame.filter(
        pl.any_horizontal(pl.col("title", "text", "series").str.contains("[{}]"))
    )
    assert left_open.is_empty()


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({"num_items": 49}, "not 49"),
        ({"num_items": MAX_ITEMS + 1}, f"not {MAX_ITEMS + 1}"),
        ({"num_users": 9}, "not 9"),
        ({"seed": -1}, "not -1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, int], messages: str) -> None:
    with pytest.raises(UserError, match=messages):
        generate_bookshop(**arguments)


# --- Items that a person can judge ---------------------------------------------------------------


def test_volumes_of_a_series_are_numbered_from_one_in_one_hand_and_one_genre(
    shop: Dataset,
) -> None:
    frame = shop.catalog.frame
    numbered = frame.filter(pl.col("title").str.contains(r", #\d+\)$"))
    in_series = frame.filter(pl.col("series").is_not_null())
    assert numbered["item_id"].to_list() == in_series["item_id"].to_list()
    assert in_series["series"].n_unique() > 100
    for (name,), volumes in in_series.group_by("series"):
        assert volumes["authors"].n_unique() == 1
        assert volumes["genre"].n_unique() == 1
        year_of = {}
        for title, year, text in volumes.select("title", "year", "text").iter_rows():
            shown = re.search(r" \((.+), #(\d+)\)$", title)
            assert shown is not None
            assert shown[1] == name
            assert f"Book {shown[2]} of {name}." in text
            year_of[int(shown[2])] = year
        assert sorted(year_of) == list(range(1, len(volumes) + 1))
        assert len(volumes) >= 2
        years = [year_of[volume] for volume in sorted(year_of)]
        assert years == sorted(years)


def test_authors_keep_to_one_or_two_genres_and_come_from_many_cultures(shop: Dataset) -> None:
    frame = shop.catalog.frame
    genres = frame.group_by("authors").agg(pl.col("genre").n_unique())["genre"]
    assert genres.max() == 2
    assert (genres == 1).mean() > 0.5
    letters = set("".join(frame["authors"].unique()))
    assert set("éøłşñãčāő") <= letters
    assert any("一" <= letter <= "鿿" for letter in letters)


def test_there_are_many_genres_and_none_rules_the_shop(shop: Dataset) -> None:
    counts = shop.catalog.frame["genre"].value_counts()["count"]
    assert 14 <= len(counts) <= 20
    assert counts.min() > 0.03 * 2000
    assert counts.max() < 0.15 * 2000


def test_blurbs_are_two_to_four_sentences_that_begin_with_a_capital(shop: Dataset) -> None:
    for text in shop.catalog.frame["text"]:
        sentences = re.split(r"(?<=[.?!]) ", text)
        assert 2 <= len(sentences) <= 4, text
        assert all(sentence[0] == sentence[0].upper() for sentence in sentences), text
        assert not re.search(r"\b[Aa] [aeio]", text), text


def test_blurbs_name_the_theme_of_an_item(shop: Dataset) -> None:
    themes = {genre.name: list(genre.themes) for genre in GENRES}
    for genre, text in shop.catalog.frame.select("genre", "text").iter_rows():
        assert sum(theme in text for theme in themes[genre]) == 1, text


# --- Users with a taste ------------------------------------------------------------------------


def test_the_default_shop_has_its_documented_size(shop: Dataset) -> None:
    lengths = np.bincount(shop.interactions.user)
    assert (len(shop.catalog), shop.interactions.num_users) == (2000, 3000)
    assert 80_000 <= len(shop.interactions) <= 100_000
    assert lengths.min() == 8
    assert 22 <= np.median(lengths) <= 28
    assert lengths.max() == 120


def test_popularity_has_a_long_tail(shop: Dataset) -> None:
    # A shop in which all items were equal would give the top tenth little more than 0.10; the
    # law 1 / (r + 3) over a genre's 125 items alone gives (H(15) - H(2)) / (H(127) - H(2)) = 0.46.
    # That nobody reads an item twice and that series are read to the end takes part of it away.
    counts = np.sort(np.bincount(shop.interactions.item, minlength=2001)[1:])[::-1]
    assert counts[:200].sum() > 0.27 * counts.sum()
    assert counts[1000:].sum() < 0.30 * counts.sum()


def test_no_user_reads_an_item_before_its_year(log: pl.DataFrame) -> None:
    year = pl.from_epoch("time", time_unit="s").dt.year()
    early = log.filter(pl.col("year") > year)
    # One choice in thousands takes the oldest unread item; that one is never early either.
    assert early.is_empty()


def test_series_are_read_in_order(log: pl.DataFrame) -> None:
    volumes = log.filter(pl.col("series").is_not_null()).select("user", "series", "volume", "row")
    following = volumes.with_columns(pl.col("volume") - 1).rename({"row": "row_of_next"})
    both = volumes.join(following, on=["user", "series", "volume"])
    assert len(both) > 5000
    in_order = (both["row"] < both["row_of_next"]).mean()
    assert in_order > 0.95  # by chance 0.5


def test_who_has_read_the_first_volume_reads_the_second(log: pl.DataFrame) -> None:
    volumes = log.filter(pl.col("series").is_not_null())
    first = volumes.filter(pl.col("volume") == 1).select("user", "series")
    second = volumes.filter(pl.col("volume") == 2).select("user", "series")
    after_first = len(second.join(first, on=["user", "series"])) / len(first)
    of_everyone = len(second) / (3000 * volumes["series"].n_unique())
    assert after_first > 0.4
    assert after_first > 10 * of_everyone


def test_the_next_item_depends_on_the_last_one_and_not_only_on_the_user(
    log: pl.DataFrame,
) -> None:
    """Runs: what a model of sequences can learn and a model of sets cannot."""
    random = np.random.default_rng(0)
    shuffled = log.with_columns(pl.Series("order", random.random(len(log)))).sort("user", "order")

    def same_genre(readings: pl.DataFrame) -> float:
        user, genre = readings["user"].to_numpy(), readings["genre"].to_numpy()
        pair = user[1:] == user[:-1]
        return float((genre[1:] == genre[:-1])[pair].mean())

    assert same_genre(log) > same_genre(shuffled) + 0.15


def test_items_read_by_the_same_people_are_of_the_same_genre(
    shop: Dataset, read_by: scipy.sparse.csc_matrix
) -> None:
    genre = shop.catalog.frame["genre"].to_numpy()
    known = np.flatnonzero(np.bincount(shop.interactions.item, minlength=2001)[1:] >= 20)
    assert len(known) > 1200
    nearest = np.argsort(-cosine(read_by)[known], axis=1, kind="stable")[:, :5]
    share = (genre[nearest] == genre[known][:, None]).mean()
    chance = np.mean([(genre == other).mean() for other in genre[known]])
    assert chance < 0.1
    assert share > 0.85


def test_neighbours_find_far_more_hidden_items_than_bestsellers_do(shop: Dataset) -> None:
    interactions, _ = clean(shop.interactions)
    split = split_unseen_users(interactions, test_users=500, validation_users=300)
    train, shown, hidden = (
        scipy.sparse.csr_matrix(
            (np.ones(len(part.items)), part.items - 1, part.offsets), (len(part), split.num_items)
        )
        for part in (split.train, split.test.histories, split.test.targets)
    )

    def recall(scores: np.ndarray) -> float:
        """Share of the hidden items, of at most ten a user, among the ten best scores."""
        unread = np.where(shown.toarray() > 0, -np.inf, scores)
        best = np.argsort(-unread, axis=1, kind="stable")[:, :10]
        hits = np.take_along_axis(hidden.toarray(), best, axis=1).sum(axis=1)
        return float(np.mean(hits / np.minimum(split.test.targets.lengths, 10)))

    popular = recall(np.tile(split.popularity()[1:].astype(float), (500, 1)))
    neighbours = recall(shown @ cosine(train))
    assert neighbours > 4 * popular
    assert 0.15 < neighbours < 0.45  # something to be learned, and something left to learn


def test_friends_have_like_taste_and_change_nothing_else() -> None:
    plain = generate_bookshop(num_items=300, num_users=400, seed=2)
    dataset = generate_bookshop(num_items=300, num_users=400, seed=2, has_friends=True)
    for name in ("user", "item", "timestamp"):
        expected = getattr(plain.interactions, name)
        np.testing.assert_array_equal(getattr(dataset.interactions, name), expected)
    assert dataset.catalog.frame.equals(plain.catalog.frame)
    assert plain.friendships is None
    pairs = dataset.friendships
    assert pairs is not None
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    read = np.zeros((400, 301))
    read[dataset.interactions.user, dataset.interactions.item] = 1
    shared = (read[pairs[:, 0]] * read[pairs[:, 1]]).sum(axis=1).mean()
    by_chance = (read[pairs[:, 0]] * read[np.roll(pairs[:, 1], 7)]).sum(axis=1).mean()
    assert shared > 1.5 * by_chance
