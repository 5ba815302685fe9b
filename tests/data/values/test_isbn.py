import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.values.isbn import normalize_isbn


def normalize_all(texts: list[str | None]) -> list[str | None]:
    return normalize_isbn(pl.Series("isbn", texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        # Worked examples of the ISBN Users' Manual and of ISO 2108.
        ("0-306-40615-2", "9780306406157"),
        ("978-0-306-40615-7", "9780306406157"),
        ("9780306406157", "9780306406157"),
        ("ISBN 978 0 306 40615 7", "9780306406157"),
        ("isbn: 0306406152", "9780306406157"),
        ("080442957X", "9780804429573"),
        ("080442957x", "9780804429573"),
        ("979-10-90636-07-1", "9791090636071"),
        # Spreadsheets, pandas, and services for readers.
        ('="9780306406157"', "9780306406157"),
        ('"0306406152"', "9780306406157"),
        ("'9780306406157", "9780306406157"),
        ("[0306406152]", "9780306406157"),
        ("9780306406157.0", "9780306406157"),
        ("978-0-306-40615-7 (pbk.)", "9780306406157"),
        ("ISBN-13: 978-0306406157", "9780306406157"),
        ("ISBN10:0306406152", "9780306406157"),
        ("ISBN-10 0306406152", "9780306406157"),
        ("wrong, 0306406152, 9791090636071", "9780306406157"),
        ("9780306406158;9791090636071", "9791090636071"),
        # Catalogs of libraries, other scripts, and signs that are not seen.
        ("9780306406157 (hbk.) : $25", "9780306406157"),
        ("urn:isbn:9780306406157", "9780306406157"),
        ("9780306406157 9791090636071", "9780306406157"),
        ("{9780306406157}", "9780306406157"),
        ("9780306406157\n0306406152", "9780306406157"),
        ("\u200e9780306406157\u200b", "9780306406157"),
        ("٠٣٠٦٤٠٦١٥٢", "9780306406157"),
        ("９７８０３０６４０６１５７", "9780306406157"),
        # Leading zeros that a spreadsheet took.
        ("306406152", "9780306406157"),
        ("439023483", "9780439023481"),
    ],
)
def test_every_writing_of_an_isbn_is_the_same_thirteen_digits(written, meant):
    assert normalize_all([written])[0] == meant


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "none", "0306406153", "9780306406158", "9770306406157", "12345"),
        *("ISSN 0306-4061", "in 306406152 rooms", "9.78E+12", "https://example.org/12"),
        *("B00X57B4JG", "9.78043902348e+12", "X306406152", "03064061522"),
    ],
)
def test_what_is_no_isbn_is_null(text):
    assert normalize_all([text])[0] is None


@pytest.mark.slow
@given(st.lists(st.integers(0, 999_999_999), min_size=1, max_size=20))
def test_both_lengths_of_one_isbn_agree_and_every_single_wrong_digit_is_found(numbers):
    bodies = [f"{number:09d}" for number in numbers]
    ten = [body + check_digit_of_ten(body) for body in bodies]
    thirteen = normalize_all(ten)
    assert [isbn[3:12] for isbn in thirteen] == bodies
    assert normalize_all(thirteen) == thirteen
    wrong = [
        isbn[:place] + digit + isbn[place + 1 :]
        for isbn in thirteen
        for place in range(13)
        for digit in "0123456789"
        if digit != isbn[place]
    ]
    assert normalize_all(wrong) == [None] * len(wrong)


def check_digit_of_ten(body: str) -> str:
    """Computes the check digit of an ISBN with ten digits by its definition."""
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(body))
    return "0123456789X"[-total % 11]


def test_a_column_keeps_its_length_and_name():
    values = pl.Series("number", ["", None, "0306406152"])
    actual = normalize_isbn(values)
    assert actual.name == "number"
    assert actual.to_list() == [None, None, "9780306406157"]
    assert normalize_isbn(pl.Series("empty", [], dtype=pl.String)).to_list() == []
