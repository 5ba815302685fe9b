"""Amazon Reviews of three releases: reviews, ratings and item metadata."""

import gzip
import json
from pathlib import Path

import pytest

from kd_tf.data.sources.amazon_reviews import read_amazon_reviews
from kd_tf.errors import UserError

OLD = [
    {
        "reviewerID": "A10000012B7CGYKOMPQ4L",
        "asin": "000100039X",
        "reviewerName": "Adam",
        "helpful": [0, 0],
        "reviewText": 'Spiritually and \u00e9 "uplifting"\n{really}',
        "overall": 5.0,
        "summary": "Wonderful!",
        "unixReviewTime": 1355616000,
        "reviewTime": "12 16, 2012",
    },
    {"reviewerID": "A2S166WSCFIFP5", "asin": "0001", "overall": 1.0, "unixReviewTime": 1071100800},
]
NEW = [
    {
        "rating": 4.0,
        "title": "x",
        "text": "y",
        "images": [],
        "asin": "B1",
        "parent_asin": "B0",
        "user_id": "AFKZ",
        "timestamp": 1588687728923,
        "helpful_vote": 0,
        "verified_purchase": True,
    },
    {"rating": 2.0, "asin": "C1", "parent_asin": "C0", "user_id": "AG", "timestamp": -1},
]


def lines(*objects: dict) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def write(folder: Path, name: str, text: str) -> Path:
    packed = text.encode()
    (folder / name).write_bytes(gzip.compress(packed) if name.endswith(".gz") else packed)
    return folder


def rows(dataset) -> list[tuple[str, str, float, int]]:
    data = dataset.interactions
    return [
        (data.user_ids[u], dataset.catalog.item_ids[i - 1], float(r), int(t))
        for u, i, r, t in zip(data.user, data.item, data.rating, data.timestamp, strict=True)
    ]


OLD_ROWS = [
    ("A10000012B7CGYKOMPQ4L", "000100039X", 5, 1355616000),
    ("A2S166WSCFIFP5", "0001", 1, 1071100800),
]
NEW_ROWS = [("AFKZ", "B0", 4, 1588687728), ("AG", "C0", 2, -1)]


@pytest.mark.parametrize(
    ("name", "objects", "expected"),
    [
        ("reviews_Books_5.json.gz", OLD, OLD_ROWS),
        ("Books_5.json.gz", OLD, OLD_ROWS),
        ("Books.json", OLD, OLD_ROWS),
        ("Books.jsonl.gz", NEW, NEW_ROWS),
        ("Books.jsonl", NEW, NEW_ROWS),
    ],
)
def test_reviews_are_read_by_their_fields(tmp_path: Path, name, objects, expected) -> None:
    assert rows(read_amazon_reviews(write(tmp_path, name, lines(*objects)))) == expected
    assert rows(read_amazon_reviews(tmp_path / name)) == expected


def test_ratings_of_2014_have_the_user_first(tmp_path: Path) -> None:
    write(tmp_path, "ratings_Books.csv", "AH2L,0000000116,4.0,1019865600\nA2II,0000000116,1.0,9\n")
    assert rows(read_amazon_reviews(tmp_path))[0] == ("AH2L", "0000000116", 4, 1019865600)


def test_ratings_of_2018_have_the_item_first_and_nothing_is_guessed(tmp_path: Path) -> None:
    write(tmp_path, "Books.csv", "0001713353,A1C6,5.0,1123804800\n0001713353,A1RE,5.0,9\n")
    with pytest.raises(UserError, match="whether users or items come first") as caught:
        read_amazon_reviews(tmp_path)
    assert "amazon_release" in caught.value.hint
    actual = rows(read_amazon_reviews(tmp_path, release="2018"))
    assert actual[0] == ("A1C6", "0001713353", 5, 1123804800)
    assert rows(read_amazon_reviews(tmp_path, release="2014"))[0][0] == "0001713353"


def test_ratings_of_2023_have_a_header_and_milliseconds(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Books.csv.gz",
        "user_id,parent_asin,rating,timestamp\nAFKZ,B0,4.0,1588687728923\n",
    )
    assert rows(read_amazon_reviews(tmp_path)) == NEW_ROWS[:1]


def test_descriptions_of_2014_are_python_and_are_not_executed(tmp_path: Path) -> None:
    write(tmp_path, "reviews_Books_5.json", lines(*OLD))
    write(
        tmp_path,
        "meta_Books.json.gz",
        "{'asin': '000100039X', 'title': \"The Prophet's Way\", 'imUrl': 'http://x/y.jpg', "
        "'categories': [['Books', 'Religion']], 'description': 'On <b>love</b> &amp; work'}\n"
        "{'asin': '0001', 'salesRank': {'Books': 1}}\n",
    )
    dataset = read_amazon_reviews(tmp_path)
    first, second = dataset.catalog.frame.to_dicts()
    assert first == {
        "item_id": "000100039X",
        "title": "The Prophet's Way",
        "authors": None,
        "genre": "Religion",
        "text": "On love & work",
        "cover": "http://x/y.jpg",
        "isbn": "9780001000391",
    }
    assert second == dict.fromkeys(first) | {"item_id": "0001"}
    write(tmp_path, "meta_Books.json.gz", "__import__('os').system('true')\n")
    with pytest.raises(UserError, match="not a JSON object"):
        read_amazon_reviews(tmp_path)


