import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kd_tf.data.clean import CleaningRules, clean
from kd_tf.data.sources.goodbooks import read_goodbooks
from kd_tf.errors import UserError

# The columns of both releases; the rows have what real ones have: ids of Goodreads that are also
# ids of other books, separators and quotes in titles, years before our era or missing.
FIRST_ITEMS = """\
id,book_id,best_book_id,authors,original_publication_year,original_title,title,image_url
1,3,3,Suzanne Collins,2008.0,The Hunger Games,"The Hunger Games (The Hunger Games, #1)",a.jpg
2,1,1,"J.K. Rowling, Mary GrandPré",1997.0,,"Harry Potter (Harry Potter, #1-7)",b.jpg
3,2,2,"Homer, Robert Fagles",-720.0,Ὀδύσσεια,The Odyssey,c.jpg
10,4,4,Dave Pelzer,,,"A Child Called ""It"" (Dave Pelzer #1)",d.jpg
"""
FIRST_RATINGS = "book_id,user_id,rating\n1,314,5\n1,439,3\n2,314,4\n3,588,1\n3,588,5\n"

SECOND_ITEMS = """\
book_id,goodreads_book_id,best_book_id,authors,original_publication_year,title,image_url
1,3,3,Suzanne Collins,2008.0,"The Hunger Games (The Hunger Games, #1)",a.jpg
2,1,1,J.K. Rowling,1997.0,"Harry Potter (Harry Potter, #1-7)",b.jpg
"""
SECOND_RATINGS = "user_id,book_id,rating\n1,2,5\n2,1,4\n1,1,3\n"


def folder(tmp_path: Path, ratings: str, items: str, *, packed: bool = False) -> Path:
    for name, text in (("ratings.csv", ratings), ("books.csv", items)):
        if packed:
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                archive.writestr(name, text)
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("packed", [False, True])
def test_the_first_release_joins_ratings_to_the_id_of_an_item_not_to_goodreads_own(
    tmp_path, packed
):
    dataset = read_goodbooks(folder(tmp_path, FIRST_RATINGS, FIRST_ITEMS, packed=packed))
    assert dataset.name == "goodbooks-10k"
    assert dataset.catalog.item_ids == ["1", "2", "3", "10"]
    assert dataset.interactions.user_ids == ["314", "439", "588"]
    assert dataset.interactions.user.tolist() == [0, 1, 0, 2, 2]
    assert dataset.interactions.item.tolist() == [1, 1, 2, 3, 3]
    assert dataset.interactions.rating.tolist() == [5, 3, 4, 1, 5]
    assert dataset.interactions.timestamp is None


def test_the_catalog_has_titles_authors_series_years_and_covers(tmp_path):
    items = read_goodbooks(folder(tmp_path, FIRST_RATINGS, FIRST_ITEMS)).catalog.frame
    assert items["title"].to_list() == [
        "The Hunger Games (The Hunger Games, #1)",
        "Harry Potter (Harry Potter, #1-7)",
        "The Odyssey",
        'A Child Called "It" (Dave Pelzer #1)',
    ]
    assert items["authors"].to_list() == [
        "Suzanne Collins",
        "J.K. Rowling, Mary GrandPré",
        "Homer, Robert Fagles",
        "Dave Pelzer",
    ]
    assert items["series"].to_list() == ["The Hunger Games", "Harry Potter", None, "Dave Pelzer"]
    assert items["year"].to_list() == [2008, 1997, -720, None]
    assert items["cover"].to_list() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_isbns_that_lost_their_zeros_are_read_and_rounded_ones_are_not(tmp_path):
    items = SECOND_ITEMS.replace("image_url", "image_url,isbn,isbn13")
    items = items.replace("a.jpg", "a.jpg,439023483,9.78043902348e+12")
    items = items.replace("b.jpg", "b.jpg,,9.78043955493e+12")
    actual = read_goodbooks(folder(tmp_path, SECOND_RATINGS, items)).catalog.frame["isbn"]
    assert actual.to_list() == ["9780439023481", None]


def test_an_item_without_ratings_stays_and_has_a_note(tmp_path):
    dataset = read_goodbooks(folder(tmp_path, FIRST_RATINGS, FIRST_ITEMS))
    assert len(dataset.catalog) == dataset.interactions.num_items == 4
    [note] = dataset.notes
    assert "1 of 4 items have no interactions" in note


