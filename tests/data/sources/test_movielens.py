import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.formats import lines
from kd_tf.data.sources.movielens import read_movielens
from kd_tf.errors import UserError

NO_FLAGS = "|0" * 19


def flags(*ones: int) -> str:
    """The end of a line of u.item; the flags are numbered as u.genre numbers the genres."""
    return "".join(f"|{int(number in ones)}" for number in range(19))


RATINGS_100K = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t267\t5\t881251000\n"
FILMS_100K = (
    "242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/M/title-exact?Kolya%20(1996)"
    f"{flags(5)}\n"
    "267|unknown||||1" + "|0" * 18 + "\n"
    "302|L.A. Confidential (1997)|01-Jan-1997||http://us.imdb.com/M/title-exact?L%2EA%2E"
    f"{flags(6, 10, 13, 16)}\n"
    "1412|Land Before Time III: The Time of the Great Giving (1995) (V)|01-Jan-1995||http://us.im"
    f"{flags(3, 4)}\n"
    f"1633|Á köldum klaka (Cold Fever) (1994)|08-Mar-1996||http://us.imdb.com/M{flags(5, 8)}\n"
)
RATINGS_1M = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n"
FILMS_1M = (
    "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
    "1193::One Flew Over the Cuckoo's Nest (1975)::Drama\n"
    "73::Misérables, Les (1995)::Drama|Musical\n"
)
RATINGS_10M = "1::122::5::838985046\n1::185::3.5::838983525\n2::122::0.5::838983392\n"
FILMS_10M = (
    "122::Boomerang (1992)::Comedy|Romance\n"
    "185::Net, The (1995)::Action|Crime|Thriller\n"
    '1495::"Great Performances" Cats (1998)::Musical\n'
    "8606::Pull My Daisy (1958)::(no genres listed)\n"
    "29::City of Lost Children, The (Cité des enfants perdus, La) (1995)::Adventure|Sci-Fi\n"
)
RATINGS_CSV = (
    "userId,movieId,rating,timestamp\r\n"
    "1,29,3.5,1112486027\r\n"
    "1,107434,0.5,1112484676\r\n"
    "2,29,5.0,1112484819\r\n"
)
FILMS_CSV = (
    "movieId,title,genres\r\n"
    '29,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Adventure|Sci-Fi\r\n'
    '1495,"""Great Performances"" Cats (1998)",Musical\r\n'
    "40697,Babylon 5,Sci-Fi\r\n"
    "107434,Diplomatic Immunity (2009– ),Comedy\r\n"
    "126929,Li'l Quinquin,(no genres listed)\r\n"
)


def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def release(name: str, tmp_path: Path) -> Path:
    return folder(tmp_path, files(name))


def files(name: str) -> dict[str, bytes]:
    return {
        "100k": {
            "u.data": RATINGS_100K.encode(),
            "u.item": FILMS_100K.encode("latin-1"),
            "u.genre": b"unknown|0\nAction|1\n\n",
            "u1.base": b"1\t1\t5\t874965758\n",
        },
        "1m": {
            "ratings.dat": RATINGS_1M.encode(),
            "movies.dat": FILMS_1M.encode("latin-1"),
            "users.dat": b"1::F::1::10::48067\n",
        },
        "10m": {
            "ratings.dat": RATINGS_10M.encode(),
            "movies.dat": FILMS_10M.encode(),
            "tags.dat": b"15::4973::excellent!::1215184630\n",
        },
        "20m": {
            "ratings.csv": RATINGS_CSV.encode(),
            "movies.csv": FILMS_CSV.encode(),
            "links.csv": b"movieId,imdbId,tmdbId\r\n1,0114709,862\r\n",
        },
    }[name]


def test_100k_has_flags_for_genres_and_latin_1_titles(tmp_path):
    dataset = read_movielens(release("100k", tmp_path))
    assert dataset.name == "movielens"
    assert dataset.interactions.user_ids == ["196", "186"]
    assert dataset.interactions.user.tolist() == [0, 1, 0]
    assert dataset.interactions.item.tolist() == [1, 3, 2]
    assert dataset.interactions.rating.tolist() == [3, 3, 5]
    assert dataset.interactions.timestamp.tolist() == [881250949, 891717742, 881251000]
    films = dataset.catalog.frame
    assert films["item_id"].to_list() == ["242", "267", "302", "1412", "1633"]
    assert films["title"].to_list() == [
        "Kolya",
        "unknown",
        "L.A. Confidential",
        "Land Before Time III: The Time of the Great Giving",
        "Á köldum klaka (Cold Fever)",
    ]
    assert films["year"].to_list() == [1996, None, 1997, 1995, 1994]
    assert films["genre"].to_list() == [
        "Comedy",
        None,
        "Crime, Film-Noir, Mystery, Thriller",
        "Animation, Children's",
        "Comedy, Drama",
    ]