def test_descriptions_of_2018_and_2023_are_json(tmp_path: Path) -> None:
    write(tmp_path, "Books_5.json", lines(*OLD))
    write(
        tmp_path,
        "meta_Books.json",
        lines(
            {
                "asin": "0001",
                "title": "<span>Tea &amp; Cake</span>",
                "brand": "Ann Lee",
                "category": ["Books", "Food"],
                "description": ["One.", "Two."],
                "imageURLHighRes": ["http://big"],
            },
            {"asin": "0001", "title": "again"},
        ),
    )
    dataset = read_amazon_reviews(tmp_path)
    assert dataset.catalog.frame.row(0, named=True) == {
        "item_id": "0001",
        "title": "Tea & Cake",
        "authors": "Ann Lee",
        "genre": "Food",
        "text": "One. Two.",
        "cover": "http://big",
        "isbn": None,
    }
    assert any(
        "1 items of meta_Books.json are described more than once" in n for n in dataset.notes
    )

    newer = tmp_path / "2023"
    newer.mkdir()
    write(newer, "Books.jsonl", lines(*NEW))
    write(
        newer,
        "meta_Books.jsonl",
        lines(
            {
                "parent_asin": "B0",
                "title": "T",
                "author": {"name": "N. N.", "about": []},
                "store": "N. N. (Author)",
                "images": [{"large": "http://l", "thumb": "http://t"}],
                "categories": ["Books", "Art"],
                "description": [],
            },
            {"parent_asin": "C0", "title": "U", "author": None, "store": "S", "images": []},
        ),
    )
    frame = read_amazon_reviews(newer).catalog.frame
    assert frame["authors"].to_list() == ["N. N.", "S"]
    assert frame["cover"].to_list() == ["http://l", None]
    assert frame["text"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("line", "message", "column"),
    [
        ("{", "not a JSON object", None),
        ("[1]", "not a JSON object", None),
        ("null", "not a JSON object", None),
        ('{"reviewerID": "A", "asin": "1", "overall": 5}', "is missing", "unixReviewTime"),
        (
            '{"reviewerID": "A", "asin": "1", "overall": "five", "unixReviewTime": 1}',
            "'five' is not a finite number",
            "overall",
        ),
        (
            '{"reviewerID": "A", "asin": "1", "overall": NaN, "unixReviewTime": 1}',
            "not a finite number",
            "overall",
        ),
        (
            '{"reviewerID": ["A"], "asin": "1", "overall": 5, "unixReviewTime": 1}',
            "neither a text nor a number",
            "reviewerID",
        ),
        (
            '{"reviewerID": "A", "asin": "", "overall": 5, "unixReviewTime": 1}',
            "not an item id",
            "asin",
        ),
        (
            '{"reviewerID": "A", "asin": "1", "overall": 5, "unixReviewTime": "soon"}',
            "is not a time",
            "unixReviewTime",
        ),
    ],
)
def test_a_malformed_review_is_refused_or_skipped(tmp_path: Path, line, message, column) -> None:
    write(tmp_path, "Books_5.json", lines(*OLD) + "\n" + line + "\n")
    with pytest.raises(UserError, match=message) as caught:
        read_amazon_reviews(tmp_path)
    place = f"{tmp_path / 'Books_5.json'}:4" + (f', column "{column}"' if column else "")
    assert caught.value.where == place
    dataset = read_amazon_reviews(tmp_path, on_bad_rows="skip")
    assert rows(dataset) == OLD_ROWS
    assert dataset.dropped_rows == {"bad row": 1}


def test_large_ids_and_nested_brackets_are_no_danger(tmp_path: Path) -> None:
    deep = '{"reviewerID": ' + "[" * 100_000
    many = '{"reviewerID": "A", "asin": "1", "overall": ' + "9" * 10_000 + ', "unixReviewTime": 1}'
    write(tmp_path, "Books_5.json", lines(*OLD) + deep + "\n" + many + "\n")
    dataset = read_amazon_reviews(tmp_path, on_bad_rows="skip")
    assert rows(dataset) == OLD_ROWS
    assert dataset.dropped_rows == {"bad row": 2}


def test_several_categories_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of Amazon reviews"):
        read_amazon_reviews(tmp_path)
    write(tmp_path, "Books_5.json", lines(*OLD))
    write(tmp_path, "Music_5.json", lines(*OLD))
    with pytest.raises(UserError, match="several files"):
        read_amazon_reviews(tmp_path)
    (tmp_path / "Music_5.json").unlink()
    write(tmp_path, "Books_5.json", lines({"a": 1}))
    with pytest.raises(UserError, match="not a review of 2014"):
        read_amazon_reviews(tmp_path)
