"""Files that fuzzing found: each once raised something other than a UserError."""

import base64
from pathlib import Path

import polars as pl
import pytest

from kd_tf.data.sources.amazon_reviews import read_amazon_reviews
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.netflix_prize import read_netflix_prize
from kd_tf.data.sources.own_tables import read_files
from kd_tf.errors import UserError

COLUMNS = InteractionColumns("user", "item", "rating", "time")


@pytest.mark.parametrize(
    "content",
    [
        # A name that is no text in any encoding that zip knows.
        "UEsDBBQAAAAAAHAKUEsBAhQDFAD/////////G//LPbhYAAAAWAAAAAUAAAAAAAAAAAAAAIABAAAAAHTXY3N2"
        "UEsFBgAAAAABAAEAMwAAAHsAAAAAAA==",
        # A version of zip that does not exist.
        "UEsDBBQAAAAAAHAldV1wyz24WDAxLTAxVDAwOjAwOjAwWgpQSwECFC5jc3YAAABwJXVdcMs9uFgAAABYAAAABQAA"
        "AAAAAAAAAAAAgAEAAAAAdNdjc3ZQSwUGAAAAAAEAAQAzAAAAewAAAAAA",
    ],
)
def test_a_zip_with_a_mangled_directory_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.zip").write_bytes(base64.b64decode(content))
    with pytest.raises(UserError, match="damaged"):
        read_files(tmp_path / "t.zip", COLUMNS)


def test_a_zip_whose_entry_has_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    content = (
        "UEsDBBQAIiwiMgozIiw0LjUsMjAyMC0wMS0wMQpkLMOpLDMsMTk3MC0wMS0wMVQwMDowMDowMFoKUEsBAhQDFAAA"
        "AAAAcCV1XXDLPbhYIiw0LjUsMjAyMC0wMS0wMQpkLMOpLDMsMTk3MC0wMS0wMVQwMDowMDowMFoKUEsBAhQDFAAA"
        "AAAAcCV1XXDLPbhYAAAAWAAAAAUAAAAAAAAAAAAAAIABAAAAAHQuY3N2UEsFBgAAAAABAAEAMwAAAHsAAAAAAA=="
    )
    (tmp_path / "t.zip").write_bytes(base64.b64decode(content))
    with pytest.raises(UserError):
        read_files(tmp_path / "t.zip", COLUMNS)


@pytest.mark.parametrize("line", ['{ ["b"]}', '{["b"]: 1}', "{{}: 1}"])
def test_a_description_with_a_list_as_a_key_is_refused(tmp_path: Path, line: str) -> None:
    review = '{"reviewerID": "A", "asin": "1", "overall": 5, "unixReviewTime": 1}'
    (tmp_path / "Books_5.json").write_text(review + "\n")
    (tmp_path / "meta_Books.json").write_text(line + "\n")
    with pytest.raises(UserError, match="not a JSON object"):
        read_amazon_reviews(tmp_path)


def test_a_parquet_file_with_a_piece_cut_out_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "t.parquet"
    columns = {"user": ["a", "b"], "item": [1, 2], "rating": [1.0, 2.5], "time": [1, 2]}
    pl.DataFrame(columns).write_parquet(whole)
    content = whole.read_bytes()
    refused = 0
    for at in range(4, len(content) - 8, 7):
        whole.write_bytes(content[:at] + content[at + 3 :])
        try:
            read_files(whole, COLUMNS)
        except UserError:
            refused += 1
    assert refused > 0


def test_a_rating_before_any_film_is_refused_also_in_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_text("5,1,2004-02-29\n1:\n6,1,2004-02-29\n")
    with pytest.raises(UserError, match="before any film"):
        read_netflix_prize(tmp_path)


def test_an_empty_table_of_titles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_text("1:\n6,1,2004-02-29\n")
    (tmp_path / "movie_titles.csv").write_text("")
    with pytest.raises(UserError, match="no rows"):
        read_netflix_prize(tmp_path)