def test_1m_is_latin_1_and_its_fields_are_parted_by_two_colons(tmp_path):
    dataset = read_movielens(release("1m", tmp_path))
    assert dataset.interactions.item.tolist() == [2, 1, 2]
    assert dataset.interactions.rating.tolist() == [5, 3, 4]
    assert dataset.catalog.frame.rows() == [
        ("661", "James and the Giant Peach", "Animation, Children's, Musical", 1996),
        ("1193", "One Flew Over the Cuckoo's Nest", "Drama", 1975),
        ("73", "Misérables, Les", "Drama, Musical", 1995),
    ]
    assert dataset.notes == (
        "1 of 3 items have no interactions: they stay in the catalog but cannot be recommended "
        "well",
    )


def test_10m_is_utf_8_with_half_stars_and_quotes_that_are_text(tmp_path):
    dataset = read_movielens(release("10m", tmp_path))
    assert dataset.interactions.rating.tolist() == [5, 3.5, 0.5]
    assert dataset.interactions.timestamp.tolist() == [838985046, 838983525, 838983392]
    films = dataset.catalog.frame
    assert films["title"].to_list()[2] == '"Great Performances" Cats'
    assert films["title"].to_list()[4] == "City of Lost Children, The (Cité des enfants perdus, La)"
    assert films["genre"].to_list() == [
        "Comedy, Romance",
        "Action, Crime, Thriller",
        "Musical",
        None,
        "Adventure, Sci-Fi",
    ]


def test_20m_and_later_have_headers_and_quoted_titles(tmp_path):
    dataset = read_movielens(release("20m", tmp_path))
    assert dataset.interactions.user_ids == ["1", "2"]
    assert dataset.interactions.item.tolist() == [1, 4, 1]
    assert dataset.interactions.rating.tolist() == [3.5, 0.5, 5]
    assert dataset.interactions.timestamp.tolist() == [1112486027, 1112484676, 1112484819]
    assert dataset.catalog.frame.rows() == [
        (
            "29",
            "City of Lost Children, The (Cité des enfants perdus, La)",
            "Adventure, Sci-Fi",
            1995,
        ),
        ("1495", '"Great Performances" Cats', "Musical", 1998),
        ("40697", "Babylon 5", "Sci-Fi", None),
        ("107434", "Diplomatic Immunity", "Comedy", 2009),
        ("126929", "Li'l Quinquin", None, None),
    ]


@pytest.mark.parametrize("name", ["100k", "1m", "10m", "20m"])
def test_packed_and_plain_are_the_same_data(tmp_path, name):
    (tmp_path / "plain").mkdir()
    plain = read_movielens(release(name, tmp_path / "plain"))

    archive = tmp_path / f"ml-{name}.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"ml-{name}/README", "MovieLens")
        for file, content in files(name).items():
            packed.writestr(f"ml-{name}/{file}", content)
    single = tmp_path / "single"
    single.mkdir()
    for file, content in files(name).items():
        (single / f"{file}.gz").write_bytes(gzip.compress(content))

    for place in (archive, single):
        other = read_movielens(place)
        assert other.catalog.frame.equals(plain.catalog.frame)
        assert other.interactions.user_ids == plain.interactions.user_ids
        for column in ("user", "item", "rating", "timestamp"):
            np.testing.assert_array_equal(
                getattr(other.interactions, column), getattr(plain.interactions, column)
            )