def test_repeated_pairs_pass_through_and_cleaning_keeps_the_last(tmp_path):
    interactions = read_goodbooks(folder(tmp_path, FIRST_RATINGS, FIRST_ITEMS)).interactions
    assert len(interactions) == 5
    cleaned, _ = clean(
        interactions.keep(np.isin(interactions.user, [0, 2])),
        CleaningRules(min_user_interactions=2),
    )
    assert cleaned.user_ids == ["314"]  # 588 rated one book, twice


def test_the_second_release_is_recognized_by_its_header(tmp_path):
    dataset = read_goodbooks(folder(tmp_path, SECOND_RATINGS, SECOND_ITEMS))
    assert dataset.catalog.item_ids == ["1", "2"]
    assert dataset.interactions.user_ids == ["1", "2"]
    assert dataset.interactions.item.tolist() == [2, 1, 1]
    assert dataset.interactions.rating.tolist() == [5, 4, 3]


@pytest.mark.parametrize(
    ("title", "series"),
    [
        ("Dune (Dune Chronicles #1)", "Dune Chronicles"),
        ("Sabriel (Abhorsen,  #1)", "Abhorsen"),
        ("The Color of Magic (Discworld, #1; Rincewind #1)", "Discworld"),
        ("Four: A Collection (Divergent, #0.1 - 0.4)", "Divergent"),
        ("A Storm of Swords (A Song of Ice and Fire, #3: Part 2 of 2)", "A Song of Ice and Fire"),
        ("One Thousand White Women (One Thousand White Women#1)", "One Thousand White Women"),
        ("I Am America (And So Can You!)", None),
        ("The Firm (Penguin Readers, Level 5)", None),
        ("Twilight (Twilight, #1) and more", None),
        ("We're #1", None),
        ("Nameless (#1)", None),
        ("(#1) (Both, #2)", "Both"),
    ],
)
def test_a_series_is_what_stands_before_the_number_at_the_end_of_a_title(tmp_path, title, series):
    items = f'id,authors,original_publication_year,title,image_url\n1,A,1,"{title}",a.jpg\n'
    ratings = "book_id,user_id,rating\n1,1,5\n"
    catalog = read_goodbooks(folder(tmp_path, ratings, items)).catalog
    assert catalog.frame["series"].to_list() == [series]


def test_an_item_table_of_neither_release_is_refused(tmp_path):
    with pytest.raises(UserError, match="neither release") as caught:
        read_goodbooks(folder(tmp_path, FIRST_RATINGS, "book_id,title\n1,A\n"))
    assert caught.value.where == f"{tmp_path / 'books.csv'}:1"
    assert "'book_id', 'title'" in caught.value.what


def test_a_missing_file_is_named_with_what_the_folder_has(tmp_path):
    (tmp_path / "ratings.csv").write_text(FIRST_RATINGS)
    with pytest.raises(UserError, match=r"no books\.csv of goodbooks-10k") as caught:
        read_goodbooks(tmp_path)
    assert "ratings.csv" in caught.value.hint
    with pytest.raises(UserError, match="there is no file 'nowhere'"):
        read_goodbooks(tmp_path / "nowhere")


def test_a_bad_rating_stops_or_is_skipped_and_noted(tmp_path):
    data_dir = folder(tmp_path, FIRST_RATINGS + "1,588,five\n", FIRST_ITEMS)
    with pytest.raises(UserError) as caught:
        read_goodbooks(data_dir)
    assert caught.value.where == f'{tmp_path / "ratings.csv"}:7, column "rating"'
    dataset = read_goodbooks(data_dir, on_bad_rows="skip")
    assert len(dataset.interactions) == 5
    assert "1 bad row was skipped in ratings.csv" in dataset.notes[0]


@pytest.mark.real_data
@pytest.mark.skipif(
    not os.environ.get("KD_TF_DATA"),
    reason="KD_TF_DATA does not name a folder that has goodbooks-10k",
)
def test_the_published_files_are_read_whole():
    dataset = read_goodbooks(Path(os.environ["KD_TF_DATA"]) / "goodbooks-10k")
    interactions = dataset.interactions
    assert (interactions.num_users, interactions.num_items, len(interactions)) == (
        53_424,
        10_000,
        981_756,
    )
    assert dataset.notes == ()
    assert dataset.catalog.item_ids == [str(number) for number in range(1, 10_001)]
    assert dataset.catalog.label(1) == "The Hunger Games (The Hunger Games, #1) (Suzanne Collins)"
    assert set(np.unique(interactions.rating)) == {1, 2, 3, 4, 5}
    _, (exact, repeated, _) = clean(interactions, CleaningRules(min_user_interactions=2))
    removed = [s.before.interactions - s.after.interactions for s in (exact, repeated)]
    assert sum(removed) == 2_278