@pytest.mark.parametrize(
    ("name", "file"),
    [("100k", "u.data"), ("1m", "ratings.dat"), ("10m", "ratings.dat"), ("20m", "ratings.csv")],
)
def test_ratings_load_without_the_films(tmp_path, name, file):
    place = release(name, tmp_path)
    alone = read_movielens(place / file)
    assert alone.catalog.frame.columns == ["item_id"]
    assert len(alone.interactions) == 3
    (place / {"100k": "u.item", "20m": "movies.csv"}.get(name, "movies.dat")).unlink()
    from_folder = read_movielens(place)
    assert from_folder.catalog.item_ids == alone.catalog.item_ids
    assert from_folder.notes == ()


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Heat (1995)", "Heat", 1995),
        ("Heat (1995) ", "Heat", 1995),
        ("Heat  (1995)", "Heat", 1995),
        ("Babylon 5", "Babylon 5", None),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Death Note: Desu nôto (2006–2007)", "Death Note: Desu nôto", 2006),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Diplomatic Immunity (2009– )", "Diplomatic Immunity", 2009),
        ("Bye Bye (Ciao ciao) (1983))", "Bye Bye (Ciao ciao)", 1983),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984 (1956)", "1984", 1956),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("Class of (1984) (1982)", "Class of (1984)", 1982),
        ("12 Monkeys (a.k.a. Twelve Monkeys)", "12 Monkeys (a.k.a. Twelve Monkeys)", None),
        ("Airport (19700)", "Airport (19700)", None),
        ("(1995)", None, 1995),
        ("", None, None),
    ],
)
def test_the_year_at_the_end_of_a_title_gets_a_column_of_its_own(tmp_path, written, title, year):
    films = f'movieId,title,genres\n1,"{written}",Drama\n'
    place = folder(
        tmp_path,
        {
            "ratings.csv": b"userId,movieId,rating,timestamp\n1,1,5,1\n",
            "movies.csv": films.encode(),
        },
    )
    frame = read_movielens(place).catalog.frame
    assert frame.select("title", "year").row(0) == (title, year)


def test_films_of_old_releases_are_read_in_utf_8_too(tmp_path):
    place = release("1m", tmp_path)
    (place / "movies.dat").write_text(FILMS_1M, encoding="utf-8")
    assert "Misérables, Les" in read_movielens(place).catalog.frame["title"].to_list()


@pytest.mark.parametrize("block", range(1, 9))
def test_a_letter_that_two_blocks_share_does_not_turn_utf_8_into_latin_1(
    tmp_path, monkeypatch, block
):
    monkeypatch.setattr(lines, "_BLOCK_BYTES", block)
    titles = read_movielens(release("10m", tmp_path)).catalog.frame["title"]
    assert titles[4] == "City of Lost Children, The (Cité des enfants perdus, La)"


def test_films_of_new_releases_in_another_encoding_are_refused_not_garbled(tmp_path):
    place = release("20m", tmp_path)
    (place / "movies.csv").write_bytes(FILMS_CSV.replace("–", "-").encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8") as caught:
        read_movielens(place)
    assert caught.value.where == f"{place / 'movies.csv'}:2"


@pytest.mark.parametrize(
    ("name", "file", "line", "where", "what"),
    [
        ("100k", "u.data", "1\t2\t3", ":4", "has 3 fields, the first line has 4"),
        ("100k", "u.data", "1\t2\t3\t4\t5", ":4", "has 5 fields"),
        ("100k", "u.data", "1\t2\tx\t4", ':4, column "rating"', "'x' is not a finite number"),
        ("100k", "u.data", "1\t2\t3\tx", ':4, column "timestamp"', "'x' is not a time"),
        ("100k", "u.data", "\t2\t3\t4", ':4, column "user"', "is not a user id"),
        ("1m", "ratings.dat", "1::2::3", ":4", "has 3 fields"),
        ("1m", "ratings.dat", "1::::3::4", ':4, column "item"', "is not an item id"),
        ("20m", "ratings.csv", "1,2,3.5", ":5", "has 3 fields"),
        ("100k", "u.item", f"9|A|||{NO_FLAGS}|0", ":6", "has 25 fields"),
        ("100k", "u.item", f"|A|||{NO_FLAGS}", ':6, column "item_id"', "is not a film id"),
        ("100k", "u.item", "9|A|||" + "|2" * 19, ':6, column "unknown"', "'2' is neither 0 nor 1"),
        ("100k", "u.item", f"242|A|||{NO_FLAGS}", ':6, column "item_id"', "'242' is the id of"),
        ("1m", "movies.dat", "9::A (1990)", ":4", "has 2 fields"),
        ("20m", "movies.csv", "9,A, B (1990),Drama", ":7", "has 4 fields"),
        ("20m", "movies.csv", "29,A,Drama", ':7, column "movieId"', "'29' is the id of a film"),
    ],
)
def test_a_bad_row_stops_with_its_place_or_is_skipped_and_noted(
    tmp_path, name, file, line, where, what
):
    place = release(name, tmp_path)
    good = read_movielens(place)
    with (place / file).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(UserError) as caught:
        read_movielens(place)
    assert caught.value.where == f"{place / file}{where}"
    assert what in caught.value.what

    dataset = read_movielens(place, on_bad_rows="skip")
    assert f"1 bad row was skipped in {file}" in dataset.notes[0]
    assert what in dataset.notes[0]
    assert dataset.interactions.item.tolist() == good.interactions.item.tolist()
    assert dataset.catalog.frame.equals(good.catalog.frame)
    in_ratings = file in ("u.data", "ratings.dat", "ratings.csv")
    assert dataset.dropped_rows == ({"bad row": 1} if in_ratings else {})


def test_ids_stay_the_text_that_they_are(tmp_path):
    place = folder(tmp_path, {"u.data": b"007\t07\t3\t1\n7\t7\t4\t2\n"})
    dataset = read_movielens(place)
    assert dataset.interactions.user_ids == ["007", "7"]
    assert dataset.catalog.item_ids == ["07", "7"]


def test_a_folder_without_a_release_is_refused_with_what_was_looked_for(tmp_path):
    (tmp_path / "tags.csv").write_text("userId\n")
    with pytest.raises(UserError) as caught:
        read_movielens(tmp_path)
    for name in ("u.data", "ratings.dat", "ratings.csv"):
        assert name in caught.value.what
    assert "tags.csv" in caught.value.hint
    with pytest.raises(UserError, match="there is no file 'nowhere'"):
        read_movielens(tmp_path / "nowhere")


def test_two_releases_in_one_folder_are_refused_not_mixed(tmp_path):
    for name in ("100k", "1m", "10m"):
        (tmp_path / name).mkdir()
        release(name, tmp_path / name)
    with pytest.raises(UserError, match="several releases") as caught:
        read_movielens(tmp_path)
    assert "u.data" in caught.value.what
    assert str(tmp_path / "10m" / "ratings.dat") in caught.value.what
    assert len(read_movielens(tmp_path / "1m").interactions) == 3


@given(
    st.lists(
        st.tuples(
            st.integers(1, 200_000),
            st.integers(1, 300_000),
            st.integers(1, 10).map(lambda halves: halves / 2),
            st.integers(789_652_009, 1_700_000_000),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["u.data", "ratings.dat", "ratings.csv"]),
)
def test_what_is_written_is_read_back(tmp_path_factory, rows, name):
    separator = {"u.data": "\t", "ratings.dat": "::", "ratings.csv": ","}[name]
    text = "".join(separator.join(map(str, row)) + "\n" for row in rows)
    if name == "ratings.csv":
        text = "userId,movieId,rating,timestamp\n" + text
    place = tmp_path_factory.mktemp("ml")
    (place / name).write_text(text)
    dataset = read_movielens(place)
    actual = dataset.interactions
    assert [
        (int(actual.user_ids[user]), int(dataset.catalog.item_ids[item - 1]), rating, time)
        for user, item, rating, time in zip(
            actual.user.tolist(),
            actual.item.tolist(),
            actual.rating.tolist(),
            actual.timestamp.tolist(),
            strict=True,
        )
    ] == rows


@pytest.mark.real_data
@pytest.mark.skipif(
    not os.environ.get("KD_TF_DATA"),
    reason="KD_TF_DATA does not name a folder that has movielens-100k",
)
def test_the_published_ratings_of_100k_are_read_whole():
    dataset = read_movielens(Path(os.environ["KD_TF_DATA"]) / "movielens-100k")
    interactions = dataset.interactions
    assert (interactions.num_users, interactions.num_items, len(interactions)) == (
        943,
        1_682,
        100_000,
    )
    assert set(np.unique(interactions.rating)) == {1, 2, 3, 4, 5}
    assert (interactions.timestamp.min(), interactions.timestamp.max()) == (874724710, 893286638)
    pairs = np.unique(np.stack([interactions.user, interactions.item]), axis=1)
    assert pairs.shape[1] == 100_000
